//! One container, from its first start until its pod ends.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::facts::{Report, State};
use super::launch::Launch;
use super::probe;

/// Pauses before a container that ended is started again: the first at once, as a kubelet does.
const BACKOFF: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(80),
];
/// A container that ran for longer than this is started again as if it had not ended before.
const LONG: Duration = Duration::from_secs(600);

/// When a container is started again that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Always,
    OnFailure,
    Never,
}

impl Policy {
    /// As a pod's `restartPolicy` has it.
    pub(super) fn of(text: Option<&str>) -> Self {
        match text {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    fn again(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// Starts the container as often as its policy says and until `stop`, and reports how it is. `grace` is the time
/// that it gets to end when a probe says that it is to be started again.
pub(super) async fn run(
    launch: Launch,
    policy: Policy,
    grace: Duration,
    report: Report,
    stop: CancellationToken,
) {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let code = start(&launch, grace, &report).await;
        report.change(|facts| facts.ended(code, Timestamp::now()));
        if stop.is_cancelled() || !policy.again(code) {
            return report.state(State::Terminated);
        }
        failures = if began.elapsed() > LONG { 0 } else { failures };
        let pause = BACKOFF[failures.min(BACKOFF.len() - 1)];
        failures += 1;
        if !pause.is_zero() {
            let why = format!("back-off {} s restarting failed container", pause.as_secs());
            report.state(State::Waiting("CrashLoopBackOff", why));
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return report.state(State::Terminated),
        }
        report.change(|facts| facts.restarts += 1);
    }
}

/// Starts the container once; returns its exit code when it has ended.
async fn start(launch: &Launch, grace: Duration, report: &Report) -> i32 {
    match launch.start() {
        Ok(mut child) => {
            report.state(State::Running(Timestamp::now()));
            let code = one_run(launch, &mut child, grace, report).await;
            tracing::info!(container = launch.container.name, code, "a container ended");
            code
        }
        Err(error) => {
            let why = crate::events::chain(&error);
            report.state(State::Waiting("RunContainerError", why));
            // As containerd's for one that cannot be started.
            128
        }
    }
}

/// Waits until the container has ended, or ends it when its probes say so; returns its exit code.
async fn one_run(launch: &Launch, child: &mut Child, grace: Duration, report: &Report) -> i32 {
    let ready = |ready: bool| report.change(|facts| facts.ready = ready);
    let why = tokio::select! {
        status = child.wait() => return code(status),
        why = probe::watch(launch, ready) => why,
    };
    tracing::warn!(
        container = launch.container.name,
        why,
        "a container is ended"
    );
    if let Some(pid) = child.id() {
        // One that ended meanwhile did what was asked.
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
    }
    if let Ok(status) = timeout(grace, child.wait()).await {
        return code(status);
    }
    let _ = child.kill().await;
    code(child.wait().await)
}

/// As shells and kubelets have it: 128 and the number of the signal that ended a process.
fn code(status: std::io::Result<ExitStatus>) -> i32 {
    let Ok(status) = status else { return 255 };
    let by_signal = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(by_signal).unwrap_or(255)
}

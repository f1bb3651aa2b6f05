//! Asking a container how it does.

use std::future::pending;
use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::launch::Launch;

/// Asks as the container's probes say, for as long as it runs. Tells `ready` of every change; returns when the
/// container is to be started again, with the reason.
pub(super) async fn watch(launch: &Launch, ready: impl Fn(bool)) -> String {
    let container = &launch.container;
    if let Some(probe) = &container.startup_probe
        && let Err(why) = start(launch, probe).await
    {
        return format!("startup probe failed: {why}");
    }
    tokio::select! {
        why = liveness(launch) => format!("liveness probe failed: {why}"),
        never = readiness(launch, ready) => match never {},
    }
}

async fn start(launch: &Launch, probe: &Probe) -> Result<(), String> {
    let mut failures = 0;
    loop {
        match ask(launch, probe).await {
            Ok(()) => return Ok(()),
            Err(why) if failures + 1 >= threshold(probe) => return Err(why),
            Err(_) => failures += 1,
        }
        sleep(period(probe)).await;
    }
}

async fn liveness(launch: &Launch) -> String {
    match &launch.container.liveness_probe {
        None => pending().await,
        Some(probe) => {
            let mut failures = 0;
            loop {
                match ask(launch, probe).await {
                    Ok(()) => failures = 0,
                    Err(why) if failures + 1 >= threshold(probe) => return why,
                    Err(_) => failures += 1,
                }
                sleep(period(probe)).await;
            }
        }
    }
}

async fn readiness(launch: &Launch, ready: impl Fn(bool)) -> std::convert::Infallible {
    let Some(probe) = &launch.container.readiness_probe else {
        ready(true);
        return pending().await;
    };
    let mut failures = 0;
    loop {
        match ask(launch, probe).await {
            Ok(()) => {
                failures = 0;
                ready(true);
            }
            Err(_) => {
                failures += 1;
                if failures >= threshold(probe) {
                    ready(false);
                }
            }
        }
        sleep(period(probe)).await;
    }
}

/// One question; the reason when the answer is not good.
async fn ask(launch: &Launch, probe: &Probe) -> Result<(), String> {
    let limit = Duration::from_secs(
        probe
            .timeout_seconds
            .unwrap_or(1)
            .max(1)
            .unsigned_abs()
            .into(),
    );
    let mut command = if let Some(exec) = &probe.exec {
        launch
            .command(exec.command.clone().unwrap_or_default())
            .map_err(|error| error.to_string())?
    } else if let Some(url) = url(launch, probe) {
        let mut command = Command::new("/proc/self/exe");
        command
            .arg("enter")
            .arg("--process")
            .arg(format!("/proc/{}", launch.process.pause))
            .arg("--cgroup")
            .arg(&launch.node_cgroup)
            .args([
                "--",
                "curl",
                "-sS",
                "-f",
                "--noproxy",
                "*",
                "-o",
                "/dev/null",
                &url,
            ]);
        command
    } else {
        return Err("the lab's stand-in for a kubelet knows httpGet and exec only".to_owned());
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = timeout(limit, command.output()).await;
    let output = output.map_err(|_| format!("no answer after {} s", limit.as_secs()))?;
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).trim().to_owned())
}

fn url(launch: &Launch, probe: &Probe) -> Option<String> {
    let get = probe.http_get.as_ref()?;
    let host = get.host.clone().unwrap_or_else(|| launch.address.clone());
    let port = port(&launch.container, &get.port)?;
    let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
    let path = get.path.as_deref().unwrap_or("/");
    Some(format!("{scheme}://{host}:{port}{path}"))
}

/// The number of a port that may be given by its name.
fn port(container: &Container, port: &IntOrString) -> Option<i32> {
    match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            let found = ports.find(|port| port.name.as_deref() == Some(name));
            found.map(|port| port.container_port)
        }
    }
}

fn threshold(probe: &Probe) -> i32 {
    probe.failure_threshold.unwrap_or(3)
}

fn period(probe: &Probe) -> Duration {
    Duration::from_secs(
        probe
            .period_seconds
            .unwrap_or(10)
            .max(1)
            .unsigned_abs()
            .into(),
    )
}

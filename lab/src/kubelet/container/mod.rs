//! The containers of a pod whose images the lab has programs for: each is a program of this machine, started as
//! the pod's manifest says. See [`crate::container`] for what it sees.

mod environment;
mod error;
mod facts;
mod launch;
mod probe;
mod run;
mod security;
mod volumes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::environment::PodFacts;
use self::facts::Report;
use self::launch::{Launch, Place};
use self::run::Policy;
use self::volumes::Volumes;
use super::cleanup;
use super::node::Node;
use super::pod_sandbox::PodSandbox;
use crate::layout::{API_SERVER_PORT, CONTROL_PLANE};
use crate::programs;

pub(super) use error::ContainerStartError;
pub(super) use facts::{AllFacts, ContainerFacts, State};

/// Pause before tokens are asked for again that were not given.
const AGAIN: Duration = Duration::from_secs(10);

/// The containers of one pod that the stand-in runs. Dropping it kills them.
#[derive(Debug)]
pub(super) struct Containers {
    report: watch::Sender<AllFacts>,
    states: watch::Receiver<AllFacts>,
    /// Ends restarts.
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Starts what can be started of the pod's containers; nothing when the lab has a program for none of them.
pub(super) async fn start(
    node: &Arc<Node>,
    pod: &Pod,
    sandbox: &PodSandbox,
    uid: &str,
) -> Result<Containers, ContainerStartError> {
    let mut started = Containers::none();
    let all = pod.spec.iter().flat_map(|spec| &spec.containers);
    let known: Vec<_> = all
        .enumerate()
        .filter_map(|(at, container)| {
            Some((
                at,
                container,
                programs::find(&node.context.dir, container.image.as_deref()?)?,
            ))
        })
        .collect();
    if known.is_empty() {
        return Ok(started);
    }
    let config_maps = volumes::config_maps(node, pod).await?;
    let facts = facts(node, pod, sandbox.address.to_string(), &config_maps);
    let volumes = Volumes {
        pod: cleanup::files(node, uid),
        disk: node.context.dir.file("disks").join(&node.layout.name),
    };
    let renewal = volumes.fill(node, &facts).await?;
    let place = Place {
        pause: sandbox.pid(),
        sandbox_cgroup: sandbox.cgroups().sandbox.clone(),
        api_server: api_server(),
    };
    let log = node.context.dir.log(&log_name(pod));
    for (at, container, program) in known {
        let cgroup = &sandbox.cgroups().containers[at];
        let launch = Launch::of(
            container,
            &program,
            cgroup,
            &facts,
            &place,
            &volumes,
            log.clone(),
        )?;
        started.run(launch, pod);
    }
    let address = facts.address.clone();
    let renewing = renew(
        Arc::clone(node),
        pod.clone(),
        address,
        config_maps.clone(),
        volumes,
        renewal,
    );
    started.tasks.spawn(renewing);
    Ok(started)
}

impl Containers {
    /// Of a pod that has none, or whose sandbox is not there.
    pub(super) fn none() -> Self {
        let (report, states) = watch::channel(AllFacts::new());
        Self {
            report,
            states,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        }
    }

    fn run(&mut self, launch: Launch, pod: &Pod) {
        let spec = pod.spec.as_ref();
        let policy = Policy::of(spec.and_then(|spec| spec.restart_policy.as_deref()));
        let grace = spec.and_then(|spec| spec.termination_grace_period_seconds);
        let grace = Duration::from_secs(grace.unwrap_or(30).max(0).unsigned_abs());
        let report = Report::new(&launch.container.name, self.report.clone());
        self.tasks
            .spawn(run::run(launch, policy, grace, report, self.stop.clone()));
    }

    /// How each is.
    pub(super) fn facts(&mut self) -> AllFacts {
        self.states.borrow_and_update().clone()
    }

    /// The exit code of a pod whose containers have all ended for good: that of one that failed, if one did.
    pub(super) fn exit_code(&self) -> Option<u8> {
        exit_code(&self.states.borrow())
    }

    /// Waits until one is otherwise than [`Containers::facts`] said last.
    pub(super) async fn changed(&mut self) {
        // This value has a sender, so there is always one.
        let _ = self.states.changed().await;
    }

    /// Starts nothing again from here on: the pod is being ended.
    pub(super) fn stop_restarts(&self) {
        self.stop.cancel();
    }
}

fn exit_code(all: &AllFacts) -> Option<u8> {
    let mut code = None;
    for facts in all.values() {
        let ended = facts.last.filter(|_| facts.state == State::Terminated)?;
        code = code.filter(|code| *code != 0).or(Some(ended.code));
    }
    code.map(|code| u8::try_from(code).unwrap_or(u8::MAX))
}

/// Writes the pod's tokens anew, before they end, for as long as the pod lives.
async fn renew(
    node: Arc<Node>,
    pod: Pod,
    address: String,
    config_maps: BTreeMap<String, ConfigMap>,
    volumes: Volumes,
    mut after: Duration,
) {
    loop {
        sleep(after).await;
        let facts = facts(&node, &pod, address.clone(), &config_maps);
        after = volumes.fill(&node, &facts).await.unwrap_or_else(|error| {
            let error = crate::events::chain(&error);
            tracing::warn!(
                pod = pod.name_any(),
                error,
                "the pod's tokens are not renewed"
            );
            AGAIN
        });
    }
}

fn facts<'a>(
    node: &Node,
    pod: &'a Pod,
    address: String,
    config_maps: &'a BTreeMap<String, ConfigMap>,
) -> PodFacts<'a> {
    PodFacts {
        pod,
        address,
        host: node.layout.address.to_string(),
        config_maps,
    }
}

/// How programs find the API server, which is not behind a Service here.
fn api_server() -> BTreeMap<String, String> {
    let variables = [
        ("KUBERNETES_SERVICE_HOST", CONTROL_PLANE.to_string()),
        ("KUBERNETES_SERVICE_PORT", API_SERVER_PORT.to_string()),
    ];
    variables
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// Name of the log that a pod's containers share.
fn log_name(pod: &Pod) -> String {
    format!("{}.{}", pod.namespace().unwrap_or_default(), pod.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    #[test]
    fn a_pod_has_ended_when_all_its_containers_have_and_badly_when_one_did() {
        let (report, _) = watch::channel(AllFacts::new());
        let [first, second] = ["a", "b"].map(|name| Report::new(name, report.clone()));
        let end = |one: &Report, code| {
            one.change(|facts| facts.ended(code, Timestamp::UNIX_EPOCH));
            one.state(State::Terminated);
            exit_code(&report.borrow())
        };
        assert_eq!(end(&first, 0), None);
        assert_eq!(end(&second, 3), Some(3));
        second.state(State::Running(Timestamp::UNIX_EPOCH));
        assert_eq!(exit_code(&report.borrow()), None);
        assert_eq!(end(&second, 0), Some(0));
        assert_eq!(exit_code(&AllFacts::new()), None);
    }
}

//! The status a kubelet would write for a pod.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::container::{AllFacts, ContainerFacts, State};
use super::names::container_id;

#[cfg(test)]
mod tests;

/// The exit code of a process that SIGTERM ended.
pub(super) const TERMINATED: i32 = 143;

/// What is known of a pod on its node.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The pod's uid.
    pub(super) uid: String,
    /// The node's address.
    pub(super) host: String,
    /// The pod's address.
    pub(super) address: String,
    /// When its sandbox started.
    pub(super) started: Timestamp,
    /// How often its sandbox was lost and made again.
    pub(super) restarts: i32,
    /// The containers that run. The others are said to run for as long as the sandbox is there.
    pub(super) containers: AllFacts,
}

/// The status of a pod that has its sandbox.
pub(super) fn running(pod: &Pod, facts: &Facts) -> PodStatus {
    let now = Time(facts.started);
    let unready = facts.containers.values().any(|container| !container.ready);
    let unready = unready.then_some("ContainersNotReady");
    let closed = (!readiness(pod)).then_some("ReadinessGatesNotReady");
    let not_ready = unready.or(closed);
    let true_now = |kind| condition(pod, kind, true, None, &now);
    let conditions = vec![
        true_now("PodReadyToStartContainers"),
        true_now("PodScheduled"),
        true_now("Initialized"),
        condition(pod, "ContainersReady", unready.is_none(), unready, &now),
        condition(pod, "Ready", not_ready.is_none(), not_ready, &now),
    ];
    let state = ContainerState {
        running: Some(ContainerStateRunning {
            started_at: Some(now),
        }),
        ..ContainerState::default()
    };
    status(pod, facts, "Running", conditions, &state)
}

/// The status of a pod whose containers would all have ended with `exit_code`.
pub(super) fn finished(pod: &Pod, facts: &Facts, exit_code: i32, now: Timestamp) -> PodStatus {
    let now = Time(now);
    let (phase, reason) = match exit_code {
        0 => ("Succeeded", "Completed"),
        _ => ("Failed", "Error"),
    };
    let why = if exit_code == 0 {
        "PodCompleted"
    } else {
        "PodFailed"
    };
    let conditions = vec![
        condition(pod, "PodReadyToStartContainers", false, None, &now),
        condition(pod, "PodScheduled", true, None, &now),
        condition(
            pod,
            "Initialized",
            true,
            (exit_code == 0).then_some(why),
            &now,
        ),
        condition(pod, "ContainersReady", false, Some(why), &now),
        condition(pod, "Ready", false, Some(why), &now),
    ];
    let state = ContainerState {
        terminated: Some(terminated(facts, exit_code, reason, now)),
        ..ContainerState::default()
    };
    status(pod, facts, phase, conditions, &state)
}

/// Whether `actual` already says all that `desired` says, so that nothing need be written.
/// Lists are compared as sets: others own entries of their own in `conditions`.
pub(super) fn covers(actual: &Value, desired: &Value) -> bool {
    match (actual, desired) {
        (Value::Object(actual), Value::Object(desired)) => desired.iter().all(|(key, value)| {
            actual
                .get(key)
                .map_or(value.is_null(), |actual| covers(actual, value))
        }),
        (Value::Array(actual), Value::Array(desired)) => desired
            .iter()
            .all(|value| actual.iter().any(|actual| covers(actual, value))),
        _ => actual == desired,
    }
}

fn status(
    pod: &Pod,
    facts: &Facts,
    phase: &str,
    conditions: Vec<PodCondition>,
    state: &ContainerState,
) -> PodStatus {
    let spec = pod.spec.as_ref();
    let previous = pod.status.as_ref();
    let containers = spec
        .map(|spec| spec.containers.as_slice())
        .unwrap_or_default();
    let init = spec
        .and_then(|spec| spec.init_containers.as_deref())
        .unwrap_or_default();
    let started = previous.and_then(|status| status.start_time.clone());
    let all = |list: &[Container],
               of: fn(&Container, &Facts, &ContainerState) -> ContainerStatus| {
        let statuses = list.iter().map(|container| of(container, facts, state));
        statuses.collect()
    };
    PodStatus {
        phase: Some(phase.to_owned()),
        observed_generation: pod.metadata.generation,
        conditions: Some(conditions),
        host_ip: Some(facts.host.clone()),
        host_ips: Some(vec![HostIP {
            ip: facts.host.clone(),
        }]),
        pod_ip: Some(facts.address.clone()),
        pod_ips: Some(vec![PodIP {
            ip: facts.address.clone(),
        }]),
        start_time: started.or(Some(Time(facts.started))),
        container_statuses: Some(all(containers, one)),
        init_container_statuses: (!init.is_empty()).then(|| all(init, initial)),
        ..PodStatus::default()
    }
}

fn one(container: &Container, facts: &Facts, state: &ContainerState) -> ContainerStatus {
    let runs = state.running.is_some();
    let id = format!("containerd://{}", container_id(&facts.uid, &container.name));
    if let Some(own) = facts.containers.get(&container.name).filter(|_| runs) {
        return of_one_that_runs(container, own, &id);
    }
    let mut state = state.clone();
    if let Some(terminated) = &mut state.terminated {
        terminated.container_id = Some(id.clone());
    }
    ContainerStatus {
        name: container.name.clone(),
        container_id: Some(id),
        image: container.image.clone().unwrap_or_default(),
        ready: runs,
        started: Some(runs),
        restart_count: facts.restarts,
        state: Some(state),
        ..ContainerStatus::default()
    }
}

/// The status of a container that the stand-in runs.
fn of_one_that_runs(container: &Container, own: &ContainerFacts, id: &str) -> ContainerStatus {
    let ended = own.last.map(|ended| ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: ended.code,
            reason: Some(
                if ended.code == 0 {
                    "Completed"
                } else {
                    "Error"
                }
                .to_owned(),
            ),
            started_at: Some(Time(ended.started)),
            finished_at: Some(Time(ended.finished)),
            container_id: Some(id.to_owned()),
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    });
    let (state, last_state) = match &own.state {
        State::Terminated => (ended, None),
        State::Running(since) => {
            let running = ContainerStateRunning {
                started_at: Some(Time(*since)),
            };
            let running = ContainerState {
                running: Some(running),
                ..ContainerState::default()
            };
            (Some(running), ended)
        }
        State::Waiting(reason, message) => {
            let waiting = ContainerStateWaiting {
                reason: Some((*reason).to_owned()),
                message: (!message.is_empty()).then(|| message.clone()),
            };
            let waiting = ContainerState {
                waiting: Some(waiting),
                ..ContainerState::default()
            };
            (Some(waiting), ended)
        }
    };
    ContainerStatus {
        name: container.name.clone(),
        container_id: Some(id.to_owned()),
        image: container.image.clone().unwrap_or_default(),
        ready: own.ready,
        started: Some(matches!(own.state, State::Running(_))),
        restart_count: own.restarts,
        state,
        last_state,
        ..ContainerStatus::default()
    }
}

/// An init container has run to its end; one that restarts always is a sidecar and shares the
/// state of the others.
fn initial(container: &Container, facts: &Facts, state: &ContainerState) -> ContainerStatus {
    if container.restart_policy.as_deref() == Some("Always") {
        return one(container, facts, state);
    }
    let completed = ContainerState {
        terminated: Some(terminated(facts, 0, "Completed", Time(facts.started))),
        ..ContainerState::default()
    };
    ContainerStatus {
        ready: true,
        ..one(container, facts, &completed)
    }
}

fn terminated(facts: &Facts, exit_code: i32, reason: &str, at: Time) -> ContainerStateTerminated {
    ContainerStateTerminated {
        exit_code,
        reason: Some(reason.to_owned()),
        started_at: Some(Time(facts.started)),
        finished_at: Some(at),
        ..ContainerStateTerminated::default()
    }
}

/// A condition that keeps its transition time for as long as its status stays.
fn condition(pod: &Pod, kind: &str, holds: bool, reason: Option<&str>, now: &Time) -> PodCondition {
    let status = if holds { "True" } else { "False" };
    let since = existing(pod, kind)
        .filter(|condition| condition.status == status)
        .and_then(|condition| condition.last_transition_time.clone());
    PodCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        last_transition_time: since.or_else(|| Some(now.clone())),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    }
}

/// Whether every readiness gate of the pod is open.
fn readiness(pod: &Pod) -> bool {
    let gates = pod
        .spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten());
    gates.into_iter().all(|gate| {
        existing(pod, &gate.condition_type).is_some_and(|condition| condition.status == "True")
    })
}

fn existing<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

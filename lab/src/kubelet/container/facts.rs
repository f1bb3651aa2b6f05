//! How the containers of a pod are.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

/// The containers of a pod, by name.
pub(in crate::kubelet) type AllFacts = BTreeMap<String, ContainerFacts>;

/// Where one container says how it is.
#[derive(Clone, Debug)]
pub(super) struct Report {
    name: String,
    all: watch::Sender<AllFacts>,
}

impl Report {
    /// Of the container called `name`, which has not been started.
    pub(super) fn new(name: &str, all: watch::Sender<AllFacts>) -> Self {
        all.send_modify(|all| drop(all.insert(name.to_owned(), ContainerFacts::new())));
        let name = name.to_owned();
        Self { name, all }
    }

    /// Changes what is said; nobody is told when nothing changed.
    pub(super) fn change(&self, change: impl FnOnce(&mut ContainerFacts)) {
        self.all.send_if_modified(|all| {
            let Some(facts) = all.get_mut(&self.name) else {
                return false;
            };
            let before = facts.clone();
            change(facts);
            *facts != before
        });
    }

    /// Says what it does now.
    pub(super) fn state(&self, state: State) {
        self.change(|facts| facts.state = state);
    }
}

/// What is known of a container that the stand-in runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kubelet) struct ContainerFacts {
    pub(in crate::kubelet) state: State,
    /// Whether it is running and its readiness probe says yes.
    pub(in crate::kubelet) ready: bool,
    /// How often it was started again.
    pub(in crate::kubelet) restarts: i32,
    /// How it ended last.
    pub(in crate::kubelet) last: Option<Ended>,
}

/// What a container does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kubelet) enum State {
    /// It does not run, for a reason in one word and one in many.
    Waiting(&'static str, String),
    /// It runs since then.
    Running(Timestamp),
    /// It has ended for good, as [`ContainerFacts::last`] says.
    Terminated,
}

/// The end of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kubelet) struct Ended {
    pub(in crate::kubelet) code: i32,
    pub(in crate::kubelet) started: Timestamp,
    pub(in crate::kubelet) finished: Timestamp,
}

impl ContainerFacts {
    /// Of one that has not been started.
    fn new() -> Self {
        Self {
            state: State::Waiting("ContainerCreating", String::new()),
            ready: false,
            restarts: 0,
            last: None,
        }
    }

    /// Notes that it ended.
    pub(super) fn ended(&mut self, code: i32, finished: Timestamp) {
        let started = match self.state {
            State::Running(since) => since,
            _ => finished,
        };
        self.ready = false;
        self.last = Some(Ended {
            code,
            started,
            finished,
        });
    }
}

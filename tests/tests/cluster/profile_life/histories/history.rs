//! Histories: what people, kubelets and Azure do, generated from a seed.

use std::time::Duration;

use podid_core::backoff::JitterSource;

use crate::stage::{SET_NODES, VM_NODES};

/// Profiles of a history, by number.
pub(super) const PROFILES: u64 = 3;
const LONGEST: u64 = 12;

/// What happens in one namespace, each after a pause.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) seed: u64,
    pub(super) steps: Vec<(Duration, Happening)>,
}

/// What a profile asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether it may read secrets.
    pub(super) reads: bool,
    /// The label of its pods, which profiles may have in common.
    pub(super) selector: u64,
    /// Whether its identity outlives it.
    pub(super) retains: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A profile is made or edited.
    Apply(u64, Asked),
    /// A profile and its pods are deleted.
    Delete(u64),
    /// A pod with this label comes to a node.
    Run {
        selector: u64,
        node: &'static str,
    },
    /// The oldest pod that still runs is deleted, or ends by itself.
    DeletePod,
    EndPod,
    /// The class allows the right to read secrets, or does not.
    Class {
        reads: bool,
    },
    /// Somebody deletes the profile's identity in Azure.
    LoseIdentity(u64),
    /// Somebody deletes it, and makes another of its name with its tags.
    MakeIdentityAnew(u64),
    /// Somebody deletes the profile's AzureIdentity or AzureIdentityBinding.
    LoseObject(u64, Object),
    /// Somebody deletes the rights of the profile's identity.
    LoseRights(u64),
    /// Somebody takes the profile's identity off a machine.
    Strip(u64, &'static str),
    /// The next calls of an operation meet this.
    Fault(&'static str, Effect, u64),
    /// The operator is killed.
    Kill,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Object {
    Identity,
    Binding,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    Status(u16),
    Throttled,
    /// The connection is closed, and Azure has not seen the call.
    Lost,
    /// Azure has done it, and says otherwise.
    AnswerLost,
    Slow,
    /// Azure begins the change of a machine, and is at it for a while.
    Course,
}

impl History {
    pub(super) fn of(seed: u64) -> Self {
        let mut draw = Draw(JitterSource::new(seed));
        let length = 3 + draw.below(LONGEST - 2);
        let steps = (0..length)
            .map(|_| (draw.pause(), draw.happening()))
            .collect();
        Self { seed, steps }
    }

    /// Histories with less in them.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let without = |index: usize| {
            let mut less = self.clone();
            less.steps.remove(index);
            less
        };
        (0..self.steps.len()).map(without).collect()
    }
}

struct Draw(JitterSource);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_bits() % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let index = self.below(all.len() as u64);
        all[usize::try_from(index).unwrap_or_default()]
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.one_of(&[0, 0, 50, 200, 500, 1500]))
    }

    fn profile(&mut self) -> u64 {
        self.below(PROFILES)
    }

    fn node(&mut self) -> &'static str {
        self.one_of(&[SET_NODES[0], SET_NODES[1], VM_NODES[0], VM_NODES[1]])
    }

    fn asked(&mut self, profile: u64) -> Asked {
        let another = self.profile();
        Asked {
            reads: self.below(2) == 0,
            selector: self.one_of(&[profile, profile, another]),
            retains: self.below(4) == 0,
        }
    }

    fn happening(&mut self) -> Happening {
        match self.below(28) {
            0..=5 => {
                let profile = self.profile();
                Happening::Apply(profile, self.asked(profile))
            }
            6..=7 => Happening::Delete(self.profile()),
            8..=12 => Happening::Run {
                selector: self.profile(),
                node: self.node(),
            },
            13 => Happening::DeletePod,
            14 => Happening::EndPod,
            15 => Happening::Class {
                reads: self.below(2) == 0,
            },
            16 => Happening::LoseIdentity(self.profile()),
            17 => Happening::LoseRights(self.profile()),
            18 => Happening::Strip(self.profile(), self.one_of(&VM_NODES)),
            19 => Happening::MakeIdentityAnew(self.profile()),
            20 => Happening::LoseObject(
                self.profile(),
                self.one_of(&[Object::Identity, Object::Binding]),
            ),
            21..=25 => self.fault(),
            _ => Happening::Kill,
        }
    }

    fn fault(&mut self) -> Happening {
        let operation = self.one_of(&[
            "arm.identity.get",
            "arm.identity.put",
            "arm.identity.delete",
            "arm.identity.list",
            "arm.roleassignment.put",
            "arm.roleassignment.delete",
            "arm.roleassignment.list",
            "arm.vmss.get",
            "arm.vmss.patch",
            "arm.vm.patch",
            "arm.operation.get",
        ]);
        let effect = self.one_of(&[
            Effect::Status(403),
            Effect::Status(409),
            Effect::Status(500),
            Effect::Status(503),
            Effect::Throttled,
            Effect::Lost,
            Effect::AnswerLost,
            Effect::Slow,
        ]);
        let changes_a_machine = ["arm.vmss.patch", "arm.vm.patch"].contains(&operation);
        let effect = match changes_a_machine && self.below(3) == 0 {
            true => Effect::Course,
            false => effect,
        };
        Happening::Fault(operation, effect, 1 + self.below(3))
    }
}

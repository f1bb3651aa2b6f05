//! What Azure says of the managed identities that hand-written objects name: each looked up once for
//! all who name it, few at a time, and again at an interval.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use podid_azure::{AzureError, ErrorClass, Identities, UserAssignedIdentity};
use podid_core::arm::ArmId;
use podid_core::assigned_identity::AssignmentFailure;
use podid_core::backoff::{Backoff, Jitter, lengthened};
use podid_core::owner::Owner;
use podid_core::target::BETWEEN_REQUESTS;
use podid_index::{Multi, ObjectKey};
use tokio::time::Instant;

use crate::target::failure_of;

/// Reads under way at once.
const AT_ONCE: usize = 8;
/// First wait after an answer that is no identity; the interval is the longest.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// Answers in a row that it takes to forget an identity that was there: one may be wrong, and pods
/// that use the identity would be stopped.
const BELIEVED: u32 = 2;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    NotYet(AssignmentFailure),
    Absent,
    Unreadable(String),
    Found {
        client_id: String,
        owner: Option<Owner>,
    },
}

/// The identities to know about.
#[derive(Debug)]
pub(super) struct Lookups {
    identities: Arc<dyn Identities>,
    interval: Duration,
    wanted: HashMap<ArmId, Lookup>,
    /// Identities that are not being read, by when they are to be.
    queue: BTreeSet<(Instant, ArmId)>,
    running: usize,
    /// Identities by the profile that their tags name as the owner.
    by_owner: Multi<ObjectKey, ArmId>,
}

#[derive(Debug)]
struct Lookup {
    reading: Option<Reading>,
    /// Answers in a row that were no identity.
    failures: u32,
    /// Those of them that said no.
    denials: u32,
    /// When it is to be read; `None` while it is.
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Lookups {
    pub(super) fn new(identities: Arc<dyn Identities>, interval: Duration) -> Self {
        Self {
            identities,
            interval,
            wanted: HashMap::new(),
            queue: BTreeSet::new(),
            running: 0,
            by_owner: Multi::default(),
        }
    }

    /// Has an identity looked up from now on.
    pub(super) fn want(&mut self, identity: &ArmId) {
        if self.wanted.contains_key(identity) {
            return;
        }
        let lookup = Lookup {
            reading: None,
            failures: 0,
            denials: 0,
            due: None,
            last: None,
        };
        self.wanted.insert(identity.clone(), lookup);
        self.schedule(identity, Instant::now());
    }

    /// Nobody needs to know any more.
    pub(super) fn forget(&mut self, identity: &ArmId) {
        let Some(lookup) = self.wanted.remove(identity) else {
            return;
        };
        if let Some(due) = lookup.due {
            self.queue.remove(&(due, identity.clone()));
        }
        if let Some(owner) = lookup.reading.as_ref().and_then(owner_of) {
            self.by_owner.remove(&owner, identity);
        }
    }

    /// Reads an identity again soon, because what was read may have changed.
    pub(super) fn recheck(&mut self, identity: &ArmId) {
        let Some(lookup) = self.wanted.get(identity) else {
            return;
        };
        let (Some(due), Some(last)) = (lookup.due, lookup.last) else {
            return;
        };
        self.queue.remove(&(due, identity.clone()));
        self.schedule(identity, due.min(last + BETWEEN_REQUESTS));
    }

    fn schedule(&mut self, identity: &ArmId, due: Instant) {
        if let Some(lookup) = self.wanted.get_mut(identity) {
            lookup.due = Some(due);
            self.queue.insert((due, identity.clone()));
        }
    }

    /// When there is something to read, if there will be and as far as room is left.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let (due, _) = self.queue.first()?;
        (self.running < AT_ONCE).then_some(*due)
    }

    /// A read to carry out now, whose outcome is to be handed to [`record_answer`](Self::record_answer).
    pub(super) fn start_next(&mut self) -> Option<impl Future<Output = (ArmId, Reading)> + use<>> {
        if self.next_due()? > Instant::now() {
            return None;
        }
        let (_, identity) = self.queue.pop_first()?;
        self.wanted.get_mut(&identity)?.due = None;
        self.running += 1;
        Some(read(Arc::clone(&self.identities), identity))
    }

    /// Records what was read, and when to read again.
    pub(super) fn record_answer(&mut self, identity: &ArmId, reading: Reading) {
        self.running = self.running.saturating_sub(1);
        let Some(lookup) = self.wanted.get_mut(identity) else {
            return;
        };
        let now = Instant::now();
        let found = matches!(reading, Reading::Found { .. });
        let denied = matches!(reading, Reading::Absent | Reading::Unreadable(_));
        lookup.last = Some(now);
        lookup.failures = if found {
            0
        } else {
            lookup.failures.saturating_add(1)
        };
        lookup.denials = if found {
            0
        } else {
            lookup.denials.saturating_add(denied.into())
        };
        let believed = match &lookup.reading {
            None | Some(Reading::NotYet(_)) => true,
            Some(Reading::Found { .. }) if denied => lookup.denials >= BELIEVED,
            Some(_) => found || denied,
        };
        if believed {
            if let Some(owner) = lookup.reading.as_ref().and_then(owner_of) {
                self.by_owner.remove(&owner, identity);
            }
            if let Some(owner) = owner_of(&reading) {
                self.by_owner.insert(owner, identity.clone());
            }
            lookup.reading = Some(reading);
        }
        let jitter = Jitter::new(rand::random());
        let wait = match found {
            true => lengthened(self.interval, jitter),
            false => {
                let backoff = Backoff::new(FIRST_RETRY, self.interval.max(FIRST_RETRY));
                backoff.wait(lookup.failures, jitter)
            }
        };
        self.schedule(identity, now + wait);
    }

    /// What was read of an identity.
    pub(super) fn reading(&self, identity: &ArmId) -> Option<&Reading> {
        self.wanted.get(identity)?.reading.as_ref()
    }

    /// The identities whose tags name a profile as the owner.
    pub(super) fn owned(&self) -> Vec<ArmId> {
        let profiles = self.by_owner.keys();
        profiles
            .flat_map(|profile| self.owned_by(profile))
            .collect()
    }

    /// The identities whose tags name this profile as the owner.
    pub(super) fn owned_by(&self, profile: &ObjectKey) -> Vec<ArmId> {
        let owned = self.by_owner.get(profile);
        owned.into_iter().flatten().cloned().collect()
    }
}

fn owner_of(reading: &Reading) -> Option<ObjectKey> {
    let Reading::Found { owner, .. } = reading else {
        return None;
    };
    let owner = owner.as_ref()?;
    Some(ObjectKey::new(&owner.namespace, &owner.profile))
}

async fn read(identities: Arc<dyn Identities>, id: ArmId) -> (ArmId, Reading) {
    let reading = match id.as_str().parse() {
        // What is wanted was read from well-formed ids.
        Err(_) => Reading::Absent,
        Ok(azure_id) => match identities.get(&azure_id).await {
            Ok(Some(found)) => of_identity(found),
            Ok(None) => Reading::Absent,
            Err(error) => of_error(&error, &id),
        },
    };
    (id, reading)
}

fn of_identity(found: UserAssignedIdentity) -> Reading {
    Reading::Found {
        owner: Owner::from_tags(&found.tags),
        client_id: found.client_id,
    }
}

fn of_error(error: &AzureError, identity: &ArmId) -> Reading {
    tracing::warn!(%identity, error = error as &dyn std::error::Error, "identity not read");
    match error.class() {
        ErrorClass::Forbidden | ErrorClass::NotFound | ErrorClass::Invalid => {
            Reading::Unreadable(error.to_string())
        }
        _ => Reading::NotYet(failure_of(error, Some(identity)).cause),
    }
}

#[cfg(test)]
mod tests;

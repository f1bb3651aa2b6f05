//! What Azure says of the managed identities that hand-written objects name: each looked up once for
//! all who name it, few at a time, and again at an interval.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use podid_azure::{AzureError, ErrorClass, Identities, UserAssignedIdentity};
use podid_core::arm::ArmId;
use podid_core::arm_budget::CallPriority;
use podid_core::backoff::Jitter;
use podid_core::binding::{IdentityLookup, LookupHistory};
use podid_core::owner::Owner;
use podid_core::target::BETWEEN_REQUESTS;
use podid_index::{Multi, ObjectKey};
use tokio::time::Instant;

use crate::azure::identity_id;
use crate::azure_error::target_error;
use crate::gate::with_priority;

/// Reads under way at once.
const AT_ONCE: usize = 8;
/// What was read of an identity, with the owner as its tags name it.
pub(super) type TagLookup = IdentityLookup<Owner>;

/// How a read of an identity ended.
#[derive(Debug)]
pub(super) struct ReadResult {
    pub(super) identity: ArmId,
    /// `None` when the read was held back, so that nothing new is known.
    lookup: Option<TagLookup>,
    /// How long Azure asks to be left alone about it, or until when it was held back.
    retry_after: Option<Duration>,
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
    history: LookupHistory<Owner>,
    /// When it is to be read; `None` while it is.
    due: Option<Instant>,
    last: Option<Instant>,
    /// Until when Azure asks to be left alone.
    azure_waits_until: Option<Instant>,
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
            history: LookupHistory::default(),
            due: None,
            last: None,
            azure_waits_until: None,
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
        if let Some(owner) = lookup.history.believed().and_then(owner_of) {
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
        let soon = (last + BETWEEN_REQUESTS).max(lookup.azure_waits_until.unwrap_or(last));
        self.queue.remove(&(due, identity.clone()));
        self.schedule(identity, due.min(soon));
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

    /// A read to carry out now, whose result is to be handed to [`record`](Self::record).
    pub(super) fn start_next(&mut self) -> Option<impl Future<Output = ReadResult> + use<>> {
        if self.next_due()? > Instant::now() {
            return None;
        }
        let (_, identity) = self.queue.pop_first()?;
        self.wanted.get_mut(&identity)?.due = None;
        self.running += 1;
        // After a start all are to be read. A person's change does not wait for them.
        let read = read(Arc::clone(&self.identities), identity);
        Some(with_priority(CallPriority::Background, read))
    }

    /// Records what was read, and when to read again.
    pub(super) fn record(&mut self, read: ReadResult) {
        self.running = self.running.saturating_sub(1);
        let identity = &read.identity;
        let Some(lookup) = self.wanted.get_mut(identity) else {
            return;
        };
        let now = Instant::now();
        let Some(found) = read.lookup else {
            let wait = read.retry_after.unwrap_or_default();
            return self.schedule(identity, now + wait);
        };
        lookup.last = Some(now);
        lookup.azure_waits_until = read.retry_after.map(|asked| now + asked);
        if let Some(owner) = lookup.history.believed().and_then(owner_of) {
            self.by_owner.remove(&owner, identity);
        }
        lookup.history.record(found);
        if let Some(owner) = lookup.history.believed().and_then(owner_of) {
            self.by_owner.insert(owner, identity.clone());
        }
        let jitter = Jitter::new(rand::random());
        let history = &lookup.history;
        let wait = history.next_wait(self.interval, read.retry_after, jitter);
        self.schedule(identity, now + wait);
    }

    /// What is believed of an identity.
    pub(super) fn believed(&self, identity: &ArmId) -> Option<&TagLookup> {
        self.wanted.get(identity)?.history.believed()
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

fn owner_of(lookup: &TagLookup) -> Option<ObjectKey> {
    let IdentityLookup::Found { owner, .. } = lookup else {
        return None;
    };
    let owner = owner.as_ref()?;
    Some(ObjectKey::new(&owner.namespace, &owner.profile))
}

async fn read(identities: Arc<dyn Identities>, identity: ArmId) -> ReadResult {
    let mut retry_after = None;
    let lookup = match identity_id(&identity) {
        None => {
            let text = "its id is not one of a user-assigned identity".to_owned();
            Some(IdentityLookup::Unreadable(text))
        }
        Some(azure_id) => match identities.get(&azure_id).await {
            Ok(Some(found)) => Some(of_identity(found)),
            Ok(None) => Some(IdentityLookup::Absent),
            Err(error) => {
                retry_after = error.retry_after();
                let is_held_back = error.class() == ErrorClass::HeldBack;
                (!is_held_back).then(|| of_error(&error, &identity))
            }
        },
    };
    ReadResult {
        identity,
        lookup,
        retry_after,
    }
}

fn of_identity(found: UserAssignedIdentity) -> TagLookup {
    IdentityLookup::Found {
        owner: Owner::from_tags(&found.tags),
        client_id: found.client_id,
    }
}

fn of_error(error: &AzureError, identity: &ArmId) -> TagLookup {
    tracing::warn!(%identity, error = error as &dyn std::error::Error, "identity not read");
    IdentityLookup::failed(&target_error(error), identity)
}

#[cfg(test)]
mod tests;

//! The kept tokens, and which pods have them.

mod pods;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use podid_azure::ImdsToken;
use podid_core::backoff::JitterSource;
use podid_core::moment::Moment;
use podid_core::token_cache::{
    ClockReading, Refresh, StatedLifetime, TokenLifetime, TokenUse, UsedResources,
    is_worth_keeping, token_use,
};
use tokio::time::Instant;

use super::key::{IdentityKey, TokenKey};
use crate::pod_context::PodContext;
use crate::token::{IssuedToken, TokenOrigin, TokenRequest};

/// Most entries of one pod; the one that was not used for longest gives way. With the largest size of a token, it
/// bounds the memory for a pod to 128 KiB.
const ENTRIES_MAX: usize = 16;

#[derive(Debug)]
struct KeptToken {
    token: Arc<ImdsToken>,
    lifetime: TokenLifetime,
    refresh: Refresh,
    /// Whether it was handed out since it was obtained; else nobody needs a newer one.
    used: bool,
    /// Whether a newer one is being fetched.
    refreshing: bool,
    /// How many entries lead to it, at least one.
    entries: usize,
}

/// A pod's right to a token, as it was decided when the pod last asked.
#[derive(Debug)]
struct Entry {
    key: Arc<TokenKey>,
    /// Which assignment it was: one that was taken away and made again is another one.
    assigned_since: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct TokenStore {
    tokens: HashMap<Arc<TokenKey>, KeptToken>,
    /// The entries of each pod, by uid; the one that was used last is at the end.
    pods: HashMap<String, Vec<Entry>>,
    /// The contexts of the pods on the node by which entries were last checked, by uid.
    checked: HashMap<String, Arc<PodContext>>,
    used: UsedResources<IdentityKey>,
    jitter: JitterSource,
}

/// A kept token as people may see it: without the token.
#[derive(Debug)]
pub(crate) struct KeptTokenView {
    pub(crate) client_id: String,
    pub(crate) resource: String,
    /// How many pods have it.
    pub(crate) pods: usize,
    pub(crate) age: Duration,
    pub(crate) left: Duration,
}

/// What is known when a request comes.
#[derive(Debug)]
pub(super) struct LookUp {
    pub(super) decision: TokenUse,
    pub(super) kept: Option<IssuedToken>,
    /// Whether the kept token is handed out for the first time; from then on it is refreshed.
    pub(super) is_first_use: bool,
}

impl Default for TokenStore {
    fn default() -> Self {
        Self {
            tokens: HashMap::new(),
            pods: HashMap::new(),
            checked: HashMap::new(),
            used: UsedResources::default(),
            jitter: JitterSource::new(RandomState::new().hash_one(0)),
        }
    }
}

impl KeptToken {
    fn needs_refresh(&self) -> bool {
        self.used && !self.refreshing
    }

    fn issue(&self, at: ClockReading) -> IssuedToken {
        let age = self.lifetime.age(at).as_secs();
        let extended = self.token.ext_expires_in;
        IssuedToken {
            token: Arc::clone(&self.token),
            expires_in: self.lifetime.left(at).as_secs(),
            ext_expires_in: extended.map(|seconds| seconds.saturating_sub(age)),
            origin: TokenOrigin::Cache,
        }
    }
}

impl TokenStore {
    /// What to do about a request, and the token that is kept for it.
    pub(super) fn look_up(&mut self, request: &TokenRequest<'_>, at: ClockReading) -> LookUp {
        let key = self.enter(request);
        let Some(kept) = key.and_then(|key| self.tokens.get_mut(&key)) else {
            return LookUp {
                decision: TokenUse::Ask,
                kept: None,
                is_first_use: false,
            };
        };
        let failed = kept.refresh.failed();
        let is_first_use = !std::mem::replace(&mut kept.used, true);
        if is_first_use && request.principal.is_none() {
            let identity = IdentityKey::of(request.identity);
            self.used.note(identity, request.resource);
        }
        LookUp {
            decision: token_use(Some(&kept.lifetime), request.bypass_cache, failed, at),
            kept: Some(kept.issue(at)),
            is_first_use,
        }
    }

    /// The key of the pod's entry for the request, if there is one or a token to which a new one can lead.
    fn enter(&mut self, request: &TokenRequest<'_>) -> Option<Arc<TokenKey>> {
        if let Some(known) = self.entry(request) {
            return Some(known);
        }
        let (key, _) = self.tokens.get_key_value(&TokenKey::of(request))?;
        let key = Arc::clone(key);
        self.add_entry(&request.pod.pod.uid, &key, request.assigned_since);
        Some(key)
    }

    /// The key of the pod's entry, which is then the one used last. One of an earlier assignment is removed.
    fn entry(&mut self, request: &TokenRequest<'_>) -> Option<Arc<TokenKey>> {
        let entries = self.pods.get_mut(&request.pod.pod.uid)?;
        let of_request = |entry: &Entry| entry.key.is_of(request);
        let at = entries.iter().rposition(of_request)?;
        if entries[at].assigned_since == request.assigned_since {
            entries[at..].rotate_left(1);
            return entries.last().map(|entry| Arc::clone(&entry.key));
        }
        let old = entries.remove(at);
        self.release(&old.key);
        None
    }

    fn add_entry(&mut self, uid: &str, key: &Arc<TokenKey>, assigned_since: Option<Instant>) {
        let entries = self.pods.entry(uid.to_owned()).or_default();
        let full = entries.len() >= ENTRIES_MAX;
        let oldest = full.then(|| entries.remove(0));
        entries.push(Entry {
            key: Arc::clone(key),
            assigned_since,
        });
        if let Some(kept) = self.tokens.get_mut(key) {
            kept.entries += 1;
        }
        if let Some(oldest) = oldest {
            self.release(&oldest.key);
        }
    }

    /// Counts one entry less for a token, and drops the token with the last one.
    fn release(&mut self, key: &Arc<TokenKey>) {
        let Some(kept) = self.tokens.get_mut(key) else {
            return;
        };
        kept.entries = kept.entries.saturating_sub(1);
        if kept.entries == 0 {
            self.tokens.remove(key);
        }
    }

    /// Keeps a token that the source was `asked` for then and has given now, in place of an earlier one.
    pub(super) fn put(
        &mut self,
        request: &TokenRequest<'_>,
        issued: &IssuedToken,
        asked: ClockReading,
        at: ClockReading,
    ) {
        let token = &issued.token;
        let stated = StatedLifetime {
            expires_in: token.expires_in,
            expires_on: token.expires_on,
        };
        let lifetime = TokenLifetime::new(stated, asked);
        let size = token.access_token.expose().len() + request.resource.len();
        if !is_worth_keeping(&lifetime, at, size) {
            return self.note_failure(&TokenKey::of(request), at);
        }
        let refresh = Refresh::of(&lifetime, self.jitter.next_jitter());
        let key = Arc::new(TokenKey::of(request));
        let before = self.tokens.remove_entry(&key);
        let (key, entries) = before.map_or((key, 0), |(key, before)| (key, before.entries));
        let kept = KeptToken {
            token: Arc::clone(token),
            lifetime,
            refresh,
            used: !request.in_background,
            refreshing: false,
            // One more until the pod's entry is there: an old one may have to go first.
            entries: entries + 1,
        };
        self.tokens.insert(Arc::clone(&key), kept);
        if self.entry(request).is_none() {
            self.add_entry(&request.pod.pod.uid, &key, request.assigned_since);
        }
        self.release(&key);
        match request.in_background {
            true => self.check_again(&request.pod.pod.uid),
            false if request.principal.is_none() => {
                self.used.note(key.identity.clone(), &key.resource);
            }
            false => {}
        }
    }

    /// Notes that the source has given no newer token, and may later.
    pub(super) fn note_failure(&mut self, key: &TokenKey, at: ClockReading) {
        let jitter = self.jitter.next_jitter();
        if let Some(kept) = self.tokens.get_mut(key) {
            kept.refresh = kept.refresh.after_failure(at.now, jitter);
            kept.refreshing = false;
        }
    }

    /// Drops the token for which the source now gives a final refusal, for all pods.
    pub(super) fn remove(&mut self, request: &TokenRequest<'_>) {
        self.remove_tokens(|key, _| key.is_of(request));
    }

    /// Drops tokens that have ended.
    pub(super) fn remove_ended(&mut self, at: ClockReading) {
        self.remove_tokens(|_, kept| kept.lifetime.left(at).is_zero());
    }

    fn remove_tokens(&mut self, is_over: impl Fn(&TokenKey, &KeptToken) -> bool) {
        let before = self.tokens.len();
        self.tokens.retain(|key, kept| !is_over(key, kept));
        if self.tokens.len() < before {
            for entries in self.pods.values_mut() {
                entries.retain(|entry| self.tokens.contains_key(&entry.key));
            }
        }
    }

    /// When the next refresh is due.
    pub(super) fn next_refresh(&self) -> Option<Moment> {
        let waiting = self.tokens.values().filter(|kept| kept.needs_refresh());
        waiting.map(|kept| kept.refresh.due()).min()
    }

    /// The tokens whose refresh is due, each with a pod that has it; they count as being refreshed from now on.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<(Arc<TokenKey>, String)> {
        let is_due = |kept: &KeptToken| kept.needs_refresh() && kept.refresh.due() <= now;
        let mut due = Vec::new();
        for (uid, entries) in &self.pods {
            for Entry { key, .. } in entries {
                if let Some(kept) = self.tokens.get_mut(key).filter(|kept| is_due(kept)) {
                    kept.refreshing = true;
                    due.push((Arc::clone(key), uid.clone()));
                }
            }
        }
        due
    }

    /// All tokens that are kept, in no order.
    pub(super) fn kept(&self, at: ClockReading) -> Vec<KeptTokenView> {
        let view = |(key, kept): (&Arc<TokenKey>, &KeptToken)| KeptTokenView {
            client_id: kept.token.client_id.clone(),
            resource: key.resource.clone(),
            pods: kept.entries,
            age: kept.lifetime.age(at),
            left: kept.lifetime.left(at),
        };
        self.tokens.iter().map(view).collect()
    }

    /// How many tokens are kept.
    pub(super) fn tokens(&self) -> i64 {
        i64::try_from(self.tokens.len()).unwrap_or(i64::MAX)
    }

    /// How many entries all pods have.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.pods.values().map(Vec::len).sum()
    }
}

//! What follows for kept tokens when the pods of the node change.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Entry, TokenStore};
use crate::pod_context::PodContext;
use crate::token::cache::key::{IdentityKey, TokenKey};

impl TokenStore {
    /// Drops the entries of pods that are not here any more, or may not have the token any more. Returns the tokens
    /// that pods which have just come are likely to ask for and that are not kept, each with its pod. A pod whose
    /// context has not changed is not looked at.
    pub(in crate::token::cache) fn check_pods(
        &mut self,
        here: &HashMap<&str, &Arc<PodContext>>,
    ) -> Vec<(Arc<TokenKey>, String)> {
        self.checked
            .retain(|uid, _| here.contains_key(uid.as_str()));
        let gone = |uid: &String, _: &mut Vec<Entry>| !here.contains_key(uid.as_str());
        let gone: Vec<_> = self.pods.extract_if(gone).collect();
        for entry in gone.into_iter().flat_map(|(_, entries)| entries) {
            self.release(&entry.key);
        }
        let mut missing = Vec::new();
        for (uid, context) in here {
            let known = self.checked.get(*uid);
            if known.is_some_and(|known| Arc::ptr_eq(known, context)) {
                continue;
            }
            let uid = (*uid).to_owned();
            let before = self.checked.insert(uid.clone(), Arc::clone(context));
            self.drop_forbidden(&uid, context);
            let keys = self.enter_ahead(&uid, before.as_deref(), context);
            missing.extend(keys.into_iter().map(|key| (key, uid.clone())));
        }
        missing
    }

    /// Drops what a pod has lost while its token was fetched for it in the background.
    pub(super) fn check_again(&mut self, uid: &str) {
        if let Some(context) = self.checked.get(uid).cloned() {
            return self.drop_forbidden(uid, &context);
        }
        for entry in self.pods.remove(uid).unwrap_or_default() {
            self.release(&entry.key);
        }
    }

    fn drop_forbidden(&mut self, uid: &str, pod: &PodContext) {
        let Some(entries) = self.pods.get_mut(uid) else {
            return;
        };
        let ended = entries.extract_if(.., |entry| !entry.is_allowed(pod));
        let ended: Vec<Entry> = ended.collect();
        for entry in ended {
            self.release(&entry.key);
        }
    }

    /// Gives a pod entries for what pods of its identities have used before; returns those without a token. What the
    /// pod might have had already, by its context `before`, is left to its own requests.
    fn enter_ahead(
        &mut self,
        uid: &str,
        before: Option<&PodContext>,
        pod: &PodContext,
    ) -> Vec<Arc<TokenKey>> {
        let mut missing = Vec::new();
        for key in self.used_before(pod) {
            let Some(assignment) = assignment_of(&key, pod) else {
                continue;
            };
            let as_before = before.and_then(|before| assignment_of(&key, before));
            if as_before == Some(assignment) || self.has_entry(uid, &key) {
                continue;
            }
            match self.tokens.get_key_value(&key) {
                Some((known, _)) => {
                    let known = Arc::clone(known);
                    self.add_entry(uid, &known, assignment);
                }
                None => missing.push(Arc::new(key)),
            }
        }
        missing
    }

    fn has_entry(&self, uid: &str, key: &TokenKey) -> bool {
        let entries = self.pods.get(uid);
        entries.is_some_and(|all| all.iter().any(|entry| *entry.key == *key))
    }

    fn used_before(&self, pod: &PodContext) -> Vec<TokenKey> {
        let keys = pod.identities.iter().flat_map(|identity| {
            let identity = IdentityKey::of(identity);
            let resources: Vec<_> = self.used.of(&identity).map(str::to_owned).collect();
            resources.into_iter().map(move |resource| TokenKey {
                identity: identity.clone(),
                // A pod's service principals are not asked for ahead of it.
                principal: None,
                resource,
            })
        });
        keys.collect()
    }
}

impl Entry {
    fn is_allowed(&self, pod: &PodContext) -> bool {
        assignment_of(&self.key, pod) == Some(self.assigned_since)
    }
}

/// Since when the identity of a token is assigned, if the pod may have the token.
fn assignment_of(key: &TokenKey, pod: &PodContext) -> Option<Option<Instant>> {
    let identity = key.allowed(pod)?;
    Some(pod.assigned_since(&identity))
}

//! For which resources the pods of an identity have asked, so that the next pod finds its tokens there.

use std::collections::VecDeque;

/// Most resources of one identity; the one that was asked for longest ago gives way.
pub const RESOURCES_MAX: usize = 8;
/// Most identities; the one of which a token was obtained longest ago gives way.
pub const IDENTITIES_MAX: usize = 256;
/// Longest resource that is remembered, in bytes. Together, the limits keep the memory below a megabyte.
pub const RESOURCE_SIZE_MAX: usize = 256;

/// See the module. `I` names an identity.
#[derive(Clone, Debug)]
pub struct UsedResources<I> {
    /// The identity that was noted last at the end, and so with the resources of each.
    identities: VecDeque<(I, VecDeque<String>)>,
}

impl<I> Default for UsedResources<I> {
    fn default() -> Self {
        Self {
            identities: VecDeque::new(),
        }
    }
}

impl<I: Eq> UsedResources<I> {
    /// A pod of this identity has got a token for this resource.
    pub fn note(&mut self, identity: I, resource: &str) {
        if resource.len() > RESOURCE_SIZE_MAX {
            return;
        }
        let known = self
            .identities
            .iter()
            .position(|(known, _)| *known == identity);
        let known = known.and_then(|at| self.identities.remove(at));
        let (identity, mut resources) = known.unwrap_or((identity, VecDeque::new()));
        resources.retain(|other| other != resource);
        resources.push_back(resource.to_owned());
        if resources.len() > RESOURCES_MAX {
            resources.pop_front();
        }
        self.identities.push_back((identity, resources));
        if self.identities.len() > IDENTITIES_MAX {
            self.identities.pop_front();
        }
    }

    /// The resources of this identity.
    pub fn of(&self, identity: &I) -> impl Iterator<Item = &str> {
        let mut all = self.identities.iter();
        let found = all.find(|(known, _)| known == identity);
        found
            .into_iter()
            .flat_map(|(_, resources)| resources.iter().map(String::as_str))
    }
}

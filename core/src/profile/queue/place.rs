//! Where the calls for a profile go.

use serde::Serialize;

use crate::arm::ArmId;
use crate::class::Class;
use crate::profile::Profile;

/// The resource group that most calls for a profile go to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AzurePlace {
    pub(super) subscription: String,
    group: String,
}

impl AzurePlace {
    /// A group of a subscription; letter case does not count.
    #[must_use]
    pub fn new(subscription: &str, group: &str) -> Self {
        Self {
            subscription: subscription.to_ascii_lowercase(),
            group: group.to_ascii_lowercase(),
        }
    }

    /// The group that a profile's identity is in, or will be: that of the identity which it names, else the
    /// group of its class. `None` while neither is known.
    #[must_use]
    pub fn of_profile(profile: &Profile, class: Option<&Class>) -> Option<Self> {
        let named = profile.identity_id.as_ref().and_then(Self::of);
        named
            .or_else(|| class.map(|class| Self::new(&class.subscription_id, &class.resource_group)))
    }

    /// The group of a resource; `None` for an id that names none.
    #[must_use]
    pub fn of(resource: &ArmId) -> Option<Self> {
        Some(Self::new(
            resource.subscription()?,
            resource.resource_group()?,
        ))
    }
}

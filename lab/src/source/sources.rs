//! What the reconcilers of both kinds share.

use std::time::Duration;

use super::store::Store;

/// How often a repository is looked at. A push should be seen at once, and looking is cheap: it reads
/// one ref.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The name under which statuses are written.
pub(super) const FIELD_MANAGER: &str = "podid-lab-source";

/// What reconcilers read and write.
pub(super) struct Sources {
    pub(super) client: kube::Client,
    pub(super) store: Store,
}

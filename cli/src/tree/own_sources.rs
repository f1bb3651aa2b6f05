//! Which of Flux's sources are known to be made of the tree.

use crate::repository::remote::RepositoryKey;

/// What is known beforehand about the sources that are made of this tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnSources {
    /// The remotes of the repository.
    pub(crate) remotes: Vec<RepositoryKey>,
    /// As people name them, `KIND/NAME`.
    pub(crate) named: Vec<String>,
}

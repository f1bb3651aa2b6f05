//! What keeps a profile's file from being changed.

use std::path::PathBuf;

use podid_crds::check::Finding;

use crate::repository::RepositoryError;
use crate::yaml::{self, InputError};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    #[error("no file of the working tree holds profile {profile}{notes}")]
    NotFound {
        profile: String,
        /// Files that could not be read, one a line.
        notes: String,
    },
    #[error("profile {profile} is in {places}; name one of the files with --path")]
    Several { profile: String, places: String },
    #[error("{place} is in a List; make it a document of its own first")]
    InList { place: String },
    #[error("say what to change; `podid profile edit --help` lists the flags")]
    Nothing,
    #[error("{place} is left as it is")]
    Text {
        place: String,
        source: yaml::edit::EditError,
    },
    #[error("the profile would be refused:{}", crate::create::list(findings))]
    Invalid { findings: Vec<Finding> },
    #[error("{path} cannot be cut at its documents; take the profile out by hand")]
    Document { path: PathBuf },
    #[error("the kinds of podid cannot be generated; this is a bug, please report it")]
    Kinds(#[from] podid_crds::manifests::ManifestError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
}

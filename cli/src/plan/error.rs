//! Why there is no plan.

use super::compare::NoClass;
use super::declared::DeclaredError;
use super::live::error::LiveError;
use super::range::RangeError;
use crate::tree::{Place, TreeError};
use crate::yaml::InputError;

/// Why there is no plan at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Range(#[from] Box<RangeError>),
    #[error(transparent)]
    Declared(#[from] DeclaredError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error(
        "class {class} of profile {profile} is in none of the files; name its file with \
         --class-file"
    )]
    NoClass { profile: String, class: String },
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
}

impl PlanError {
    /// File and line that are to blame, where these are known.
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Self::Input(input) => {
                let (file, line) = input.place();
                let file = file.to_owned();
                Some(Place { file, line })
            }
            Self::Tree(tree) => tree.place(),
            _ => None,
        }
    }
}

impl From<NoClass> for PlanError {
    fn from(NoClass { profile, class }: NoClass) -> Self {
        Self::NoClass { profile, class }
    }
}

use std::path::{Path, PathBuf};

use super::object::Place;
use crate::yaml::InputError;

/// Why a tree cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("{path} cannot be read")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} leads out of the tree, to {target}; only what is in the tree is planned")]
    Outside { path: PathBuf, target: PathBuf },
    #[error("{file}:{line}: {entry} leads out of the tree; only what is in the tree is planned")]
    EntryOutside {
        file: PathBuf,
        line: usize,
        entry: String,
    },
    #[error(
        "{file}:{line}: {entry} is on another host, and plans are made offline; vendor it into the \
         tree, or render it yourself and give the result as a file or with -"
    )]
    Remote {
        file: PathBuf,
        line: usize,
        entry: String,
    },
    #[error(
        "{file}:{line}: {name} is read by kustomize and not planned in this spelling; write {meant}"
    )]
    Spelling {
        file: PathBuf,
        line: usize,
        name: String,
        meant: String,
    },
    #[error("{file}:{line}: {entry} does not exist")]
    Missing {
        file: PathBuf,
        line: usize,
        entry: String,
    },
    #[error(
        "{file}:{line} is no object of Kubernetes: it has no {lacks}, and Flux fails on the whole folder; move the \
         file out of it"
    )]
    NoObject {
        file: PathBuf,
        line: usize,
        lacks: &'static str,
    },
    #[error("{place}component {path} of {kustomization} is not in this tree")]
    NoComponent {
        /// File and line, and a `: `; empty where a program has made the object.
        place: String,
        kustomization: String,
        path: PathBuf,
    },
    #[error(
        "{folder} has a kustomization, for which podid runs kustomize: install `kustomize` or \
         `kubectl`, or name one with --kustomize"
    )]
    NoProgram { folder: PathBuf },
    #[error("{program} cannot be started")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("{program} cannot render {folder}: {says}")]
    Program {
        program: String,
        folder: PathBuf,
        says: String,
    },
    #[error("a temporary folder cannot be written")]
    Temporary(#[source] std::io::Error),
    #[error("the kustomization for {what} cannot be written")]
    Write {
        what: String,
        source: serde_json::Error,
    },
    #[error(
        "{place}: variable {variable} is not defined by {by}{missing}; define it there, give it a default as ${{{variable}:=…}}, or pass \
         --substitute {variable}=VALUE"
    )]
    Undefined {
        /// File, line and object.
        place: Box<str>,
        variable: String,
        /// Who should define it.
        by: String,
        /// Which of the objects that it names are not known, from a `, whose ` on; may be empty.
        missing: String,
    },
    #[error("{place}: {expression} is no substitution that podid knows; {why}")]
    Expression {
        /// File, line and object.
        place: Box<str>,
        expression: String,
        why: &'static str,
    },
    #[error("{clash}; give the folder of one cluster or environment")]
    Twice {
        /// The object and both places.
        clash: String,
    },
}

impl TreeError {
    /// File and line that are to blame, where both are known.
    pub(crate) fn place(&self) -> Option<Place> {
        let (file, line) = match self {
            Self::Input(input) => input.place(),
            Self::EntryOutside { file, line, .. }
            | Self::Remote { file, line, .. }
            | Self::Missing { file, line, .. }
            | Self::Spelling { file, line, .. }
            | Self::NoObject { file, line, .. } => (file.as_path(), *line),
            _ => return None,
        };
        Some(Place {
            file: file.to_owned(),
            line,
        })
    }

    pub(super) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

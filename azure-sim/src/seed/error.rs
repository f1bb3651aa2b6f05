//! Errors of reading and applying a seed.

/// A seed that cannot be read, or that contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file cannot be opened.
    #[error("cannot read the seed file {path}")]
    Read {
        /// The file, or what the text came from.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is not a seed.
    #[error("{path} is not a seed: {reason}")]
    Parse {
        /// The file, or what the text came from.
        path: String,
        /// Line, field and cause.
        reason: String,
    },
    /// A part of the seed refers to a resource that does not exist, or is not valid.
    #[error("seed: {0}")]
    Inconsistent(String),
}

impl SeedError {
    pub(crate) fn inconsistent(text: impl Into<String>) -> Self {
        Self::Inconsistent(text.into())
    }
}

//! The error of every call to Azure.

use std::time::Duration;

use super::Reply;
use crate::{IdentityId, Operation};

/// Result of a call to Azure.
pub type Result<T, E = AzureError> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a call to Azure failed: what was tried, on what, and what came back.
///
/// [`class`](Self::class) says what a program can do about it, [`next_step`](Self::next_step) what
/// a person can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// ARM answered with an error.
    #[error("{operation} {resource}: Azure answered {reply}")]
    Refused {
        /// What was tried.
        operation: Operation,
        /// On what: a resource id or a scope.
        resource: String,
        /// The answer.
        reply: Box<Reply>,
    },

    /// A long-running operation was accepted and ended badly.
    #[error("{operation} {resource}: the operation was accepted and then {status}: {reply}")]
    OperationEnded {
        /// What was tried.
        operation: Operation,
        /// On what.
        resource: String,
        /// Azure's word for the end: `Failed` or `Canceled`.
        status: String,
        /// The error of the operation's status.
        reply: Box<Reply>,
    },

    /// A long-running operation went on for longer than we wait.
    #[error(
        "{operation} {resource}: the operation was accepted but has not ended after {waited:?}"
    )]
    OperationUnfinished {
        /// What was tried.
        operation: Operation,
        /// On what.
        resource: String,
        /// How long was waited.
        waited: Duration,
    },

    /// No answer: no connection, a broken one, or none in time.
    #[error("{operation} {resource}: no answer from {host}")]
    NoAnswer {
        /// What was tried.
        operation: Operation,
        /// On what.
        resource: String,
        /// Which host.
        host: String,
        /// The error of the connection.
        #[source]
        source: Source,
    },

    /// No token could be had for the call.
    #[error("{operation} {resource}: no token for {scope}{}", .reply.as_deref().map(|r| format!(": Entra answered {r}")).unwrap_or_default())]
    NoToken {
        /// What was tried.
        operation: Operation,
        /// On what.
        resource: String,
        /// Scope of the token.
        scope: String,
        /// Entra's answer, if it came to one.
        reply: Option<Box<Reply>>,
        /// What the credential said, if Entra did not answer.
        #[source]
        source: Option<Source>,
    },

    /// Azure answered with success and something that cannot be read.
    #[error("{operation} {resource}: the answer cannot be read: {what}")]
    Malformed {
        /// What was tried.
        operation: Operation,
        /// On what.
        resource: String,
        /// What is wrong with the answer.
        what: String,
        /// Where reading it stopped.
        #[source]
        source: Option<Source>,
    },

    /// An answer pointed to another host. Following it would hand the token to that host.
    #[error("{operation} {resource}: Azure pointed to {url}, which is not {host}; not followed")]
    ForeignUrl {
        /// What was tried.
        operation: Operation,
        /// On what.
        resource: String,
        /// Where it pointed, without the query.
        url: String,
        /// The configured ARM host.
        host: String,
    },

    /// The gate of this connection refused the call; nothing was sent.
    #[error("{operation} {resource}: not sent")]
    NotSent {
        /// What was to be tried.
        operation: Operation,
        /// On what.
        resource: String,
        /// Why the gate refused it.
        #[source]
        source: Source,
        /// After which time the gate lets it pass, if that is known.
        retry_after: Option<Duration>,
        /// What a person can do about it, in the gate's words.
        next_step: String,
    },

    /// The id or scope cannot be part of a URL; nothing was sent.
    #[error(
        "{operation} {resource:?}: not a resource id or scope: it must start with '/' and hold no '%', '?', '#', '\\\\' or '.' segments"
    )]
    BadResource {
        /// What was to be tried.
        operation: Operation,
        /// The text.
        resource: String,
    },

    /// The credential is set up wrong; nothing was sent.
    #[error("the {kind} credential cannot be used")]
    Credential {
        /// Which credential.
        kind: &'static str,
        /// What is wrong with it.
        #[source]
        source: Source,
    },
}

impl AzureError {
    /// An ARM answer with an error; what a fake of the traits in a test returns.
    pub fn refused(operation: Operation, resource: impl Into<String>, reply: Reply) -> Self {
        Self::Refused {
            operation,
            resource: resource.into(),
            reply: Box::new(reply),
        }
    }

    /// Azure's answer, if there was one.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Refused { reply, .. } | Self::OperationEnded { reply, .. } => Some(reply),
            Self::NoToken { reply, .. } => reply.as_deref(),
            _ => None,
        }
    }

    /// Azure's code: ARM's (`AuthorizationFailed`) or Entra's (`AADSTS700213`).
    pub fn code(&self) -> Option<&str> {
        self.reply()
            .map(|reply| reply.code.as_str())
            .filter(|code| !code.is_empty())
    }

    /// HTTP status of Azure's answer.
    pub fn status(&self) -> Option<u16> {
        self.reply().map(|reply| reply.status)
    }

    /// How long Azure, or the gate that refused the call, asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotSent { retry_after, .. } => *retry_after,
            _ => self.reply().and_then(|reply| reply.retry_after),
        }
    }

    /// What was tried.
    pub fn operation(&self) -> Option<Operation> {
        self.tried().map(|(operation, _)| operation)
    }

    /// What was tried, and on what, as `reading identity /subscriptions/…`; `None` when nothing was tried.
    /// The text of the error begins with it.
    pub fn attempt(&self) -> Option<String> {
        let (operation, resource) = self.tried()?;
        Some(match self {
            Self::BadResource { .. } => format!("{operation} {resource:?}"),
            _ => format!("{operation} {resource}"),
        })
    }

    /// The user-assigned identities that the text of the answer names. Azure says only there which
    /// identity of many was the reason to refuse a patch.
    pub fn named_identities(&self) -> Vec<IdentityId> {
        self.reply()
            .map(Reply::named_identities)
            .unwrap_or_default()
    }

    fn tried(&self) -> Option<(Operation, &str)> {
        match self {
            Self::Refused {
                operation,
                resource,
                ..
            }
            | Self::OperationEnded {
                operation,
                resource,
                ..
            }
            | Self::OperationUnfinished {
                operation,
                resource,
                ..
            }
            | Self::NoAnswer {
                operation,
                resource,
                ..
            }
            | Self::NoToken {
                operation,
                resource,
                ..
            }
            | Self::Malformed {
                operation,
                resource,
                ..
            }
            | Self::ForeignUrl {
                operation,
                resource,
                ..
            }
            | Self::NotSent {
                operation,
                resource,
                ..
            }
            | Self::BadResource {
                operation,
                resource,
            } => Some((*operation, resource)),
            Self::Credential { .. } => None,
        }
    }
}

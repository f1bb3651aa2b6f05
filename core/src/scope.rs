//! Where a right holds, as its author wrote it.

use std::fmt;

use serde::Serialize;

use crate::arm::ArmId;

/// A place in Azure by its id, or by a name that the class gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Scope {
    /// An ARM id.
    Id(ArmId),
    /// A name in the `scopes` of the class.
    Name(String),
}

impl Scope {
    /// Reads a scope as written. A text with a slash is meant as an id, which no name has.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.contains('/') {
            true => Self::Id(ArmId::new(text)),
            false => Self::Name(text.trim().to_owned()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_slash_is_an_id_and_all_else_a_name() {
        for text in ["/subscriptions/s", "subscriptions/s", "/"] {
            assert_eq!(Scope::parse(text), Scope::Id(ArmId::new(text)), "{text}");
        }
        for text in ["payments-vault", " payments-vault", ""] {
            assert_eq!(
                Scope::parse(text),
                Scope::Name(text.trim().into()),
                "{text}"
            );
        }
        let written = serde_json::to_value(Scope::parse("payments-vault"));
        assert_eq!(written.expect("JSON"), "payments-vault");
    }
}

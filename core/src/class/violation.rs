use std::fmt;

use serde::Serialize;

/// One field that the rules do not allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Path of the field, as `spec.access[0].scope`.
    pub field: String,
    /// Its value.
    pub value: String,
    /// Why it is not allowed.
    pub why: String,
    /// Who can correct it; `mend` in the JSON of `podid plan`.
    #[serde(rename = "mend")]
    pub fixed_by: FixedBy,
}

/// Who can correct a violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FixedBy {
    /// The author of the object: no class could allow the value.
    Author,
    /// The author of the profile, or the owner of this class by widening the field of it.
    Class {
        /// Name of the class.
        class: String,
        /// Field of the class that would allow the value.
        field: String,
    },
}

impl Violation {
    /// Whether a class could allow the value.
    #[must_use]
    pub(crate) fn is_of_class(&self) -> bool {
        matches!(self.fixed_by, FixedBy::Class { .. })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?} {}", self.field, self.value, self.why)?;
        match &self.fixed_by {
            FixedBy::Author => write!(f, "; correct {}", self.field),
            FixedBy::Class { class, field } => {
                write!(
                    f,
                    "; correct it, or ask the owner of class {class} to allow it in {field}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `podid plan -o json` prints it: other programs read these keys.
    #[test]
    fn the_keys_in_json_stay() {
        let violation = Violation {
            field: "spec.cloud".into(),
            value: "v".into(),
            why: "is wrong".into(),
            fixed_by: FixedBy::Author,
        };
        assert_eq!(
            serde_json::to_value(&violation).expect("JSON"),
            serde_json::json!({
                "field": "spec.cloud", "value": "v", "why": "is wrong", "mend": "author",
            })
        );
        assert_eq!(
            violation.to_string(),
            "spec.cloud: \"v\" is wrong; correct spec.cloud"
        );
    }
}

//! Fields that releases before 1.6 spelt with capitals.

/// The new spelling unless it is absent or empty, else the old one.
pub(super) fn either<'a>(new: &'a Option<String>, old: &'a Option<String>) -> &'a str {
    new.as_deref()
        .filter(|value| !value.is_empty())
        .or(old.as_deref())
        .unwrap_or_default()
}

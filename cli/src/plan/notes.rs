//! What the author of a profile should know about its plan, or about why there is none.

use podid_core::class::Class;
use podid_core::class::Violation;
use podid_core::profile::Profile;

use crate::roles;

/// Everything worth a note.
pub(super) fn notes(profile: &Profile, class: &Class, violations: &[Violation]) -> Vec<String> {
    let refused = |field: &str| violations.iter().any(|violation| violation.field == field);
    let labels = refused("metadata.namespace").then(|| labels(profile, class));
    let asked = profile
        .access
        .iter()
        .enumerate()
        .filter_map(|(index, access)| {
            let slip = roles::misspelt(&access.role)?;
            Some(format!("spec.access[{index}].role: {slip}"))
        });
    let allowed = class
        .limits
        .access
        .iter()
        .enumerate()
        .filter_map(|(index, limit)| {
            let slip = roles::misspelt(&limit.role)?;
            Some(format!(
                "class {}: spec.limits.access[{index}].role: {slip}",
                class.name
            ))
        });
    labels
        .flatten()
        .into_iter()
        .chain(asked)
        .chain(allowed)
        .collect()
}

/// The flags that would say what a file cannot: the labels of the namespace.
fn labels(profile: &Profile, class: &Class) -> Option<String> {
    let wanted = class.limits.namespace_labels.iter().flatten();
    let missing = wanted.filter(|(key, value)| profile.namespace_labels.get(*key) != Some(*value));
    let flags: Vec<String> = missing
        .map(|(key, value)| format!("--namespace-label {key}={value}"))
        .collect();
    (!flags.is_empty()).then(|| {
        format!(
            "class {} also goes by the labels of a namespace, which podid plan is told by flags; if \
             namespace {} has them, add {}",
            class.name,
            profile.namespace,
            flags.join(" ")
        )
    })
}

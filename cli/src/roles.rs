//! Mistakes in a role's name that show without a call to Azure.

use podid_core::role::Role;

/// A message with the built-in role that was probably meant, when a name nearly equals it.
pub(crate) fn misspelt(name: &str) -> Option<String> {
    let meant = Role::parse(name).did_you_mean()?;
    Some(format!(
        "podid knows no role {name:?}; did you mean {meant:?}? A role that really has this name is \
         given by its GUID or definition id"
    ))
}

/// A note for the author when only Azure can know whether there is a role of this name.
pub(crate) fn unknown(name: &str) -> Option<String> {
    let is_custom = matches!(Role::parse(name), Role::Named(_));
    is_custom.then(|| {
        format!(
            "podid does not know the role {name:?} and leaves it to Azure to have one of that name"
        )
    })
}

//! What can be said of a role's name before Azure is asked.

use podid_core::role::Role;

/// Says so when a name is not a built-in role's, but all but one.
pub(crate) fn misspelt(name: &str) -> Option<String> {
    let meant = Role::parse(name).did_you_mean()?;
    Some(format!(
        "podid knows no role {name:?}; did you mean {meant:?}? A role that really has this name is \
         given by its GUID or definition id"
    ))
}

/// Says so when only Azure can tell whether there is a role of this name.
pub(crate) fn unknown(name: &str) -> Option<String> {
    let only_azure_can_tell = matches!(Role::parse(name), Role::Named(_));
    only_azure_can_tell.then(|| {
        format!(
            "podid does not know the role {name:?} and leaves it to Azure to have one of that name"
        )
    })
}

//! The api-versions that ARM accepts, by resource type.

use super::error::{ArmError, Result};
use super::kind::Kind;
use crate::message::Request;

/// The oldest version of each resource type whose JSON is the one simulated. All newer versions are
/// accepted, even ones that Azure has not published yet.
fn oldest(kind: &Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Identity(_) | Kind::Identities(_) | Kind::SystemIdentity { .. } => {
            ("userAssignedIdentities", "2018-11-30")
        }
        Kind::Federated(..) | Kind::FederatedOf(_) => (
            "userAssignedIdentities/federatedIdentityCredentials",
            "2023-01-31",
        ),
        Kind::RoleDefinition { .. } | Kind::RoleDefinitions { .. } => {
            ("roleDefinitions", "2015-07-01")
        }
        Kind::RoleAssignment { .. } | Kind::RoleAssignments { .. } => {
            ("roleAssignments", "2015-07-01")
        }
        // In older versions the user-assigned identities were an array, not a map.
        Kind::Compute(_)
        | Kind::ComputeList(..)
        | Kind::Upgrade(_)
        | Kind::Instance(..)
        | Kind::Instances(_)
        | Kind::Operation { .. } => ("virtualMachineScaleSets", "2018-06-01"),
        Kind::Subscription(_)
        | Kind::Subscriptions
        | Kind::Locations(_)
        | Kind::Group(_)
        | Kind::Groups(_) => ("subscriptions", "2014-04-01"),
        Kind::Unknown(_) => ("resources", ""),
    }
}

/// Checks the `api-version` of a request and returns it.
pub(super) fn check<'a>(request: &'a Request, kind: &Kind, location: &str) -> Result<&'a str> {
    let (typ, oldest) = oldest(kind);
    let version = match request.query("api-version") {
        None | Some("") => {
            return Err(ArmError::bad_request(
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            ));
        }
        Some(version) => version,
    };
    if !well_formed(version) {
        return Err(ArmError::bad_request(
            "InvalidApiVersionParameter",
            format!(
                "The api-version '{version}' is invalid. The supported versions begin with '{oldest}'."
            ),
        ));
    }
    if version.get(..10).unwrap_or(version) < oldest {
        return Err(ArmError::bad_request(
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for location '{location}' and API version \
                 '{version}' for type '{typ}'. The supported api-versions begin with '{oldest}'."
            ),
        ));
    }
    Ok(version)
}

/// `2023-01-31`, perhaps with `-preview`.
fn well_formed(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    date.parse::<jiff::civil::Date>().is_ok() && date.len() == 10
}

#[cfg(test)]
mod tests {
    use super::well_formed;

    #[test]
    fn a_version_is_a_date() {
        assert!(well_formed("2023-01-31"));
        assert!(well_formed("2025-05-31-preview"));
        assert!(!well_formed("latest"));
        assert!(!well_formed("2023-13-31"));
        assert!(!well_formed("20230131"));
    }
}

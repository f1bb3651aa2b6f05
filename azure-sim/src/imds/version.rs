//! API versions of the metadata service.

use super::error::{ImdsError, Result};
use crate::message::Request;

/// The versions that the real service lists, oldest first.
pub(super) const VERSIONS: &[&str] = &[
    "2017-03-01",
    "2017-04-02",
    "2017-08-01",
    "2017-10-01",
    "2017-12-01",
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-08-01",
    "2021-10-01",
    "2021-11-01",
    "2021-11-15",
    "2021-12-13",
    "2023-07-01",
    "2023-11-15",
    "2024-03-15",
    "2024-07-17",
    "2025-04-07",
];
/// The oldest version with managed identities.
const IDENTITY_SINCE: &str = "2018-02-01";

/// Checks `api-version`; `identity` if the path is one about managed identities.
pub(super) fn check(request: &Request, identity: bool) -> Result<()> {
    let version = request
        .query
        .iter()
        .find(|(k, _)| k == "api-version")
        .map(|(_, v)| v.as_str());
    let fits = version.is_some_and(|v| VERSIONS.contains(&v) && (!identity || v >= IDENTITY_SINCE));
    if fits {
        Ok(())
    } else {
        Err(ImdsError::Version {
            newest: &VERSIONS[VERSIONS.len() - 3..],
        })
    }
}

//! The custom roles of the operator and their condition, for people who write a class by hand.

use std::path::Path;

use anyhow::Result;
use podid_core::arm::ArmId;
use podid_core::azure_role::{CONDITION_TEMPLATE, OperatorRole, ROLES};

use crate::generated::Generated;

/// Where they are.
const FOLDER: &str = "docs/examples/aks";
/// What the page has its reader replace.
const SUBSCRIPTION: &str = "/subscriptions/SUBSCRIPTION";

/// One file for each role, and that of the condition.
pub(crate) fn files() -> Result<Vec<Generated>> {
    let mut files = ROLES.into_iter().map(role).collect::<Result<Vec<_>>>()?;
    files.push(Generated {
        path: Path::new(FOLDER).join("condition.txt"),
        content: CONDITION_TEMPLATE.to_owned(),
    });
    Ok(files)
}

fn role(role: OperatorRole) -> Result<Generated> {
    let definition = role.definition([ArmId::new(SUBSCRIPTION)]);
    let text = serde_json::to_string_pretty(&definition)?;
    let word = role.name.trim_start_matches("podid ");
    Ok(Generated {
        path: Path::new(FOLDER).join(format!("role-{word}.json")),
        content: format!("{text}\n"),
    })
}

//! `podid azure-role`: the least rights in Azure with which the operator can work for some classes.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use podid_core::azure_role::{OperatorAccess, OperatorAssignment, RoleWithoutId, access_for};
use podid_core::class::{Class, Violation, check_class};

use crate::output::{self, Format};
use crate::plan::{self, PlanError};

/// `podid azure-role`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AzureRoleArgs {
    /// File with a class, or several; can be given again
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Form of the output: text is a script of az, to be run with OPERATOR set to the object id of the operator's
    /// identity
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

const EXAMPLES: &str = "\
The roles allow what the operator's calls take, and nothing else. Where it is to grant roles, a condition names those
that the classes allow: it cannot grant Owner, whatever it is told.

Examples:
  podid azure-role classes/standard.yaml -o json
  podid azure-role classes/*.yaml | OPERATOR=00000000-0000-0000-0000-000000000000 sh -eu";

/// Why the rights cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AzureRoleError {
    #[error(transparent)]
    Classes(#[from] PlanError),
    #[error("{file} has no class", file = file.display())]
    NoClass { file: PathBuf },
    #[error("class {class} cannot be used: {violation}")]
    Violation {
        class: String,
        violation: Box<Violation>,
    },
    #[error(transparent)]
    Role(#[from] RoleWithoutId),
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

/// Prints the roles and where they are to be assigned.
pub(crate) fn azure_role(args: &AzureRoleArgs, out: &mut dyn Write) -> Result<(), AzureRoleError> {
    let mut classes = Vec::new();
    for file in &args.files {
        let found = plan::classes(file)?;
        if found.is_empty() {
            return Err(AzureRoleError::NoClass { file: file.clone() });
        }
        classes.extend(found);
    }
    classes.iter().try_for_each(usable)?;
    let access = access_for(&classes)?;
    output::formatted(&access, args.output, out, script)?;
    Ok(())
}

fn usable(class: &Class) -> Result<(), AzureRoleError> {
    check_class(class)
        .into_iter()
        .next()
        .map_or(Ok(()), |violation| {
            Err(AzureRoleError::Violation {
                class: class.name.clone(),
                violation: Box::new(violation),
            })
        })
}

fn script(access: &OperatorAccess, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "# OPERATOR is the object id of the operator's identity."
    )?;
    for definition in &access.definitions {
        let text = serde_json::to_string(definition)?;
        writeln!(
            out,
            "az role definition create --role-definition {}",
            quoted(&text)
        )?;
    }
    writeln!(
        out,
        "# A role that was just made is not found for a minute or two; then repeat the rest."
    )?;
    for OperatorAssignment {
        role,
        scope,
        condition,
    } in &access.assignments
    {
        let (role, scope) = (quoted(role), quoted(scope.as_str()));
        write!(
            out,
            "az role assignment create --assignee-object-id \"$OPERATOR\" --assignee-principal-type ServicePrincipal \
             --role {role} --scope {scope}"
        )?;
        if let Some(condition) = condition {
            write!(
                out,
                " --condition-version 2.0 --condition {}",
                quoted(condition)
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_shell_holds_any_text() {
        assert_eq!(quoted("a 'b' $(c)"), r"'a '\''b'\'' $(c)'");
    }
}

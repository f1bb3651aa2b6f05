//! A program in place of `az`: it writes down what it was asked for, and says what the page reads of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use podid_lab::layout::{KUBELET_PRINCIPAL, NODE_GROUP, OPERATOR_CLIENT_ID, SUBSCRIPTION, TENANT};

/// The issuer of the cluster, as AKS writes it.
pub(super) const ISSUER: &str = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/";
/// Object id of the operator's identity.
pub(super) const OPERATOR: &str = "09e4a704-0000-4000-8000-0000000000ff";
/// Id of a role assignment.
pub(super) const ASSIGNMENT: &str = "/some/assignment";

/// One call of it.
#[derive(Clone, Debug)]
pub(super) struct Call(Vec<String>);

impl Call {
    /// Whether its words begin so.
    pub(super) fn is(&self, command: &str) -> bool {
        let words: Vec<&str> = command.split(' ').collect();
        self.0
            .iter()
            .map(String::as_str)
            .take(words.len())
            .eq(words)
    }

    /// The value of a flag.
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|word| word == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// The file of a flag `@FILE`, of a call that was made in `folder`.
    pub(super) fn file(&self, name: &str, folder: &Path) -> Option<String> {
        let file = self.flag(name)?.strip_prefix('@')?;
        fs::read_to_string(folder.join(file)).ok()
    }
}

/// Puts the program into a folder.
pub(super) fn install(folder: &Path) {
    let log = folder.join("calls");
    let script = format!(
        "#!/bin/sh\n\
         {{ printf '%s\\037' \"$@\"; printf '\\036'; }} >> '{}'\n\
         case \"$*\" in\n\
         'account show '*'--query id '*) echo {SUBSCRIPTION};;\n\
         *'--query tenantId '*) echo {TENANT};;\n\
         *'--query oidcIssuerProfile.issuerUrl '*) echo {ISSUER};;\n\
         *'--query nodeResourceGroup '*) echo {NODE_GROUP};;\n\
         *'--query identityProfile.kubeletidentity.objectId '*) echo {KUBELET_PRINCIPAL};;\n\
         *'--query clientId '*) echo {OPERATOR_CLIENT_ID};;\n\
         *'--query principalId '*) echo {OPERATOR};;\n\
         'role assignment list '*) echo {ASSIGNMENT};;\n\
         esac\n",
        log.display(),
    );
    for name in ["az", "cargo"] {
        let program = folder.join(name);
        let text = if name == "az" { &script } else { "#!/bin/sh\n" };
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The calls until now.
pub(super) fn calls(folder: &Path) -> Vec<Call> {
    let text = fs::read_to_string(folder.join("calls")).unwrap_or_default();
    let calls = text.split_terminator('\u{1e}').map(|call| {
        let words = call.split_terminator('\u{1f}');
        Call(words.map(str::to_owned).collect())
    });
    calls.collect()
}

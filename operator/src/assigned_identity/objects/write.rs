//! Writes the AzureAssignedIdentities of one pod.

use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use podid_core::assigned_identity::AssignedIdentityPlan;
use podid_core::binding::Pod;
use podid_crds::aadpodidentity::AzureAssignedIdentity;

use crate::FIELD_MANAGER;
use crate::assigned_identity::existing::{ExistingObject, read_object, to_object};

/// What carrying out a plan came to: also when it failed, what was done before.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// What the API server answered, by name.
    pub(super) applied: Vec<(String, ExistingObject)>,
    pub(super) deleted: Vec<String>,
    pub(super) error: Option<kube::Error>,
}

/// Carries out a plan for the objects of one pod.
pub(super) async fn write(
    client: Client,
    namespace: String,
    pod: Option<Pod>,
    plan: AssignedIdentityPlan,
) -> Written {
    let api: Api<AzureAssignedIdentity> = Api::namespaced(client, &namespace);
    let mut written = Written::default();
    written.error = write_into(&api, pod.as_ref(), &plan, &mut written)
        .await
        .err();
    written
}

async fn write_into(
    api: &Api<AzureAssignedIdentity>,
    pod: Option<&Pod>,
    plan: &AssignedIdentityPlan,
    written: &mut Written,
) -> kube::Result<()> {
    for name in &plan.delete {
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            other => drop(other?),
        }
        written.deleted.push(name.clone());
    }
    let Some(pod) = pod else { return Ok(()) };
    let params = PatchParams::apply(FIELD_MANAGER).force();
    for (name, content) in &plan.apply {
        let object = to_object(pod, name, content);
        match api.patch(name, &params, &Patch::Apply(&object)).await {
            Ok(applied) => written.applied.push((name.clone(), read_object(&applied))),
            Err(error) if is_ending(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the namespace is being deleted: the pod goes with it, and needs no object any more.
fn is_ending(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let details = status.details.iter();
    let mut causes = details.flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "NamespaceTerminating")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_that_ends_is_no_trouble() {
        let refused = |cause: &str| {
            let status = json!({
                "status": "Failure", "message": "forbidden", "reason": "Forbidden", "code": 403,
                "details": { "causes": [{ "reason": cause, "field": "metadata.namespace" }] },
            });
            kube::Error::Api(serde_json::from_value(status).expect("a status"))
        };
        assert!(is_ending(&refused("NamespaceTerminating")));
        assert!(!is_ending(&refused("FieldValueInvalid")));
        assert!(!is_ending(&kube::Error::LinesCodecMaxLineLengthExceeded));
    }
}

//! What holds for every admission policy that is installed.

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::api::{Api, PostParams};
use kube::core::Request;
use podid_core::policy;
use podid_crds::policy_digest;
use podid_tests::manifests::{kustomize, objects};
use serde_json::Value;

use crate::added_policies;
use crate::fixture::{Space, eventually};

const PATH: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";

/// Names of the policies, as they are rendered, and of those that components add.
fn names() -> Vec<String> {
    let rendered = objects(&kustomize("kustomize/base").unwrap());
    let policies = rendered
        .iter()
        .filter(|object| object["kind"] == "ValidatingAdmissionPolicy");
    let names = policies.filter_map(|policy| policy["metadata"]["name"].as_str());
    let added = added_policies::ALL.iter().map(|added| added.name);
    names.chain(added).map(str::to_owned).collect()
}

/// It looks at the rules themselves, and neither at variables nor at conditions: of those, the tests of each policy say
/// more.
#[tokio::test]
async fn the_api_server_finds_no_fault_with_their_expressions() {
    let space = Space::new("policies").await;
    let names = names();
    assert!(
        names.contains(&"podid-net-raw-enforce".to_owned()),
        "{names:?}"
    );
    for name in names {
        let checked = async || {
            let request = Request::new(PATH).get(&name, &Default::default()).unwrap();
            let policy: Value = space.client.request(request).await.unwrap();
            policy["status"].get("typeChecking").cloned()
        };
        let result = eventually("the type check of the policy", checked).await;
        assert_eq!(result.get("expressionWarnings"), None, "{name}: {result}");
    }
}

/// The operator compares digests, which what an API server fills in must not change.
#[tokio::test]
async fn the_api_server_keeps_what_the_operator_takes_for_its_own() {
    let space = Space::new("digests").await;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(space.client.clone());
    let says =
        |policy: ValidatingAdmissionPolicy| policy_digest(&policy.spec.unwrap(), "podid-system");
    for shipped in policy::SHIPPED {
        let kept = policies.get(shipped.name).await.unwrap();
        assert_eq!(says(kept), shipped.says, "{}", shipped.name);
    }
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    for added in added_policies::ALL {
        let policy: ValidatingAdmissionPolicy = serde_json::from_value(added.policy()).unwrap();
        let kept = policies.create(&dry, &policy).await.unwrap();
        assert_eq!(says(kept), says(policy), "{added:?}");
    }
}

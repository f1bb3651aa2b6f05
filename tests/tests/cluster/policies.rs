//! What holds for every admission policy that is installed.

use kube::core::Request;
use podid_tests::manifests::{kustomize, objects};
use serde_json::Value;

use crate::fixture::{Space, eventually};

const PATH: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";

/// Names of the policies, as they are rendered.
fn names() -> Vec<String> {
    let rendered = objects(&kustomize("kustomize/base").unwrap());
    let policies = rendered
        .iter()
        .filter(|object| object["kind"] == "ValidatingAdmissionPolicy");
    let names = policies.filter_map(|policy| policy["metadata"]["name"].as_str());
    names.map(str::to_owned).collect()
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

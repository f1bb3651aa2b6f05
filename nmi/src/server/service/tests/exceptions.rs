//! Pods with an AzurePodIdentityException.

use podid_azure::ImdsIdentity;
use podid_core::resolve::Exception;

use crate::pod_context::PodContext;
use crate::server::testing::*;
use crate::testing::within_limit;

/// A pod that an exception lets through to the node's own identities.
fn excepted() -> PodContext {
    let mut excepted = entry(true);
    excepted.caller.labels = [("app".to_owned(), "x".to_owned())].into();
    excepted.exceptions = vec![Exception {
        namespace: "a".into(),
        name: "e".into(),
        labels: excepted.caller.labels.clone(),
    }];
    excepted
}

#[tokio::test]
async fn an_excepted_pod_gets_what_the_node_would() {
    within_limit(async {
        let bench = bench(&[excepted()]);
        assert_eq!(ask(&bench.service, Some("uid-1"), TARGET).await.0, 200);
        assert_eq!(*bench.imds.asked.lock().unwrap(), [ImdsIdentity::Unnamed]);
    })
    .await;
}

#[tokio::test]
async fn an_excepted_pod_gets_no_identity_of_a_profile() {
    within_limit(async {
        let excepted = excepted();
        excepted.of_profiles.add("client-one");
        let bench = bench(&[excepted]);
        for target in [TARGET.to_owned(), format!("{TARGET}&client_id=CLIENT-ONE")] {
            let (status, body) = ask(&bench.service, Some("uid-1"), &target).await;
            assert_eq!(
                (status, body["error_description"].as_str()),
                (400, Some("Identity not found"))
            );
        }
        bench.imds.owner.lock().unwrap().clear();
        let (status, _) = ask(&bench.service, Some("uid-1"), TARGET).await;
        assert_eq!(status, 400, "whose token it is, nobody knows");
    })
    .await;
}

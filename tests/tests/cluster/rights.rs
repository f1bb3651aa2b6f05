//! What the service accounts of podid may do, and above all what they may not; and what everybody else may.

mod matrix;
mod people;
mod verbs;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use crate::fixture::Space;

const OWN: &str = "podid-system";

/// One question: `verb group/resource namespace[/name]`, with `*` for all namespaces.
async fn may(space: &Space, account: &str, question: &str) -> bool {
    let words: Vec<&str> = question.split(' ').collect();
    let [verb, resource, place] = words.as_slice() else {
        panic!("{question}")
    };
    let (group, resource) = resource.split_once('/').expect(question);
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    let (namespace, name) = match place.split_once('/') {
        Some((namespace, name)) => (namespace, Some(name.to_owned())),
        None => (*place, None),
    };
    let attributes = ResourceAttributes {
        verb: Some((*verb).to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        namespace: (namespace != "*").then(|| namespace.to_owned()),
        name,
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(format!("system:serviceaccount:{OWN}:{account}")),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview {
        spec,
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(space.client.clone());
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    answer.status.expect("an answer").allowed
}

async fn holds(account: &str, allowed: &[&str], denied: &[&str]) {
    let space = Space::new("rights").await;
    for (questions, expected) in [(allowed, true), (denied, false)] {
        for question in questions {
            assert_eq!(
                may(&space, account, question).await,
                expected,
                "{account}: {question}"
            );
        }
    }
}

#[tokio::test]
async fn the_operator_writes_its_own_objects_and_reads_no_secret() {
    let allowed = [
        "watch podid.dev/podidentityprofiles *",
        "patch podid.dev/podidentityprofiles/status shop",
        "create aadpodidentity.k8s.io/azureidentities shop",
        "delete aadpodidentity.k8s.io/azureidentitybindings shop",
        "patch aadpodidentity.k8s.io/azureassignedidentities shop",
        "watch /pods *",
        "watch /nodes *",
        "get /nodes *",
        "patch /nodes *",
        "watch apps/daemonsets podid-system",
        "patch /configmaps podid-system",
        "patch coordination.k8s.io/leases podid-system",
        "create events.k8s.io/events shop",
        "get admissionregistration.k8s.io/validatingadmissionpolicies */podid-net-raw-enforce",
    ];
    let denied = [
        "get /secrets podid-system",
        "list /secrets *",
        "get /configmaps shop",
        "get /configmaps podid-system",
        "patch /pods shop",
        "delete /pods shop",
        "patch podid.dev/podidentityclasses *",
        "patch /nodes/status *",
        "update /nodes *",
        "delete /nodes *",
        "patch apps/daemonsets podid-system",
        "watch apps/daemonsets shop",
        "create /serviceaccounts/token shop",
        "update podid.dev/podidentityprofiles shop",
        "delete podid.dev/podidentityprofiles shop",
        "create podid.dev/podidentityclasses *",
        "patch admissionregistration.k8s.io/validatingadmissionpolicies */podid-net-raw-enforce",
        "patch rbac.authorization.k8s.io/clusterroles *",
    ];
    holds("podid-operator", &allowed, &denied).await;
}

#[tokio::test]
async fn the_node_daemon_only_reads_and_tells() {
    let allowed = [
        "watch /pods *",
        "watch aadpodidentity.k8s.io/azureidentities *",
        "watch aadpodidentity.k8s.io/azureidentitybindings *",
        "watch aadpodidentity.k8s.io/azureassignedidentities *",
        "watch aadpodidentity.k8s.io/azurepodidentityexceptions *",
        "watch podid.dev/podidentityclasses *",
        "create events.k8s.io/events shop",
    ];
    let denied = [
        "get /secrets podid-system",
        "get /secrets shop/sp",
        "list /secrets *",
        "get /configmaps podid-system",
        "patch podid.dev/podidentityclasses *",
        "patch /pods shop",
        "create /pods/exec shop",
        "create /serviceaccounts/token shop",
        "patch aadpodidentity.k8s.io/azureidentities shop",
        "patch aadpodidentity.k8s.io/azureassignedidentities shop",
        "create aadpodidentity.k8s.io/azurepodidentityexceptions shop",
        "list podid.dev/podidentityprofiles *",
    ];
    holds("podid-nmi", &allowed, &denied).await;
}

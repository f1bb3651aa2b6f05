//! Nobody but the operator says that an identity is assigned: nodes issue tokens by it.

use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::fixture::{Space, eventually};

const KIND: &str = "AzureAssignedIdentity";

fn assigned(name: &str) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": KIND, "metadata": {"name": name},
        "spec": {"pod": "p"}, "status": {"status": "Assigned"},
    })
}

/// Gives a user every right on the predecessor's kinds in a namespace, as many teams have it.
async fn grant_all(space: &Space, user: &str) {
    let metadata = || ObjectMeta {
        name: Some("legacy".to_owned()),
        ..ObjectMeta::default()
    };
    let every = || Some(vec!["*".to_owned()]);
    let role = Role {
        metadata: metadata(),
        rules: Some(vec![PolicyRule {
            api_groups: Some(vec!["aadpodidentity.k8s.io".to_owned()]),
            resources: every(),
            verbs: every().unwrap(),
            ..PolicyRule::default()
        }]),
    };
    let binding = RoleBinding {
        metadata: metadata(),
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".into()),
            kind: "Role".into(),
            name: "legacy".into(),
        },
        subjects: Some(vec![Subject {
            kind: "User".into(),
            name: user.into(),
            api_group: Some("rbac.authorization.k8s.io".into()),
            ..Subject::default()
        }]),
    };
    let namespaced = (&space.client, &space.name);
    let roles: Api<Role> = Api::namespaced(namespaced.0.clone(), namespaced.1);
    let bindings: Api<RoleBinding> = Api::namespaced(namespaced.0.clone(), namespaced.1);
    roles.create(&PostParams::default(), &role).await.unwrap();
    bindings
        .create(&PostParams::default(), &binding)
        .await
        .unwrap();
}

#[tokio::test]
async fn rights_on_the_kind_are_not_enough_to_forge_an_assignment() {
    let space = Space::new("forged").await;
    let user = format!("tenant-of-{}", space.name);
    grant_all(&space, &user).await;
    let tenant = space.as_user(&user).await;
    let binding = json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding",
        "metadata": {"name": "b"}, "spec": {"azureIdentity": "i", "selector": "s"},
    });
    let granted = async || {
        let kind = "AzureIdentityBinding";
        tenant.create(kind, binding.clone(), true).await.ok()
    };
    eventually("the tenant's rights", granted).await;
    // The administrator may, and so there is one to change.
    space.create(KIND, assigned("theirs"), false).await.unwrap();

    // A new cluster knows the policy some seconds after it is installed.
    let holds = async || tenant.create(KIND, assigned("mine"), true).await.err();
    eventually("the policy", holds).await;
    let refused = tenant.create(KIND, assigned("mine"), false).await;
    let message = refused.expect_err("forged");
    for words in ["mine", "only the operator of podid", "AzureIdentityBinding"] {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    let patch = Patch::Merge(json!({"status": {"status": "Assigned"}}));
    let changed = tenant
        .api(KIND)
        .patch("theirs", &PatchParams::default(), &patch)
        .await;
    let message = changed.expect_err("changed").to_string();
    assert!(message.contains("only the operator of podid"), "{message}");

    let operator = "system:serviceaccount:podid-system:podid-operator";
    let operator = space.as_user(operator).await;
    operator
        .create(KIND, assigned("ours"), false)
        .await
        .unwrap();
}

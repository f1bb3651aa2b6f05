//! Everybody in the table of docs/rights.md.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use kube::api::{Api, ListParams, ObjectMeta, PostParams};

use crate::fixture::{Space, eventually};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Somebody, and the API server as they see it.
pub(super) struct Who {
    /// The first cell of their row.
    pub(super) name: &'static str,
    pub(super) user: String,
    pub(super) groups: Vec<String>,
    /// Whether what they may do, they may do in every namespace.
    pub(super) is_of_cluster: bool,
    pub(super) space: Space,
}

/// All of them, in the order of the table, with the roles that they have.
pub(super) async fn everybody(space: &Space) -> Vec<Who> {
    service_account(space, "flux").await;
    let flux = format!("system:serviceaccount:{}:flux", space.name);
    bind(space, "edit", service_account_subject(space, "flux"), false).await;
    let anonymous = Who {
        name: "nobody signed in",
        user: "system:anonymous".into(),
        groups: vec!["system:unauthenticated".into()],
        is_of_cluster: false,
        space: space.with_token(String::new()).await,
    };
    let everybody = vec![
        anonymous,
        person(space, "signed in, without a role", None).await,
        person(space, "`view` in a namespace", Some(("view", false))).await,
        person(space, "`edit` in a namespace", Some(("edit", false))).await,
        person(space, "`admin` in a namespace", Some(("admin", false))).await,
        account(
            space,
            "a service account with `edit` in a namespace, as Flux has it for a tenant",
            &space.name,
            "flux",
            false,
        )
        .await,
        person(space, "`view` in the whole cluster", Some(("view", true))).await,
        person(
            space,
            "`podid-class-admin` in the whole cluster",
            Some(("podid-class-admin", true)),
        )
        .await,
        account(
            space,
            "`podid-operator`",
            "podid-system",
            "podid-operator",
            true,
        )
        .await,
        account(
            space,
            "a node daemon, `podid-nmi`",
            "podid-system",
            "podid-nmi",
            true,
        )
        .await,
    ];
    assert_eq!(everybody[5].user, flux);
    until_the_roles_hold(&everybody).await;
    everybody
}

/// A controller adds podid's rights to the roles of the cluster, and the API server learns of bindings by a watch.
async fn until_the_roles_hold(everybody: &[Who]) {
    for who in &everybody[2..8] {
        let reads = async || {
            let profiles = who.space.api("PodIdentityProfile");
            profiles.list(&ListParams::default()).await.ok()
        };
        eventually(&format!("{} reading profiles", who.name), reads).await;
    }
}

async fn person(space: &Space, name: &'static str, role: Option<(&str, bool)>) -> Who {
    let (role_name, is_of_cluster) = role.unwrap_or(("nothing", false));
    let user = format!("{role_name}-{is_of_cluster}-of-{}", space.name);
    if let Some((role, is_of_cluster)) = role {
        let subject = Subject {
            kind: "User".into(),
            name: user.clone(),
            api_group: Some(RBAC.into()),
            ..Subject::default()
        };
        bind(space, role, subject, is_of_cluster).await;
    }
    Who {
        name,
        groups: vec!["system:authenticated".into()],
        is_of_cluster,
        space: space.as_user(&user).await,
        user,
    }
}

/// A service account, with a token of its own.
async fn account(
    space: &Space,
    name: &'static str,
    namespace: &str,
    account: &str,
    is_of_cluster: bool,
) -> Who {
    let accounts: Api<ServiceAccount> = Api::namespaced(space.client.clone(), namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec::default()),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await;
    let token = answer.unwrap().status.and_then(|status| status.token);
    Who {
        name,
        user: format!("system:serviceaccount:{namespace}:{account}"),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".into(),
        ],
        is_of_cluster,
        space: space.with_token(token.expect("a token")).await,
    }
}

fn service_account_subject(space: &Space, name: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".into(),
        name: name.into(),
        namespace: Some(space.name.clone()),
        ..Subject::default()
    }
}

/// Gives somebody a role, in the namespace or in the cluster.
async fn bind(space: &Space, role: &str, subject: Subject, in_cluster: bool) {
    let metadata = ObjectMeta {
        name: Some(format!("{}-{}", subject.name, role)),
        ..ObjectMeta::default()
    };
    let role_ref = RoleRef {
        api_group: Some(RBAC.into()),
        kind: "ClusterRole".into(),
        name: role.into(),
    };
    let subjects = Some(vec![subject]);
    if in_cluster {
        let binding = ClusterRoleBinding {
            metadata,
            role_ref,
            subjects,
        };
        let bindings: Api<ClusterRoleBinding> = Api::all(space.client.clone());
        bindings
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
    } else {
        let binding = RoleBinding {
            metadata,
            role_ref,
            subjects,
        };
        let bindings: Api<RoleBinding> = Api::namespaced(space.client.clone(), &space.name);
        bindings
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
    }
}

/// A service account of the namespace, so that Flux can act as it.
async fn service_account(space: &Space, name: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(space.client.clone(), &space.name);
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    let made = accounts.create(&PostParams::default(), &account).await;
    made.unwrap();
}

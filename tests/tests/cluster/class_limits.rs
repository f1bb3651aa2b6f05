//! The admission policy about the limits of a class.

mod agreement;
mod tables;
mod updates;

use kube::api::DeleteParams;
use podid_core::role::Role;
use serde_json::{Value, json};

use crate::cases;
use crate::fixture::{Space, eventually};

/// A class, with these limits and further fields of its spec.
fn class(limits: Value, fields: Value) -> Value {
    let mut spec = cases::class(fields);
    spec["limits"] = limits;
    spec
}

impl Space {
    /// Makes a class that begins with the name of the namespace; its whole name.
    pub(crate) async fn class(&self, name: &str, spec: Value) -> String {
        self.try_class(name, spec).await.unwrap()
    }

    async fn try_class(&self, name: &str, spec: Value) -> Result<String, String> {
        let name = format!("{}-{name}", self.name);
        let object = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityClass",
            "metadata": {"name": name}, "spec": spec,
        });
        let made = self.create("PodIdentityClass", object, false).await;
        made.map(|_| name)
    }

    /// Whether a profile of the class may be written; nothing is.
    async fn asks(&self, class: &str, fields: Value) -> Result<(), String> {
        let mut object = json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
            "metadata": {"name": "cart"}, "spec": fields,
        });
        object["spec"]["className"] = class.into();
        self.create("PodIdentityProfile", object, true)
            .await
            .map(|_| ())
    }

    /// Waits until the policy knows the classes made so far: it learns of them in the order of their making, so a
    /// last one, which admits no namespace, is made and waited for.
    async fn policy_knows_the_classes(&self) {
        let last = self.class("last", class(json!({}), json!({}))).await;
        let refused = async || self.asks(&last, json!({})).await.err();
        eventually("the policy taking effect", refused).await;
        self.remove_class(&last).await;
    }

    pub(crate) async fn remove_class(&self, name: &str) {
        let classes = self.api("PodIdentityClass");
        classes
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_refusal_names_the_field_the_class_and_what_it_lists() {
    let space = Space::new("limits").await;
    let limits = json!({
        "namespaces": {"names": [space.name]},
        "access": [{"role": "Reader", "scopes": ["/subscriptions/s/resourceGroups/apps"]}],
    });
    let class = space.class("standard", class(limits, json!({}))).await;
    space.policy_knows_the_classes().await;
    let asks = async |access: Value| space.asks(&class, json!({"access": access})).await;
    let below = "/subscriptions/s/resourceGroups/apps/providers/x/y/z";
    asks(json!([{"role": "reader", "scope": below}]))
        .await
        .unwrap();
    let refused = asks(json!([
        {"role": "Reader", "scope": below},
        {"role": "Key Vault Reader", "scope": below},
        {"role": "Reader", "scope": "/subscriptions/s"},
    ]))
    .await
    .expect_err("beyond the class");
    for words in [
        "podid-class-limits",
        &format!("class {class} does not allow what profile cart asks for"),
        "spec.access[1].role: \"Key Vault Reader\" is not a role that a profile of this class may ask for (it lists \
         Reader)",
        "spec.access[2].scope: \"/subscriptions/s\" is not at or below a scope where Reader may be asked for (the \
         class lists /subscriptions/s/resourceGroups/apps)",
    ] {
        assert!(refused.contains(words), "{words:?} is not in: {refused}");
    }
    space.remove_class(&class).await;
}

/// GitOps applies what it finds in the order that it likes.
#[tokio::test]
async fn a_profile_may_come_before_its_class() {
    let space = Space::new("limits-order").await;
    space.policy_knows_the_classes().await;
    let owner = json!({"access": [{"role": "Owner", "scope": "/subscriptions/s"}]});
    let class = format!("{}-later", space.name);
    space.asks(&class, owner).await.unwrap();
}

/// Comparing each of so many rights with each of so many scopes costs more than the API server spends on an expression.
/// The operator decides then, and the profile is not in its way.
#[tokio::test]
async fn what_is_too_long_to_be_evaluated_is_left_to_the_operator() {
    let space = Space::new("limits-long").await;
    let scope = |n: usize, m: usize| {
        let group = "g".repeat(80);
        format!("/subscriptions/s/resourceGroups/{group}{n}-{m}")
    };
    let scopes = |n: usize| (0..25).map(|m| scope(n, m)).collect::<Vec<_>>();
    let access: Vec<Value> = (0..100)
        .map(|n| json!({"role": "Reader", "scopes": scopes(n)}))
        .collect();
    let limits = json!({"namespaces": {"names": [space.name]}, "access": access});
    let class = space.class("long", class(limits, json!({}))).await;
    space.policy_knows_the_classes().await;
    let asked = |count: usize| -> Vec<Value> {
        let one = |n| json!({"role": "Reader", "scope": scope(200 + n, 0)});
        (0..count).map(one).collect()
    };
    let refused = space.asks(&class, json!({"access": asked(1)})).await;
    let message = refused.expect_err("one right can be evaluated");
    assert!(message.contains("spec.access[0].scope"), "{message}");
    space
        .asks(&class, json!({"access": asked(50)}))
        .await
        .unwrap();
    space.remove_class(&class).await;
}

#[test]
fn the_policy_knows_the_built_in_roles_that_podid_knows() {
    let file = "kustomize/cluster/policies/class-limits/policy.yaml";
    let policy = podid_tests::pages::page(file);
    let policy: Value = serde_saphyr::from_str(&policy).unwrap();
    let variables = policy["spec"]["variables"].as_array().unwrap();
    let table = variables
        .iter()
        .find(|one| one["name"] == "builtIn")
        .unwrap();
    let table = table["expression"].as_str().unwrap();
    let entries = table.trim_matches(['{', '}', ' ', '\n']).split(',');
    let written: Vec<String> = entries.map(|entry| entry.trim().to_owned()).collect();
    let known: Vec<String> = Role::built_in_names()
        .map(|name| {
            let guid = Role::parse(name).id().expect("a built-in role");
            format!("'{}': '{name}'", guid.simple())
        })
        .collect();
    assert_eq!(written, known);
}

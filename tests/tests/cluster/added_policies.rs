//! The policies that components add, each under a name of its own and holding only where a test asks for it.
//!
//! They are applied with podid's own, before any test begins: before 1.36 an API server may crash that reads a policy
//! while others are asked (`fixture::policies_are_read`).

use std::fs;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use podid_tests::manifests::{self, kustomize};
use podid_tests::programs::repository;
use serde_json::{Value, json};

/// One policy and its binding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    /// What it is called here, and what the label of namespaces says in which it holds.
    pub(crate) name: &'static str,
    /// Its folder in the repository: one that kustomize renders, or a component.
    folder: &'static str,
}

const fn added(name: &'static str, folder: &'static str) -> Added {
    Added { name, folder }
}

pub(crate) const LEGACY: Added = added("test-legacy", "kustomize/cluster/policies/net-raw/legacy");
pub(crate) const LEGACY_AUDIT: Added = added(
    "test-legacy-audit",
    "kustomize/cluster/policies/net-raw/legacy-audit",
);
pub(crate) const LEGACY_TEMPLATES: Added = added(
    "test-legacy-templates",
    "kustomize/cluster/policies/net-raw/legacy-templates",
);
pub(crate) const LEGACY_TEMPLATES_AUDIT: Added = added(
    "test-legacy-templates-audit",
    "kustomize/cluster/policies/net-raw/legacy-templates-audit",
);
pub(crate) const WITHIN_CLASS: Added = added(
    "test-within-class",
    "kustomize/components/legacy-within-class",
);
pub(crate) const NO_LEGACY_IDENTITIES: Added = added(
    "test-no-legacy-identities",
    "kustomize/components/no-legacy-identities",
);

pub(crate) const ALL: [Added; 6] = [
    LEGACY,
    LEGACY_AUDIT,
    LEGACY_TEMPLATES,
    LEGACY_TEMPLATES_AUDIT,
    WITHIN_CLASS,
    NO_LEGACY_IDENTITIES,
];

/// Of namespaces in which one of them holds; its value is the policy's name.
pub(crate) const LABEL: &str = "tests.podid.dev/policy";

impl Added {
    /// What the component consists of.
    fn objects(self) -> Vec<Value> {
        if !self.folder.starts_with("kustomize/components/") {
            return manifests::objects(&kustomize(self.folder).unwrap());
        }
        // A component is no folder that kustomize renders by itself.
        let folder = repository().join(self.folder);
        let files = ["policy.yaml", "binding.yaml"].map(|name| folder.join(name));
        let texts = files.map(|file| fs::read_to_string(file).unwrap());
        texts
            .iter()
            .flat_map(|text| manifests::objects(text))
            .collect()
    }

    fn object(self, kind: &str) -> Value {
        let mut objects = self.objects().into_iter();
        let found = objects.find(|object| object["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} is in {}", self.folder))
    }

    /// The policy, as the component has it.
    pub(crate) fn policy(self) -> Value {
        self.object("ValidatingAdmissionPolicy")
    }

    async fn apply(self, client: &Client) {
        let apply = PatchParams::apply("test").force();
        let mut policy = self.policy();
        policy["metadata"]["name"] = self.name.into();
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
        let applied = policies
            .patch(self.name, &apply, &Patch::Apply(&policy))
            .await;
        applied.unwrap();

        let mut binding = self.object("ValidatingAdmissionPolicyBinding");
        binding["metadata"]["name"] = self.name.into();
        binding["spec"]["policyName"] = self.name.into();
        let labelled = json!({"matchLabels": {LABEL: self.name}});
        binding["spec"]["matchResources"] = json!({"namespaceSelector": labelled});
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
        let applied = bindings
            .patch(self.name, &apply, &Patch::Apply(&binding))
            .await;
        applied.unwrap();
    }
}

/// Applies all of them.
pub(crate) async fn apply(client: &Client) {
    for added in ALL {
        added.apply(client).await;
    }
}

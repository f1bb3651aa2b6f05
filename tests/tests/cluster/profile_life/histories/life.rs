//! One history, from its first step until nothing is left of it.

use std::error::Error;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use podid_azure::{
    ArmCompute, ArmIdentities, ArmRoleAssignments, Compute, ComputeTarget, Identities, IdentityId,
    IdentityPatch, ResourceGroupId, RoleAssignments, UserAssignedIdentitySpec,
};
use podid_crds::aadpodidentity::{AzureIdentity, AzureIdentityBinding};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use podid_lab::layout::{KUBELET_PRINCIPAL, NODE_GROUP, RESOURCE_GROUP, SUBSCRIPTION};
use serde_json::{Value, json};

use super::super::scene::{READS_SECRETS, Scene, access, group, vault};
use super::history::{Asked, Effect, Happening, History, Object};
use super::model::{Model, Running};
use super::rest;

/// A history in its namespace.
pub(super) struct Life {
    pub(super) scene: Scene,
    pub(super) model: Model,
    pods: usize,
}

/// Lives the history; what does not come to rest, in words.
pub(super) async fn live(scene: &Scene, history: &History) -> Result<(), String> {
    let scene = scene.beside(&format!("history-{}", history.seed)).await;
    let mut life = Life {
        scene,
        model: Model::default(),
        pods: 0,
    };
    life.class(true).await;
    for (pause, happening) in &history.steps {
        tokio::time::sleep(*pause).await;
        life.happen(happening).await?;
    }
    life.class(true).await;
    life.wake().await;
    rest::reached(&life).await?;
    life.end().await
}

impl Life {
    pub(super) fn name(profile: u64) -> String {
        format!("p{profile}")
    }

    /// Name of the profile's identity in Azure.
    pub(super) fn identity(&self, profile: u64) -> String {
        format!("{}-p{profile}", self.scene.namespace)
    }

    fn identity_id(&self, profile: u64) -> IdentityId {
        IdentityId::new(SUBSCRIPTION, RESOURCE_GROUP, self.identity(profile))
    }

    async fn class(&self, reads: bool) {
        let rights = match reads {
            true => json!([{ "role": READS_SECRETS, "scopes": [group(RESOURCE_GROUP)] }]),
            false => json!([]),
        };
        self.scene
            .class(json!({ "limits": { "access": rights } }))
            .await;
    }

    async fn happen(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::Apply(profile, asked) => self.apply(*profile, asked).await?,
            Happening::Delete(profile) => self.delete(*profile).await,
            Happening::Run { selector, node } => self.run(*selector, node).await,
            Happening::DeletePod => {
                if let Some(pod) = self.oldest() {
                    self.scene.delete_pod(&pod.name).await;
                }
            }
            Happening::EndPod => {
                if let Some(pod) = self.oldest() {
                    self.complete(&pod.name).await;
                }
            }
            Happening::Class { reads } => self.class(*reads).await,
            Happening::Kill => self.scene.stage.kill_operator_again(),
            Happening::Fault(operation, effect, count) => {
                let fault = self.fault(operation, *effect, *count);
                self.scene.stage.fault(fault).await;
            }
            Happening::LoseObject(profile, object) => self.lose(*profile, *object).await,
            others => self.meddle(others).await,
        }
        Ok(())
    }

    async fn lose(&self, profile: u64, object: Object) {
        let (name, params) = (Self::name(profile), DeleteParams::default());
        // It may not be there.
        let _ = match object {
            Object::Identity => {
                let api = self.scene.api::<AzureIdentity>();
                api.delete(&name, &params).await.map(drop)
            }
            Object::Binding => {
                let api = self.scene.api::<AzureIdentityBinding>();
                api.delete(&name, &params).await.map(drop)
            }
        };
    }

    /// Somebody else changes Azure; where it is busy or not there, nothing comes of it.
    async fn meddle(&self, happening: &Happening) {
        let arm = self.scene.stage.arm();
        match happening {
            Happening::LoseIdentity(profile) => {
                let identities = ArmIdentities::new(&arm);
                let _ = identities.delete(&self.identity_id(*profile)).await;
            }
            Happening::MakeIdentityAnew(profile) => {
                let identities = ArmIdentities::new(&arm);
                let id = self.identity_id(*profile);
                let Ok(Some(found)) = identities.get(&id).await else {
                    return;
                };
                let _ = identities.delete(&id).await;
                let (location, tags) = (found.location, found.tags);
                let spec = UserAssignedIdentitySpec { location, tags };
                let _ = identities.put(&id, &spec).await;
            }
            Happening::LoseRights(profile) => {
                let identity = ArmIdentities::new(&arm)
                    .get(&self.identity_id(*profile))
                    .await;
                let Ok(Some(identity)) = identity else { return };
                let roles = ArmRoleAssignments::new(&arm);
                let held = roles
                    .list_for_principal(&vault(), &identity.principal_id)
                    .await;
                for assignment in held.unwrap_or_default() {
                    let _ = roles.delete(&assignment.id).await;
                }
            }
            Happening::Strip(profile, node) => {
                let compute = ArmCompute::new(&arm);
                let group = ResourceGroupId::new(SUBSCRIPTION, NODE_GROUP);
                let name = (*node).to_owned();
                let machine = ComputeTarget::Vm { group, name };
                let Ok(Some(current)) = compute.get_identity(&machine).await else {
                    return;
                };
                let patch = IdentityPatch::new(&current, [], [self.identity_id(*profile)]);
                let _ = compute.patch_identity(&machine, &patch, None).await;
            }
            _ => {}
        }
    }

    /// Deletes a kept identity and what is granted to it or on it. Returns the error, so that the caller tries again:
    /// the faults of histories beside this one hit these calls too.
    async fn remove(&self, identity: &IdentityId) -> Result<(), Box<dyn Error>> {
        let arm = self.scene.stage.arm();
        let (identities, roles) = (ArmIdentities::new(&arm), ArmRoleAssignments::new(&arm));
        let scope = identity.to_string();
        let mut granted = roles.list_for_principal(&scope, KUBELET_PRINCIPAL).await?;
        granted.retain(|assignment| assignment.scope.eq_ignore_ascii_case(&scope));
        if let Some(found) = identities.get(identity).await? {
            let principal = &found.principal_id;
            granted.extend(roles.list_for_principal(&vault(), principal).await?);
        }
        for assignment in granted {
            roles.delete(&assignment.id).await?;
        }
        identities.delete(identity).await?;
        Ok(())
    }

    /// Applies a profile, once an earlier one of its name is gone.
    async fn apply(&mut self, profile: u64, asked: &Asked) -> Result<(), String> {
        if !self.model.profiles.contains_key(&profile) {
            rest::gone(self, profile).await?;
        }
        let rights = match asked.reads {
            true => json!([access(READS_SECRETS, &vault())]),
            false => json!([]),
        };
        let spec = json!({
            "access": rights,
            "binding": { "selector": format!("s{}", asked.selector) },
            "identity": {
                "name": self.identity(profile),
                "creationPolicy": "CreateOrAdopt",
                "deletionPolicy": if asked.retains { "Retain" } else { "Delete" },
            },
        });
        // A class that does not allow the right may be known at the door already: then nothing has changed.
        if self.scene.try_profile(&Self::name(profile), spec).await {
            self.model.apply(profile, asked.clone());
        }
        Ok(())
    }

    async fn delete(&mut self, profile: u64) {
        let existed = self.model.profiles.contains_key(&profile);
        for pod in self.model.delete(profile) {
            self.scene.delete_pod(&pod.name).await;
        }
        if existed {
            self.scene
                .delete_object::<PodIdentityProfile>(&Self::name(profile))
                .await;
        }
    }

    async fn run(&mut self, selector: u64, node: &'static str) {
        self.pods += 1;
        let name = format!("w{}", self.pods);
        self.scene.pod(&name, &format!("s{selector}"), node).await;
        self.model.pods.push(Running {
            name,
            selector,
            node,
        });
    }

    fn oldest(&mut self) -> Option<Running> {
        (!self.model.pods.is_empty()).then(|| self.model.pods.remove(0))
    }

    async fn complete(&self, pod: &str) {
        let status = Patch::Merge(json!({ "status": { "phase": "Succeeded" } }));
        let pods = self.scene.api::<Pod>();
        pods.patch_status(pod, &PatchParams::default(), &status)
            .await
            .unwrap();
    }

    /// What goes wrong, of this history only where a call is about one identity.
    fn fault(&self, operation: &str, effect: Effect, count: u64) -> Value {
        let effect = match effect {
            Effect::Status(status) => json!({ "kind": "respond", "status": status }),
            Effect::Throttled => json!({
                "kind": "respond", "status": 429, "headers": { "Retry-After": "1" },
            }),
            Effect::Lost => json!({ "kind": "drop" }),
            Effect::AnswerLost => json!({ "kind": "alter", "status": 500 }),
            Effect::Slow => json!({ "kind": "delay", "seconds": 2 }),
            Effect::Course => json!({ "kind": "async", "polls": 2, "retryAfter": 0.5 }),
        };
        let mut fault = json!({ "operation": operation, "effect": effect, "count": count });
        let of_one = [
            "arm.identity.get",
            "arm.identity.put",
            "arm.identity.delete",
        ];
        if of_one.contains(&operation) {
            fault["resource"] = json!(self.scene.namespace);
        }
        fault
    }

    /// Asks for another look at each profile, as a person does who knows that something was wrong.
    async fn wake(&self) {
        let annotation =
            json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": "rest" } } });
        for profile in self.model.profiles.keys() {
            self.scene
                .api::<PodIdentityProfile>()
                .patch(
                    &Self::name(*profile),
                    &PatchParams::default(),
                    &Patch::Merge(&annotation),
                )
                .await
                .unwrap();
        }
    }

    /// Takes everything down; what was to be kept, as somebody else does.
    async fn end(mut self) -> Result<(), String> {
        for profile in std::mem::take(&mut self.model.kept) {
            let identity = self.identity_id(profile);
            rest::until(async || {
                let removed = self.remove(&identity).await;
                removed.err().map(|error| format!("{identity}: {error}"))
            })
            .await?;
        }
        for (profile, mut asked) in self.model.profiles.clone() {
            asked.retains = false;
            self.apply(profile, &asked).await?;
        }
        rest::reached(&self).await?;
        for profile in self.model.profiles.clone().into_keys() {
            self.delete(profile).await;
        }
        for pod in std::mem::take(&mut self.model.pods) {
            self.scene.delete_pod(&pod.name).await;
        }
        rest::reached(&self).await?;
        let classes: Api<PodIdentityClass> = Api::all(self.scene.stage.client.clone());
        classes
            .delete(&self.scene.namespace, &DeleteParams::default())
            .await
            .unwrap();
        Ok(())
    }
}

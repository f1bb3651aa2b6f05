//! podid's admission policies, in force or not: by their bindings, which is what an API server evaluates.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use tokio::time::{sleep, timeout};

use crate::world::{LAST_PROFILE, PROBED, Scene, World};

/// The one that is put back and taken away last. An API server learns of bindings in the order of their changes, so a
/// pod that it refuses, or refuses no more, says the same of all the others.
const LAST: &str = "podid-net-raw-enforce";
/// How long the API server may take to learn of a change.
const LIMIT: Duration = Duration::from_secs(120);

/// The bindings, as they were installed.
pub(crate) struct Policies(Vec<ValidatingAdmissionPolicyBinding>);

impl Policies {
    pub(crate) async fn of(world: &World) -> Result<Self> {
        let mut bindings = api(world).list(&ListParams::default()).await?.items;
        for binding in &mut bindings {
            binding.metadata.resource_version = None;
            binding.metadata.uid = None;
        }
        bindings.sort_by_key(|binding| binding.name_any() == LAST);
        let last = bindings.last().map(ResourceExt::name_any);
        ensure!(last.as_deref() == Some(LAST), "{LAST} is not installed");
        Ok(Self(bindings))
    }

    /// Puts them in force or takes them away, and returns when the API server knows, and the policies know the profiles of
    /// a scene, of which each namespace got a last one.
    pub(crate) async fn set(&self, world: &World, scene: &Scene, in_force: bool) -> Result<()> {
        let installed = api(world).list(&ListParams::default()).await?.items;
        match (in_force, installed.is_empty()) {
            (true, true) => self.restore(world).await?,
            (false, false) => self.remove(world).await?,
            _ => {}
        }
        if in_force {
            for namespace in [PROBED].into_iter().chain(scene.namespaces()) {
                self.until_refused(world, namespace).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, world: &World) -> Result<()> {
        for binding in &self.0 {
            let name = binding.name_any();
            api(world).delete(&name, &DeleteParams::default()).await?;
        }
        until("the policies are gone", async || {
            Ok(world.refusal(PROBED, LAST_PROFILE).await?.is_none())
        })
        .await
    }

    async fn restore(&self, world: &World) -> Result<()> {
        for binding in &self.0 {
            api(world).create(&PostParams::default(), binding).await?;
        }
        Ok(())
    }

    async fn until_refused(&self, world: &World, namespace: &str) -> Result<()> {
        until("the policies take effect", async || {
            let said = world.refusal(namespace, LAST_PROFILE).await?;
            Ok(said.is_some_and(|said| said.contains(LAST)))
        })
        .await
    }
}

fn api(world: &World) -> Api<ValidatingAdmissionPolicyBinding> {
    Api::all(world.client.clone())
}

async fn until(what: &str, is: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let looking = async {
        while !is().await? {
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    timeout(LIMIT, looking)
        .await
        .with_context(|| format!("{what}: not within {LIMIT:?}"))?
}

//! What a cluster holds of podid's kinds, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Client, Resource, ResourceExt};
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::LiveError;
use crate::cluster::{self, ClusterError, FORBIDDEN, NOT_FOUND, has_code, list};
use crate::plan::declared::{Declared, Typed};
use crate::tree::DeclaredObject;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(super) declared: Declared,
    /// What could not be read.
    pub(super) notes: Vec<String>,
}

/// Reads the cluster of a kubeconfig. Whoever may not list the profiles of all namespaces gets those of `namespaces`.
pub(super) fn read(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    namespaces: &BTreeSet<String>,
) -> Result<Found, LiveError> {
    cluster::block_on(async {
        let client = cluster::client(kubeconfig, context).await?;
        let mut found = Found::default();
        found.classes(&client).await?;
        found.profiles(&client, namespaces).await?;
        found.namespaces(&client).await;
        Ok(found)
    })
}

impl Found {
    /// The classes. They belong to the cluster, so that not everybody may read them.
    async fn classes(&mut self, client: &Client) -> Result<(), LiveError> {
        let classes = match list::<PodIdentityClass>(client, None).await {
            Err(error) if has_code(&error, FORBIDDEN) => {
                let note = "the cluster does not let you list its podidentityclasses; those of the files and of \
                            --class-file count";
                self.notes.push(note.to_owned());
                return Ok(());
            }
            listed => self.typed::<PodIdentityClass>(listed)?,
        };
        let classes = classes.into_iter();
        self.declared.classes = classes
            .map(|class| (class.object.name_any(), class))
            .collect();
        Ok(())
    }

    /// The profiles of all namespaces, or of those whose profiles the user may read.
    async fn profiles(
        &mut self,
        client: &Client,
        namespaces: &BTreeSet<String>,
    ) -> Result<(), LiveError> {
        let everywhere = list::<PodIdentityProfile>(client, None).await;
        let is_forbidden = everywhere
            .as_ref()
            .is_err_and(|error| has_code(error, FORBIDDEN));
        if !is_forbidden || namespaces.is_empty() {
            self.declared.profiles = self.typed(everywhere)?;
            return Ok(());
        }
        for namespace in namespaces {
            let listed = list::<PodIdentityProfile>(client, Some(namespace)).await;
            let found = self.typed(listed)?;
            self.declared.profiles.extend(found);
        }
        let names: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        let note = format!(
            "you may not list the profiles of all namespaces; only those of {} are compared with",
            names.join(", ")
        );
        self.notes.push(note);
        Ok(())
    }

    /// The objects of a list of a kind of podid's. One that this version cannot read is noted.
    fn typed<K>(
        &mut self,
        listed: Result<Vec<Value>, kube::Error>,
    ) -> Result<Vec<Typed<K>>, LiveError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let mut found = Vec::new();
        let listed = match listed {
            Err(error) if has_code(&error, NOT_FOUND) => {
                let kinds = K::plural(&());
                let note = format!("the cluster has no {kinds}: podid is not installed there");
                self.notes.push(note);
                Vec::new()
            }
            listed => listed.map_err(refused::<K>)?,
        };
        for value in listed {
            let declared = DeclaredObject {
                value,
                source: None,
                holder: None,
            };
            match serde_json::from_value(declared.value.clone()) {
                Ok(object) => found.push(Typed { object, declared }),
                Err(error) => {
                    let what = declared.described();
                    let note = format!(
                        "{what} of the cluster cannot be read and counts as absent: {error}"
                    );
                    self.notes.push(note);
                }
            }
        }
        Ok(found)
    }

    /// The labels of all namespaces. Not everybody may read them.
    async fn namespaces(&mut self, client: &Client) {
        match list::<Namespace>(client, None).await {
            Ok(listed) => {
                let labels = |value: &Value| -> Option<(String, BTreeMap<String, String>)> {
                    let metadata = &value["metadata"];
                    let labels = serde_json::from_value(metadata["labels"].clone());
                    Some((metadata["name"].as_str()?.to_owned(), labels.unwrap_or_default()))
                };
                self.declared.namespaces = listed.iter().filter_map(labels).collect();
            }
            Err(error) => self.notes.push(format!(
                "the cluster does not list its namespaces ({error}); their labels are those of the files and of \
                 --namespace-label"
            )),
        }
    }
}

fn refused<K: Resource<DynamicType = ()>>(error: kube::Error) -> LiveError {
    let hint =
        "; the role view in the namespace allows it, or compare with an older version by OLD..NEW";
    LiveError::Cluster(ClusterError::list::<K>(error, hint))
}

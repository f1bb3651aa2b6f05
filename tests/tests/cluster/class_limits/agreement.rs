//! The policy and `podid_core::profile::admit` say the same of every profile and class: what the API server refuses,
//! the operator would refuse in the same words, and what the operator refuses does not pass the API server.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use podid_core::class::{Class, Violation};
use podid_core::profile::admit::admit;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};
use serde_json::{Value, json};

use super::tables;
use crate::fixture::{Space, new_namespace};

const CLASSES: usize = 40;
/// Profiles of each class.
const PROFILES: usize = 75;
/// Of each verdict, and of each field that is refused, at least so many, or the table shows little.
const ENOUGH: usize = 40;
/// Requests at a time.
const AT_ONCE: usize = 16;

/// A namespace, and its labels.
type Place = (Space, BTreeMap<String, String>);

/// Namespaces with different labels.
async fn places(space: &Space) -> Vec<Place> {
    let mut places = Vec::new();
    for labels in [
        json!({}),
        json!({"team": "shop"}),
        json!({"team": "shop", "env": "prod"}),
        json!({"team": "", "env": "prod"}),
    ] {
        let name = new_namespace(&space.client, "limits").await;
        let namespaces: Api<Namespace> = Api::all(space.client.clone());
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let made = namespaces
            .patch(&name, &PatchParams::default(), &patch)
            .await;
        let labels = made.unwrap().metadata.labels.unwrap_or_default();
        let client = space.client.clone();
        places.push((Space { client, name }, labels));
    }
    places
}

/// One profile of one class in one namespace.
struct Row<'a> {
    place: &'a Place,
    class: &'a Class,
    spec: Value,
}

impl Row<'_> {
    fn object(&self) -> Value {
        let mut spec = self.spec.clone();
        spec["className"] = self.class.name.clone().into();
        json!({
            "apiVersion": "podid.dev/v1alpha1", "kind": "PodIdentityProfile",
            "metadata": {"name": "cart", "namespace": self.place.0.name}, "spec": spec,
        })
    }

    /// What the operator finds.
    fn found(&self) -> Vec<Violation> {
        let object: PodIdentityProfile = serde_json::from_value(self.object()).unwrap();
        let profile = podid_crds::convert::profile(&object, self.place.1.clone());
        admit(&profile, self.class).err().unwrap_or_default()
    }

    /// What the API server says.
    async fn said(&self) -> Result<(), String> {
        let made = self
            .place
            .0
            .create("PodIdentityProfile", self.object(), true);
        made.await.map(|_| ())
    }
}

/// What was said and found of all of them.
#[derive(Default)]
struct Verdicts {
    /// Refused by the schema, which is no matter of classes.
    malformed: usize,
    allowed: usize,
    refused: BTreeMap<String, usize>,
    differences: Vec<String>,
}

impl Verdicts {
    fn add(&mut self, row: &Row<'_>, said: Result<(), String>) {
        let found = row.found();
        let told = match &said {
            Ok(()) if found.is_empty() => {
                self.allowed += 1;
                return;
            }
            Ok(()) => false,
            Err(message) if !message.contains("podid-class-limits") => {
                self.malformed += 1;
                return;
            }
            Err(message) => !found.is_empty() && tells(message, &found),
        };
        if told {
            for violation in &found {
                let field: String = violation
                    .field
                    .chars()
                    .filter(|c| !c.is_ascii_digit())
                    .collect();
                *self.refused.entry(field).or_default() += 1;
            }
        } else {
            let limits = &row.class.limits;
            self.differences.push(format!(
                "{}\n  {limits:?}\n  said {said:?}\n  found {found:?}",
                row.object()
            ));
        }
    }

    fn are_the_same_and_enough(&self) {
        let differences = self.differences.len();
        let first = self.differences.iter().take(5).cloned().collect::<Vec<_>>();
        assert_eq!(differences, 0, "{}", first.join("\n"));
        assert!(self.allowed >= ENOUGH, "{} allowed", self.allowed);
        let fields: BTreeSet<&str> = self.refused.keys().map(String::as_str).collect();
        let all = [
            "metadata.namespace",
            "spec.access[].role",
            "spec.access[].scope",
            "spec.identity.resourceId",
            "spec.identity.tags",
            "spec.netRaw",
        ];
        assert_eq!(
            fields,
            all.into(),
            "of each limit there is a profile that exceeds it"
        );
        for (field, count) in &self.refused {
            assert!(*count >= ENOUGH, "{count} times {field}");
        }
        assert!(
            self.malformed < CLASSES * PROFILES / 3,
            "{}",
            self.malformed
        );
    }
}

/// Whether the API server's words name the first of the operator's findings, in the operator's words. It names three,
/// and none where one of them would break the line.
fn tells(message: &str, found: &[Violation]) -> bool {
    let breaks = |violation: &Violation| violation.value.chars().any(|c| c.is_control());
    let named = &found[..found.len().min(3)];
    let message = message.to_lowercase();
    let says = |violation: &Violation| {
        let words = format!(
            "{}: \"{}\" {}",
            violation.field, violation.value, violation.why
        );
        message.contains(&words.to_lowercase())
    };
    named.iter().any(breaks) || named.iter().all(says)
}

#[tokio::test]
async fn admission_and_core_say_the_same_of_every_profile_and_class() {
    let space = Space::new("limits-table").await;
    let places = places(&space).await;
    let names = places.iter().take(3).map(|(space, _)| space.name.clone());
    let mut classes = Vec::new();
    for spec in tables::table(&tables::classes(names.collect()), 8 * CLASSES) {
        let made = space
            .try_class(&classes.len().to_string(), spec.clone())
            .await;
        // Some the schema refuses.
        let Ok(name) = made else { continue };
        let class = PodIdentityClass::new(&name, serde_json::from_value(spec).unwrap());
        classes.push(podid_crds::convert::class(&class));
        if classes.len() == CLASSES {
            break;
        }
    }
    assert_eq!(classes.len(), CLASSES);
    space.policy_knows_the_classes().await;

    let specs = tables::table(&tables::profile(), CLASSES * PROFILES);
    let rows = specs.into_iter().enumerate().map(|(at, spec)| Row {
        place: &places[at % places.len()],
        class: &classes[at / PROFILES],
        spec,
    });
    let mut verdicts = Verdicts::default();
    let asked = stream::iter(rows).map(async |row| {
        let said = row.said().await;
        (row, said)
    });
    let mut answers = asked.buffer_unordered(AT_ONCE);
    while let Some((row, said)) = answers.next().await {
        verdicts.add(&row, said);
    }
    for class in &classes {
        space.remove_class(&class.name).await;
    }
    verdicts.are_the_same_and_enough();
}

//! Warnings at the objects that people write, whose pods a profile would refuse.

use podid_core::net_raw::Breach;
use serde_json::{Value, json};

use super::agreement::{breaches, specs};
use super::{drops, keeps, pod, space};
use crate::fixture::{Space, eventually};

/// Path and object of each kind that has a template of pods, with this one.
pub(crate) fn workloads(space: &Space, template: &Value) -> Vec<(String, Value)> {
    let kinds = [
        ("apps/v1", "deployments", "Deployment"),
        ("apps/v1", "statefulsets", "StatefulSet"),
        ("apps/v1", "daemonsets", "DaemonSet"),
        ("apps/v1", "replicasets", "ReplicaSet"),
        ("batch/v1", "jobs", "Job"),
        ("batch/v1", "cronjobs", "CronJob"),
        ("v1", "replicationcontrollers", "ReplicationController"),
    ];
    let objects = kinds.into_iter().map(|(version, plural, kind)| {
        let mut template = template.clone();
        template["metadata"]["labels"]["app"] = json!("web");
        let spec = match kind {
            "Job" | "CronJob" => {
                template["spec"]["restartPolicy"] = json!("Never");
                let spec = json!({"template": template});
                match kind {
                    "Job" => spec,
                    _ => json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}),
                }
            }
            "ReplicationController" => json!({"selector": {"app": "web"}, "template": template}),
            _ => json!({"selector": {"matchLabels": {"app": "web"}}, "template": template}),
        };
        let root = match version {
            "v1" => "/api/v1".to_owned(),
            version => format!("/apis/{version}"),
        };
        let path = format!("{root}/namespaces/{}/{plural}", space.name);
        let object = json!({
            "apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": spec,
        });
        (path, object)
    });
    objects.collect()
}

/// The template of a pod.
pub(crate) fn template(pod: &Value) -> Value {
    json!({"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]})
}

/// A space whose profiles the policy knows.
async fn warned_space() -> Space {
    let space = space().await;
    let breaking = template(&pod("p", "shop", &keeps()));
    let (path, deployment) = workloads(&space, &breaking).remove(0);
    eventually("a warning", async || {
        space.warning(&path, &deployment).await
    })
    .await;
    space
}

#[tokio::test]
async fn every_kind_with_a_template_is_warned_of_with_what_to_change() {
    let space = warned_space().await;
    let breaking = template(&pod("p", "shop", &keeps()));
    for (path, object) in workloads(&space, &breaking) {
        let warning = space.warning(&path, &object).await.expect(&path);
        let named = format!(
            "{} web: profile shop (netRaw: Enforce)",
            object["kind"].as_str().unwrap()
        );
        for words in [
            &named,
            "refuse them",
            "container app does not drop NET_RAW",
            "{drop: [NET_RAW]}",
        ] {
            assert!(
                warning.contains(words),
                "{path}: {words:?} is not in: {warning}"
            );
        }
    }
    let keeping = template(&pod("p", "shop", &drops("ALL")));
    for (path, object) in workloads(&space, &keeping) {
        assert_eq!(space.warning(&path, &object).await, None, "{path}");
    }
}

#[tokio::test]
async fn what_no_profile_checks_and_what_has_an_owner_is_not_warned_of() {
    let space = warned_space().await;
    for label in ["other", "off"] {
        let template = template(&pod("p", label, &keeps()));
        for (path, object) in workloads(&space, &template) {
            assert_eq!(space.warning(&path, &object).await, None, "{label}: {path}");
        }
    }
    let breaking = template(&pod("p", "shop", &keeps()));
    for (path, mut object) in workloads(&space, &breaking) {
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "above", "uid": "1",
        }]);
        assert_eq!(space.warning(&path, &object).await, None, "{path}");
    }
    let watched = template(&pod("p", "Watched", &keeps()));
    let (path, deployment) = workloads(&space, &watched).remove(0);
    let warning = space.warning(&path, &deployment).await.expect("audited");
    assert!(warning.contains("(netRaw: Audit)"), "{warning}");
    assert!(warning.contains("warn of them"), "{warning}");
}

/// Holds warnings against `core`'s rule, for Deployments with pods like this one and many a spec. The words are in each
/// warning.
pub(crate) async fn agree_with_core(space: &Space, pod: &Value, words: &str) {
    let mut pod = pod.clone();
    let (mut warned, mut quiet) = (0, 0);
    for spec in specs() {
        pod["spec"] = spec;
        let found = breaches(&pod);
        let (path, deployment) = workloads(space, &template(&pod)).remove(0);
        let warning = space.warning(&path, &deployment).await;
        assert_eq!(warning.is_some(), !found.is_empty(), "{warning:?}: {pod}");
        let said = warning.as_deref().unwrap_or_default();
        for breach in &found {
            let fault = match breach {
                Breach::HostNetwork => "hostNetwork: true",
                Breach::HostPid => "hostPID: true",
                Breach::KeepsNetRaw(_) => "does not drop NET_RAW",
                Breach::Privileged(_) => "is privileged and so keeps NET_RAW",
                // What it adds as well is no news then.
                Breach::Adds(container, _)
                    if found.contains(&Breach::Privileged(container.clone())) =>
                {
                    "is privileged"
                }
                Breach::Adds(..) => " adds",
            };
            for part in [words, fault] {
                assert!(said.contains(part), "{part:?} is not in: {said}");
            }
        }
        if found.is_empty() {
            quiet += 1
        } else {
            warned += 1
        }
    }
    assert!(
        warned >= 25 && quiet >= 25,
        "{warned} warned, {quiet} quiet"
    );
}

#[tokio::test]
async fn the_warning_and_core_say_the_same_of_every_template() {
    let space = warned_space().await;
    let bound = pod("p", "shop", &keeps());
    agree_with_core(&space, &bound, "profile shop (netRaw: Enforce)").await;
}

//! An uninstallation with profiles left: it is refused, and goes on when they are let go or gone, as docs/install.md and
//! docs/flux.md say.

use std::fs;

use podid_tests::flux;
use podid_tests::manifests::chart;
use podid_tests::workloads::team::TEAM;
use serde_json::{Value, json};

use crate::cluster::{Cluster, SYSTEM, condition};
use crate::fleet::profile;
use crate::helm::{output, run, values};
use crate::release::{CHECKOUT, bootstrapped, checkout};

/// A namespace that is deleted when podid is gone, with a profile of the same name in it.
const LEAVING: &str = "leaving";
const HOOK: &str = "podid-uninstall-check";
const UNINSTALL: [&str; 4] = ["uninstall", "podid", "--wait", "--timeout=4m"];

/// A cluster with podid as a release, and two profiles that are ready.
fn with_profiles() -> (Cluster, tempfile::TempDir) {
    let cluster = Cluster::up("uninstall", 1);
    let folder = tempfile::tempdir().unwrap();
    let mut values = values();
    let names = json!([TEAM, LEAVING]);
    values["classes"][0]["spec"]["limits"]["namespaces"]["names"] = names;
    fs::write(folder.path().join("values.json"), values.to_string()).unwrap();
    upgrade(&cluster, &folder, &[]);
    let kubectl = cluster.kubectl();
    kubectl.run(&["create", "namespace", LEAVING]);
    kubectl.apply(&profile(CHECKOUT, &checkout()));
    let mut leaving = profile(LEAVING, &json!({}));
    leaving["metadata"]["namespace"] = json!(LEAVING);
    kubectl.apply(&leaving);
    cluster.profile_is_ready(CHECKOUT);
    let object = format!("podidentityprofile/{LEAVING}");
    kubectl.wait_until(&object, LEAVING, "ready", |profile| {
        condition(profile, "Ready")["status"] == "True"
    });
    (cluster, folder)
}

/// The release as its values say, with more arguments.
fn upgrade(cluster: &Cluster, folder: &tempfile::TempDir, arguments: &[&str]) {
    let values = format!("--values={}", folder.path().join("values.json").display());
    let chart = chart().display().to_string();
    let upgrade = ["upgrade", "--install", "podid", &chart, &values];
    let wait = ["--wait", "--timeout=4m"];
    run(cluster, &[&upgrade[..], &wait, arguments].concat());
}

/// The finalizers of all profiles.
fn finalizers(cluster: &Cluster) -> Vec<Value> {
    let all = ["get", "podidentityprofiles", "--all-namespaces"];
    let all = cluster.kubectl().json(&all);
    let profiles = all["items"].as_array().unwrap().iter();
    let lists = profiles.filter_map(|profile| profile["metadata"]["finalizers"].as_array());
    lists.flatten().cloned().collect()
}

/// Helm fails and says why; so do the log and the pod, and everything goes on running.
fn is_refused(cluster: &Cluster) {
    let kubectl = cluster.kubectl();
    let refused = output(cluster, &UNINSTALL);
    assert!(!refused.status.success(), "{refused:?}");
    let said = [&refused.stdout[..], &refused.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let log = kubectl.run(&["--namespace", SYSTEM, "logs", &format!("job/{HOOK}")]);
    let selector = format!("--selector=job-name={HOOK}");
    let pods = kubectl.json(&["--namespace", SYSTEM, "get", "pods", &selector]);
    let ended = &pods["items"][0]["status"]["containerStatuses"][0]["state"]["terminated"];
    for words in [&said, &log, ended["message"].as_str().unwrap()] {
        let names = format!(": 2 ({LEAVING}/{LEAVING}, {TEAM}/{CHECKOUT})");
        assert!(
            words.contains("podid is not uninstalled") && words.contains(&names),
            "{words}"
        );
    }
    for workload in ["deployment/podid-operator", "daemonset/podid-nmi"] {
        let status = ["--namespace", SYSTEM, "rollout", "status", workload];
        kubectl.run(&[&status[..], &["--timeout=120s"]].concat());
    }
    for kind in ["clusterrole", "clusterrolebinding", "serviceaccount"] {
        let object = format!("{kind}/{HOOK}");
        assert_eq!(kubectl.find(&object, SYSTEM), None, "a right that is left");
    }
    assert_eq!(finalizers(cluster), ["podid.dev/profile"; 2]);
}

/// The finalizers go, and nothing in Azure.
fn lets_go(cluster: &Cluster, folder: &tempfile::TempDir) {
    let before = cluster.in_azure();
    // Helm takes no upgrade of a release whose uninstallation was refused.
    let values = format!("--values={}", folder.path().join("values.json").display());
    let chart = chart().display().to_string();
    let early = output(cluster, &["upgrade", "podid", &chart, &values]);
    let said = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(said.contains("has no deployed releases"), "{early:?}");
    run(
        cluster,
        &["rollback", "podid", "1", "--wait", "--timeout=4m"],
    );
    upgrade(cluster, folder, &["--set=uninstall.enabled=true"]);
    assert_eq!(finalizers(cluster), Vec::<Value>::new());
    // Nobody puts one on again.
    let kubectl = cluster.kubectl();
    kubectl.apply(&profile("later", &json!({})));
    let later = "podidentityprofile/later";
    kubectl.run(&["--namespace", TEAM, "delete", later, "--timeout=60s"]);
    let object = format!("podidentityprofile/{CHECKOUT}");
    let events = ["--namespace", TEAM, "events", "--for", &object];
    let said = kubectl.run(&events);
    assert!(said.contains("Released"), "{said}");
    assert_eq!(cluster.in_azure(), before);
}

#[test]
fn helm_does_not_strand_profiles_and_podid_goes_on_with_their_identities() {
    let (cluster, folder) = with_profiles();
    let kubectl = cluster.kubectl();
    let client_id = |profile: &Value| profile["status"]["identity"]["clientId"].clone();
    let identity = client_id(&cluster.profile_is_ready(CHECKOUT));
    let in_azure = cluster.in_azure();
    is_refused(&cluster);
    lets_go(&cluster, &folder);

    run(&cluster, &UNINSTALL);
    assert_eq!(kubectl.find(&format!("job/{HOOK}"), SYSTEM), None);
    kubectl.run(&["delete", "namespace", LEAVING, "--timeout=60s"]);
    assert_eq!(cluster.in_azure(), in_azure);

    upgrade(&cluster, &folder, &[]);
    let object = format!("podidentityprofile/{CHECKOUT}");
    let again = kubectl.wait_until(&object, TEAM, "podid's again", |profile| {
        profile["metadata"]["finalizers"] == json!(["podid.dev/profile"])
            && condition(profile, "Ready")["status"] == "True"
    });
    assert_eq!(client_id(&again), identity);
    assert_eq!(cluster.in_azure(), in_azure);
    kubectl.run(&["--namespace", TEAM, "delete", &object, "--timeout=120s"]);
    let state = cluster.in_azure();
    assert!(!state.iter().any(|one| one.contains(CHECKOUT)), "{state:?}");
}

#[test]
fn flux_deletes_a_release_once_no_profile_would_be_stranded() {
    let (cluster, _platform, _) = bootstrapped("flux-uninstall", 1);
    cluster.profile_is_ready(CHECKOUT);
    let kubectl = cluster.kubectl();
    // They would put back what is deleted here.
    let suspend = ["--type=merge", "--patch={\"spec\":{\"suspend\":true}}"];
    let all = ["--namespace", flux::NAMESPACE, "patch", "kustomizations"];
    for name in ["flux-system", "podid-infrastructure", "podid-profiles"] {
        kubectl.run(&[&all[..], &[name], &suspend].concat());
    }
    let release = "helmrelease/podid";
    kubectl.run(&["--namespace", SYSTEM, "delete", release, "--wait=false"]);
    let job = format!("job/{HOOK}");
    kubectl.wait_until(&job, SYSTEM, "failed", |job| job["status"]["failed"] == 1);
    kubectl.run(&[
        "--namespace",
        SYSTEM,
        "get",
        release,
        "deployment/podid-operator",
    ]);
    let profile = format!("podidentityprofile/{CHECKOUT}");
    kubectl.run(&["--namespace", TEAM, "delete", &profile, "--timeout=120s"]);
    kubectl.wait_until_gone(release, SYSTEM);
    assert_eq!(kubectl.find("deployment/podid-operator", SYSTEM), None);
}

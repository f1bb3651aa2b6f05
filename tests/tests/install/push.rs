//! Pushing to a real registry, and reading back what is there then.

use std::path::Path;
use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use podid_image::{ShippedProgram, sha256};
use reqwest::header::ACCEPT;
use serde_json::Value;

use crate::fixture::{images, podid_image, summary, why};
use crate::registry::{Asks, TestRegistry};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Pushes the images of the CLI and the operator; `settings` is where docker keeps credentials.
fn push(registry: &TestRegistry, settings: &Path, flags: &[&str]) -> Output {
    let output = tempfile::tempdir().unwrap();
    podid_image(settings)
        .args(["podid", "podid-operator", "--push"])
        .arg(format!("{}/team", registry.name()))
        .args(flags)
        .arg("--output")
        .arg(output.path())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn read(url: &str) -> Vec<u8> {
    let request = reqwest::Client::new().get(url).header(ACCEPT, MANIFEST);
    let answer = request.send().await.unwrap().error_for_status().unwrap();
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_registry_has_what_was_pushed_and_needs_it_once() {
    podid_runtime::process::init();
    let registry = TestRegistry::start(Asks::Nothing);
    let nobody = tempfile::tempdir().unwrap();
    let first = said(&push(&registry, nobody.path(), &["--plain-http"]));
    assert!(!first.contains("was there already"), "{first}");
    for program in [ShippedProgram::Podid, ShippedProgram::PodidOperator] {
        let digest = summary(&images(), program)["digest"]
            .as_str()
            .unwrap()
            .to_owned();
        let name = format!(
            "{}/team/{}@{digest} pushed",
            registry.name(),
            program.name()
        );
        assert!(first.contains(&name), "{first}");
        let repository = format!("team/{}", program.name());
        let by_digest = read(&registry.url(&format!("{repository}/manifests/{digest}"))).await;
        assert_eq!(sha256(&by_digest), digest);
        let version = podid_runtime::build_info::RELEASE;
        let by_tag = read(&registry.url(&format!("{repository}/manifests/{version}"))).await;
        assert_eq!(by_tag, by_digest);
        let manifest: Value = serde_json::from_slice(&by_digest).unwrap();
        for descriptor in [&manifest["config"], &manifest["layers"][0]] {
            let digest = descriptor["digest"].as_str().unwrap();
            let blob = read(&registry.url(&format!("{repository}/blobs/{digest}"))).await;
            assert_eq!(sha256(&blob), digest);
        }
    }
    let second = said(&push(&registry, nobody.path(), &["--plain-http"]));
    assert_eq!(second.matches("was there already").count(), 2, "{second}");
    // Another tag is a new name for what is there, not a new image.
    let third = said(&push(
        &registry,
        nobody.path(),
        &["--plain-http", "--tag=next"],
    ));
    assert!(!third.contains("was there already"), "{third}");
    let next = read(&registry.url("team/podid/manifests/next")).await;
    assert_eq!(
        sha256(&next),
        summary(&images(), ShippedProgram::Podid)["digest"]
            .as_str()
            .unwrap()
    );
}

#[test]
fn credentials_of_docker_login_are_used() {
    let registry = TestRegistry::start(Asks::Password);
    let settings = tempfile::tempdir().unwrap();
    let login = |password: &str| {
        let auth = STANDARD.encode(format!("pusher:{password}"));
        let config = serde_json::json!({"auths": {registry.name(): {"auth": auth}}});
        std::fs::write(settings.path().join("config.json"), config.to_string()).unwrap();
    };
    login("wrong");
    let refused = why(&push(&registry, settings.path(), &["--plain-http"]));
    assert!(
        refused.contains("docker login") && refused.contains(&registry.name()),
        "{refused}"
    );
    assert!(!refused.contains("wrong"), "{refused}");
    login("secret");
    let done = said(&push(&registry, settings.path(), &["--plain-http"]));
    assert_eq!(done.matches(" pushed").count(), 2, "{done}");
}

#[test]
fn a_registry_with_tls_is_used_when_its_certificate_is_trusted() {
    let registry = TestRegistry::start(Asks::Tls);
    let nobody = tempfile::tempdir().unwrap();
    let output = podid_image(nobody.path())
        .args(["podid", "--push", &registry.name(), "--output"])
        .arg(nobody.path())
        .env("SSL_CERT_FILE", registry.certificate())
        .output()
        .unwrap();
    assert!(said(&output).contains(&format!("{}/podid@sha256:", registry.name())));
}

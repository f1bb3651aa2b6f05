//! The page `docs/flux.md`, typed along.

use std::fs;
use std::process::Command;

use super::fixture::{Bare, CLIENT, SUBSCRIPTION};
use super::person::Person;
use crate::fixture::program;

/// The fenced `sh` blocks of the page.
fn commands() -> String {
    let page = fs::read_to_string("../docs/flux.md").unwrap();
    let blocks = page.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").unwrap().0);
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn its_commands_bootstrap_a_cluster_and_add_a_profile() {
    let bare = Bare::synced();
    let person = Person::new("");
    let cluster = concat!("cat <<'END'\n", include_str!("aks.json"), "\nEND");
    let account = "echo '{\"tenantId\": \"aaaaaaaa-0000-0000-0000-000000000001\"}'";
    let az = format!("if [ \"$1\" = account ]; then {account}; else\n{cluster}\nfi");
    person.script("az", &az);
    let path = std::env::join_paths(
        [person.home.path(), program().parent().unwrap()]
            .map(std::path::Path::to_owned)
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let script = format!(
        "set -euo pipefail\ngit clone --quiet \"$REPOSITORY\" fleet\n{}",
        commands()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(person.home.path())
        .env_clear()
        .env("PATH", path.unwrap())
        .env("HOME", person.home.path())
        .env("REPOSITORY", bare.path())
        .env("CLIENT_ID", CLIENT)
        .env("SUBSCRIPTION", SUBSCRIPTION)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        bare.last("add-podid").message(),
        Ok("Add podid to shop-prod\n")
    );
    let folder = person
        .home
        .path()
        .join("fleet/clusters/shop-prod/podid/profiles");
    let list = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
    assert!(list.ends_with("resources:\n- checkout.yaml\n"), "{list}");
    let profile = fs::read_to_string(folder.join("checkout.yaml")).unwrap();
    assert!(
        profile.contains("/subscriptions/${podid_subscription_id}/"),
        "{profile}"
    );
}

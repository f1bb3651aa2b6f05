//! The ConfigMaps of the manifests name every setting of the daemons once.

use std::collections::BTreeMap;
use std::fs;

use clap::{Command, CommandFactory};
use podid_tests::programs::repository;

/// Settings that the manifests take from the pod.
const OF_THE_POD: [&str; 3] = ["PODID_REPLICA", "PODID_NAMESPACE", "PODID_NODE_NAME"];
/// Settings whose value in a cluster is not the program's default.
const OTHERWISE: [&str; 3] = ["PODID_ADMIN_ADDR", "PODID_ADMIN_SOCKET", "PODID_LOG_FORMAT"];

/// What a file says of each setting: its value, `None` where it only names the setting.
fn settings(program: &str) -> BTreeMap<String, Option<String>> {
    let file = repository().join(format!("kustomize/base/{program}/settings.env"));
    let mut settings = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let named = line.trim_start_matches('#');
        if let Some((name, value)) = named
            .split_once('=')
            .filter(|_| named.starts_with("PODID_"))
        {
            let value = (named == line).then(|| value.to_owned());
            let twice = settings.insert(name.to_owned(), value);
            assert_eq!(twice, None, "{name} is there twice");
        }
    }
    settings
}

fn assert_complete(program: &str, command: &Command) {
    let settings = settings(program);
    let mut known = 0;
    for argument in command.get_arguments() {
        let Some(name) = argument.get_env().and_then(|name| name.to_str()) else {
            continue;
        };
        if OF_THE_POD.contains(&name) {
            continue;
        }
        known += 1;
        let value = settings
            .get(name)
            .unwrap_or_else(|| panic!("{program} lacks {name}"));
        let default = argument.get_default_values().first();
        let default = default.map(|default| default.to_string_lossy().into_owned());
        if !OTHERWISE.contains(&name) {
            assert_eq!(*value, default, "{name}");
        }
    }
    assert_eq!(settings.len(), known, "{program}: {settings:?}");
}

#[test]
fn every_setting_of_the_daemons_is_named_once_with_its_default() {
    assert_complete("operator", &podid_operator::args::Args::command());
    let daemon = podid_nmi::args::Args::command();
    assert_complete("nmi", daemon.find_subcommand("run").unwrap());
}

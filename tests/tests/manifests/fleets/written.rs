//! What `podid` writes into a fleet's repository, and what it then plans.

use podid::Exit;

use super::example::fleet;
use super::{Fleet, PROFILE};

#[test]
fn podid_is_bootstrapped_beside_what_is_there() {
    let fleet = fleet();
    let bare = tempfile::tempdir().unwrap();
    let (from, to) = (fleet.folder.path(), bare.path().join("fleet.git"));
    fleet.git(&[
        "clone",
        "--quiet",
        "--bare",
        from.to_str().unwrap(),
        to.to_str().unwrap(),
    ]);
    let to = to.to_str().unwrap();
    let guid = "99999999-2222-3333-4444-555555555555";
    let bootstrap = |cluster_path: &str| {
        let facts = [
            ["--cluster", "production"],
            ["--tenant", guid],
            ["--subscription", guid],
            ["--resource-group", "identities"],
            ["--node-resource-group", "MC_shop"],
            ["--location", "northeurope"],
            ["--client-id", guid],
            ["--chart", "oci://registry.example.com/podid"],
            ["--class", "shop"],
            ["--author", "Platform <platform@example.com>"],
            ["--allow-namespace", "podinfo"],
        ];
        let base = [
            "bootstrap",
            "git",
            "--repo",
            to,
            "--cluster-path",
            cluster_path,
        ];
        Fleet::podid(&[&base[..], facts.as_flattened()].concat())
    };
    let (exit, out, err) = bootstrap("./clusters/production/");
    assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{out}");
    assert!(
        !out.contains("flux bootstrap"),
        "Flux syncs this path: {out}"
    );
    let (exit, out, _) = bootstrap("clusters/production");
    assert_eq!(exit, Exit::Done);
    assert!(out.contains("up to date"), "{out}");

    fleet.git(&["pull", "--quiet", "--ff-only", to, "main"]);
    let changed = fleet.git(&["diff", "--name-only", "HEAD~1..HEAD"]);
    assert!(
        changed
            .lines()
            .all(|path| path.starts_with("clusters/production/podid/")),
        "{changed}"
    );
    // A profile of the new layer, and those that were there.
    let profile = PROFILE
        .replace("standard", "shop")
        .replace("name: podinfo", "name: reports\n  namespace: podinfo");
    let profile = profile
        .replace("  access:\n", "")
        .split("    - role")
        .next()
        .unwrap()
        .to_owned();
    let list = "clusters/production/podid/profiles/kustomization.yaml";
    let text = std::fs::read_to_string(fleet.path(list)).unwrap();
    let listed = text.replace("resources: []", "resources:\n- reports.yaml");
    fleet.commit(&[
        (list, &listed),
        ("clusters/production/podid/profiles/reports.yaml", &profile),
    ]);
    assert_eq!(
        fleet.plan_range("HEAD~1..HEAD").profiles(),
        [
            "clusters/production podinfo/podinfo Unchanged",
            "clusters/production podinfo/reports Added",
            "clusters/staging podinfo/podinfo Unchanged",
        ]
    );
    let notes = fleet.plan("clusters/production").notes();
    assert_eq!(notes, "null");
}

#[test]
fn profiles_are_written_beside_the_rest() {
    let fleet = fleet();
    let repo = fleet.folder.path().display().to_string();
    let create = |name: &str, path: &str| {
        let arguments = [
            "profile", "create", name, "-n", "podinfo", "--class", "standard", "--repo", &repo,
            "--path", path,
        ];
        let (exit, out, err) = Fleet::podid(&arguments);
        assert_eq!(exit, Exit::Done, "{out}{err}");
    };
    create("reports", "apps/base/podinfo/reports.yaml");
    assert_eq!(
        fleet.plan_range("HEAD~1..HEAD").profiles(),
        [
            "clusters/production podinfo/podinfo Unchanged",
            "clusters/production podinfo/reports Added",
            "clusters/staging podinfo/podinfo Unchanged",
            "clusters/staging podinfo/reports Added",
        ]
    );
    let (exit, out, err) = Fleet::podid(&["profile", "list", &repo]);
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    for words in ["-/podinfo", "podinfo/reports"] {
        assert!(out.contains(words), "{out}");
    }
    let edit = [
        "profile",
        "edit",
        "reports",
        "-n",
        "podinfo",
        "--repo",
        &repo,
        "--add-access",
        "Key Vault Secrets User=/subscriptions/s",
    ];
    let (exit, out, err) = Fleet::podid(&edit);
    assert_eq!(exit, Exit::Done, "{out}{err}");
    let delete = [
        "profile", "delete", "reports", "-n", "podinfo", "--repo", &repo,
    ];
    let (exit, out, err) = Fleet::podid(&delete);
    assert_eq!(exit, Exit::Done, "{out}{err}");
    assert_eq!(
        fleet.plan_range("HEAD~1..HEAD").profiles(),
        [
            "clusters/production podinfo/podinfo Unchanged",
            "clusters/production podinfo/reports Deleted -s",
            "clusters/staging podinfo/podinfo Unchanged",
            "clusters/staging podinfo/reports Deleted -s",
        ]
    );
}

//! What `podid` makes of whole repositories, in the layouts that Flux's documentation and its examples have, with
//! the real kustomize.

mod apps;
mod broken;
mod example;
mod release;
mod tenants;
mod written;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use podid::Exit;
use podid_tests::manifests::toolset;
use serde_json::Value;
use tempfile::TempDir;

/// A class that admits profiles of `team-a` and `podinfo`.
const CLASS: &str = "\
apiVersion: podid.dev/v1alpha1
kind: PodIdentityClass
metadata: {name: standard}
spec:
  clusterName: CLUSTER
  tenantId: 11111111-2222-3333-4444-555555555555
  subscriptionId: 99999999-2222-3333-4444-555555555555
  resourceGroup: identities
  location: westeurope
  nodeResourceGroup: MC_prod
  nodeGrants: {principalId: 77777777-2222-3333-4444-555555555555}
  limits:
    namespaces: {names: [podinfo, team-a]}
    access:
      - role: Key Vault Secrets User
        scopes: [/subscriptions/s]
";

/// A profile that names no namespace.
const PROFILE: &str = "\
apiVersion: podid.dev/v1alpha1
kind: PodIdentityProfile
metadata:
  name: podinfo
spec:
  className: standard
  access:
    - role: Key Vault Secrets User
      scope: /subscriptions/s/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/base
";

/// A clone of a fleet's repository.
struct Fleet {
    folder: TempDir,
}

impl Fleet {
    /// With these files in a first commit.
    fn new(files: &[(&str, &str)]) -> Self {
        let fleet = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fleet.git(&["init", "--quiet", "-b", "main"]);
        fleet.git(&["remote", "add", "origin", "git@github.com:shop/fleet.git"]);
        fleet.git(&["config", "commit.gpgsign", "false"]);
        fleet.git(&["config", "user.name", "Shop"]);
        fleet.git(&["config", "user.email", "shop@example.com"]);
        fleet.commit(files);
        fleet
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// What git says.
    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        let command = command.arg("-C").arg(self.folder.path()).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Commits these files.
    fn commit(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "Next"]);
    }

    /// `podid` with these arguments: its exit code, output and errors.
    fn podid(arguments: &[&str]) -> (Exit, String, String) {
        let line = ["podid"].iter().chain(arguments).map(OsString::from);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = podid::run(line, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (exit, text(out), text(err))
    }

    /// The plan of a folder.
    fn plan(&self, folder: &str) -> Plan {
        let folder = self.path(folder).display().to_string();
        Plan::of(&[&folder])
    }

    /// The plan of a range of commits.
    fn plan_range(&self, range: &str) -> Plan {
        let repo = self.folder.path().display().to_string();
        Plan::of(&[range, "--repo", &repo])
    }
}

/// A plan that was made.
struct Plan(Value);

impl Plan {
    fn of(arguments: &[&str]) -> Self {
        let (exit, out, err) = plan(arguments);
        assert!(matches!(exit, Exit::Changes | Exit::Done), "{out}{err}");
        Self(serde_json::from_str(&out).unwrap())
    }

    /// The profiles, each as `CLUSTER NAMESPACE/NAME CHANGE`, with the scopes that it gains and loses.
    fn profiles(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let vaults = |rights: &Value, sign: &str| {
            let rights = rights.as_array().unwrap().iter();
            let vaults = rights.map(|right| {
                let scope = text(&right["scope"]);
                format!(" {sign}{}", scope.rsplit('/').next().unwrap())
            });
            vaults.collect::<String>()
        };
        let profiles = self.0["profiles"].as_array().unwrap().iter();
        let named = profiles.map(|plan| {
            let (gained, lost) = (&plan["rights"]["gained"], &plan["rights"]["lost"]);
            format!(
                "{} {}/{} {}{}{}",
                text(&plan["cluster"]),
                text(&plan["namespace"]),
                text(&plan["profile"]),
                text(&plan["change"]),
                vaults(gained, "+"),
                vaults(lost, "-"),
            )
        });
        named.collect()
    }

    fn notes(&self) -> String {
        self.0["notes"].to_string()
    }
}

fn plan(arguments: &[&str]) -> (Exit, String, String) {
    let kustomize = toolset().bin("kustomize").display().to_string();
    let base = ["plan", "-o", "json", "--kustomize", &kustomize];
    Fleet::podid(&[&base[..], arguments].concat())
}

/// A Kustomization of Flux's in `flux-system`, with further fields of its spec.
fn kustomization(name: &str, path: &str, fields: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {name}
  namespace: flux-system
spec:
  interval: 1h
  retryInterval: 2m
  timeout: 5m
  sourceRef:
    kind: GitRepository
    name: flux-system
  path: {path}
  prune: true
  wait: true
{fields}"
    )
}

/// What `flux bootstrap` writes into the folder of a cluster; its components have more than 10,000 lines.
fn bootstrapped(cluster: &str) -> [(String, String); 3] {
    let mut components = String::new();
    for kind in 0..20 {
        components += &format!(
            "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\n  name: kinds{kind}.example.toolkit.fluxcd.io\nspec:\n  group: example.toolkit.fluxcd.io\n  names: {{kind: Kind{kind}, plural: kinds{kind}}}\n  scope: Namespaced\n  versions:\n    - name: v1\n      schema:\n        openAPIV3Schema:\n          description: As in ${{undefined}}.\n          properties:\n"
        );
        for field in 0..250 {
            components += &format!(
                "            field{field}:\n              description: Text.\n              type: string\n"
            );
        }
    }
    assert!(components.lines().count() > 10_000);
    let folder = format!("clusters/{cluster}/flux-system");
    let sync = "apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m0s
  ref:
    branch: main
  secretRef:
    name: flux-system
  url: ssh://git@github.com/shop/fleet
---
"
    .to_owned()
        + &kustomization("flux-system", &format!("./clusters/{cluster}"), "");
    let own = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- gotk-components.yaml\n- gotk-sync.yaml\n";
    [
        (format!("{folder}/gotk-components.yaml"), components),
        (format!("{folder}/gotk-sync.yaml"), sync),
        (format!("{folder}/kustomization.yaml"), own.to_owned()),
    ]
}

/// Both as one list.
fn with<'a>(
    owned: &'a [(String, String)],
    files: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let owned = owned.iter();
    let owned = owned.map(|(path, text)| (path.as_str(), text.as_str()));
    owned.chain(files.iter().copied()).collect()
}

//! `podid plan --live`: the profiles and classes of a cluster in the place of an older version of the files.

mod cluster;
pub(super) mod error;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use kube::ResourceExt;
use podid_crds::podid::PodIdentityProfile;

use super::declared::Declared;
use super::earlier::Earlier;
use super::input::Input;
use cluster::Found;
use error::LiveError;

/// Flags about the cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct LiveArgs {
    /// Compare with the profiles of the cluster, which are only read
    #[arg(long)]
    live: bool,

    /// With --live: profiles of the cluster that PATH does not hold count as deleted. Without it only those
    /// do that a Kustomization of PATH would prune
    #[arg(long, requires = "live")]
    prune: bool,

    /// With --live: file that says how to reach the cluster [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", requires = "live")]
    kubeconfig: Option<PathBuf>,

    /// With --live: context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "live")]
    context: Option<String>,
}

/// Reads the cluster, if it is asked for.
pub(super) fn read(
    args: &LiveArgs,
    inputs: &[Input],
    default_namespace: &str,
) -> Result<Option<Found>, LiveError> {
    if !args.live {
        return Ok(None);
    }
    match inputs {
        [only] if only.old.is_some() => return Err(LiveError::Range),
        [] | [_] => {}
        [first, ..] => {
            return Err(LiveError::Several {
                count: inputs.len(),
                example: first.cluster.clone().unwrap_or_default(),
            });
        }
    }
    let profiles = inputs.iter().flat_map(|input| &input.new.profiles);
    let namespaces = profiles.map(|profile| {
        let own = profile.object.namespace();
        own.unwrap_or_else(|| default_namespace.to_owned())
    });
    let (kubeconfig, context) = (args.kubeconfig.as_deref(), args.context.as_deref());
    let found = cluster::read(kubeconfig, context, &namespaces.collect())?;
    Ok(Some(found))
}

impl Found {
    /// Makes the cluster the earlier version of `input`, which gets what only the cluster knows: classes that it
    /// does not hold, and labels of namespaces.
    pub(super) fn compare(mut self, args: &LiveArgs, input: &mut Input) {
        let new = &mut input.new;
        // Those that the user may not read there are taken to be as in the files.
        for (name, class) in &new.classes {
            self.declared
                .classes
                .entry(name.clone())
                .or_insert_with(|| class.clone());
        }
        for (name, class) in &self.declared.classes {
            new.classes
                .entry(name.clone())
                .or_insert_with(|| class.clone());
        }
        for (name, labels) in &self.declared.namespaces {
            new.namespaces
                .entry(name.clone())
                .or_insert_with(|| labels.clone());
        }
        let stay: BTreeSet<_> = self
            .declared
            .profiles
            .iter()
            .filter(|profile| !args.prune && !would_prune(&profile.object, new))
            .map(|profile| {
                let namespace = profile.object.namespace().unwrap_or_default();
                (namespace, profile.object.name_any())
            })
            .collect();
        new.notes.extend(self.notes);
        new.notes.extend(left_alone(&stay, new));
        input.old = Some(Earlier {
            declared: self.declared,
            name: "the cluster".to_owned(),
            is_cluster: true,
            stay,
        });
    }
}

/// Whether a Kustomization of the tree has applied the profile, and deletes it when it is gone from there.
fn would_prune(profile: &PodIdentityProfile, new: &Declared) -> bool {
    const GROUP: &str = "kustomize.toolkit.fluxcd.io";
    let label = |name: &str| profile.labels().get(&format!("{GROUP}/{name}"));
    let (Some(name), Some(namespace)) = (label("name"), label("namespace")) else {
        return false;
    };
    let switch = profile.annotations().get(&format!("{GROUP}/prune"));
    new.prune.contains(&format!("{namespace}/{name}")) && switch.is_none_or(|it| it != "disabled")
}

/// How many profiles stay that the new version does not have.
fn left_alone(stay: &BTreeSet<(String, String)>, new: &Declared) -> Option<String> {
    let has = |namespace: &str, name: &str| {
        new.profiles.iter().any(|it| {
            let own = it.object.namespace();
            it.object.name_any() == name && own.is_none_or(|own| own == namespace)
        })
    };
    let others: Vec<String> = stay
        .iter()
        .filter(|(namespace, name)| !has(namespace, name))
        .map(|(namespace, name)| format!("{namespace}/{name}"))
        .collect();
    let first = others.first()?;
    Some(match others.len() {
        1 => format!(
            "profile {first} of the cluster is not in these files and stays as it is; with --prune it counts as \
             deleted"
        ),
        count => format!(
            "{count} profiles of the cluster, {first} among them, are not in these files and stay as they are; \
             with --prune they count as deleted"
        ),
    })
}

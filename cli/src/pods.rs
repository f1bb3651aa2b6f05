//! `podid pods`: the pods of a cluster that break a rule about `NET_RAW` or the namespaces of their node.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Client, Resource, ResourceExt};
use podid_core::binding::{BindingScope, LegacyIdentities, ServingRules, is_completed};
use podid_core::broken_rule::{BrokenRule, ClusterRules};
use podid_core::class::Neighbour;
use podid_core::net_raw::{NetRaw, describe, remedy};
use podid_crds::aadpodidentity::{AzureIdentity, AzureIdentityBinding};
use podid_crds::convert;
use podid_crds::podid::PodIdentityClass;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cluster::{self, ClusterError, FORBIDDEN, has_code};
use crate::output::{self, DIM, Format, NOTE, paint};

/// What helps where the user lacks a right.
const VIEW: &str =
    "; the role view in the whole cluster allows it, or name a namespace with --namespace";

/// `podid pods`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PodsArgs {
    /// Only pods of this namespace [default: all]
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// Namespace of podid, whose pods no class asks anything of
    #[arg(long, value_name = "NAMESPACE", default_value = "podid-system")]
    podid_namespace: String,

    /// Whether the operator runs with --force-namespaced
    #[arg(long)]
    force_namespaced: bool,

    /// What podid runs with as --legacy-identities: Any, WithinClass or None
    #[arg(long, value_name = "RULE", default_value = "Any")]
    legacy_identities: LegacyIdentities,

    /// What podid runs with as --legacy-net-raw: Ignore, Audit or Enforce
    #[arg(long, value_name = "RULE", default_value = "Ignore")]
    legacy_net_raw: NetRaw,

    /// File that says how to reach the cluster [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// Form of the output
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

const EXAMPLES: &str = "\
Those are pods that are older than their profile or class, and with Audit also new ones. The cluster is only read.

Examples:
  podid pods
  podid pods --namespace payments -o json";

/// Why the pods cannot be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PodsError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the cluster has no namespace {0}; check --namespace and --context")]
    NoNamespace(String),
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

/// A pod that breaks rules.
#[derive(Debug, Serialize)]
struct ListedPod {
    namespace: String,
    name: String,
    rules: Vec<BrokenRule>,
    /// In which ways.
    why: String,
    /// What to change in its template.
    remedy: String,
}

#[derive(Debug, Default, Serialize)]
struct List {
    pods: Vec<ListedPod>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Lists the pods that break a rule.
pub(crate) fn pods(args: &PodsArgs, out: &mut dyn Write) -> Result<(), PodsError> {
    let list = cluster::block_on(read(args))?;
    output::formatted(&list, args.output, out, List::text)?;
    Ok(())
}

async fn read(args: &PodsArgs) -> Result<List, PodsError> {
    let client = cluster::client(args.kubeconfig.as_deref(), args.context.as_deref()).await?;
    let (client, mut list) = (&client, List::default());
    let namespace = args.namespace.as_deref();
    let identities: Vec<AzureIdentity> = all_or_own(client, namespace, &mut list).await?;
    let bindings: Vec<AzureIdentityBinding> = all_or_own(client, namespace, &mut list).await?;
    let classes: Vec<PodIdentityClass> = if_allowed(client, &mut list).await?;
    let namespaces: Vec<Namespace> = if_allowed(client, &mut list).await?;
    let labels = namespaces.into_iter().map(|namespace| {
        let labels = namespace.labels().clone();
        (namespace.name_any(), labels)
    });
    let labels: BTreeMap<_, _> = labels.collect();
    // None at all where the user may not list them.
    if let Some(name) = namespace
        && !labels.is_empty()
        && !labels.contains_key(name)
    {
        return Err(PodsError::NoNamespace(name.to_owned()));
    }
    let rules = ClusterRules {
        identities: identities.iter().filter_map(convert::identity).collect(),
        bindings: bindings.iter().filter_map(convert::binding).collect(),
        classes: classes.iter().map(convert::class).collect(),
        serving: ServingRules {
            scope: match args.force_namespaced {
                true => BindingScope::Namespace,
                false => BindingScope::Cluster,
            },
            legacy: args.legacy_identities,
            legacy_net_raw: args.legacy_net_raw,
        },
        own_namespace: args.podid_namespace.clone(),
    };
    let pods: Vec<Pod> = all(client, namespace, &mut list).await?;
    let found = pods.iter().filter_map(|pod| listed(pod, &labels, &rules));
    list.pods = found.collect();
    Ok(list)
}

fn listed(
    object: &Pod,
    namespaces: &BTreeMap<String, BTreeMap<String, String>>,
    rules: &ClusterRules,
) -> Option<ListedPod> {
    let status = object.status.as_ref();
    if is_completed(status.and_then(|status| status.phase.as_deref())) {
        return None;
    }
    let (pod, none) = (convert::pod(object), BTreeMap::new());
    let spec = object.spec.as_ref();
    let neighbour = Neighbour {
        namespace: &pod.namespace,
        namespace_labels: namespaces.get(&pod.namespace).unwrap_or(&none),
        node_selector: spec
            .and_then(|spec| spec.node_selector.as_ref())
            .unwrap_or(&none),
    };
    let broken = rules.broken_by(&pod, &neighbour);
    (!broken.rules.is_empty()).then(|| ListedPod {
        rules: broken.rules,
        why: describe(&broken.breaches),
        remedy: remedy(&broken.breaches),
        namespace: pod.namespace,
        name: pod.name,
    })
}

/// All objects of a kind; one that this version cannot read is noted.
async fn all<K>(
    client: &Client,
    namespace: Option<&str>,
    list: &mut List,
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let listed = cluster::list::<K>(client, namespace).await;
    let listed = listed.map_err(|error| ClusterError::list::<K>(error, VIEW))?;
    let mut read = Vec::new();
    for value in listed {
        let name = format!(
            "{}/{}",
            value["metadata"]["namespace"], value["metadata"]["name"]
        );
        match serde_json::from_value(value) {
            Ok(object) => read.push(object),
            Err(error) => {
                let kind = K::kind(&());
                let note = format!("{kind} {name} cannot be read and is left out: {error}");
                list.notes.push(note.replace('"', ""));
            }
        }
    }
    Ok(read)
}

/// The same of a kind whose objects may concern pods of other namespaces. Who may list those of one namespace only, and
/// asks for that one, gets those.
async fn all_or_own<K>(
    client: &Client,
    namespace: Option<&str>,
    list: &mut List,
) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    match (all(client, None, list).await, namespace) {
        (Err(ClusterError::List { source, kinds, .. }), Some(namespace))
            if has_code(&source, FORBIDDEN) =>
        {
            let note = format!(
                "you may not list {kinds} of other namespaces; pods that those bind may be missing here"
            );
            list.notes.push(note);
            all(client, Some(namespace), list).await
        }
        (read, _) => read,
    }
}

/// The same of a kind that belongs to the cluster, which not everybody may read.
async fn if_allowed<K>(client: &Client, list: &mut List) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    match all(client, None, list).await {
        Err(ClusterError::List { source, kinds, .. }) if has_code(&source, FORBIDDEN) => {
            let note =
                format!("you may not list {kinds}; what classes ask of pods may be missing here");
            list.notes.push(note);
            Ok(Vec::new())
        }
        read => read,
    }
}

impl ListedPod {
    fn cells(&self) -> [String; 4] {
        let rules = self.rules.iter();
        let rules: Vec<String> = rules
            .map(|one| format!("{} ({:?})", one.of, one.rule))
            .collect();
        let pod = format!("{}/{}", self.namespace, self.name);
        [pod, rules.join(", "), self.why.clone(), self.remedy.clone()]
    }
}

impl List {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.pods.is_empty() {
            writeln!(
                out,
                "no pod breaks a rule about NET_RAW or the namespaces of its node"
            )?;
        }
        for pod in &self.pods {
            let [pod, rules, why, remedy] = pod.cells();
            writeln!(out, "{pod}")?;
            writeln!(out, "  {} {rules}", paint(DIM, "rule of"))?;
            writeln!(out, "  {} {why}", paint(DIM, "because"))?;
            writeln!(out, "  {} {remedy}", paint(DIM, "to mend"))?;
        }
        for note in &self.notes {
            writeln!(out, "{} {note}", paint(NOTE, "note"))?;
        }
        Ok(())
    }
}

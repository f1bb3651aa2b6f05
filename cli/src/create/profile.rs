//! A profile from flags.

use clap::Args;
use podid_core::net_raw::NetRaw;
use podid_core::profile::{CreationPolicy, DeletionPolicy, Drift};
use podid_crds::podid::{AccessRule, BindingSpec, IdentitySpec, PodIdentityProfileSpec};
use serde_json::{Value, json};

use super::destination::DestinationArgs;
use super::values::{access, choice, named, net_raw, role_notes, unless_empty};
use crate::document;

/// `podid profile create`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProfileArgs {
    /// Name of the profile
    pub(super) name: String,

    /// Namespace of the profile and of the pods it is for
    #[arg(long, short, value_name = "NAMESPACE", default_value = "default")]
    pub(super) namespace: String,

    /// Class that holds the facts and limits of the environment
    #[arg(long, value_name = "CLASS")]
    class: String,

    /// What the identity may do, as ROLE=SCOPE, where SCOPE is an ARM id or a name in the scopes of the class; can be
    /// given again
    #[arg(long, value_name = "ROLE=SCOPE", value_parser = access)]
    access: Vec<AccessRule>,

    /// Value of the pod label aadpodidbinding [default: the profile's name]
    #[arg(long, value_name = "VALUE")]
    selector: Option<String>,

    /// Only pods of this service account; can be given again
    #[arg(long, value_name = "NAME")]
    service_account: Vec<String>,

    /// Whether its pods must drop NET_RAW [default: Enforce]
    #[arg(
        long, ignore_case = true, value_name = "MODE",
        value_parser = net_raw()
    )]
    net_raw: Option<NetRaw>,

    /// Azure name of the identity [default: derived from cluster, namespace and profile]
    #[arg(long, value_name = "NAME")]
    identity_name: Option<String>,

    /// Adopt this identity instead of creating one
    #[arg(long, value_name = "ARM-ID", conflicts_with = "identity_name")]
    resource_id: Option<String>,

    /// Azure tag of a created identity; can be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    tag: Vec<(String, String)>,

    /// What becomes of the identity with the profile [default: Delete]
    #[arg(
        long, ignore_case = true, value_name = "POLICY",
        value_parser = choice::<DeletionPolicy>(&["Delete", "Retain"])
    )]
    deletion_policy: Option<DeletionPolicy>,

    /// How long pods keep the identity after the profile is deleted, at most 1h [default: 30s]
    #[arg(long, value_name = "DURATION")]
    deletion_grace_period: Option<String>,

    /// Whether the identity may exist already [default: Create, or Adopt with --resource-id]
    #[arg(
        long, ignore_case = true, value_name = "POLICY",
        value_parser = choice::<CreationPolicy>(&["Create", "Adopt", "CreateOrAdopt"])
    )]
    creation_policy: Option<CreationPolicy>,

    /// Mend differences from Azure, or only report them [default: Enforce]
    #[arg(
        long, ignore_case = true, value_name = "MODE",
        value_parser = choice::<Drift>(&["Enforce", "Observe"])
    )]
    drift: Option<Drift>,

    /// How often to compare with Azure, at least 1m, for example 10m
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,

    #[command(flatten)]
    pub(super) destination: DestinationArgs,
}

const EXAMPLES: &str = "\
Examples:
  An identity that reads one vault's secrets, for pods labelled aadpodidbinding=checkout:
    podid profile create checkout -n payments --class standard \\
      --access \"Key Vault Secrets User=/subscriptions/…/vaults/payments\"

  Adopt an identity that exists:
    podid profile create legacy -n payments --class standard \\
      --resource-id /subscriptions/…/userAssignedIdentities/legacy";

impl ProfileArgs {
    /// The object, as it will be committed.
    pub(super) fn object(&self) -> serde_json::Result<Value> {
        let metadata = json!({"name": self.name, "namespace": self.namespace});
        document::manifest(
            "podid.dev/v1alpha1",
            "PodIdentityProfile",
            metadata,
            &self.spec(),
            &[("netRaw", "Enforce"), ("drift", "Enforce")],
        )
    }

    /// What its author should know about it.
    pub(super) fn notes(&self) -> Vec<String> {
        role_notes(&self.access)
    }

    fn spec(&self) -> PodIdentityProfileSpec {
        let identity = IdentitySpec {
            name: self.identity_name.clone(),
            resource_id: self.resource_id.clone(),
            tags: unless_empty(&self.tag).map(|tags| tags.into_iter().collect()),
            deletion_policy: self.deletion_policy,
            creation_policy: self.creation_policy,
        };
        let binding = BindingSpec {
            selector: self.selector.clone(),
            service_accounts: unless_empty(&self.service_account),
        };
        PodIdentityProfileSpec {
            class_name: self.class.clone(),
            identity: (identity != IdentitySpec::default()).then_some(identity),
            access: unless_empty(&self.access),
            binding: (binding != BindingSpec::default()).then_some(binding),
            backend: None,
            net_raw: self.net_raw.unwrap_or_default(),
            drift: self.drift.unwrap_or_default(),
            interval: self.interval.clone(),
            deletion_grace_period: self.deletion_grace_period.clone(),
            suspend: None,
        }
    }
}

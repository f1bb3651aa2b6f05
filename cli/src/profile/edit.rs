//! `podid profile edit`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use podid_core::arm::ArmId;
use podid_core::net_raw::NetRaw;
use podid_core::profile::{DeletionPolicy, Drift};
use podid_core::role::Role;
use podid_crds::check;
use podid_crds::podid::AccessRule;
use serde_json::{Value, json};

use super::changes::EditError;
use super::find::{self, Found};
use crate::create::values::{access, choice, named, net_raw};
use crate::report::{self, CommitArgs};
use crate::repository::{RepositoryError, Worktree};
use crate::yaml;
use crate::yaml::edit::Edit;

/// `podid profile edit`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EditArgs {
    /// Name of the profile
    name: String,

    /// Namespace of the profile
    #[arg(long, short, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,

    /// File that holds it, relative to the root of the working tree [default: searched for]
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,

    /// Another class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,

    /// One right more, as ROLE=SCOPE; can be given again
    #[arg(long, value_name = "ROLE=SCOPE", value_parser = access)]
    add_access: Vec<AccessRule>,

    /// One right less, as ROLE=SCOPE; can be given again
    #[arg(long, value_name = "ROLE=SCOPE", value_parser = access)]
    remove_access: Vec<AccessRule>,

    /// Value of the pod label aadpodidbinding
    #[arg(long, value_name = "VALUE")]
    selector: Option<String>,

    /// One service account more; can be given again
    #[arg(long, value_name = "NAME")]
    add_service_account: Vec<String>,

    /// One service account less; can be given again
    #[arg(long, value_name = "NAME")]
    remove_service_account: Vec<String>,

    /// Azure tag of the identity; can be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    tag: Vec<(String, String)>,

    /// Whether its pods must drop NET_RAW
    #[arg(
        long, ignore_case = true, value_name = "MODE",
        value_parser = net_raw()
    )]
    net_raw: Option<NetRaw>,

    /// What becomes of the identity with the profile
    #[arg(
        long, ignore_case = true, value_name = "POLICY",
        value_parser = choice::<DeletionPolicy>(&["Delete", "Retain"])
    )]
    deletion_policy: Option<DeletionPolicy>,

    /// How long pods keep the identity after the profile is deleted, at most 1h
    #[arg(long, value_name = "DURATION")]
    deletion_grace_period: Option<String>,

    /// Mend differences from Azure, or only report them
    #[arg(
        long, ignore_case = true, value_name = "MODE",
        value_parser = choice::<Drift>(&["Enforce", "Observe"])
    )]
    drift: Option<Drift>,

    /// How often to compare with Azure, at least 1m
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,

    /// Stop or resume all work on it
    #[arg(long, value_name = "BOOL")]
    suspend: Option<bool>,

    /// Take a field away, as spec.interval; can be given again
    #[arg(long, value_name = "FIELD")]
    unset: Vec<String>,

    #[command(flatten)]
    commit: CommitArgs,
}

const EXAMPLES: &str = "\
Comments, order and quotes of the file stay as they are.

Examples:
  podid profile edit checkout -n payments --add-access \"Reader=/subscriptions/…\" --dry-run
  podid profile edit checkout -n payments --selector web --unset spec.interval";

/// Changes a profile in its file, and commits that.
pub(crate) fn edit(args: &EditArgs, out: &mut dyn Write) -> Result<(), EditError> {
    let worktree = Worktree::open(&args.commit.repo)?;
    let found = one(&worktree, args.path.as_ref(), &args.namespace, &args.name)?;
    let edits = args.edits(&found.object.value);
    if edits.is_empty() {
        return Err(EditError::Nothing);
    }
    let at = editable(&found, &worktree, &args.commit)?;
    let path = &found.path;
    let text = worktree.read(path)?.unwrap_or_default();
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text.as_str()),
    };
    let mut new = body.to_owned();
    for edit in &edits {
        new = yaml::edit::edit(&new, at, edit).map_err(|source| EditError::Text {
            place: found.place(),
            source,
        })?;
    }
    refuse_worse(&found.object.value, &new, at, path)?;
    let change = worktree.change(path, format!("{mark}{new}"), true)?;
    let message = format!("Update {}", described(&found, &args.namespace));
    let report = report::carry_out(&args.commit, &worktree, &[change], message, Vec::new())?;
    report.print(args.commit.output, out)?;
    Ok(())
}

/// The one profile of this name, in the named file or anywhere in the tree.
pub(super) fn one(
    worktree: &Worktree,
    path: Option<&PathBuf>,
    namespace: &str,
    name: &str,
) -> Result<Found, EditError> {
    let search = match path {
        Some(path) => {
            let path = worktree.inside(path)?;
            find::Search {
                found: find::of_file(&worktree.root().join(&path), &path)?,
                notes: Vec::new(),
            }
        }
        None => find::profiles(worktree.root()),
    };
    search.only(namespace, name)
}

/// Which of its file's documents the profile is, if the file may be changed.
pub(super) fn editable(
    found: &Found,
    worktree: &Worktree,
    commit: &CommitArgs,
) -> Result<usize, EditError> {
    let at = found.at.ok_or_else(|| EditError::InList {
        place: found.place(),
    })?;
    if commit.commits() && worktree.is_dirty(&found.path)? {
        let path = found.path.clone();
        return Err(RepositoryError::Dirty { path }.into());
    }
    Ok(at)
}

/// As `PodIdentityProfile payments/checkout`, also when the file leaves the namespace out.
pub(super) fn described(found: &Found, namespace: &str) -> String {
    format!("PodIdentityProfile {namespace}/{}", found.object.name())
}

/// Refuses what the API server would refuse now and did not before. A base for overlays may be incomplete.
fn refuse_worse(before: &Value, new: &str, at: usize, path: &Path) -> Result<(), EditError> {
    let values = yaml::parse_values(path, new)?;
    let known = check::object(before)?;
    let after = check::object(values.get(at).unwrap_or(&Value::Null))?;
    let findings: Vec<_> = after.into_iter().filter(|it| !known.contains(it)).collect();
    if findings.is_empty() {
        Ok(())
    } else {
        Err(EditError::Invalid { findings })
    }
}

impl EditArgs {
    fn edits(&self, profile: &Value) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut set = |path: &[&'static str], value: Option<Value>| {
            edits.extend(value.map(|value| Edit::Set(path.to_vec(), value)));
        };
        set(
            &["spec", "className"],
            self.class.as_ref().map(|it| json!(it)),
        );
        set(
            &["spec", "binding", "selector"],
            self.selector.as_ref().map(|it| json!(it)),
        );
        set(&["spec", "netRaw"], self.net_raw.map(|it| json!(it)));
        set(
            &["spec", "identity", "deletionPolicy"],
            self.deletion_policy.map(|it| json!(it)),
        );
        set(&["spec", "drift"], self.drift.map(|it| json!(it)));
        set(
            &["spec", "interval"],
            self.interval.as_ref().map(|it| json!(it)),
        );
        set(
            &["spec", "deletionGracePeriod"],
            self.deletion_grace_period.as_ref().map(|it| json!(it)),
        );
        set(&["spec", "suspend"], self.suspend.map(|it| json!(it)));
        let tags = self.tag.iter();
        edits.extend(tags.map(|(name, value)| {
            Edit::SetKey(vec!["spec", "identity", "tags"], name.clone(), json!(value))
        }));
        let fields = self.unset.iter();
        edits
            .extend(fields.map(|field| Edit::Unset(field.split('.').map(str::to_owned).collect())));
        edits.extend(self.access_edits(profile));
        let accounts = || vec!["spec", "binding", "serviceAccounts"];
        let more = self.add_service_account.iter();
        edits.extend(more.map(|name| Edit::Add(accounts(), json!(name))));
        let less = self.remove_service_account.iter();
        edits.extend(less.map(|name| Edit::Remove(accounts(), json!(name))));
        edits
    }

    /// Rights are the same in any spelling: a role by name or GUID, a scope in any letter case.
    fn access_edits(&self, profile: &Value) -> Vec<Edit> {
        let items = profile["spec"]["access"].as_array();
        let as_written = |rule: &AccessRule| {
            let same = |item: &&Value| {
                let text = |field: &str| item[field].as_str().unwrap_or_default();
                Role::parse(text("role")).is(&Role::parse(&rule.role))
                    && ArmId::new(text("scope")) == ArmId::new(&rule.scope)
            };
            let found = items.into_iter().flatten().find(same).cloned();
            found.unwrap_or_else(|| json!({"role": rule.role, "scope": rule.scope}))
        };
        let path = || vec!["spec", "access"];
        let more = self.add_access.iter();
        let less = self.remove_access.iter();
        more.map(|rule| Edit::Add(path(), as_written(rule)))
            .chain(less.map(|rule| Edit::Remove(path(), as_written(rule))))
            .collect()
    }
}

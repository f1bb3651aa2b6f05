//! Reads old values and makes new ones.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::identities;
use super::rules::{Own, RULES, Rule};
use crate::yaml::Node;

/// The operator takes this taint off new nodes itself, so it must tolerate it.
const TAINT: &str = "podid.dev/not-ready";

/// A line of the old file that the author should look at.
#[derive(Debug, Serialize)]
pub(super) struct Note {
    pub(super) line: usize,
    /// As `mic.probePort`.
    pub(super) value: String,
    pub(super) why: String,
}

/// New values, and what there is to say about the old ones.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) values: Value,
    pub(super) notes: Vec<Note>,
}

impl Default for Migration {
    fn default() -> Self {
        Self {
            values: Value::Object(Map::new()),
            notes: Vec::new(),
        }
    }
}

impl Migration {
    /// Reads all old values; `root` is the same mapping with positions.
    pub(super) fn read(&mut self, old: &Value, root: &Node) {
        self.mapping("", old, root);
    }

    fn mapping(&mut self, prefix: &str, old: &Value, root: &Node) {
        for (key, value) in old.as_object().into_iter().flatten() {
            let path = match prefix {
                "" => key.clone(),
                prefix => format!("{prefix}.{key}"),
            };
            let rule = RULES.iter().find(|(known, _)| *known == path);
            let above = format!("{path}.");
            let has_rules = RULES.iter().any(|(known, _)| known.starts_with(&above));
            match (rule, value) {
                (_, Value::Null) => {}
                (Some((_, rule)), value) => self.apply(*rule, &path, value, root),
                (None, Value::Object(_)) if has_rules => self.mapping(&path, value, root),
                (None, _) => {
                    let why = "it is no value of aad-pod-identity's chart; podid leaves it out";
                    self.note(&path, root, why);
                }
            }
        }
    }

    fn apply(&mut self, rule: Rule, path: &str, value: &Value, root: &Node) {
        match rule {
            // An empty value is the old chart's default, and podid's own may be another.
            Rule::To(places) => {
                let places = places.iter().filter(|_| !text(value).is_empty());
                places.for_each(|to| self.set(to, value.clone()));
            }
            Rule::Text(places) => {
                let text = text(value);
                let places = places.iter().filter(|_| !text.is_empty());
                places.for_each(|to| self.set(to, text.clone().into()));
            }
            Rule::None(why) => {
                // An empty value asked for nothing.
                if !text(value).is_empty() {
                    self.note(path, root, why);
                }
            }
            Rule::Own(own) => self.own(own, path, value, root),
        }
    }

    fn own(&mut self, own: Own, path: &str, value: &Value, root: &Node) {
        let text = text(value);
        match own {
            Own::OperationMode if text == "managed" => {
                let why = "podid always assigns identities itself; identities that somebody else assigns need \
                           nothing of it but an AzureIdentity and a binding";
                self.note(path, root, why);
            }
            Own::OperationMode => {}
            Own::ForceNamespaced if text == "true" => {
                for daemon in ["operator", "nmi"] {
                    let to = format!("{daemon}.settings.forceNamespaced");
                    self.set(&to, "true".into());
                }
            }
            Own::ForceNamespaced => {}
            Own::UseMsi if text == "true" => self.managed_identity(path, root),
            Own::UseMsi => {}
            Own::ImmutableIdentities => self.immutable(path, value, root),
            Own::Disruptions => self.disruptions(value),
            Own::OperatorTolerations => {
                let mut tolerations = vec![json!({"key": TAINT, "operator": "Exists"})];
                tolerations.extend(value.as_array().into_iter().flatten().cloned());
                self.set("operator.tolerations", tolerations.into());
            }
            Own::LogVerbosity(daemon) => {
                if text.parse::<f64>().is_ok_and(|level| level > 0.0) {
                    self.set(&format!("{daemon}.settings.logLevel"), "debug".into());
                }
            }
            Own::LogFormat(daemon) => {
                if ["json", "text"].contains(&text.as_str()) {
                    self.set(&format!("{daemon}.settings.logFormat"), text.into());
                }
            }
            Own::Identities => self.identities(value, root),
        }
    }

    /// The operator signs in through the metadata service of its node. The node daemon would take the call of a
    /// pod, so the operator is on its node's network, where the daemon has the usual port.
    fn managed_identity(&mut self, path: &str, root: &Node) {
        let values = [
            ("settings.credential", json!("managed-identity")),
            ("settings.adminAddr", json!("0.0.0.0:8082")),
            ("hostNetwork", json!(true)),
            ("dnsPolicy", json!("ClusterFirstWithHostNet")),
        ];
        for (name, value) in values {
            self.set(&format!("operator.{name}"), value);
        }
        let why = "the operator asks its node for tokens, for which it is on the node's network, with another \
                   port; a federated credential needs neither";
        self.note(path, root, why);
    }

    /// Identities that are never taken off: the old chart has client ids, podid goes by resource ids.
    fn immutable(&mut self, path: &str, value: &Value, root: &Node) {
        let listed: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
        let (ids, others): (Vec<String>, Vec<String>) =
            listed.into_iter().partition(|id| id.starts_with('/'));
        if !ids.is_empty() {
            self.set(
                "operator.settings.immutableIdentities",
                ids.join(",").into(),
            );
        }
        if !others.is_empty() {
            let why = format!(
                "podid goes by resource ids; write those of {} into operator.settings.immutableIdentities",
                others.join(", ")
            );
            self.note(path, root, &why);
        }
    }

    fn disruptions(&mut self, value: &Value) {
        for (field, other) in [
            ("minAvailable", "maxUnavailable"),
            ("maxUnavailable", "minAvailable"),
        ] {
            if !value[field].is_null() {
                self.set("podDisruptionBudget.enabled", true.into());
                self.set(
                    &format!("podDisruptionBudget.{field}"),
                    value[field].clone(),
                );
                self.set(&format!("podDisruptionBudget.{other}"), "".into());
                return;
            }
        }
    }

    fn identities(&mut self, value: &Value, root: &Node) {
        let migrated = identities::migrate(value);
        for (path, why) in migrated.notes {
            self.note(&path, root, &why);
        }
        if !migrated.objects.is_empty() {
            self.set("extraObjects", migrated.objects.into());
        }
    }

    fn note(&mut self, path: &str, root: &Node, why: &str) {
        self.notes.push(Note {
            line: root.line_of(path),
            value: path.to_owned(),
            why: why.to_owned(),
        });
    }

    /// Sets a value of the new file, as `operator.replicaCount`.
    fn set(&mut self, path: &str, value: Value) {
        let place = path.split('.').fold(&mut self.values, |place, key| {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            &mut place[key]
        });
        *place = value;
    }
}

/// A value as the old templates write it: texts without quotes; empty for what is empty.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        other => other.to_string(),
    }
}

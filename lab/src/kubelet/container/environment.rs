//! The environment of a container, as its manifest gives it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVarSource, Pod};
use kube::ResourceExt;

use super::error::ContainerStartError;

/// What a container is told of its pod and node, and what only the node knows.
#[derive(Clone, Debug)]
pub(super) struct PodFacts<'a> {
    pub(super) pod: &'a Pod,
    pub(super) address: String,
    pub(super) host: String,
    /// The pod's ConfigMaps by name; one that is not there is missing.
    pub(super) config_maps: &'a BTreeMap<String, ConfigMap>,
}

impl PodFacts<'_> {
    /// The value of a field of the pod, by its path as `fieldRef` has it.
    pub(super) fn field(&self, path: &str) -> Result<String, ContainerStartError> {
        let spec = self.pod.spec.as_ref();
        let found = match path {
            "metadata.name" => Some(self.pod.name_any()),
            "metadata.namespace" => self.pod.namespace(),
            "metadata.uid" => self.pod.uid(),
            "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
            "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
            "status.podIP" => Some(self.address.clone()),
            "status.hostIP" => Some(self.host.clone()),
            _ => None,
        };
        found.ok_or_else(|| ContainerStartError::unknown("field of the pod", path))
    }
}

/// Variables of `container`: those of ConfigMaps first, then those that it names itself, which may use the earlier
/// ones as `$(NAME)`.
pub(super) fn of(
    container: &Container,
    facts: &PodFacts<'_>,
) -> Result<BTreeMap<String, String>, ContainerStartError> {
    let mut variables = BTreeMap::new();
    for source in container.env_from.iter().flatten() {
        let Some(of_map) = &source.config_map_ref else {
            return Err(ContainerStartError::unknown(
                "source of variables",
                "a Secret",
            ));
        };
        let optional = of_map.optional == Some(true);
        let prefix = source.prefix.as_deref().unwrap_or_default();
        for (key, value) in entries(&of_map.name, optional, facts)? {
            variables.insert(format!("{prefix}{key}"), value);
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match &variable.value_from {
            None => expand(variable.value.as_deref().unwrap_or_default(), &variables),
            Some(source) => match from(source, facts)? {
                Some(value) => value,
                None => continue,
            },
        };
        variables.insert(variable.name.clone(), value);
    }
    Ok(variables)
}

/// The entries of a ConfigMap.
pub(super) fn entries(
    name: &str,
    optional: bool,
    facts: &PodFacts<'_>,
) -> Result<BTreeMap<String, String>, ContainerStartError> {
    match facts.config_maps.get(name) {
        Some(map) => Ok(map.data.clone().unwrap_or_default()),
        None if optional => Ok(BTreeMap::new()),
        None => Err(ContainerStartError::NoConfigMap(name.to_owned())),
    }
}

fn from(
    source: &EnvVarSource,
    facts: &PodFacts<'_>,
) -> Result<Option<String>, ContainerStartError> {
    if let Some(field) = &source.field_ref {
        return facts.field(&field.field_path).map(Some);
    }
    let Some(key) = &source.config_map_key_ref else {
        return Err(ContainerStartError::unknown(
            "source of a variable",
            "neither fieldRef nor configMapKeyRef",
        ));
    };
    let optional = key.optional == Some(true);
    let found = entries(&key.name, optional, facts)?.remove(&key.key);
    if found.is_none() && !optional {
        return Err(ContainerStartError::unknown("key of a ConfigMap", &key.key));
    }
    Ok(found)
}

/// `text` with every `$(NAME)` replaced that is known; `$$` stands for one `$`.
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(literal) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = literal;
            continue;
        }
        let name = rest
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'));
        match name.and_then(|(name, tail)| Some((variables.get(name)?, tail))) {
            Some((value, tail)) => {
                expanded.push_str(value);
                rest = tail;
            }
            None => expanded.push('$'),
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn variables(container: Value) -> Result<BTreeMap<String, String>, ContainerStartError> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "app-0", "namespace": "team"},
            "spec": {"nodeName": "node-1", "containers": []},
        }))
        .unwrap();
        let settings =
            json!({"metadata": {"name": "settings"}, "data": {"LEVEL": "info", "PORT": "80"}});
        let settings = serde_json::from_value(settings).unwrap();
        let facts = PodFacts {
            pod: &pod,
            address: "10.244.1.2".to_owned(),
            host: "10.200.0.11".to_owned(),
            config_maps: &BTreeMap::from([("settings".to_owned(), settings)]),
        };
        of(&serde_json::from_value(container).unwrap(), &facts)
    }

    #[test]
    fn later_variables_replace_earlier_ones_and_use_them() {
        let found = variables(json!({
            "name": "app",
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "env": [
                {"name": "LEVEL", "value": "debug"},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "ADDRESS", "value": "$(NODE):$(PORT) $$(PORT) $(GONE)"},
                {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "PORT"}}},
                {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "x", "optional": true}}},
            ],
        }))
        .unwrap();
        let expected = [
            ("LEVEL", "debug"),
            ("PORT", "80"),
            ("NODE", "node-1"),
            ("ADDRESS", "node-1:80 $(PORT) $(GONE)"),
            ("KEY", "80"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected.into());
    }

    #[test]
    fn what_is_not_there_or_not_known_is_named() {
        for (source, named) in [
            (
                json!({"fieldRef": {"fieldPath": "spec.wrong"}}),
                "spec.wrong",
            ),
            (
                json!({"configMapKeyRef": {"name": "gone", "key": "x"}}),
                "gone",
            ),
            (
                json!({"configMapKeyRef": {"name": "settings", "key": "LOST"}}),
                "LOST",
            ),
        ] {
            let error =
                variables(json!({"name": "app", "env": [{"name": "X", "valueFrom": source}]}));
            let said = error.unwrap_err().to_string();
            assert!(said.contains(named), "{said}");
        }
    }
}

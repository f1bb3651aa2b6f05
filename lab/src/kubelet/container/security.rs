//! As whom a container runs, by its manifest.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Pod};

/// What containerd gives a container whose manifest says nothing of capabilities.
const BY_DEFAULT: [&str; 14] = [
    "audit_write",
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "kill",
    "mknod",
    "net_bind_service",
    "net_raw",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_chroot",
];

/// User, group and rights of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) user: u32,
    pub(super) group: u32,
    /// All, when there is none.
    pub(super) capabilities: Option<Vec<String>>,
    pub(super) no_new_privileges: bool,
    pub(super) read_only_root: bool,
}

/// Of a container; what it does not say, its pod says. A number that is no user stands for nobody.
pub(super) fn of(pod: &Pod, container: &Container) -> Security {
    let of_pod = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.security_context.as_ref());
    let own = container.security_context.as_ref();
    let id = |own: Option<i64>, of_pod: Option<i64>| {
        let id = own.or(of_pod).unwrap_or(0);
        u32::try_from(id).unwrap_or(65534)
    };
    let of_pod_user = of_pod.and_then(|context| context.run_as_user);
    let of_pod_group = of_pod.and_then(|context| context.run_as_group);
    Security {
        user: id(own.and_then(|context| context.run_as_user), of_pod_user),
        group: id(own.and_then(|context| context.run_as_group), of_pod_group),
        capabilities: capabilities(container),
        no_new_privileges: own
            .is_some_and(|context| context.allow_privilege_escalation == Some(false)),
        read_only_root: own.is_some_and(|context| context.read_only_root_filesystem == Some(true)),
    }
}

fn capabilities(container: &Container) -> Option<Vec<String>> {
    let context = container.security_context.as_ref();
    if context.is_some_and(|context| context.privileged == Some(true)) {
        return None;
    }
    let changed = context.and_then(|context| context.capabilities.as_ref());
    let named = |list: Option<&Vec<String>>| -> Vec<String> {
        let names = list.into_iter().flatten();
        names
            .map(|name| name.to_lowercase().trim_start_matches("cap_").to_owned())
            .collect()
    };
    let dropped = named(changed.and_then(|changed| changed.drop.as_ref()));
    let added = named(changed.and_then(|changed| changed.add.as_ref()));
    if added.iter().any(|name| name == "all") {
        return None;
    }
    let kept = BY_DEFAULT
        .map(str::to_owned)
        .into_iter()
        .filter(|name| !dropped.contains(name) && !dropped.iter().any(|name| name == "all"));
    let all: BTreeSet<String> = kept.chain(added).collect();
    Some(all.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn security(of_pod: Value, own: Value) -> Security {
        let container = json!({"name": "app", "securityContext": own});
        let pod = json!({"spec": {"containers": [], "securityContext": of_pod}});
        of(
            &serde_json::from_value(pod).unwrap(),
            &serde_json::from_value(container).unwrap(),
        )
    }

    #[test]
    fn a_container_says_more_than_its_pod() {
        let found = security(
            json!({"runAsUser": 65532, "runAsGroup": 65532}),
            json!({"runAsUser": 0}),
        );
        assert_eq!((found.user, found.group), (0, 65532));
        assert!(!found.no_new_privileges && !found.read_only_root);
        assert_eq!(found.capabilities.unwrap().len(), BY_DEFAULT.len());
    }

    #[test]
    fn capabilities_are_dropped_first_and_added_then() {
        let kept = |own: Value| security(json!({}), json!({"capabilities": own})).capabilities;
        let daemon = json!({"drop": ["ALL"], "add": ["NET_ADMIN", "CAP_SYS_ADMIN"]});
        assert_eq!(kept(daemon).unwrap(), ["net_admin", "sys_admin"]);
        let without = kept(json!({"drop": ["NET_RAW"]})).unwrap();
        assert_eq!(without.len(), BY_DEFAULT.len() - 1);
        assert!(!without.contains(&"net_raw".to_owned()));
        assert_eq!(kept(json!({"add": ["ALL"]})), None);
        assert_eq!(
            security(json!({}), json!({"privileged": true})).capabilities,
            None
        );
    }
}

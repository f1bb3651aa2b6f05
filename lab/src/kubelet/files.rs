//! The files a kubelet manages in every pod: `/etc/hosts` and `/etc/resolv.conf`.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::Pod;

/// What a pod's `/etc/hosts` starts with, as the kubelet writes it.
const HOSTS_HEAD: &str = "\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
";

/// The pod's `/etc/hosts`: the kubelet's lines, the pod itself, its `hostAliases`, and the lab's
/// names (`lab_hosts` is the text of the control plane's `/etc/hosts`).
pub(super) fn hosts(pod: &Pod, hostname: &str, address: Ipv4Addr, lab_hosts: &str) -> String {
    let mut text = format!("{HOSTS_HEAD}{address}\t{hostname}\n");
    let aliases = pod
        .spec
        .iter()
        .flat_map(|spec| spec.host_aliases.iter().flatten());
    for alias in aliases {
        let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
        text.push_str(&format!("{}\t{names}\n", alias.ip));
    }
    text.push_str("\n# Entries of the lab.\n");
    for line in lab_hosts.lines().filter(|line| names_another_host(line)) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The pod's `/etc/resolv.conf`. The lab runs no DNS server, so only search domains are real.
pub(super) fn resolv_conf(namespace: &str) -> String {
    format!(
        "# The lab runs no DNS server; names come from /etc/hosts.\n\
         search {namespace}.svc.cluster.local svc.cluster.local cluster.local\n\
         options ndots:5\n"
    )
}

/// Whether a line of a hosts file maps an address that is not the host's own.
fn names_another_host(line: &str) -> bool {
    let Some(address) = line.split_whitespace().next() else {
        return false;
    };
    address
        .parse::<Ipv4Addr>()
        .is_ok_and(|address| !address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_knows_itself_its_aliases_and_the_labs_names() {
        let pod: Pod = serde_json::from_value(json!({
            "spec": {"containers": [], "hostAliases": [{"ip": "10.1.2.3", "hostnames": ["db"]}]}
        }))
        .unwrap();
        let lab =
            "127.0.0.1 localhost\n127.0.1.1 laptop\n# note\n10.200.0.1 login.microsoftonline.com\n";
        let text = hosts(&pod, "app", Ipv4Addr::new(10, 244, 1, 2), lab);
        for line in [
            "10.244.1.2\tapp",
            "10.1.2.3\tdb",
            "10.200.0.1 login.microsoftonline.com",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line:?} in {text}"
            );
        }
        assert!(!text.contains("laptop"), "{text}");
    }
}

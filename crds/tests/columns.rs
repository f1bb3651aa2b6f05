//! What `kubectl get` shows of podid's own kinds fits a terminal.

use kube::CustomResourceExt;
use podid_crds::podid::{PodIdentityClass, PodIdentityProfile};

#[test]
fn status_is_a_short_reason_and_the_sentence_is_for_wide() {
    for crd in [PodIdentityProfile::crd(), PodIdentityClass::crd()] {
        let kind = crd.spec.names.kind;
        let columns = crd.spec.versions[0].additional_printer_columns.clone();
        let columns = columns.expect("columns");
        let find = |name: &str| {
            let found = columns.iter().find(|column| column.name == name);
            found.unwrap_or_else(|| panic!("{kind} has no column {name}"))
        };
        let (status, message) = (find("Status"), find("Message"));
        let ready = |field: &str| format!(".status.conditions[?(@.type==\"Ready\")].{field}");
        assert_eq!(status.json_path, ready("reason"), "{kind}");
        assert_eq!(status.priority.unwrap_or_default(), 0, "{kind}");
        assert_eq!(message.json_path, ready("message"), "{kind}");
        assert_eq!(message.priority, Some(1), "{kind}: only with -o wide");
        let sentences = columns
            .iter()
            .filter(|column| column.json_path.ends_with(".message"));
        assert_eq!(sentences.count(), 1, "{kind}");
    }
}

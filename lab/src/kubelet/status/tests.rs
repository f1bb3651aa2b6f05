use super::*;
use serde_json::json;

fn facts() -> Facts {
    Facts {
        uid: "u".to_owned(),
        host: "10.200.0.11".to_owned(),
        address: "10.244.1.2".to_owned(),
        started: Timestamp::from_second(1_700_000_000).unwrap(),
        restarts: 0,
        containers: AllFacts::new(),
    }
}

fn pod(extra: Value) -> Pod {
    let mut pod = json!({
        "metadata": {"name": "app", "generation": 3},
        "spec": {
            "containers": [{"name": "main", "image": "app:1"}],
            "initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}],
        },
    });
    for (key, value) in extra.as_object().unwrap() {
        match pod.get_mut(key) {
            Some(Value::Object(old)) => old.extend(value.as_object().unwrap().clone()),
            _ => pod[key] = value.clone(),
        }
    }
    serde_json::from_value(pod).unwrap()
}

fn state_of<'a>(status: &'a PodStatus, kind: &str) -> &'a str {
    let conditions = status.conditions.as_ref().unwrap();
    &conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .unwrap()
        .status
}

#[test]
fn a_running_pod_is_ready_with_its_address() {
    let status = running(&pod(json!({})), &facts());
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert_eq!(status.pod_ip.as_deref(), Some("10.244.1.2"));
    assert_eq!(state_of(&status, "Ready"), "True");
    assert!(status.container_statuses.unwrap()[0].ready);
    let init = status.init_container_statuses.unwrap();
    let exit = |n: usize| {
        init[n]
            .state
            .as_ref()
            .unwrap()
            .terminated
            .as_ref()
            .map(|t| t.exit_code)
    };
    assert_eq!((exit(0), exit(1)), (Some(0), None));
}

#[test]
fn a_closed_readiness_gate_keeps_a_pod_from_being_ready() {
    let gated = json!({"spec": {"readinessGates": [{"conditionType": "x/open"}]}});
    assert_eq!(
        state_of(&running(&pod(gated.clone()), &facts()), "Ready"),
        "False"
    );
    let mut open = gated;
    open["status"] = json!({"conditions": [{"type": "x/open", "status": "True"}]});
    assert_eq!(state_of(&running(&pod(open), &facts()), "Ready"), "True");
}

#[test]
fn exit_codes_become_phases() {
    let now = Timestamp::from_second(1_700_000_100).unwrap();
    for (code, phase) in [(0, "Succeeded"), (3, "Failed"), (TERMINATED, "Failed")] {
        let status = finished(&pod(json!({})), &facts(), code, now);
        assert_eq!(status.phase.as_deref(), Some(phase));
        assert_eq!(state_of(&status, "Ready"), "False");
    }
}

#[test]
fn a_written_status_is_not_written_again() {
    let first = running(&pod(json!({})), &facts());
    let mut written = serde_json::to_value(&first).unwrap();
    written["qosClass"] = json!("BestEffort");
    let others = json!({"type": "DisruptionTarget", "status": "True"});
    written["conditions"]
        .as_array_mut()
        .unwrap()
        .insert(0, others);
    let again = running(&pod(json!({"status": written.clone()})), &facts());
    assert!(covers(&written, &serde_json::to_value(&again).unwrap()));
}

#[test]
fn a_condition_changed_by_others_is_written_again() {
    let mut written = serde_json::to_value(running(&pod(json!({})), &facts())).unwrap();
    written["conditions"][4]["status"] = json!("False");
    let again = running(&pod(json!({"status": written.clone()})), &facts());
    assert!(!covers(&written, &serde_json::to_value(&again).unwrap()));
}

use super::*;

fn registry() -> FaultRegistry {
    FaultRegistry::new(Clock::new(1.0), 7)
}

#[test]
fn a_fault_with_a_count_is_spent_by_calls_on_its_resource_only() {
    let mut registry = registry();
    registry.arm(
        Fault::new(Operation::VmssPatch, Effect::Drop)
            .on("/Pool1")
            .times(2),
    );
    assert!(
        registry
            .match_call(Operation::VmssPatch, "/x/pool2")
            .is_none()
    );
    assert!(
        registry
            .match_call(Operation::VmssGet, "/x/pool1")
            .is_none()
    );
    assert!(
        registry
            .match_call(Operation::VmssPatch, "/x/pool1")
            .is_some()
    );
    assert!(
        registry
            .match_call(Operation::VmssPatch, "/x/POOL1")
            .is_some()
    );
    assert!(
        registry
            .match_call(Operation::VmssPatch, "/x/pool1")
            .is_none()
    );
    assert!(registry.list()[0].spent);
}

#[test]
fn a_fault_whose_duration_is_over_matches_no_call() {
    let mut registry = registry();
    registry.arm(Fault::new(Operation::ImdsToken, Effect::Drop).lasting(0.0));
    assert!(registry.match_call(Operation::ImdsToken, "vm").is_none());
}

#[test]
fn random_choices_repeat_with_their_seed() {
    let run = || {
        let mut registry = registry();
        let fault = Fault {
            probability: 0.5,
            random_seed: Some(42),
            ..Fault::new(Operation::VmGet, Effect::Drop)
        };
        registry.arm(fault);
        (0..64)
            .map(|_| registry.match_call(Operation::VmGet, "").is_some())
            .collect::<Vec<_>>()
    };
    let first = run();
    assert_eq!(first, run());
    assert!(first.contains(&true) && first.contains(&false));
}

#[test]
fn a_lag_counts_calls_from_each_write() {
    let mut registry = registry();
    let lag = Effect::Lag {
        seconds: None,
        calls: Some(2),
        spare_typed: true,
    };
    registry.arm(Fault::new(Operation::IdentityGet, lag));
    let mut written_at = Instant::now();
    for expected in [true, true, false] {
        assert_eq!(
            registry.lags(Operation::IdentityGet, "/a", written_at),
            expected
        );
    }
    assert!(registry.lags(Operation::IdentityGet, "/b", written_at));
    assert!(!registry.lags_for(Operation::IdentityGet, "/c", written_at, true));
    written_at += std::time::Duration::from_nanos(1);
    assert!(registry.lags(Operation::IdentityGet, "/a", written_at));
}

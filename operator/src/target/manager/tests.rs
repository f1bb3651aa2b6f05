use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::target::fake::{FakeCompute, FakeRecords, id, ids, metrics, settings, target};

/// Longer than the changes of a scale set that was never changed before are collected.
const LONGER_THAN_COLLECTING: Duration = Duration::from_secs(2);

type IdentitiesByTarget = Arc<Mutex<HashMap<Target, BTreeSet<ArmId>>>>;

struct Fixture {
    targets: TargetManager,
    reports: mpsc::UnboundedReceiver<TargetReport>,
    compute: Arc<FakeCompute>,
    by_target: IdentitiesByTarget,
}

fn fixture() -> Fixture {
    let (compute, by_target) = (
        Arc::new(FakeCompute::new(&[])),
        IdentitiesByTarget::default(),
    );
    let sink = Arc::clone(&by_target);
    let context = TargetContext {
        compute: Arc::clone(&compute) as Arc<dyn Compute>,
        records: Arc::new(FakeRecords::default()),
        settings: settings(),
        metrics: metrics(),
        on_identities: Box::new(move |target, ids| {
            sink.lock().unwrap().insert(target.clone(), ids);
        }),
        drain: Drain::new(),
    };
    let (targets, reports) = TargetManager::new(context);
    Fixture {
        targets,
        reports,
        compute,
        by_target,
    }
}

fn desired(names: &[&str]) -> DesiredIdentities {
    DesiredIdentities {
        desired: ids(names),
        ..DesiredIdentities::default()
    }
}

impl Fixture {
    fn may_have(&self, name: &str) -> bool {
        let by_target = self.by_target.lock().unwrap();
        by_target
            .get(&target())
            .is_some_and(|ids| ids.contains(&id(name)))
    }

    /// Takes note of reports until the target cannot have the identity any more.
    async fn until_nowhere(&mut self, name: &str) {
        while self.may_have(name) {
            let report = self.reports.recv().await.unwrap();
            self.targets.on_status(report);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_may_have_an_identity_from_when_it_is_desired_until_it_is_gone_from_azure() {
    let mut fixture = fixture();
    fixture.compute.slow_down(Duration::from_secs(40));
    fixture
        .targets
        .set_desired(&target(), desired(&["a"]), BTreeSet::new);
    assert!(fixture.may_have("a"));
    // The worker is at it when the pod goes away again.
    tokio::time::sleep(Duration::from_secs(10)).await;
    fixture
        .targets
        .set_desired(&target(), desired(&[]), BTreeSet::new);
    assert!(fixture.may_have("a"));
    fixture.until_nowhere("a").await;
    assert_eq!(fixture.compute.on_target(), ids(&[]));
    assert_eq!(fixture.compute.patches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_target_at_rest_is_forgotten_and_taken_up_again() {
    let mut fixture = fixture();
    fixture
        .targets
        .set_desired(&target(), desired(&[]), BTreeSet::new);
    assert!(
        fixture.targets.status(&target()).is_none(),
        "nobody asked for anything"
    );
    for _ in 0..2 {
        fixture
            .targets
            .set_desired(&target(), desired(&["a"]), BTreeSet::new);
        tokio::time::sleep(LONGER_THAN_COLLECTING).await;
        fixture
            .targets
            .set_desired(&target(), desired(&[]), BTreeSet::new);
        fixture.until_nowhere("a").await;
        assert!(fixture.targets.status(&target()).is_none());
        fixture.targets.worker_ended().await.unwrap();
    }
    assert_eq!(fixture.compute.patches(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_checked_yet_stays_and_is_not_put_on() {
    let mut fixture = fixture();
    fixture.compute.arrive(&["a"]);
    let unchecked = DesiredIdentities {
        desired: ids(&["new"]),
        kept: ids(&["a", "b"]),
        ..DesiredIdentities::default()
    };
    let record = AssignmentRecord(ids(&["a"]));
    fixture
        .targets
        .start(&target(), unchecked, record, BTreeSet::new());
    tokio::time::sleep(settings().interval).await;
    assert_eq!(fixture.compute.on_target(), ids(&["a", "new"]));
    fixture
        .targets
        .set_desired(&target(), desired(&["new"]), BTreeSet::new);
    fixture.until_nowhere("a").await;
    assert_eq!(fixture.compute.on_target(), ids(&["new"]));
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_was_made_anew_is_renewed_when_its_azure_identity_says_so() {
    let mut fixture = fixture();
    for client_id in ["old", "new"] {
        fixture.compute.make_anew("a", client_id);
        let client_ids = [(id("a"), client_id.to_owned())].into();
        let renewed = DesiredIdentities {
            client_ids,
            ..desired(&["a"])
        };
        fixture
            .targets
            .set_desired(&target(), renewed, BTreeSet::new);
        tokio::time::sleep(LONGER_THAN_COLLECTING).await;
        assert_eq!(fixture.compute.client_id("a").as_deref(), Some(client_id));
    }
    assert_eq!(fixture.compute.patches(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_is_taken_away() {
    let mut fixture = fixture();
    fixture.compute.arrive(&["a", "theirs"]);
    fixture.targets.start(
        &target(),
        desired(&[]),
        AssignmentRecord(ids(&["a"])),
        BTreeSet::new(),
    );
    assert!(fixture.may_have("a"));
    fixture.until_nowhere("a").await;
    assert_eq!(fixture.compute.on_target(), ids(&["theirs"]));
}

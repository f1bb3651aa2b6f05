//! What goes wrong on one scale set delays no other.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::target::fake::{
    FakeCompute, FakeRecords, FakeScaleSets, ids, metrics, scale_set, settings,
};

const SICK: &str = "sick";
const WELL: [&str; 3] = ["well1", "well2", "well3"];

/// Longer than the changes of a scale set that was never changed before are collected, and shorter than any trouble
/// here lasts.
const SOON: Duration = Duration::from_secs(2);

struct Fixture {
    targets: TargetManager,
    reports: mpsc::UnboundedReceiver<TargetReport>,
    azure: Arc<FakeScaleSets>,
}

impl Fixture {
    fn new() -> Self {
        let azure = Arc::new(FakeScaleSets::new(&[&[SICK], &WELL[..]].concat()));
        let (targets, reports) = TargetManager::new(TargetContext {
            compute: Arc::clone(&azure) as Arc<dyn Compute>,
            records: Arc::new(FakeRecords::default()),
            settings: settings(),
            metrics: metrics(),
            on_identities: Box::new(|_, _| ()),
            drain: Drain::new(),
        });
        Self {
            targets,
            reports,
            azure,
        }
    }

    fn sick(&self) -> &FakeCompute {
        self.azure.set(SICK)
    }

    fn desire(&mut self, sets: &[&str], names: &[&str]) {
        let desired = DesiredIdentities {
            desired: ids(names),
            ..DesiredIdentities::default()
        };
        for set in sets {
            self.targets
                .set_desired(&scale_set(set), desired.clone(), BTreeSet::new);
        }
    }

    /// How long it takes until these scale sets have these identities.
    async fn until_on(&mut self, sets: &[&str], names: &[&str]) -> Duration {
        let started = Instant::now();
        let all = async {
            while sets
                .iter()
                .any(|set| self.azure.set(set).on_target() != ids(names))
            {
                let report = self.reports.recv().await.expect("the workers run");
                self.targets.on_status(report);
            }
        };
        let limit = Duration::from_secs(3600);
        timeout(limit, all).await.expect("they get them");
        started.elapsed()
    }

    /// The sick one is at it, and then pods come on the others.
    async fn others_get_theirs_soon(&mut self) {
        self.desire(&[SICK], &["a"]);
        sleep(SOON).await;
        self.desire(&WELL, &["a", "b"]);
        let took = self.until_on(&WELL, &["a", "b"]).await;
        assert!(took <= SOON, "{took:?}");
    }
}

/// Weakness 2 of the predecessor (the slowest scale set blocks all): a change that takes a minute keeps no other waiting.
#[tokio::test(start_paused = true)]
async fn a_slow_scale_set_delays_no_other() {
    let mut fixture = Fixture::new();
    fixture.sick().slow_down(Duration::from_secs(60));
    fixture.others_get_theirs_soon().await;
    assert_eq!(fixture.sick().on_target(), ids(&[]), "still under way");
    fixture.until_on(&[SICK], &["a"]).await;
}

/// Weakness 36 of the predecessor (one throttled scale set stops the changes of all, and is called again in step): 429 on
/// one leaves the others alone, and itself.
#[tokio::test(start_paused = true)]
async fn a_throttled_scale_set_delays_no_other_and_is_left_alone_as_azure_asks() {
    let mut fixture = Fixture::new();
    let asked = Duration::from_secs(30);
    fixture
        .sick()
        .refuse(429, "OperationNotAllowed", Some(asked));
    fixture.others_get_theirs_soon().await;
    let before = (fixture.sick().patches(), fixture.sick().reads());
    for minute in 0..10 {
        // Pods come and go on it all the time.
        let name = format!("c{minute}");
        fixture.desire(&[SICK], &["a", &name]);
        sleep(Duration::from_secs(60)).await;
    }
    let (patches, reads) = (fixture.sick().patches(), fixture.sick().reads());
    let (patches, reads) = (patches - before.0, reads - before.1);
    assert!(
        (5..=20).contains(&patches),
        "two a minute at most: {patches}"
    );
    assert!(reads <= 20, "{reads}");
    for set in WELL {
        assert_eq!(fixture.azure.set(set).patches(), 1, "{set}");
    }
}

/// Weakness 34 of the predecessor (a reconciliation only adds, and ends at the first error): what was taken from one by hand
/// comes back, and what was left on it goes, while another fails.
#[tokio::test(start_paused = true)]
async fn what_was_changed_by_hand_is_mended_while_another_scale_set_fails() {
    let mut fixture = Fixture::new();
    fixture.sick().refuse(403, "AuthorizationFailed", None);
    fixture.others_get_theirs_soon().await;
    let [stripped, leaking, _] = WELL;
    fixture.azure.set(stripped).take_away("a");
    fixture.desire(&[leaking], &["a"]);
    let went = fixture.until_on(&[leaking], &["a"]).await;
    assert!(went <= SOON, "{went:?}");
    let mended = fixture.until_on(&[stripped], &["a", "b"]).await;
    assert!(mended <= settings().interval.mul_f64(1.2), "{mended:?}");
    assert_eq!(fixture.sick().on_target(), ids(&[]));
}

/// Weakness 42 of the predecessor (a connection that breaks in a change stalls everything, for 450 s as measured): the others do
/// not notice, and what became of the change is read within seconds.
#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_in_a_change_delays_no_other_and_is_got_over() {
    let mut fixture = Fixture::new();
    fixture.sick().lose_answers(true);
    fixture.others_get_theirs_soon().await;
    fixture.sick().lose_answers(false);
    let broken = Instant::now();
    let (sick, wanted) = (scale_set(SICK), ids(&["a"]));
    while fixture
        .targets
        .status(&sick)
        .and_then(|status| status.present.as_ref())
        != Some(&wanted)
    {
        let report = fixture.reports.recv().await.expect("the workers run");
        fixture.targets.on_status(report);
    }
    assert!(
        broken.elapsed() <= Duration::from_secs(5),
        "{:?}",
        broken.elapsed()
    );
    assert_eq!(fixture.sick().on_target(), wanted);
    assert_eq!(
        fixture.sick().patches(),
        1,
        "it was carried out, and is not again"
    );
}

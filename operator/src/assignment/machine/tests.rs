use std::time::Duration;

use super::*;
use crate::assignment::fake::{FakeCompute, FakeLedgers, id, ids, metrics, target};
use tokio::sync::mpsc;

struct Bench {
    compute: Arc<FakeCompute>,
    ledgers: Arc<FakeLedgers>,
    machine: Machine,
    reporter: Reporter,
    reports: mpsc::UnboundedReceiver<crate::assignment::report::Report>,
}

impl Bench {
    fn new(on_machine: &[&str], ledger: &[&str]) -> Self {
        let (compute, ledgers) = (
            Arc::new(FakeCompute::new(on_machine)),
            Arc::new(FakeLedgers::default()),
        );
        let ledger = AssignmentRecord(ids(ledger));
        let (to, reports) = mpsc::unbounded_channel();
        let reporter = Reporter::new(target(), &ledger, to);
        let machine = Machine::new(
            target(),
            Arc::clone(&compute) as Arc<dyn Compute>,
            Arc::clone(&ledgers) as Arc<dyn Ledgers>,
            Arc::default(),
            metrics(),
            ledger,
        );
        Self {
            compute,
            ledgers,
            machine,
            reporter,
            reports,
        }
    }

    async fn reconcile(&mut self, desired: &[&str]) -> Result<Next, Trouble> {
        self.machine
            .reconcile(&ids(desired), &mut self.reporter)
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn one_patch_puts_everything_on_and_is_written_down_first() {
    let mut bench = Bench::new(&["foreign"], &[]);
    assert_eq!(
        bench.reconcile(&["a", "b"]).await.expect("no trouble"),
        Next::Compare
    );
    assert_eq!(bench.compute.on_machine(), ids(&["foreign", "a", "b"]));
    assert_eq!(bench.compute.patches(), 1);
    assert_eq!(bench.ledgers.saved(), [ids(&["a", "b"])]);
    assert_eq!(
        bench.reconcile(&["a", "b"]).await.expect("no trouble"),
        Next::Compare
    );
    assert_eq!(bench.compute.patches(), 1, "nothing to change is no call");
}

#[tokio::test(start_paused = true)]
async fn the_last_user_takes_ours_away_and_nothing_else() {
    let mut bench = Bench::new(&["foreign", "a"], &["a"]);
    assert_eq!(bench.reconcile(&[]).await.expect("no trouble"), Next::Rest);
    assert_eq!(bench.compute.on_machine(), ids(&["foreign"]));
    assert_eq!(bench.ledgers.saved(), [ids(&[])]);
}

#[tokio::test(start_paused = true)]
async fn an_absent_identity_is_not_removed_again_and_the_type_stays() {
    let mut bench = Bench::new(&[], &["a"]);
    bench.compute.set_system_assigned();
    assert_eq!(bench.reconcile(&[]).await.expect("no trouble"), Next::Rest);
    assert_eq!(bench.compute.patches(), 0);
    assert_eq!(bench.ledgers.saved(), [ids(&[])]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_when_it_cannot_be_written_down() {
    let mut bench = Bench::new(&[], &[]);
    bench.ledgers.break_down();
    assert!(matches!(
        bench.reconcile(&["a"]).await,
        Err(Trouble::Ledger(_))
    ));
    assert_eq!(bench.compute.patches(), 0);
}

#[tokio::test(start_paused = true)]
async fn deleted_identities_among_good_ones_are_held_back_by_name() {
    let mut bench = Bench::new(&[], &[]);
    bench.compute.spoil(&["bad1", "bad2"], true);
    let next = bench
        .reconcile(&["a", "bad1", "b", "bad2", "c"])
        .await
        .expect("no trouble");
    assert!(matches!(next, Next::At(_)), "{next:?}");
    assert_eq!(bench.compute.on_machine(), ids(&["a", "b", "c"]));
    assert_eq!(
        bench.compute.patches(),
        3,
        "one refusal for each bad one, then the good ones"
    );
    assert_eq!(
        bench
            .machine
            .failures()
            .into_keys()
            .collect::<BTreeSet<_>>(),
        ids(&["bad1", "bad2"])
    );
    assert_eq!(bench.machine.ledger().0, ids(&["a", "b", "c"]));
}

#[tokio::test(start_paused = true)]
async fn they_are_found_by_halving_when_azure_does_not_name_them() {
    let mut bench = Bench::new(&[], &[]);
    bench.compute.spoil(&["i17"], false);
    let names: Vec<String> = (0..50).map(|number| format!("i{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.reconcile(&names).await.expect("no trouble");
    assert_eq!(bench.compute.on_machine().len(), 49);
    assert!(
        bench.compute.patches() <= 2 * 6 + 1,
        "{}",
        bench.compute.patches()
    );
}

#[tokio::test(start_paused = true)]
async fn one_bad_identity_spoils_no_other_whatever_azure_calls_it() {
    let answers = [
        (400, "BadRequest"),
        (400, "LinkedInvalidPropertyId"),
        (403, "LinkedAuthorizationFailed"),
        (403, "RequestDisallowedByPolicy"),
        (404, "ResourceNotFound"),
        (404, "SubscriptionNotFound"),
    ];
    for (status, code) in answers {
        let mut bench = Bench::new(&[], &[]);
        bench.compute.spoil(&["bad"], false);
        bench.compute.answer_spoilt(status, code);
        let next = bench.reconcile(&["a", "bad", "c"]).await;
        assert!(matches!(next, Ok(Next::At(_))), "{code}: {next:?}");
        assert_eq!(bench.compute.on_machine(), ids(&["a", "c"]), "{code}");
        let held: BTreeSet<ArmId> = bench.machine.failures().into_keys().collect();
        assert_eq!(held, ids(&["bad"]), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_may_not_be_changed_is_not_asked_in_parts() {
    // The last is a proxy's: Azure's own refusals have a code.
    for (status, code) in [
        (403, "AuthorizationFailed"),
        (409, "ScopeLocked"),
        (404, ""),
    ] {
        let mut bench = Bench::new(&[], &[]);
        bench.compute.refuse(status, code, None);
        let end = bench.reconcile(&["a", "b"]).await;
        assert!(matches!(end, Err(Trouble::Azure(_))), "{code}: {end:?}");
        assert_eq!(bench.compute.patches(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_identities_go_out_in_parts_and_one_bad_one_spoils_none() {
    let mut bench = Bench::new(&[], &[]);
    bench.compute.spoil(&["i399"], true);
    let names: Vec<String> = (0..400).map(|number| format!("i{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.reconcile(&names).await.expect("no trouble");
    assert_eq!(bench.compute.on_machine().len(), 399);
    assert!(bench.compute.largest_patch() <= IdentityPatch::MAX_CHANGES);
}

#[tokio::test(start_paused = true)]
async fn a_bad_identity_comes_back_when_it_is_mended_and_delays_no_new_one() {
    let mut bench = Bench::new(&[], &[]);
    bench.compute.spoil(&["bad"], true);
    let Next::At(due) = bench.reconcile(&["bad"]).await.expect("no trouble") else {
        panic!("it is to be tried again");
    };
    bench.reconcile(&["bad", "new"]).await.expect("no trouble");
    assert_eq!(bench.compute.on_machine(), ids(&["new"]));
    assert_eq!(bench.compute.patches(), 2, "the bad one has to wait");
    bench.compute.spoil(&[], true);
    tokio::time::sleep_until(due + Duration::from_millis(1)).await;
    assert_eq!(
        bench.reconcile(&["bad", "new"]).await.expect("no trouble"),
        Next::Compare
    );
    assert_eq!(bench.compute.on_machine(), ids(&["bad", "new"]));
    assert!(bench.machine.failures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_by_somebody_else_is_read_again() {
    for status in [409, 412] {
        let mut bench = Bench::new(&[], &["old"]);
        bench.compute.meet_change(status, &["theirs", "a", "old"]);
        bench.reconcile(&["a", "b"]).await.expect("no trouble");
        assert_eq!(
            bench.compute.on_machine(),
            ids(&["theirs", "a", "b"]),
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn endless_conflicts_end_the_round() {
    let mut bench = Bench::new(&[], &[]);
    bench.compute.refuse(409, "Conflict", None);
    assert!(matches!(
        bench.reconcile(&["a"]).await,
        Err(Trouble::Azure(_))
    ));
    assert_eq!(bench.compute.patches(), 1 + MAX_CONFLICTS as usize);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_being_deleted_or_gone_is_left_alone() {
    let mut bench = Bench::new(&["a"], &["a"]);
    bench.compute.set_state(Some("Deleting"));
    assert!(matches!(bench.reconcile(&["b"]).await, Ok(Next::At(_))));
    bench.compute.set_state(None);
    assert!(matches!(bench.reconcile(&["b"]).await, Ok(Next::At(_))));
    tokio::time::advance(UNTIL_SECOND_LOOK).await;
    assert_eq!(
        bench.reconcile(&["b"]).await.expect("no trouble"),
        Next::Missing
    );
    assert_eq!(bench.reconcile(&[]).await.expect("no trouble"), Next::Rest);
    assert_eq!(bench.compute.patches(), 0);
    assert_eq!(
        bench.ledgers.saved(),
        [ids(&[])],
        "what was on it is gone with it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_missed_for_a_moment_loses_nothing_of_ours() {
    let mut bench = Bench::new(&["a", "b"], &["a", "b"]);
    for _ in 0..2 {
        let machine = bench.compute.hide();
        assert!(matches!(bench.reconcile(&["a"]).await, Ok(Next::At(_))));
        assert_eq!(bench.machine.ledger().0, ids(&["a", "b"]));
        bench.compute.show(machine);
        tokio::time::advance(UNTIL_SECOND_LOOK).await;
        bench.reconcile(&["a", "b"]).await.expect("no trouble");
    }
    bench.reconcile(&[]).await.expect("no trouble");
    assert_eq!(bench.compute.on_machine(), ids(&[]), "nothing leaks");
}

#[tokio::test(start_paused = true)]
async fn the_ledger_forgets_nothing_while_azure_is_still_at_work() {
    let mut bench = Bench::new(&[], &["on-its-way"]);
    bench.compute.set_state(Some("Updating"));
    assert!(matches!(bench.reconcile(&[]).await, Ok(Next::At(_))));
    assert_eq!(bench.machine.ledger().0, ids(&["on-its-way"]));
    bench.compute.arrive(&["on-its-way"]);
    assert_eq!(bench.reconcile(&[]).await.expect("no trouble"), Next::Rest);
    assert_eq!(bench.compute.on_machine(), ids(&[]));
}

#[tokio::test(start_paused = true)]
async fn what_is_leaving_is_no_longer_reported_as_carried() {
    let mut bench = Bench::new(&["a", "b"], &["a", "b"]);
    bench.reconcile(&["b"]).await.expect("no trouble");
    while let Ok(report) = bench.reports.try_recv() {
        assert!(!report.carries.expect("looked at").contains(&id("a")));
    }
}

impl Bench {
    /// What the AzureIdentities say.
    fn expect(&mut self, name: &str, client_id: &str) {
        let client_ids = BTreeMap::from([(id(name), client_id.to_owned())]);
        self.machine.expect(client_ids);
    }

    /// Whether the last report said that the identity is on the machine, and whether any did.
    fn reported(&mut self, name: &str) -> (bool, bool) {
        let reports = std::iter::from_fn(|| self.reports.try_recv().ok());
        let carries = reports.filter_map(|report| report.carries);
        let said: Vec<bool> = carries.map(|ids| ids.contains(&id(name))).collect();
        (said.last() == Some(&true), said.contains(&true))
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_was_made_anew_is_taken_off_and_put_on_again() {
    let mut bench = Bench::new(&["theirs"], &[]);
    bench.compute.make_anew("a", "old");
    bench.expect("a", "OLD");
    bench.reconcile(&["a", "b"]).await.expect("no trouble");
    assert_eq!(bench.reported("a"), (true, true));
    assert_eq!(bench.compute.patches(), 1);

    bench.compute.make_anew("a", "new");
    bench.expect("a", "new");
    let slow = Duration::from_secs(40);
    bench.compute.slow_down(slow);
    let desired = ids(&["a", "b"]);
    {
        let working = bench.machine.reconcile(&desired, &mut bench.reporter);
        let cut = tokio::time::timeout(slow / 2, working).await;
        assert!(cut.is_err(), "Azure is at it");
    }
    assert_eq!(
        bench.reported("a"),
        (false, false),
        "it counts as absent meanwhile"
    );
    let next = bench.reconcile(&["a", "b"]).await.expect("no trouble");
    assert_eq!(next, Next::Compare);
    assert_eq!(bench.compute.patches(), 3, "one off, one on");
    assert_eq!(bench.compute.client_id("a").as_deref(), Some("new"));
    assert_eq!(bench.compute.on_machine(), ids(&["theirs", "a", "b"]));
    assert_eq!(bench.machine.ledger().0, ids(&["a", "b"]));
    assert_eq!(bench.reported("a"), (true, true));
    bench.reconcile(&["a", "b"]).await.expect("no trouble");
    assert_eq!(bench.compute.patches(), 3, "and that is all");
}

#[tokio::test(start_paused = true)]
async fn what_others_put_there_stays_whatever_client_id_it_shows() {
    let mut bench = Bench::new(&[], &[]);
    bench.compute.make_anew("a", "old");
    bench.reconcile(&["a"]).await.expect("no trouble");
    let machine = bench.compute.hide();
    let mut others = Bench::new(&[], &[]);
    others.compute.show(machine);
    others.compute.make_anew("a", "new");
    others.expect("a", "new");
    others.reconcile(&["a"]).await.expect("no trouble");
    assert_eq!(others.compute.patches(), 0);
    assert_eq!(others.compute.client_id("a").as_deref(), Some("old"));
}

#[tokio::test(start_paused = true)]
async fn a_client_id_that_putting_on_again_does_not_mend_is_told_and_tried_ever_more_seldom() {
    let mut bench = Bench::new(&[], &[]);
    bench.compute.make_anew("a", "right");
    bench.expect("a", "wrong");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3600) {
        let Next::At(due) = bench.reconcile(&["a", "b"]).await.expect("no trouble") else {
            panic!("it is not as it should be");
        };
        tokio::time::sleep_until(due).await;
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let patches = bench.compute.patches();
    assert!((20..70).contains(&patches), "{patches}");
    let failures = bench.machine.failures();
    let failure = failures[&id("a")].lasting().expect("told to the pods");
    assert_eq!(failure.reason, "OldClientId");
    assert!(
        failure.message.contains("right") && failure.message.contains("wrong"),
        "{}",
        failure.message
    );
    assert_eq!(bench.compute.on_machine(), ids(&["a", "b"]));
    bench.expect("a", "right");
    let before = bench.compute.patches();
    let next = bench.reconcile(&["a", "b"]).await.expect("no trouble");
    assert_eq!((next, bench.compute.patches()), (Next::Compare, before));
    assert!(bench.machine.failures().is_empty());
}

//! Identities that were deleted and made again under the same id.

use std::time::Duration;

use super::bench::Bench;
use crate::moment::Moment;
use crate::testing::{id, ids};

impl Bench {
    /// What the AzureIdentities say.
    fn expect(&mut self, name: &str, client_id: &str) {
        self.desired.client_ids = [(id(name), client_id.to_owned())].into();
    }
}

/// Fault 24: an identity is deleted and made again under its name, and the scale set has the client id of the former.
#[test]
fn an_identity_that_was_made_anew_is_taken_off_and_put_on_again() {
    let mut bench = Bench::new(&["theirs"], &[]);
    bench.expect("a", "C0");
    bench.reconcile(&["a", "b"]);
    assert_eq!(bench.patches.len(), 1);
    bench.azure.made.insert(id("a"), 1);
    bench.expect("a", "c1");
    let before = bench.reports.len();
    bench.reconcile(&["a", "b"]);
    let first = bench.reports[before].present.as_ref().expect("looked at");
    assert!(!first.contains(&id("a")), "it counts as absent meanwhile");
    assert!(bench.compares_at_the_interval());
    assert_eq!(bench.patches.len(), 3, "one off, one on");
    assert_eq!(bench.azure.on[&id("a")], "c1");
    assert_eq!(bench.on_target(), ids(&["theirs", "a", "b"]));
    assert_eq!(bench.status().ours, ids(&["a", "b"]));
    assert_eq!(bench.status().present, Some(ids(&["theirs", "a", "b"])));
    bench.wake();
    assert_eq!(bench.patches.len(), 3, "and that is all");
}

#[test]
fn what_others_put_there_stays_whatever_client_id_it_shows() {
    let mut bench = Bench::new(&["a"], &[]);
    bench.expect("a", "c1");
    bench.reconcile(&["a"]);
    assert_eq!(bench.patches.len(), 0);
    assert_eq!(bench.azure.on[&id("a")], "c0");
}

#[test]
fn a_client_id_that_putting_on_again_does_not_mend_is_told_and_tried_ever_more_seldom() {
    let mut bench = Bench::new(&[], &[]);
    bench.expect("a", "wrong");
    bench.reconcile(&["a", "b"]);
    while bench.now < Moment::after_start(Duration::from_secs(3600)) {
        let looks_fine = bench.compares_at_the_interval() && bench.failed().is_empty();
        assert!(!looks_fine, "it is not as it should be");
        bench.wake();
    }
    let patches = bench.patches.len();
    assert!((20..70).contains(&patches), "{patches}");
    let failure = bench.status().failures[&id("a")]
        .permanent()
        .expect("told to the pods");
    assert_eq!(failure.reason, "OldClientId");
    let message = &failure.message;
    assert!(
        message.contains("c0") && message.contains("wrong"),
        "{message}"
    );
    assert_eq!(bench.on_target(), ids(&["a", "b"]));
    bench.expect("a", "c0");
    bench.reconcile(&["a", "b"]);
    assert!(bench.compares_at_the_interval());
    assert_eq!(bench.patches.len(), patches);
    assert_eq!(bench.failed(), ids(&[]));
}

#[test]
fn an_identity_that_is_mended_by_being_put_on_again_is_no_longer_a_failure() {
    let mut bench = Bench::new(&[], &[]);
    bench.expect("a", "c1");
    bench.reconcile(&["a"]);
    bench.wake();
    assert_eq!(bench.failed(), ids(&["a"]), "put on again, and still c0");
    bench.azure.made.insert(id("a"), 1);
    bench.wake();
    assert_eq!(bench.azure.on[&id("a")], "c1");
    assert_eq!(bench.failed(), ids(&[]));
    assert!(bench.compares_at_the_interval());
}

use std::collections::BTreeMap;

use podid_azure::{Operation, Reply};
use podid_core::owner::TAG_PROFILE;

use super::*;
use crate::assigned_identity::fake::{FakeIdentities, id};

const INTERVAL: Duration = Duration::from_secs(180);

fn lookups() -> (Lookups, Arc<FakeIdentities>) {
    let azure = Arc::new(FakeIdentities::default());
    let identities = Arc::clone(&azure) as Arc<dyn Identities>;
    (Lookups::new(identities, INTERVAL), azure)
}

/// Carries out what is due.
async fn settle(lookups: &mut Lookups) {
    while let Some(read) = lookups.start_next() {
        let read = read.await;
        lookups.record(read);
    }
}

/// Waits for the next read and carries it out; how long that took.
async fn next(lookups: &mut Lookups) -> Duration {
    let now = Instant::now();
    tokio::time::sleep_until(lookups.next_due().expect("one is due")).await;
    tokio::time::advance(Duration::from_millis(1)).await;
    settle(lookups).await;
    now.elapsed()
}

fn found(client_id: &str) -> TagLookup {
    IdentityLookup::Found {
        client_id: client_id.into(),
        owner: None,
    }
}

fn refuse(status: u16) -> impl Fn() -> AzureError + Send + Sync {
    move || {
        AzureError::refused(
            Operation::GetIdentity,
            "/x",
            Reply::new(status, "Code", "no"),
        )
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_name_an_identity_share_one_read() {
    let (mut lookups, azure) = lookups();
    azure.put("a", "client", BTreeMap::new());
    for _ in 0..3 {
        lookups.want(&id("a"));
        lookups.want(&id("A"));
    }
    settle(&mut lookups).await;
    assert_eq!(azure.reads(), 1);
    assert_eq!(lookups.believed(&id("a")), Some(&found("client")));
    let wait = next(&mut lookups).await;
    assert!(wait >= INTERVAL, "{wait:?}");
    assert_eq!(azure.reads(), 2);
    lookups.forget(&id("a"));
    assert_eq!(lookups.next_due(), None);
}

#[tokio::test(start_paused = true)]
async fn few_are_read_at_once() {
    let (mut lookups, _) = lookups();
    for number in 0..3 * AT_ONCE {
        lookups.want(&id(&format!("i{number}")));
    }
    let started: Vec<_> = std::iter::from_fn(|| lookups.start_next()).collect();
    assert_eq!(started.len(), AT_ONCE);
    assert_eq!(lookups.next_due(), None, "no room");
}

#[tokio::test(start_paused = true)]
async fn what_azure_answers_is_told_apart() {
    let table = [
        (403, "unreadable"),
        (404, "unreadable"),
        (429, "not yet"),
        (503, "not yet"),
        (401, "not yet"),
    ];
    for (status, expected) in table {
        let (mut lookups, azure) = lookups();
        azure.refuse(refuse(status));
        lookups.want(&id("a"));
        settle(&mut lookups).await;
        let word = match lookups.believed(&id("a")) {
            Some(IdentityLookup::Unreadable(_)) => "unreadable",
            Some(IdentityLookup::NotYet(_)) => "not yet",
            other => panic!("{other:?}"),
        };
        assert_eq!(word, expected, "{status}");
        let wait = next(&mut lookups).await;
        assert!(wait <= Duration::from_secs(10), "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_was_there_is_not_forgotten_for_one_answer() {
    let (mut lookups, azure) = lookups();
    azure.put("a", "client", BTreeMap::new());
    lookups.want(&id("a"));
    settle(&mut lookups).await;
    azure.refuse(refuse(503));
    for _ in 0..4 {
        next(&mut lookups).await;
        assert_eq!(lookups.believed(&id("a")), Some(&found("client")));
    }
    azure.relent();
    next(&mut lookups).await;
    azure.refuse(refuse(403));
    next(&mut lookups).await;
    assert_eq!(
        lookups.believed(&id("a")),
        Some(&found("client")),
        "one may be wrong"
    );
    next(&mut lookups).await;
    let believed = lookups.believed(&id("a"));
    assert!(
        matches!(believed, Some(IdentityLookup::Unreadable(_))),
        "{believed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn doubt_brings_the_next_read_forward_but_not_without_end() {
    let (mut lookups, azure) = lookups();
    azure.put("a", "client", BTreeMap::new());
    lookups.want(&id("a"));
    settle(&mut lookups).await;
    let tag = BTreeMap::from([(TAG_PROFILE.to_owned(), "web".to_owned())]);
    azure.put("a", "client", tag);
    for _ in 0..100 {
        lookups.recheck(&id("a"));
    }
    let wait = next(&mut lookups).await;
    assert!(wait <= BETWEEN_REQUESTS * 2, "{wait:?}");
    assert_eq!(azure.reads(), 2);
    assert_eq!(lookups.owned(), [id("a")]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_azure_asks_for_is_kept_whatever_brings_the_read_forward() {
    let asked = Duration::from_secs(60);
    let (mut lookups, azure) = lookups();
    azure.refuse(move || {
        let reply = Reply {
            retry_after: Some(asked),
            ..Reply::new(429, "TooManyRequests", "no")
        };
        AzureError::refused(Operation::GetIdentity, "/x", reply)
    });
    lookups.want(&id("a"));
    settle(&mut lookups).await;
    lookups.recheck(&id("a"));
    let wait = next(&mut lookups).await;
    assert!(wait >= asked, "{wait:?}");
    assert_eq!(azure.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_held_back_is_made_later_and_says_nothing() {
    let wait = Duration::from_secs(20);
    let (mut lookups, azure) = lookups();
    azure.put("a", "client", BTreeMap::new());
    azure.refuse(move || AzureError::NotSent {
        operation: Operation::GetIdentity,
        resource: "/x".to_owned(),
        source: "too many".into(),
        retry_after: Some(wait),
        next_step: "wait".to_owned(),
    });
    lookups.want(&id("a"));
    settle(&mut lookups).await;
    for _ in 0..10 {
        assert_eq!(lookups.believed(&id("a")), None);
        let waited = next(&mut lookups).await;
        assert!(waited < wait * 2, "no back-off: {waited:?}");
    }
    azure.relent();
    next(&mut lookups).await;
    assert_eq!(lookups.believed(&id("a")), Some(&found("client")));
}

use std::sync::Arc;
use std::time::Duration;

use podid_core::assigned_identity::{AssignedIdentity, AssignmentState};
use podid_core::binding::{AzureIdentity, AzureIdentityType, Binding, Pod};
use podid_core::net_raw::NetRaw;
use podid_core::owner::Origin;
use podid_core::target::BETWEEN_REQUESTS;
use tokio::time::Instant;

use super::*;
use crate::assigned_identity::existing::{read_object, to_object};
use crate::assigned_identity::fake::{FakeCompute, FakeRecords, context, id, ids, target};
use crate::assigned_identity::index::{PlacedPod, RecordedIdentity};
use crate::assigned_identity::profiles::{
    ChangedObject, ConcernedProfiles, ProfileFacts, ProfileSummary,
};
use crate::assigned_identity::run::target_context;

/// Targets of a cluster whose one profile, `apps/web`, has identity `a`.
struct Fixture {
    targets: Targets,
    profiles: ProfileFacts,
    index: SharedIndex,
    compute: Arc<FakeCompute>,
}

fn key() -> ObjectKey {
    ObjectKey::new("apps", "web")
}

impl Fixture {
    fn new() -> Self {
        let compute = Arc::new(FakeCompute::new(&[]));
        let context = context(&compute);
        let records = Arc::new(FakeRecords::default());
        let target_context = target_context(&context, records, Drain::new());
        let (index, dirty) = SharedIndex::new(context.settings.rules);
        let (concerned, recheck) = (ConcernedProfiles::default(), DirtySet::default());
        let (stores, changed_owners) = (context.stores.clone(), DirtySet::default());
        let profiles = ProfileFacts::new(stores, index.clone(), concerned.clone(), changed_owners);
        let targets = Targets::new(
            target_context,
            index.clone(),
            dirty.targets,
            concerned,
            recheck,
        );
        let mut fixture = Self {
            targets,
            profiles,
            index,
            compute,
        };
        fixture.request(None);
        fixture.index.set_node("node", Some(Ok(target())));
        fixture.index.set_identity(&key(), Some(identity()));
        fixture.index.set_binding(&key(), Some(binding()));
        fixture
    }

    fn request(&mut self, requested: Option<&str>) {
        self.change(ProfileSummary {
            recorded: Some(RecordedIdentity {
                id: id("a"),
                class: "standard".into(),
            }),
            requested: requested.map(str::to_owned),
            ..ProfileSummary::default()
        });
    }

    /// Something was made for the profile; `made` is all of it.
    fn make(&mut self, made: &[&str]) {
        self.change(ProfileSummary {
            recorded: Some(RecordedIdentity {
                id: id("a"),
                class: "standard".into(),
            }),
            made: made.iter().map(|&what| what.to_owned()).collect(),
            ..ProfileSummary::default()
        });
    }

    fn change(&mut self, profile: ProfileSummary) {
        let changed = ChangedObject::Profile(key(), Some(profile));
        self.profiles.apply(changed);
        for profile in self.targets.concerned.requested.take() {
            self.targets.request(&profile);
        }
        for profile in self.targets.concerned.mended.take() {
            self.targets.may_be_mended(&profile);
        }
    }

    /// The pod comes or goes.
    fn place(&mut self, placed: Option<PlacedPod>) {
        self.index.set_pod(&key(), placed);
        let dirty = self.targets.dirty.take();
        self.targets.set_desired(&dirty);
    }

    /// Until what was refused has been tried once more, so that the next try by itself is a long wait away.
    async fn until_tried_again(&mut self) {
        let before = self.compute.patches();
        while self.compute.patches() == before {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // The answer is taken in.
        tokio::time::sleep(Duration::from_secs(1)).await;
        while let Ok(report) = self.targets.reports.try_recv() {
            self.targets.on_report(report);
        }
    }

    /// How long it takes until the scale set is seen to have these.
    async fn until_carries(&mut self, names: &[&str]) -> Duration {
        let started = Instant::now();
        loop {
            let report = self.targets.reports.recv().await.expect("the worker runs");
            let has_them = report.status.present == Some(ids(names));
            self.targets.on_report(report);
            if has_them {
                return started.elapsed();
            }
        }
    }
}

fn identity() -> AzureIdentity {
    AzureIdentity {
        namespace: "apps".into(),
        name: "web".into(),
        kind: AzureIdentityType::Managed,
        client_id: "c".into(),
        resource_id: id("a"),
        principal_id: None,
        namespaced: false,
        origin: Origin::Profile,
        net_raw: NetRaw::Ignore,
        class: None,
    }
}

fn binding() -> Binding {
    Binding {
        namespace: "apps".into(),
        name: "web".into(),
        identity: "web".into(),
        selector: "web".into(),
        service_accounts: BTreeSet::new(),
        origin: Origin::Profile,
    }
}

fn pod() -> PlacedPod {
    let pod = Pod {
        namespace: "apps".into(),
        name: "web".into(),
        uid: "u".into(),
        selector: Some("web".into()),
        service_account: "default".into(),
        breaches: BTreeSet::new(),
        unserved: None,
    };
    let node = "node".to_owned();
    PlacedPod { pod, node }
}

#[tokio::test]
async fn only_what_is_assigned_counts_as_seen_before_a_restart() {
    let mut fixture = Fixture::new();
    fixture.place(Some(pod()));
    let said = |state| {
        let content = AssignedIdentity {
            pod_uid: "u".into(),
            node: "node".into(),
            identity: ("apps".into(), "web".into()),
            resource_id: Some(id("a")),
            client_id: "c".into(),
            binding: ("apps".into(), "web".into()),
            state,
        };
        let object = read_object(&to_object(&pod().pod, "object", &content));
        let key = ObjectKey::new("apps", "object");
        fixture.index.set_existing(&key, Some(object));
        fixture.index.said_assigned(&target())
    };
    assert_eq!(said(AssignmentState::Created), ids(&[]));
    assert_eq!(said(AssignmentState::Assigned), ids(&["a"]));
}

#[tokio::test(start_paused = true)]
async fn a_request_has_targets_compared_at_once_also_when_nothing_failed() {
    let mut fixture = Fixture::new();
    fixture.place(Some(pod()));
    fixture.until_carries(&["a"]).await;
    fixture.compute.take_away("a");
    fixture.request(Some("now"));
    let noticed = fixture.until_carries(&[]).await;
    let back = fixture.until_carries(&["a"]).await;
    assert!(noticed + back <= BETWEEN_REQUESTS, "{noticed:?} {back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_reaches_targets_that_are_to_let_go_of_the_identity() {
    let mut fixture = Fixture::new();
    fixture.place(Some(pod()));
    fixture.until_carries(&["a"]).await;
    fixture.compute.refuse(403, "AuthorizationFailed", None);
    fixture.place(None);
    // Long enough for the waits to have grown.
    tokio::time::sleep(Duration::from_secs(1000)).await;
    while let Ok(report) = fixture.targets.reports.try_recv() {
        fixture.targets.on_report(report);
    }
    fixture.compute.relent();
    fixture.request(Some("now"));
    tokio::time::sleep(BETWEEN_REQUESTS + Duration::from_secs(1)).await;
    assert_eq!(fixture.compute.on_target(), ids(&[]));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_for_a_profile_has_its_refused_identity_tried_at_once() {
    for made in [&["client", "right"][..], &["other client"]] {
        let mut fixture = Fixture::new();
        fixture.make(&["client"]);
        fixture.compute.spoil(&["a"], false);
        fixture.place(Some(pod()));
        // Long enough for the waits to have grown.
        tokio::time::sleep(Duration::from_secs(1000)).await;
        fixture.until_tried_again().await;
        fixture.compute.spoil(&[], false);
        let before = fixture.compute.patches();
        fixture.make(&["client"]);
        tokio::time::sleep(BETWEEN_REQUESTS).await;
        assert_eq!(fixture.compute.patches(), before, "nothing new was made");
        fixture.make(made);
        let took = fixture.until_carries(&["a"]).await;
        assert!(took <= BETWEEN_REQUESTS, "{made:?}: {took:?}");
        assert_eq!(fixture.compute.patches(), before + 1);
    }
}

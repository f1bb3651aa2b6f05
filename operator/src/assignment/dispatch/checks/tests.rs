use std::sync::Arc;
use std::time::Duration;

use podid_core::binding::{AzureIdentity, AzureIdentityType, Binding, Origin, Pod};
use podid_core::net_raw::NetRaw;
use podid_core::target::BETWEEN_REQUESTS;
use podid_runtime::Drain;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::assignment::fake::{FakeCompute, FakeRecords, context, id, ids, target};
use crate::assignment::index::PlacedPod;
use crate::target::{TargetManager, TargetReport};

/// A dispatcher whose one profile, `apps/web`, has identity `a`.
struct Bench {
    dispatcher: Dispatcher,
    reports: mpsc::UnboundedReceiver<TargetReport>,
    compute: Arc<FakeCompute>,
}

fn key() -> ObjectKey {
    ObjectKey::new("apps", "web")
}

impl Bench {
    fn new() -> Self {
        let compute = Arc::new(FakeCompute::new(&[]));
        let context = context(&compute);
        let records = Arc::new(FakeRecords::default());
        let target_context =
            crate::assignment::dispatch::target_context(&context, records, Drain::new());
        let (targets, reports) = TargetManager::new(target_context);
        let mut bench = Self {
            dispatcher: Dispatcher::new(context, targets),
            reports,
            compute,
        };
        bench.request(None);
        let index = &mut bench.dispatcher.index;
        index.set_node("node", Some(Ok(target())));
        index.set_identity(&key(), Some(identity()));
        index.set_binding(&key(), Some(binding()));
        bench
    }

    fn request(&mut self, requested: Option<&str>) {
        let profile = SeenProfile {
            recorded: Some(id("a")),
            requested: requested.map(str::to_owned),
        };
        let touched = Touched::Profile(key(), Some(profile));
        self.dispatcher.touched(touched);
    }

    /// The pod comes or goes.
    fn place(&mut self, placed: Option<PlacedPod>) {
        let dispatcher = &mut self.dispatcher;
        dispatcher.index.set_pod(&key(), placed);
        for target in &dispatcher.index.take_dirty().targets {
            let wanted = dispatcher.index.wanted(target);
            dispatcher.targets.set_desired(target, wanted);
        }
        dispatcher.count(&key());
    }

    /// How long it takes until the machine is seen to carry these.
    async fn until_carries(&mut self, names: &[&str]) -> Duration {
        let started = Instant::now();
        loop {
            let report = self.reports.recv().await.expect("the worker runs");
            let carries = report.status.carries == Some(ids(names));
            self.dispatcher.on_report(report);
            if carries {
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
    };
    let node = "node".to_owned();
    PlacedPod { pod, node }
}

#[tokio::test(start_paused = true)]
async fn a_request_has_the_machines_compared_at_once_also_when_nothing_failed() {
    let mut bench = Bench::new();
    bench.place(Some(pod()));
    bench.until_carries(&["a"]).await;
    bench.compute.take_away("a");
    bench.request(Some("now"));
    let noticed = bench.until_carries(&[]).await;
    let back = bench.until_carries(&["a"]).await;
    assert!(noticed + back <= BETWEEN_REQUESTS, "{noticed:?} {back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_reaches_machines_that_are_to_let_go_of_the_identity() {
    let mut bench = Bench::new();
    bench.place(Some(pod()));
    bench.until_carries(&["a"]).await;
    bench.compute.refuse(403, "AuthorizationFailed", None);
    bench.place(None);
    // Long enough for the waits to have grown.
    tokio::time::sleep(Duration::from_secs(1000)).await;
    while let Ok(report) = bench.reports.try_recv() {
        bench.dispatcher.on_report(report);
    }
    bench.compute.relent();
    bench.request(Some("now"));
    tokio::time::sleep(BETWEEN_REQUESTS + Duration::from_secs(1)).await;
    assert_eq!(bench.compute.on_target(), ids(&[]));
}

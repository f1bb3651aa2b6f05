//! The four controllers, each from the same parts.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::runtime::events::Reporter;
use podid_core::binding::{BindingScope, ServingRules};
use podid_core::class::OperatorEnvironment;
use podid_core::node_guard::{NodeSummary, NodeTaintSettings};
use podid_core::policy;
use podid_index::events::{self, EventWriter};
use podid_index::watch::Watch;
use podid_runtime::{BoxError, Drain, Tasks};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::FIELD_MANAGER;
use crate::args::{Args, LeaseArgs};
use crate::assigned_identity::{self, AssignmentChanges, AssignmentView, ProfileStores};
use crate::azure::Azure;
use crate::class::{self, ClassContext};
use crate::gate::{GateMetrics, RequestBudget};
use crate::leader::Leadership;
use crate::metrics::ControllerMetrics;
use crate::node_guard::{self, NodeGuardContext, NodeGuardMetrics};
use crate::profile::{self, ProfileContext, Watches};
use crate::retry::Retries;

/// Events that may wait while the API server is slow; more are dropped.
const MAX_EVENTS: usize = 4096;

/// What the controllers have in common. `client` and `azure` let only the leader write.
pub(super) struct Controllers<'a> {
    pub(super) args: &'a Args,
    pub(super) client: Client,
    pub(super) azure: Azure,
    /// How many calls `azure` may make.
    pub(super) budget: RequestBudget,
    pub(super) leadership: Leadership,
    pub(super) watches: Watches,
    pub(super) nodes: Watch<Node>,
    pub(super) events: EventWriter,
    pub(super) counters: Counters,
    pub(super) drain: Drain,
}

/// All metrics of the operator.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub(super) controllers: ControllerMetrics,
    pub(super) assignment: assigned_identity::AssignedIdentityMetrics,
    pub(super) gate: GateMetrics,
    pub(super) nodes: NodeGuardMetrics,
}

impl Counters {
    /// Registers them; once a process.
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            controllers: ControllerMetrics::register(registry),
            assignment: assigned_identity::AssignedIdentityMetrics::register(registry),
            gate: GateMetrics::register(registry),
            nodes: NodeGuardMetrics::register(registry),
        }
    }
}

impl Controllers<'_> {
    /// Starts them as tasks, each waited for when the process drains.
    pub(super) fn start(self, tasks: &mut Tasks) {
        let (assignment_view, changes) = AssignmentView::new();
        let (summarize, summary) = watch::channel(None);
        tasks.required("node taints", self.node_taints(summarize));
        tasks.required("classes", self.classes(summary));
        tasks.required("profiles", self.profiles(assignment_view.clone(), changes));
        tasks.required(
            "assigned identities",
            self.assigned_identities(assignment_view),
        );
    }

    fn node_taints(
        &self,
        summary: watch::Sender<Option<NodeSummary>>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
        let context = NodeGuardContext {
            client: self.client.clone(),
            leadership: self.leadership.clone(),
            events: self.events.clone(),
            metrics: self.counters.nodes.clone(),
            namespace: self.args.cluster.namespace.clone(),
            settings: NodeTaintSettings {
                puts_on: self.args.set_node_taints,
                delay: self.args.node_taint_delay,
            },
            daemons: node_guard::Daemons::default(),
            changed: Arc::default(),
        };
        node_guard::run(context, self.nodes.clone(), summary, self.drain.clone())
    }

    fn classes(
        &self,
        nodes: watch::Receiver<Option<NodeSummary>>,
    ) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
        let context = ClassContext {
            client: self.client.clone(),
            subscriptions: Arc::clone(&self.azure.subscriptions),
            roles: Arc::clone(&self.azure.roles),
            operator: self.environment(),
            profiles: self.watches.profiles.store(),
            namespaces: self.watches.namespaces.store(),
            namespace: self.args.cluster.namespace.clone(),
            policies: policy::wanted(self.args.legacy_identities, self.args.legacy_net_raw),
            nodes,
            leadership: self.leadership.clone(),
            events: self.events.clone(),
            metrics: self.counters.controllers.clone(),
            interval: self.args.interval,
            schedule: class::Schedule::default(),
            retries: Retries::default(),
        };
        let watches = class::ClassWatches {
            classes: self.watches.classes.clone(),
            profiles: self.watches.profiles.clone(),
            namespaces: self.watches.namespaces.clone(),
        };
        class::run(context, watches, self.drain.clone())
    }

    fn profiles(
        &self,
        assignment_view: AssignmentView,
        changes: AssignmentChanges,
    ) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
        let context = ProfileContext {
            client: self.client.clone(),
            azure: self.azure.clone(),
            operator: self.environment(),
            classes: self.watches.classes.store(),
            namespaces: self.watches.namespaces.store(),
            namespace: self.args.cluster.namespace.clone(),
            profiles: self.watches.profiles.store(),
            assignment_view,
            leadership: self.leadership.clone(),
            events: self.events.clone(),
            metrics: self.counters.controllers.clone(),
            interval: self.args.interval,
            children: profile::ChildStores {
                azure_identities: self.watches.azure_identities.store(),
                bindings: self.watches.bindings.store(),
            },
            adoptions: profile::Adoptions::default(),
            ended: profile::EndedProfiles::default(),
            lists: profile::SharedLists::default(),
            queue: profile::ProfileQueue::new(self.args.concurrency, self.budget.clone()),
            retries: Retries::default(),
            reminders: profile::Reminders::default(),
        };
        profile::run(context, self.watches.clone(), changes, self.drain.clone())
    }

    fn assigned_identities(
        &self,
        assignment_view: AssignmentView,
    ) -> impl Future<Output = Result<(), BoxError>> + Send + 'static {
        let watches = self.watches.clone();
        let context = assigned_identity::AssignedIdentityContext {
            client: self.client.clone(),
            compute: Arc::clone(&self.azure.compute),
            identities: Arc::clone(&self.azure.identities),
            stores: ProfileStores::new(watches.profiles, watches.classes, watches.namespaces),
            settings: assignment_settings(self.args),
            metrics: self.counters.assignment.clone(),
            assignment_view,
        };
        let (leadership, drain) = (self.leadership.clone(), self.drain.clone());
        async move {
            // The others keep their queues warm on every replica. This one has nothing to prepare:
            // it starts when this replica leads.
            tokio::select! {
                () = leadership.gained() => assigned_identity::run(context, drain).await,
                () = drain.draining() => Ok(()),
            }
        }
    }

    fn environment(&self) -> OperatorEnvironment {
        let azure = &self.args.azure;
        class::operator_environment(azure.cloud, azure.tenant_id.clone())
    }
}

/// Where profiles and classes hand in their Events. They are written by a task of their own, so that no
/// reconciliation waits for one.
pub(super) fn event_writer(client: &Client, lease: &LeaseArgs, tasks: &mut Tasks) -> EventWriter {
    let reporter = Reporter {
        controller: FIELD_MANAGER.into(),
        instance: lease.replica.clone(),
    };
    let (writer, queue) = events::channel(MAX_EVENTS);
    tasks.background("events", queue.run(client.clone(), reporter));
    writer
}

fn assignment_settings(args: &Args) -> assigned_identity::AssignedIdentitySettings {
    assigned_identity::AssignedIdentitySettings {
        namespace: args.cluster.namespace.clone(),
        rules: ServingRules {
            scope: match args.force_namespaced {
                true => BindingScope::Namespace,
                false => BindingScope::Cluster,
            },
            legacy: args.legacy_identities,
            legacy_net_raw: args.legacy_net_raw,
        },
        interval: args.target_interval,
        window: args.target_window,
        immutable: args.immutable_identities.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn defaults_of_the_flags_are_those_of_the_parts() {
        let args = Args::try_parse_from(["podid-operator"]).expect("defaults");
        let settings = assignment_settings(&args);
        assert_eq!(
            settings.interval,
            assigned_identity::AssignedIdentitySettings::INTERVAL
        );
        assert_eq!(
            settings.window,
            assigned_identity::AssignedIdentitySettings::WINDOW
        );
    }
}

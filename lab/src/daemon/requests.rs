//! What the daemon does for each request on the control socket.

use std::sync::Arc;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};

use super::environment;
use super::supervise::{Program, Supervisor};
use crate::context::Context;
use crate::control::{Answer, Endpoints, NodeStatus, PodStatus, Request, Service, Status};
use crate::events::chain;
use crate::options::{NodeAgent, Target};
use crate::targets::RunningTarget;

/// A day: nothing in a lab has to renew a token.
const TOKEN_SECONDS: i64 = 86_400;

/// What requests are answered from.
#[derive(Clone)]
pub(super) struct Requests(Arc<State>);

struct State {
    context: Context,
    supervisor: Supervisor,
    endpoints: Endpoints,
    node_agent: NodeAgent,
}

impl Requests {
    pub(super) fn new(
        context: Context,
        supervisor: Supervisor,
        endpoints: Endpoints,
        node_agent: NodeAgent,
    ) -> Self {
        Self(Arc::new(State {
            context,
            supervisor,
            endpoints,
            node_agent,
        }))
    }
}

/// Answers `request`, or says in one line why not.
pub(super) async fn handle(requests: &Requests, request: Request) -> Result<Answer, String> {
    let state = &requests.0;
    match request {
        Request::Status => Answer::of(&state.status()),
        Request::Resolve(target) => Answer::of(&state.resolve(&target)?),
        Request::Start(service) => Answer::of(&state.start(service)?),
        Request::Stop { name } => {
            let stopped = state.supervisor.stop(&name).await;
            Answer::of(&stopped.map_err(|error| chain(&error))?)
        }
        Request::Signal { name, signal } => {
            let sent = state.supervisor.signal(&name, signal);
            Answer::of(&sent.map_err(|error| chain(&error))?)
        }
        Request::Token {
            namespace,
            name,
            audience,
        } => Answer::of(&state.token(&namespace, &name, audience).await?),
    }
}

impl State {
    fn status(&self) -> Status {
        let layout = &self.context.layout;
        let nodes = layout.nodes.iter().map(|node| NodeStatus {
            name: node.name.clone(),
            address: node.address.into(),
            resource_id: node.resource_id.clone(),
        });
        let pods = self
            .context
            .targets
            .list()
            .into_iter()
            .filter_map(|(target, running)| {
                let Target::Pod { namespace, name } = target else {
                    return None;
                };
                Some(PodStatus {
                    namespace,
                    name,
                    address: running.address,
                })
            });
        Status {
            name: layout.name.clone(),
            network: layout.network,
            endpoints: self.endpoints.clone(),
            programs: self.supervisor.status(),
            nodes: nodes.collect(),
            pods: pods.collect(),
        }
    }

    /// The process to enter for `target`, with the environment of every program there.
    fn running(&self, target: &Target) -> Result<RunningTarget, String> {
        let running = self.context.targets.get(target);
        let mut running = running.ok_or_else(|| self.missing(target))?;
        let mut env = (*self.context.program_env).clone();
        env.append(&mut running.env);
        running.env = env;
        Ok(running)
    }

    /// As [`Self::running`], for a person or script: outside of pods these are
    /// the cluster's administrator.
    fn resolve(&self, target: &Target) -> Result<RunningTarget, String> {
        let mut running = self.running(target)?;
        if !matches!(target, Target::Pod { .. }) {
            let path = self
                .context
                .dir
                .inner_kubeconfig()
                .to_string_lossy()
                .into_owned();
            running.env.insert("KUBECONFIG".to_owned(), path);
        }
        Ok(running)
    }

    fn missing(&self, target: &Target) -> String {
        let all = self.context.targets.list();
        let known: Vec<String> = all.iter().map(|(target, _)| target.to_string()).collect();
        let known = known.join(", ");
        match (target, self.node_agent) {
            (Target::Pod { .. }, NodeAgent::Kubelet) => format!(
                "the pods of this lab are the kubelets' own: enter {target} with `kubectl exec`; \
                 here can be entered: {known}"
            ),
            _ => format!("{target} is not running in this lab; there are: {known}"),
        }
    }

    fn start(&self, service: Service) -> Result<(), String> {
        let running = self.running(&service.target)?;
        let mut env = environment::service(&self.context.dir);
        env.extend(running.env);
        env.extend(service.env);
        let program = Program {
            name: service.name,
            component: false,
            target: service.target,
            argv: service.argv,
            env,
            cwd: service.cwd,
            restart: service.restart,
        };
        self.supervisor
            .start(program)
            .map_err(|error| chain(&error))
    }

    async fn token(
        &self,
        namespace: &str,
        name: &str,
        audience: Option<String>,
    ) -> Result<String, String> {
        let api: Api<ServiceAccount> = Api::namespaced(self.context.client.clone(), namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: audience.map(|audience| vec![audience]),
                expiration_seconds: Some(TOKEN_SECONDS),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let answer = api
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(|error| format!("no token for service account {namespace}/{name}: {error}"))?;
        let token = answer.status.and_then(|status| status.token);
        token.ok_or_else(|| format!("the API server gave no token for {namespace}/{name}"))
    }
}

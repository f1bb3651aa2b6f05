//! Objects for the tests of several modules, and the limit of each test.

use std::future::Future;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use podid_azure::{
    ImdsToken, ImdsTokenRequest, PrincipalCredential, PrincipalError, PrincipalTokenRequest,
    PrincipalTokens, Secret,
};
use podid_core::arm::ArmId;
use podid_core::assigned_identity::{AssignedIdentity, AssignmentState};
use podid_core::binding::{AzureIdentity, AzureIdentityType, Binding, Pod, ServingRules};
use podid_core::net_raw::NetRaw;
use podid_core::owner::Origin;
use podid_core::resolve::CallingPod;
use podid_index::ObjectKey;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::pod_context::{PodContext, PrincipalLimits, ProfileClientIds};
use crate::token::secrets::{SecretError, SecretReader, SecretValues};
use crate::token::{DecidedSource, EntraTokens, NodeImds};

/// Longest duration of one test, by the real clock.
const LIMIT: Duration = Duration::from_secs(60);
/// Longest duration of one test by tokio's clock. A test may pause that clock; tokio then moves it on
/// whenever all tasks wait, so a test that waits for what never comes fails at once.
const PAUSED_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test. Every async test of this crate runs in it, so that none can wait for ever.
///
/// # Panics
/// When the test does not end within [`LIMIT`].
pub(crate) async fn within_limit(test: impl Future<Output = ()>) {
    let (expire, expired) = oneshot::channel();
    let (running, ended) = mpsc::channel::<()>();
    // A thread, because a timer of tokio's stands still with a paused clock while a task is busy.
    std::thread::spawn(move || {
        if ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _test_ended = expire.send(());
        }
    });
    tokio::select! {
        () = test => {}
        Ok(()) = expired => panic!("the test has not ended within {LIMIT:?}"),
        () = tokio::time::sleep(PAUSED_LIMIT) => panic!("the test waits for what never comes"),
    }
    drop(running);
}

/// Resource id of [`azure_identity`].
pub(crate) const RESOURCE_ID: &str = "/subscriptions/s/resourceGroups/g/providers/\
    Microsoft.ManagedIdentity/userAssignedIdentities/one";

/// A profile's AzureIdentity a/one.
pub(crate) fn azure_identity() -> AzureIdentity {
    AzureIdentity {
        namespace: "a".into(),
        name: "one".into(),
        kind: AzureIdentityType::Managed,
        client_id: "client-one".into(),
        resource_id: ArmId::new(RESOURCE_ID),
        principal_id: None,
        namespaced: true,
        origin: Origin::Profile,
        net_raw: NetRaw::Enforce,
        class: None,
    }
}

/// Pod a/app, which is bound to [`azure_identity`]; assigned at the time of the call, or not yet.
pub(crate) fn pod_context(assigned: bool) -> PodContext {
    let pod = Pod {
        namespace: "a".into(),
        name: "app".into(),
        uid: "uid-1".into(),
        selector: Some("s".into()),
        service_account: "default".into(),
        breaches: [].into(),
        unserved: None,
    };
    let identity = azure_identity();
    let binding = Binding {
        namespace: "a".into(),
        name: "b".into(),
        identity: "one".into(),
        selector: "s".into(),
        service_accounts: [].into(),
        origin: Origin::Profile,
    };
    let state = if assigned {
        AssignmentState::Assigned
    } else {
        AssignmentState::Created
    };
    let assignment = AssignedIdentity {
        pod_uid: "uid-1".into(),
        node: "n".into(),
        identity: ("a".into(), "one".into()),
        resource_id: Some(azure_identity().resource_id),
        client_id: String::new(),
        binding: (String::new(), String::new()),
        state,
    };
    PodContext {
        caller: CallingPod {
            pod,
            labels: [].into(),
            completed: false,
        },
        bindings: vec![binding],
        identities: vec![identity],
        exceptions: vec![],
        assigned_identities: vec![assignment],
        assigned: assigned
            .then(|| (ObjectKey::new("a", "one"), Instant::now()))
            .into_iter()
            .collect(),
        rules: ServingRules::default(),
        of_profiles: ProfileClientIds::default(),
        principal_limits: PrincipalLimits::default(),
    }
}

/// A source that no service principal may ask.
pub(crate) fn decided_source(node_imds: NodeImds) -> DecidedSource {
    let secrets = Arc::new(NoSecrets);
    DecidedSource {
        node_imds,
        entra: EntraTokens::new(secrets, Arc::new(NoEntra)),
    }
}

/// Has none.
#[derive(Debug)]
struct NoSecrets;

#[async_trait::async_trait]
impl SecretReader for NoSecrets {
    async fn read(&self, _: &str, _: &str) -> Result<SecretValues, SecretError> {
        unreachable!("no identity of these tests is a service principal")
    }
}

/// Is never asked.
#[derive(Debug)]
struct NoEntra;

#[async_trait::async_trait]
impl PrincipalTokens for NoEntra {
    async fn token(
        &self,
        _: &PrincipalTokenRequest,
        _: &PrincipalCredential,
    ) -> Result<ImdsToken, PrincipalError> {
        unreachable!("no identity of these tests is a service principal")
    }
}

/// A token of some identity for the resource of a request.
pub(crate) fn imds_token(request: &ImdsTokenRequest) -> ImdsToken {
    ImdsToken {
        access_token: Secret::new("a.b.c"),
        client_id: "c".into(),
        expires_in: 1,
        expires_on: 1,
        ext_expires_in: None,
        not_before: None,
        resource: request.resource.clone(),
        token_type: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "waits for what never comes")]
    async fn a_test_that_waits_for_ever_fails() {
        within_limit(std::future::pending()).await;
    }

    #[test]
    fn every_async_test_of_this_crate_has_the_limit() {
        let mut tests = 0;
        let mut folders = vec![PathBuf::from("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    tests += limited_tests(&path);
                }
            }
        }
        assert!(tests > 40, "only {tests} tests were found");
    }

    /// The number of async tests in a file, each of which must begin with the limit.
    fn limited_tests(path: &Path) -> usize {
        let text = std::fs::read_to_string(path).unwrap();
        // In two parts, so that this line is not counted itself.
        let mark = ["#[tokio", "::test"].concat();
        let mut tests = text.split(&mark);
        tests.next();
        tests
            .inspect(|test| {
                let (_, body) = test.split_once("() {\n").unwrap();
                let name = test.split_once("fn ").unwrap().1;
                assert!(
                    body.trim_start().starts_with("within_limit("),
                    "{}: {}",
                    path.display(),
                    name.lines().next().unwrap()
                );
            })
            .count()
    }
}

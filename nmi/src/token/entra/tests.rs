use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use podid_azure::{ClientHeaders, PrincipalCredential, PrincipalError, Secret};
use podid_core::binding::AzureIdentityType;
use podid_core::service_principal::{
    Authority, CredentialKind, PUBLIC_AUTHORITY, ServicePrincipal,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::*;
use crate::testing::{azure_identity, pod_context, within_limit};
use crate::token::secrets::{SecretError, SecretValues};

/// Has one Secret, a/sp.
#[derive(Debug)]
struct Secrets {
    password: Mutex<&'static str>,
    reads: AtomicUsize,
    /// One permit for each answer.
    gate: Semaphore,
}

#[async_trait]
impl SecretReader for Secrets {
    async fn read(&self, namespace: &str, name: &str) -> Result<SecretValues, SecretError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let _permit = self.gate.acquire().await;
        match (namespace, name) {
            ("a", "sp") => {
                let password = *self.password.lock().unwrap();
                Ok(SecretValues::from([("clientSecret", password.as_bytes())]))
            }
            ("a", "closed") => Err(SecretError::Forbidden),
            _ => Err(SecretError::NotFound),
        }
    }
}

/// Takes the password `right`, and says whom the token is for, unless it has a refusal to give.
#[derive(Debug, Default)]
struct Entra {
    refusal: Mutex<Option<PrincipalError>>,
    asked: AtomicUsize,
}

#[async_trait]
impl PrincipalTokens for Entra {
    async fn token(
        &self,
        request: &PrincipalTokenRequest,
        credential: &PrincipalCredential,
    ) -> Result<ImdsToken, PrincipalError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let PrincipalCredential::Password(password) = credential else {
            panic!("a password");
        };
        if password.expose() != "right" {
            return Err(PrincipalError::Refused {
                status: 401,
                error: "invalid_client".into(),
                description: "AADSTS7000215: Invalid client secret provided.".into(),
                retry_after: None,
            });
        }
        let (tenant, resource) = (&request.tenant, &request.resource);
        Ok(ImdsToken {
            access_token: Secret::new(format!("{tenant} {resource}")),
            client_id: request.client_id.clone(),
            expires_in: 3600,
            expires_on: 1,
            ext_expires_in: None,
            not_before: None,
            resource: resource.clone(),
            token_type: "Bearer".into(),
        })
    }
}

fn bench() -> (Arc<Secrets>, EntraTokens) {
    bench_of(Arc::default())
}

fn bench_of(entra: Arc<Entra>) -> (Arc<Secrets>, EntraTokens) {
    let secrets = Arc::new(Secrets {
        password: Mutex::new("right"),
        reads: AtomicUsize::new(0),
        gate: Semaphore::new(Semaphore::MAX_PERMITS),
    });
    let reader = Arc::clone(&secrets) as Arc<dyn SecretReader>;
    (secrets, EntraTokens::new(reader, entra))
}

fn chosen(secret: &str) -> ChosenPrincipal {
    ChosenPrincipal {
        credential: CredentialKind::Password,
        authority: Authority::parse(PUBLIC_AUTHORITY).unwrap(),
        tenant: "t".into(),
        secret: secret.into(),
    }
}

async fn ask(entra: &EntraTokens, secret: &str) -> Result<String, TokenError> {
    let pod = pod_context(false);
    let identity = AzureIdentity {
        kind: AzureIdentityType::ServicePrincipal(ServicePrincipal {
            credential: CredentialKind::Password,
            tenant_id: "t".into(),
            auxiliary_tenant_ids: vec![],
            authority: String::new(),
            secret_name: secret.into(),
            secret_namespace: String::new(),
        }),
        ..azure_identity()
    };
    let chosen = chosen(secret);
    let request = TokenRequest {
        pod: &pod.caller,
        identity: &identity,
        principal: Some(&chosen),
        resource: "r",
        headers: &ClientHeaders::default(),
        bypass_cache: false,
        in_background: false,
        assigned_since: None,
        deadline: Instant::now() + Duration::from_secs(20),
    };
    let issued = entra.token(&request, &chosen).await?;
    Ok(issued.token.access_token.expose().to_owned())
}

#[tokio::test]
async fn a_token_is_of_the_tenant_and_the_resource_and_the_secret_is_read_anew_each_time() {
    within_limit(async {
        let (secrets, entra) = bench();
        assert_eq!(ask(&entra, "sp").await.unwrap(), "t r");
        *secrets.password.lock().unwrap() = "wrong";
        let refused = ask(&entra, "sp").await.unwrap_err();
        assert_eq!(refused.outcome, "EntraRefused");
        assert_eq!(refused.answer.status, 400);
        assert!(refused.event && refused.reason.contains("AADSTS7000215"));
        *secrets.password.lock().unwrap() = "right";
        assert_eq!(ask(&entra, "sp").await.unwrap(), "t r");
        assert_eq!(secrets.reads.load(Ordering::Relaxed), 3);
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named_with_what_to_do() {
    within_limit(async {
        let (_, entra) = bench();
        for (name, part) in [("closed", "by a Role"), ("missing", "create it")] {
            let error = ask(&entra, name).await.unwrap_err();
            assert_eq!(error.outcome, "SecretNotReadable");
            assert!(error.event && error.is_transient());
            let named = format!("Secret a/{name}");
            assert!(
                error.reason.contains(&named) && error.reason.contains(part),
                "{error:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn equal_requests_are_one_question() {
    within_limit(async {
        let (secrets, entra) = bench();
        secrets.gate.forget_permits(Semaphore::MAX_PERMITS);
        let many = (0..10).map(|_| ask(&entra, "sp"));
        let all = futures::future::join_all(many);
        let (answers, ()) = tokio::join!(all, async {
            while secrets.reads.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            secrets.gate.add_permits(1);
        });
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "t r"));
        assert_eq!(secrets.reads.load(Ordering::Relaxed), 1);
    })
    .await;
}

/// What Entra says to a secret or certificate that has expired, or is not the application's, to an assertion of a
/// clock that is wrong, and about an application that is gone; and what passes by itself.
#[tokio::test]
async fn a_refusal_is_final_or_passes_and_entra_is_asked_once_a_request() {
    within_limit(async {
        for (status, error, description, answered, is_final) in [
            (
                401,
                "invalid_client",
                "AADSTS7000222: expired secret",
                400,
                true,
            ),
            (
                401,
                "invalid_client",
                "AADSTS7000215: wrong secret",
                400,
                true,
            ),
            (
                401,
                "invalid_client",
                "AADSTS700027: certificate not registered",
                400,
                true,
            ),
            (
                401,
                "invalid_client",
                "AADSTS700024: assertion not valid yet",
                400,
                true,
            ),
            (
                400,
                "unauthorized_client",
                "AADSTS700016: no application",
                400,
                true,
            ),
            (
                400,
                "invalid_resource",
                "AADSTS500011: no such resource",
                400,
                true,
            ),
            (403, "", "", 400, true),
            (302, "", "", 400, true),
            (
                429,
                "too_many_requests",
                "AADSTS90055: throttled",
                429,
                false,
            ),
            (
                503,
                "temporarily_unavailable",
                "AADSTS90033: busy",
                503,
                false,
            ),
            (502, "", "", 502, false),
        ] {
            let fake = Arc::new(Entra::default());
            let (_, entra) = bench_of(Arc::clone(&fake));
            *fake.refusal.lock().unwrap() = Some(PrincipalError::Refused {
                status,
                error: error.into(),
                description: description.into(),
                retry_after: Some(Duration::from_secs(7)),
            });
            for asked in 1..=2 {
                let refused = ask(&entra, "sp").await.unwrap_err();
                assert_eq!(refused.answer.status, answered, "{description}");
                assert_eq!(refused.answer.retry_after, Some(Duration::from_secs(7)));
                assert_eq!(
                    (refused.event, refused.is_transient()),
                    (is_final, !is_final)
                );
                assert!(refused.reason.contains(description));
                let said = &refused.answer.description;
                assert!(!said.is_empty() && said.contains(description), "{said}");
                assert!(!refused.answer.error.is_empty());
                assert_eq!(fake.asked.load(Ordering::Relaxed), asked);
            }
            *fake.refusal.lock().unwrap() = None;
            assert_eq!(
                ask(&entra, "sp").await.unwrap(),
                "t r",
                "nothing stays of it"
            );
        }
    })
    .await;
}

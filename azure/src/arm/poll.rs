//! Long-running operations, as the ARM documentation "Track asynchronous Azure operations" says.

use std::time::{Duration, SystemTime};

use reqwest::{
    StatusCode,
    header::{HeaderName, LOCATION},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{Arm, ArmRequest, ArmResponse, CallContext, headers};
use crate::{AzureError, ErrorClass, Reply, Result, retry_after::retry_after};

/// First and longest wait between two looks when Azure does not say how long to wait. Azure's own
/// clients wait 30 s; identities of a scale set are changed within seconds.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Azure may say 0, which must not become a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(200);

/// Where the state of an operation is read.
#[derive(Clone, Debug, PartialEq)]
enum StatusAddress {
    /// A status document, `Azure-AsyncOperation`.
    Status(Url),
    /// An address that answers 202 while the operation runs, `Location`.
    Location(Url),
    /// The resource itself, by its provisioning state.
    Resource(Url),
}

#[derive(Debug, PartialEq)]
enum OperationProgress {
    Running,
    Done,
}

/// The part of a status document or of a resource that has the state of an operation.
#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusDocument {
    status: String,
    properties: Option<ResourceProperties>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceProperties {
    provisioning_state: Option<String>,
}

impl Arm {
    /// Waits until the operation that `accepted` started has ended.
    ///
    /// `resource` is the URL of what is being changed: it has the state when there is no
    /// operation URL, or when that is lost.
    pub(crate) async fn wait_for(
        &self,
        call: &CallContext,
        resource: &Url,
        accepted: ArmResponse,
    ) -> Result<()> {
        let started = Instant::now();
        let mut wait = FIRST_WAIT;
        let Some(mut address) = self.first_address(call, resource, &accepted)? else {
            return Ok(());
        };
        let mut asked = retry_after(&accepted.headers, SystemTime::now());
        loop {
            sleep(asked.unwrap_or(wait).max(SHORTEST_WAIT)).await;
            // Not `Backoff` of podid-core: this crate uses none of podid's own.
            wait = (wait * 2).min(LONGEST_WAIT);
            self.refuse_long_wait(call, started.elapsed())?;
            match self.look(call, &address).await {
                Ok(response) if address.progress(call, &response)? == OperationProgress::Done => {
                    return Ok(());
                }
                Ok(response) => {
                    asked = retry_after(&response.headers, SystemTime::now());
                    address = address.renewed(call, &response)?;
                }
                // Azure deletes the records of operations; their result still shows in the resource.
                Err(error) if is_lost(&error) && !address.is_resource() => {
                    address = StatusAddress::Resource(resource.clone());
                }
                // A failed read of the status does not end the operation, so it is read again.
                Err(error) if is_passing(&error) => asked = error.retry_after(),
                Err(error) => return Err(error),
            }
        }
    }

    fn refuse_long_wait(&self, call: &CallContext, waited: Duration) -> Result<()> {
        if waited <= self.inner.operation_timeout {
            return Ok(());
        }
        Err(AzureError::OperationUnfinished {
            operation: call.operation,
            resource: call.resource.clone(),
            waited,
        })
    }

    async fn look(&self, call: &CallContext, address: &StatusAddress) -> Result<ArmResponse> {
        let (StatusAddress::Status(url)
        | StatusAddress::Location(url)
        | StatusAddress::Resource(url)) = address;
        self.send(call, &ArmRequest::get(url.clone())).await
    }

    /// Where to look after the first answer; nowhere if the work is done already.
    fn first_address(
        &self,
        call: &CallContext,
        resource: &Url,
        accepted: &ArmResponse,
    ) -> Result<Option<StatusAddress>> {
        if let Some(address) = pointed_to(call, accepted)? {
            return Ok(Some(address));
        }
        let address = StatusAddress::Resource(resource.clone());
        if accepted.status == StatusCode::ACCEPTED {
            return Ok(Some(address));
        }
        Ok((address.progress(call, accepted)? == OperationProgress::Running).then_some(address))
    }
}

impl StatusAddress {
    fn is_resource(&self) -> bool {
        matches!(self, Self::Resource(_))
    }

    fn progress(&self, call: &CallContext, response: &ArmResponse) -> Result<OperationProgress> {
        match self {
            Self::Location(_) if response.status == StatusCode::ACCEPTED => {
                Ok(OperationProgress::Running)
            }
            Self::Location(_) => Ok(OperationProgress::Done),
            Self::Status(_) => {
                let document: StatusDocument = response.json(call)?;
                ended(call, &document.status, response)
            }
            Self::Resource(_) => {
                let document: StatusDocument = response.json(call)?;
                // A resource without the property is changed at once.
                let state = document.properties.and_then(|it| it.provisioning_state);
                ended(call, state.as_deref().unwrap_or("Succeeded"), response)
            }
        }
    }

    /// The addresses may change from answer to answer: the newest counts.
    fn renewed(self, call: &CallContext, response: &ArmResponse) -> Result<Self> {
        Ok(match (&self, pointed_to(call, response)?) {
            (Self::Resource(_), _) | (_, None) => self,
            // A status document may name the address of the final result, too.
            (Self::Status(_), Some(Self::Location(_))) => self,
            (_, Some(newer)) => newer,
        })
    }
}

fn pointed_to(call: &CallContext, response: &ArmResponse) -> Result<Option<StatusAddress>> {
    let url = |name: &HeaderName| match response.header(name) {
        None => Ok(None),
        Some(text) => Url::parse(&text)
            .map(Some)
            .map_err(|source| call.malformed("a bad operation URL", Some(Box::new(source)))),
    };
    if let Some(url) = url(&headers::ASYNC_OPERATION)? {
        return Ok(Some(StatusAddress::Status(url)));
    }
    Ok(url(&LOCATION)?.map(StatusAddress::Location))
}

/// Any word that is not an end means that the operation runs.
fn ended(call: &CallContext, status: &str, response: &ArmResponse) -> Result<OperationProgress> {
    let is = |word| status.eq_ignore_ascii_case(word);
    if is("Succeeded") {
        return Ok(OperationProgress::Done);
    }
    if !(is("Failed") || is("Canceled")) {
        return Ok(OperationProgress::Running);
    }
    Err(AzureError::OperationEnded {
        operation: call.operation,
        resource: call.resource.clone(),
        status: status.to_owned(),
        reply: Box::new(Reply::from_arm(response.status.as_u16(), &response.body)),
    })
}

fn is_lost(error: &AzureError) -> bool {
    matches!(error.status(), Some(404 | 410))
}

/// A look that the gate refuses without a time would be refused again, and again.
fn is_passing(error: &AzureError) -> bool {
    match error.class() {
        ErrorClass::HeldBack | ErrorClass::Throttled { .. } => true,
        ErrorClass::Transient => !matches!(error, AzureError::NotSent { .. }),
        _ => false,
    }
}

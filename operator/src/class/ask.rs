//! Asks Azure about a class.

use std::time::Duration;

use futures::{StreamExt, stream};
use podid_azure::{AzureError, ErrorClass, ResourceGroupId};
use podid_core::arm::ArmId;
use podid_core::class::Class;
use podid_core::class::azure::{About, Answer, Question, questions};

use super::ClassContext;
use crate::azure::advice;
use crate::azure_error::call_failure;

/// How many questions are asked at once for one class.
const AT_ONCE: usize = 4;

/// Azure's answers.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) all: Vec<(Question, Answer)>,
    /// The longest wait that Azure or the budget asked for.
    pub(super) retry_after: Option<Duration>,
    /// Whether a question did not leave, so that Azure's request limits are kept: it is not known yet what all come to.
    pub(super) held_back: bool,
}

impl Answers {
    /// Those that need not be asked for again.
    pub(super) fn given(self) -> Vec<(Question, Answer)> {
        let all = self.all.into_iter();
        all.filter(|(_, answer)| !matches!(answer, Answer::Unanswered(_)))
            .collect()
    }
}

/// Asks all there is to ask, each question once, but for those that have an answer.
pub(super) async fn ask(
    class: &Class,
    answered: Vec<(Question, Answer)>,
    context: &ClassContext,
) -> Answers {
    let mut left = questions(class);
    left.retain(|question| answered.iter().all(|(known, _)| known != question));
    let asked: Vec<_> = stream::iter(left)
        .map(|question| async move { (one(&question.about, context).await, question) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let errors = asked.iter().filter_map(|(answer, _)| answer.as_ref().err());
    let retry_after = errors.clone().filter_map(AzureError::retry_after).max();
    let held_back = errors
        .map(AzureError::class)
        .any(|class| class == ErrorClass::HeldBack);
    let now = asked.into_iter().map(|(answer, question)| {
        let answer = answer.unwrap_or_else(|error| failed(&error));
        (question, answer)
    });
    Answers {
        all: answered.into_iter().chain(now).collect(),
        retry_after,
        held_back,
    }
}

async fn one(about: &About, context: &ClassContext) -> Result<Answer, AzureError> {
    let presence = |is_there| match is_there {
        true => Answer::Present,
        false => Answer::Absent,
    };
    Ok(match about {
        About::Subscription(id) => {
            let found = context.subscriptions.get(id).await?;
            found.map_or(Answer::Absent, |found| Answer::Tenant(found.tenant_id))
        }
        About::Regions(subscription) => {
            let regions = context.subscriptions.locations(subscription).await?;
            Answer::Regions(regions.into_iter().map(|region| region.name).collect())
        }
        About::Group(id) => presence(context.subscriptions.group(&group(id)).await?.is_some()),
        About::Role { name, scope } => {
            let found = context
                .roles
                .role_definition_by_name(scope.as_str(), name)
                .await?;
            presence(found.is_some())
        }
    })
}

fn group(id: &ArmId) -> ResourceGroupId {
    ResourceGroupId::new(
        id.subscription().unwrap_or_default(),
        id.resource_group().unwrap_or_default(),
    )
}

/// The answer that a failed question comes to.
fn failed(error: &AzureError) -> Answer {
    Answer::failed(&call_failure(error), advice(error))
}

#[cfg(test)]
mod tests {
    use podid_azure::{Operation, Reply};

    use super::*;

    #[test]
    fn only_azures_own_words_count_as_a_refusal() {
        for (status, code, refused) in [
            (403, "AuthorizationFailed", true),
            (404, "SubscriptionNotFound", true),
            (401, "InvalidAuthenticationTokenTenant", true),
            (400, "InvalidParameter", true),
            (404, "", false),
            (401, "InvalidAuthenticationToken", false),
            (429, "TooManyRequests", false),
            (503, "", false),
        ] {
            let reply = Reply::new(status, code, "text");
            let error = AzureError::refused(Operation::GetResourceGroup, "/x", reply);
            let answer = failed(&error);
            let is_refused = matches!(&answer, Answer::Refused(text)
                if text.starts_with(&format!("reading resource group /x failed: {}", error.next_step())));
            assert_eq!(is_refused, refused, "{answer:?}");
        }
    }
}

//! What every ARM handler gets.

use std::cell::RefCell;
use std::time::Instant;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{ArmError, Result};
use super::kind::Container;
use super::route::Route;
use crate::answer::Invocation;
use crate::conditions::Attempt;
use crate::ids::{ResourceId, group_key};
use crate::message::{Reply, Request};
use crate::operation::Operation;
use crate::resources::Group;
use crate::shared::Shared;
use crate::state::State;
use crate::tokens::Caller;

/// A request whose caller is authenticated.
pub(super) struct Context<'a> {
    pub(super) shared: &'a Shared,
    pub(super) request: &'a Request,
    pub(super) route: &'a Route,
    pub(super) invocation: &'a Invocation,
    pub(super) caller: Caller,
    /// The `api-version`, once it is checked.
    pub(super) version: &'a str,
    /// Actions that the request needed so far.
    pub(super) actions: &'a RefCell<Vec<String>>,
}

impl Context<'_> {
    /// Fails with 403 unless the caller's roles allow `action` at `scope`.
    pub(super) fn require(&self, state: &State, action: &str, scope: &str) -> Result<()> {
        self.require_attempt(state, &Attempt::of(action), scope)
    }

    /// The same for an action with the attributes that conditions ask for.
    pub(super) fn require_attempt(
        &self,
        state: &State,
        attempt: &Attempt<'_>,
        scope: &str,
    ) -> Result<()> {
        self.require_role(state, attempt.action, scope)?;
        let Caller { appid, oid, .. } = &self.caller;
        if state.is_allowed(oid, attempt, scope) {
            return Ok(());
        }
        Err(ArmError::condition_not_fulfilled(
            appid,
            oid,
            attempt.action,
            scope,
        ))
    }

    /// Fails with 403 unless a role of the caller has `action` at `scope`, with a condition or
    /// without.
    pub(super) fn require_role(&self, state: &State, action: &str, scope: &str) -> Result<()> {
        self.actions.borrow_mut().push(action.to_owned());
        let Caller { appid, oid, .. } = &self.caller;
        if state.has_action(oid, action, scope) {
            return Ok(());
        }
        Err(ArmError::forbidden(appid, oid, action, scope))
    }

    /// Whether the caller's roles allow an action, which the request needs, at `scope`.
    pub(super) fn allows(&self, state: &State, attempt: &Attempt<'_>, scope: &str) -> bool {
        self.actions.borrow_mut().push(attempt.action.to_owned());
        state.is_allowed(&self.caller.oid, attempt, scope)
    }

    /// The resource group of a resource, or 404.
    pub(super) fn group<'s>(&self, state: &'s State, id: &ResourceId) -> Result<&'s Group> {
        group(state, &id.subscription, &id.group)
    }

    /// Whether a fault hides what was written at `written_at` from this request.
    pub(super) fn lags(&self, written_at: Instant) -> bool {
        self.lags_in(self.invocation.operation, &self.route.path, written_at)
    }

    /// The same for another operation or resource.
    pub(super) fn lags_in(
        &self,
        operation: Operation,
        resource: &str,
        written_at: Instant,
    ) -> bool {
        self.shared.faults().lags(operation, resource, written_at)
    }

    /// The body as JSON.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.request.body).map_err(|e| {
            ArmError::bad_request(
                "InvalidRequestContent",
                format!("The request content was invalid and could not be deserialized: '{e}'."),
            )
        })
    }

    /// One page of a list, with a link to the next page if there is one.
    pub(super) fn page(&self, items: Vec<Value>) -> Result<Reply> {
        let top = self
            .number("$top")?
            .filter(|n| *n > 0)
            .unwrap_or(self.shared.page_size);
        let skip = self.number("$skiptoken")?.unwrap_or(0);
        let next = skip.saturating_add(top);
        let more = items.len() > next;
        let value: Vec<_> = items.into_iter().skip(skip).take(top).collect();
        let mut page = json!({"value": value});
        if more {
            page["nextLink"] = json!(self.link_to(next));
        }
        Ok(Reply::json(StatusCode::OK, &page))
    }

    fn number(&self, name: &str) -> Result<Option<usize>> {
        let Some(text) = self.request.query(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            ArmError::bad_request(
                "InvalidQueryParameter",
                format!("'{text}' is no value for '{name}'."),
            )
        })
    }

    fn link_to(&self, skip: usize) -> String {
        let kept = self
            .request
            .query
            .iter()
            .filter(|(k, _)| !k.eq_ignore_ascii_case("$skiptoken"));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("$skiptoken", &skip.to_string())
            .finish();
        format!(
            "https://{}{}?{query}",
            self.request.authority, self.request.path
        )
    }
}

/// Fails with 404 if a container is a resource group that does not exist.
pub(super) fn require_group(state: &State, container: &Container) -> Result<()> {
    match &container.group {
        Some(name) => group(state, &container.subscription, name).map(|_| ()),
        None => Ok(()),
    }
}

/// A resource group, or 404.
pub(super) fn group<'s>(state: &'s State, subscription: &str, name: &str) -> Result<&'s Group> {
    state
        .groups
        .get(&group_key(subscription, name))
        .ok_or_else(|| {
            ArmError::not_found(
                "ResourceGroupNotFound",
                format!("Resource group '{name}' could not be found."),
            )
        })
}

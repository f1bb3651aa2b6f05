//! Subscriptions, their regions, and resource groups. They can only be read.

use http::StatusCode;
use serde_json::{Value, json};

use super::context::{self, Context};
use super::error::{ArmError, Result};
use super::kind::Container;
use super::regions;
use crate::conditions::Attempt;
use crate::ids::normalize;
use crate::message::Reply;
use crate::resources::Group;
use crate::state::State;

const READ_SUBSCRIPTION: &str = "Microsoft.Resources/subscriptions/read";
const READ_LOCATIONS: &str = "Microsoft.Resources/subscriptions/locations/read";
const READ_GROUP: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";

pub(super) fn subscription(context: &Context<'_>, state: &State, id: &str) -> Result<Reply> {
    let scope = format!("/subscriptions/{id}");
    context.require(state, READ_SUBSCRIPTION, &scope)?;
    let name = state
        .subscriptions
        .get(&normalize(id))
        .map_or(id, String::as_str);
    Ok(Reply::json(
        StatusCode::OK,
        &render_subscription(state, name),
    ))
}

/// The subscriptions that the caller may read. Without any role the list is empty, not refused.
pub(super) fn subscriptions(context: &Context<'_>, state: &State) -> Result<Reply> {
    let may_read = |id: &&String| {
        state.is_allowed(
            &context.caller.oid,
            &Attempt::of(READ_SUBSCRIPTION),
            &format!("/subscriptions/{id}"),
        )
    };
    let visible = state.subscriptions.values().filter(may_read);
    context.page(visible.map(|id| render_subscription(state, id)).collect())
}

/// The regions of a subscription. This list has no pages in Azure.
pub(super) fn locations(context: &Context<'_>, state: &State, id: &str) -> Result<Reply> {
    context.require(state, READ_LOCATIONS, &format!("/subscriptions/{id}"))?;
    let regions = regions::including(&state.location);
    let value: Vec<_> = regions
        .map(|(name, shown)| {
            json!({
                "id": format!("/subscriptions/{id}/locations/{name}"),
                "name": name,
                "type": "Region",
                "displayName": shown,
                "regionalDisplayName": shown,
                "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
            })
        })
        .collect();
    Ok(Reply::json(StatusCode::OK, &json!({"value": value})))
}

pub(super) fn group(context: &Context<'_>, state: &State, place: &Container) -> Result<Reply> {
    let name = place.group.as_deref().unwrap_or_default();
    context.require(state, READ_GROUP, &scope(&place.subscription, name))?;
    let group = context::group(state, &place.subscription, name)?;
    Ok(Reply::json(StatusCode::OK, &render_group(group)))
}

/// The groups of a subscription that the caller may read. The list is refused only if there is none
/// and the caller may not read the groups of the whole subscription.
pub(super) fn groups(context: &Context<'_>, state: &State, subscription: &str) -> Result<Reply> {
    let visible: Vec<_> = state
        .groups
        .values()
        .filter(|g| g.subscription.eq_ignore_ascii_case(subscription))
        .filter(|g| {
            state.is_allowed(
                &context.caller.oid,
                &Attempt::of(READ_GROUP),
                &scope(&g.subscription, &g.name),
            )
        })
        .map(render_group)
        .collect();
    let whole = format!("/subscriptions/{subscription}");
    if visible.is_empty()
        && !state.is_allowed(&context.caller.oid, &Attempt::of(READ_GROUP), &whole)
    {
        return Err(ArmError::forbidden(
            &context.caller.appid,
            &context.caller.oid,
            READ_GROUP,
            &whole,
        ));
    }
    context.page(visible)
}

fn scope(subscription: &str, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}

fn render_subscription(state: &State, id: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{id}"),
        "subscriptionId": id,
        "tenantId": state.tenant,
        "displayName": "azure-sim",
        "state": "Enabled",
    })
}

fn render_group(group: &Group) -> Value {
    json!({
        "id": scope(&group.subscription, &group.name),
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "properties": {"provisioningState": "Succeeded"},
    })
}

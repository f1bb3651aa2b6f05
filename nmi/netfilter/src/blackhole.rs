//! The blackhole route of pods' packets to the metadata service: what keeps them from it while the nftables rules are
//! not there, as between somebody's `nft flush ruleset` and the repair.
//!
//! A rule of the routing policy (`ip rule`) sends what came in by any link, and so nothing of the node itself, to a table
//! with this one route. A diverted call is for the node by then, and does not meet it. What crosses a bridge without being
//! routed does not meet it either.

use std::net::IpAddr;

use nlink::netlink::messages::RuleMessage;
use nlink::netlink::route::Ipv4Route;
use nlink::netlink::rule::RuleBuilder;
use nlink::netlink::types::route::RouteType;
use nlink::netlink::{Connection, Route};

use crate::IMDS;

/// The routing table with nothing but the route. Network plugins use numbers below it.
const TABLE: u32 = 169_254;
/// Before the rules of network plugins, the first of which has priority 9 (Cilium), and after the node's own
/// addresses (0).
const PRIORITY: u32 = 5;
/// The link by which the node's own packets enter routing.
const LOOPBACK: &str = "lo";
/// The whole address.
const HOST_PREFIX: u8 = 32;

/// The route and the rule of one network namespace.
pub(crate) struct Blackhole {
    kernel: Connection<Route>,
}

impl Blackhole {
    pub(crate) fn new(kernel: Connection<Route>) -> Self {
        Self { kernel }
    }

    /// Writes what is missing, and returns whether anything was.
    pub(crate) async fn write_missing(&self) -> nlink::Result<bool> {
        let has_route = self.has_route().await?;
        if !has_route {
            self.kernel.replace_route(route()).await?;
        }
        let has_rule = self.has_rule().await?;
        if !has_rule {
            match self.kernel.add_rule(rule()).await {
                // Another daemon was faster.
                Err(error) if error.is_already_exists() => {}
                added => added?,
            }
        }
        Ok(!has_route || !has_rule)
    }

    /// Removes both, and returns whether there was anything.
    pub(crate) async fn remove(&self) -> nlink::Result<bool> {
        let had_rule = self.kernel.del_rule_if_exists(rule()).await?;
        let had_route = self.kernel.del_route_if_exists(route()).await?;
        Ok(had_rule || had_route)
    }

    async fn has_route(&self) -> nlink::Result<bool> {
        let routes = self.kernel.get_routes_for_table(TABLE).await?;
        Ok(routes.iter().any(|route| {
            route.route_type() == RouteType::Blackhole
                && route.destination() == Some(&IpAddr::V4(IMDS))
                && route.dst_len() == HOST_PREFIX
        }))
    }

    async fn has_rule(&self) -> nlink::Result<bool> {
        let rules = self.kernel.get_rules_v4().await?;
        Ok(rules.iter().any(is_ours))
    }
}

fn route() -> Ipv4Route {
    Ipv4Route::new(IMDS, HOST_PREFIX)
        .route_type(RouteType::Blackhole)
        .table(TABLE)
}

fn rule() -> RuleBuilder {
    let not_of_the_node = RuleBuilder::v4().iif(LOOPBACK).invert();
    not_of_the_node.priority(PRIORITY).table(TABLE)
}

/// Whether the rule is podid's and nothing narrows it.
fn is_ours(rule: &RuleMessage) -> bool {
    let narrows = rule.src_len() > 0
        || rule.dst_len() > 0
        || rule.oifname().is_some()
        || rule.fwmark().is_some()
        || rule.ip_proto().is_some();
    rule.priority() == PRIORITY
        && rule.table_id() == TABLE
        && rule.is_lookup()
        && rule.is_invert()
        && rule.iifname() == Some(LOOPBACK)
        && !narrows
}

//! The rules of a node on which no daemon has started yet: nothing of its pods reaches the platform.

use nlink::NftablesConfig;
use nlink::netlink::nftables::Family;

use crate::{TABLE, bridge_table, inet_table};

/// podid's tables with nothing but the chains that drop. A daemon that takes over adds the others, and finds
/// these as it wants them.
pub(crate) fn config() -> NftablesConfig {
    NftablesConfig::new()
        .table(TABLE, Family::Inet, inet_table::declare_closed)
        .table(TABLE, Family::Bridge, bridge_table::declare_closed)
}

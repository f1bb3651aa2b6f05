//! Reads the sets of podid's tables.

use nlink::netlink::nftables::{Family, SetElement};
use nlink::netlink::{Connection, Nftables};

use crate::TABLE;

/// The elements of a set of podid's; none when the set is not there.
pub(crate) async fn elements(
    kernel: &Connection<Nftables>,
    set: &str,
    family: Family,
) -> nlink::Result<Vec<SetElement>> {
    match kernel.list_set_elements(TABLE, set, family).await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        result => result,
    }
}

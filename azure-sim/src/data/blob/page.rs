//! Which part of a list a request wants.

use crate::message::Request;

/// Items per page, unless the request wants fewer.
const PAGE: usize = 5000;

/// The part of a list that a request wants.
pub(super) struct Page<'a> {
    pub(super) prefix: &'a str,
    /// Name of the first item.
    pub(super) marker: &'a str,
    /// Largest number of items.
    pub(super) size: usize,
}

impl<'a> Page<'a> {
    /// `None` if `maxresults` is not a number above 0.
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        let size = match request.query("maxresults") {
            None => PAGE,
            Some(text) => text.parse::<usize>().ok().filter(|n| *n > 0)?.min(PAGE),
        };
        Some(Self {
            prefix: request.query("prefix").unwrap_or_default(),
            marker: request.query("marker").unwrap_or_default(),
            size,
        })
    }
}

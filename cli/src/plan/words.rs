//! Words of what is printed.

/// The word for so many.
pub(super) fn plural(count: u32, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{word}{end}")
}

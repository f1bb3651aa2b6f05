//! Text patterns with `*`, as in role definitions and operation patterns.

/// Whether `text` matches `pattern`, without regard to letter case. `*` stands for any text, the
/// empty text included.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_matches_any_text() {
        assert!(glob("*", "anything"));
        assert!(glob("*/read", "Microsoft.Compute/virtualMachines/READ"));
        assert!(!glob("*/read", "Microsoft.Compute/virtualMachines/write"));
        assert!(glob("a*b*c", "a-b-b-c"));
        assert!(!glob("a*b", "ab-"));
        assert!(glob("exact", "Exact"));
        assert!(!glob("exact", "exactly"));
        assert!(!glob("ab*ba", "aba"));
    }
}

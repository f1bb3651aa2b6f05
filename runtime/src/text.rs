//! Texts for people.

/// At most `max` bytes of a text (but for the ellipsis itself), cut between characters.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= max {
        return text.to_owned();
    }
    let mut ends = (0..=max.saturating_sub(ELLIPSIS.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    format!("{}{ELLIPSIS}", &text[..end.unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("aéb", 4), "aéb");
        assert_eq!(cut("aébcd", 5), "a…");
        assert_eq!(cut("aébcd", 4), "a…");
    }
}

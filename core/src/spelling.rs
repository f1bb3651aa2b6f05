//! The known name that a misspelt one was probably meant to be.

/// Of the `known` names, the nearest to `written`, if a typing error explains the difference, or if
/// exactly one of them has one more word; `None` for a known name itself.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if known.clone().any(|known| known == written) {
        return None;
    }
    by_letters(written, known.clone()).or_else(|| by_words(written, known))
}

fn by_letters<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = letters(written);
    let near = |known: &'a str| {
        let known_letters = letters(known);
        let slips = strsim::osa_distance(&written, &known_letters);
        (slips <= tolerated(&known_letters)).then_some((slips, known))
    };
    known.filter_map(near).min().map(|(_, known)| known)
}

/// The only known name from which one word was left out. One word alone is too little to tell by.
fn by_words<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = words(written);
    let is_longer = |known: &&str| {
        let known = words(known);
        let left_out = |at| [&known[..at], &known[at + 1..]].concat() == written;
        known.len() == written.len() + 1 && (0..known.len()).any(left_out)
    };
    let mut found = known.filter(is_longer);
    match (found.next(), found.next()) {
        (Some(only), None) if written.len() > 1 => Some(only),
        _ => None,
    }
}

fn words(name: &str) -> Vec<String> {
    name.split_whitespace().map(str::to_lowercase).collect()
}

/// The letters and digits of a name in lower case: blanks and punctuation are often written otherwise.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// How many typing errors a name may have and still count as this one. It is low because some names of
/// roles differ by few letters.
fn tolerated(known: &str) -> usize {
    if known.len() < 12 { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 4] = ["className", "access", "netRaw", "suspend"];

    #[test]
    fn a_field_with_a_slip_of_the_hand_is_recognised() {
        let near = |written| nearest(written, FIELDS.into_iter());
        for (written, meant) in [
            ("clasName", Some("className")),
            ("classname", Some("className")),
            ("acess", Some("access")),
            ("net-raw", Some("netRaw")),
            ("suspended", None),
            ("access", None),
            ("role", None),
            ("", None),
        ] {
            assert_eq!(near(written), meant, "{written:?}");
        }
    }

    #[test]
    fn a_name_of_twelve_letters_may_have_two_slips_and_a_shorter_one_only_one() {
        let near = |written| nearest(written, ["Grid Operator", "Cost Manager"].into_iter());
        assert_eq!(near("Grid Opratr"), Some("Grid Operator"));
        assert_eq!(near("Cost Managr"), Some("Cost Manager"));
        assert_eq!(near("Cost Mangr"), None);
    }

    #[test]
    fn one_word_may_be_left_out_where_only_one_name_is_meant() {
        let known = [
            "Key Vault Reader",
            "Key Vault Administrator",
            "Storage Blob Data Reader",
            "Backup Operator",
        ];
        let near = |written| nearest(written, known.into_iter());
        assert_eq!(
            near("storage Blob reader"),
            Some("Storage Blob Data Reader")
        );
        assert_eq!(near("Key Reader"), Some("Key Vault Reader"));
        for other in [
            "Key Vault",
            "Reader",
            "Blob Reader",
            "Reader Vault Key",
            // One word alone is too little to tell by.
            "Backup",
            " ",
        ] {
            assert_eq!(near(other), None, "{other:?}");
        }
    }
}

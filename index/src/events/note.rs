use podid_runtime::text::cut;

/// Longest note of an Event that the API server takes, in bytes.
pub const NOTE_MAX: usize = 1024;

/// As much of a note as the API server takes. Of several causes, which ` | ` separates, each keeps its
/// beginning, where it says what to do.
#[must_use]
pub fn shortened(note: &str) -> String {
    const BETWEEN: &str = " | ";
    if note.len() <= NOTE_MAX {
        return note.to_owned();
    }
    let parts: Vec<&str> = note.split(BETWEEN).collect();
    let mut left = NOTE_MAX.saturating_sub(BETWEEN.len() * (parts.len() - 1));
    // What short parts leave over goes to the longer ones.
    let mut shortest_first: Vec<usize> = (0..parts.len()).collect();
    shortest_first.sort_by_key(|&part| parts[part].len());
    let mut cut_parts = vec![String::new(); parts.len()];
    for (done, &part) in shortest_first.iter().enumerate() {
        let text = cut(parts[part], left / (parts.len() - done));
        left -= text.len().min(left);
        cut_parts[part] = text;
    }
    // So many causes that not even their separators fit are cut like one.
    cut(&cut_parts.join(BETWEEN), NOTE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_keep_within_what_the_api_server_takes() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"ä".repeat(NOTE_MAX));
        assert!(long.len() <= NOTE_MAX && long.ends_with('…'));
        assert!(
            long.len() > NOTE_MAX - 4,
            "as much as is taken: {}",
            long.len()
        );
    }

    #[test]
    fn of_several_causes_each_keeps_its_remedy() {
        let cause = |remedy: &str, why: usize| format!("{remedy}. {}", "why ".repeat(why));
        let causes = [
            cause("grant it", 400),
            "correct it".to_owned(),
            cause("remove it", 300),
        ];
        let note = shortened(&causes.join(" | "));
        assert!(note.len() <= NOTE_MAX, "{}", note.len());
        assert!(
            note.len() > NOTE_MAX - 100,
            "short ones leave room: {}",
            note.len()
        );
        let parts: Vec<&str> = note.split(" | ").collect();
        assert_eq!(parts.len(), 3, "{note}");
        for (part, remedy) in parts
            .iter()
            .zip(["grant it. ", "correct it", "remove it. "])
        {
            assert!(part.starts_with(remedy), "{note}");
        }
        let many = vec![cause("x", 10); 400].join(" | ");
        assert!(shortened(&many).len() <= NOTE_MAX);
    }
}

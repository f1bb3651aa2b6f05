//! The finalizer of a profile.

/// Keeps a profile until everything that belongs to it is gone. podid puts a finalizer on nothing else.
pub const FINALIZER: &str = "podid.dev/profile";

/// Whether an object with these finalizers waits for podid when it is deleted.
#[must_use]
pub fn is_held(finalizers: &[String]) -> bool {
    finalizers.iter().any(|name| name == FINALIZER)
}

/// The finalizers without podid's; those of others stay.
#[must_use]
pub fn released(finalizers: &[String]) -> Vec<String> {
    let others = finalizers.iter().filter(|name| *name != FINALIZER);
    others.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_podids_finalizer_holds_and_only_it_is_taken_off() {
        let finalizers = ["example.com/a", FINALIZER, "podid.dev/profiles"].map(str::to_owned);
        assert!(is_held(&finalizers));
        assert_eq!(
            released(&finalizers),
            ["example.com/a", "podid.dev/profiles"]
        );
        assert!(!is_held(&released(&finalizers)));
    }
}

//! Counting what test programs report.

use std::fmt;
use std::ops::AddAssign;

/// Tests that passed, failed, or were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Whether every test program ended well, which a count of tests alone does not show.
    broken: bool,
}

impl Count {
    /// Adds what one line of a test program says, if it is its closing line.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            return;
        };
        let of = |what: &str| -> u64 {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let at = words
                .iter()
                .position(|word| word.trim_end_matches(';') == what);
            at.and_then(|at| words.get(at.wrapping_sub(1))?.parse().ok())
                .unwrap_or(0)
        };
        self.passed += of("passed");
        self.failed += of("failed");
        self.ignored += of("ignored");
    }

    /// Notes that a test program did not end well.
    pub(crate) fn break_off(&mut self) {
        self.broken = true;
    }

    /// Whether something was run, and nothing failed or was left out.
    pub(crate) fn is_good(self) -> bool {
        self.passed > 0 && self.failed == 0 && self.ignored == 0 && !self.broken
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.broken |= other.broken;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(f, ", {} skipped", self.ignored)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_others_are_not() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            count.read(line);
        }
        assert_eq!(
            count,
            Count {
                passed: 4,
                failed: 2,
                ignored: 1,
                broken: false
            }
        );
        assert_eq!(count.to_string(), "4 passed, 2 failed, 1 skipped");
        assert!(!count.is_good());
    }

    #[test]
    fn a_ring_that_ran_nothing_is_not_good() {
        assert!(!Count::default().is_good());
    }
}

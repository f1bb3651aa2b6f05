//! When a class need not be compared with Azure again.

use std::time::Duration;

use serde::Serialize;

use super::azure::{Answer, Question};
use crate::moment::Moment;

/// What a comparison of a class was about. A class made again under the same name has another uid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassVersion {
    #[allow(missing_docs, reason = "the name is enough")]
    pub uid: Option<String>,
    #[allow(missing_docs, reason = "the name is enough")]
    pub generation: Option<i64>,
    /// The last request of a person for a comparison: the value of its annotation.
    pub requested: Option<String>,
}

/// A comparison of a class with Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassComparison {
    /// What was compared.
    pub version: ClassVersion,
    /// When it is to be repeated or continued.
    pub due: Moment,
    /// What Azure has answered, if other questions were held back: only those are asked when it is continued, so that
    /// it ends however few calls may leave at once.
    pub answers: Vec<(Question, Answer)>,
}

impl ClassComparison {
    /// How long the class, as it is now, need not be compared; `None` when it is due.
    #[must_use]
    pub fn rest(&self, version: &ClassVersion, now: Moment) -> Option<Duration> {
        let rest = self.due.saturating_duration_since(now);
        (self.version == *version && !rest.is_zero()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_rests_until_it_is_due_changed_made_anew_or_requested() {
        let second = Duration::from_secs(1);
        let version = ClassVersion {
            uid: Some("u".into()),
            generation: Some(1),
            requested: None,
        };
        let start = Moment::default();
        let comparison = ClassComparison {
            version: version.clone(),
            due: start + 10 * second,
            answers: Vec::new(),
        };
        let rest = |after| comparison.rest(&version, start + after * second);
        assert_eq!(rest(0), Some(10 * second));
        assert_eq!(rest(9), Some(second));
        assert_eq!((rest(10), rest(11)), (None, None));
        let others = [
            ClassVersion {
                uid: Some("v".into()),
                ..version.clone()
            },
            ClassVersion {
                generation: Some(2),
                ..version.clone()
            },
            ClassVersion {
                requested: Some("now".into()),
                ..version.clone()
            },
        ];
        for other in others {
            assert_eq!(comparison.rest(&other, start), None, "{other:?}");
        }
    }
}

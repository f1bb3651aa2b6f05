use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How long the server asked to wait: whole seconds or a date, as HTTP allows (RFC 9110 §10.2.3).
/// A date that has passed means no wait. What is neither counts as not said.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    parse(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

pub(crate) fn parse(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::parse;

    #[test]
    fn both_forms_are_read() {
        // 2026-10-21T07:27:30Z
        let now = UNIX_EPOCH + Duration::from_secs(1_792_567_650);
        let thirty = Some(Duration::from_secs(30));
        assert_eq!(parse("30", now), thirty);
        assert_eq!(parse("Wed, 21 Oct 2026 07:28:00 GMT", now), thirty);
        assert_eq!(parse("0", now), Some(Duration::ZERO));
        assert_eq!(
            parse("Wed, 21 Oct 2020 07:28:00 GMT", now),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn nonsense_counts_as_not_said() {
        for text in ["soon", "-1", "7.5", ""] {
            assert_eq!(parse(text, UNIX_EPOCH), None, "{text:?}");
        }
    }
}

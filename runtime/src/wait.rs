//! Waits that tokio does not have.

use tokio::time::Instant;

/// Waits until this time; for ever if there is none.
pub async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_time_it_never_ends() {
        let started = Instant::now();
        let minute = Duration::from_secs(60);
        sleep_until(Some(started + minute)).await;
        assert_eq!(started.elapsed(), minute);
        let never = tokio::time::timeout(1000 * minute, sleep_until(None));
        assert!(never.await.is_err());
    }
}

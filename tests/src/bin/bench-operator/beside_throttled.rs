//! Profiles that Azure does not throttle, beside many that it does.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::report::BesideThrottled;
use crate::{Bench, say};

/// Profiles that are committed together.
const INNOCENT: usize = 10;

impl Bench<'_> {
    /// How long ten profiles take until they are ready, while Azure answers to all calls for the identities of others that
    /// they shall come again in ten seconds.
    pub(crate) async fn beside_throttled(&self) -> Result<BesideThrottled> {
        say("ten profiles");
        let alone = self.ten("first").await?;
        let throttled = self.args.throttled_profiles;
        say(&format!("ten profiles beside {throttled} throttled ones"));
        let slow_down = json!({ "error": { "code": "TooManyRequests", "message": "Slow down." } });
        let fault = json!({
            "operation": "arm.identity.*",
            "resource": "-slow",
            "effect": {
                "kind": "respond", "status": 429, "headers": { "Retry-After": "10" }, "body": slow_down,
            },
        });
        let fault = self.world.arm(&fault).await?;
        self.world.create_profiles_named("slow", throttled).await?;
        let beside = self.ten("second").await?;
        self.world.disarm(&fault).await?;
        self.world.until_ready("slow", throttled).await?;
        Ok(BesideThrottled::new(throttled, alone, beside))
    }

    async fn ten(&self, word: &str) -> Result<Duration> {
        let started = Instant::now();
        self.world.create_profiles_named(word, INNOCENT).await?;
        self.world.until_ready(word, INNOCENT).await?;
        Ok(started.elapsed())
    }
}

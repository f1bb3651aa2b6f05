//! What podid and azure-sim say to each other is what Azure and its SDKs say.

// A panic is how a test fails, in its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod azure_client;
mod sdk;

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::cloud::Canned;
use crate::{ArmIdentities, Identities, IdentityId};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The generated crates print their request headers at debug level, and of those just the
/// `Authorization`; this is why no token is ever given to them.
#[tokio::test]
async fn no_log_level_shows_a_token_or_the_password() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // For the whole process, other tests included: a subscriber of this thread alone would miss
    // places whose first use was on another.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let cloud = Canned::start().await;
    let id = IdentityId::new("s", "g", "web");
    let path = id.to_string();
    cloud.on("GET", &path, [super::identities::identity(200, "web")]);
    let arm = cloud.arm();
    ArmIdentities::new(&arm).get(&id).await.unwrap();
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(cloud.seen()[0].header("authorization"), "Bearer token-1");
    assert!(
        text.contains("the following request will be passed"),
        "the crates' own log is on"
    );
    assert!(
        text.contains("operation=\"get_identity\""),
        "our spans are there: {text}"
    );
    for secret in ["token-1", "the-password"] {
        assert!(!text.contains(secret), "{secret} is in the log:\n{text}");
        assert!(!format!("{arm:?}").contains(secret));
    }
}

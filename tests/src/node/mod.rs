//! A node for tests of the node daemon: network namespaces, links and processes as on a real one,
//! made by the lab's own network code, with stand-ins for the API server and the metadata service
//! that a test can stop, delay and question.

mod api;
mod daemon;
mod frames;
mod imds;
mod objects;
mod pod;
mod port;
mod segment;
mod test_node;

pub use api::ApiServer;
pub use daemon::Daemon;
pub use frames::{Impostor, Mac};
pub use imds::{Imds, NODE_TOKEN};
pub use objects::{assigned, azure_identity, binding, exception, pod};
pub use pod::{Answer, CUT_OFF, Pod};
pub use test_node::TestNode;

use std::time::{Duration, Instant};

/// The request of the tutorials.
pub const TOKEN_URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token?\
     api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";

/// How long a condition may take: much longer than it does, as other work may share the machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within a minute, naming `what` was waited for.
#[allow(clippy::panic)]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "waited {LIMIT:?} until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

//! libgit2 speaks git's protocol over our own transports: https by reqwest and rustls, ssh by the user's ssh.
//!
//! libgit2 finds a transport by the scheme of a URL, in a table of the process. podid's scheme is `podid`, and the
//! rest of its URLs is the number of an open connection; so libgit2, which repeats URLs in its messages, never knows
//! a URL with a password in it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};

use super::http::HttpTransport;
use super::ssh::SshTransport;

/// The scheme under which libgit2 finds our transports.
const SCHEME: &str = "podid";

/// Connections that are open, by number.
static OPEN: Mutex<BTreeMap<u64, Arc<Carrier>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Why a transport failed. Kept beside libgit2, whose errors are texts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error(transparent)]
    Http(#[from] super::http::HttpError),
    #[error(transparent)]
    Ssh(#[from] super::ssh::SshError),
}

/// Carries git's protocol to one repository.
#[derive(Debug)]
pub(super) enum Carrier {
    Http(HttpTransport),
    Ssh(SshTransport),
}

/// Holds a carrier where libgit2 finds it.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    carrier: Arc<Carrier>,
}

impl Connection {
    /// Makes the carrier known to libgit2, until it is dropped.
    pub(super) fn new(carrier: Carrier) -> Result<Self, git2::Error> {
        register()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let carrier = Arc::new(carrier);
        open().insert(number, Arc::clone(&carrier));
        Ok(Self { number, carrier })
    }

    /// What libgit2 is told to connect to.
    pub(super) fn url(&self) -> String {
        format!("{SCHEME}://{}", self.number)
    }

    /// What went wrong below libgit2 since the last call.
    pub(super) fn take_error(&self) -> Option<TransportError> {
        match &*self.carrier {
            Carrier::Http(http) => http.take_error().map(TransportError::Http),
            Carrier::Ssh(ssh) => ssh.take_error().map(TransportError::Ssh),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        open().remove(&self.number);
    }
}

fn open() -> std::sync::MutexGuard<'static, BTreeMap<u64, Arc<Carrier>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register() -> Result<(), git2::Error> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        // Sound: libgit2 wants no transport to be made meanwhile. podid makes them only for connections, each of
        // which waits here first.
        #[allow(unsafe_code)]
        let registered = unsafe { git2::transport::register(SCHEME, transport) };
        registered.map_err(|error| error.message().to_owned())
    });
    done.as_ref()
        .map_err(|text| git2::Error::from_str(text))
        .copied()
}

/// Called by libgit2 when it connects.
fn transport(remote: &git2::Remote<'_>) -> Result<Transport, git2::Error> {
    let number = remote
        .url()
        .ok()
        .and_then(|url| url.strip_prefix(SCHEME)?.strip_prefix("://")?.parse().ok());
    let carrier = number.and_then(|number: u64| open().get(&number).map(Arc::clone));
    let carrier = carrier.ok_or_else(|| git2::Error::from_str("the connection is closed"))?;
    let is_stateless = matches!(*carrier, Carrier::Http(_));
    Transport::smart(remote, is_stateless, Subtransport(carrier))
}

struct Subtransport(Arc<Carrier>);

impl SmartSubtransport for Subtransport {
    fn action(
        &self,
        _url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        match &*self.0 {
            Carrier::Http(http) => http.stream(service),
            Carrier::Ssh(ssh) => ssh.stream(service),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

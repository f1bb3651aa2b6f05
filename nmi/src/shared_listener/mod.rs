//! Listening sockets that outlive the daemon that opened them. A daemon that starts while another runs takes a
//! duplicate of that one's socket, so both have one queue of connections, and none in it is lost when the
//! earlier daemon ends.

mod earlier;
mod error;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

pub(crate) use earlier::{EarlierDaemon, SharedListener};
pub(crate) use error::ListenError;

/// How often an address is tried whose socket is about to be closed, because the process that has it ends.
const TRIES: usize = 50;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// Listens on `address`, or shares the socket of a daemon that does.
///
/// # Errors
/// [`ListenError`], also when anybody else listens there.
pub(crate) async fn listen(
    address: SocketAddr,
    flags: &'static str,
) -> Result<SharedListener, ListenError> {
    let failed = |source| ListenError::Bind {
        address,
        flags,
        source,
    };
    for _ in 0..TRIES {
        match TcpListener::bind(address).await {
            Ok(socket) => {
                let earlier = Vec::new();
                return Ok(SharedListener { socket, earlier });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(failed(error)),
        }
        if let Some(shared) = earlier::share(address, flags).await? {
            return Ok(shared);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(failed(io::ErrorKind::AddrInUse.into()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::testing::within_limit;

    #[tokio::test]
    async fn an_address_that_another_program_has_is_refused_with_its_name() {
        within_limit(async {
            let any = (Ipv4Addr::LOCALHOST, 0).into();
            let first = listen(any, "--listen").await.unwrap();
            assert!(first.earlier.is_empty());
            // This process is the same program, and still not an earlier daemon.
            let taken = first.socket.local_addr().unwrap();
            let error = listen(taken, "--listen").await.unwrap_err().to_string();
            for part in [
                taken.to_string(),
                format!("process {}", std::process::id()),
                "--listen".to_owned(),
            ] {
                assert!(error.contains(&part), "{error}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_refused() {
        within_limit(async {
            let elsewhere = (Ipv4Addr::new(192, 0, 2, 1), 9).into();
            let error = listen(elsewhere, "--admin-addr").await.unwrap_err();
            assert!(matches!(error, ListenError::Bind { .. }), "{error:?}");
            assert!(error.to_string().contains("--admin-addr"), "{error}");
        })
        .await;
    }
}

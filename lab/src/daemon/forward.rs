//! Carries connections from the machine's loopback into the lab.

use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::net::{TcpListener, TcpStream};

/// Accepts on `listener`, which may belong to another network namespace, and
/// connects each client to `to` in this one. Returns only when accepting
/// fails for good.
pub(crate) async fn forward(listener: StdListener, to: SocketAddr) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = carry(client, to).await {
                tracing::debug!(%to, %error, "a forwarded connection ended early");
            }
        });
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

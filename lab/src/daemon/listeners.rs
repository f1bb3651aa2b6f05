//! Listeners on the machine's loopback, through which a lab is reached from outside.

use std::net::{Ipv4Addr, TcpListener};

use crate::control::Endpoints;

/// Listeners of the simulated Azure.
#[derive(Debug)]
pub(super) struct CloudListeners {
    pub(super) arm: TcpListener,
    pub(super) entra: TcpListener,
    pub(super) data: TcpListener,
    pub(super) admin: TcpListener,
}

/// All of them. A socket stays in the network namespace in which it was made, so they are made
/// before the daemon leaves the machine's.
#[derive(Debug)]
pub(super) struct HostListeners {
    pub(super) api_server: TcpListener,
    pub(super) cloud: CloudListeners,
}

impl HostListeners {
    /// Listens on ports that the kernel chooses.
    pub(super) fn open() -> std::io::Result<Self> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let cloud = CloudListeners {
            arm: free()?,
            entra: free()?,
            data: free()?,
            admin: free()?,
        };
        Ok(Self {
            api_server: free()?,
            cloud,
        })
    }

    /// Their ports, for those who connect.
    pub(super) fn endpoints(&self, tenant_id: String) -> std::io::Result<Endpoints> {
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        Ok(Endpoints {
            api_server: port(&self.api_server)?,
            arm: port(&self.cloud.arm)?,
            entra: port(&self.cloud.entra)?,
            data: port(&self.cloud.data)?,
            admin: port(&self.cloud.admin)?,
            tenant_id,
        })
    }
}

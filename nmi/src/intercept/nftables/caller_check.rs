//! Whose a connection to the unattested listener is, by the rules' record of its packets.

use std::net::SocketAddrV4;
use std::time::Duration;

use async_trait::async_trait;
use podid_core::attest::{PacketOrigins, PodEndpoint};
use podid_netfilter::{PacketRecord, RECORDED_FOR};
use podid_runtime::process;

use crate::intercept::{Caller, CallerCheck};

/// Age beyond which a connection is nobody's: its first packet must still be recorded. It comes up to 63 s
/// before the connection can be accepted, which is how long the kernel waits for the rest of a handshake.
const AGE_MAX: Duration = Duration::from_secs(RECORDED_FOR.as_secs() - 75);

/// See the module.
#[derive(Debug)]
pub(super) struct RecordedCallers(pub(super) PacketRecord);

#[async_trait]
impl CallerCheck for RecordedCallers {
    async fn is_only_from(&self, caller: &Caller, endpoint: &PodEndpoint) -> bool {
        if caller.since.elapsed() > AGE_MAX {
            return false;
        }
        let source = SocketAddrV4::new(caller.address, caller.port);
        match self.0.from(source).await {
            Ok(recorded) => {
                let origins = PacketOrigins {
                    interfaces: recorded.interfaces,
                    bridge_ports: recorded.ports,
                };
                origins.are_only(endpoint)
            }
            Err(error) => {
                let error = process::chain(&error);
                tracing::warn!(error, %source, "a call that came early cannot be told from others'");
                false
            }
        }
    }
}

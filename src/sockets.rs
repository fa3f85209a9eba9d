//! Owners of TCP sockets of this machine, from the kernel.
//!
//! A look-up takes microseconds (one netlink message); `/proc/net/tcp{,6}` are read only without
//! netlink. Linux only.

#![cfg(target_os = "linux")]

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

/// The state of a socket that listens.
const LISTEN: u8 = 10;

/// The kernel's record of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// One of the kernel's states of TCP.
    pub state: u8,
    /// User id of its owner.
    pub uid: u32,
    /// Number of the socket, none that another one had since the machine started; 0 for one that
    /// its program has closed.
    pub inode: u32,
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const ENOENT: i32 = 2;
/// `nlmsghdr` (16) and `inet_diag_req_v2` (56).
const REQUEST_LEN: usize = 72;
/// `nlmsghdr` (16) and `inet_diag_msg` (72).
const ANSWER_LEN: usize = 88;

/// The socket with local address `source` and remote address `target`, if there is one.
///
/// # Errors
/// When netlink is not available.
pub(crate) fn by_netlink(source: SocketAddr, target: SocketAddr) -> io::Result<Option<Row>> {
    ask(source, target, |its_source, its_target, _| {
        // The look-up may fall back to a listener on that port, so both addresses must match.
        its_source == source && its_target == target
    })
}

/// The socket that listens on an address, or on all addresses; none when there is none, or it is
/// unknown.
#[must_use]
pub(crate) fn listener(address: SocketAddr) -> Option<Row> {
    let nowhere = SocketAddr::new(any(address), 0);
    let found = ask(address, nowhere, |source, _, state| {
        state == LISTEN && (source.ip() == address.ip() || source.ip().is_unspecified())
    });
    found.unwrap_or_else(|_| listener_by_proc(address))
}

fn any(address: SocketAddr) -> IpAddr {
    match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn ask(
    source: SocketAddr,
    target: SocketAddr,
    is_wanted: impl Fn(SocketAddr, SocketAddr, u8) -> bool,
) -> io::Result<Option<Row>> {
    let kind = (
        AddressFamily::Netlink,
        SockType::Datagram,
        SockProtocol::NetlinkSockDiag,
    );
    let handle = socket(kind.0, kind.1, SockFlag::SOCK_CLOEXEC, kind.2)?;
    let request = request(source, target);
    send(handle.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut buffer = [0_u8; 1024];
    // The kernel has answered before `send` returns.
    let length = recv(handle.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT)?;
    parse_answer(&buffer[..length], is_wanted)
}

fn request(source: SocketAddr, target: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut bytes = Vec::with_capacity(REQUEST_LEN);
    bytes.extend((REQUEST_LEN as u32).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes()); // sequence
    bytes.extend(0_u32.to_ne_bytes()); // port id: the kernel fills it in
    bytes.extend([family, IPPROTO_TCP, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes()); // every state
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(target.port().to_be_bytes());
    bytes.extend(padded(source.ip()));
    bytes.extend(padded(target.ip()));
    bytes.extend(0_u32.to_ne_bytes()); // any interface
    bytes.extend([0xff; 8]); // no cookie
    bytes
}

fn padded(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn parse_answer(
    bytes: &[u8],
    is_wanted: impl Fn(SocketAddr, SocketAddr, u8) -> bool,
) -> io::Result<Option<Row>> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "a short netlink answer");
    let kind = u16_at(bytes, 4).ok_or_else(short)?;
    if kind == NLMSG_ERROR {
        let code = u32_at(bytes, 16).ok_or_else(short)?.cast_signed();
        return if code == -ENOENT {
            Ok(None)
        } else {
            Err(io::Error::from_raw_os_error(-code))
        };
    }
    if kind != SOCK_DIAG_BY_FAMILY || bytes.len() < ANSWER_LEN {
        return Err(short());
    }
    let family = bytes[16];
    let source = SocketAddr::new(address(family, &bytes[24..40]), be16(&bytes[20..22]));
    let target = SocketAddr::new(address(family, &bytes[40..56]), be16(&bytes[22..24]));
    if !is_wanted(source, target, bytes[17]) {
        return Ok(None);
    }
    let (Some(uid), Some(inode)) = (u32_at(bytes, 80), u32_at(bytes, 84)) else {
        return Err(short());
    };
    Ok(Some(Row {
        state: bytes[17],
        uid,
        inode,
    }))
}

/// A v6 socket that talks to a v4 address is shown with mapped addresses.
fn address(family: u8, bytes: &[u8]) -> IpAddr {
    let octets: [u8; 16] = bytes.try_into().unwrap_or_default();
    if family == AF_INET {
        IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))
    } else {
        IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
    }
}

fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes(bytes.try_into().unwrap_or_default())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// As [`by_netlink`], from `/proc/net/tcp` and `tcp6` (a v6 socket may hold a v4 connection).
#[must_use]
pub(crate) fn by_proc(source: SocketAddr, target: SocketAddr) -> Option<Row> {
    let is = |its_source, its_target, _| its_source == source && its_target == target;
    in_proc(is).next()
}

fn listener_by_proc(address: SocketAddr) -> Option<Row> {
    let on = |ip: IpAddr| {
        let source = SocketAddr::new(ip, address.port());
        in_proc(move |its, _, state| its == source && state == LISTEN).next()
    };
    let everywhere = || on(any(address)).or_else(|| on(Ipv6Addr::UNSPECIFIED.into()));
    on(address.ip()).or_else(everywhere)
}

fn in_proc(is_wanted: impl Fn(SocketAddr, SocketAddr, u8) -> bool) -> impl Iterator<Item = Row> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter();
    let rows = tables.filter_map(|path| std::fs::read_to_string(path).ok());
    rows.flat_map(|table| {
        let lines = table.lines().skip(1).filter_map(parse_line);
        lines.collect::<Vec<_>>()
    })
    .filter(move |(source, target, row)| is_wanted(*source, *target, row.state))
    .map(|(_, _, row)| row)
}

/// Reads `sl local remote state tx:rx tr:when retransmits uid timeout inode …`.
fn parse_line(line: &str) -> Option<(SocketAddr, SocketAddr, Row)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (source, target) = (proc_address(fields.next()?)?, proc_address(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some((source, target, Row { state, uid, inode }))
}

/// `0100007F:0BB8`: words of the address in the machine's byte order, then the port.
fn proc_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut octets = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        octets.extend(word.to_ne_bytes());
    }
    let ip = if let Ok(v4) = <[u8; 4]>::try_from(octets.as_slice()) {
        IpAddr::from(v4)
    } else {
        IpAddr::from(<[u8; 16]>::try_from(octets.as_slice()).ok()?).to_canonical()
    };
    Some(SocketAddr::new(ip, port))
}

//! Finds out whose program is at the other end of a loopback connection.
//!
//! [`Peer::of`] remembers the pair of addresses; the gate asks [`Peer::verdict`], which looks the
//! user up at the first request that needs it and keeps the answer for the connection.
//! Holds: only a row with our user id or root's, a socket inode, and a state in which a client can
//! have sent something, says yes; no row, an error, or a peer that is not loopback says no.
//!
//! A look-up takes microseconds (one netlink message), so it runs on the worker itself; only where
//! netlink is not to be had does it read `/proc/net/tcp{,6}`.
//!
//! # Other platforms
//! There is no such look-up on macOS: every loopback peer is accepted there. On a machine with
//! several users, set `ABBADO_TOKEN`.

use actix_web::rt::net::TcpStream;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

/// The two ends of a connection, and what is known about the far one.
#[derive(Debug)]
pub struct Peer {
    remote: SocketAddr,
    local: SocketAddr,
    verdict: OnceLock<Verdict>,
}

/// Who the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A program of our user or of root on this machine.
    SameUser,
    /// A program of another user on this machine.
    OtherUser,
    /// Not on loopback, already gone, or not to be found.
    Unknown,
}

impl Peer {
    /// Remembers a connection; asks nobody yet.
    #[must_use]
    pub const fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self {
            remote,
            local,
            verdict: OnceLock::new(),
        }
    }

    /// The ends of a new connection; nothing when it is gone already.
    #[must_use]
    pub fn of(stream: &TcpStream) -> Option<Self> {
        let (remote, local) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
        Some(Self::new(remote, local))
    }

    /// The address that wrong tokens are counted under.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }

    /// Looks the user up, once a connection.
    pub fn verdict(&self) -> Verdict {
        *self.verdict.get_or_init(|| {
            let (remote, local) = (canonical(self.remote), canonical(self.local));
            if remote.ip().is_loopback() {
                look_up(remote, local)
            } else {
                Verdict::Unknown
            }
        })
    }
}

/// A dual-stack listener shows IPv4 peers as mapped addresses; the kernel's tables want IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(not(target_os = "linux"))]
fn look_up(_remote: SocketAddr, _local: SocketAddr) -> Verdict {
    Verdict::SameUser
}

#[cfg(target_os = "linux")]
fn look_up(remote: SocketAddr, local: SocketAddr) -> Verdict {
    let found = linux::by_netlink(remote, local).unwrap_or_else(|error| {
        log::debug!("Netlink told nothing about a peer ({error}); /proc is read.");
        linux::by_proc(remote, local)
    });
    found.map_or(Verdict::Unknown, |row| row.verdict())
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Verdict;
    use nix::sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
        sockopt,
    };
    use nix::sys::time::{TimeVal, TimeValLike};
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::os::fd::AsRawFd;

    /// What the kernel tells about one socket.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Row {
        pub(super) state: u8,
        pub(super) uid: u32,
        pub(super) inode: u32,
    }

    impl Row {
        /// Judges a row. A socket that its program has closed is shown as uid 0 without an inode,
        /// hence the inode; a socket that is only connecting cannot have sent a request, hence the
        /// state (a reused port must not lend its user to what was sent before).
        pub(super) fn verdict(self) -> Verdict {
            // ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING
            let has_talked = matches!(self.state, 1 | 4 | 5 | 8 | 9 | 11);
            if !has_talked || self.inode == 0 {
                Verdict::Unknown
            } else if self.uid == 0 || self.uid == nix::unistd::geteuid().as_raw() {
                Verdict::SameUser
            } else {
                Verdict::OtherUser
            }
        }
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

    /// Asks the kernel for the one socket whose own end is `remote` and whose far end is `local`:
    /// the client's. Nothing when there is none.
    pub(super) fn by_netlink(remote: SocketAddr, local: SocketAddr) -> io::Result<Option<Row>> {
        let kind = (
            AddressFamily::Netlink,
            SockType::Datagram,
            SockProtocol::NetlinkSockDiag,
        );
        let handle = socket(kind.0, kind.1, SockFlag::SOCK_CLOEXEC, kind.2)?;
        // The kernel answers at once; the limit only keeps a broken one from holding a worker.
        setsockopt(
            &handle,
            sockopt::ReceiveTimeout,
            &TimeVal::milliseconds(250),
        )?;
        let request = request(remote, local);
        send(handle.as_raw_fd(), &request, MsgFlags::empty())?;
        let mut buffer = [0_u8; 1024];
        let length = recv(handle.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        parse_answer(&buffer[..length], remote, local)
    }

    fn request(remote: SocketAddr, local: SocketAddr) -> Vec<u8> {
        let family = if remote.is_ipv4() { AF_INET } else { AF_INET6 };
        let mut bytes = Vec::with_capacity(REQUEST_LEN);
        bytes.extend((REQUEST_LEN as u32).to_ne_bytes());
        bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        bytes.extend(NLM_F_REQUEST.to_ne_bytes());
        bytes.extend(1_u32.to_ne_bytes()); // sequence
        bytes.extend(0_u32.to_ne_bytes()); // port id: the kernel fills it in
        bytes.extend([family, IPPROTO_TCP, 0, 0]);
        bytes.extend(u32::MAX.to_ne_bytes()); // every state
        bytes.extend(remote.port().to_be_bytes());
        bytes.extend(local.port().to_be_bytes());
        bytes.extend(padded(remote.ip()));
        bytes.extend(padded(local.ip()));
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
        remote: SocketAddr,
        local: SocketAddr,
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
        // The look-up may fall back to a listener on that port: the ends must be the very ones.
        let family = bytes[16];
        let source = SocketAddr::new(address(family, &bytes[24..40]), be16(&bytes[20..22]));
        let target = SocketAddr::new(address(family, &bytes[40..56]), be16(&bytes[22..24]));
        if source != remote || target != local {
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

    /// Looks through `/proc/net/tcp` and `tcp6` (a v6 socket may hold a v4 connection).
    pub(super) fn by_proc(remote: SocketAddr, local: SocketAddr) -> Option<Row> {
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|path| {
            let table = std::fs::read_to_string(path).ok()?;
            table
                .lines()
                .skip(1)
                .find_map(|line| parse_line(line, remote, local))
        })
    }

    /// Reads `sl local remote state tx:rx tr:when retransmits uid timeout inode …`.
    fn parse_line(line: &str, remote: SocketAddr, local: SocketAddr) -> Option<Row> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        if proc_address(fields.next()?)? != remote || proc_address(fields.next()?)? != local {
            return None;
        }
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        Some(Row { state, uid, inode })
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
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener, TcpStream};

    fn both(remote: SocketAddr, local: SocketAddr) -> [Option<linux::Row>; 2] {
        let (remote, local) = (canonical(remote), canonical(local));
        [
            linux::by_netlink(remote, local).unwrap(),
            linux::by_proc(remote, local),
        ]
    }

    fn check_same_user(address: &str) {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (remote, local) = (server.peer_addr().unwrap(), server.local_addr().unwrap());
        let [by_netlink, by_proc] = both(remote, local);
        assert_eq!(by_netlink, by_proc);
        assert_eq!(by_netlink.unwrap().verdict(), Verdict::SameUser);
        assert_eq!(Peer::new(remote, local).verdict(), Verdict::SameUser);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            Peer::new(remote, local).verdict(),
            Verdict::SameUser,
            "half closed is there"
        );
        drop(client);
        assert_eq!(
            Peer::new(remote, local).verdict(),
            Verdict::Unknown,
            "gone is nobody"
        );
    }

    #[test]
    fn a_program_of_ours_is_found_over_ipv4() {
        check_same_user("127.0.0.1:0");
    }

    #[test]
    fn a_program_of_ours_is_found_over_ipv6() {
        check_same_user("[::1]:0");
    }

    #[test]
    fn a_dual_stack_listener_sees_mapped_peers() {
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, remote) = listener.accept().unwrap();
        assert!(remote.is_ipv6(), "{remote} is mapped");
        let peer = Peer::new(remote, server.local_addr().unwrap());
        assert_eq!(peer.verdict(), Verdict::SameUser);
        assert!(peer.address().is_ipv4());
    }

    #[test]
    fn a_v6_socket_that_talks_to_v4_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target: SocketAddr = format!("[::ffff:127.0.0.1]:{port}").parse().unwrap();
        let _client = TcpStream::connect(target).unwrap();
        let (server, remote) = listener.accept().unwrap();
        let [by_netlink, by_proc] = both(remote, server.local_addr().unwrap());
        assert_eq!(by_netlink, by_proc);
        assert_eq!(by_netlink.unwrap().verdict(), Verdict::SameUser);
    }

    #[test]
    fn a_listener_on_the_port_is_no_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = listener.local_addr().unwrap();
        assert_eq!(both(remote, "127.0.0.1:9".parse().unwrap()), [None, None]);
    }

    #[test]
    fn rows_without_inode_or_before_a_connection_are_nobody() {
        let row = linux::Row {
            state: 1,
            uid: 0,
            inode: 7,
        };
        assert_eq!(row.verdict(), Verdict::SameUser);
        assert_eq!(linux::Row { inode: 0, ..row }.verdict(), Verdict::Unknown);
        for state in [2, 3, 6, 7, 10, 12] {
            assert_eq!(
                linux::Row { state, ..row }.verdict(),
                Verdict::Unknown,
                "{state}"
            );
        }
        assert_eq!(
            linux::Row {
                uid: 4_000_000,
                ..row
            }
            .verdict(),
            Verdict::OtherUser
        );
    }

    #[test]
    fn other_machines_are_nobody() {
        let peer = Peer::new(
            "10.0.0.1:5".parse().unwrap(),
            "10.0.0.2:3000".parse().unwrap(),
        );
        assert_eq!(peer.verdict(), Verdict::Unknown);
    }
}

//! Finds out which user's program is at the other end of a loopback connection.
//!
//! [`Peer::of`] remembers the pair of addresses; the gate asks [`Peer::verdict`], which looks the
//! user up at the first request that needs it and keeps the answer for the connection.
//! Holds: only a row with our user id or root's, a socket inode, and a state in which a client can
//! have sent something, says yes; no row, an error, or a peer that is not loopback says no.
//!
//! A look-up takes microseconds ([`crate::sockets`]), so it runs on the worker itself.
//!
//! # Other platforms
//! There is no such look-up on macOS: every loopback peer is accepted there. On a machine with
//! several users, set `ABBADO_TOKEN`.

#[cfg(target_os = "linux")]
use crate::sockets;
use actix_web::rt::net::TcpStream;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

/// The two ends of a connection, and what is known about the far one.
#[derive(Debug)]
pub(crate) struct Peer {
    remote: SocketAddr,
    local: SocketAddr,
    verdict: OnceLock<Verdict>,
}

/// Who the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A program of our user or of root on this machine.
    SameUser,
    /// A program of another user on this machine.
    OtherUser,
    /// Not on loopback, already gone, or not to be found.
    Unknown,
}

impl Peer {
    /// Remembers a connection, without a look-up.
    #[must_use]
    pub(crate) const fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self {
            remote,
            local,
            verdict: OnceLock::new(),
        }
    }

    /// The ends of a new connection; nothing when it is gone already.
    #[must_use]
    pub(crate) fn of(stream: &TcpStream) -> Option<Self> {
        let (remote, local) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
        Some(Self::new(remote, local))
    }

    /// The address that wrong tokens are counted under.
    #[must_use]
    pub(crate) fn address(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }

    /// Looks the user up, once a connection.
    pub(crate) fn verdict(&self) -> Verdict {
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
    // The client's end of the connection.
    let found = sockets::by_netlink(remote, local).unwrap_or_else(|error| {
        log::debug!("Netlink did not identify a peer ({error}); reading /proc instead.");
        sockets::by_proc(remote, local)
    });
    found.map_or(Verdict::Unknown, judge)
}

/// Judges a row. A socket that its program has closed is shown as uid 0 without an inode, hence the
/// inode; a socket that is only connecting cannot have sent a request, hence the state (a reused
/// port must not lend its user to what was sent before).
#[cfg(target_os = "linux")]
fn judge(row: sockets::Row) -> Verdict {
    // ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING
    let has_talked = matches!(row.state, 1 | 4 | 5 | 8 | 9 | 11);
    if !has_talked || row.inode == 0 {
        Verdict::Unknown
    } else if row.uid == 0 || row.uid == nix::unistd::geteuid().as_raw() {
        Verdict::SameUser
    } else {
        Verdict::OtherUser
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::{
        net::{Shutdown, TcpListener, TcpStream},
        time::Duration,
    };

    fn both(remote: SocketAddr, local: SocketAddr) -> [Option<sockets::Row>; 2] {
        let (remote, local) = (canonical(remote), canonical(local));
        [
            sockets::by_netlink(remote, local).unwrap(),
            sockets::by_proc(remote, local),
        ]
    }

    fn check_same_user(address: &str) {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (remote, local) = (server.peer_addr().unwrap(), server.local_addr().unwrap());
        let [by_netlink, by_proc] = both(remote, local);
        assert_eq!(by_netlink, by_proc);
        assert_eq!(judge(by_netlink.unwrap()), Verdict::SameUser);
        assert_eq!(Peer::new(remote, local).verdict(), Verdict::SameUser);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            Peer::new(remote, local).verdict(),
            Verdict::SameUser,
            "half closed is there"
        );
        drop(client);
        // A child that another test forks has a copy of the socket until it executes its program.
        let is_gone = (0..1_000).any(|_| {
            std::thread::park_timeout(Duration::from_millis(5));
            Peer::new(remote, local).verdict() == Verdict::Unknown
        });
        assert!(is_gone, "a closed connection has no owner");
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
        assert_eq!(judge(by_netlink.unwrap()), Verdict::SameUser);
    }

    #[test]
    fn a_listener_on_the_port_is_no_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = listener.local_addr().unwrap();
        assert_eq!(both(remote, "127.0.0.1:9".parse().unwrap()), [None, None]);
    }

    #[test]
    fn rows_without_inode_or_before_a_connection_are_nobody() {
        let row = sockets::Row {
            state: 1,
            uid: 0,
            inode: 7,
        };
        assert_eq!(judge(row), Verdict::SameUser);
        assert_eq!(judge(sockets::Row { inode: 0, ..row }), Verdict::Unknown);
        for state in [2, 3, 6, 7, 10, 12] {
            assert_eq!(
                judge(sockets::Row { state, ..row }),
                Verdict::Unknown,
                "{state}"
            );
        }
        assert_eq!(
            judge(sockets::Row {
                uid: 4_000_000,
                ..row
            }),
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

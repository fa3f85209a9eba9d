//! The server that a hook is for: its address, and whether it is really the one that listens there.
//!
//! A server that was killed leaves its address behind, and any program may listen there next.
//! Nothing of a hook is sent before it is known who does: by the kernel, which tells whose socket
//! listens and which one it is, or by a proof that only who has read the data folder can give.

use crate::cli::hook_files;
use crate::files;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// File in the data folder with the server's address.
pub(super) const SERVER: &str = "server.json";
/// File in the data folder with the key of the server's proofs.
const KEY: &str = "server.key";

/// The contents of the address file.
#[derive(Deserialize)]
pub(super) struct Server {
    addr: SocketAddr,
    /// Inode of its listening socket, on Linux.
    #[serde(default)]
    socket: Option<u32>,
}

/// Who listens at the server's address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listener {
    /// The recorded socket, of this user.
    Ours,
    /// A program of another user.
    Stranger,
    /// The kernel does not say.
    Unknown,
}

impl Server {
    pub(super) fn of(data_dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&files::read(
            &data_dir.join(SERVER),
            files::SMALL,
        )?)?)
    }

    /// The address to connect to: loopback for a server that listens on all addresses.
    pub(super) fn address(&self) -> SocketAddr {
        let ip = match self.addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        SocketAddr::new(ip, self.addr.port())
    }

    /// Checks the listening socket. Call it after connecting: a socket with the recorded inode has
    /// existed all the time, so the connection is to it.
    #[cfg(target_os = "linux")]
    pub(super) fn listener(&self) -> Listener {
        let Some(row) = crate::sockets::listener(self.address()) else {
            return Listener::Unknown;
        };
        if row.uid != nix::unistd::geteuid().as_raw() {
            Listener::Stranger
        } else if self.socket == Some(row.inode) {
            Listener::Ours
        } else {
            Listener::Unknown
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn listener(&self) -> Listener {
        Listener::Unknown
    }

    /// The proof that the server gives for a nonce.
    pub(super) fn proof(&self, data_dir: &Path, nonce: &str) -> io::Result<String> {
        let key = hook_files::secret(data_dir, KEY)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(proof(&key, nonce, self.address()))
    }
}

/// The key of a data folder, created when there is none.
///
/// # Errors
/// When it cannot be read or created.
pub fn key(data_dir: &Path) -> io::Result<String> {
    hook_files::ensure_secret(data_dir, KEY)
}

/// A server's proof that it knows the key: HMAC-SHA256 of the nonce and of its own address, so that
/// nobody on another port can pass the question on to it.
#[must_use]
pub fn proof(key: &str, nonce: &str, address: SocketAddr) -> String {
    let digest = hmac(key.as_bytes(), format!("{nonce} {address}").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 2104, with a key that is at most one block long.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    for (byte, of_key) in block.iter_mut().zip(key) {
        *byte = *of_key;
    }
    let padded = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
    let inner = padded(0x36).chain_update(text).finalize();
    padded(0x5c).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 1 and 2 of RFC 4231.
    #[test]
    fn the_code_is_that_of_the_rfc() {
        let hex = |bytes: [u8; 32]| -> String {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(
            hex(hmac(&[0x0b; 20], b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn servers_everywhere_are_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:3000", "[::1]:3000"),
            ("192.168.1.5:80", "192.168.1.5:80"),
        ] {
            let server = Server {
                addr: listens.parse().unwrap(),
                socket: None,
            };
            assert_eq!(server.address().to_string(), asked);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_listening_socket_is_known_by_its_number() {
        use std::os::fd::AsFd;
        for bind in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let listener = std::net::TcpListener::bind(bind).unwrap();
            let number = nix::sys::stat::fstat(listener.as_fd()).unwrap().st_ino;
            let mut server = Server {
                addr: listener.local_addr().unwrap(),
                socket: u32::try_from(number).ok(),
            };
            let _client = std::net::TcpStream::connect(server.address()).unwrap();
            assert_eq!(server.listener(), Listener::Ours, "{bind}");
            server.socket = server.socket.map(|number| number + 1);
            assert_eq!(server.listener(), Listener::Unknown, "{bind}");
            drop(listener);
            assert_eq!(server.listener(), Listener::Unknown, "{bind}");
        }
    }
}

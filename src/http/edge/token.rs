//! Secrets that requests carry: the server's token, its cookie, and how often one may guess.
//!
//! Called by the gate. Holds: secrets are compared in constant time and never printed; the table of
//! guesses is bounded.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// A secret text. Its `Debug` says nothing.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a text as a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Compares in a time that depends on neither the place of the first difference nor on which
    /// of the two is longer: digests of equal length are compared.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        let (ours, theirs) = (Sha256::digest(self.0.as_bytes()), Sha256::digest(candidate));
        ours.as_slice().ct_eq(theirs.as_slice()).into()
    }

    /// How many characters it has.
    #[must_use]
    pub fn char_count(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether it can travel in a header: visible ASCII without blanks.
    #[must_use]
    pub fn is_visible_ascii(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The cookie that stands for this token. Derived, so that a cookie survives a restart with the
    /// same token and dies with it; one-way, so that a leaked cookie does not give the token.
    #[must_use]
    pub fn cookie_value(&self) -> Self {
        let digest = Sha256::new()
            .chain_update(b"abbado token cookie, version 1\0")
            .chain_update(self.0.as_bytes())
            .finalize();
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The text itself, for the one place that must send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Wrong tokens an address may send within [`WINDOW`] before it has to wait.
pub(crate) const WRONG_TOKENS_MAX: u32 = 10;
/// Time in which wrong tokens are counted together, and the time that a lock-out lasts.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at once; 4096 × about 64 bytes. Beyond, the oldest unlocked one goes.
const ADDRESSES_MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Guesses {
    since: Instant,
    wrong: u32,
    locked_until: Option<Instant>,
}

impl Guesses {
    fn is_over(&self, now: Instant) -> bool {
        let end = self.locked_until.unwrap_or(self.since + WINDOW);
        end <= now
    }
}

/// Counts wrong tokens by peer address. Shared by all workers of the server.
#[derive(Debug, Default)]
pub(crate) struct GuessLimit {
    // Held for a look-up only; nothing waits under it.
    table: Mutex<HashMap<IpAddr, Guesses>>,
}

impl GuessLimit {
    /// Seconds that an address still has to wait; nothing when it may try.
    #[must_use]
    pub(crate) fn wait_s(&self, address: IpAddr, now: Instant) -> Option<u32> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let until = table.get(&counted_as(address))?.locked_until?;
        let left = until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())?;
        Some(u32::try_from(left.as_secs_f64().ceil() as u64).unwrap_or(u32::MAX))
    }

    /// Counts a wrong token. The tenth within a minute locks the address for the next minute.
    pub(crate) fn wrong(&self, address: IpAddr, now: Instant) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let address = counted_as(address);
        if table.len() >= ADDRESSES_MAX && !table.contains_key(&address) {
            make_room(&mut table, now);
        }
        let fresh = Guesses {
            since: now,
            wrong: 0,
            locked_until: None,
        };
        let guesses = table.entry(address).or_insert(fresh);
        if guesses.is_over(now) {
            *guesses = fresh;
        }
        guesses.wrong += 1;
        if guesses.wrong >= WRONG_TOKENS_MAX && guesses.locked_until.is_none() {
            guesses.locked_until = Some(now + WINDOW);
            log::warn!(peer:% = address; "An address sent too many wrong tokens and is blocked for a while.");
        }
    }
}

/// IPv6 hosts own a /64, so one is counted as a whole; a mapped IPv4 address is itself.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let network = v6.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        other @ (IpAddr::V4(_) | IpAddr::V6(_)) => other,
    }
}

fn make_room(table: &mut HashMap<IpAddr, Guesses>, now: Instant) {
    table.retain(|_, guesses| !guesses.is_over(now));
    if table.len() >= ADDRESSES_MAX {
        let oldest = table
            .iter()
            .min_by_key(|(_, g)| (g.locked_until.is_some(), g.since));
        if let Some(address) = oldest.map(|(address, _)| *address) {
            table.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_match_only_themselves_and_are_not_printed() {
        let secret = Secret::new("correct horse");
        assert!(secret.matches(b"correct horse"));
        assert!(!secret.matches(b"correct hors"));
        assert!(!secret.matches(b""));
        assert!(!format!("{secret:?}").contains("horse"));
        let cookie = secret.cookie_value();
        assert_eq!(cookie.reveal().len(), 64);
        assert!(!cookie.matches(b"correct horse"));
        assert_eq!(
            cookie.reveal(),
            Secret::new("correct horse").cookie_value().reveal()
        );
    }

    #[test]
    fn ten_wrong_tokens_lock_one_address_for_a_minute() {
        let limit = GuessLimit::default();
        let (one, other): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let start = Instant::now();
        for guess in 0..WRONG_TOKENS_MAX {
            assert_eq!(limit.wait_s(one, start), None, "before guess {guess}");
            limit.wrong(one, start);
        }
        assert_eq!(limit.wait_s(one, start), Some(60));
        assert_eq!(
            limit.wait_s(one, start + Duration::from_millis(30_500)),
            Some(30)
        );
        assert_eq!(limit.wait_s(other, start), None);
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(limit.wait_s(mapped, start), Some(60));
        assert_eq!(limit.wait_s(one, start + WINDOW), None);
        limit.wrong(one, start + WINDOW);
        assert_eq!(
            limit.wait_s(one, start + WINDOW),
            None,
            "counting begins anew"
        );
    }

    #[test]
    fn slow_guesses_are_not_added_up() {
        let limit = GuessLimit::default();
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let start = Instant::now();
        for minute in 0..4 {
            for _ in 0..WRONG_TOKENS_MAX - 1 {
                limit.wrong(address, start + WINDOW * minute);
            }
        }
        assert_eq!(limit.wait_s(address, start + WINDOW * 3), None);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_locked_addresses() {
        let limit = GuessLimit::default();
        let locked: IpAddr = "192.0.2.1".parse().unwrap();
        let start = Instant::now();
        for _ in 0..WRONG_TOKENS_MAX {
            limit.wrong(locked, start);
        }
        for number in 0..10_000_u32 {
            limit.wrong(IpAddr::V4(number.into()), start + Duration::from_millis(1));
        }
        assert_eq!(limit.table.lock().unwrap().len(), ADDRESSES_MAX);
        assert!(limit.wait_s(locked, start).is_some());
    }

    #[test]
    fn a_v6_network_counts_as_one() {
        let limit = GuessLimit::default();
        let now = Instant::now();
        for host in 0..10_u16 {
            limit.wrong(
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)),
                now,
            );
        }
        let next: IpAddr = "2001:db8::ffff".parse().unwrap();
        assert!(limit.wait_s(next, now).is_some());
    }
}

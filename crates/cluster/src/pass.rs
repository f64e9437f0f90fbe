//! The header by which a node proves itself to another: HMAC-SHA256 over the call, good for half a minute, and once.
//!
//! `v1;FROM;MS;NONCE;CLIENT;OPERATOR;MAC`: the run of the node that calls, its clock, 128 random bits, the address that the
//! call first came from, the operator behind it, and the MAC in hexadecimal digits over all of that, the method, the target
//! and the run that is called. So a pass opens one call at one node. Bodies are not signed: whoever can change what nodes
//! send each other also reads the customers' secrets in it, and is kept away by the network.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use footlight_ledger::{BootId, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use sha2::Sha256;

/// The header's name.
pub const PASS_HEADER: &str = "footlight-peer";
/// How far the clock of whoever calls may be from ours, in milliseconds.
pub const WINDOW_MS: i64 = 30_000;

const VERSION: &str = "v1";
/// Longer than any of ours: what is longer is not looked at.
const LEN_MAX: usize = 512;
const FIELDS: usize = 7;
/// Nothing in a field's place.
const NONE: &str = "-";
/// The longest name of an operator that travels.
const OPERATOR_LEN_MAX: usize = 64;
/// Nonces are remembered for as long as their pass could be good: twice the window, since it may have been made by a
/// clock that is ahead.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// Nonces are forgotten in blocks of this long.
const BLOCK: Duration = Duration::from_secs(10);
/// Nonces remembered at most: 30 000 calls a second. Beyond it calls are refused, since none may be let in twice.
const REMEMBERED_MAX: usize = 2_100_000;

/// What passes are signed with, made from the cluster's secret. It prints as dots.
#[derive(Clone)]
pub struct ClusterKey([u8; 32]);

impl ClusterKey {
    /// The key of a secret. Another use of the same secret would have another label, and so another key.
    #[must_use]
    pub fn of_secret(secret: &str) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
        Self(mac.chain_update("footlight cluster pass v1").finalize().into_bytes().into())
    }

    fn mac(&self, method: &str, target: &str, to: BootId, fields: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        // Neither a method nor a target holds a line's end, so that nothing can slip from one into the other.
        mac.chain_update(method)
            .chain_update("\n")
            .chain_update(target)
            .chain_update("\n")
            .chain_update(to.to_string())
            .chain_update("\n")
            .chain_update(fields)
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey(…)")
    }
}

/// What a pass says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The run of the node that calls.
    pub from: BootId,
    /// From where the call first came, if it came from outside.
    pub client: Option<IpAddr>,
    /// The operator behind it, whose token the calling node has checked.
    pub operator: Option<String>,
}

/// Why a call was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassFault {
    /// There is no pass, or it is not of this form.
    #[error("the call carries no pass of a node")]
    Malformed,
    /// Nobody signed this call to this run of this node with the cluster's secret.
    #[error("the pass is not of this call, this node and this cluster's secret")]
    Forged,
    /// It was made too long ago, or in the future.
    #[error("the pass was made more than {} s from now: compare the nodes' clocks", WINDOW_MS / 1000)]
    OutOfTime,
    /// It was let in before.
    #[error("the pass was used before")]
    Used,
    /// More calls came within the window than can be remembered.
    #[error("more calls of nodes come than can be told apart")]
    Crowded,
}

/// Makes the header's value for one call to the run `to`. `nonce` is random and never used again.
#[must_use]
pub fn sign(
    key: &ClusterKey,
    pass: &Pass,
    (method, target, to): (&str, &str, BootId),
    now: Timestamp,
    nonce: u128,
) -> String {
    let client = pass.client.map_or_else(|| NONE.to_owned(), |address| address.to_string());
    let operator = pass.operator.as_deref().map_or_else(|| NONE.to_owned(), escape);
    let fields = format!("{VERSION};{};{};{nonce:032x};{client};{operator}", pass.from, now.0);
    let mac = key.mac(method, target, to, &fields).finalize().into_bytes();
    let digits = HEXLOWER.encode(&mac);
    format!("{fields};{digits}")
}

/// Lets calls of nodes in, each once.
pub struct Doorkeeper {
    key: ClusterKey,
    own: BootId,
    seen: Mutex<Seen>,
}

/// The nonces of passes that were let in, oldest block first, by when its first one came.
#[derive(Default)]
struct Seen {
    blocks: VecDeque<(Instant, HashSet<u128>)>,
    count: usize,
}

impl Doorkeeper {
    /// For calls to the run `own`.
    #[must_use]
    pub fn new(key: ClusterKey, own: BootId) -> Self {
        Self { key, own, seen: Mutex::default() }
    }

    /// Reads the pass of a call and lets it in, if it is good. `now` is the wall clock, by which passes are dated; `at` the
    /// monotonic one, by which nonces are forgotten.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(
        &self,
        header: Option<&str>,
        method: &str,
        target: &str,
        now: Timestamp,
        at: Instant,
    ) -> Result<Pass, PassFault> {
        let header = header.filter(|header| header.len() <= LEN_MAX).ok_or(PassFault::Malformed)?;
        let (fields, mac) = header.rsplit_once(';').ok_or(PassFault::Malformed)?;
        let mac = HEXLOWER_PERMISSIVE.decode(mac.as_bytes()).map_err(|_| PassFault::Malformed)?;
        // Compared in constant time, and before anything it says is believed.
        self.key.mac(method, target, self.own, fields).verify_slice(&mac).map_err(|_| PassFault::Forged)?;
        let parts: Vec<&str> = fields.split(';').collect();
        let &[VERSION, from, ms, nonce, client, operator] = parts.as_slice() else { return Err(PassFault::Malformed) };
        debug_assert_eq!(parts.len() + 1, FIELDS);
        let from = from.parse().map_err(|_| PassFault::Malformed)?;
        let ms: i64 = ms.parse().map_err(|_| PassFault::Malformed)?;
        let nonce = u128::from_str_radix(nonce, 16).map_err(|_| PassFault::Malformed)?;
        let client = match client {
            NONE => None,
            text => Some(text.parse().map_err(|_| PassFault::Malformed)?),
        };
        let operator = match operator {
            NONE => None,
            text => Some(unescape(text).ok_or(PassFault::Malformed)?),
        };
        if now.0.abs_diff(ms) > WINDOW_MS.unsigned_abs() {
            return Err(PassFault::OutOfTime);
        }
        self.seen.lock().note(nonce, at)?;
        Ok(Pass { from, client, operator })
    }
}

impl Seen {
    fn note(&mut self, nonce: u128, at: Instant) -> Result<(), PassFault> {
        while let Some((since, block)) = self.blocks.front()
            && at.saturating_duration_since(*since) > REMEMBERED_FOR + BLOCK
        {
            self.count -= block.len();
            self.blocks.pop_front();
        }
        if self.blocks.iter().any(|(_, block)| block.contains(&nonce)) {
            return Err(PassFault::Used);
        }
        if self.count >= REMEMBERED_MAX {
            return Err(PassFault::Crowded);
        }
        if self.blocks.back().is_none_or(|(since, _)| at.saturating_duration_since(*since) > BLOCK) {
            self.blocks.push_back((at, HashSet::new()));
        }
        let (_, block) = self.blocks.back_mut().expect("one was put there");
        block.insert(nonce);
        self.count += 1;
        Ok(())
    }
}

impl fmt::Debug for Doorkeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorkeeper").field("own", &self.own).finish_non_exhaustive()
    }
}

/// An operator's name as header text: what is not a letter, a digit, a dot or an underscore becomes `%` and two digits.
fn escape(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let name = &name.as_bytes()[..name.floor_char_boundary(OPERATOR_LEN_MAX)];
    name.iter().map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const TARGET: &str = "/v1/sessions/ses_1?limit=2";

    fn boot(number: u128) -> BootId {
        BootId(Uuid::from_u128(number))
    }

    fn key() -> ClusterKey {
        ClusterKey::of_secret("a secret of thirty-two characters")
    }

    fn pass() -> Pass {
        Pass { from: boot(1), client: Some([10, 0, 0, 9].into()), operator: Some("night; shift-ä".to_owned()) }
    }

    fn signed(nonce: u128) -> String {
        sign(&key(), &pass(), ("GET", TARGET, boot(2)), NOW, nonce)
    }

    fn admit(keeper: &Doorkeeper, header: &str, method: &str, target: &str, now: Timestamp) -> Result<Pass, PassFault> {
        keeper.admit(Some(header), method, target, now, Instant::now())
    }

    #[test]
    fn a_pass_opens_its_own_call_at_its_own_node_once() {
        let keeper = Doorkeeper::new(key(), boot(2));
        let header = signed(7);
        assert_eq!(admit(&keeper, &header, "POST", TARGET, NOW), Err(PassFault::Forged));
        assert_eq!(admit(&keeper, &header, "GET", "/v1/sessions/ses_2", NOW), Err(PassFault::Forged));
        assert_eq!(admit(&Doorkeeper::new(key(), boot(3)), &header, "GET", TARGET, NOW), Err(PassFault::Forged));
        let other = Doorkeeper::new(ClusterKey::of_secret("another secret of this cluster here"), boot(2));
        assert_eq!(admit(&other, &header, "GET", TARGET, NOW), Err(PassFault::Forged));
        assert_eq!(admit(&keeper, &header, "GET", TARGET, NOW), Ok(pass()));
        assert_eq!(admit(&keeper, &header, "GET", TARGET, NOW), Err(PassFault::Used));
        assert_eq!(admit(&keeper, &signed(8), "GET", TARGET, NOW), Ok(pass()));
    }

    #[test]
    fn a_pass_is_good_for_half_a_minute_both_ways() {
        let keeper = Doorkeeper::new(key(), boot(2));
        for (nonce, ms, good) in [(1, 30_000, true), (2, -30_000, true), (3, 30_001, false), (4, -30_001, false)] {
            let admitted = admit(&keeper, &signed(nonce), "GET", TARGET, NOW.plus_ms(ms));
            assert_eq!(admitted.is_ok(), good, "{ms}");
            assert!(good || admitted == Err(PassFault::OutOfTime));
        }
    }

    #[test]
    fn whatever_is_changed_in_a_pass_is_found() {
        let keeper = Doorkeeper::new(key(), boot(2));
        let header = signed(9);
        for at in 0..header.len() {
            let mut changed = header.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).expect("ASCII");
            let refused = admit(&keeper, &changed, "GET", TARGET, NOW);
            assert!(matches!(refused, Err(PassFault::Forged | PassFault::Malformed)), "{changed}: {refused:?}");
        }
        for header in ["", ";", "v1", &"x".repeat(600), &format!("v1;{}", "0".repeat(64)), &header[1..]] {
            assert!(admit(&keeper, header, "GET", TARGET, NOW).is_err(), "{header}");
        }
        assert_eq!(keeper.admit(None, "GET", TARGET, NOW, Instant::now()), Err(PassFault::Malformed));
        assert_eq!(keeper.seen.lock().count, 0, "what is not believed takes no memory");
    }

    #[test]
    fn nonces_are_forgotten_when_their_pass_is_out_of_time_and_not_before() {
        let mut seen = Seen::default();
        let start = Instant::now();
        for second in 0..600 {
            let at = start + Duration::from_secs(second);
            assert_eq!(seen.note(u128::from(second), at), Ok(()));
            let oldest = second.saturating_sub(60);
            assert_eq!(seen.note(u128::from(oldest), at), Err(PassFault::Used), "{second}");
        }
        assert!(seen.count <= 90, "{}", seen.count);
        assert_eq!(seen.count, seen.blocks.iter().map(|(_, block)| block.len()).sum::<usize>());
    }
}

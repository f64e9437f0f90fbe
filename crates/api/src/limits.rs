//! Manners: how much one account may ask in a minute, and how often one address may guess.
//!
//! Each is a leaky bucket in the form of the generic cell rate algorithm (ITU-T I.371): one number a caller, the time at
//! which everything it asked would be paid off. Limits are this node's own: they protect it, they are no quota.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use footlight_ledger::{AccountId, SessionId};
use parking_lot::Mutex;

/// The window that limits are told for.
const WINDOW: Duration = Duration::from_secs(60);
/// Callers remembered at most. Those who have paid everything off are forgotten first; if none have, all are.
const REMEMBERED_MAX: usize = 100_000;

/// The fields of the IETF's draft "RateLimit header fields for HTTP".
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// What a call costs, in units of the account's limit. Heartbeats cost nothing: metering must never be turned away.
#[must_use]
pub(crate) fn cost_of(method: &Method, path: &str) -> u32 {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match (method.as_str(), last) {
        ("POST", "heartbeats") => 0,
        ("POST", "sessions" | "audio" | "jobs" | "avatars" | "pictures") => 5,
        ("GET", "sessions" | "usage" | "journal" | "deliveries" | "jobs" | "avatars" | "pictures") => 5,
        ("GET", "bundle" | "preview") => 5,
        // It may read a whole journal.
        ("GET", "summary") => 20,
        ("GET", "stream" | "events") => 2,
        _ => 1,
    }
}

/// What is left to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    quota: u32,
    units: u32,
    /// Until everything is paid off.
    reset: Duration,
}

impl Left {
    /// Tells the caller.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let policy = format!("\"account\";q={};w={}", self.quota, WINDOW.as_secs());
        let left = format!("\"account\";r={};t={}", self.units, self.reset.as_secs_f64().ceil());
        for (name, value) in [(POLICY, policy), (LEFT, left)] {
            headers.insert(name, HeaderValue::from_str(&value).expect("digits and quotes are header text"));
        }
    }
}

/// Too much was asked; when it may be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    pub(crate) left: Left,
    pub(crate) retry_after: Duration,
}

/// From whose limit a call is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// The account's own.
    Account(AccountId),
    /// That of one session's engine.
    Session(SessionId),
    /// That of one session's viewers: client tokens may be in strangers' hands.
    Viewers(SessionId),
}

impl Payer {
    /// Who asks, for people.
    pub(crate) const fn asks(self) -> &'static str {
        match self {
            Self::Account(_) => "the account asks",
            Self::Session(_) => "the session's engine asks",
            Self::Viewers(_) => "the session's viewers ask",
        }
    }
}

/// The limits of one listener's callers.
pub(crate) struct Limits {
    origin: Instant,
    accounts: Buckets<Payer>,
    failures: Buckets<IpAddr>,
}

impl Limits {
    /// Limits in units a minute; 0 is none.
    pub(crate) fn new(account_per_minute: u32, failures_per_minute: u32) -> Self {
        Self {
            origin: Instant::now(),
            accounts: Buckets::new(account_per_minute),
            failures: Buckets::new(failures_per_minute),
        }
    }

    /// Takes a call's cost; `None` where there is no limit.
    pub(crate) fn take(&self, payer: Payer, cost: u32) -> Option<Result<Left, TooMuch>> {
        self.accounts.take(payer, cost, self.origin.elapsed())
    }

    /// Notes that this address showed something that opens nothing.
    pub(crate) fn failed(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            // Taken whether or not there is room: the answer is read by the next one.
            let _ = self.failures.take(line_of(address), 1, self.origin.elapsed());
        }
    }

    /// How long this address has to wait before it may guess again; nothing while it may.
    pub(crate) fn guesses_again_after(&self, address: Option<IpAddr>) -> Option<Duration> {
        let asked = self.failures.look(line_of(address?), 1, self.origin.elapsed())?;
        asked.err().map(|too_much| too_much.retry_after)
    }
}

/// Whose guesses are counted together: one IPv4 address, or a /64 of IPv6, of which one line has all addresses.
fn line_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// One number for each caller: when everything it asked is paid off.
struct Buckets<K> {
    quota: u32,
    paid_off: Mutex<HashMap<K, Duration>>,
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    fn new(quota: u32) -> Self {
        Self { quota, paid_off: Mutex::default() }
    }

    fn take(&self, caller: K, cost: u32, now: Duration) -> Option<Result<Left, TooMuch>> {
        if self.quota == 0 {
            return None;
        }
        let mut paid_off = self.paid_off.lock();
        if paid_off.len() >= REMEMBERED_MAX && !paid_off.contains_key(&caller) {
            paid_off.retain(|_, at| *at > now);
            if paid_off.len() >= REMEMBERED_MAX {
                paid_off.clear();
            }
        }
        let at = paid_off.entry(caller).or_insert(now);
        Some(match self.ask(*at, cost, now) {
            Ok((next, left)) => {
                *at = next;
                Ok(left)
            }
            Err(too_much) => Err(too_much),
        })
    }

    fn look(&self, caller: K, cost: u32, now: Duration) -> Option<Result<Left, TooMuch>> {
        if self.quota == 0 {
            return None;
        }
        let at = self.paid_off.lock().get(&caller).copied().unwrap_or(now);
        Some(self.ask(at, cost, now).map(|(_, left)| left))
    }

    fn ask(&self, paid_off: Duration, cost: u32, now: Duration) -> Result<(Duration, Left), TooMuch> {
        let unit = WINDOW / self.quota;
        let owed = paid_off.saturating_sub(now);
        let next = owed + unit * cost;
        let left = |owed: Duration| Left {
            quota: self.quota,
            units: u32::try_from(WINDOW.saturating_sub(owed).as_nanos() / unit.as_nanos().max(1)).unwrap_or(u32::MAX),
            reset: owed,
        };
        if next > WINDOW && cost > 0 {
            return Err(TooMuch { left: left(owed), retry_after: next - WINDOW });
        }
        Ok((now + next, left(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_minutes_worth_may_come_at_once_and_then_as_it_is_paid_off() {
        let buckets = Buckets::new(60);
        let now = 5 * S;
        for asked in 1..=12 {
            let left = buckets.take(1, 5, now).expect("a limit").expect("room");
            assert_eq!((left.units, left.reset), (60 - 5 * asked, 5 * asked * S));
        }
        let too_much = buckets.take(1, 5, now).expect("a limit").expect_err("no room");
        assert_eq!((too_much.retry_after, too_much.left.units), (5 * S, 0));
        assert!(buckets.take(1, 5, now + 4 * S).expect("a limit").is_err());
        assert!(buckets.take(1, 5, now + 5 * S).expect("a limit").is_ok());
        assert!(buckets.take(2, 60, now).expect("a limit").is_ok(), "others have their own");
        assert!(buckets.take(1, 0, now + 5 * S).expect("a limit").is_ok(), "what costs nothing always may");
    }

    #[test]
    fn looking_takes_nothing_and_no_limit_is_none() {
        let buckets = Buckets::new(1);
        assert!(buckets.look(1, 1, S).expect("a limit").is_ok());
        assert!(buckets.take(1, 1, S).expect("a limit").is_ok());
        assert!(buckets.look(1, 1, S).expect("a limit").is_err());
        assert_eq!(Buckets::new(0).take(1, 1, S), None);
    }

    #[test]
    fn memory_is_bounded_and_who_owes_is_remembered_longest() {
        let buckets = Buckets::new(60);
        for caller in 0..REMEMBERED_MAX {
            buckets.take(caller, 1, Duration::ZERO);
        }
        buckets.take(0, 59, 2 * S).expect("a limit").expect("room");
        buckets.take(REMEMBERED_MAX, 1, 2 * S).expect("a limit").expect("room");
        assert_eq!(buckets.paid_off.lock().len(), 2);
        assert!(buckets.take(0, 5, 2 * S).expect("a limit").is_err());
    }

    #[test]
    fn who_has_many_addresses_of_ipv6_guesses_as_one() {
        let limits = Limits::new(0, 1);
        let address = |text: &str| Some(text.parse().expect("an address"));
        limits.failed(address("2001:db8:1:2::1"));
        assert!(limits.guesses_again_after(address("2001:db8:1:2:ffff::9")).is_some(), "the same line");
        assert!(limits.guesses_again_after(address("2001:db8:1:3::1")).is_none(), "the next one");
        limits.failed(address("192.0.2.1"));
        assert!(limits.guesses_again_after(address("::ffff:192.0.2.1")).is_some());
        assert!(limits.guesses_again_after(address("192.0.2.2")).is_none());
    }

    #[test]
    fn metering_is_free_and_what_makes_work_costs_more() {
        assert_eq!(cost_of(&Method::POST, "/v1/sessions/ses_1/heartbeats"), 0);
        assert_eq!(cost_of(&Method::POST, "/v1/sessions"), 5);
        assert_eq!(cost_of(&Method::GET, "/v1/sessions/ses_1"), 1);
        for list in ["sessions", "usage", "journal", "jobs", "avatars", "pictures"] {
            assert_eq!(cost_of(&Method::GET, &format!("/v1/{list}")), 5, "{list}");
        }
        assert_eq!(cost_of(&Method::GET, "/v1/jobs/job_1"), 1);
    }
}

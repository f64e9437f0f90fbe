//! From where a call comes that a reverse proxy passes on.
//!
//! Each proxy adds the address that it was called from at the end of `x-forwarded-for`. What stands there is believed as far
//! as trusted proxies have written it: from the right, up to the first address that is not one of theirs. Everything left of
//! that the caller may have made up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use actix_web::http::header::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    /// How many leading bits an address shares with `base` to be in it.
    bits: u8,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let others = u32::MAX.checked_shr(self.bits.into()).unwrap_or(0);
                base.to_bits() | others == address.to_bits() | others
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let others = u128::MAX.checked_shr(self.bits.into()).unwrap_or(0);
                base.to_bits() | others == address.to_bits() | others
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no range of addresses; write one like 10.0.0.0/8 or fd00::/8, or an address");
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let widest = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(widest), |bits| bits.parse().map_err(|_| wrong()))?;
        // Callers over IPv4 are known by their IPv4 address, so a range of this form would hold nobody.
        let is_mapped = base.to_canonical() != base;
        if bits > widest || is_mapped { Err(wrong()) } else { Ok(Self { base, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Who called whoever called us from `peer`, if that is a trusted proxy; else `peer` itself.
///
/// Where a trusted proxy has written nothing, or nothing that can be read, it is the caller.
pub(crate) fn caller_behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let values: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
    let mut callers = values.iter().rev().flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    let mut caller = peer.to_canonical();
    while is_trusted(caller)
        && let Some(before) = callers.next().and_then(read_address)
    {
        caller = before;
    }
    caller
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn read_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let alone = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = alone.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect(text)
    }

    fn caller(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(HeaderName::from_static(X_FORWARDED_FOR), HeaderValue::from_str(value).expect("a value"));
        }
        let trusted: Vec<_> = trusted.iter().map(|text| network(text)).collect();
        caller_behind(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let ours = &["10.0.0.0/8", "::1"];
        assert_eq!(caller("10.0.0.1", &["203.0.113.9"], ours), "203.0.113.9");
        assert_eq!(caller("10.0.0.1", &["203.0.113.9"], &[]), "10.0.0.1", "nobody is trusted by default");
        assert_eq!(caller("192.0.2.1", &["203.0.113.9"], ours), "192.0.2.1", "who calls is no proxy of ours");
        assert_eq!(caller("10.0.0.1", &["198.51.100.1, 203.0.113.9, 10.0.0.2"], ours), "203.0.113.9");
        assert_eq!(caller("10.0.0.1", &["198.51.100.1", "203.0.113.9", "10.0.0.2"], ours), "203.0.113.9");
        assert_eq!(caller("10.0.0.1", &["10.0.0.3, 10.0.0.2"], ours), "10.0.0.3", "all of it is ours");
    }

    #[test]
    fn what_cannot_be_read_is_not_passed_over() {
        for unreadable in ["", "unknown", "203.0.113.9,", "203.0.113.9, _hidden"] {
            assert_eq!(caller("10.0.0.1", &[unreadable], &["10.0.0.0/8"]), "10.0.0.1", "{unreadable}");
        }
        assert_eq!(caller("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn addresses_are_read_in_every_form_that_proxies_write() {
        for (written, address) in [
            (" 203.0.113.9 ", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(caller("::ffff:127.0.0.1", &[written], &["127.0.0.0/8"]), address, "{written}");
        }
    }

    #[test]
    fn a_network_holds_its_range_and_nothing_beside_it() {
        for (range, inside, outside) in [
            ("10.1.2.3/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::9"),
            ("fd00:1::/32", "fd00:1:ffff::1", "fd00:2::"),
            ("::/0", "2001:db8::9", "203.0.113.9"),
        ] {
            let address = |text: &str| text.parse().expect("an address");
            assert!(network(range).contains(address(inside)) && !network(range).contains(address(outside)), "{range}");
        }
        for wrong in ["", "10.0.0.0/33", "fd00::/129", "10.0.0.0/x", "10.0.0.0/", "localhost", "::ffff:10.0.0.0/104"] {
            assert!(wrong.parse::<Network>().is_err_and(|why| why.contains("10.0.0.0/8")), "{wrong}");
        }
        assert_eq!(
            (network("fd00::/8").to_string(), network("::1").to_string()),
            ("fd00::/8".into(), "::1/128".into())
        );
    }
}

//! Which addresses are called: none of the networks that we stand in, unless the operator says so. A webhook's address is
//! chosen by a customer, and must not open what only this machine can reach.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// The longest address, in bytes.
const URL_LEN_MAX: usize = 2_048;

/// What may be called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) allow_http: bool,
    pub(crate) allow_private: bool,
}

impl Policy {
    /// Reads an address and says what is wrong with it. Names are looked up when they are called, not here.
    pub(crate) fn check(self, url: &str) -> Result<Uri, String> {
        if url.len() > URL_LEN_MAX {
            return Err(format!("has {} characters; at most {URL_LEN_MAX} fit", url.len()));
        }
        let uri: Uri = url.parse().map_err(|_| "is not an address such as https://example.com/hooks".to_owned())?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if self.allow_http => {}
            _ => return Err("must begin with https://".to_owned()),
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("must not carry a user name or password; verify our signature instead".to_owned());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("has no host")?;
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| !self.allow_private && !is_public(address)) {
            return Err("is an address of a private network".to_owned());
        }
        Ok(uri)
    }
}

/// What a machine at Azure talks to its host by: metadata, settings and credentials of the machine. It lies among public
/// addresses and leads nowhere else.
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Whether an address is one of the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || address == AZURE_HOST
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Addresses of the other kind in disguise: mapped, translated, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Everything that is given out lies in 2000::/3; documentation and Teredo do too.
        [first, second, ..] => {
            first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || second == 0)) && first != 0x3fff
        }
    }
}

/// Looks names up and leaves out what must not be called. The connection is made to what is answered here, so a name that
/// points elsewhere the next moment gains nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuardedResolver {
    pub(crate) allow_private: bool,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allow_private = self.allow_private;
        Box::pin(async move {
            // One text for all: whoever reads the log must not learn which names exist in our networks.
            let nowhere = || io::Error::other("the name leads to private networks only, or nowhere");
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| nowhere())?;
            let allowed: Vec<SocketAddr> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() { Err(nowhere()) } else { Ok(allowed.into_iter()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_not_public_in_any_disguise() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.1",
            "168.63.129.16",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:168.63.129.16",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
        for public in
            ["1.1.1.1", "168.63.129.17", "93.184.215.14", "2606:4700::1111", "2002:101:101::", "::ffff:1.1.1.1"]
        {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn addresses_are_checked_before_they_are_taken() {
        let strict = Policy { allow_http: false, allow_private: false };
        assert!(strict.check("https://example.com/hooks?x=1").is_ok());
        for (url, why) in [
            ("http://example.com/", "https"),
            ("ftp://example.com/", "https"),
            ("example.com", "https"),
            ("not an address", "not an address"),
            ("https://user:secret@example.com/", "user name"),
            ("https://127.0.0.1/", "private"),
            ("https://[::1]:8443/", "private"),
            ("https://[::ffff:10.0.0.1]/", "private"),
            (&format!("https://example.com/{}", "x".repeat(3_000)), "at most"),
        ] {
            let refused = strict.check(url).expect_err(url);
            assert!(refused.contains(why), "{url}: {refused}");
        }
        let loose = Policy { allow_http: true, allow_private: true };
        assert!(loose.check("http://127.0.0.1:9000/").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_called() {
        let name = || "localhost".parse::<Name>().expect("a name");
        let home = GuardedResolver { allow_private: false }.call(name()).await.expect_err("home");
        assert!(GuardedResolver { allow_private: true }.call(name()).await.is_ok());
        let nowhere = "nowhere.invalid".parse::<Name>().expect("a name");
        let nowhere = GuardedResolver { allow_private: false }.call(nowhere).await.expect_err("nowhere");
        assert_eq!(home.to_string(), nowhere.to_string());
    }
}

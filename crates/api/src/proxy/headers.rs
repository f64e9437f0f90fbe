//! Which headers travel on to the next node and back, between the two versions of the types that the two halves use.

use actix_web::http::header as ours;
use footlight_cluster::PASS_HEADER;
use hyper::header as theirs;

/// Of one connection alone (RFC 9110, 7.6.1), or set anew for each.
const OF_ONE_CONNECTION: [&str; 12] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "host",
    "date",
];
/// Ours, between nodes: nobody else's are believed, and none are told.
const BETWEEN_NODES: &str = "footlight-";

/// The headers of a request that travel on. What `connection` names stays here as well.
pub(crate) fn onward(headers: &ours::HeaderMap) -> theirs::HeaderMap {
    let named = named_by_connection(headers.get_all(ours::CONNECTION).map(ours::HeaderValue::as_bytes));
    let mut travelling = theirs::HeaderMap::new();
    for (name, value) in headers {
        if !travels(name.as_str(), &named) {
            continue;
        }
        if let (Ok(name), Ok(value)) = (
            theirs::HeaderName::from_bytes(name.as_str().as_bytes()),
            theirs::HeaderValue::from_bytes(value.as_bytes()),
        ) {
            travelling.append(name, value);
        }
    }
    travelling
}

/// The headers of an answer that travel back. Its length is set by whoever sends it.
pub(crate) fn back(headers: &theirs::HeaderMap) -> Vec<(ours::HeaderName, ours::HeaderValue)> {
    let named = named_by_connection(headers.get_all(theirs::CONNECTION).iter().map(theirs::HeaderValue::as_bytes));
    let travelling =
        headers.iter().filter(|(name, _)| travels(name.as_str(), &named) && *name != theirs::CONTENT_LENGTH);
    travelling
        .filter_map(|(name, value)| {
            let name = ours::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
            Some((name, ours::HeaderValue::from_bytes(value.as_bytes()).ok()?))
        })
        .collect()
}

fn travels(name: &str, named: &[String]) -> bool {
    debug_assert!(PASS_HEADER.starts_with(BETWEEN_NODES));
    !OF_ONE_CONNECTION.contains(&name)
        && !name.starts_with(BETWEEN_NODES)
        && !named.iter().any(|named| named.eq_ignore_ascii_case(name))
}

fn named_by_connection<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let texts = values.filter_map(|value| std::str::from_utf8(value).ok());
    texts.flat_map(|text| text.split(',')).map(|name| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_one_connection_stays_there() {
        let mut headers = ours::HeaderMap::new();
        for (name, value) in [
            ("host", "a"),
            ("connection", "close, X-Here"),
            ("x-here", "1"),
            ("transfer-encoding", "chunked"),
            ("footlight-peer", "forged"),
            ("footlight-note", "forged"),
            ("api-secret", "s"),
            ("idempotency-key", "k"),
            ("content-length", "7"),
            ("sec-websocket-protocol", "footlight"),
        ] {
            let (name, value) = (ours::HeaderName::from_static(name), ours::HeaderValue::from_static(value));
            headers.append(name, value);
        }
        headers.append(ours::ACCEPT, ours::HeaderValue::from_static("a"));
        headers.append(ours::ACCEPT, ours::HeaderValue::from_static("b"));
        let onward = onward(&headers);
        let mut names: Vec<_> = onward.keys().map(theirs::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "api-secret", "content-length", "idempotency-key", "sec-websocket-protocol"]);
        assert_eq!(onward.get_all(theirs::ACCEPT).iter().count(), 2);
    }
}

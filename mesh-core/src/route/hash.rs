//! The hash that consistent load balancing is keyed by (Envoy source/common/http/hash_policy.cc).
//!
//! A request without the header, cookie or parameter has no hash, and is then
//! balanced at random. Only a cookie with a lifetime makes its own: the proxy
//! invents a value and sets it on the response.

use http::HeaderValue;
use http::header::COOKIE;
use xxhash_rust::xxh64::xxh64;

use super::RequestView;
use super::matching::text;
use crate::policy::HashKey;

/// The hash of a request, and what it takes for the next request to have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHash {
    /// xxHash64 of the key's value.
    pub hash: u64,
    /// A `Set-Cookie` header to add to the response.
    pub set_cookie: Option<HeaderValue>,
}

/// The hash of `request` under `key`; `None` when it does not carry the key. `connection` is a number that
/// the downstream connection keeps for life: an invented cookie is made from it, so that requests racing on
/// one connection get the same cookie (Envoy hashes the connection's two addresses for that).
pub fn hash_request(
    key: &HashKey,
    request: &RequestView<'_>,
    connection: u64,
) -> Option<RequestHash> {
    let of = |value: &str| {
        Some(RequestHash {
            hash: xxh64(value.as_bytes(), 0),
            set_cookie: None,
        })
    };
    match key {
        HashKey::Header(name) => header_hash(request, name),
        HashKey::SourceIp => of(&request.peer?.ip().to_string()),
        HashKey::QueryParameter(name) => of(request.query_parameter(name)?),
        HashKey::Cookie { name, path, ttl } => match cookie(request, name) {
            Some(value) => of(&value),
            None => {
                let value = format!("{:016x}", xxh64(&connection.to_le_bytes(), 0));
                let cookie = set_cookie(name, &value, path.as_deref(), (*ttl)?.as_secs());
                Some(RequestHash {
                    hash: xxh64(value.as_bytes(), 0),
                    set_cookie: HeaderValue::try_from(cookie).ok(),
                })
            }
        },
    }
}

/// Values of a repeated header count in alphabetical order, each hashed on top of the one before.
fn header_hash(request: &RequestView<'_>, name: &str) -> Option<RequestHash> {
    let mut values: Vec<&[u8]> = match name {
        ":authority" | "host" => vec![request.authority.as_bytes()],
        ":path" => vec![request.path.as_bytes()],
        ":method" => vec![request.method.as_bytes()],
        ":scheme" => vec![request.scheme.as_bytes()],
        name => {
            let all = request.headers.get_all(name).iter();
            all.map(HeaderValue::as_bytes).collect()
        }
    };
    if values.is_empty() {
        return None;
    }
    values.sort_unstable();
    Some(RequestHash {
        hash: values.iter().fold(0, |seed, value| xxh64(value, seed)),
        set_cookie: None,
    })
}

/// The value of cookie `name`, without quotes; `None` when it is missing or empty.
fn cookie(request: &RequestView<'_>, name: &str) -> Option<String> {
    let headers = request.headers.get_all(COOKIE).iter();
    let found = headers.into_iter().find_map(|header| {
        let header = text(header.as_bytes());
        header.split(';').find_map(|pair| {
            let (key, value) = pair.trim_start().split_once('=')?;
            let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            (key == name).then(|| quoted.unwrap_or(value).to_owned())
        })
    });
    found.filter(|value| !value.is_empty())
}

/// A `Set-Cookie` value as Envoy writes it; a lifetime of zero makes a session cookie.
fn set_cookie(name: &str, value: &str, path: Option<&str>, max_age_s: u64) -> String {
    let mut out = format!("{name}=\"{value}\"");
    if max_age_s > 0 {
        out.push_str(&format!("; Max-Age={max_age_s}"));
    }
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        out.push_str(&format!("; Path={path}"));
    }
    out.push_str("; HttpOnly");
    out
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn hash(key: &HashKey, uri: &str, headers: &[(&str, &str)]) -> Option<RequestHash> {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let peer = Some(SocketAddr::from(([10, 0, 0, 1], 1234)));
        hash_request(key, &RequestView::of(&parts, 80, peer), 7)
    }

    /// xxHash64 with seed 0; the value for "foo" is the reference implementation's.
    #[test]
    fn keys_are_hashed_by_value() {
        let foo = Some(0x33bf_00a8_59c4_ba3f);
        let header = HashKey::Header("x-user".into());
        assert_eq!(
            hash(&header, "/", &[("x-user", "foo")]).map(|h| h.hash),
            foo
        );
        assert_eq!(hash(&header, "/", &[]), None);
        let query = HashKey::QueryParameter("u".into());
        assert_eq!(hash(&query, "/?u=foo&u=bar", &[]).map(|h| h.hash), foo);
        assert_eq!(hash(&query, "/", &[]), None);
        let ip = hash(&HashKey::SourceIp, "/", &[]).unwrap();
        assert_eq!(ip.hash, xxh64(b"10.0.0.1", 0), "without the port");
    }

    #[test]
    fn the_order_of_repeated_headers_does_not_count() {
        let key = HashKey::Header("h".into());
        let ab = hash(&key, "/", &[("h", "a"), ("h", "b")]);
        assert_eq!(ab, hash(&key, "/", &[("h", "b"), ("h", "a")]));
        assert_ne!(ab, hash(&key, "/", &[("h", "a")]));
    }

    fn cookie_key(ttl: Option<Duration>) -> HashKey {
        HashKey::Cookie {
            name: "sess".into(),
            path: Some("/".into()),
            ttl,
        }
    }

    /// Recorded from Envoy 1.40: `Max-Age=60; Path=/; HttpOnly`; coming back with the cookie gives the same host
    /// and no new cookie.
    #[test]
    fn a_cookie_is_set_once_and_then_followed() {
        let key = cookie_key(Some(Duration::from_secs(60)));
        let first = hash(&key, "/", &[("cookie", "other=1")]).unwrap();
        let set = first.set_cookie.unwrap();
        let set = set.to_str().unwrap();
        let (pair, attributes) = set.split_once("; ").unwrap();
        assert_eq!(attributes, "Max-Age=60; Path=/; HttpOnly");
        let again = hash(&key, "/", &[("cookie", &format!("a=b; {pair}"))]).unwrap();
        assert_eq!(again.hash, first.hash);
        assert_eq!(again.set_cookie, None);
    }

    #[test]
    fn without_a_lifetime_no_cookie_is_invented() {
        assert_eq!(hash(&cookie_key(None), "/", &[]), None);
        assert!(hash(&cookie_key(None), "/", &[("cookie", "sess=1")]).is_some());
        let session = hash(&cookie_key(Some(Duration::ZERO)), "/", &[]).unwrap();
        assert!(
            session
                .set_cookie
                .unwrap()
                .to_str()
                .unwrap()
                .ends_with("\"; Path=/; HttpOnly")
        );
    }
}

//! One spelling for every path, so that policy, routes and app cannot read it differently.
//!
//! A rule about `/admin` says nothing about `/public/../admin` or `/%61dmin`,
//! which an app may well take for the same. So a proxy of Istio's rewrites
//! paths before anything looks at them, and passes on what it has looked at
//! (mesh option `pathNormalization`, by default `BASE`; istio.io, Authorization
//! Policy Normalization): unreserved characters are decoded, once; `\` becomes
//! `/`; dot segments are resolved (RFC 3986, section 5.2.4); `%00` is refused.
//! Slashes are not merged, and `%2f` and `%5c` stay. Expected values in the
//! tests are those of Envoy's own (test/common/http/path_utility_test.cc).

use http::Uri;
use http::uri::PathAndQuery;

/// The path holds what no path may hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadPath;

/// `uri` with its path in the one spelling; `None` when it is already.
pub(crate) fn normalize(uri: &Uri) -> Result<Option<Uri>, BadPath> {
    let Some(whole) = uri.path_and_query() else {
        return Ok(None);
    };
    let path = whole.path();
    if !path.starts_with('/') || is_plain(path) {
        return Ok(None);
    }
    let mut spelled = resolve_dots(&decode(path)?);
    if let Some(query) = whole.query() {
        spelled.push(b'?');
        spelled.extend_from_slice(query.as_bytes());
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(&spelled[..]).map_err(|_| BadPath)?);
    Uri::from_parts(parts).map(Some).map_err(|_| BadPath)
}

/// Whether nothing in `path` could be spelled otherwise.
fn is_plain(path: &str) -> bool {
    let mut before = 0;
    path.bytes().all(|byte| {
        let dots = before == b'/' && byte == b'.';
        before = byte;
        !dots && byte != b'%' && byte != b'\\'
    })
}

/// Decodes unreserved characters (RFC 3986, section 2.3) and turns backslashes round.
fn decode(path: &str) -> Result<Vec<u8>, BadPath> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = match byte {
            b'%' => escaped(&bytes[at + 1..]),
            _ => None,
        };
        match escaped {
            Some(0) => return Err(BadPath),
            Some(meant) if meant.is_ascii_alphanumeric() || b"-._~".contains(&meant) => {
                decoded.push(meant);
                at += 3;
            }
            _ => {
                decoded.push(if byte == b'\\' { b'/' } else { byte });
                at += 1;
            }
        }
    }
    Ok(decoded)
}

/// The byte meant by the two hexadecimal digits that `digits` begins with.
fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Resolves `.` and `..`; nothing is above the root.
fn resolve_dots(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut rest = path[1..].split(|byte| *byte == b'/').peekable();
    while let Some(segment) = rest.next() {
        let dots = match segment {
            b"." => true,
            b".." => {
                segments.pop();
                true
            }
            other => {
                segments.push(other);
                false
            }
        };
        // A path that ended in dots ended in a directory.
        if dots && rest.peek().is_none() {
            segments.push(b"");
        }
    }
    let mut resolved = Vec::with_capacity(path.len());
    for segment in segments {
        resolved.push(b'/');
        resolved.extend_from_slice(segment);
    }
    resolved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(path: &str) -> Result<String, BadPath> {
        let uri: Uri = path.parse().unwrap();
        Ok(normalize(&uri)?.unwrap_or(uri).to_string())
    }

    #[test]
    fn paths_come_out_as_from_envoy() {
        for (path, expected) in [
            ("/xyz", "/xyz"),
            ("/x/y/z", "/x/y/z"),
            ("/a/b/../c", "/a/c"),
            ("/a/b/./c", "/a/b/c"),
            ("/a/b/../../../../c", "/c"),
            ("/a/..\\c", "/c"),
            ("/%c0%af", "/%c0%af"),
            ("/%5c%25", "/%5c%25"),
            ("/a/b/%2E%2E/c", "/a/c"),
            ("/a/b/%2E./c", "/a/c"),
            ("/a/b/%2E/c", "/a/b/c"),
            ("/../a/b", "/a/b"),
            ("/./a/b", "/a/b"),
            ("/A/B/C", "/A/B/C"),
            ("/a/b/%2e%2e/c", "/a/c"),
            ("/a/%2F%2f/c", "/a/%2F%2f/c"),
            ("//a/b", "//a/b"),
        ] {
            assert_eq!(spelled(path).unwrap(), expected, "{path}");
        }
        for path in [
            "/xyz/.%00../abc",
            "/xyz/%00.%00./abc",
            "/xyz/AAAAA%%0000/abc",
        ] {
            assert_eq!(spelled(path), Err(BadPath), "{path}");
        }
    }

    #[test]
    fn what_istio_documents_holds() {
        for (path, expected) in [
            ("/some/data/%61%62%63", "/some/data/abc"),
            ("/%2d%2e%30%39%41%5a%5f%7e", "/-.09AZ_~"),
            ("/some\\data", "/some/data"),
            ("/some//data///abc", "/some//data///abc"),
            ("/public/./data/abc/../xyz", "/public/data/xyz"),
        ] {
            assert_eq!(spelled(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn the_rest_of_a_target_stays() {
        assert_eq!(spelled("/a/../b?c=/../%61").unwrap(), "/b?c=/../%61");
        assert_eq!(
            spelled("http://echo:80/a/../b?c").unwrap(),
            "http://echo:80/b?c"
        );
        assert_eq!(spelled("*").unwrap(), "*");
        assert_eq!(spelled("/a/b/..").unwrap(), "/a/");
        assert_eq!(spelled("/..").unwrap(), "/");
        assert_eq!(spelled("/a%zz%2").unwrap(), "/a%zz%2");
    }

    proptest! {
        #[test]
        fn no_path_keeps_a_dot_segment(path in "/([a-c./\\\\]|%2[eEfF]|%61|%5c){0,12}") {
            let spelled = spelled(&path).unwrap();
            prop_assert!(spelled.starts_with('/'));
            prop_assert!(spelled.split('/').all(|segment| segment != "." && segment != ".."), "{}", spelled);
            prop_assert!(!spelled.contains('\\'));
        }

        #[test]
        fn a_normal_path_stays(path in "/([a-c./]|%2f|%c0){0,12}") {
            let once = spelled(&path).unwrap();
            prop_assert_eq!(spelled(&once).unwrap(), once);
        }
    }
}

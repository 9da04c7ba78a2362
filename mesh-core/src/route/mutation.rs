//! Changes to headers, as Envoy's `HeaderParser::evaluateHeaders` makes them.
//!
//! Removal comes first, then every overwrite, then every addition; values are
//! computed before any of the last two, and an empty value changes nothing
//! (`keep_empty_value` is off). Additions become header lines of their own.
//! Recorded from Envoy 1.40: a header both removed and added ends with the
//! added value alone.
//!
//! `:`-headers and `host` cannot be changed this way. Istio makes one
//! exception for requests: setting or adding `Host` or `:authority` rewrites
//! the authority, and setting wins over adding (`TranslateHeadersOperations`
//! in pilot/pkg/networking/core/route/route.go).
//!
//! Values may hold Envoy's command operators. Known here are `%REQ(X?Y):Z%`,
//! `%RESP(X?Y):Z%`, `%PROTOCOL%`, `%DOWNSTREAM_REMOTE_ADDRESS%` and
//! `%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%`; `%%` is a percent sign. Others
//! stay as written.

use std::fmt::Write as _;
use std::net::SocketAddr;

use http::header::{HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Version};

use super::RequestView;
use super::matching::text;
use crate::policy::HeaderMutations;

/// [`HeaderMutations`] with names and values parsed.
#[derive(Debug, Default)]
pub(super) struct Mutations {
    remove: Box<[HeaderName]>,
    set: Box<[(HeaderName, Template)]>,
    add: Box<[(HeaderName, Template)]>,
    /// The new `:authority`, when one is asked for.
    pub(super) authority: Option<String>,
}

impl Mutations {
    /// Prepares `mutations`. Names and constant values that HTTP cannot carry are left out.
    pub(super) fn new(mutations: &HeaderMutations) -> Self {
        let edits = |pairs: &[(String, String)]| -> Box<[(HeaderName, Template)]> {
            pairs
                .iter()
                .filter_map(|(name, value)| Some((editable(name)?, Template::parse(value)?)))
                .collect()
        };
        let authority = |pairs: &[(String, String)]| {
            let names_it = |(name, _): &&(String, String)| {
                name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
            };
            pairs.iter().rfind(names_it).map(|(_, value)| value.clone())
        };
        Self {
            remove: mutations
                .remove
                .iter()
                .filter_map(|n| editable(n))
                .collect(),
            set: edits(&mutations.set),
            add: edits(&mutations.add),
            authority: authority(&mutations.set)
                .or_else(|| authority(&mutations.add))
                .filter(|authority| !authority.is_empty()),
        }
    }

    /// Whether it changes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.set.is_empty()
            && self.add.is_empty()
            && self.authority.is_none()
    }

    /// Changes a request received from `peer`. The authority is left to the caller.
    pub(super) fn apply_to_request(&self, parts: &mut Parts, peer: Option<SocketAddr>) {
        self.remove_from(&mut parts.headers);
        if self.set.is_empty() && self.add.is_empty() {
            return;
        }
        let request = RequestView::of(parts, 0, peer);
        let values = self.values(Some(&request), None);
        self.write(&mut parts.headers, values);
    }

    /// Changes a response to `request`, when the request is still known.
    pub(super) fn apply_to_response(
        &self,
        headers: &mut HeaderMap,
        request: Option<&RequestView<'_>>,
    ) {
        self.remove_from(headers);
        if self.set.is_empty() && self.add.is_empty() {
            return;
        }
        let values = self.values(request, Some(headers));
        self.write(headers, values);
    }

    fn remove_from(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
    }

    fn values(
        &self,
        request: Option<&RequestView<'_>>,
        response: Option<&HeaderMap>,
    ) -> Vec<Option<HeaderValue>> {
        let edits = self.set.iter().chain(&self.add);
        edits
            .map(|(_, value)| value.render(request, response))
            .collect()
    }

    fn write(&self, headers: &mut HeaderMap, values: Vec<Option<HeaderValue>>) {
        let mut values = values.into_iter();
        for ((name, _), value) in self.set.iter().zip(values.by_ref()) {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        for ((name, _), value) in self.add.iter().zip(values) {
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
    }
}

/// The header called `name`, if mutations may touch it.
fn editable(name: &str) -> Option<HeaderName> {
    HeaderName::try_from(name).ok().filter(|name| name != HOST)
}

/// A value to write.
#[derive(Debug)]
enum Template {
    Constant(HeaderValue),
    Parts(Box<[Part]>),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Request(Lookup),
    Response(Lookup),
    Protocol,
    Peer { port: bool },
}

/// `X?Y):Z`: header X, else header Y, cut to Z bytes.
#[derive(Clone, Debug, PartialEq)]
struct Lookup {
    name: String,
    otherwise: Option<String>,
    length_max: Option<usize>,
}

impl Template {
    /// `None` for a constant that HTTP cannot carry or that is empty.
    fn parse(value: &str) -> Option<Self> {
        let parts = parse_parts(value);
        if parts.iter().any(|part| !matches!(part, Part::Text(_))) {
            return Some(Self::Parts(parts.into()));
        }
        let text: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                _ => "",
            })
            .collect();
        let constant = HeaderValue::try_from(text).ok()?;
        (!constant.is_empty()).then_some(Self::Constant(constant))
    }

    fn render(
        &self,
        request: Option<&RequestView<'_>>,
        response: Option<&HeaderMap>,
    ) -> Option<HeaderValue> {
        let parts = match self {
            Self::Constant(value) => return Some(value.clone()),
            Self::Parts(parts) => parts,
        };
        let mut out = String::new();
        for part in parts {
            part.render(&mut out, request, response);
        }
        HeaderValue::try_from(out).ok().filter(|v| !v.is_empty())
    }
}

impl Part {
    fn render(
        &self,
        out: &mut String,
        request: Option<&RequestView<'_>>,
        response: Option<&HeaderMap>,
    ) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Request(lookup) => {
                if let Some(request) = request {
                    lookup.render(out, |name| request_value(request, name));
                }
            }
            Self::Response(lookup) => {
                if let Some(headers) = response {
                    lookup.render(out, |name| first_value(headers, name));
                }
            }
            Self::Protocol => out.push_str(request.map_or("", |r| protocol(r.version))),
            Self::Peer { port } => match request.and_then(|request| request.peer) {
                Some(peer) if *port => {
                    let _ = write!(out, "{peer}"); // writing to a string cannot fail
                }
                Some(peer) => {
                    let _ = write!(out, "{}", peer.ip());
                }
                None => {}
            },
        }
    }
}

impl Lookup {
    /// Parses what stands between the parentheses and after them.
    fn parse(names: &str, rest: &str) -> Option<Self> {
        let length_max = match rest.strip_prefix(':') {
            Some(digits) => Some(digits.parse().ok()?),
            None if rest.is_empty() => None,
            None => return None,
        };
        let (name, otherwise) = match names.split_once('?') {
            Some((name, otherwise)) => (name, Some(otherwise.to_ascii_lowercase())),
            None => (names, None),
        };
        Some(Self {
            name: name.to_ascii_lowercase(),
            otherwise,
            length_max,
        })
    }

    fn render(&self, out: &mut String, value: impl Fn(&str) -> Option<String>) {
        let found = value(&self.name).or_else(|| value(self.otherwise.as_deref()?));
        let Some(found) = found else { return };
        let length_max = self.length_max.unwrap_or(usize::MAX);
        let mut length = 0;
        out.extend(found.chars().take_while(|c| {
            length += c.len_utf8();
            length <= length_max
        }));
    }
}

/// The value of a header or pseudo-header of a request.
fn request_value(request: &RequestView<'_>, name: &str) -> Option<String> {
    let pseudo = match name {
        ":method" => request.method,
        ":path" => request.path,
        ":scheme" => request.scheme,
        ":authority" | "host" => request.authority,
        name => return first_value(request.headers, name),
    };
    Some(pseudo.to_owned())
}

fn first_value(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|v| text(v.as_bytes()).into_owned())
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// Splits a value into text and operators.
fn parse_parts(value: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let operator = after.split_once('%').and_then(|(inside, tail)| {
            let part = if inside.is_empty() {
                Part::Text("%".into())
            } else {
                parse_operator(inside)?
            };
            Some((part, tail))
        });
        match operator {
            Some((Part::Text(percent), tail)) => {
                text.push_str(&percent);
                rest = tail;
            }
            Some((part, tail)) => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(part);
                rest = tail;
            }
            None => {
                text.push('%');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

fn parse_operator(inside: &str) -> Option<Part> {
    match inside {
        "PROTOCOL" => return Some(Part::Protocol),
        "DOWNSTREAM_REMOTE_ADDRESS" => return Some(Part::Peer { port: true }),
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => return Some(Part::Peer { port: false }),
        _ => {}
    }
    let (command, arguments) = inside.split_once('(')?;
    let (names, rest) = arguments.split_once(')')?;
    let lookup = Lookup::parse(names, rest)?;
    match command {
        "REQ" => Some(Part::Request(lookup)),
        "RESP" => Some(Part::Response(lookup)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
        let all = headers.get_all(name).iter();
        all.map(|v| v.to_str().unwrap().to_owned()).collect()
    }

    /// Recorded from Envoy 1.40.
    #[test]
    fn removal_precedes_overwriting_precedes_adding() {
        let mutations = Mutations::new(&HeaderMutations {
            set: pairs(&[("x-ow", "added"), ("x-new", "set")]),
            add: pairs(&[("x-app", "added"), ("x-both", "r"), ("x-new", "too")]),
            remove: vec!["X-Rm".into(), "x-both".into()],
        });
        let originals = [
            ("x-rm", "1"),
            ("x-app", "orig"),
            ("x-ow", "orig"),
            ("x-both", "orig"),
        ];
        let mut parts = request("/p?q=1", &originals);
        mutations.apply_to_request(&mut parts, None);
        assert_eq!(values(&parts.headers, "x-rm"), [""; 0]);
        assert_eq!(values(&parts.headers, "x-app"), ["orig", "added"]);
        assert_eq!(values(&parts.headers, "x-ow"), ["added"]);
        assert_eq!(values(&parts.headers, "x-both"), ["r"]);
        assert_eq!(values(&parts.headers, "x-new"), ["set", "too"]);
    }

    /// Recorded from Envoy 1.40: the three operators of `x-fmt`.
    #[test]
    fn operators_are_replaced() {
        let render = |value: &str| {
            let mutations = Mutations::new(&HeaderMutations {
                set: pairs(&[("x-fmt", value)]),
                ..HeaderMutations::default()
            });
            let mut parts = request("/p?q=1", &[("a", "abcdef"), ("host", "h:1")]);
            let peer = Some(SocketAddr::from(([127, 0, 0, 1], 4000)));
            mutations.apply_to_request(&mut parts, peer);
            values(&parts.headers, "x-fmt").concat()
        };
        let fmt = "%REQ(:PATH)%|%PROTOCOL%|%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";
        assert_eq!(render(fmt), "/p?q=1|HTTP/1.1|127.0.0.1");
        assert_eq!(render("%DOWNSTREAM_REMOTE_ADDRESS%"), "127.0.0.1:4000");
        assert_eq!(render("%REQ(A):3%"), "abc");
        assert_eq!(render("%REQ(none?A)%"), "abcdef");
        assert_eq!(render("%REQ(:AUTHORITY)%"), "h:1");
        assert_eq!(render("100%% of %REQ(a)%"), "100% of abcdef");
        assert_eq!(render("%UNKNOWN% 5%"), "%UNKNOWN% 5%");
        assert_eq!(render("%REQ(none)%"), "", "an empty value changes nothing");
    }

    #[test]
    fn response_values_see_the_response() {
        let mutations = Mutations::new(&HeaderMutations {
            set: pairs(&[("x-copy", "%RESP(x-up)%")]),
            remove: vec!["x-up".into()],
            ..HeaderMutations::default()
        });
        let mut headers = HeaderMap::new();
        headers.insert("x-up", HeaderValue::from_static("1"));
        mutations.apply_to_response(&mut headers, None);
        assert!(
            values(&headers, "x-copy").is_empty(),
            "it was removed first"
        );
    }

    /// Istio: `Host` is not a header but the authority; setting wins over adding.
    #[test]
    fn host_becomes_an_authority_rewrite() {
        let mutations = Mutations::new(&HeaderMutations {
            set: pairs(&[("Host", "set.test")]),
            add: pairs(&[(":authority", "add.test")]),
            remove: vec!["host".into()],
        });
        assert_eq!(mutations.authority.as_deref(), Some("set.test"));
        let mut parts = request("/", &[("host", "orig")]);
        mutations.apply_to_request(&mut parts, None);
        assert_eq!(values(&parts.headers, "host"), ["orig"]);
    }
}

//! Which virtual host an authority belongs to.
//!
//! Exact names first, then wildcards from the longest suffix to the shortest,
//! then `*` (Envoy `RouteMatcher::findVirtualHost`). A wildcard stands for at
//! least one character, so `*.test` does not take `.test`. The port is cut off
//! and letters are compared without case; a trailing dot is an ordinary
//! character, so `svc.test.` is not `svc.test`.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;

/// How a domain took an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainMatch<'a> {
    /// The domain is the host.
    Exact(&'a str),
    /// The domain is `*` and this suffix.
    Suffix(&'a str),
    /// The domain is `*`.
    Any,
}

impl fmt::Display for DomainMatch<'_> {
    /// The domain as written in the route table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Domains of one table, each with the index of its virtual host. Of equal domains the first counts
/// (Envoy refuses such a table).
#[derive(Debug, Default)]
pub(super) struct DomainIndex {
    exact: IndexMap<Box<str>, usize>,
    /// By length of the suffix, longest first.
    suffixes: Vec<(usize, IndexMap<Box<str>, usize>)>,
    any: Option<usize>,
}

impl DomainIndex {
    /// Adds `domain` of virtual host `host`.
    pub(super) fn insert(&mut self, domain: &str, host: usize) {
        let domain = domain.to_ascii_lowercase();
        match domain.strip_prefix('*') {
            Some("") => {
                self.any.get_or_insert(host);
            }
            Some(suffix) => {
                let place = self
                    .suffixes
                    .binary_search_by(|(len, _)| suffix.len().cmp(len))
                    .unwrap_or_else(|place| {
                        let fresh = (suffix.len(), IndexMap::new());
                        self.suffixes.insert(place, fresh);
                        place
                    });
                let same_length = &mut self.suffixes[place].1;
                same_length.entry(suffix.into()).or_insert(host);
            }
            None => {
                self.exact.entry(domain.into()).or_insert(host);
            }
        }
    }

    /// The virtual host of `authority`, and the domain that took it.
    pub(super) fn find(&self, authority: &str) -> Option<(usize, DomainMatch<'_>)> {
        let host = lower(without_port(authority));
        if let Some((domain, index)) = self.exact.get_key_value(host.as_ref()) {
            return Some((*index, DomainMatch::Exact(domain)));
        }
        for (length, suffixes) in &self.suffixes {
            let tail = host
                .len()
                .checked_sub(*length)
                .filter(|&start| start > 0)
                .and_then(|start| host.get(start..));
            if let Some((suffix, index)) = tail.and_then(|tail| suffixes.get_key_value(tail)) {
                return Some((*index, DomainMatch::Suffix(suffix)));
            }
        }
        self.any.map(|index| (index, DomainMatch::Any))
    }
}

/// `text` in lower case; no allocation when it is so already, as it nearly always is.
fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// An authority without its port (Envoy `HeaderUtility::getPortStart`): whatever follows the last colon,
/// unless that colon is inside the brackets of an IPv6 address.
pub(crate) fn without_port(authority: &str) -> &str {
    port_start(authority).map_or(authority, |colon| &authority[..colon])
}

/// Where `:port` begins.
pub(super) fn port_start(authority: &str) -> Option<usize> {
    let colon = authority.rfind(':')?;
    let in_brackets = authority.rfind(']').is_some_and(|end| end > colon);
    (!in_brackets).then_some(colon)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(domains: &[&str]) -> DomainIndex {
        let mut index = DomainIndex::default();
        for (host, domain) in domains.iter().enumerate() {
            index.insert(domain, host);
        }
        index
    }

    fn found(domains: &[&str], authority: &str) -> Option<usize> {
        index(domains).find(authority).map(|(host, _)| host)
    }

    /// Envoy 1.40 with port-blind domains, recorded: a port is ignored whatever it is, case too; a trailing
    /// dot is not; an empty host belongs to `*`.
    #[test]
    fn ports_and_case_do_not_count() {
        for authority in ["svc.test", "svc.test:80", "svc.test:9999", "SVC.test:1"] {
            assert_eq!(found(&["svc.test"], authority), Some(0), "{authority}");
        }
        assert_eq!(found(&["svc.test"], "svc.test."), None);
        assert_eq!(found(&["svc.test"], "other"), None);
        assert_eq!(found(&["svc.test", "*"], ""), Some(1));
        assert_eq!(found(&["[::1]"], "[::1]:80"), Some(0));
        assert_eq!(found(&["[::1]"], "[::1]"), Some(0));
    }

    #[test]
    fn exact_then_longest_suffix_then_any() {
        let domains = ["*", "*.test", "*.b.test", "a.b.test"];
        assert_eq!(found(&domains, "a.b.test"), Some(3));
        assert_eq!(found(&domains, "x.b.test"), Some(2));
        assert_eq!(found(&domains, "x.c.test"), Some(1));
        assert_eq!(found(&domains, "elsewhere"), Some(0));
        assert_eq!(
            found(&domains, ".b.test"),
            Some(1),
            "the star needs a character"
        );
        assert_eq!(found(&domains, ".test"), Some(0));
    }

    #[test]
    fn the_first_of_equal_domains_counts() {
        assert_eq!(found(&["a", "A"], "a"), Some(0));
        assert_eq!(found(&["*.a", "*.a"], "x.a"), Some(0));
        assert_eq!(found(&["*", "*"], "x"), Some(0));
    }

    #[test]
    fn tells_which_domain() {
        let index = index(&["a", "*.b", "*"]);
        let domain = |authority| index.find(authority).unwrap().1.to_string();
        assert_eq!(domain("A:1"), "a");
        assert_eq!(domain("x.b"), "*.b");
        assert_eq!(domain("c"), "*");
    }
}

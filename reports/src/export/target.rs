//! `METHOD authority/path`, taken apart.

/// A request line of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) method: &'a str,
    /// Host and port.
    pub(super) authority: &'a str,
    /// With its slash, without the query.
    pub(super) path: &'a str,
    /// Without the question mark; empty when there is none.
    pub(super) query: &'a str,
}

impl<'a> Target<'a> {
    /// `None` for what is empty.
    pub(super) fn of(request: &'a str) -> Option<Self> {
        let (method, rest) = request.split_once(' ')?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Some(Self {
            method,
            authority,
            path,
            query,
        })
    }

    /// The authority's host, without brackets, and its port if it names one.
    pub(super) fn server(&self) -> (&'a str, Option<u16>) {
        let (host, port) = match self.authority.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => (host, port.parse().ok()),
            _ => (self.authority, None),
        };
        match port {
            Some(port) => (host.trim_matches(['[', ']']), Some(port)),
            None => (self.authority.trim_matches(['[', ']']), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_four_parts() {
        let target = Target::of("GET reviews:9080/reviews/1?full=yes&a=/").unwrap();
        assert_eq!(
            (target.method, target.authority, target.path, target.query),
            ("GET", "reviews:9080", "/reviews/1", "full=yes&a=/")
        );
        assert_eq!(target.server(), ("reviews", Some(9080)));
        assert_eq!(Target::of(""), None);
        let bare = Target::of("GET [fd00::1]:80").unwrap();
        assert_eq!((bare.server(), bare.path), (("fd00::1", Some(80)), ""));
        let no_port = Target::of("GET [fd00::1]/").unwrap();
        assert_eq!(no_port.server(), ("fd00::1", None));
    }
}

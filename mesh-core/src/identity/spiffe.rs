//! SPIFFE ids in Kubernetes' shape.
//!
//! A SPIFFE id is a URI that names a workload: `spiffe://TRUST-DOMAIN/PATH`
//! (SPIFFE-ID specification, section 2). Istio and its descendants use one
//! shape of path, `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`, and authorization depends
//! on taking it apart, so nothing else is accepted here.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

const SCHEME: &str = "spiffe://";

/// Longest id and longest trust domain, in bytes (SPIFFE-ID specification, sections 2.3 and 2.1).
const ID_BYTES_MAX: usize = 2048;
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// The identity of a workload: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    text: Arc<str>,
    trust_domain_end: usize,
    namespace_end: usize,
}

/// Why a text is not a workload's SPIFFE id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpiffeIdError {
    /// It does not begin with `spiffe://`.
    Scheme,
    /// It is longer than 2048 bytes.
    TooLong,
    /// The trust domain is empty, longer than 255 bytes, or has a character other than `a-z 0-9 . - _`.
    TrustDomain(String),
    /// The path is not `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`.
    Path(String),
    /// A path segment is `.` or `..`, or has a character other than letters, digits, `.`, `-` and `_`.
    Segment(String),
}

impl fmt::Display for SpiffeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("a SPIFFE id begins with `spiffe://`"),
            Self::TooLong => write!(f, "a SPIFFE id has at most {ID_BYTES_MAX} bytes"),
            Self::TrustDomain(name) => write!(f, "`{name}` is not a trust domain"),
            Self::Path(path) => write!(f, "`{path}` is not `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`"),
            Self::Segment(name) => write!(f, "`{name}` is not a path segment of a SPIFFE id"),
        }
    }
}

impl std::error::Error for SpiffeIdError {}

impl SpiffeId {
    /// The id of a service account.
    ///
    /// # Errors
    /// When a part has characters that SPIFFE forbids.
    pub fn new(
        trust_domain: &str,
        namespace: &str,
        service_account: &str,
    ) -> Result<Self, SpiffeIdError> {
        check_trust_domain(trust_domain)?;
        check_segment(namespace)?;
        check_segment(service_account)?;
        let text = format!("{SCHEME}{trust_domain}/ns/{namespace}/sa/{service_account}");
        if text.len() > ID_BYTES_MAX {
            return Err(SpiffeIdError::TooLong);
        }
        let trust_domain_end = SCHEME.len() + trust_domain.len();
        Ok(Self {
            text: text.into(),
            trust_domain_end,
            namespace_end: trust_domain_end + "/ns/".len() + namespace.len(),
        })
    }

    /// Reads an id.
    ///
    /// # Errors
    /// When `text` is not a SPIFFE id, or not in Kubernetes' shape.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > ID_BYTES_MAX {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (trust_domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        check_trust_domain(trust_domain)?;
        let segments: Vec<&str> = path.split('/').collect();
        let ["", "ns", namespace, "sa", service_account] = segments[..] else {
            return Err(SpiffeIdError::Path(path.to_owned()));
        };
        Self::new(trust_domain, namespace, service_account)
    }

    /// The whole URI.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole URI, shared.
    pub fn shared(&self) -> Arc<str> {
        self.text.clone()
    }

    /// The trust domain, such as `cluster.local`.
    pub fn trust_domain(&self) -> &str {
        &self.text[SCHEME.len()..self.trust_domain_end]
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.text[self.trust_domain_end + "/ns/".len()..self.namespace_end]
    }

    /// The service account.
    pub fn service_account(&self) -> &str {
        &self.text[self.namespace_end + "/sa/".len()..]
    }

    /// The id without its scheme, as Istio's `principals` have it.
    pub fn principal(&self) -> &str {
        &self.text[SCHEME.len()..]
    }
}

fn check_trust_domain(name: &str) -> Result<(), SpiffeIdError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
    if name.is_empty() || name.len() > TRUST_DOMAIN_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(SpiffeIdError::TrustDomain(name.to_owned()));
    }
    Ok(())
}

fn check_segment(name: &str) -> Result<(), SpiffeIdError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    if name.is_empty() || name == "." || name == ".." || !name.bytes().all(allowed) {
        return Err(SpiffeIdError::Segment(name.to_owned()));
    }
    Ok(())
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = SpiffeIdError;

    fn try_from(text: String) -> Result<Self, SpiffeIdError> {
        Self::parse(&text)
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.text.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_comes_apart() {
        let id = SpiffeId::parse("spiffe://cluster.local/ns/default/sa/bookinfo-reviews").unwrap();
        assert_eq!(id.trust_domain(), "cluster.local");
        assert_eq!(id.namespace(), "default");
        assert_eq!(id.service_account(), "bookinfo-reviews");
        assert_eq!(
            id.principal(),
            "cluster.local/ns/default/sa/bookinfo-reviews"
        );
    }

    #[test]
    fn what_is_no_workload_id_is_refused() {
        use SpiffeIdError as E;
        let error = |text: &str| SpiffeId::parse(text).unwrap_err();
        assert_eq!(error("https://cluster.local/ns/a/sa/b"), E::Scheme);
        assert_eq!(error("spiffe://"), E::TrustDomain(String::new()));
        assert_eq!(error("spiffe://TD/ns/a/sa/b"), E::TrustDomain("TD".into()));
        assert_eq!(
            error("spiffe://td:80/ns/a/sa/b"),
            E::TrustDomain("td:80".into())
        );
        for path in [
            "",
            "/",
            "/workload",
            "/ns/a/sa/b/",
            "/ns/a/sa",
            "/sa/a/ns/b",
        ] {
            assert_eq!(error(&format!("spiffe://td{path}")), E::Path(path.into()));
        }
        assert_eq!(error("spiffe://td/ns//sa/b"), E::Segment(String::new()));
        assert_eq!(error("spiffe://td/ns/../sa/b"), E::Segment("..".into()));
        assert_eq!(error("spiffe://td/ns/a/sa/b?x"), E::Segment("b?x".into()));
        assert_eq!(
            error(&format!("spiffe://td/ns/a/sa/{}", "b".repeat(2048))),
            E::TooLong
        );
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(text in "(spiffe://)?[a-z./é-]{0,40}") {
            if let Ok(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn parts_make_the_id_they_came_from(
            td in "[a-z0-9][a-z0-9.-]{0,20}", ns in "[a-z][a-z0-9-]{0,20}", sa in "[a-z][a-z0-9-]{0,20}",
        ) {
            let id = SpiffeId::new(&td, &ns, &sa).unwrap();
            prop_assert_eq!((id.trust_domain(), id.namespace(), id.service_account()), (&*td, &*ns, &*sa));
            prop_assert_eq!(SpiffeId::parse(id.as_str()).unwrap(), id);
        }
    }
}

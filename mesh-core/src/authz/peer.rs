//! A peer's SPIFFE id, taken apart as authorization rules see it.

/// The parts of `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT` that rules name.
/// An id of another shape has a principal only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer<'a> {
    /// The id without its scheme, as Istio writes principals.
    pub(super) principal: &'a str,
    /// The namespace.
    pub(super) namespace: Option<&'a str>,
    /// The service account.
    account: Option<&'a str>,
}

impl<'a> Peer<'a> {
    pub(super) fn new(id: &'a str) -> Self {
        let principal = id.strip_prefix("spiffe://").unwrap_or(id);
        let (mut namespace, mut account) = (None, None);
        let mut segments = principal.split('/').skip(1);
        while let Some(key) = segments.next() {
            match key {
                "ns" if namespace.is_none() => namespace = segments.next(),
                "sa" if account.is_none() => account = segments.next(),
                _ => {}
            }
        }
        Self {
            principal,
            namespace,
            account,
        }
    }

    /// Whether it is `NAMESPACE/ACCOUNT`, or `ACCOUNT` of `own_namespace`
    /// (istio `pilot/pkg/security/authz/model/generator.go`, `serviceAccountRegex`).
    pub(super) fn is_account(&self, wanted: &str, own_namespace: &str) -> bool {
        let (namespace, account) = wanted.split_once('/').unwrap_or((own_namespace, wanted));
        self.namespace == Some(namespace) && self.account == Some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_ids_apart() {
        let peer = Peer::new("spiffe://cluster.local/ns/default/sa/client");
        assert_eq!(peer.principal, "cluster.local/ns/default/sa/client");
        assert_eq!(peer.namespace, Some("default"));
        assert!(peer.is_account("default/client", "other"));
        assert!(peer.is_account("client", "default"));
        assert!(!peer.is_account("client", "other"));
        assert!(!peer.is_account("default/clien", "default"));
    }

    #[test]
    fn an_odd_id_has_only_a_principal() {
        for id in ["spiffe://example.org/db", "", "ns", "spiffe://x/ns"] {
            let peer = Peer::new(id);
            assert_eq!(peer.namespace, None);
            assert!(!peer.is_account("default/client", "default"));
        }
    }
}

//! Under STRICT nothing comes in without mutual TLS.
//!
//! A request that a sidecar tells of has been read, so a single one over any
//! other connection, at a port that the scenario's configuration makes STRICT,
//! is bytes that nobody encrypted.

use mesh_core::telemetry::{RequestEvent, TlsState};

use super::Broken;
use crate::verdict::intended::Intended;
use crate::verdict::witness::Teller;

/// The law; it needs no memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mutual;

impl Mutual {
    pub(super) fn request(
        self,
        teller: Teller<'_>,
        event: &RequestEvent<'_>,
        intended: &Intended,
        broken: &mut Broken,
    ) {
        if event.downstream_tls != TlsState::Mutual && intended.strict(teller.pod, event) {
            let pod = teller.pod;
            broken.tell("mutual", || {
                format!(
                    "{pod} took {} {} without mutual TLS, and is STRICT",
                    event.method, event.path
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken_under, teller};
    use crate::verdict::intended::tests::{inbound, strict};

    #[test]
    fn plain_text_under_strict_is_noticed() {
        let plan = strict();
        let of = |peer| {
            broken_under(&plan, |laws| {
                laws.inbound(teller("reviews-v1-1"), &inbound(peer));
            })
        };
        assert!(of("spiffe://cluster.local/ns/default/sa/default").is_empty());
        assert_eq!(
            of(""),
            ["reviews-v1-1 took GET /reviews/0 without mutual TLS, and is STRICT"]
        );
    }
}

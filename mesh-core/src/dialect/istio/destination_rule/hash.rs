//! `consistentHash` (route.go, `consistentHashToHashPolicy`; cluster_traffic_policy.go, `ApplyRingHashLoadBalancer`).

use super::spec::{ConsistentHash, Cookie};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{HashAlgorithm, HashKey, LoadBalancer, NoteKind, Position, Sourced};

/// Least points on a ring, Istio's default.
const RING_SIZE_MIN: u32 = 1024;
/// Envoy's bound on points (cluster.proto, `RingHashLbConfig.minimum_ring_size`).
const RING_SIZE_MAX: i64 = 8_388_608;
/// Slots of a Maglev table, Envoy's default.
const MAGLEV_SLOTS: u32 = 65_537;
/// Istio and Envoy take tables below this size.
const MAGLEV_SLOTS_MAX: i64 = 5_000_010;

/// Compiles `consistentHash`; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<ConsistentHash>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Sourced<LoadBalancer>> {
    let origin = written.origin();
    let algorithm = algorithm(&written.value, findings)?;
    let Some(key) = key(&written.value, findings)? else {
        findings.note(
            NoteKind::Suspicious,
            field,
            &written.at,
            "nothing says what to hash, so Envoy hashes a random number: this spreads at random",
        );
        return Some(Sourced::new(LoadBalancer::Random, origin));
    };
    Some(Sourced::new(LoadBalancer::Hash { key, algorithm }, origin))
}

/// The outer `None` means wrong, the inner that there is no key.
fn key(written: &ConsistentHash, findings: &mut Findings<'_>) -> Option<Option<HashKey>> {
    let mut keys: Vec<(&Position, Option<HashKey>)> = Vec::new();
    if let Some(name) = &written.http_header_name {
        keys.push((
            &name.at,
            Some(HashKey::Header(name.value.to_ascii_lowercase())),
        ));
    }
    if let Some(written) = &written.http_cookie {
        keys.push((&written.at, Some(cookie(written, findings)?)));
    }
    if let Some(on) = &written.use_source_ip {
        keys.push((&on.at, on.value.then_some(HashKey::SourceIp)));
    }
    if let Some(name) = &written.http_query_parameter_name {
        keys.push((&name.at, Some(HashKey::QueryParameter(name.value.clone()))));
    }
    if let Some((second, _)) = keys.get(1) {
        findings.error(second, "only one thing can be hashed");
        return None;
    }
    Some(keys.pop().and_then(|(_, key)| key))
}

fn cookie(written: &Spanned<Cookie>, findings: &mut Findings<'_>) -> Option<HashKey> {
    let cookie = &written.value;
    let Some(name) = cookie.name.as_ref().filter(|name| !name.value.is_empty()) else {
        findings.error(&written.at, "`httpCookie` has no `name`");
        return None;
    };
    let ttl = match &cookie.ttl {
        Some(text) => Some(quantity::duration_or_zero(text, findings)?),
        None => None,
    };
    Some(HashKey::Cookie {
        name: name.value.clone(),
        path: cookie.path.clone().filter(|path| !path.is_empty()),
        ttl,
    })
}

fn algorithm(written: &ConsistentHash, findings: &mut Findings<'_>) -> Option<HashAlgorithm> {
    if let Some(maglev) = &written.maglev {
        if written.ring_hash.is_some() {
            findings.error(
                &maglev.at,
                "only one of `ringHash` and `maglev` can be given",
            );
            return None;
        }
        let table_size = match &maglev.value.table_size {
            Some(size) => slots(size, findings)?,
            None => MAGLEV_SLOTS,
        };
        return Some(HashAlgorithm::Maglev { table_size });
    }
    let size = match &written.ring_hash {
        Some(ring) => ring.minimum_ring_size.as_ref(),
        None => written.minimum_ring_size.as_ref(),
    };
    let size_min = match size {
        // Zero cannot be told from unset in protobuf.
        Some(size) if size.value != 0 => quantity::between(size, 1, RING_SIZE_MAX, findings)?,
        _ => RING_SIZE_MIN,
    };
    Some(HashAlgorithm::Ring { size_min })
}

fn slots(size: &Spanned<i64>, findings: &mut Findings<'_>) -> Option<u32> {
    let slots = quantity::between(size, 2, MAGLEV_SLOTS_MAX, findings)?;
    let prime = (2..)
        .take_while(|n| n * n <= slots)
        .all(|n| !slots.is_multiple_of(n));
    if !prime {
        let message = format!("`{slots}` is not prime, as the size of a Maglev table must be");
        findings.error(&size.at, message);
        return None;
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::{destination_rule, notes, policy, refused};
    use crate::policy::{HashAlgorithm, HashKey, LoadBalancer, NoteKind};

    fn yaml(fields: &str) -> String {
        destination_rule(&format!(
            "  trafficPolicy: {{loadBalancer: {{consistentHash: {{{fields}}}}}}}"
        ))
    }

    fn hash(fields: &str) -> (HashKey, HashAlgorithm) {
        let rule = policy(&yaml(fields)).destinations.remove(0);
        match rule.policy.load_balancer.unwrap().value {
            LoadBalancer::Hash { key, algorithm } => (key, algorithm),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_key() {
        assert_eq!(
            hash("httpHeaderName: X-User").0,
            HashKey::Header("x-user".into())
        );
        assert_eq!(hash("useSourceIp: true").0, HashKey::SourceIp);
        assert_eq!(
            hash("httpQueryParameterName: q").0,
            HashKey::QueryParameter("q".into())
        );
        let cookie = |path: Option<&str>, ttl| HashKey::Cookie {
            name: "c".into(),
            path: path.map(str::to_owned),
            ttl,
        };
        assert_eq!(
            hash("httpCookie: {name: c, ttl: 0s}").0,
            cookie(None, Some(Duration::ZERO))
        );
        assert_eq!(
            hash("httpCookie: {name: c, path: /a}").0,
            cookie(Some("/a"), None)
        );
    }

    #[test]
    fn every_algorithm() {
        let algorithm = |fields: &str| hash(&format!("useSourceIp: true{fields}")).1;
        assert_eq!(algorithm(""), HashAlgorithm::Ring { size_min: 1024 });
        assert_eq!(
            algorithm(", minimumRingSize: 64"),
            HashAlgorithm::Ring { size_min: 64 }
        );
        assert_eq!(
            algorithm(", ringHash: {minimumRingSize: 2048}"),
            HashAlgorithm::Ring { size_min: 2048 }
        );
        assert_eq!(
            algorithm(", ringHash: {minimumRingSize: 0}"),
            HashAlgorithm::Ring { size_min: 1024 }
        );
        assert_eq!(
            algorithm(", maglev: {}"),
            HashAlgorithm::Maglev { table_size: 65_537 }
        );
        assert_eq!(
            algorithm(", maglev: {tableSize: 101}"),
            HashAlgorithm::Maglev { table_size: 101 }
        );
    }

    #[test]
    fn without_a_key_endpoints_are_random() {
        for fields in ["ringHash: {}", "useSourceIp: false"] {
            let rule = policy(&yaml(fields)).destinations.remove(0);
            assert_eq!(
                rule.policy.load_balancer.unwrap().value,
                LoadBalancer::Random
            );
            assert_eq!(notes(&yaml(fields), NoteKind::Suspicious).len(), 1);
        }
    }

    #[test]
    fn wrong_hashes_are_refused() {
        let message = |fields: &str| refused(&yaml(fields)).join("|");
        assert_eq!(
            message("useSourceIp: true, httpHeaderName: a"),
            "7:64 only one thing can be hashed"
        );
        assert_eq!(
            message("httpCookie: {ttl: 1s}"),
            "7:63 `httpCookie` has no `name`"
        );
        assert_eq!(
            message("useSourceIp: true, maglev: {tableSize: 100}"),
            "7:90 `100` is not prime, as the size of a Maglev table must be"
        );
        assert_eq!(
            message("useSourceIp: true, ringHash: {}, maglev: {}"),
            "7:92 only one of `ringHash` and `maglev` can be given"
        );
    }
}

//! `consistentHash` (route.go, `consistentHashToHashPolicy`; cluster_traffic_policy.go, `ApplyRingHashLoadBalancer`).

use super::spec::{ConsistentHash, Cookie};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{HashAlgorithm, HashKey, LoadBalancer, NoteKind, Origin, Position, Sourced};

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
    let origin = Origin::Written(written.at.clone());
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

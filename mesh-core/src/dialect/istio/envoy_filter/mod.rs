//! EnvoyFilter → local rate limits; every other patch is noted.
//!
//! An EnvoyFilter patches what pilot generates. One use is common enough to be
//! understood: Istio's local rate limit, a token bucket in front of the app.
//! It comes in two forms (istio.io, tasks/policy-enforcement/rate-limit): the
//! HTTP filter itself with a bucket, for every inbound port; or the filter
//! without one, and a bucket on the inbound virtual host of one port.

mod bucket;

use crate::dialect::findings::{Field, Findings};
use crate::dialect::object::Object;
use crate::document::Node;
use crate::policy::{InboundRateLimit, NoteKind, Profile, WorkloadSelector};

const FILTER: &str = "envoy.filters.http.local_ratelimit";

/// Compiles all EnvoyFilters, the older first.
pub(super) fn compile(
    objects: &[Object<'_>],
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Vec<InboundRateLimit> {
    let mut limits = Vec::new();
    for object in objects {
        let patches = object
            .spec_node()
            .and_then(|spec| spec.get("configPatches"));
        for (index, patch) in patches
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let field = object.spec().child_item("configPatches", index);
            limits.extend(inbound(object, patch, &field, profile, findings));
        }
    }
    limits
}

/// The text at a path of keys.
fn text<'n>(node: &'n Node, path: &[&str]) -> Option<&'n str> {
    path.iter()
        .try_fold(node, |node, key| node.get(key))
        .and_then(Node::as_str)
}

fn inbound(
    object: &Object<'_>,
    patch: &Node,
    field: &Field,
    profile: &Profile,
    findings: &mut Findings<'_>,
) -> Option<InboundRateLimit> {
    let at = object.position(patch);
    let mut not_honoured = |why: &str| {
        findings.note(NoteKind::NotHonoured, field, &at, why);
        None
    };
    let Some((config, port)) = bucket_of(patch) else {
        return match text(patch, &["patch", "value", "name"]) {
            // The filter alone limits nothing; it waits for a bucket elsewhere.
            Some(FILTER) => None,
            _ => not_honoured(
                "raw patches of Envoy's configuration are not simulated, local rate limits apart",
            ),
        };
    };
    match text(patch, &["match", "context"]) {
        Some("SIDECAR_INBOUND") => {}
        None | Some("ANY") => {
            not_honoured("the limit is simulated for inbound requests only");
        }
        Some(_) => {
            return not_honoured(
                "local rate limits are simulated for inbound requests of sidecars only",
            );
        }
    }
    let limit = bucket::compile(object, config, field, findings)?;
    Some(InboundRateLimit {
        name: object.reference(),
        selector: WorkloadSelector {
            namespace: Some(object.namespace.clone())
                .filter(|namespace| *namespace != profile.root_namespace),
            labels: object
                .spec_node()
                .and_then(|spec| spec.get("workloadSelector")?.get("labels"))
                .map(Node::entries)
                .unwrap_or_default()
                .iter()
                .filter_map(|(name, value)| {
                    Some((name.as_str()?.to_owned(), value.as_str()?.to_owned()))
                })
                .collect(),
        },
        port,
        limit,
    })
}

/// The configuration that holds a bucket, and the inbound port it is for.
fn bucket_of(patch: &Node) -> Option<(&Node, Option<u16>)> {
    let value = patch.get("patch")?.get("value")?;
    let (config, port) = match text(patch, &["applyTo"])? {
        "HTTP_FILTER" if value.get("name")?.as_str()? == FILTER => {
            let listener = patch.get("match").and_then(|one| one.get("listener"));
            let number = listener.and_then(|listener| listener.get("portNumber"));
            let port = number
                .and_then(Node::as_i64)
                .and_then(|port| u16::try_from(port).ok());
            (
                value.get("typed_config").or(value.get("typedConfig"))?,
                port,
            )
        }
        "VIRTUAL_HOST" | "HTTP_ROUTE" => {
            let configs = value
                .get("typed_per_filter_config")
                .or(value.get("typedPerFilterConfig"))?;
            let name = text(patch, &["match", "routeConfiguration", "vhost", "name"]);
            let port = name
                .and_then(|name| name.strip_prefix("inbound|http|"))
                .and_then(|port| port.parse().ok());
            (configs.get(FILTER)?, port)
        }
        _ => return None,
    };
    // A TypedStruct wraps the message.
    let message = match config.get("value") {
        Some(value) if value.is_mapping() => value,
        _ => config,
    };
    message.get("token_bucket").or(message.get("tokenBucket"))?;
    Some((message, port))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::{notes, policy, refused};
    use crate::policy::{LocalRateLimit, NoteKind};

    fn yaml(patches: &str) -> String {
        format!(
            "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {{name: f, namespace: shop}}\nspec:\n  workloadSelector: {{labels: {{app: web}}}}\n  configPatches:\n{patches}\n"
        )
    }

    const ENFORCED: &str = "filter_enabled: {runtime_key: k, default_value: {numerator: 100, denominator: HUNDRED}}, filter_enforced: {default_value: {numerator: 10000, denominator: TEN_THOUSAND}}";

    fn filter(context: &str, config: &str) -> String {
        yaml(&format!(
            "  - applyTo: HTTP_FILTER
    match: {{context: {context}, listener: {{portNumber: 8080}}}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.local_ratelimit
        typed_config:
          '@type': type.googleapis.com/udpa.type.v1.TypedStruct
          type_url: type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          value: {{stat_prefix: s, {config}}}"
        ))
    }

    #[test]
    fn a_bucket_in_the_inbound_filter() {
        let yaml = filter(
            "SIDECAR_INBOUND",
            &format!(
                "token_bucket: {{max_tokens: 4, tokens_per_fill: 2, fill_interval: 60s}}, {ENFORCED}, status: {{code: 503}}"
            ),
        );
        let limits = policy(&yaml).inbound_rate_limits;
        let [only] = limits.as_slice() else {
            panic!("one limit");
        };
        assert_eq!(only.selector.namespace.as_deref(), Some("shop"));
        assert_eq!(only.selector.labels["app"], "web");
        assert_eq!(only.port, Some(8080));
        assert_eq!(
            only.limit.value,
            LocalRateLimit {
                tokens_max: 4,
                tokens_per_fill: 2,
                fill_interval: Duration::from_secs(60),
                status: 503,
            }
        );
        assert_eq!(only.limit.origin.to_string(), "mesh.yaml:16:49");
        assert!(policy(&yaml).notes.is_empty());
    }

    #[test]
    fn a_bucket_on_the_virtual_host_of_a_port() {
        let yaml = yaml(&format!(
            "  - applyTo: HTTP_FILTER
    match: {{context: SIDECAR_INBOUND}}
    patch: {{operation: INSERT_BEFORE, value: {{name: envoy.filters.http.local_ratelimit, typed_config: {{value: {{stat_prefix: s}}}}}}}}
  - applyTo: HTTP_ROUTE
    match: {{context: SIDECAR_INBOUND, routeConfiguration: {{vhost: {{name: 'inbound|http|9080', route: {{action: ANY}}}}}}}}
    patch: {{operation: MERGE, value: {{typed_per_filter_config: {{envoy.filters.http.local_ratelimit: {{value: {{token_bucket: {{max_tokens: 10, fill_interval: 1s}}, {ENFORCED}}}}}}}}}}}"
        ));
        let policy = policy(&yaml);
        assert_eq!(policy.inbound_rate_limits.len(), 1);
        assert_eq!(policy.inbound_rate_limits[0].port, Some(9080));
        assert_eq!(policy.inbound_rate_limits[0].limit.value.tokens_per_fill, 1);
        assert_eq!(policy.inbound_rate_limits[0].limit.value.status, 429);
        assert!(policy.notes.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_noted() {
        let bucket = "token_bucket: {max_tokens: 4, fill_interval: 60s}";
        let outbound = filter("SIDECAR_OUTBOUND", &format!("{bucket}, {ENFORCED}"));
        let unenforced = filter("SIDECAR_INBOUND", bucket);
        let partly = filter(
            "SIDECAR_INBOUND",
            &format!(
                "{bucket}, {}",
                ENFORCED.replace("numerator: 100,", "numerator: 50,")
            ),
        );
        for yaml in [&outbound, &unenforced, &partly] {
            assert!(policy(yaml).inbound_rate_limits.is_empty());
        }
        assert_eq!(notes(&outbound, NoteKind::NotHonoured).len(), 1);
        assert_eq!(notes(&unenforced, NoteKind::NoEffect).len(), 1);
        assert_eq!(notes(&partly, NoteKind::NotHonoured).len(), 1);
        let other =
            yaml("  - {applyTo: CLUSTER, patch: {operation: MERGE, value: {lb_policy: MAGLEV}}}");
        assert_eq!(
            notes(&other, NoteKind::NotHonoured),
            [
                "7:5 spec.configPatches[0]: raw patches of Envoy's configuration are not simulated, local rate limits apart"
            ]
        );
        let extra = filter(
            "SIDECAR_INBOUND",
            &format!("{bucket}, {ENFORCED}, response_headers_to_add: []"),
        );
        assert_eq!(policy(&extra).inbound_rate_limits.len(), 1);
        assert_eq!(notes(&extra, NoteKind::NotHonoured).len(), 1);
    }

    #[test]
    fn wrong_buckets_are_refused() {
        let bucket = |fields: &str| {
            refused(&filter(
                "SIDECAR_INBOUND",
                &format!("token_bucket: {{{fields}}}, {ENFORCED}"),
            ))
        };
        assert_eq!(
            bucket("max_tokens: 0, fill_interval: 1s"),
            ["16:62 `0` is not between 1 and 4294967295"]
        );
        assert_eq!(
            bucket("max_tokens: 1"),
            ["16:49 `token_bucket` has no `fill_interval`"]
        );
        assert_eq!(
            bucket("max_tokens: 1, fill_interval: 10ms"),
            ["16:80 `10ms` is below 50ms, the least Envoy takes"]
        );
    }
}

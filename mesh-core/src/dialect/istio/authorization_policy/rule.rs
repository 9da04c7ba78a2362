//! One rule: `from`, `to`, `when`.

use std::net::IpAddr;

use super::spec::{Condition, Operation, Rule, Source};
use super::text;
use crate::dialect::findings::{Field, Findings};
use crate::document::{Spanned, nearest};
use crate::policy::{
    AuthorizationCondition, AuthorizationRule, NoteKind, OperationMatch, Origin, SourceMatch,
};

/// Attributes of conditions that are simulated
/// (security/v1beta1/authorization_policy.proto; `request.headers[…]` is apart).
const ATTRIBUTES: &[&str] = &[
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.principal",
    "source.serviceAccount",
    "destination.ip",
    "destination.port",
    "connection.sni",
];

/// Attributes of a token.
const TOKEN_ATTRIBUTES: &[&str] = &[
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "request.auth.claims",
];

/// Compiles a rule; the outer `None` means it is wrong, the inner that it never matches.
pub(super) fn compile(
    written: &Spanned<Rule>,
    namespace: &str,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Option<AuthorizationRule>> {
    let mut rule = AuthorizationRule::default();
    let mut possible = true;
    for (index, from) in written.value.from.iter().enumerate() {
        let field = field.child_item("from", index).child("source");
        let Some(written) = &from.value.source else {
            findings.error(&from.at, "this `from` has no `source`");
            return None;
        };
        rule.from
            .extend(source(written, namespace, &field, findings)?);
    }
    // An empty list would hold always.
    possible &= written.value.from.is_empty() || !rule.from.is_empty();
    for to in &written.value.to {
        let Some(written) = &to.value.operation else {
            findings.error(&to.at, "this `to` has no `operation`");
            return None;
        };
        rule.to.push(operation(written, findings)?);
    }
    for (index, when) in written.value.when.iter().enumerate() {
        let field = field.child_item("when", index);
        match condition(when, &field, findings)? {
            Demand::Holds => {}
            Demand::Fails => possible = false,
            Demand::Asks(condition) => rule.when.push(condition),
        }
    }
    Some(possible.then_some(rule))
}

/// Notes a demand for a token. Without tokens it never holds; its negation always does.
fn note_token(
    written: &[Spanned<String>],
    field: &Field,
    findings: &mut Findings<'_>,
    holds: &str,
) {
    if let Some(first) = written.first() {
        let message = format!("no request carries a token (JWT), so this {holds} holds");
        findings.note(NoteKind::NotHonoured, field, &first.at, message);
    }
}

fn source(
    written: &Spanned<Source>,
    namespace: &str,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Option<SourceMatch>> {
    let source = &written.value;
    let lists = [
        &source.principals,
        &source.not_principals,
        &source.request_principals,
        &source.not_request_principals,
        &source.namespaces,
        &source.not_namespaces,
        &source.service_accounts,
        &source.not_service_accounts,
        &source.ip_blocks,
        &source.not_ip_blocks,
        &source.remote_ip_blocks,
        &source.not_remote_ip_blocks,
    ];
    if lists.iter().all(|list| list.is_empty()) {
        findings.error(
            &written.at,
            "this `source` is empty; leave `from` out to allow any source",
        );
        return None;
    }
    accounts_alone(written, findings)?;
    let compiled = SourceMatch {
        principals: text::matches(&source.principals),
        not_principals: text::matches(&source.not_principals),
        namespaces: text::matches(&source.namespaces),
        not_namespaces: text::matches(&source.not_namespaces),
        service_accounts: accounts(&source.service_accounts, namespace),
        not_service_accounts: accounts(&source.not_service_accounts, namespace),
        ip_blocks: addresses(&source.ip_blocks, &source.remote_ip_blocks, field, findings)?,
        not_ip_blocks: addresses(
            &source.not_ip_blocks,
            &source.not_remote_ip_blocks,
            field,
            findings,
        )?,
    };
    let without = field.child("notRequestPrincipals");
    note_token(&source.not_request_principals, &without, findings, "always");
    note_token(
        &source.request_principals,
        &field.child("requestPrincipals"),
        findings,
        "never",
    );
    Some(source.request_principals.is_empty().then_some(compiled))
}

/// Istio refuses service accounts beside the other words for them.
fn accounts_alone(written: &Spanned<Source>, findings: &mut Findings<'_>) -> Option<()> {
    let source = &written.value;
    let accounts = source
        .service_accounts
        .first()
        .or(source.not_service_accounts.first());
    let others = [
        &source.principals,
        &source.not_principals,
        &source.namespaces,
        &source.not_namespaces,
    ];
    if let Some(first) = accounts.filter(|_| others.iter().any(|list| !list.is_empty())) {
        let message = "`serviceAccounts` cannot be given together with principals or namespaces";
        findings.error(&first.at, message);
        return None;
    }
    Some(())
}

/// `namespace/account`; an account alone is of the policy's namespace.
fn accounts(written: &[Spanned<String>], namespace: &str) -> Vec<String> {
    written
        .iter()
        .map(|account| match account.value.contains('/') {
            true => account.value.clone(),
            false => format!("{namespace}/{}", account.value),
        })
        .collect()
}

/// Peer addresses; the remote address is the peer's too, since there is no gateway in front.
fn addresses(
    peer: &[Spanned<String>],
    remote: &[Spanned<String>],
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Vec<String>> {
    for block in peer.iter().chain(remote) {
        if !is_block(&block.value) {
            let message = format!("`{}` is not an address or a CIDR block", block.value);
            findings.error(&block.at, message);
            return None;
        }
    }
    if let Some(first) = remote.first() {
        let message = if peer.is_empty() {
            "no gateway stands in front, so the remote address is the peer's"
        } else {
            "no gateway stands in front, so the remote address is the peer's; the blocks given for the peer decide"
        };
        findings.note(
            NoteKind::NotHonoured,
            &field.child("remoteIpBlocks"),
            &first.at,
            message,
        );
    }
    let decisive = if peer.is_empty() { remote } else { peer };
    Some(decisive.iter().map(|block| block.value.clone()).collect())
}

fn is_block(text: &str) -> bool {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

fn operation(written: &Spanned<Operation>, findings: &mut Findings<'_>) -> Option<OperationMatch> {
    let operation = &written.value;
    let compiled = OperationMatch {
        hosts: text::lower_case(&operation.hosts),
        not_hosts: text::lower_case(&operation.not_hosts),
        ports: ports(&operation.ports, findings)?,
        not_ports: ports(&operation.not_ports, findings)?,
        methods: text::matches(&operation.methods),
        not_methods: text::matches(&operation.not_methods),
        paths: text::paths(&operation.paths, findings)?,
        not_paths: text::paths(&operation.not_paths, findings)?,
    };
    if compiled == OperationMatch::default() {
        let message = "this `operation` is empty; leave `to` out to allow any operation";
        findings.error(&written.at, message);
        return None;
    }
    Some(compiled)
}

fn ports(written: &[Spanned<String>], findings: &mut Findings<'_>) -> Option<Vec<u16>> {
    let mut ports = Vec::new();
    for text in written {
        let Some(port) = text.value.parse::<u16>().ok().filter(|port| *port != 0) else {
            findings.error(
                &text.at,
                format!("`{}` is not a port from 1 to 65535", text.value),
            );
            return None;
        };
        ports.push(port);
    }
    Some(ports)
}

/// What a condition comes to.
enum Demand {
    Holds,
    Fails,
    Asks(AuthorizationCondition),
}

fn condition(
    written: &Spanned<Condition>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Demand> {
    let condition = &written.value;
    let Some(key) = &condition.key else {
        findings.error(&written.at, "this condition has no `key`");
        return None;
    };
    if condition.values.is_empty() && condition.not_values.is_empty() {
        findings.error(&written.at, "this condition needs `values` or `notValues`");
        return None;
    }
    let name = key.value.as_str();
    let attribute = name
        .split_once('[')
        .map_or(name, |(attribute, _)| attribute);
    if TOKEN_ATTRIBUTES.contains(&attribute) {
        note_token(&condition.values, &field.child("values"), findings, "never");
        note_token(
            &condition.not_values,
            &field.child("notValues"),
            findings,
            "always",
        );
        return Some(if condition.values.is_empty() {
            Demand::Holds
        } else {
            Demand::Fails
        });
    }
    if name.starts_with("experimental.envoy.filters.") {
        let message = "metadata of Envoy filters is not simulated, so this never holds";
        findings.note(NoteKind::NotHonoured, &field.child("key"), &key.at, message);
        return Some(Demand::Fails);
    }
    let header = name
        .strip_prefix("request.headers[")
        .and_then(|rest| rest.strip_suffix(']'))
        .filter(|header| !header.is_empty());
    if header.is_none() && !ATTRIBUTES.contains(&name) {
        let known = ATTRIBUTES.iter().chain(TOKEN_ATTRIBUTES).copied();
        let message = format!("`{name}` is not an attribute of a request");
        match nearest(attribute, known.chain(["request.headers"])) {
            Some("request.headers") => findings.error_with_help(
                &key.at,
                message,
                "a header is written `request.headers[name]`",
            ),
            Some(meant) => {
                findings.error_with_help(&key.at, message, format!("did you mean `{meant}`?"));
            }
            None => findings.error(&key.at, message),
        }
        return None;
    }
    Some(Demand::Asks(AuthorizationCondition {
        key: match header {
            Some(header) => format!("request.headers[{}]", header.to_ascii_lowercase()),
            None => name.to_owned(),
        },
        values: text::matches(&condition.values),
        not_values: text::matches(&condition.not_values),
        origin: Origin::Written(written.at.clone()),
    }))
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{notes, policy, refused};
    use crate::policy::{AuthorizationRule, NoteKind, OperationMatch, SourceMatch, StringMatch};

    fn yaml(rules: &str) -> String {
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: a, namespace: shop}}\nspec:\n  rules:\n{rules}\n"
        )
    }

    fn rules(rules: &str) -> Vec<AuthorizationRule> {
        policy(&yaml(rules)).authorization.remove(0).rules
    }

    fn exact(text: &str) -> StringMatch {
        StringMatch::Exact(text.into())
    }

    #[test]
    fn sources() {
        let rule = rules(
            "  - from:\n    - source: {principals: ['cluster.local/ns/a/sa/b', '*/sa/c'], notNamespaces: [x], ipBlocks: [10.0.0.0/8]}\n    - source: {serviceAccounts: [web, other/api], notIpBlocks: ['2001:db8::/32', 1.2.3.4]}",
        )
        .remove(0);
        assert_eq!(
            rule.from,
            [
                SourceMatch {
                    principals: vec![
                        exact("cluster.local/ns/a/sa/b"),
                        StringMatch::Suffix("/sa/c".into())
                    ],
                    not_namespaces: vec![exact("x")],
                    ip_blocks: vec!["10.0.0.0/8".into()],
                    ..SourceMatch::default()
                },
                SourceMatch {
                    service_accounts: vec!["shop/web".into(), "other/api".into()],
                    not_ip_blocks: vec!["2001:db8::/32".into(), "1.2.3.4".into()],
                    ..SourceMatch::default()
                },
            ]
        );
    }

    #[test]
    fn operations() {
        let rule = rules(
            "  - to:\n    - operation: {hosts: ['API.*'], notPorts: ['8080'], methods: [GET, '*'], paths: ['/pub*', '*.css', '/a/{*}/b/{**}', /x]}",
        )
        .remove(0);
        let StringMatch::Regex(template) = &rule.to[0].paths[2] else {
            panic!("a template is an expression");
        };
        assert!(template.matches("/a/one/b/") && template.matches("/a/one/b/two/three"));
        assert!(!template.matches("/a/b/c") && !template.matches("/a/one/two/b/c"));
        assert_eq!(
            rule.to[0],
            OperationMatch {
                hosts: vec![StringMatch::Prefix("api.".into())],
                not_ports: vec![8080],
                methods: vec![exact("GET"), StringMatch::Present],
                paths: vec![
                    StringMatch::Prefix("/pub".into()),
                    StringMatch::Suffix(".css".into()),
                    StringMatch::Regex(template.clone()),
                    exact("/x"),
                ],
                ..OperationMatch::default()
            }
        );
    }

    #[test]
    fn conditions() {
        let rule = rules(
            "  - when:\n    - {key: 'request.headers[X-Token]', values: ['a*']}\n    - {key: source.namespace, notValues: [b]}",
        )
        .remove(0);
        assert_eq!(rule.when[0].key, "request.headers[x-token]");
        assert_eq!(rule.when[0].values, [StringMatch::Prefix("a".into())]);
        assert_eq!(rule.when[1].not_values, [exact("b")]);
        assert_eq!(rule.when[1].origin.to_string(), "mesh.yaml:8:7");
    }

    #[test]
    fn a_demand_for_a_token_is_never_met_and_its_negation_always() {
        let demanded = "  - from: [{source: {requestPrincipals: ['*']}}]";
        assert_eq!(rules(demanded), []);
        assert_eq!(
            notes(&yaml(demanded), NoteKind::NotHonoured),
            [
                "6:42 spec.rules[0].from[0].source.requestPrincipals: no request carries a token (JWT), so this never holds"
            ]
        );
        let either =
            "  - from: [{source: {requestPrincipals: ['*']}}, {source: {namespaces: [a]}}]";
        assert_eq!(rules(either)[0].from.len(), 1);
        let without = "  - from: [{source: {notRequestPrincipals: ['*'], namespaces: [a]}}]";
        assert_eq!(rules(without)[0].from[0].namespaces, [exact("a")]);
        assert_eq!(
            rules("  - when: [{key: 'request.auth.claims[iss]', values: [x]}]"),
            []
        );
        assert_eq!(
            rules("  - when: [{key: request.auth.principal, notValues: [x]}]"),
            [AuthorizationRule::default()]
        );
    }

    #[test]
    fn remote_addresses_are_those_of_peers() {
        let remote = "  - from: [{source: {remoteIpBlocks: [10.1.0.0/16]}}]";
        assert_eq!(rules(remote)[0].from[0].ip_blocks, ["10.1.0.0/16"]);
        assert_eq!(notes(&yaml(remote), NoteKind::NotHonoured).len(), 1);
    }

    #[test]
    fn wrong_rules_are_refused() {
        let message = |rules: &str| refused(&yaml(&format!("  - {rules}"))).join("|");
        assert_eq!(message("from: [{}]"), "6:12 this `from` has no `source`");
        assert_eq!(
            message("from: [{source: {}}]"),
            "6:21 this `source` is empty; leave `from` out to allow any source"
        );
        assert_eq!(
            message("to: [{operation: {}}]"),
            "6:22 this `operation` is empty; leave `to` out to allow any operation"
        );
        assert_eq!(
            message("from: [{source: {ipBlocks: [10.0.0.0/33]}}]"),
            "6:33 `10.0.0.0/33` is not an address or a CIDR block"
        );
        assert_eq!(
            message("to: [{operation: {ports: [http]}}]"),
            "6:31 `http` is not a port from 1 to 65535"
        );
        assert_eq!(
            message("to: [{operation: {paths: ['/{a}']}}]"),
            "6:31 braces in a path may only stand in `{*}` and `{**}`"
        );
        assert_eq!(
            message("from: [{source: {serviceAccounts: [a], namespaces: [b]}}]"),
            "6:40 `serviceAccounts` cannot be given together with principals or namespaces"
        );
        assert_eq!(
            message("when: [{key: source.namespce, values: [a]}]"),
            "6:18 `source.namespce` is not an attribute of a request"
        );
        assert_eq!(
            message("when: [{key: source.ip}]"),
            "6:12 this condition needs `values` or `notValues`"
        );
    }
}

//! One rule: `from`, `to`, `when`.

use super::condition::{self, Demand};
use super::spec::Rule;
use super::{operation, source};
use crate::dialect::findings::{Field, Findings};
use crate::document::Spanned;
use crate::policy::AuthorizationRule;

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
            .extend(source::compile(written, namespace, &field, findings)?);
    }
    // An empty list would hold always.
    possible &= written.value.from.is_empty() || !rule.from.is_empty();
    for to in &written.value.to {
        let Some(written) = &to.value.operation else {
            findings.error(&to.at, "this `to` has no `operation`");
            return None;
        };
        rule.to.push(operation::compile(written, findings)?);
    }
    for (index, when) in written.value.when.iter().enumerate() {
        let field = field.child_item("when", index);
        match condition::compile(when, &field, findings)? {
            Demand::Holds => {}
            Demand::Fails => possible = false,
            Demand::Asks(condition) => rule.when.push(condition),
        }
    }
    Some(possible.then_some(rule))
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

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::policy::{
    AuthorizationCondition, AuthorizationRule, OperationMatch, Origin, Position, SourceMatch,
    StringMatch, WorkloadSelector,
};

use AuthorizationAction::{Allow, Audit, Deny};

const CLIENT: &str = "spiffe://cluster.local/ns/default/sa/client";
const EVIL: &str = "spiffe://cluster.local/ns/evil/sa/client";

/// Istio's notation: `*` anything, `a*` a prefix, `*a` a suffix.
fn text(written: &str) -> StringMatch {
    match (written.strip_prefix('*'), written.strip_suffix('*')) {
        _ if written == "*" => StringMatch::Present,
        (Some(suffix), _) => StringMatch::Suffix(suffix.into()),
        (_, Some(prefix)) => StringMatch::Prefix(prefix.into()),
        _ => StringMatch::Exact(written.into()),
    }
}

fn texts(written: &[&str]) -> Vec<StringMatch> {
    written.iter().map(|w| text(w)).collect()
}

fn paths(written: &[&str]) -> OperationMatch {
    OperationMatch {
        paths: texts(written),
        ..OperationMatch::default()
    }
}

fn to(operation: OperationMatch) -> AuthorizationRule {
    AuthorizationRule {
        to: vec![operation],
        ..AuthorizationRule::default()
    }
}

fn from(source: SourceMatch, path: &str) -> AuthorizationRule {
    AuthorizationRule {
        from: vec![source],
        ..to(paths(&[path]))
    }
}

fn when(key: &str, values: &[&str], not_values: &[&str]) -> AuthorizationRule {
    AuthorizationRule {
        when: vec![AuthorizationCondition {
            key: key.into(),
            values: texts(values),
            not_values: texts(not_values),
            origin: Origin::Written(Position {
                file: "a.yaml".into(),
                line: 3,
                column: 1,
            }),
        }],
        ..AuthorizationRule::default()
    }
}

fn policy(
    name: &str,
    action: AuthorizationAction,
    rules: Vec<AuthorizationRule>,
) -> Arc<AuthorizationPolicy> {
    Arc::new(AuthorizationPolicy {
        name: format!("default/{name}"),
        selector: WorkloadSelector::default(),
        action,
        rules,
        origin: Origin::default_of("test"),
    })
}

#[derive(Default)]
struct Call {
    peer: Option<&'static str>,
    method: &'static str,
    path: &'static str,
    headers: HeaderMap,
}

impl Call {
    fn get(path: &'static str) -> Self {
        Self {
            method: "GET",
            path,
            ..Self::default()
        }
    }

    fn by(mut self, peer: Option<&'static str>) -> Self {
        self.peer = peer;
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    fn request(&self) -> AuthzRequest<'_> {
        AuthzRequest {
            peer: self.peer,
            source_ip: IpAddr::from([127, 0, 0, 1]),
            destination_ip: Some(IpAddr::from([10, 0, 0, 7])),
            port: 8080,
            sni: None,
            method: self.method,
            host: "Reviews.default:9080",
            path: self.path,
            headers: &self.headers,
        }
    }

    fn allowed(&self, policies: &[Arc<AuthorizationPolicy>]) -> bool {
        decide(policies, &self.request()).allowed
    }

    fn details(&self, policies: &[Arc<AuthorizationPolicy>]) -> String {
        decide(policies, &self.request()).to_string()
    }
}

/// Whether an ALLOW policy with only this rule lets the call through.
fn permits(rule: AuthorizationRule, call: &Call) -> bool {
    call.allowed(&[policy("p", Allow, vec![rule])])
}

#[test]
fn rbac_allow() {
    let blocks = |block: &str| SourceMatch {
        ip_blocks: vec![block.into()],
        ..SourceMatch::default()
    };
    let admin = AuthorizationRule {
        to: vec![paths(&["/hdr*"])],
        ..when("request.headers[x-role]", &["admin"], &[])
    };
    let rules = vec![
        to(paths(&["/pub*"])),
        to(OperationMatch {
            methods: texts(&["GET"]),
            ..paths(&["/get*"])
        }),
        admin,
        from(blocks("127.0.0.0/8"), "/ip*"),
        from(blocks("10.0.0.0/8"), "/nip*"),
        to(paths(&["/exact"])),
        to(OperationMatch {
            not_paths: texts(&["/not/secret*"]),
            ..paths(&["/not*"])
        }),
    ];
    let policies = [policy("all", Allow, rules)];
    let post = Call {
        method: "POST",
        ..Call::get("/get/1")
    };
    for (call, allowed) in [
        (Call::get("/pub/x"), true),
        (Call::get("/private"), false),
        (Call::get("/get/1"), true),
        (post, false),
        (Call::get("/hdr").with("x-role", "admin"), true),
        (Call::get("/hdr").with("x-role", "user"), false),
        (Call::get("/hdr"), false),
        (Call::get("/ip"), true),
        (Call::get("/nip"), false),
        (Call::get("/exact"), true),
        (Call::get("/exact?q=1"), true),
        (Call::get("/exact/"), false),
        (Call::get("/not/a"), true),
        (Call::get("/not/secret"), false),
        (Call::get("/PUB"), false),
        (Call::get("/%70ub"), false),
        (Call::get("/x/../pub"), false),
    ] {
        assert_eq!(call.allowed(&policies), allowed, "{}", call.path);
        if !allowed {
            assert_eq!(
                call.details(&policies),
                "rbac_access_denied_matched_policy[none]"
            );
        }
    }
}

#[test]
fn rbac_deny_names_its_policy() {
    let policies = [
        policy("no-admin", Deny, vec![to(paths(&["/admin*"]))]),
        policy(
            "no-bot",
            Deny,
            vec![when("request.headers[user-agent]", &["bot*"], &[])],
        ),
    ];
    assert!(Call::get("/ok").allowed(&policies));
    let admin = Call::get("/admin/none");
    assert_eq!(
        admin.details(&policies),
        "rbac_access_denied_matched_policy[ns[default]-policy[no-admin]-rule[0]]"
    );
    let bot = Call::get("/none").with("user-agent", "bot/1");
    let request = bot.request();
    let verdict = decide(&policies, &request);
    assert_eq!(
        (verdict.allowed, verdict.policy()),
        (false, Some("default/no-bot"))
    );
}

#[test]
fn rbac_precedence() {
    let policies = [
        policy("a", Allow, vec![to(paths(&["/a*"]))]),
        policy("audit", Audit, vec![AuthorizationRule::default()]),
        policy("d", Deny, vec![to(paths(&["/a/deny*"]))]),
    ];
    assert!(Call::get("/a/x").allowed(&policies));
    assert!(!Call::get("/a/deny/x").allowed(&policies));
    assert!(!Call::get("/b").allowed(&policies));
    // No rules match nothing; an empty rule matches everything; audit decides nothing.
    let call = Call::get("/");
    assert!(!call.allowed(&[policy("none", Allow, vec![])]));
    assert!(call.allowed(&[policy("none", Deny, vec![])]));
    assert!(!call.allowed(&[policy("all", Deny, vec![AuthorizationRule::default()])]));
    assert!(call.allowed(&[policy("all", Allow, vec![AuthorizationRule::default()])]));
    assert!(call.allowed(&[policy("audit", Audit, vec![AuthorizationRule::default()])]));
    assert!(call.allowed(&[]));
}

#[test]
fn rbac_mtls_principal() {
    let principals = |wanted: &[&str], unwanted: &[&str]| SourceMatch {
        principals: texts(wanted),
        not_principals: texts(unwanted),
        ..SourceMatch::default()
    };
    let namespaces = SourceMatch {
        namespaces: texts(&["default"]),
        ..SourceMatch::default()
    };
    let policies = [policy(
        "who",
        Allow,
        vec![
            from(
                principals(&["cluster.local/ns/default/sa/client"], &[]),
                "/exact",
            ),
            from(namespaces, "/ns"),
            from(principals(&["*"], &[]), "/any"),
            from(
                principals(&[], &["cluster.local/ns/evil/sa/client"]),
                "/not",
            ),
            from(principals(&["cluster.local/ns/default/*"], &[]), "/prefix"),
            from(principals(&["*/sa/client"], &[]), "/suffix"),
        ],
    )];
    // Recorded for a good peer, another one and one without a certificate; what
    // asks for a principal at all (`*`) does without one as Istio's `.+` does.
    for (path, good, evil, nobody) in [
        ("/exact", true, false, false),
        ("/ns", true, false, false),
        ("/any", true, true, false),
        ("/not", true, false, true),
        ("/prefix", true, false, false),
        ("/suffix", true, true, false),
    ] {
        let verdicts = [Some(CLIENT), Some(EVIL), None]
            .map(|peer| Call::get(path).by(peer).allowed(&policies));
        assert_eq!(verdicts, [good, evil, nobody], "{path}");
    }
}

#[test]
fn service_accounts_default_to_the_policys_namespace() {
    let account = |name: &str| AuthorizationRule {
        from: vec![SourceMatch {
            service_accounts: vec![name.into()],
            ..SourceMatch::default()
        }],
        ..AuthorizationRule::default()
    };
    let call = Call::get("/").by(Some(EVIL));
    assert!(permits(account("evil/client"), &call));
    assert!(!permits(account("client"), &call)); // default/client
    assert!(permits(account("client"), &Call::get("/").by(Some(CLIENT))));
}

#[test]
fn hosts_and_ports() {
    let hosts = |wanted: &str| {
        to(OperationMatch {
            hosts: texts(&[wanted]),
            ..OperationMatch::default()
        })
    };
    let ports = |wanted: &[u16], unwanted: &[u16]| {
        to(OperationMatch {
            ports: wanted.to_vec(),
            not_ports: unwanted.to_vec(),
            ..OperationMatch::default()
        })
    };
    let call = Call::get("/"); // to Reviews.default:9080, workload port 8080
    for (wanted, expected) in [
        ("reviews.default:9080", true),
        ("reviews.default", false),
        ("REVIEWS.*", true),
        ("*.Default:9080", true),
        ("*.other", false),
        ("*", true),
        ("*something-far-longer-than-the-host-itself", false),
    ] {
        assert_eq!(permits(hosts(wanted), &call), expected, "{wanted}");
    }
    assert!(permits(ports(&[80, 8080], &[]), &call));
    assert!(!permits(ports(&[9080], &[]), &call));
    assert!(!permits(ports(&[], &[8080]), &call));
}

#[test]
fn a_byte_that_is_no_text_hides_nothing() {
    let mut call = Call::get("/");
    let odd = http::HeaderValue::from_bytes(b"admin\xff").unwrap();
    call.headers.insert("x-role", odd);
    let rule = when("request.headers[x-role]", &["admin*"], &[]);
    assert!(!call.allowed(&[policy("p", Deny, vec![rule])]));
}

#[test]
fn conditions() {
    let call = Call::get("/p?q")
        .by(Some(CLIENT))
        .with("x-role", "user")
        .with("x-role", "admin");
    for (key, value, expected) in [
        ("request.headers[x-role]", "admin", true),
        ("request.headers[X-Role]", "user", true),
        ("request.headers[x-role]", "user,admin", true),
        ("request.headers[x-role]", "*", true),
        ("request.headers[x-none]", "*", false),
        ("request.headers[:method]", "GET", true),
        ("source.ip", "127.0.0.0/8", true),
        ("remote.ip", "127.0.0.1", true),
        ("source.ip", "10.0.0.0/8", false),
        ("source.namespace", "def*", true),
        (
            "source.principal",
            "cluster.local/ns/default/sa/client",
            true,
        ),
        ("source.serviceAccount", "client", true),
        ("destination.port", "8080", true),
        ("destination.port", "http", false),
        ("destination.ip", "10.0.0.0/24", true),
        ("connection.sni", "*", false),
        ("request.auth.principal", "*", false),
    ] {
        assert_eq!(
            permits(when(key, &[value], &[]), &call),
            expected,
            "{key} {value}"
        );
        assert_eq!(
            permits(when(key, &[], &[value]), &call),
            !expected,
            "not {key} {value}"
        );
    }
}

#[test]
fn a_condition_nobody_knows_shuts_allow_and_widens_deny() {
    let unknown = when("request.colour", &["blue"], &[]);
    let call = Call::get("/");
    assert!(!call.allowed(&[policy("p", Allow, vec![unknown.clone()])]));
    assert!(!call.allowed(&[policy("p", Deny, vec![unknown.clone()])]));
    let noted = notes(&[Arc::unwrap_or_clone(policy("p", Deny, vec![unknown]))]);
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0].field, "spec.rules[0].when[0].key");
    assert_eq!(noted[0].at.line, 3);
    assert!(
        notes(&[Arc::unwrap_or_clone(policy(
            "p",
            Allow,
            vec![when("source.ip", &[], &[])]
        ))])
        .is_empty()
    );
}

prop_compose! {
    fn any_policy()(
        action in prop::sample::select(vec![Allow, Deny, Audit]),
        rules in prop::collection::vec(
            prop::sample::select(vec!["*", "/a*", "/a/b", "*b", "/c"]), 0..3,
        ),
    ) -> Arc<AuthorizationPolicy> {
        policy("p", action, rules.into_iter().map(|path| to(paths(&[path]))).collect())
    }
}

proptest! {
    /// A DENY policy more never lets more through; the order of policies is nothing.
    #[test]
    fn denying_more_allows_no_more(
        mut policies in prop::collection::vec(any_policy(), 0..5),
        more in any_policy(),
        path in prop::sample::select(vec!["/a", "/a/b", "/b", "/c?x", "/"]),
    ) {
        let call = Call::get(path);
        let before = call.allowed(&policies);
        let backwards: Vec<_> = policies.iter().rev().cloned().collect();
        prop_assert_eq!(call.allowed(&backwards), before);
        let denies = more.action == Deny;
        policies.push(more);
        prop_assert!(!denies || before || !call.allowed(&policies));
    }
}

//! Conditions on attributes (`when`).

use std::net::IpAddr;

use super::rule::Subject;
use super::{AuthzRequest, cidr};
use crate::policy::{
    AuthorizationCondition, AuthorizationPolicy, Note, NoteKind, Origin, StringMatch,
};

/// An attribute that conditions can name (Istio's "Authorization Policy Conditions").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute<'k> {
    SourceIp,
    DestinationIp,
    DestinationPort,
    Namespace,
    Principal,
    Account,
    Sni,
    Header(&'k str),
    /// Of a token (JWT), which no request carries.
    Token,
}

impl<'k> Attribute<'k> {
    /// `None` for a key that means nothing here.
    fn parse(key: &'k str) -> Option<Self> {
        Some(match key {
            "source.ip" | "remote.ip" => Self::SourceIp,
            "destination.ip" => Self::DestinationIp,
            "destination.port" => Self::DestinationPort,
            "source.namespace" => Self::Namespace,
            "source.principal" => Self::Principal,
            "source.serviceAccount" => Self::Account,
            "connection.sni" => Self::Sni,
            _ if key.starts_with("request.auth.") => Self::Token,
            _ => {
                let name = key.strip_prefix("request.headers[")?.strip_suffix(']')?;
                Self::Header(name)
            }
        })
    }
}

/// Whether a condition holds; `None` when its key means nothing.
pub(super) fn holds(
    condition: &AuthorizationCondition,
    subject: &Subject<'_>,
    own_namespace: &str,
) -> Option<bool> {
    let attribute = Attribute::parse(&condition.key)?;
    let equals = |value: &StringMatch| equals(attribute, value, subject, own_namespace);
    let AuthorizationCondition {
        values, not_values, ..
    } = condition;
    Some((values.is_empty() || values.iter().any(equals)) && !not_values.iter().any(equals))
}

fn equals(
    attribute: Attribute<'_>,
    value: &StringMatch,
    subject: &Subject<'_>,
    own_namespace: &str,
) -> bool {
    let request = subject.request;
    let peer = subject.peer.as_ref();
    match attribute {
        Attribute::SourceIp => in_block(value, request.source_ip),
        Attribute::DestinationIp => request.destination_ip.is_some_and(|ip| in_block(value, ip)),
        Attribute::DestinationPort => {
            exact(value).is_some_and(|port| port.parse() == Ok(request.port))
        }
        Attribute::Namespace => peer
            .and_then(|p| p.namespace)
            .is_some_and(|n| value.matches(n)),
        Attribute::Principal => peer.is_some_and(|p| value.matches(p.principal)),
        Attribute::Account => match exact(value) {
            Some(account) => peer.is_some_and(|p| p.is_account(account, own_namespace)),
            None => false,
        },
        Attribute::Sni => request.sni.is_some_and(|sni| value.matches(sni)),
        Attribute::Header(name) => header(value, name, request),
        Attribute::Token => false,
    }
}

fn exact(value: &StringMatch) -> Option<&str> {
    match value {
        StringMatch::Exact(text) => Some(text),
        _ => None,
    }
}

fn in_block(value: &StringMatch, ip: IpAddr) -> bool {
    exact(value).is_some_and(|block| cidr::contains(block, ip))
}

/// Values of a repeated header are tried one by one and joined by `,`.
fn header(value: &StringMatch, name: &str, request: &AuthzRequest<'_>) -> bool {
    match name {
        ":method" => return value.matches(request.method),
        ":path" => return value.matches(request.path),
        ":authority" => return value.matches(request.host),
        _ => {}
    }
    // A byte that is no text must not hide the rest of its value from a DENY rule.
    let all = || {
        let values = request.headers.get_all(name).iter();
        values.map(|v| String::from_utf8_lossy(v.as_bytes()))
    };
    let single = all().any(|text| value.matches(&text));
    single || (all().nth(1).is_some() && value.matches(&all().collect::<Vec<_>>().join(",")))
}

/// One note for every condition whose key means nothing: an ALLOW rule with it
/// never matches, a DENY rule is wider than its author meant (as Istio's
/// generator does it, `pilot/pkg/security/authz/model/model.go`).
pub fn notes(policies: &[AuthorizationPolicy]) -> Vec<Note> {
    let mut notes = Vec::new();
    for policy in policies {
        for (rule_at, rule) in policy.rules.iter().enumerate() {
            for (when_at, condition) in rule.when.iter().enumerate() {
                if Attribute::parse(&condition.key).is_some() {
                    continue;
                }
                let Origin::Written(at) = &condition.origin else {
                    continue;
                };
                notes.push(Note {
                    at: at.clone(),
                    kind: NoteKind::NotHonoured,
                    object: format!("AuthorizationPolicy {}", policy.name),
                    field: format!("spec.rules[{rule_at}].when[{when_at}].key"),
                    message: format!(
                        "`{}` is not an attribute of a request: an ALLOW rule with it never matches, a DENY rule ignores it",
                        condition.key
                    ),
                });
            }
        }
    }
    notes
}

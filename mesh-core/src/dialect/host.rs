//! Host names in configuration, and who may see an object.
//!
//! A name without a dot is a Kubernetes Service of the object's namespace; a
//! name with a dot is taken as it is (Istio: pilot/pkg/model/conversion.go,
//! `ResolveShortnameToFQDN`). `reviews.prod` is therefore *not* completed.

use std::collections::BTreeSet;

use super::findings::{Field, Findings};
use crate::document::Spanned;
use crate::policy::{HostPattern, NoteKind, Position};

/// The full, lower-case name of `host` as written in an object of `namespace`.
pub(super) fn resolve(host: &str, namespace: &str, cluster_domain: &str) -> String {
    let host = host.to_ascii_lowercase();
    // Addresses, wildcards and what is no name at all stay as they are, too.
    let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if host.is_empty() || !host.chars().all(is_label) {
        return host;
    }
    service(&host, namespace, cluster_domain)
}

/// The full name of a Kubernetes Service.
pub(super) fn service(name: &str, namespace: &str, cluster_domain: &str) -> String {
    format!("{name}.{namespace}.svc.{cluster_domain}").to_ascii_lowercase()
}

/// The namespaces there are, to recognise them in names.
pub(super) struct Namespaces<'a> {
    /// Every namespace an object of the documents is in.
    pub(super) known: BTreeSet<String>,
    /// DNS suffix of Services.
    pub(super) cluster_domain: &'a str,
}

impl Namespaces<'_> {
    /// Notes a host such as `reviews.prod`, whose second part is a namespace: nothing
    /// completes it, so it names no Service.
    pub(super) fn note_half_name(
        &self,
        host: &Spanned<String>,
        field: &Field,
        findings: &mut Findings<'_>,
    ) {
        let Some((name, namespace)) = host.value.split_once('.') else {
            return;
        };
        if !name.is_empty() && name != "*" && self.known.contains(namespace) {
            let message = format!(
                "`{0}` is taken as a full name, because it has a dot; the Service is called `{0}.svc.{1}`",
                host.value, self.cluster_domain
            );
            findings.note(NoteKind::Suspicious, field, &host.at, message);
        }
    }
}

/// Reads a resolved host as a pattern: a name, `*.suffix` or `*`.
pub(super) fn pattern(host: &Spanned<String>, findings: &mut Findings<'_>) -> Option<HostPattern> {
    if host.value == "*" {
        return Some(HostPattern::Any);
    }
    let (wild, name) = match host.value.strip_prefix('*') {
        Some(rest) => (true, rest),
        None => (false, host.value.as_str()),
    };
    if let Some(why) = fault_of(name, wild) {
        findings.error(&host.at, format!("`{}` is not a host: {why}", host.value));
        return None;
    }
    Some(if wild {
        HostPattern::Suffix(name.to_owned())
    } else {
        HostPattern::Exact(name.to_owned())
    })
}

/// Checks the host of a destination, which cannot be a wildcard.
pub(super) fn exact(host: &Spanned<String>, findings: &mut Findings<'_>) -> Option<String> {
    if let Some(why) = fault_of(&host.value, false) {
        findings.error(&host.at, format!("`{}` is not a host: {why}", host.value));
        return None;
    }
    Some(host.value.clone())
}

fn fault_of(name: &str, wild: bool) -> Option<&'static str> {
    let body = name.strip_prefix(['.', '-']).filter(|_| wild);
    if name.is_empty() {
        Some("it is empty")
    } else if name.contains('*') {
        Some("`*` may only stand at its beginning")
    } else if name.contains([':', '/']) && name.parse::<std::net::IpAddr>().is_err() {
        Some("a host has no scheme, port or path")
    } else if wild && body.is_none() {
        Some("`*` must be followed by `.` or `-`")
    } else if body.unwrap_or(name).split('.').any(str::is_empty)
        || name.contains(char::is_whitespace)
    {
        Some("it has an empty or blank part")
    } else {
        None
    }
}

/// Who sees an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    /// Every namespace.
    All,
    /// These.
    Namespaces(Vec<String>),
    /// Nobody.
    Nobody,
}

impl Visibility {
    /// As the policy has it: empty means all. `None` when nobody sees the object.
    pub(super) fn namespaces(self) -> Option<Vec<String>> {
        match self {
            Self::All => Some(Vec::new()),
            Self::Namespaces(names) => Some(names),
            Self::Nobody => None,
        }
    }
}

/// Reads `exportTo`: `*` all, `.` the object's own namespace, `~` none, else a name; absent means all.
pub(super) fn export_to(written: &[Spanned<String>], namespace: &str) -> Visibility {
    if written.is_empty() || written.iter().any(|name| name.value == "*") {
        return Visibility::All;
    }
    let mut names: Vec<String> = Vec::new();
    for name in written.iter().filter(|name| name.value != "~") {
        let name = if name.value == "." {
            namespace
        } else {
            &name.value
        };
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        Visibility::Nobody
    } else {
        Visibility::Namespaces(names)
    }
}

/// Notes that an object is exported to nobody.
pub(super) fn note_unexported(field: &Field, at: &Position, findings: &mut Findings<'_>) {
    findings.note(
        NoteKind::NoEffect,
        &field.child("exportTo"),
        at,
        "`~` exports this to no namespace, so no sidecar sees it",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_without_a_dot_is_completed() {
        let full = |host| resolve(host, "prod", "cluster.local");
        assert_eq!(full("Reviews"), "reviews.prod.svc.cluster.local");
        assert_eq!(full("reviews.prod"), "reviews.prod");
        assert_eq!(full("*.example.com"), "*.example.com");
        assert_eq!(full("*"), "*");
        assert_eq!(full("10.0.0.1"), "10.0.0.1");
        assert_eq!(full("2001:db8::1"), "2001:db8::1");
    }
}

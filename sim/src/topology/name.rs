//! Names of Kubernetes objects.

use std::sync::Arc;

/// Longest name of one label, and of a dotted name (RFC 1123; apimachinery's `validation.IsDNS1123Subdomain`).
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;

/// Checks that Kubernetes takes `name` for an object: labels of lower-case letters, digits and
/// `-` in their midst, joined by dots.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let fits = |label: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        label.len() <= LABEL_BYTES_MAX
            && edge(label.as_bytes().first())
            && edge(label.as_bytes().last())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if name.len() <= NAME_BYTES_MAX && name.split('.').all(fits) {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot be a name: lower-case letters, digits, and `-` between them, at most {LABEL_BYTES_MAX}"
    ))
}

/// The fully qualified host of a service.
pub(super) fn host(name: &str, namespace: &str) -> Arc<str> {
    format!("{name}.{namespace}.svc.cluster.local").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_names() {
        for name in ["a", "a-b", "0", "reviews-v1", "a.b-c", &"x".repeat(63)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "A",
            "a_b",
            "-a",
            "a-",
            "a..b",
            "é",
            "a b",
            &"x".repeat(64),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}

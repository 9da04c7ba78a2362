//! Changes to headers, as pilot writes them for Envoy.
//!
//! pilot sorts them by name, takes `Host` and `:authority` as a rewrite of the
//! authority, and drops every other pseudo-header
//! (pilot/pkg/networking/core/route/route.go, `TranslateHeadersOperations`).

use crate::policy::HeaderMutations;

/// Changes to a request's or a response's headers.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    /// Changes to ordinary headers.
    pub(super) mutations: HeaderMutations,
    /// The new authority; the one that is set wins over the one that is added.
    pub(super) authority: Option<String>,
}

impl Operations {
    /// From headers as written. Of names that differ in case only, the first counts.
    pub(super) fn new<'a>(
        set: impl IntoIterator<Item = (&'a String, &'a String)>,
        add: impl IntoIterator<Item = (&'a String, &'a String)>,
        remove: &[String],
    ) -> Self {
        let (set, set_authority) = entries(set);
        let (add, add_authority) = entries(add);
        let remove = remove.iter().map(|name| name.to_ascii_lowercase());
        Self {
            mutations: HeaderMutations {
                set,
                add,
                remove: remove.filter(|name| !is_internal(name)).collect(),
            },
            authority: set_authority.or(add_authority),
        }
    }
}

type Entries = Vec<(String, String)>;

fn entries<'a>(
    written: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> (Entries, Option<String>) {
    let mut entries = Entries::new();
    let mut authority = None;
    for (name, value) in written {
        let name = name.to_ascii_lowercase();
        if matches!(name.as_str(), "host" | ":authority") {
            authority = authority.or_else(|| Some(value.clone()));
        } else if !is_internal(&name) && !entries.iter().any(|(known, _)| *known == name) {
            entries.push((name, value.clone()));
        }
    }
    entries.sort();
    (entries, authority)
}

fn is_internal(name: &str) -> bool {
    name.starts_with(':') || name == "host"
}

/// `first`, then `later`, as one: what `later` sets overwrites what was added or set before.
pub(super) fn append(first: &mut HeaderMutations, later: HeaderMutations) {
    let overwritten = |name: &str| later.set.iter().any(|(set, _)| set == name);
    first.set.retain(|(name, _)| !overwritten(name));
    first.add.retain(|(name, _)| !overwritten(name));
    first.set.extend(later.set);
    first.add.extend(later.add);
    for name in later.remove {
        if !first.remove.contains(&name) {
            first.remove.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn the_host_header_becomes_the_authority() {
        let set = pairs(&[
            ("X-B", "1"),
            ("Host", "a.example"),
            (":path", "/"),
            ("X-A", "2"),
        ]);
        let operations = Operations::new(set.iter().map(|(n, v)| (n, v)), [], &["Host".into()]);
        assert_eq!(operations.authority.as_deref(), Some("a.example"));
        assert_eq!(
            operations.mutations.set,
            pairs(&[("x-a", "2"), ("x-b", "1")])
        );
        assert!(operations.mutations.remove.is_empty());
    }

    #[test]
    fn what_is_set_later_wins() {
        let mut first = HeaderMutations {
            set: pairs(&[("x-a", "1"), ("x-b", "1")]),
            add: pairs(&[("x-a", "2")]),
            remove: vec!["x-c".into()],
        };
        let later = HeaderMutations {
            set: pairs(&[("x-a", "3")]),
            add: pairs(&[("x-b", "2")]),
            remove: vec!["x-c".into(), "x-d".into()],
        };
        append(&mut first, later);
        assert_eq!(first.set, pairs(&[("x-b", "1"), ("x-a", "3")]));
        assert_eq!(first.add, pairs(&[("x-b", "2")]));
        assert_eq!(first.remove, ["x-c", "x-d"]);
    }
}

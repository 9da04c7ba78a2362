//! Whether a scripted request came back as its script demands.

use std::time::Duration;

use http::HeaderMap;

use crate::plan::ExpectedOutcome;

/// What came back.
pub(super) struct Observed<'a> {
    /// 0 when no whole answer came.
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    pub(super) upstream: &'a str,
    /// As printed; empty when unknown.
    pub(super) flags: &'a str,
    pub(super) latency: Duration,
}

/// The first demand that was missed, in a sentence.
pub(super) fn miss(expected: &ExpectedOutcome, observed: &Observed<'_>) -> Option<String> {
    status(expected, observed)
        .or_else(|| upstream(expected, observed))
        .or_else(|| flags(expected, observed))
        .or_else(|| latency(expected, observed))
        .or_else(|| headers(expected, observed))
}

/// Whether anything is demanded.
pub(super) fn demands(expected: &ExpectedOutcome) -> bool {
    *expected != ExpectedOutcome::default()
}

fn status(expected: &ExpectedOutcome, observed: &Observed<'_>) -> Option<String> {
    let wanted = expected
        .status
        .filter(|wanted| *wanted != observed.status)?;
    Some(match (wanted, observed.status) {
        (0, found) => format!("an answer came ({found}), and none should have"),
        (wanted, 0) => format!("no answer came, and {wanted} should have"),
        (wanted, found) => format!("the status was {found}, not {wanted}"),
    })
}

fn upstream(expected: &ExpectedOutcome, observed: &Observed<'_>) -> Option<String> {
    let wanted = expected.upstream.as_deref()?;
    let found = observed.upstream;
    if found.starts_with(wanted) && (!found.is_empty() || wanted.is_empty()) {
        return None;
    }
    Some(match found {
        "" => format!("no app answered, and {wanted} should have"),
        found => format!("{found} answered, not {wanted}"),
    })
}

fn flags(expected: &ExpectedOutcome, observed: &Observed<'_>) -> Option<String> {
    let wanted = expected.flags.as_deref()?;
    let found = observed.flags;
    // The order of flags carries no meaning, and none is printed as `-`.
    let set = |text: &str| -> Vec<String> {
        let mut all: Vec<_> = text
            .split(',')
            .map(|flag| flag.trim().to_owned())
            .filter(|flag| !flag.is_empty() && flag != "-")
            .collect();
        all.sort_unstable();
        all
    };
    if set(wanted) == set(found) {
        return None;
    }
    let found = if found.is_empty() { "-" } else { found };
    Some(format!("the response flags were {found}, not {wanted}"))
}

fn latency(expected: &ExpectedOutcome, observed: &Observed<'_>) -> Option<String> {
    let took = observed.latency;
    if let Some(least) = expected.at_least.filter(|least| took < *least) {
        return Some(format!("it took {took:?}, less than {least:?}"));
    }
    let most = expected.at_most.filter(|most| took > *most)?;
    Some(format!("it took {took:?}, more than {most:?}"))
}

fn headers(expected: &ExpectedOutcome, observed: &Observed<'_>) -> Option<String> {
    expected.headers.iter().find_map(|(name, wanted)| {
        let mut found = observed.headers.get_all(name.as_str()).iter().peekable();
        if found.peek().is_none() {
            return Some(format!("the answer had no header {name}"));
        }
        let values: Vec<_> = found
            .map(|v| String::from_utf8_lossy(v.as_bytes()))
            .collect();
        let met = values.iter().any(|value| value == wanted);
        (!met).then(|| format!("header {name} was {:?}, not {wanted:?}", values.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut ExpectedOutcome), flags: &str) -> Option<String> {
        let mut expected = ExpectedOutcome::default();
        change(&mut expected);
        let mut headers = HeaderMap::new();
        headers.append("x-version", "v2".parse().unwrap());
        let observed = Observed {
            status: 503,
            headers: &headers,
            upstream: "reviews-v2-0",
            flags,
            latency: Duration::from_millis(20),
        };
        miss(&expected, &observed)
    }

    #[test]
    fn what_is_demanded_is_checked_and_nothing_else() {
        assert_eq!(check(|_| {}, ""), None);
        assert_eq!(check(|e| e.status = Some(503), ""), None);
        assert_eq!(
            check(|e| e.status = Some(200), "").as_deref(),
            Some("the status was 503, not 200")
        );
        assert_eq!(check(|e| e.upstream = Some("reviews-v2".into()), ""), None);
        assert!(check(|e| e.upstream = Some("reviews-v1".into()), "").is_some());
        assert_eq!(
            check(|e| e.at_least = Some(Duration::from_millis(20)), ""),
            None
        );
        assert!(check(|e| e.at_most = Some(Duration::from_millis(19)), "").is_some());
        assert_eq!(
            check(|e| e.headers = vec![("X-Version".into(), "v2".into())], ""),
            None
        );
        assert!(check(|e| e.headers = vec![("x-version".into(), "v1".into())], "").is_some());
        assert!(check(|e| e.headers = vec![("not a name".into(), "v1".into())], "").is_some());
    }

    #[test]
    fn flags_are_a_set() {
        assert_eq!(check(|e| e.flags = Some("UF,URX".into()), "URX,UF"), None);
        assert_eq!(check(|e| e.flags = Some("-".into()), ""), None);
        assert!(check(|e| e.flags = Some("UO".into()), "-").is_some());
    }
}

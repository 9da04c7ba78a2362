//! Why requests failed, each failure told once.
//!
//! A report counts the flags, the statuses and what clients without an answer saw each by itself, so a failure stands
//! in two of them. Which status goes with a flag is known from the requests that are told in full, or from Envoy, which
//! answers by itself with one status for a flag; where neither says it, the flag is told alone.

use std::collections::BTreeMap;

use crate::record::{RequestOutcome, RunReport, TraceReport, TrafficReport};

/// Requests that ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Response flags; empty when there were none.
    pub(crate) flags: String,
    /// A status, or a reason why there was no answer; several with `, ` between them where it is not known which of
    /// them; empty when it is not known at all.
    pub(crate) result: String,
    /// How many.
    pub(crate) requests: u64,
}

/// What was not an ordinary answer to the source `name`, the most frequent first.
pub(crate) fn causes(report: &RunReport, name: &str, traffic: &TrafficReport) -> Vec<Cause> {
    let worst = report.detail.iter().flat_map(|detail| &detail.worst);
    let told: Vec<&TraceReport> = worst.filter(|t| t.traffic == name).collect();
    let mut left = results(traffic);
    let mut causes: Vec<Cause> = Vec::new();
    let mut unsure: Vec<(&str, u64)> = Vec::new();
    for (flags, n) in most_first(traffic.flags.iter().filter(|(flags, _)| !harmless(flags))) {
        let mut open = n;
        for result in observed(&told, flags).into_iter().chain(envoy(flags)) {
            open -= take(&mut causes, &mut left, (flags, &result), open);
        }
        if open > 0 {
            unsure.push((flags, open));
        }
    }
    let mut unknown = 0;
    for (flags, n) in unsure {
        let open: Vec<String> = failing(&left).map(|(result, _)| result.clone()).collect();
        let taken = match open.as_slice() {
            [only] => take(&mut causes, &mut left, (flags, only), n),
            _ => 0,
        };
        if n > taken {
            unknown += n - taken;
            causes.push(Cause {
                flags: flags.to_owned(),
                result: String::new(),
                requests: n - taken,
            });
        }
    }
    causes.extend(without_flags(left, unknown));
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.requests));
    causes
}

/// Statuses and reasons that are not an ordinary answer.
fn results(traffic: &TrafficReport) -> BTreeMap<String, u64> {
    let odd = |key: &str| key != "none" && !key.starts_with(['1', '2', '3']);
    let statuses = traffic.status.iter().filter(|(key, _)| odd(key));
    let mut all = BTreeMap::new();
    for (key, n) in statuses.chain(&traffic.unanswered) {
        *all.entry(key.clone()).or_insert(0) += n;
    }
    all.retain(|_, n| *n > 0);
    all
}

/// Flags of what was answered all the same: none, or only that the mesh was told to delay it.
fn harmless(flags: &str) -> bool {
    matches!(flags, "" | "-" | "DI")
}

fn most_first<'a>(counts: impl Iterator<Item = (&'a String, &'a u64)>) -> Vec<(&'a str, u64)> {
    let mut all: Vec<(&str, u64)> = counts.map(|(key, n)| (key.as_str(), *n)).collect();
    all.retain(|(_, n)| *n > 0);
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    all
}

/// What is no answer, or one of the server's.
fn failing(results: &BTreeMap<String, u64>) -> impl Iterator<Item = (&String, &u64)> {
    results
        .iter()
        .filter(|(key, n)| **n > 0 && !key.starts_with('4'))
}

/// Tells up to `n` requests that came back with `flags` as such with `result`, and returns how many there were.
fn take(
    causes: &mut Vec<Cause>,
    left: &mut BTreeMap<String, u64>,
    (flags, result): (&str, &str),
    n: u64,
) -> u64 {
    let Some(there) = left.get_mut(result) else {
        return 0;
    };
    let taken = n.min(*there);
    *there -= taken;
    if taken > 0 {
        causes.push(Cause {
            flags: flags.to_owned(),
            result: result.to_owned(),
            requests: taken,
        });
    }
    taken
}

/// What requests with `flags` that are told in full came back with.
fn observed(told: &[&TraceReport], flags: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for trace in told.iter().filter(|t| t.flags == flags) {
        let result = match (trace.outcome, trace.status) {
            (RequestOutcome::Answered, Some(status)) => status.to_string(),
            (RequestOutcome::Timeout, _) => "timeout".into(),
            (RequestOutcome::ConnectFailed, _) => "connect_failed".into(),
            (RequestOutcome::Broken, _) => "broken".into(),
            _ => continue,
        };
        if !all.contains(&result) {
            all.push(result);
        }
    }
    all
}

/// What Envoy answers with when it sets one of `flags` itself. Source: Envoy documentation, "Access logging",
/// `%RESPONSE_FLAGS%`, which names the code beside each flag.
fn envoy(flags: &str) -> Vec<String> {
    let of = |flag: &str| -> &[&str] {
        match flag {
            "LH" | "UH" | "LR" | "UR" | "UF" | "UC" | "UO" | "OM" | "NC" => &["503"],
            "UT" => &["504"],
            "UPE" => &["502"],
            "NR" => &["404"],
            "RL" => &["429"],
            "UAEX" => &["403"],
            "DPE" => &["400"],
            // Who went away saw no answer.
            "DC" => &["timeout", "broken"],
            _ => &[],
        }
    };
    let all = flags.split(',').flat_map(|flag| of(flag.trim()));
    all.map(|result| (*result).to_owned()).collect()
}

/// Results that no flag explains; `unknown` of them belong to flags that are told already.
fn without_flags(left: BTreeMap<String, u64>, unknown: u64) -> Vec<Cause> {
    let cause = |result: String, requests| Cause {
        flags: String::new(),
        result,
        requests,
    };
    let total: u64 = failing(&left).map(|(_, n)| *n).sum();
    let mut causes = Vec::new();
    if unknown > 0 && total > unknown {
        let names: Vec<String> = failing(&left).map(|(result, _)| result.clone()).collect();
        causes.push(cause(names.join(", "), total - unknown));
    }
    for (result, n) in left {
        if n > 0 && (unknown == 0 || result.starts_with('4')) {
            causes.push(cause(result, n));
        }
    }
    causes
}

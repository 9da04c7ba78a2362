//! What a response flag means, for those who do not have Envoy's list at hand.

/// `flags` (`URX,UF`), a reason or a status in words; `None` where it speaks for itself.
///
/// Source: Envoy documentation, "Access logging", `%RESPONSE_FLAGS%`.
pub(super) fn meaning(flags: &str) -> Option<String> {
    let parts: Vec<&str> = flags.split(',').filter_map(one).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn one(flag: &str) -> Option<&'static str> {
    let words = match flag.trim() {
        "LH" => "the service failed its own health check",
        "UH" => "no healthy endpoint was left to choose",
        "UT" => "the endpoint did not answer in time",
        "LR" => "the connection was reset here",
        "UR" => "the endpoint reset the request",
        "UF" => "no connection to the endpoint could be made",
        "UC" => "the endpoint ended the connection",
        "UO" => "a circuit breaker was open",
        "NR" => "no route fits the request",
        "DI" => "the mesh was told to delay it",
        "FI" => "the mesh was told to fail it",
        "RL" => "the rate limit was reached",
        "UAEX" => "it was not allowed",
        "RLSE" => "the rate limit service failed",
        "DC" => "the caller went away",
        "URX" => "all retries were used up",
        "SI" => "nothing moved on it for too long",
        "DPE" => "the caller broke the protocol",
        "UPE" => "the endpoint broke the protocol",
        "UMSDR" => "it lasted longer than allowed",
        "NC" => "the route leads to no service",
        "OM" => "it was shed under overload",
        "timeout" => "the client gave up waiting",
        "connect_failed" => "the client could not connect",
        "broken" => "the connection broke before the answer was whole",
        _ => return None,
    };
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_flags_are_told_one_after_the_other() {
        assert_eq!(
            meaning("URX,UF").unwrap(),
            "all retries were used up; no connection to the endpoint could be made"
        );
        assert_eq!(meaning("503"), None);
    }
}

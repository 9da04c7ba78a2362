//! What a response flag means, for those who do not have Envoy's list at hand.

/// What charts call a failure, in words: its flags, the name of its status, or why there was no answer.
pub(super) fn words(cause: &str) -> Option<String> {
    let status = || status(cause).map(str::to_owned);
    meaning(cause).or_else(status).or_else(|| reason(cause))
}

/// Why there was no answer, in words.
pub(super) fn reason(reason: &str) -> Option<String> {
    let words = match reason {
        "timeout" => "the client gave up waiting",
        "connect_failed" => "the client could not connect",
        "broken" => "the connection broke before the answer was whole",
        _ => return None,
    };
    Some(words.to_owned())
}

/// The name of a status. Source: IANA, "Hypertext Transfer Protocol (HTTP) Status Code Registry".
pub(super) fn status(status: &str) -> Option<&'static str> {
    let name = match status {
        "400" => "Bad Request",
        "401" => "Unauthorized",
        "403" => "Forbidden",
        "404" => "Not Found",
        "405" => "Method Not Allowed",
        "408" => "Request Timeout",
        "409" => "Conflict",
        "410" => "Gone",
        "412" => "Precondition Failed",
        "413" => "Content Too Large",
        "414" => "URI Too Long",
        "421" => "Misdirected Request",
        "422" => "Unprocessable Content",
        "425" => "Too Early",
        "426" => "Upgrade Required",
        "428" => "Precondition Required",
        "429" => "Too Many Requests",
        "431" => "Request Header Fields Too Large",
        "500" => "Internal Server Error",
        "501" => "Not Implemented",
        "502" => "Bad Gateway",
        "503" => "Service Unavailable",
        "504" => "Gateway Timeout",
        "505" => "HTTP Version Not Supported",
        "507" => "Insufficient Storage",
        _ => return None,
    };
    Some(name)
}

/// `flags` (`URX,UF`) in words; `None` where they speak for themselves.
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
        assert_eq!(words("503").unwrap(), "Service Unavailable");
        assert_eq!(words("timeout").unwrap(), "the client gave up waiting");
        assert_eq!(words("299"), None);
    }
}

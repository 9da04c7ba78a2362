//! Whether a pod gets a sidecar.
//!
//! Istio's rules (istio.io, "Installing the sidecar", section "Controlling the
//! injection policy", and pkg/kube/inject/inject.go): a pod says it by the
//! label `sidecar.istio.io/inject`, or by the older annotation of the same
//! name; a namespace by `istio-injection` or by naming a revision. Whoever
//! says no is obeyed, then whoever says yes; pods on their host's own network
//! are never injected.

use super::manifest::Labels;

const INJECT: &str = "sidecar.istio.io/inject";

/// What a namespace says.
pub(super) fn namespace_says(labels: &Labels) -> Option<bool> {
    match labels.get("istio-injection") {
        Some("enabled") => Some(true),
        Some("disabled") => Some(false),
        _ => labels.get("istio.io/rev").map(|_| true),
    }
}

/// What a pod says; the error is a value that is neither `true` nor `false`.
pub(super) fn pod_says<'a>(
    labels: &'a Labels,
    annotations: &'a Labels,
) -> Result<Option<bool>, &'a str> {
    match labels.get(INJECT).or_else(|| annotations.get(INJECT)) {
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        None | Some("") => Ok(None),
        Some(other) => Err(other),
    }
}

/// What comes of it; `None` when nobody said anything.
pub(super) fn meshed(
    namespace: Option<bool>,
    pod: Option<bool>,
    host_network: bool,
) -> Option<bool> {
    if host_network || namespace == Some(false) || pod == Some(false) {
        return Some(false);
    }
    namespace.or(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_goes_before_a_yes() {
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(meshed(None, None, false), None);
        assert_eq!(meshed(yes, None, false), yes);
        assert_eq!(meshed(None, yes, false), yes);
        assert_eq!(meshed(yes, no, false), no);
        assert_eq!(meshed(no, yes, false), no);
        assert_eq!(meshed(yes, yes, true), no);
    }
}

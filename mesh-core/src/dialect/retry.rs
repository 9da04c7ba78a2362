//! The retries of a route that says nothing.

use crate::policy::{Origin, Profile, RetryPolicy, Sourced};

/// The mesh's default. Under consistent hashing a retry may come back to the
/// same endpoint, because another one would break the affinity
/// (pilot/pkg/networking/core/route/retry/retry.go, `DefaultConsistentHashPolicy`).
pub(super) fn default_policy(hashed: bool, profile: &Profile) -> Sourced<RetryPolicy> {
    let mut default = profile.retry.clone();
    if hashed && default.value.avoid_previous_endpoints {
        default.value.avoid_previous_endpoints = false;
        default.origin = Origin::Default(
            format!(
                "{}; under consistent hashing retries may return to the same endpoint",
                match &default.origin {
                    Origin::Default(what) => what.to_string(),
                    written => written.to_string(),
                }
            )
            .into(),
        );
    }
    default
}

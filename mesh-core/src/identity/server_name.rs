//! The server name a sidecar sends.

use std::net::{IpAddr, Ipv4Addr};

use rustls_pki_types::ServerName;

use crate::control::ClusterName;

/// The server name (SNI) for a connection to `cluster`, as Istio forms it:
/// `outbound_.9080_.v1_.reviews.default.svc.cluster.local`
/// (`BuildDNSSrvSubsetKey` in pilot/pkg/model/service.go).
///
/// Nobody verifies it; it is there for the same bytes on the wire. A name that
/// cannot be one (a subset with odd characters, more than 253 bytes) is not sent.
pub fn server_name(cluster: &ClusterName) -> ServerName<'static> {
    let name = cluster.as_str().replace('|', "_.");
    ServerName::try_from(name).unwrap_or(ServerName::IpAddress(
        IpAddr::V4(Ipv4Addr::UNSPECIFIED).into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_istios_form() {
        let name = |cluster: ClusterName| server_name(&cluster).to_str().into_owned();
        let host = "reviews.default.svc.cluster.local";
        assert_eq!(
            name(ClusterName::outbound(9080, Some("v1"), host)),
            "outbound_.9080_.v1_.reviews.default.svc.cluster.local"
        );
        assert_eq!(
            name(ClusterName::outbound(9080, None, host)),
            "outbound_.9080_._.reviews.default.svc.cluster.local"
        );
    }

    #[test]
    fn an_impossible_name_is_not_sent() {
        let odd = ClusterName::outbound(80, Some("a b"), "x");
        assert!(matches!(server_name(&odd), ServerName::IpAddress(_)));
        let long = ClusterName::outbound(80, None, &"x.".repeat(200));
        assert!(matches!(server_name(&long), ServerName::IpAddress(_)));
    }
}

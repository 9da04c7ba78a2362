//! Security, proved on the wire.
//!
//! Real sidecars, a real control plane and real TLS run on the simulated
//! network; strangers stand next to them with everything an attacker inside
//! the cluster has: an address, a TCP stack, a TLS stack, a stolen token, a
//! certificate of the wrong name, of the wrong authority, of the wrong day.
//! What each of them achieves is read at three places: what they got back,
//! what the app behind the sidecar saw, and what the sidecar told.
//!
//! Expected statuses, flags and reasons are Istio's and Envoy's, as documented
//! (istio.io: PeerAuthentication, AuthorizationPolicy, authorization policy
//! normalization) and observed (cases `mtls_permissive`,
//! `mtls_sidecar_to_sidecar_tls12`, `rbac_mtls_principal`).

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers too")]

mod app;
mod credentials;
mod mesh;
mod story;
mod stranger;
mod wiretap;

mod certificate;
mod control;
mod expiry;
mod hardening;
mod mode;
mod naming;
mod plaintext;
mod policy_change;

//! SPIFFE ids, the CA, SVID issue and rotation, rustls configurations and verifiers.

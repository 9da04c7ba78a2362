//! The sidecar: inbound and outbound listeners, connection pools, the order of the filters.

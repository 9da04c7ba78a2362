//! Istio and the mesh form of the Gateway API.

//! Topologies from other people's files: Kubernetes manifests, isotope service graphs.

//! Puts the parts together: pods, control plane, CA, clients; build, run, record.

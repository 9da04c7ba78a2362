//! Endpoints, locality and priority, load-balancing algorithms, panic threshold, slow start.

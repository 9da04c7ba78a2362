//! The network and the clock: turmoil-net sockets under an event loop of our own.

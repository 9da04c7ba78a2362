//! The scenario file: one YAML file that a person can read aloud.
//!
//! A scenario says which mesh there is and what it was told, what runs in it and
//! where, who calls, what goes wrong, and what must hold. [`load`] reads it with
//! every file it names and makes a [`Plan`](crate::plan::Plan), in which every
//! reference is found and every default filled in. Whatever is wrong is said all
//! at once, each mistake with its line, and with the name that was probably
//! meant. [`schema`] describes the format to editors; it is made from the types
//! that read it, so the two cannot differ.
//!
//! # A full example
//!
//! ```yaml
//! meshquake: v1
//! name: reviews-zone-outage
//! about: Zone b disappears for 20 s; shoppers must not notice for longer than outlier detection needs.
//! seed: 7
//! duration: 2m
//! epoch: 2026-03-01T12:00:00Z
//!
//! mesh:
//!   profile: istio
//!   # config: [mesh/*.yaml]              VirtualService, DestinationRule… unchanged
//!   trust-domain: shop.example
//!   proxy-latency: lognormal(p50=600us, p99=2ms)
//!   defaults: { retries: 2, mtls: strict }
//!
//! topology:
//!   # import: [k8s/*.yaml]               Deployments, Services, ServiceAccounts; isotope graphs
//!   namespace: default
//!   zones: [a, b, c]
//!   links:
//!     same-zone: 250us
//!     cross-zone: { latency: 1ms ± 200us, loss: 0.01%, bandwidth: 1Gbit/s, queue: 1MiB }
//!
//! services:
//!   productpage:
//!     replicas: 3
//!     ports: [9080]
//!     handles:
//!       GET /productpage:
//!         - [call: details, call: { service: reviews, path: /reviews/1, timeout: 3s, tries: 2 }]
//!         - sleep: 5ms
//!       /login: { responses: [200], response-size: 1KiB }
//!   details: { ports: [{ port: 9080, name: http }] }
//!   reviews:
//!     ports: [9080]
//!     script: [call: { service: ratings, forward: [end-user], optional: true }]
//!     versions:
//!       v1: { script: [] }
//!       v2: { replicas: 2, zone: [a, b] }
//!       v3: { errors: every 100th }
//!   ratings:
//!     ports: [9080]
//!     service-time: lognormal(p50=4ms, p99=30ms)
//!     workers: 8
//!     queue: 32
//!     queue-order: lifo
//!     cancel: finish
//!
//! traffic:
//!   shoppers:
//!     to: http://productpage:9080/productpage
//!     rate: poisson(50/s)
//!     stages: [{ at: 1m, rate: 100/s, over: 10s }]
//!     bursts: [{ at: 90s, for: 5s, times: 3 }]
//!     timeout: 2s
//!   clerks: { to: "http://productpage/login", users: 5, think: exponential(2s), zone: a }
//!   probe:
//!     to: http://reviews/
//!     sidecar: false
//!     requests:
//!       - { at: 1s, headers: { end-user: jason }, expect: { status: none } }
//!       - { at: 2s, count: 5, every: 100ms }
//!
//! faults:
//!   - { at: 30s, for: 20s, partition: { zone: b } }
//!   - { at: 60s, for: 10s, latency: { add: 200ms, from: reviews, to: ratings } }
//!   - { name: v2-gone, at: 80s, for: 5s, crash: { service: reviews, version: v2 } }
//!   - { at: 95s, restart: ratings-* }
//!
//! expect:
//!   - { traffic: shoppers, during: 30s..32s, success: ">= 50%" }
//!   - { traffic: shoppers, during: 35s..50s, success: ">= 99.9%", p99: "< 250ms" }
//!   - { edge: productpage -> reviews, during: fault v2-gone, attempts: <= 2 }
//!   - { recovers: shoppers, within: 10s, to: 95% }
//! ```
//!
//! # Values
//!
//! | value | forms |
//! |---|---|
//! | time | `250ms`, `1m30s`, `2d`; units `ns us ms s m h d` |
//! | time that varies | a time, `1ms ± 200us` (or `+-`), `uniform(1ms, 3ms)`, `exponential(2ms)`, `normal(10ms, 2ms)`, `lognormal(p50=4ms, p99=30ms)`, `pareto(min=1ms, shape=1.5)`, `empirical([1ms, 2ms])` |
//! | rate | `50/s`, `600/m`, `1/h` |
//! | arrivals | `poisson(50/s)`, `constant(50/s)`; a bare rate is Poisson |
//! | share | `5%` |
//! | errors | a share of requests at random, or `every 20th` of each replica |
//! | size | `512B`, `10KiB`, `1MiB`, `1GiB`; `kB`, `MB`, `GB` count in thousands; a bare number is bytes |
//! | bandwidth | `100Mbit/s`, `1Gbit/s` |
//! | window | `30s..45s` without its end, `30s..` to the end of the run, `..10s` from its beginning; `fault cut` while it is there, `cut + 2s..cut + 10s`, `end of cut..`, `faults` |
//! | boundary | of `before` and `after`: `cut`, `cut + 5s`, `faults`, `30s` |
//! | demand | `>= 99%`, `< 250ms`, `>= 270/s`, `<= 1.2`, `== 0`; `< <= > >= ==` |
//! | edge | `web -> db`, `web -> *`, `any -> db` |
//! | date | `2026-03-01`, `2026-03-01T12:00:00Z`, or seconds since 1970; UTC |
//! | callee | `reviews`, `reviews.prod`, `reviews:9080`, or a host of a ServiceEntry or a route |
//! | files | a path or a pattern (`mesh/*.yaml`, `**/*.yaml`), relative to the scenario |
//!
//! # Rules
//!
//! **Services.** An entry whose name an import declares adds behaviour: under
//! the name of a Service, to all its pods; under one of its `versions`, to the
//! pods with that `version` label; under the name of a Deployment, to that one.
//! The more particular entry wins, field by field; `handles` path by path. Any
//! other name defines a service, with pods `name-0…` or, with versions,
//! `name-version-0…`, labelled `app` and `version`. An imported Service that no
//! Deployment stands behind gets its pods from its entry. Without behaviour an
//! app answers 200 at once.
//!
//! **Requests.** `handles` is matched by method and path prefix, the longest
//! prefix first; other requests run `script` and `responses` of the service.
//! `service-time`, `errors` and `response-size` of the service hold for every
//! handler that says nothing.
//!
//! **Scripts** are isotope's: a list of `sleep`, `call` and `cache`, one after the
//! other; a list within the list is done all at once. A `cache` does the steps of
//! its `miss` unless it hits. The first failure ends the request
//! with a 500, unless the call is `optional`. A call that would surely come back
//! to itself is refused.
//!
//! **Responses** are given in turn, the last one for ever: a status, `reset`,
//! `hang`, `close`, `{ refuse: 2s }`, `{ slow-body: { size: 1MiB, over: 10s } }`, or
//! `{ status: 503, delay: 10ms, headers: {…}, size: 1KiB }`.
//!
//! **Zones** are taken in turn by the replicas of each deployment, the first
//! replica in the first zone. A traffic source is outside all zones unless it has
//! a `zone`, so that a zone fault does not cut off the caller unasked.
//!
//! **Traffic** is open (`rate`, changed by `stages` and `bursts`), closed (`users`
//! who `think`), or scripted (`requests`).
//!
//! **Faults** choose pods by `service` (or traffic source), `version`, `pod` (with
//! `*`), `zone`, `region` and `namespace`, all of which must hold; a text alone is a
//! service, or a pattern of pod names. `partition` and `latency` concern packets
//! between those pods and everybody else, or between `from` and `to`, both ways
//! unless `one-way`.
//!
//! **Expectations** are of `traffic`, of an `edge`, of a `service`, or of the whole
//! `mesh`, over the time that `during`, `before` and `after` have in common; or they
//! say that a fault is noticed (`detects`) or that goodput comes back (`recovers`).
//! `docs/expectations.md` has an example of each measure.
//!
//! **Identity.** The service account of what the scenario defines is its name.

mod cut;
mod file;
mod glob;
mod inputs;
mod load;
mod objects;
mod problems;
mod resolve;
mod schema;
mod starter;
mod value;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use load::load_source;
pub use load::{Loaded, Overrides, load};
pub use schema::schema;
pub use starter::starter;

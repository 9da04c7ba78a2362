//! What is settled about a request before it is sent: its trace, its part of the mix, its key.
//!
//! Each of these has a stream of its own and takes the same number of words from
//! it for every request, fault or no fault, so that the k-th request has the
//! same luck in every run with the same seed.

use std::cell::RefCell;
use std::rc::Rc;

use http::{HeaderName, HeaderValue};
use mesh_core::seam::{Instant, Rng, Seams};
use mesh_core::telemetry::TraceContext;

use super::knobs::SourceLever;
use super::request::Turn;
use super::source::{Source, stream};
use crate::app::{self, fork, hits, scaled};
use crate::plan::{KeyPlan, SourceEffect};

/// The random streams that settle what a request is, before it is sent.
pub(super) struct Draws {
    /// Whether they are a fault's, and not the source's own.
    pub(super) added: bool,
    traces: RefCell<Rng>,
    mix: RefCell<Rng>,
    keys: RefCell<Rng>,
    backoff: RefCell<Rng>,
}

/// The keys of requests, and the header that carries them.
pub(super) struct Keys {
    header: HeaderName,
    draws: app::Draws,
}

impl Keys {
    pub(super) fn new(plan: &KeyPlan) -> Option<Self> {
        // It was looked at when the scenario was read.
        let header = HeaderName::from_bytes(plan.header.as_bytes()).ok()?;
        let draws = app::Draws::new(&plan.draw);
        Some(Self { header, draws })
    }
}

impl Draws {
    pub(super) fn of_source(seams: &Seams, name: &str) -> Self {
        Self {
            added: false,
            traces: RefCell::new(stream(seams, name, "traces")),
            mix: RefCell::new(stream(seams, name, "mix")),
            keys: RefCell::new(stream(seams, name, "keys")),
            backoff: RefCell::new(stream(seams, name, "backoff")),
        }
    }

    /// Those of the requests that a fault adds.
    pub(super) fn of_fault(lever: &SourceLever) -> Rc<Self> {
        let mut rng = lever.rng.borrow_mut();
        Rc::new(Self {
            added: true,
            traces: RefCell::new(fork(&mut rng)),
            mix: RefCell::new(fork(&mut rng)),
            keys: RefCell::new(fork(&mut rng)),
            backoff: RefCell::new(fork(&mut rng)),
        })
    }
}

impl Source {
    /// What is settled about a request before it is sent.
    pub(super) fn turn(&self, draws: &Draws, sequence: u64, intended: Instant) -> Turn {
        let mut rng = draws.traces.borrow_mut();
        Turn {
            sequence,
            intended,
            context: TraceContext::start(&mut rng),
            request_id: (u128::from(rng.bits()) << 64) | u128::from(rng.bits()),
            part: self.part(draws),
            key: self.key(draws),
            backoff_luck: draws.backoff.borrow_mut().bits(),
        }
    }

    /// Which part of the mix a request is, if there is a mix.
    fn part(&self, draws: &Draws) -> Option<usize> {
        let mix = &self.client_plan.mix;
        if mix.is_empty() {
            return None;
        }
        let luck = draws.mix.borrow_mut().bits();
        let own = weighted(luck, mix.iter().map(|part| part.weight));
        let lever = self
            .knobs
            .find(|effect| matches!(effect, SourceEffect::Mix(_)));
        let Some((lever, SourceEffect::Mix(weights))) =
            lever.as_ref().map(|lever| (lever, &lever.effect))
        else {
            return Some(own);
        };
        let part = weighted(luck, weights.iter().copied());
        if part != own {
            lever.touch();
        }
        Some(part)
    }

    /// The key of a request, and the header that carries it, if its source has keys. Two words are drawn, whether or not a
    /// fault needs the second.
    fn key(&self, draws: &Draws) -> Option<(HeaderName, HeaderValue)> {
        let keys = self.keys.as_ref()?;
        let (luck, hot_luck) = {
            let mut rng = draws.keys.borrow_mut();
            (rng.bits(), rng.bits())
        };
        let lever = self.knobs.find(
            |effect| matches!(effect, SourceEffect::HotKey { rate, .. } if hits(hot_luck, *rate)),
        );
        let key = match lever.as_ref().map(|lever| (lever, &lever.effect)) {
            Some((lever, SourceEffect::HotKey { key, .. })) => {
                lever.touch();
                HeaderValue::from_str(key).ok()?
            }
            _ => HeaderValue::from(keys.draws.key(luck)),
        };
        Some((keys.header.clone(), key))
    }
}

/// The place that a uniform word falls on, in proportion to the weights.
fn weighted(luck: u64, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut left = scaled(luck, total);
    for (place, weight) in weights.enumerate() {
        match left.checked_sub(weight.into()) {
            None => return place,
            Some(rest) => left = rest,
        }
    }
    0
}

//! What a balancer derives from one generation of its endpoints.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::locality::{Localities, LocalityWeights, shares};
use super::maglev::Maglev;
use super::priority::{Census, Spread};
use super::ring::Ring;
use super::slow_start::SlowStart;
use super::source::{Method, Source};
use super::{EndpointSet, EndpointState, Pick};
use crate::policy::HashAlgorithm;
use crate::seam::{Instant, Rng};

/// How endpoints are picked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Algorithm {
    /// By turn, chance or load.
    Compare(Method),
    /// By the request's hash.
    Hash(HashAlgorithm),
}

/// A balancer's resolved settings.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) algorithm: Algorithm,
    pub(super) slow_start: Option<SlowStart>,
    pub(super) panic_threshold_percent: u32,
    /// Where rotations begin: drawn once, so that rebuilds go on where they were.
    pub(super) seed: u64,
}

/// One draw of an endpoint.
#[derive(Debug)]
pub(super) struct Draw<'a> {
    pub(super) settings: &'a Settings,
    pub(super) now: Instant,
    pub(super) hash: u64,
    /// How many draws came before for the same request.
    pub(super) redraw: u32,
    pub(super) avoid_priorities: &'a [u32],
}

/// Priorities with their endpoints, schedules and tables.
#[derive(Debug)]
pub(super) struct Layout {
    generation: u64,
    spread: Spread,
    tiers: Vec<Tier>,
}

/// One priority.
#[derive(Debug)]
struct Tier {
    priority: u32,
    panics: bool,
    /// The endpoints in use: the available ones, or all in panic.
    whole: Source,
    /// Locality weights, when there are any and the priority does not panic.
    localities: Option<Localities>,
    /// For consistent hashing: indices into `whole`.
    table: Option<Table>,
}

/// A rotation to be continued after a rebuild: priority, panic, place of the locality.
type CursorKey = (u32, bool, Option<usize>);

impl Layout {
    /// The layout of the set's present generation, continuing the rotations of `old`.
    pub(super) fn build(
        settings: &Settings,
        set: &EndpointSet,
        old: Option<Self>,
        now: Instant,
    ) -> Self {
        let cursors = old.map(Self::into_cursors).unwrap_or_default();
        let mut by_priority: BTreeMap<u32, Vec<Rc<EndpointState>>> = BTreeMap::new();
        for endpoint in set.members().iter() {
            let same = by_priority.entry(endpoint.priority()).or_default();
            same.push(endpoint.clone());
        }
        let census: Vec<Census> = by_priority
            .values()
            .map(|endpoints| Census {
                endpoints: endpoints.len() as u64,
                healthy: endpoints.iter().filter(|e| e.available()).count() as u64,
            })
            .collect();
        let spread = Spread::new(&census, settings.panic_threshold_percent);
        let weights = set.locality_weights();
        let tiers = by_priority
            .into_iter()
            .enumerate()
            .map(|(place, (priority, all))| {
                let panics = spread.panics(place);
                let mut tier = Tier::build(settings, &weights, (priority, panics), &all, now);
                tier.resume(&cursors);
                tier
            })
            .collect();
        Self {
            generation: set.generation(),
            spread,
            tiers,
        }
    }

    /// The generation it was derived from.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether there is one endpoint, which is drawn whatever is asked for, and nothing else to keep count of.
    pub(super) fn has_no_choice(&self) -> bool {
        let [tier] = &*self.tiers else {
            return false;
        };
        tier.priority == 0
            && !tier.panics
            && tier.localities.is_none()
            && tier.table.is_none()
            && tier.whole.endpoints().len() == 1
            && self.spread.sole() == Some(0)
    }

    /// Draws an endpoint.
    pub(super) fn draw(&mut self, draw: &Draw<'_>, rng: &mut Rng) -> Option<Pick> {
        let chosen = self.choose_tier(draw, rng);
        let tier = self.tiers.get_mut(chosen)?;
        let settings = draw.settings;
        let endpoint = match (&tier.table, settings.algorithm) {
            (Some(table), _) => {
                let index = table.choose(draw.hash, draw.redraw)?;
                tier.whole.endpoints().get(index)?.clone()
            }
            (None, Algorithm::Compare(method)) => {
                let slow_start = settings.slow_start.as_ref();
                let source = tier.source();
                source.pick(method, slow_start, draw.now, rng)?.clone()
            }
            (None, Algorithm::Hash(_)) => return None,
        };
        Some(Pick {
            endpoint,
            panicked: tier.panics,
            priority: tier.priority,
        })
    }

    fn choose_tier(&self, draw: &Draw<'_>, rng: &mut Rng) -> usize {
        let mut roll = || match draw.settings.algorithm {
            Algorithm::Hash(_) => draw.hash % 100,
            Algorithm::Compare(_) => rng.below(100),
        };
        if !draw.avoid_priorities.is_empty() {
            let avoid = |place: usize| {
                let tier = self.tiers.get(place);
                tier.is_some_and(|tier| draw.avoid_priorities.contains(&tier.priority))
            };
            return self.spread.choose_avoiding(avoid, roll());
        }
        match self.spread.sole() {
            Some(sole) => sole,
            None => self.spread.choose(roll()),
        }
    }

    fn into_cursors(mut self) -> BTreeMap<CursorKey, u64> {
        let mut cursors = BTreeMap::new();
        for tier in &mut self.tiers {
            tier.each_source(|key, source| {
                cursors.insert(key, source.cursor);
            });
        }
        cursors
    }
}

impl Tier {
    fn build(
        settings: &Settings,
        weights: &LocalityWeights,
        (priority, panics): (u32, bool),
        all: &[Rc<EndpointState>],
        now: Instant,
    ) -> Self {
        let used = all.iter().filter(|e| panics || e.available()).cloned();
        let mut used: Vec<_> = used.collect();
        let source = |endpoints, method| {
            let slow_start = settings.slow_start.as_ref();
            Source::new(endpoints, method, slow_start, now, settings.seed)
        };
        let (whole, localities, table) = match settings.algorithm {
            Algorithm::Hash(algorithm) => {
                let shares = shares(&mut used, weights);
                let table = Table::new(algorithm, &shares);
                (source(used, Method::Random), None, Some(table))
            }
            Algorithm::Compare(method) => {
                let localities = (!panics && !weights.is_empty()).then(|| {
                    let local = |endpoints| source(endpoints, method);
                    Localities::build(all, weights, local, settings.seed)
                });
                (source(used, method), localities.flatten(), None)
            }
        };
        Self {
            priority,
            panics,
            whole,
            localities,
            table,
        }
    }

    fn resume(&mut self, cursors: &BTreeMap<CursorKey, u64>) {
        self.each_source(|key, source| {
            if let Some(cursor) = cursors.get(&key) {
                source.cursor = *cursor;
            }
        });
    }

    fn each_source(&mut self, mut f: impl FnMut(CursorKey, &mut Source)) {
        f((self.priority, self.panics, None), &mut self.whole);
        let localities = self.localities.iter_mut().flat_map(Localities::sources);
        for (place, source) in localities.enumerate() {
            f((self.priority, self.panics, Some(place)), source);
        }
    }

    /// The endpoints of the locality whose turn it is, or all in use.
    fn source(&mut self) -> &mut Source {
        match &mut self.localities {
            Some(localities) => localities.next().unwrap_or(&mut self.whole),
            None => &mut self.whole,
        }
    }
}

/// A lookup table of consistent hashing.
#[derive(Debug)]
enum Table {
    Ring(Ring),
    Maglev(Maglev),
}

impl Table {
    fn new(algorithm: HashAlgorithm, shares: &[(String, f64)]) -> Self {
        match algorithm {
            HashAlgorithm::Ring { size_min } => Self::Ring(Ring::new(shares, size_min)),
            HashAlgorithm::Maglev { table_size } => Self::Maglev(Maglev::new(shares, table_size)),
        }
    }

    fn choose(&self, hash: u64, redraw: u32) -> Option<usize> {
        match self {
            Self::Ring(ring) => ring.choose(hash, redraw),
            Self::Maglev(maglev) => maglev.choose(hash, redraw),
        }
    }
}

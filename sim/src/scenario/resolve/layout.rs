//! Zones, regions and the links between them.

use std::sync::Arc;
use std::time::Duration;

use mesh_core::control::Locality;
use mesh_core::policy::Fraction;

use crate::plan::{Distribution, LinkPlan, LinkQuality};
use crate::scenario::file::{LinkSpec, OneOrMore, Placed, Short, TopologySpec};
use crate::scenario::problems::Problems;
use crate::scenario::value::Name;

/// The region of zones that are listed without one.
const REGION: &str = "default";

/// Where things can run.
pub(super) struct Layout {
    /// The namespace of whatever names none.
    pub(super) namespace: String,
    /// All zones, in the order written.
    pub(super) zones: Vec<Locality>,
    /// The network.
    pub(super) links: LinkPlan,
    /// Nodes of each zone.
    pub(super) nodes: u32,
}

impl Layout {
    pub(super) fn new(spec: &TopologySpec, problems: &mut Problems) -> Self {
        let mut layout = Self {
            namespace: spec
                .namespace
                .as_ref()
                .map_or_else(|| "default".to_owned(), |name| name.0.clone()),
            zones: Vec::new(),
            links: links(spec),
            nodes: nodes(spec, problems),
        };
        layout.add_zones(REGION, &spec.zones, problems);
        for (region, zones) in spec.regions.iter() {
            if !spec.zones.is_empty() {
                let error = problems
                    .error(region.at(), "`regions` and `zones` are both given")
                    .help("put the zones into their regions");
                problems.push(error);
                break;
            }
            if zones.is_empty() {
                let error =
                    problems.error(region.at(), format!("region `{}` has no zone", region.0));
                problems.push(error);
            }
            layout.add_zones(&region.0, zones, problems);
        }
        layout
    }

    fn add_zones(&mut self, region: &str, zones: &[Placed<Name>], problems: &mut Problems) {
        for zone in zones {
            if self.zones.iter().any(|known| *known.zone == *zone.0) {
                let error = problems.error(zone.at(), format!("zone `{}` is given twice", zone.0));
                problems.push(error);
                continue;
            }
            self.zones.push(Locality {
                region: Arc::from(region),
                zone: Arc::from(zone.0.as_str()),
                subzone: Arc::from(""),
            });
        }
    }

    /// The zones named, or all of them when none are.
    pub(super) fn places(
        &self,
        zones: Option<&OneOrMore<Name>>,
        problems: &mut Problems,
    ) -> Vec<Locality> {
        let Some(OneOrMore(zones)) = zones else {
            return self.anywhere();
        };
        let places: Vec<Locality> = zones
            .iter()
            .filter_map(|zone| self.zone(zone, problems))
            .collect();
        if places.is_empty() {
            self.anywhere()
        } else {
            places
        }
    }

    fn anywhere(&self) -> Vec<Locality> {
        if self.zones.is_empty() {
            vec![Locality::default()]
        } else {
            self.zones.clone()
        }
    }

    /// The zone of a name.
    pub(super) fn zone(&self, name: &Placed<Name>, problems: &mut Problems) -> Option<Locality> {
        let found = self.zones.iter().find(|known| *known.zone == *name.0);
        if found.is_none() {
            let error = problems
                .error(name.at(), format!("no zone `{}`", name.0))
                .did_you_mean(&name.0, self.zones.iter().map(|known| &*known.zone));
            let error = if self.zones.is_empty() {
                error.help("list the zones under `topology.zones`")
            } else {
                error
            };
            problems.push(error);
        }
        found.cloned()
    }

    /// Where an imported pod runs that is pinned to `pin`, whose empty parts are free.
    pub(super) fn pinned(&self, pin: &Locality) -> Vec<Locality> {
        if pin.zone.is_empty() && pin.region.is_empty() {
            return self.anywhere();
        }
        let fits = |zone: &&Locality| {
            (pin.zone.is_empty() || zone.zone == pin.zone)
                && (pin.region.is_empty() || zone.region == pin.region)
        };
        let fitting: Vec<Locality> = self.zones.iter().filter(fits).cloned().collect();
        if fitting.is_empty() {
            vec![pin.clone()]
        } else {
            fitting
        }
    }

    /// Outside every zone, yet in the first region: where callers are unless they say.
    pub(super) fn outside(&self) -> Locality {
        Locality {
            region: self
                .zones
                .first()
                .map_or_else(|| Arc::from(""), |zone| zone.region.clone()),
            ..Locality::default()
        }
    }
}

/// How many nodes each zone has.
fn nodes(spec: &TopologySpec, problems: &mut Problems) -> u32 {
    let nodes = spec.nodes.as_ref().map_or(1, |nodes| *nodes.value());
    if let Some(zero) = spec.nodes.as_ref().filter(|_| nodes == 0) {
        problems.push(problems.error(zero.at(), "pods need a node to run on"));
    }
    nodes
}

fn links(spec: &TopologySpec) -> LinkPlan {
    let links = &spec.links;
    LinkPlan {
        same_zone: link(links.same_zone.as_ref(), SAME_ZONE),
        cross_zone: link(links.cross_zone.as_ref(), CROSS_ZONE),
        cross_region: link(links.cross_region.as_ref(), CROSS_REGION),
    }
}

// Round figures of Meshquake's own for one-way latency in a public cloud; a
// scenario that cares measures its own network and says so.
const SAME_ZONE: Duration = Duration::from_micros(250);
const CROSS_ZONE: Duration = Duration::from_millis(1);
const CROSS_REGION: Duration = Duration::from_millis(30);

fn link(spec: Option<&Placed<Short<LinkSpec>>>, latency: Duration) -> LinkQuality {
    match spec {
        None => LinkQuality {
            latency: Distribution::Constant(latency),
            loss: 0.0,
            bandwidth_bps: None,
            queue_bytes_max: None,
        },
        Some(spec) => LinkQuality {
            latency: spec.latency.0.clone(),
            loss: spec.loss.map_or(Fraction::ZERO, |share| share.0).ratio(),
            bandwidth_bps: spec.bandwidth.map(|bandwidth| bandwidth.0),
            queue_bytes_max: spec.queue.map(|size| size.0),
        },
    }
}

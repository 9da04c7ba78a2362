//! Packets and names.

use super::{Given, push, told};
use crate::plan::{DnsAnswer, EdgeSelector, FarEnd, NetworkFault};
use crate::scenario::file::{DnsAnswerSpec, FaultSpec, PacketsSpec, Placed, Short};
use crate::scenario::problems::Problems;
use globset::GlobBuilder;
use mesh_core::document::Diagnostic;
use mesh_core::policy::Position;

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    if let Some(part) = &spec.latency {
        let add = &part.add.0;
        edge(
            all,
            "latency",
            part.at(),
            || part.edge(),
            |on| NetworkFault::Latency {
                on,
                add: add.clone(),
            },
        );
    }
    if let Some(part) = &spec.loss {
        let share = f64::from(part.rate.0.ppm()) / 1e6;
        edge(
            all,
            "loss",
            part.at(),
            || part.edge(),
            move |on| NetworkFault::Loss { on, share },
        );
    }
    if let Some(part) = &spec.bandwidth {
        let (bps, queue_bytes_max) = (part.limit.0, part.queue.map(|size| size.0));
        edge(
            all,
            "bandwidth",
            part.at(),
            || part.edge(),
            move |on| NetworkFault::Bandwidth {
                on,
                bps,
                queue_bytes_max,
            },
        );
    }
    packets(all, "partition", spec.partition.as_ref(), |on| {
        NetworkFault::Partition { on }
    });
    packets(all, "blackhole", spec.blackhole.as_ref(), |on| {
        NetworkFault::Blackhole { on }
    });
    packets(all, "reset", spec.reset.as_ref(), |on| {
        NetworkFault::Reset { on }
    });
    packets(all, "refuse", spec.refuse.as_ref(), |on| {
        NetworkFault::Refuse { on }
    });
    packets(all, "half-open", spec.half_open.as_ref(), |on| {
        NetworkFault::HalfOpen { on }
    });
    if let Some(part) = &spec.isolate {
        push(all, "isolate", part.at(), move |context, problems| {
            let from = context.workloads(part, part.at(), problems)?;
            let text = from.text.clone();
            let on = EdgeSelector {
                from,
                to: FarEnd::Everybody,
                both_ways: true,
                port: None,
            };
            Ok((NetworkFault::Partition { on }, text))
        });
    }
    dns(spec, all);
}

/// A part that chooses packets and nothing else.
fn packets<'a>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    part: Option<&'a Placed<Short<PacketsSpec>>>,
    make: impl Fn(EdgeSelector) -> NetworkFault + 'a,
) {
    if let Some(part) = part {
        edge(all, key, part.at(), || part.edge(), make);
    }
}

fn edge<'a>(
    all: &mut Vec<Given<'a>>,
    key: &'static str,
    at: &'a Position,
    spec: impl Fn() -> crate::scenario::file::EdgeSpec + 'a,
    make: impl Fn(EdgeSelector) -> NetworkFault + 'a,
) {
    push(all, key, at, move |context, problems| {
        let on = context.edge(&spec(), at, problems)?;
        let text = told(&on);
        Ok((make(on), text))
    });
}

fn dns<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    let Some(part) = &spec.dns else { return };
    push(all, "dns", part.at(), move |context, problems| {
        let from = match &part.from {
            Some(from) => Some(context.workloads(from, from.at(), problems)?),
            None => None,
        };
        if let Some(host) = &part.host {
            GlobBuilder::new(host).build().map_err(|error| {
                let message = format!("`{}` is not a pattern: {}", host.value(), error.kind());
                problems.error(host.at(), message)
            })?;
        }
        let answer = dns_answer(part, problems)?;
        let names = part.host.as_ref().map(|host| host.value().clone());
        let text = names.clone().unwrap_or_else(|| "of every name".into());
        Ok((
            NetworkFault::Dns {
                from,
                names,
                answer,
            },
            text,
        ))
    });
}

fn dns_answer(
    part: &crate::scenario::file::DnsSpec,
    problems: &Problems,
) -> Result<DnsAnswer, Diagnostic> {
    let answer = match part.answer.value() {
        DnsAnswerSpec::Slow => {
            let delay = part.delay.as_ref().ok_or_else(|| {
                let error = problems.error(part.answer.at(), "how slow is the answer?");
                error.help("add `delay: 5s`")
            })?;
            return Ok(DnsAnswer::Slow(delay.0));
        }
        DnsAnswerSpec::Nxdomain => DnsAnswer::NoSuchName,
        DnsAnswerSpec::Empty => DnsAnswer::Empty,
        DnsAnswerSpec::Stale => DnsAnswer::Stale,
    };
    match &part.delay {
        Some(delay) => Err(problems.error(delay.at(), "only a `slow` answer has a delay")),
        None => Ok(answer),
    }
}

//! Clocks that are wrong.

use mesh_core::document::Diagnostic;

use super::{Context, Given, push};
use crate::plan::ClockFault;
use crate::scenario::file::{ClockSpec, FaultSpec, Placed};
use crate::scenario::problems::Problems;
use crate::scenario::value::Shift;

/// What of this family is given.
pub(super) fn given<'a>(spec: &'a FaultSpec, all: &mut Vec<Given<'a>>) {
    let Some(part) = &spec.clock else { return };
    push(all, "clock", part.at(), move |context, problems| {
        let fault = clock(part, context, problems)?;
        let text = fault.pods.text.clone();
        Ok((fault, text))
    });
}

fn clock(
    part: &Placed<ClockSpec>,
    context: &Context<'_>,
    problems: &Problems,
) -> Result<ClockFault, Diagnostic> {
    let pods = context.hosts(&part.pods(), part.at(), problems)?;
    if part.offset.is_none() && part.drift.is_none() && part.jump.is_none() {
        let error = problems.error(part.at(), "what is wrong with the clock?");
        return Err(error.help("such as `offset: 10m`, `drift: 200ppm` or `jump: -1h`"));
    }
    let nanos = |shift: &Option<Placed<Shift>>| shift.as_ref().map_or(0, |shift| shift.0);
    let (offset_ns, jump_ns) = (nanos(&part.offset), nanos(&part.jump));
    let drift_ppb = part.drift.as_ref().map_or(0, |drift| drift.0);
    if offset_ns == 0 && jump_ns == 0 && drift_ppb == 0 {
        return Err(problems.error(part.at(), "such a clock is right"));
    }
    Ok(ClockFault {
        pods,
        offset_ns,
        jump_ns,
        drift_ppb,
    })
}

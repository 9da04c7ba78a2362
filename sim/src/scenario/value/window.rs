//! Windows of the run: `30s..45s`, `fault cut`, `cut + 2s..cut + 10s`, `faults`.
//!
//! A person reads them aloud. A **moment** is a time of the scenario's clock
//! (`30s`), the beginning of a fault (`cut`), or its end (`end of cut`), the
//! latter two moved by a time if need be (`cut + 2s`, `end of cut - 500ms`). A name that could
//! be taken for something else is written `fault NAME`.

use std::time::Duration;

use crate::plan::{Offset, Turn};

use super::{Text, Time, text};

/// Faults as written: all of them, or those with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FaultName {
    All,
    Named(String),
}

/// A moment of each occurrence of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultMoment {
    pub(crate) name: FaultName,
    pub(crate) turn: Turn,
    pub(crate) offset: Offset,
}

/// A window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum During {
    /// Of the clock; an absent end is the run's.
    Clock {
        from: Duration,
        to: Option<Duration>,
    },
    /// While a fault is there.
    Fault(FaultName),
    /// From one moment of each occurrence to another of the same; an absent end is the run's.
    Moments {
        from: FaultMoment,
        to: Option<FaultMoment>,
    },
}

/// What a window ends before, or begins after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// A time of the clock.
    Clock(Duration),
    /// A fault: before its first beginning, after its last end, moved by a time.
    Fault { name: FaultName, offset: Offset },
}

impl Text for During {
    const NAME: &'static str = "Window";
    const EXPECTED: &'static str = "a window such as `30s..45s` or `fault NAME`";
    const ABOUT: &'static str = "A window of the run: from the first time up to, not including, the second; `30s..` lasts to the end. `fault cut` is while the fault `cut` is there, `faults` while any is; `cut + 2s..cut + 10s` counts from its beginning, `end of cut..end of cut + 5s` from its end, each time it comes.";
    const PATTERN: &'static str = r"^(?:faults|fault .+|.*\.\..*)$";
    const EXAMPLES: &'static [&'static str] = &[
        "30s..45s",
        "1m..",
        "..10s",
        "fault cut",
        "faults",
        "cut + 2s..cut + 10s",
        "end of cut..end of cut + 5s",
    ];

    fn parse(text: &str) -> Result<Self, String> {
        if text == "faults" {
            return Ok(Self::Fault(FaultName::All));
        }
        let Some((from, to)) = text.split_once("..") else {
            let named = text.strip_prefix("fault ").map(str::trim);
            return match named.filter(|name| !name.is_empty()) {
                Some(name) => Ok(Self::Fault(FaultName::Named(name.to_owned()))),
                None => Err(format!("`{text}` is not {}", Self::EXPECTED)),
            };
        };
        let (from, to) = (from.trim_end_matches(' '), to.trim_start_matches(' '));
        match (Moment::parse(from)?, Moment::parse(to)?) {
            (None, None) => Ok(Self::Clock {
                from: Duration::ZERO,
                to: None,
            }),
            (from @ (None | Some(Moment::Clock(_))), to @ (None | Some(Moment::Clock(_)))) => {
                let (from, to) = (clock(from).unwrap_or_default(), clock(to));
                if to.is_some_and(|to| to <= from) {
                    return Err(format!("`{text}` ends before it begins"));
                }
                Ok(Self::Clock { from, to })
            }
            (Some(Moment::Fault(from)), None) => Ok(Self::Moments { from, to: None }),
            (Some(Moment::Fault(from)), Some(Moment::Fault(to))) if from.name == to.name => {
                if from.turn == to.turn && to.offset.apply(HALFWAY) <= from.offset.apply(HALFWAY) {
                    return Err(format!("`{text}` ends before it begins"));
                }
                Ok(Self::Moments { from, to: Some(to) })
            }
            (None, Some(_)) => Err(format!(
                "`{text}` has no beginning; the time before a fault is `before: NAME`"
            )),
            _ => Err(format!(
                "`{text}` joins two different clocks; bound it with `after:` and `before:` instead"
            )),
        }
    }
}

text!(During);

impl Text for Boundary {
    const NAME: &'static str = "Boundary";
    const EXPECTED: &'static str = "a fault such as `cut + 5s`, `faults`, or a time";
    const ABOUT: &'static str = "The name of a fault, `faults` for all of them, or a time of the run, perhaps moved: `cut + 5s`, `faults + 10s`, `30s`. Before a fault is before it first begins, after it is after it was last there.";
    const PATTERN: &'static str = r"^.+$";
    const EXAMPLES: &'static [&'static str] = &["cut", "fault cut + 5s", "faults", "30s"];

    fn parse(text: &str) -> Result<Self, String> {
        match Moment::parse(text)? {
            Some(Moment::Clock(at)) => Ok(Self::Clock(at)),
            Some(Moment::Fault(moment)) if moment.turn == Turn::Begin => Ok(Self::Fault {
                name: moment.name,
                offset: moment.offset,
            }),
            Some(Moment::Fault(_)) => Err(format!(
                "`{text}`: say only the fault's name; before it is before it begins, after it is after it ends"
            )),
            None => Err(format!("this is not {}", Self::EXPECTED)),
        }
    }
}

text!(Boundary);

/// A point from which offsets are told apart, since they cannot go below zero.
const HALFWAY: u64 = u64::MAX / 2;

enum Moment {
    Clock(Duration),
    Fault(FaultMoment),
}

impl Moment {
    /// `None` where nothing is written.
    fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Time::parse(text).map(|time| Some(Self::Clock(time.0)));
        }
        let (rest, offset) = moved(text)?;
        let (rest, turn) = match rest.strip_prefix("end of ") {
            Some(rest) => (rest, Turn::Heal),
            None => (rest, Turn::Begin),
        };
        let name = match rest.trim() {
            "" | "fault" => return Err(format!("`{text}` names no fault")),
            "faults" => FaultName::All,
            name => FaultName::Named(
                name.strip_prefix("fault ")
                    .unwrap_or(name)
                    .trim()
                    .to_owned(),
            ),
        };
        if name == FaultName::Named(String::new()) {
            return Err(format!("`{text}` names no fault"));
        }
        Ok(Some(Self::Fault(FaultMoment { name, turn, offset })))
    }
}

/// Splits off an offset, which stands between blanks because names have dashes in them.
fn moved(text: &str) -> Result<(&str, Offset), String> {
    let split = |sign: &'static str| {
        let (rest, time) = text.rsplit_once(sign)?;
        time.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            .then_some((rest, time))
    };
    if let Some((rest, time)) = split(" + ") {
        return Ok((rest, Offset::later(Time::parse(time)?.0)));
    }
    if let Some((rest, time)) = split(" - ") {
        return Ok((rest, Offset::earlier(Time::parse(time)?.0)));
    }
    Ok((text, Offset::default()))
}

fn clock(moment: Option<Moment>) -> Option<Duration> {
    match moment {
        Some(Moment::Clock(at)) => Some(at),
        Some(Moment::Fault(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn named(name: &str) -> FaultName {
        FaultName::Named(name.to_owned())
    }

    fn moment(name: &str, turn: Turn, offset: Offset) -> FaultMoment {
        FaultMoment {
            name: named(name),
            turn,
            offset,
        }
    }

    #[test]
    fn windows_have_two_ends() {
        let clock = |from, to: Option<u64>| During::Clock {
            from: secs(from),
            to: to.map(secs),
        };
        assert_eq!(During::parse("30s..1m"), Ok(clock(30, Some(60))));
        assert_eq!(During::parse("30s .."), Ok(clock(30, None)));
        assert_eq!(During::parse("..5s"), Ok(clock(0, Some(5))));
        assert_eq!(
            During::parse("5s..5s").unwrap_err(),
            "`5s..5s` ends before it begins"
        );
        assert!(During::parse("5s").is_err());
        assert!(During::parse("5..6").is_err());
    }

    #[test]
    fn windows_speak_of_faults() {
        assert_eq!(During::parse("faults"), Ok(During::Fault(FaultName::All)));
        assert_eq!(
            During::parse("fault partition zone b"),
            Ok(During::Fault(named("partition zone b")))
        );
        assert_eq!(
            During::parse("zone-b + 2s..fault zone-b + 10s"),
            Ok(During::Moments {
                from: moment("zone-b", Turn::Begin, Offset::later(secs(2))),
                to: Some(moment("zone-b", Turn::Begin, Offset::later(secs(10)))),
            })
        );
        assert_eq!(
            During::parse("end of cut - 1s.."),
            Ok(During::Moments {
                from: moment("cut", Turn::Heal, Offset::earlier(secs(1))),
                to: None,
            })
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |text| During::parse(text).unwrap_err();
        assert!(refused("cut..crash").contains("`after:` and `before:`"));
        assert!(refused("cut..30s").contains("two different clocks"));
        assert!(refused("..cut").contains("`before: NAME`"));
        assert!(refused("cut + 5s..cut + 2s").contains("ends before it begins"));
        assert!(refused("cut").contains("is not a window"));
        assert!(refused("cut + 5x..").contains("`x` is not a unit of time"));
        assert!(Boundary::parse("end of cut").is_err());
        assert!(Boundary::parse("fault ").is_err());
    }

    #[test]
    fn boundaries_are_moved() {
        let cut = |offset| Boundary::Fault {
            name: named("cut"),
            offset,
        };
        assert_eq!(
            Boundary::parse("fault cut + 5s"),
            Ok(cut(Offset::later(secs(5))))
        );
        assert_eq!(
            Boundary::parse("cut - 2s"),
            Ok(cut(Offset::earlier(secs(2))))
        );
        assert_eq!(Boundary::parse("30s"), Ok(Boundary::Clock(secs(30))));
        assert_eq!(
            Boundary::parse("faults"),
            Ok(Boundary::Fault {
                name: FaultName::All,
                offset: Offset::default(),
            })
        );
    }
}

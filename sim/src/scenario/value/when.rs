//! Things that happen: `ejected(reviews-v1-0)`, `healed(outage) + 5s`.

use std::time::Duration;

use mesh_core::document::nearest;

use super::{Text, Time, text};

/// Something that happens in a run, and a while later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) what: Happening,
    /// A fault's name, or a service or pattern of pod names.
    pub(crate) subject: String,
    pub(crate) delay: Duration,
}

/// The kinds of happening that a fault may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A fault began.
    Began,
    /// A fault ended.
    Healed,
    /// A pod was ejected by somebody's load balancer.
    Ejected,
    /// It came back.
    Returned,
    /// A pod died.
    Crashed,
    /// A pod became ready.
    Ready,
    /// A sidecar of a pod refused a request because of a breaker's limit.
    Overflowed,
}

const NAMES: [(&str, Happening); 7] = [
    ("began", Happening::Began),
    ("healed", Happening::Healed),
    ("ejected", Happening::Ejected),
    ("returned", Happening::Returned),
    ("crashed", Happening::Crashed),
    ("ready", Happening::Ready),
    ("overflowed", Happening::Overflowed),
];

impl Text for When {
    const NAME: &'static str = "When";
    const EXPECTED: &'static str = "something that happens, such as `ejected(reviews-v1-0)`";
    const ABOUT: &'static str = "Something that happens, and perhaps a while later: `began(FAULT)`, `healed(FAULT)`; `ejected(PODS)`, `returned(PODS)`, `crashed(PODS)`, `ready(PODS)`, `overflowed(PODS)` of a service, a traffic source or a pattern of pod names; `+ 5s` for later.";
    const PATTERN: &'static str = r"^(?:began|healed|ejected|returned|crashed|ready|overflowed)\([^()]+\)(?: *\+ *[0-9.a-zµμ]+)?$";
    const EXAMPLES: &'static [&'static str] = &[
        "ejected(reviews-v1-0)",
        "healed(outage) + 5s",
        "ready(db-*)",
    ];

    fn parse(text: &str) -> Result<Self, String> {
        let not = || format!("`{text}` is not {}", Self::EXPECTED);
        let (name, rest) = text.split_once('(').ok_or_else(not)?;
        let (subject, rest) = rest.split_once(')').ok_or_else(not)?;
        let delay = match rest.trim_matches(' ') {
            "" => Duration::ZERO,
            rest => {
                let later = rest.strip_prefix('+').ok_or_else(not)?;
                Time::parse(later.trim_start_matches(' '))?.0
            }
        };
        let name = name.trim_end_matches(' ');
        let known = NAMES.iter().find(|(known, _)| *known == name);
        let (_, what) = known.ok_or_else(|| unknown(name))?;
        let subject = subject.trim_matches(' ');
        if subject.is_empty() {
            return Err(not());
        }
        Ok(Self {
            what: *what,
            subject: subject.to_owned(),
            delay,
        })
    }
}

text!(When);

fn unknown(name: &str) -> String {
    let names = NAMES.map(|(name, _)| name);
    match nearest(name, names) {
        Some(near) => format!("nothing called `{name}` happens; did you mean `{near}`?"),
        None => format!(
            "nothing called `{name}` happens; there are {}",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn happenings_have_a_subject_and_perhaps_a_delay() {
        let when = When::parse("healed(zone outage) + 5s").unwrap();
        assert_eq!(
            (when.what, &*when.subject),
            (Happening::Healed, "zone outage")
        );
        assert_eq!(when.delay, Duration::from_secs(5));
        assert_eq!(When::parse("ejected(a-*)").unwrap().delay, Duration::ZERO);
        assert_eq!(
            When::parse("ejceted(a)").unwrap_err(),
            "nothing called `ejceted` happens; did you mean `ejected`?"
        );
        for bad in [
            "ejected",
            "ejected()",
            "ejected(a",
            "ejected(a) 5s",
            "ejected(a) + 5",
        ] {
            assert!(When::parse(bad).is_err(), "{bad}");
        }
    }
}

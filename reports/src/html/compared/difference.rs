//! The difference of two numbers: which way it went, by how much, and whether that is good, in signs and words and
//! only then in colour.

use maud::{Markup, html};

use super::chance::Grounds;
use crate::record::Unit;
use crate::suite::Better;
use crate::summary::table::NOTHING;
use crate::summary::unit;

/// Below this, two numbers are told as the same: it is less than what is told of them.
const HAIR: f64 = 1e-9;

/// A number of both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Both {
    /// In A; `None` when there was nothing to measure.
    pub(super) a: Option<f64>,
    /// In B.
    pub(super) b: Option<f64>,
    /// Their unit.
    pub(super) unit: Unit,
    /// Which way is better.
    pub(super) better: Better,
    /// The greatest difference that chance explains: within it B is neither better nor worse.
    chance: f64,
}

impl Both {
    pub(super) fn new(a: Option<f64>, b: Option<f64>, unit: Unit, better: Better) -> Self {
        Self {
            a,
            b,
            unit,
            better,
            chance: 0.0,
        }
    }

    /// The same, judged on `grounds`, where chance explains a difference of up to `chance`.
    pub(super) fn on(mut self, grounds: Grounds, chance: f64) -> Self {
        if !grounds.comparable {
            self.better = Better::Same;
        }
        self.chance = chance;
        self
    }

    /// Counts, of which fewer are better, or which are neither.
    pub(super) fn counts(a: u64, b: u64, better: Better) -> Self {
        Self::new(Some(a as f64), Some(b as f64), Unit::Count, better)
    }

    /// B less A, where there are both.
    pub(super) fn difference(&self) -> Option<f64> {
        let difference = self.b? - self.a?;
        let scale = self.a?.abs().max(self.b?.abs());
        (difference.abs() > HAIR * scale.max(1e-6)).then_some(difference)
    }

    /// Whether anything differs.
    pub(super) fn differs(&self) -> bool {
        self.difference().is_some() || self.a.is_some() != self.b.is_some()
    }

    /// Whether both read the same: what is less than is told is no difference to tell.
    fn reads_the_same(&self) -> bool {
        self.told_a() == self.told_b()
    }

    /// Whether chance explains the difference.
    fn is_chance(&self) -> bool {
        let beyond = self.difference().is_none_or(|d| d.abs() > self.chance);
        !beyond && self.better != Better::Same
    }

    /// Whether B is better: `None` when neither is, or chance may have made it so.
    pub(super) fn improved(&self) -> Option<bool> {
        let rose = self.difference()? > 0.0;
        if self.reads_the_same() || self.is_chance() {
            return None;
        }
        match self.better {
            Better::Higher => Some(rose),
            Better::Lower => Some(!rose),
            Better::Same => None,
        }
    }

    fn told(&self, value: Option<f64>) -> String {
        match value {
            None => NOTHING.into(),
            Some(v) if self.unit == Unit::Number => unit::ratio(v),
            Some(v) => unit::measured(v, self.unit),
        }
    }

    /// In A.
    pub(super) fn told_a(&self) -> String {
        self.told(self.a)
    }

    /// In B.
    pub(super) fn told_b(&self) -> String {
        self.told(self.b)
    }

    /// By how much: points for shares, a percentage or a multiple for the rest.
    pub(super) fn by(&self) -> Option<String> {
        let difference = self.difference()?;
        let sign = if difference > 0.0 { "+" } else { "−" };
        let (a, b) = (self.a?, self.b?);
        Some(match self.unit {
            Unit::Ratio => match difference.abs() * 100.0 {
                points if points < 0.01 => format!("{sign}less than 0.01 points"),
                points => format!("{sign}{} points", unit::trimmed(points, 2)),
            },
            _ if a == 0.0 || b == 0.0 => {
                format!("{sign}{}", self.told(Some(difference.abs())))
            }
            _ if b / a >= 2.0 => format!("×{}", unit::trimmed(b / a, 1)),
            _ => match difference.abs() / a.abs() * 100.0 {
                percent if percent < 0.1 => format!("{sign}less than 0.1%"),
                percent => format!("{sign}{}%", unit::trimmed(percent, 1)),
            },
        })
    }

    /// Arrow, amount and word.
    pub(super) fn change(&self) -> Markup {
        let (Some(difference), Some(by)) = (self.difference(), self.by()) else {
            let word = match (self.a, self.b) {
                (None, None) => "",
                (None, Some(_)) => "only in B",
                (Some(_), None) => "only in A",
                (Some(_), Some(_)) => "same",
            };
            return html! { span.faint { (word) } };
        };
        if self.reads_the_same() {
            return html! { span.faint { "same" } };
        }
        let arrow = if difference > 0.0 { "▲" } else { "▼" };
        let (class, word) = match self.improved() {
            Some(true) => ("ok", " better"),
            Some(false) => ("no", " worse"),
            None if self.is_chance() && self.chance.is_finite() => ("faint", " ≈ chance"),
            None => ("plain", ""),
        };
        html! { span class=(class) { span aria-hidden="true" { (arrow) " " } (by) (word) } }
    }

    /// `A → B` and whether that is good.
    pub(super) fn short(&self) -> Markup {
        let (a, b) = (self.told_a(), self.told_b());
        if a == b {
            return html! { span.faint { (a) } };
        }
        let mark = match self.improved() {
            Some(true) => html! { " " span.ok { "better" } },
            Some(false) => html! { " " span.no { "worse" } },
            None => html! {},
        };
        html! { (a) " → " strong { (b) } (mark) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(a: f64, b: f64, unit: Unit, better: Better) -> Both {
        Both::new(Some(a), Some(b), unit, better)
    }

    #[test]
    fn amounts_are_told_as_people_compare() {
        let told = [
            (
                both(0.95, 0.999, Unit::Ratio, Better::Higher),
                "+4.9 points",
                Some(true),
            ),
            (
                both(40.0, 10.0, Unit::Ms, Better::Lower),
                "−75%",
                Some(true),
            ),
            (
                both(10.0, 262.0, Unit::Ms, Better::Lower),
                "×26.2",
                Some(false),
            ),
            (
                both(0.0, 12.0, Unit::Count, Better::Lower),
                "+12",
                Some(false),
            ),
            (both(100.0, 120.0, Unit::Count, Better::Same), "+20%", None),
            (
                both(1.0, 0.999_999, Unit::Ratio, Better::Higher),
                "−less than 0.01 points",
                Some(false),
            ),
        ];
        for (both, by, improved) in told {
            assert_eq!(
                (both.by().as_deref(), both.improved()),
                (Some(by), improved)
            );
        }
    }

    #[test]
    fn what_reads_the_same_or_may_be_chance_is_not_judged() {
        let grounds = Grounds {
            comparable: true,
            same_draws: false,
        };
        let hair = both(15.71, 15.65, Unit::Ms, Better::Lower);
        assert_eq!(hair.improved(), None, "both are 15.7 ms");
        assert_eq!(
            hair.change().into_string(),
            r#"<span class="faint">same</span>"#
        );
        let few = both(1.0, 2.0, Unit::Count, Better::Lower).on(grounds, 5.0);
        assert_eq!(few.improved(), None);
        let told = few.change().into_string();
        assert!(told.contains("×2 ≈ chance"), "{told}");
        assert!(!few.short().into_string().contains("worse"));
        let many = both(1.0, 90.0, Unit::Count, Better::Lower).on(grounds, 29.0);
        assert_eq!(many.improved(), Some(false));
        let strangers = Grounds {
            comparable: false,
            ..grounds
        };
        assert_eq!(many.on(strangers, 0.0).improved(), None);
    }

    #[test]
    fn the_direction_is_told_in_words() {
        let faster = both(40.0, 10.0, Unit::Ms, Better::Lower).change();
        assert_eq!(
            faster.into_string(),
            r#"<span class="ok"><span aria-hidden="true">▼ </span>−75% better</span>"#
        );
        let same = both(1.0, 1.0, Unit::Ratio, Better::Higher).change();
        assert_eq!(same.into_string(), r#"<span class="faint">same</span>"#);
        let gone = Both::new(Some(1.0), None, Unit::Ms, Better::Lower).change();
        assert_eq!(
            gone.into_string(),
            r#"<span class="faint">only in A</span>"#
        );
    }
}

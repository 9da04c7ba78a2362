//! Settings and their values: `20ms..200ms/10`, `50/s..300/s/6`, `v1,v2,v3`.
//!
//! `A..B/N` are N values from A to B, both included, evenly spaced; `A..B/Nlog`
//! are N values of which each is the same multiple of the one before. The unit
//! stands at both ends and is kept. A range may stand inside a value, as in
//! `poisson(50/s..300/s/6)`. Without `/N` it is a value like any other: a window.

use std::sync::LazyLock;

use regex::Regex;

/// Most values of one setting.
const VALUES_MAX: u64 = 10_000;

/// One setting and the values it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Where it is set.
    pub path: String,
    /// Its values, in order.
    pub values: Vec<String>,
}

/// Every combination of the values of some settings. The last setting changes fastest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// The settings.
    pub axes: Vec<Axis>,
}

impl Axis {
    /// Reads the values of the setting at `path`.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(path: &str, text: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("--set {path}: {why}");
        let items = split(text);
        let mut values = Vec::new();
        for item in &items {
            match RANGE.captures(item) {
                Some(range) => values.extend(expand(&range).map_err(wrong)?),
                None => values.push((*item).to_owned()),
            }
        }
        if values.len() as u64 > VALUES_MAX {
            return Err(wrong(format!(
                "{} values; {VALUES_MAX} are the most",
                values.len()
            )));
        }
        let several = items.len() > 1;
        if several && values.iter().any(String::is_empty) {
            return Err(wrong(format!("a value of `{text}` is empty")));
        }
        Ok(Self {
            path: path.to_owned(),
            values,
        })
    }
}

impl Grid {
    /// Reads several settings.
    ///
    /// # Errors
    /// A sentence, when one is malformed or set twice.
    pub fn parse(settings: &[(String, String)]) -> Result<Self, String> {
        let mut axes: Vec<Axis> = Vec::new();
        for (path, text) in settings {
            if axes.iter().any(|axis| axis.path == *path) {
                return Err(format!("--set {path}: it is set twice"));
            }
            axes.push(Axis::parse(path, text)?);
        }
        Ok(Self { axes })
    }

    /// How many combinations.
    pub fn points(&self) -> u64 {
        let lengths = self.axes.iter().map(|axis| axis.values.len() as u64);
        lengths.fold(1, u64::saturating_mul)
    }

    /// The settings of a combination, numbered from 0.
    pub fn point(&self, number: u64) -> Vec<(String, String)> {
        let mut rest = number;
        let mut set = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            let length = axis.values.len() as u64;
            let value = &axis.values[(rest % length) as usize];
            set.push((axis.path.clone(), value.clone()));
            rest /= length;
        }
        set.reverse();
        set
    }
}

/// Parts between commas, but for those inside brackets or quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut depth, mut quote) = (0_i32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',') if depth <= 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(text[begin..].trim());
    parts
}

static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    const NUMBER: &str = r"-?\d{1,15}(?:\.\d{1,9})?";
    const UNIT: &str = r"[A-Za-zµ%]*(?:/[a-z]+)?";
    let range = format!(
        r"^(?<before>.*?)(?<a>{NUMBER})(?<ua>{UNIT})\.\.(?<b>{NUMBER})(?<ub>{UNIT})/(?<n>\d{{1,9}})(?<log>log)?(?<after>[^\d]*)$"
    );
    Regex::new(&range).expect("the pattern is valid")
});

fn expand(range: &regex::Captures<'_>) -> Result<Vec<String>, String> {
    let (ends, unit) = ends(range)?;
    let written = format!(
        "{}{}..{}{}",
        &range["a"], &range["ua"], &range["b"], &range["ub"]
    );
    let count: u64 = range["n"].parse().unwrap_or(u64::MAX);
    if !(2..=VALUES_MAX).contains(&count) {
        return Err(format!(
            "`{written}/{count}` must have 2 to {VALUES_MAX} values"
        ));
    }
    let values: Vec<String> = if range.name("log").is_some() {
        geometric(ends, count)
            .ok_or_else(|| format!("`{written}/{count}log` needs two ends above 0"))?
    } else {
        (0..count)
            .map(|i| ends.between(i, count - 1).to_string())
            .collect()
    };
    let (before, after) = (&range["before"], &range["after"]);
    Ok(values
        .iter()
        .map(|value| format!("{before}{value}{unit}{after}"))
        .collect())
}

/// The two ends, in one unit.
fn ends<'a>(range: &'a regex::Captures<'_>) -> Result<(Ends, &'a str), String> {
    let (ua, ub) = (&range["ua"], &range["ub"]);
    let (a, b) = (Decimal::parse(&range["a"]), Decimal::parse(&range["b"]));
    if ua == ub {
        return Ok((Ends { a, b }, ua));
    }
    let Some((na, nb)) = nanos(ua).zip(nanos(ub)) else {
        let (a, b) = (&range["a"], &range["b"]);
        return Err(format!(
            "write `{a}{ua}..{b}{ub}` with the same unit at both ends"
        ));
    };
    if na < nb {
        Ok((
            Ends {
                a,
                b: b.times(nb / na),
            },
            ua,
        ))
    } else {
        Ok((
            Ends {
                a: a.times(na / nb),
                b,
            },
            ub,
        ))
    }
}

/// Nanoseconds in a unit of time.
fn nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Decimals that are computed with.
const SCALE: i128 = 1_000_000_000;

/// A number in billionths: what a person writes comes back as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal(i128);

impl Decimal {
    /// Of text that the pattern let through.
    fn parse(text: &str) -> Self {
        let (negative, digits) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let padded = format!("{whole}{part:0<9}");
        let value: i128 = padded.parse().unwrap_or(0);
        Self(if negative { -value } else { value })
    }

    const fn times(self, factor: i128) -> Self {
        Self(self.0 * factor)
    }

    fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0.abs() / SCALE, self.0.abs() % SCALE);
        let sign = if self.0 < 0 { "-" } else { "" };
        let part = format!("{part:09}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            part => write!(f, "{sign}{whole}.{part}"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    a: Decimal,
    b: Decimal,
}

impl Ends {
    /// The value `part / whole` of the way; cut to six decimals unless it is an end.
    fn between(self, part: u64, whole: u64) -> Decimal {
        const CUT: i128 = SCALE / 1_000_000;
        if part == whole {
            return self.b;
        }
        let way = (self.b.0 - self.a.0) * i128::from(part);
        match way % i128::from(whole) {
            0 => Decimal(self.a.0 + way / i128::from(whole)),
            _ => Decimal((self.a.0 + way / i128::from(whole)) / CUT * CUT),
        }
    }
}

/// Each the same multiple of the one before, to four digits; the ends as they are.
fn geometric(ends: Ends, count: u64) -> Option<Vec<String>> {
    let (a, b) = (ends.a.to_f64(), ends.b.to_f64());
    if a <= 0.0 || b <= 0.0 {
        return None;
    }
    let last = count - 1;
    let value = |i: u64| match i {
        0 => ends.a.to_string(),
        i if i == last => ends.b.to_string(),
        i => {
            let exact = a * libm::pow(b / a, i as f64 / last as f64);
            let decimals = (3.0 - libm::floor(libm::log10(exact))).max(0.0) as usize;
            let text = format!("{exact:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    };
    Some((0..count).map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<String> {
        Axis::parse("x", text).unwrap().values
    }

    #[test]
    fn ranges_keep_their_unit() {
        assert_eq!(values("20ms..200ms/10")[..3], ["20ms", "40ms", "60ms"]);
        assert_eq!(values("20ms..200ms/10")[9], "200ms");
        assert_eq!(
            values("50/s..300/s/6"),
            ["50/s", "100/s", "150/s", "200/s", "250/s", "300/s"]
        );
        assert_eq!(values("0%..100%/3"), ["0%", "50%", "100%"]);
        assert_eq!(values("1..2/4"), ["1", "1.333333", "1.666666", "2"]);
        assert_eq!(values("0.1..0.3/3"), ["0.1", "0.2", "0.3"]);
        assert_eq!(values("3..1/3"), ["3", "2", "1"]);
        assert_eq!(
            values("poisson(50/s..300/s/2)"),
            ["poisson(50/s)", "poisson(300/s)"]
        );
        assert_eq!(
            values("500us..2ms/4"),
            ["500us", "1000us", "1500us", "2000us"]
        );
        assert_eq!(values("1s..1m/2"), ["1s", "60s"]);
        assert_eq!(values("1ms..1s/4log"), ["1ms", "10ms", "100ms", "1000ms"]);
        assert_eq!(values("1..4/3log"), ["1", "2", "4"]);
    }

    #[test]
    fn lists_and_plain_values() {
        assert_eq!(values("v1,v2, v3"), ["v1", "v2", "v3"]);
        assert_eq!(values("1,10..30/3"), ["1", "10", "20", "30"]);
        let two = ["lognormal(p50=4ms, p99=30ms)", "exponential(2ms)"];
        assert_eq!(values(&two.join(",")), two);
        assert_eq!(values("30s..45s"), ["30s..45s"], "a window");
        assert_eq!(
            values("{ service: a, version: b }"),
            ["{ service: a, version: b }"]
        );
        assert_eq!(values("\"a,b\",c"), ["\"a,b\"", "c"]);
        assert_eq!(values(">= 99%"), [">= 99%"]);
        assert_eq!(values(""), [""]);
    }

    #[test]
    fn mistakes_are_told() {
        let why = |text: &str| Axis::parse("x", text).unwrap_err();
        assert!(why("20..200ms/10").contains("same unit at both ends"));
        assert!(why("1kB..1MiB/3").contains("same unit at both ends"));
        assert!(why("1..2/1").contains("must have 2 to 10000 values"));
        assert!(why("1..2/0").contains("must have 2"));
        assert!(why("1..2/99999").contains("must have 2"));
        assert!(why("0..2/3log").contains("above 0"));
        assert!(why("a,,b").contains("empty"));
        let twice = [
            ("a".to_owned(), "1".to_owned()),
            ("a".to_owned(), "2".to_owned()),
        ];
        assert!(Grid::parse(&twice).unwrap_err().contains("set twice"));
    }

    #[test]
    fn the_last_setting_changes_fastest() {
        let grid =
            Grid::parse(&[("a".into(), "1,2".into()), ("b".into(), "x,y,z".into())]).unwrap();
        assert_eq!(grid.points(), 6);
        let point = |n| {
            grid.point(n)
                .into_iter()
                .map(|(_, v)| v)
                .collect::<Vec<_>>()
                .join("")
        };
        assert_eq!(
            (0..6).map(point).collect::<Vec<_>>(),
            ["1x", "1y", "1z", "2x", "2y", "2z"]
        );
        assert_eq!(Grid::default().points(), 1);
        assert!(Grid::default().point(0).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".*") {
            let _parsed = Axis::parse("x", &text);
        }

        #[test]
        fn whole_steps_are_exact(from in -1000i64..1000, step in 1i64..1000, count in 2u64..50) {
            let to = from + step * (count as i64 - 1);
            let told = values(&format!("{from}ms..{to}ms/{count}"));
            let exact: Vec<String> = (0..count as i64).map(|i| format!("{}ms", from + step * i)).collect();
            prop_assert_eq!(told, exact);
        }

        #[test]
        fn values_lie_between_the_ends(a in 1u32..10_000, b in 1u32..10_000, count in 2u64..40, log: bool) {
            let log = if log { "log" } else { "" };
            let told = values(&format!("{a}..{b}/{count}{log}"));
            prop_assert_eq!(told.len() as u64, count);
            let numbers: Vec<f64> = told.iter().map(|v| v.parse().unwrap()).collect();
            prop_assert_eq!(numbers[0], f64::from(a));
            prop_assert_eq!(numbers[numbers.len() - 1], f64::from(b));
            let slack = 1e-3 * f64::from(a.max(b));
            let (low, high) = (f64::from(a.min(b)) - slack, f64::from(a.max(b)) + slack);
            prop_assert!(numbers.iter().all(|n| (low..=high).contains(n)), "{:?}", told);
        }

        #[test]
        fn every_point_is_another(lengths in prop::collection::vec(1usize..5, 1..4)) {
            let axes = lengths.iter().enumerate().map(|(i, n)| Axis {
                path: format!("p{i}"),
                values: (0..*n).map(|v| v.to_string()).collect(),
            });
            let grid = Grid { axes: axes.collect() };
            let all: std::collections::BTreeSet<_> = (0..grid.points()).map(|n| grid.point(n)).collect();
            prop_assert_eq!(all.len() as u64, grid.points());
        }
    }
}

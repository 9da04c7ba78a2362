//! Colours.
//!
//! The hues are those of Okabe and Ito ("Color Universal Design", 2008, <https://jfly.uni-koeln.de/color/>), which
//! people with any of the common colour deficiencies tell apart. Their lightness is moved until text in them reads on
//! the page's background: WCAG 2.1 asks for a contrast of 4.5, in the light scheme and in the dark one. The values
//! stand in the page's style sheet as variables; a test computes their contrast.
//!
//! A drawing says *what* it draws, as an [`Ink`], and the style sheet says how that looks: in light, in dark, on paper.

/// What is drawn, which the style sheet gives its look by the class of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Axis labels.
    Label,
    /// Horizontal lines at the ticks.
    Grid,
    /// The line at the bottom.
    Axis,
    /// The stretch of a fault.
    Fault,
    /// A fault's name.
    FaultName,
    /// One of several things of a kind, by number.
    Series(u8),
    /// The same, as an area.
    Area(u8),
    /// What something is measured against: offered load, a limit.
    Reference,
    /// A state of a sweep, by its place in [`Ink::STATES`].
    State(u8),
    /// A cell of a heat map, from 0, little, to [`Ink::HEAT_MAX`].
    Heat(u8),
}

impl Ink {
    /// How many series have a colour of their own.
    pub(crate) const SERIES: u8 = 7;
    /// The states of a sweep, as the style sheet calls them.
    pub(crate) const STATES: [&'static str; 6] = [
        "stable",
        "mixed",
        "vulnerable",
        "metastable",
        "failing",
        "unknown",
    ];
    /// The deepest shade of a heat map.
    pub(crate) const HEAT_MAX: u8 = 5;

    /// The colour that means this to the canvas: nobody ever sees it.
    pub(super) const fn code(self) -> (u8, u8, u8) {
        match self {
            Self::Label => (0, 0, 0),
            Self::Grid => (0, 1, 0),
            Self::Axis => (0, 2, 0),
            Self::Fault => (0, 3, 0),
            Self::FaultName => (0, 4, 0),
            Self::Reference => (0, 5, 0),
            Self::Series(n) => (1, n, 0),
            Self::Area(n) => (2, n, 0),
            Self::Heat(n) => (3, n, 0),
            Self::State(n) => (4, n, 0),
        }
    }

    /// The class of what is drawn with that colour.
    pub(super) fn class((kind, n, _): (u8, u8, u8)) -> String {
        match (kind, n) {
            (0, 0) => "label".into(),
            (0, 1) => "grid".into(),
            (0, 2) => "axis".into(),
            (0, 3) => "fault".into(),
            (0, 4) => "fault-name".into(),
            (0, _) => "reference".into(),
            (1, n) => format!("s{}", n % Self::SERIES),
            (2, n) => format!("a{}", n % Self::SERIES),
            (4, n) => Self::STATES[usize::from(n) % Self::STATES.len()].into(),
            (_, n) => format!("h{}", n.min(Self::HEAT_MAX)),
        }
    }

    /// The class of marks outside charts in this ink.
    pub(crate) fn name(self) -> String {
        Self::class(self.code())
    }
}

#[cfg(test)]
mod tests {
    const STYLE: &str = include_str!("page.css");

    /// Relative luminance of `#rrggbb` (WCAG 2.1).
    fn luminance(color: &str) -> f64 {
        let channel = |at: usize| {
            let c = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if c <= 0.040_45 {
                c / 12.92
            } else {
                libm::pow((c + 0.055) / 1.055, 2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The value of `--name` in a scheme.
    fn value<'a>(scheme: &'a str, name: &str) -> &'a str {
        let at = scheme
            .find(&format!("--{name}: #"))
            .unwrap_or_else(|| panic!("{name}"));
        let rest = &scheme[at..];
        let at = rest.find('#').unwrap();
        &rest[at..at + 7]
    }

    #[test]
    fn text_in_every_colour_reads_in_every_scheme() {
        let schemes: Vec<&str> = STYLE
            .split(":root {")
            .skip(1)
            .map(|s| &s[..s.find('}').unwrap()])
            .collect();
        assert_eq!(schemes.len(), 3, "light, dark, paper");
        for scheme in schemes {
            let on = |text: &str, page: &str| {
                let got = contrast(value(scheme, text), value(scheme, page));
                assert!(got >= 4.5, "{text} on {page}: {got:.2} in {scheme}");
            };
            for text in [
                "text", "faint", "link", "good", "bad", "warn", "fault", "s0", "s1", "s2", "s3",
                "s4", "s5", "s6",
            ] {
                on(text, "page");
            }
            on("text", "sheet");
            on("faint", "sheet");
            for word in ["good", "bad", "warn"] {
                on(word, &format!("{word}-page"));
                on("text", &format!("{word}-page"));
            }
            on("bad", "bad-page");
            on("faint", "bad-page");
        }
    }
}

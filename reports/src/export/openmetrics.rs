//! OpenMetrics text, as Prometheus reads it.
//!
//! By the OpenMetrics 1.0 specification: the samples of a family stand
//! together after its `TYPE` and `HELP`, those of one series in the order of
//! their times, and the text ends with `# EOF`. A counter's sample ends in
//! `_total`; a statistic that counts and whose standard name ends otherwise,
//! as most of Envoy's do, is of type `unknown` here, so that both the name and
//! the format are right. A control character in a label, which the format
//! would let through, becomes U+FFFD: people look at such a file in a
//! terminal.

use std::fmt::Write as _;
use std::io::{self, Write};

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows. Its name has no `_total`; its samples' names do.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size, in [buckets](OpenMetrics::bucket).
    Histogram,
    /// Anything else.
    Unknown,
}

/// A metric's name and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it means, in one line.
    pub help: &'static str,
}

/// Writes one exposition.
pub struct OpenMetrics<W: Write> {
    out: W,
    line: String,
}

impl<W: Write> OpenMetrics<W> {
    /// Begins an exposition on `out`.
    pub const fn begin(out: W) -> Self {
        Self {
            out,
            line: String::new(),
        }
    }

    /// Begins a family.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn family(&mut self, family: &Family) -> io::Result<()> {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Unknown => "unknown",
        };
        writeln!(self.out, "# TYPE {} {kind}", family.name)?;
        writeln!(self.out, "# HELP {} {}", family.name, family.help)
    }

    /// Adds a sample of `name`, a family's with its ending, at `at_ms` milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sample(
        &mut self,
        name: &str,
        ending: &str,
        labels: &Labels,
        value: f64,
        at_ms: u64,
    ) -> io::Result<()> {
        self.write(format_args!("{name}{ending}{{{}}}", labels.0), value, at_ms)
    }

    /// Adds a sample of a histogram's bucket: how many were at most `bound`, or, without one, were at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn bucket(
        &mut self,
        name: &str,
        labels: &Labels,
        bound: Option<f64>,
        count: u64,
        at_ms: u64,
    ) -> io::Result<()> {
        let labels = &labels.0;
        let comma = if labels.is_empty() { "" } else { "," };
        let count = count as f64;
        match bound {
            Some(le) => self.write(
                // Canonical numbers of the specification have a decimal point.
                format_args!("{name}_bucket{{{labels}{comma}le=\"{le:?}\"}}"),
                count,
                at_ms,
            ),
            None => self.write(
                format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}}"),
                count,
                at_ms,
            ),
        }
    }

    fn write(&mut self, series: std::fmt::Arguments<'_>, value: f64, at_ms: u64) -> io::Result<()> {
        self.line.clear();
        let (seconds, millis) = (at_ms / 1_000, at_ms % 1_000);
        // A string takes whatever is written.
        let _written = writeln!(self.line, "{series} {value} {seconds}.{millis:03}");
        self.out.write_all(self.line.as_bytes())
    }

    /// Ends the exposition.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"# EOF\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The labels of a series, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(String);

impl Labels {
    /// With one more.
    pub fn push(&mut self, name: &'static str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                c if c.is_control() => self.0.push('\u{FFFD}'),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }
}

impl<'a> FromIterator<(&'static str, &'a str)> for Labels {
    fn from_iter<T: IntoIterator<Item = (&'static str, &'a str)>>(labels: T) -> Self {
        let mut all = Self::default();
        for (name, value) in labels {
            all.push(name, value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::HOSTILE;
    use super::*;

    #[test]
    fn an_exposition_as_the_specification_has_it() {
        let requests = Family {
            name: "istio_requests",
            kind: Kind::Counter,
            help: "Requests.",
        };
        let duration = Family {
            name: "istio_request_duration_milliseconds",
            kind: Kind::Histogram,
            help: "How long they took.",
        };
        let labels = Labels::from_iter([("reporter", "source"), ("response_code", "200")]);
        let mut text = OpenMetrics::begin(Vec::new());
        text.family(&requests).unwrap();
        text.sample(requests.name, "_total", &labels, 3.0, 1_700_000_000_000)
            .unwrap();
        text.family(&duration).unwrap();
        let none = Labels::default();
        text.bucket(duration.name, &labels, Some(1.0), 2, 1_700_000_000_005)
            .unwrap();
        text.bucket(duration.name, &none, None, 3, 1_700_000_000_005)
            .unwrap();
        text.sample(duration.name, "_sum", &labels, 4.25, 1_700_000_000_005)
            .unwrap();
        let text = String::from_utf8(text.finish().unwrap()).unwrap();
        assert_eq!(
            text,
            r#"# TYPE istio_requests counter
# HELP istio_requests Requests.
istio_requests_total{reporter="source",response_code="200"} 3 1700000000.000
# TYPE istio_request_duration_milliseconds histogram
# HELP istio_request_duration_milliseconds How long they took.
istio_request_duration_milliseconds_bucket{reporter="source",response_code="200",le="1.0"} 2 1700000000.005
istio_request_duration_milliseconds_bucket{le="+Inf"} 3 1700000000.005
istio_request_duration_milliseconds_sum{reporter="source",response_code="200"} 4.25 1700000000.005
# EOF
"#
        );
    }

    #[test]
    fn a_hostile_label_is_one_label_on_one_line() {
        let labels = Labels::from_iter([("pod", HOSTILE)]);
        assert_eq!(
            labels.0,
            "pod=\"</script><b>\\\"'\\\\\u{FFFD}[31m\\n\u{202e}\u{FFFD}\""
        );
    }
}

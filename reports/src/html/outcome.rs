//! What a run came to, as a word, a mark and a colour: never as one of them alone.

use maud::{Markup, html};

use super::text;
use crate::record::{RunReport, Verdict};

/// In a word.
pub(crate) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Failed => "failed",
        Verdict::Metastable => "metastable",
        Verdict::Interrupted => "interrupted",
    }
}

/// The mark before the word.
pub(crate) const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "✓",
        Verdict::Failed | Verdict::Metastable => "✗",
        Verdict::Interrupted => "◼",
    }
}

/// How good it is; `None` when nothing was judged.
pub(crate) const fn rank(verdict: Verdict) -> Option<u8> {
    match verdict {
        Verdict::Held => Some(2),
        Verdict::Failed => Some(1),
        Verdict::Metastable => Some(0),
        Verdict::Interrupted => None,
    }
}

/// Mark and word.
pub(crate) fn told(verdict: Verdict) -> Markup {
    let class = match verdict {
        Verdict::Held => "ok",
        Verdict::Failed | Verdict::Metastable => "no",
        Verdict::Interrupted => "faint",
    };
    html! { span class=(class) { (mark(verdict)) " " (word(verdict)) } }
}

/// The share of ended requests that succeeded; `None` without any.
pub(crate) fn success(report: &RunReport) -> Option<f64> {
    let succeeded: u64 = report.traffic.values().map(|t| t.succeeded).sum();
    let failed: u64 = report.traffic.values().map(|t| t.failed).sum();
    (succeeded + failed > 0).then(|| succeeded as f64 / (succeeded + failed) as f64)
}

/// The 99th percentile of the source that has the longest.
pub(crate) fn p99(report: &RunReport) -> Option<f64> {
    let all = report.traffic.values().filter_map(|t| t.latency_ms);
    all.map(|ms| ms.p99).max_by(f64::total_cmp)
}

/// What the head of a page says first.
pub(crate) struct Panel<'a> {
    /// `good`, `bad`, `warn` or nothing.
    pub(crate) class: &'a str,
    /// The mark before the word.
    pub(crate) mark: &'a str,
    /// The verdict in a word.
    pub(crate) word: &'a str,
    /// The verdict in a sentence.
    pub(crate) sentence: &'a str,
    /// What is to be known with it.
    pub(crate) more: &'a [Markup],
}

impl Panel<'_> {
    /// As markup.
    pub(crate) fn markup(&self) -> Markup {
        html! {
            div class=(format!("verdict {}", self.class)) {
                p.word { span aria-hidden="true" { (self.mark) " " } (self.word) }
                p.sentence { (text::said(self.sentence)) }
                @for more in self.more { p { (more) } }
            }
        }
    }
}

//! Runs and comparisons as Markdown: what a comment on a pull request can hold.
//!
//! Short, verdict first. GitHub shows no picture whose address is `data:`, and a comment has no files of its own, so
//! the course of a run is drawn in block elements (U+2581 to U+2588).

mod compared;
mod run;

pub use compared::comparison_markdown;
pub use run::run_markdown;

/// The heights of a bar.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `values` as bars from their least to their greatest, at most `most` of them: beyond, neighbours are one bar, as high
/// as the highest of them. Where there was nothing to measure there is a blank. The lowest bar is 0 where the least is
/// near it.
pub(crate) fn sparkline(values: &[Option<f64>], most: usize) -> String {
    let chunk = values.len().div_ceil(most.max(1)).max(1);
    let finite = |value: &Option<f64>| value.filter(|v| v.is_finite());
    let bars: Vec<Option<f64>> = values
        .chunks(chunk)
        .map(|part| part.iter().filter_map(finite).max_by(f64::total_cmp))
        .collect();
    let all = || bars.iter().flatten().copied();
    let greatest = all().fold(f64::NEG_INFINITY, f64::max);
    let least = all().fold(f64::INFINITY, f64::min);
    let floor = if least < greatest / 2.0 {
        least.min(0.0)
    } else {
        least
    };
    let bar = |value: &Option<f64>| match value {
        None => '\u{2007}',
        Some(_) if greatest <= floor => BARS[0],
        Some(value) => {
            let share = (value - floor) / (greatest - floor);
            BARS[((share * 7.0).round() as usize).min(7)]
        }
    };
    bars.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_values() {
        let some = |all: &[f64]| all.iter().map(|v| Some(*v)).collect::<Vec<_>>();
        assert_eq!(sparkline(&some(&[0.0, 1.0, 2.0, 7.0]), 9), "▁▂▃█");
        assert_eq!(
            sparkline(&some(&[98.0, 99.0, 100.0]), 9),
            "▁▅█",
            "what hardly changes is magnified"
        );
        assert_eq!(
            sparkline(&some(&[0.0, 9.0, 0.0, 1.0]), 2),
            "█▂",
            "no peak is lost"
        );
        assert_eq!(sparkline(&some(&[3.0, 3.0]), 9), "▁▁");
        assert_eq!(
            sparkline(&[None, Some(f64::NAN), Some(1.0), Some(0.0)], 9),
            "\u{2007}\u{2007}█▁"
        );
        assert_eq!(sparkline(&[], 9), "");
    }
}

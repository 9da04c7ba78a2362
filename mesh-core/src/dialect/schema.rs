//! The fields a mesh knows, so that what was not compiled is told apart from
//! what was misspelt.

use super::findings::{Field, Findings};
use crate::document::nearest;
use crate::policy::{NoteKind, Position};

/// The fields of one kind of object.
pub(super) struct Schema {
    /// Whose API it is, for messages: `Istio`.
    pub(super) owner: &'static str,
    /// Parent and its fields, separated by spaces. The parent is the tail of a
    /// path, such as `route[].destination`; `*` stands for any one segment.
    /// The longest tail wins.
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// Why fields known to the mesh are not honoured, by tail of the path.
    pub(super) reasons: &'static [(&'static str, &'static str)],
}

const ENVELOPE: &str = "apiVersion kind metadata spec status";

impl Schema {
    /// Notes a field that was read and not taken: not honoured, or unknown.
    pub(super) fn account(
        &self,
        object: &Field,
        path: &str,
        at: &Position,
        findings: &mut Findings<'_>,
    ) {
        let segments = segments(path);
        let Some((leaf, parent)) = segments.split_last() else {
            return;
        };
        if parent.is_empty() && ENVELOPE.split(' ').any(|known| known == leaf) {
            return;
        }
        let field = object.at_path(path.to_owned());
        let known = self.fields_of(parent);
        if known.is_some_and(|known| known.split(' ').any(|name| name == leaf)) {
            findings.note(NoteKind::NotHonoured, &field, at, self.reason(&segments));
            return;
        }
        let mut message = format!("{} has no field `{leaf}` here", self.owner);
        if let Some(meant) = known.and_then(|known| nearest(leaf, known.split(' '))) {
            message.push_str(&format!("; did you mean `{meant}`?"));
        }
        findings.note(NoteKind::UnknownField, &field, at, message);
    }

    fn fields_of(&self, parent: &[String]) -> Option<&'static str> {
        if parent.is_empty() {
            return Some(ENVELOPE);
        }
        longest_tail(self.fields, parent)
    }

    fn reason(&self, segments: &[String]) -> String {
        match longest_tail(self.reasons, segments) {
            Some(reason) => reason.to_owned(),
            None => format!(
                "`{}` is not simulated",
                segments
                    .last()
                    .map_or("", |leaf| leaf.trim_end_matches("[]"))
            ),
        }
    }
}

/// The value of the longest key that `path` ends with.
fn longest_tail(rows: &[(&'static str, &'static str)], path: &[String]) -> Option<&'static str> {
    rows.iter()
        .filter_map(|(tail, value)| {
            let tail: Vec<&str> = tail.split('.').collect();
            let fits = tail.len() <= path.len()
                && tail
                    .iter()
                    .rev()
                    .zip(path.iter().rev())
                    .all(|(want, have)| *want == "*" || want == have);
            fits.then_some((tail.len(), *value))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, value)| value)
}

/// `spec.http[0].match[1]` as `spec`, `http[]`, `match[]`.
fn segments(path: &str) -> Vec<String> {
    path.split('.')
        .map(|segment| match segment.split_once('[') {
            Some((name, _)) => format!("{name}[]"),
            None => segment.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[(&str, &str)] = &[
        ("spec", "http tls"),
        ("headers.*", "exact prefix"),
        ("headers", "request response"),
        ("match[].headers.*", "exact prefix regex"),
    ];

    #[test]
    fn the_longest_tail_wins_and_indices_do_not_matter() {
        let fields = |path: &str| longest_tail(ROWS, &segments(path));
        assert_eq!(fields("spec"), Some("http tls"));
        assert_eq!(fields("spec.http[3].headers"), Some("request response"));
        assert_eq!(
            fields("spec.http[3].match[0].headers.end-user"),
            Some("exact prefix regex")
        );
        assert_eq!(fields("spec.http[3]"), None);
    }
}

//! "Did you mean": the name closest to one that does not exist.

/// Longer names are not compared: nobody mistypes 64 characters into something else.
const CHARS_MAX: usize = 64;

/// The known name closest to `wanted` by edit distance (Damerau–Levenshtein:
/// insertion, deletion, substitution, and swap of neighbours, case ignored),
/// if it is close enough to be what was meant: a third of the letters may differ, but not all of them.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wanted.chars().count();
    if length > CHARS_MAX {
        return None;
    }
    let wanted = wanted.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let name_length = name.chars().count();
        if name_length > CHARS_MAX {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
        let longer = length.max(name_length);
        let close = distance < longer && distance <= longer.max(3) / 3;
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// `text` cut to what fits into a message.
pub(super) fn shortened(text: &str) -> String {
    if text.chars().nth(CHARS_MAX).is_none() {
        return text.to_owned();
    }
    text.chars().take(CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_offered_and_far_ones_are_not() {
        let known = ["reviews", "ratings", "details"];
        assert_eq!(nearest("reveiws", known), Some("reviews"));
        assert_eq!(nearest("Ratings", known), Some("ratings"));
        assert_eq!(nearest("payments", known), None);
        assert_eq!(nearest("v2", ["v1"]), Some("v1"));
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("ab", ["cd"]), None);
    }
}

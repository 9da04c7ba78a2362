//! What of one run is what of the other.

use std::collections::{BTreeMap, VecDeque};

/// Something under its key, in A and in B.
pub(super) type Pair<'a, T> = (String, Option<&'a T>, Option<&'a T>);

/// The items of both paired by key, the n-th of a key with the n-th: A's order, then what only B has.
pub(super) fn pairs<'a, T>(
    a: impl IntoIterator<Item = &'a T>,
    b: impl IntoIterator<Item = &'a T>,
    key: impl Fn(&T) -> String,
) -> Vec<Pair<'a, T>> {
    let b: Vec<(String, &T)> = b.into_iter().map(|item| (key(item), item)).collect();
    let mut free: BTreeMap<&str, VecDeque<usize>> = BTreeMap::new();
    for (i, (key, _)) in b.iter().enumerate() {
        free.entry(key).or_default().push_back(i);
    }
    let mut taken = vec![false; b.len()];
    let mut pairs = Vec::new();
    for item in a {
        let key = key(item);
        let at = free.get_mut(key.as_str()).and_then(VecDeque::pop_front);
        if let Some(at) = at {
            taken[at] = true;
        }
        pairs.push((key, Some(item), at.map(|at| b[at].1)));
    }
    let rest = b.into_iter().zip(taken).filter(|(_, taken)| !taken);
    pairs.extend(rest.map(|((key, item), _)| (key, None, Some(item))));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_a_key_is_the_second_of_the_other() {
        let (a, b) = (["x1", "y1", "x2"], ["z1", "x3", "x4", "x5"]);
        let first = |item: &&str| item[..1].to_owned();
        let told: Vec<_> = pairs(&a, &b, first)
            .into_iter()
            .map(|(_, a, b)| (a.copied().unwrap_or("-"), b.copied().unwrap_or("-")))
            .collect();
        let expected = [
            ("x1", "x3"),
            ("y1", "-"),
            ("x2", "x4"),
            ("-", "z1"),
            ("-", "x5"),
        ];
        assert_eq!(told, expected);
    }
}

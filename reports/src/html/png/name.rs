//! What a picture's file is called.
//!
//! Names come from outside and may be anything; a file's name is typed in shells, put into links and unpacked on other
//! systems. So of a name only what is the same everywhere is kept: the letters a to z, digits, and `-` for all between.
//! Case is dropped, for there are file systems that do not tell it.

use std::collections::BTreeSet;

/// Characters of one word.
const WORD_MAX: usize = 48;
/// Characters of a name, with its number.
const NAME_MAX: usize = 80;
/// Names that mean a device on Windows, with any ending (Microsoft, "Naming Files, Paths, and Namespaces").
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The name of a file for what `words` say, and none of `taken`.
pub(super) fn file(words: &[&str], taken: &BTreeSet<String>) -> String {
    let words = words.iter().map(|word| slug(word));
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-");
    // The last word tells pictures of one thing apart: a long name is cut at its beginning.
    let room = NAME_MAX - 12;
    if name.len() > room {
        name = name.split_off(name.len() - room);
        name = name.trim_start_matches('-').to_owned();
    }
    if name.is_empty() || is_device(&name) {
        name = format!("chart{}{name}", if name.is_empty() { "" } else { "-" });
    }
    let numbered = |n: &u64| match n {
        1 => name.clone(),
        n => format!("{name}-{n}"),
    };
    let free = (1..).map(|n| numbered(&n)).find(|n| !taken.contains(n));
    free.unwrap_or_default()
}

fn is_device(name: &str) -> bool {
    let port = ["com", "lpt"]
        .iter()
        .any(|port| name.strip_prefix(port).is_some_and(|n| n.len() == 1));
    port || DEVICES.contains(&name)
}

fn slug(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        if out.len() >= WORD_MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_says_what_is_shown() {
        let none = BTreeSet::new();
        assert_eq!(
            file(&["", "users", "Load and goodput"], &none),
            "users-load-and-goodput"
        );
        assert_eq!(
            file(&["../../etc/passwd", "Latency"], &none),
            "etc-passwd-latency"
        );
        assert_eq!(file(&["לקוחות", "Latency"], &none), "latency");
        assert_eq!(file(&["\u{202e}gnp", "%41"], &none), "gnp-41");
        assert_eq!(file(&["NUL"], &none), "chart-nul");
        assert_eq!(file(&["com1"], &none), "chart-com1");
        assert_eq!(file(&["合計"], &none), "chart");
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut taken = BTreeSet::new();
        for expected in ["latency", "latency-2", "latency-3"] {
            let name = file(&["Latency"], &taken);
            assert_eq!(name, expected);
            taken.insert(name);
        }
    }

    proptest! {
        #[test]
        fn any_name_is_inert(words in proptest::collection::vec(any::<String>(), 0..4), long in 0_usize..10_000) {
            let long = "x/".repeat(long);
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.push(&long);
            let mut taken = BTreeSet::new();
            for _ in 0..3 {
                let name = file(&words, &taken);
                prop_assert!(!name.is_empty() && name.len() <= NAME_MAX);
                prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert!(!name.starts_with('-'));
                prop_assert!(taken.insert(name));
            }
        }
    }
}

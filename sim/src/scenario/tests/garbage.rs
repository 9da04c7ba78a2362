//! Whatever is in the file, loading ends with a plan or with diagnostics.

use proptest::prelude::*;

use super::{HEAD, try_load};
use crate::scenario::starter;

fn survive(yaml: &str) {
    match try_load(yaml) {
        Ok(loaded) => loaded
            .warnings
            .iter()
            .for_each(|warning| drop(warning.render(true))),
        Err(errors) => {
            assert!(!errors.is_empty());
            errors.iter().for_each(|error| drop(error.render(false)));
        }
    }
}

/// Words of the format, in and out of place.
fn word() -> impl Strategy<Value = String> {
    let words = [
        "services:",
        "traffic:",
        "faults:",
        "expect:",
        "topology:",
        "mesh:",
        "web:",
        "db:",
        "to:",
        "rate:",
        "handles:",
        "script:",
        "call:",
        "sleep:",
        "responses:",
        "versions:",
        "replicas:",
        "zone:",
        "zones:",
        "at:",
        "for:",
        "crash:",
        "partition:",
        "latency:",
        "from:",
        "during:",
        "success:",
        "p99:",
        "users:",
        "stages:",
        "bursts:",
        "requests:",
        "import:",
        "config:",
        "links:",
        "same-zone:",
        "labels:",
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        "\n- ",
        "\n  - ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        " web",
        " db",
        " /",
        " 1s",
        " 5ms",
        " 10/s",
        " 5%",
        " \">= 99%\"",
        " \"< 1s\"",
        " 1s..2s",
        " 3",
        " -1",
        " 1.5",
        " ~",
        " true",
        " 'x'",
        " 503",
        " hang",
        " http://web/",
        " poisson(5/s)",
        " uniform(1ms, 2ms)",
        " *",
        " v1",
        " &a",
        " *a",
        " <<:",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_loaded_or_refused(text in "\\PC{0,200}") {
        survive(&text);
        survive(&format!("{HEAD}{text}"));
    }

    #[test]
    fn words_of_the_format_are_loaded_or_refused(words in prop::collection::vec(word(), 0..60)) {
        survive(&format!("{HEAD}{}", words.concat()));
    }

    #[test]
    fn a_damaged_scenario_is_loaded_or_refused(
        at in any::<prop::sample::Index>(),
        cut in 0usize..40,
        word in word(),
    ) {
        let text: Vec<char> = starter("x").chars().collect();
        let at = at.index(text.len());
        let end = (at + cut).min(text.len());
        let damaged: String = text[..at].iter().copied().chain(word.chars()).chain(text[end..].iter().copied()).collect();
        survive(&damaged);
    }
}

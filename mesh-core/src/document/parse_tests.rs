//! Tests of parsing: YAML's meaning, places, and hostile input.

use proptest::prelude::*;

use super::*;
use crate::document::{read, read_all, read_lenient};

fn one(yaml: &str) -> Document {
    parse(&Source::new("t.yaml", yaml))
        .unwrap_or_else(|error| panic!("{}", error.render(false)))
        .remove(0)
}

fn refused(yaml: &str) -> Diagnostic {
    parse(&Source::new("t.yaml", yaml)).expect_err("refused")
}

/// The text a span covers.
fn covered<'a>(document: &'a Document, node: &Node) -> &'a str {
    &document.source.text[node.span.start.offset..node.span.end.offset]
}

#[test]
fn documents_are_separated_and_empty_ones_skipped() {
    let source = Source::new("t", "---\na: 1\n---\n# nothing\n---\nb: 2\n...\n");
    assert_eq!(parse(&source).unwrap().len(), 2);
    assert!(parse(&Source::new("t", "")).unwrap().is_empty());
    assert!(
        parse(&Source::new("t", "# only a comment\n"))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn json_is_yaml() {
    let document = one("{\"a\": [1, -2.5, null, true, \"x\\u00e9\\n\"], \"b\":{}}");
    let items = document.root.get("a").unwrap().items();
    assert_eq!(items[0].as_i64(), Some(1));
    assert_eq!(items[1].as_f64(), Some(-2.5));
    assert!(items[2].is_null());
    assert_eq!(items[3].as_bool(), Some(true));
    assert_eq!(items[4].as_str(), Some("xé\n"));
    assert!(document.root.get("b").unwrap().is_mapping());
}

#[test]
fn quotes_make_text() {
    let document = one("a: '1'\nb: \"true\"\nc: !!str 3\nd: |\n  4\n");
    for key in ["a", "b", "c", "d"] {
        assert!(document.root.get(key).unwrap().as_str().is_some(), "{key}");
    }
}

#[test]
fn spans_cover_what_was_written() {
    let document =
        one("# é\nné: \"ü\"\nlist:\n  - {a: 1, b: [x]}\n  - plain text # c\nlast:\n  k: v\n\n\n");
    let root = &document.root;
    assert_eq!(covered(&document, root.get("né").unwrap()), "\"ü\"");
    let list = root.get("list").unwrap();
    assert_eq!(covered(&document, &list.items()[0]), "{a: 1, b: [x]}");
    assert_eq!(covered(&document, &list.items()[1]), "plain text");
    assert_eq!(covered(&document, root.get("last").unwrap()), "k: v");
    let (key, _) = root.entry("last").unwrap();
    assert_eq!((key.span.start.line, key.span.start.column), (6, 1));
    assert_eq!(covered(&document, key), "last");
}

#[test]
fn aliases_are_copies_and_merges_give_way() {
    let document =
        one("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\nmany: {<<: [{x: 8}, {x: 9, z: 7}]}\n");
    let used = document.root.get("use").unwrap();
    assert_eq!(used.get("x").unwrap().as_i64(), Some(1));
    assert_eq!(used.get("y").unwrap().as_i64(), Some(3));
    let many = document.root.get("many").unwrap();
    assert_eq!(many.get("x").unwrap().as_i64(), Some(8));
    assert_eq!(many.get("z").unwrap().as_i64(), Some(7));
}

#[test]
fn a_key_given_twice_names_both_places() {
    let shown = refused("a:\n  rate: 1\n  rate: 2\n").render(false);
    insta::assert_snapshot!(shown, @r"
    error: the key `rate` is given twice
     --> t.yaml:3:3
      |
    2 |   rate: 1
      |   ---- first here
    3 |   rate: 2
      |   ^^^^ again here
    ");
}

#[test]
fn a_tab_is_explained() {
    let shown = refused("a:\n\tb: 1\n").render(false);
    insta::assert_snapshot!(shown, @r"
    error: this is not valid YAML: tabs disallowed within this context (block indentation)
     --> t.yaml:2:2
      |
    2 |     b: 1
      |     ^
      |
      = help: YAML is indented with spaces, not tabs
    ");
}

#[test]
fn a_value_with_a_colon_is_explained() {
    let shown = refused("about: this: that\n").render(false);
    insta::assert_snapshot!(shown, @r"
    error: this is not valid YAML: mapping values are not allowed in this context
     --> t.yaml:1:12
      |
    1 | about: this: that
      |            ^
      |
      = help: quote a value that contains `: `, or check the indentation
    ");
}

#[test]
fn what_is_not_the_core_schema_is_refused() {
    assert!(refused("a: !secret x").message().contains("tag"));
    assert!(refused("a: !!binary x").message().contains("tag"));
    assert!(refused("a: !!int x").message().contains("!!int"));
    assert!(refused("[a]: x").message().contains("key"));
    assert!(refused("? {a: b}\n: x").message().contains("key"));
    assert!(refused("a: \u{0}").message().contains("U+0000"));
}

#[test]
fn a_bomb_ends_in_a_diagnostic() {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..30 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    assert!(refused(&laughs).message().contains("too many values"));
    let mut deep = String::from("a0: &a0 [x]\n");
    for level in 1..100 {
        deep += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert!(refused(&deep).message().contains("deeper than 64"));
    assert!(refused("a: &a [*a]").message().contains("inside the value"));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&Source::new("t", &nested(DEPTH_MAX))).is_ok());
    assert!(refused(&nested(DEPTH_MAX + 1)).message().contains("deeper"));
    assert!(refused(&nested(100_000)).help_text().contains("64"));
    assert!(refused(&"- ".repeat(100_000)).message().contains("deeper"));
    assert!(
        refused(&"[a,".repeat(2_000_000))
            .message()
            .contains("too many")
    );
    assert!(
        refused(&"a\n---\n".repeat(1_000_001))
            .message()
            .contains("too many")
    );
}

/// Pieces that YAML cares about, so that random texts reach deep into the parser.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a: ".to_owned()),
        Just("- ".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("  ".to_owned()),
        Just("\t".to_owned()),
        Just("? ".to_owned()),
        Just(": ".to_owned()),
        Just(":".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just("&x ".to_owned()),
        Just("*x".to_owned()),
        Just("<<: ".to_owned()),
        Just("!!str ".to_owned()),
        Just("!t ".to_owned()),
        Just("%TAG ! x\n".to_owned()),
        Just("%YAML 1.2\n".to_owned()),
        Just("|\n".to_owned()),
        Just(">-\n".to_owned()),
        Just("|9".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\\x".to_owned()),
        Just("# c".to_owned()),
        Just("---\n".to_owned()),
        Just("...\n".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("é".to_owned()),
        Just("日本".to_owned()),
        Just("12".to_owned()),
        "[ -~]{0,6}",
        ".{0,4}",
    ]
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only to see that reading does not panic")]
struct Anything {
    a: Option<crate::document::Recover<Box<Anything>>>,
    b: Option<std::collections::BTreeMap<u16, crate::document::Spanned<String>>>,
    c: Vec<Option<Choice>>,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "read only to see that reading does not panic")]
enum Choice {
    A,
    B(f64),
    C { x: bool },
    D(u8, i16),
}

fn survive(text: &str) {
    let source = Source::new("t", text);
    match parse(&source) {
        Err(error) => drop(error.render(true)),
        Ok(documents) => {
            for mut document in documents {
                if let Err(error) = read::<Anything>(&document, &document.root) {
                    drop(error.render(false));
                }
                if let Err(errors) = read_all::<Anything>(&document, &document.root) {
                    errors.iter().for_each(|error| drop(error.render(false)));
                }
                drop(read_lenient::<serde_json::Value>(&document, &document.root));
                drop(document.set(text, text));
                drop(document.set("a[0].b", text));
                drop(document.error(document.root.span, "x").render(false));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        survive(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        survive(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn yaml_like_text_is_read_or_refused(pieces in prop::collection::vec(fragment(), 0..40)) {
        survive(&pieces.concat());
    }

    #[test]
    fn mutated_yaml_is_read_or_refused(at in 0usize..200, cut in 0usize..6, piece in fragment()) {
        let yaml = "# c\na: &x {b: [1, 'two', \"th\\tree\"], c: }\nd:\n- *x\n-   - e: |\n        lit\n        eral\n    f: >-\n      fol\n      ded\n<<: *x\n? k\n: v\ng: !!str 1\n---\nh: 1e3\n";
        let at = at.min(yaml.len());
        let end = (at + cut).min(yaml.len());
        survive(&format!("{}{piece}{}", &yaml[..at], &yaml[end..]));
    }

    #[test]
    fn plain_words_are_covered_exactly(words in prop::collection::vec("[a-zé日]{1,9}", 1..200)) {
        let yaml: String = words.iter().enumerate().map(|(n, word)| format!("k{n}: {word} # {word}\r\n")).collect();
        let document = one(&yaml);
        for (_, value) in document.root.entries() {
            prop_assert_eq!(value.as_str().unwrap(), covered(&document, value));
        }
    }
}

//! Changes of a scenario's text that leave the rest of it as its author wrote it.
//!
//! A value is put where it stands, or a key is added to what is there, by the places that the parsed tree remembers.
//! YAML can be written in more ways than an edit by places foresees (anchors, tags, keys of many kinds), so nothing
//! is believed: what was written is read again, and unless it says exactly what it should, there is no edit.

use std::path::{Component, Path, PathBuf};

use mesh_core::document::{Document, Node, Source, Value, parse};

/// `text` with the value at `path` set to the YAML value `value`, as `--set path=value` would have it; `None` where
/// that cannot be written into it.
pub(super) fn with_value(text: &str, path: &str, value: &str) -> Option<String> {
    let document = read(text)?;
    let mut wanted = document.clone();
    wanted.set(path, value).ok()?;
    let (at, edit) = first_difference(&document.root, &wanted.root)?;
    let written = match edit {
        Edit::Replace(node) => spliced(text, place(at)?, &flow(node)),
        Edit::Add(key, node) => added(text, at, &format!("{}: {}", scalar(key)?, flow(node)))?,
        Edit::Append(node) => appended(text, at, &flow(node))?,
        Edit::Nothing => return Some(text.to_owned()),
    };
    same(&read(&written)?.root, &wanted.root).then_some(written)
}

fn read(text: &str) -> Option<Document> {
    let documents = parse(&Source::new("scenario", text)).ok()?;
    documents.into_iter().next()
}

/// What makes one tree out of another.
enum Edit<'n> {
    Replace(&'n Node),
    Add(&'n Node, &'n Node),
    Append(&'n Node),
    Nothing,
}

/// The one place in which two trees differ, and how. A tree in which a value was set has only one.
fn first_difference<'n>(own: &'n Node, wanted: &'n Node) -> Option<(&'n Node, Edit<'n>)> {
    let changed = |pairs: Vec<(&'n Node, &'n Node)>| {
        let mut pairs = pairs.into_iter();
        let first = pairs.find(|(a, b)| !same(a, b));
        first.map(|(a, b)| first_difference(a, b))
    };
    match (&own.value, &wanted.value) {
        (Value::Mapping(a), Value::Mapping(b)) if !a.is_empty() && a.len() <= b.len() => {
            let known = a.iter().zip(b);
            let keys = known.clone().all(|((a, _), (b, _))| same(a, b));
            let pairs = known.map(|((_, a), (_, b))| (a, b)).collect();
            match (keys, changed(pairs), b.get(a.len())) {
                (false, ..) => Some((own, Edit::Replace(wanted))),
                (true, Some(found), _) => found,
                (true, None, Some((key, value))) => Some((own, Edit::Add(key, value))),
                (true, None, None) => Some((own, Edit::Nothing)),
            }
        }
        (Value::Sequence(a), Value::Sequence(b)) if !a.is_empty() && a.len() <= b.len() => {
            match (changed(a.iter().zip(b).collect()), b.get(a.len())) {
                (Some(found), _) => found,
                (None, Some(item)) => Some((own, Edit::Append(item))),
                (None, None) => Some((own, Edit::Nothing)),
            }
        }
        _ if same(own, wanted) => Some((own, Edit::Nothing)),
        _ => Some((own, Edit::Replace(wanted))),
    }
}

/// Whether two trees say the same, wherever it is written.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Sequence(a), Value::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Mapping(a), Value::Mapping(b)) => {
            let pairs = || a.iter().zip(b);
            a.len() == b.len() && pairs().all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
        }
        (a, b) => a == b,
    }
}

/// Where a node is written, in bytes.
fn place(node: &Node) -> Option<std::ops::Range<usize>> {
    let (from, to) = (node.span.start.offset, node.span.end.offset);
    (from < to).then_some(from..to)
}

fn spliced(text: &str, place: std::ops::Range<usize>, with: &str) -> String {
    let (Some(before), Some(own), Some(after)) = (
        text.get(..place.start),
        text.get(place.clone()),
        text.get(place.end..),
    ) else {
        return text.to_owned();
    };
    // A block ends where the next thing begins: the line's end that is between them stays.
    let kept = &own[own.trim_end().len()..];
    format!("{before}{with}{kept}{after}")
}

/// A key more in a mapping that has some: the last, as one that is set by path is.
fn added(text: &str, mapping: &Node, entry: &str) -> Option<String> {
    let (key, value) = mapping.entries().last()?;
    let last = key.span.end.offset.max(value.span.end.offset);
    if text.get(place(mapping)?.start..)?.starts_with('{') {
        let (before, after) = text.split_at_checked(text.get(..last)?.trim_end().len())?;
        return Some(format!("{before}, {entry}{after}"));
    }
    let column = mapping.entries().first()?.0.span.start.column;
    let indent = " ".repeat(column.saturating_sub(1) as usize);
    below(text, last, &format!("{indent}{entry}"))
}

/// An item more in a list that has some.
fn appended(text: &str, list: &Node, item: &str) -> Option<String> {
    let last = list.items().last()?.span.end.offset;
    if text.get(place(list)?.start..)?.starts_with('[') {
        let (before, after) = text.split_at_checked(text.get(..last)?.trim_end().len())?;
        return Some(format!("{before}, {item}{after}"));
    }
    let first = list.items().first()?.span.start.offset;
    let line = text.get(..first)?.rfind('\n').map_or(0, |end| end + 1);
    let dash = text.get(line..first)?.find('-')?;
    let indent = text.get(line..line + dash)?;
    below(text, last, &format!("{indent}- {item}"))
}

/// A line more below the one in which something ends, behind which a comment may stand.
fn below(text: &str, last: usize, line: &str) -> Option<String> {
    let used = text.get(..last)?.trim_end().len();
    let end = text
        .get(used..)?
        .find('\n')
        .map_or(text.len(), |end| used + end);
    let (before, after) = text.split_at_checked(end)?;
    let after = if after.is_empty() { "\n" } else { after };
    Some(format!("{before}\n{line}{after}"))
}

/// A value on one line, as YAML has it in braces and brackets.
fn flow(node: &Node) -> String {
    match &node.value {
        Value::Sequence(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) if entries.is_empty() => "{}".into(),
        Value::Mapping(entries) => {
            let entry = |(key, value): &(Node, Node)| {
                format!("{}: {}", scalar(key).unwrap_or_default(), flow(value))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        _ => scalar(node).unwrap_or_default(),
    }
}

/// A scalar; `None` for what is none.
fn scalar(node: &Node) -> Option<String> {
    Some(match &node.value {
        Value::Null => "~".into(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Unsigned(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => ".nan".into(),
        Value::Float(value) if value.is_infinite() => {
            if *value > 0.0 { ".inf" } else { "-.inf" }.into()
        }
        Value::Float(value) => format!("{value:?}"),
        Value::String(text) => word(text),
        Value::Sequence(_) | Value::Mapping(_) => return None,
    })
}

/// A text as YAML takes it for a text, plain where it is plainly one.
fn word(text: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '%' | '(' | ')');
    let simple = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain);
    // What YAML would take for something else is told apart by reading it.
    let text_still = || {
        let read = read(text);
        read.is_some_and(|document| document.root.as_str() == Some(text))
    };
    match simple && text_still() {
        true => text.to_owned(),
        // A JSON string is a YAML string.
        false => serde_json::Value::from(text).to_string(),
    }
}

/// `text` with every file that it names by a way from `from` named by the way from `to`, both folders.
///
/// # Errors
/// A sentence, when that cannot be written.
pub(super) fn moved(text: &str, from: &Path, to: &Path) -> Result<String, String> {
    let whole = |folder: &Path| {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        folder
            .canonicalize()
            .map_err(|error| format!("{}: {error}", folder.display()))
    };
    let (from, to) = (whole(from)?, whole(to)?);
    if from == to {
        return Ok(text.to_owned());
    }
    let document = read(text).ok_or("the scenario cannot be read")?;
    let mut named = Vec::new();
    files_of(&document.root, &mut named);
    // From the last to the first, so that places hold.
    named.sort_by_key(|node| std::cmp::Reverse(node.span.start.offset));
    let mut written = text.to_owned();
    for node in named {
        let Some(file) = node.as_str().filter(|file| Path::new(file).is_relative()) else {
            continue;
        };
        let cannot = || {
            format!(
                "it names `{file}`, which would not be found from {}",
                to.display()
            )
        };
        let way = way(&to, &from, file).ok_or_else(cannot)?;
        let place = place(node).ok_or_else(cannot)?;
        written = spliced(&written, place, &word(&way));
        let again = read(&written).ok_or_else(cannot)?;
        let mut all = Vec::new();
        files_of(&again.root, &mut all);
        if !all.iter().any(|node| node.as_str() == Some(&way)) {
            return Err(cannot());
        }
    }
    Ok(written)
}

/// Where a scenario names files: what it imports, its mesh's configuration, and that which faults push.
fn files_of<'n>(root: &'n Node, named: &mut Vec<&'n Node>) {
    let of = |part: &str, field: &str| root.get(part).and_then(|part| part.get(field));
    let faults = root.get("faults").map(Node::items).unwrap_or_default();
    let pushed = faults.iter().filter_map(|fault| fault.get("config"));
    let pushed = pushed.map(|config| config.get("files").unwrap_or(config));
    let lists = [of("topology", "import"), of("mesh", "config")];
    for list in lists.into_iter().flatten().chain(pushed) {
        match &list.value {
            Value::Sequence(items) => named.extend(items),
            _ => named.push(list),
        }
    }
}

/// The way from the folder `here` to `file` in the folder `there`, both whole.
fn way(here: &Path, there: &Path, file: &str) -> Option<String> {
    let (mine, other): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (here.components().collect(), there.components().collect());
    let shared = mine.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(Component::ParentDir, mine.len() - shared);
    let mut way: PathBuf = up.chain(other[shared..].iter().copied()).collect();
    way.push(file);
    // A folder with a sign in its name that means something in a pattern cannot be named in one.
    let folders = way.to_str()?.strip_suffix(file)?;
    let odd = folders.contains(['*', '?', '[', '{', '\\']);
    (!odd).then(|| way.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\
meshquake: v1   # a comment
mesh: { config: [mesh/*.yaml], defaults: { retries: 1 } }
topology:
  import:
    - k8s/web.yaml   # imported
services:
  web: { replicas: 2 }
  api:
    # of two workers
    workers: 2
traffic:
  users: { to: web, rate: 20/s }
faults:
  - at: 5s
    config: { files: mesh/later.yaml }
";

    fn plain(text: &str, path: &str, value: &str) -> String {
        let written = with_value(text, path, value).unwrap_or_else(|| panic!("{path}={value}"));
        let mut wanted = read(text).unwrap();
        wanted.set(path, value).unwrap();
        assert!(
            same(&read(&written).unwrap().root, &wanted.root),
            "{written}"
        );
        written
    }

    #[test]
    fn a_value_goes_where_it_belongs_and_nothing_else_changes() {
        let ways = [
            ("mesh.defaults.retries", "0", "defaults: { retries: 0 } }"),
            (
                "mesh.defaults.mtls",
                "strict",
                "{ retries: 1, mtls: strict }",
            ),
            (
                "services.api.workers",
                "8",
                "    # of two workers\n    workers: 8\ntraffic",
            ),
            (
                "services.api.queue",
                "4",
                "    workers: 2\n    queue: 4\ntraffic",
            ),
            (
                "traffic.users.rate",
                "poisson(50/s)",
                "rate: poisson(50/s) }",
            ),
            ("seed", "9", "later.yaml }\nseed: 9\n"),
            ("faults[0].at", "7s", "  - at: 7s\n    config"),
            (
                "faults[1]",
                "{at: 9s, crash: web}",
                "- { at: 9s, crash: web }",
            ),
            (
                "services.db.replicas",
                "3",
                "    workers: 2\n  db: { replicas: 3 }\n",
            ),
            (
                "mesh.defaults",
                "{retries: 3}",
                "defaults: { retries: 3 } }",
            ),
        ];
        for (path, value, wanted) in ways {
            let written = plain(TEXT, path, value);
            assert!(written.contains(wanted), "{path}: {written}");
            for comment in ["# a comment", "# imported"] {
                assert!(written.contains(comment), "{path}: {written}");
            }
        }
        // What another place shares is not written over.
        let shared = "a: &x { b: 1 }\nc: *x\n";
        assert!(with_value(shared, "c.b", "2").is_none_or(|text| read(&text).is_some()));
    }

    #[test]
    fn files_are_named_from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a/b"), folder.path().join("c"));
        std::fs::create_dir_all(&from).unwrap();
        std::fs::create_dir_all(&to).unwrap();
        let written = moved(TEXT, &from, &to).unwrap();
        for way in [
            "../a/b/mesh/*.yaml",
            "- \"../a/b/k8s/web.yaml\"   # imported",
            "../a/b/mesh/later.yaml",
        ] {
            assert!(written.contains(way), "{written}");
        }
        assert_eq!(
            moved(&written, &to, &from).map(|text| text.contains("../")),
            Ok(true)
        );
        assert_eq!(moved(TEXT, &from, &from).unwrap(), TEXT);
        let odd = folder.path().join("[odd]");
        std::fs::create_dir_all(&odd).unwrap();
        assert!(
            moved(TEXT, &odd, &to)
                .unwrap_err()
                .contains("would not be found")
        );
    }

    proptest! {
        /// Whatever is written says what it should, and no text makes it panic.
        #[test]
        fn what_is_written_says_what_it_should(text: String, value in "\\PC{0,20}", path in "[a-c](\\.[a-c]|\\[[01]\\]){0,3}") {
            for text in [text.as_str(), TEXT, "a: { b: [1, { c: 2 }] }\nb:\n- a\n- b: 1\n"] {
                if let Some(written) = with_value(text, &path, &value) {
                    let mut wanted = read(text).unwrap();
                    wanted.set(&path, &value).unwrap();
                    prop_assert!(same(&read(&written).unwrap().root, &wanted.root));
                }
            }
        }
    }
}

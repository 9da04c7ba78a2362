//! Paths into a tree: `faults[0].at`, `services.reviews.handles."/a.b"`.

use std::fmt;
use std::sync::Arc;

use super::{Node, Value};

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError(String);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PathError {}

enum Step {
    Key(String),
    Index(usize),
}

impl Node {
    /// Sets the value at a path, making mappings on the way. Keys are separated
    /// by dots, and quoted (`"a.b"`) when they hold a dot or a bracket; `[n]` is
    /// the n-th item of a list, from 0, or one more to append.
    ///
    /// # Errors
    /// When the path is malformed, an index is out of range, or something on the
    /// way is neither a list nor a mapping.
    pub fn set_path(&mut self, path: &str, value: Self) -> Result<(), PathError> {
        let steps = steps(path)?;
        let mut here = self;
        for step in steps {
            here = match step {
                Step::Key(key) => here.child(&key, &value)?,
                Step::Index(index) => here.item(index, &value)?,
            };
        }
        *here = value;
        Ok(())
    }

    fn child(&mut self, key: &str, new: &Self) -> Result<&mut Self, PathError> {
        if self.is_null() {
            self.value = Value::Mapping(Vec::new());
        }
        let what = self.value.describe();
        let Value::Mapping(entries) = &mut self.value else {
            return Err(PathError(format!(
                "`{key}` is sought in {what}, which has no keys"
            )));
        };
        let at = entries
            .iter()
            .position(|(name, _)| super::key::text(name).as_deref() == Some(key));
        let at = at.unwrap_or_else(|| {
            let name = Self::new(new.span, Value::String(Arc::from(key)));
            entries.push((name, Self::null(new.span)));
            entries.len() - 1
        });
        Ok(&mut entries[at].1)
    }

    fn item(&mut self, index: usize, new: &Self) -> Result<&mut Self, PathError> {
        if self.is_null() {
            self.value = Value::Sequence(Vec::new());
        }
        let what = self.value.describe();
        let Value::Sequence(items) = &mut self.value else {
            return Err(PathError(format!(
                "`[{index}]` is sought in {what}, which is not a list"
            )));
        };
        if index > items.len() {
            return Err(PathError(format!(
                "`[{index}]` is past the end of a list of {}",
                items.len()
            )));
        }
        if index == items.len() {
            items.push(Self::null(new.span));
        }
        Ok(&mut items[index])
    }
}

fn steps(path: &str) -> Result<Vec<Step>, PathError> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after
                .split_once(']')
                .ok_or_else(|| PathError("a `[` has no `]`".into()))?;
            let index = index
                .trim()
                .parse()
                .map_err(|_| PathError(format!("`[{index}]` is not an index")))?;
            steps.push(Step::Index(index));
            after
        } else {
            let after = if steps.is_empty() {
                rest
            } else {
                rest.strip_prefix('.')
                    .ok_or_else(|| PathError(format!("a `.` is missing before `{rest}`")))?
            };
            let (key, after) = key(after)?;
            steps.push(Step::Key(key.to_owned()));
            after
        };
        if steps.len() > super::DEPTH_MAX {
            return Err(PathError(format!("it is deeper than {}", super::DEPTH_MAX)));
        }
    }
    if steps.is_empty() {
        return Err(PathError("it is empty".into()));
    }
    Ok(steps)
}

fn key(text: &str) -> Result<(&str, &str), PathError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted
            .split_once('"')
            .ok_or_else(|| PathError("a quote is not closed".into()));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    if end == 0 {
        return Err(PathError("a key is empty".into()));
    }
    Ok(text.split_at(end))
}

#[cfg(test)]
mod tests {
    use crate::document::{Source, parse};

    fn set(yaml: &str, path: &str, value: &str) -> Result<String, String> {
        let mut document = parse(&Source::new("t", yaml)).unwrap().remove(0);
        document
            .set(path, value)
            .map_err(|error| error.message().to_owned())?;
        Ok(plain(&document.root))
    }

    fn plain(node: &super::Node) -> String {
        use super::Value;
        match &node.value {
            Value::Sequence(items) => {
                format!(
                    "[{}]",
                    items.iter().map(plain).collect::<Vec<_>>().join(",")
                )
            }
            Value::Mapping(entries) => format!(
                "{{{}}}",
                entries
                    .iter()
                    .map(|(key, value)| format!("{}:{}", plain(key), plain(value)))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            Value::String(text) => text.to_string(),
            Value::Null => "~".into(),
            other => other.describe().replace("number ", "").replace('`', ""),
        }
    }

    #[test]
    fn values_are_replaced_added_and_appended() {
        assert_eq!(
            set("a: {b: [1, 2]}", "a.b[0]", "7").unwrap(),
            "{a:{b:[7,2]}}"
        );
        assert_eq!(
            set("a: {b: [1]}", "a.b[1].c", "x").unwrap(),
            "{a:{b:[1,{c:x}]}}"
        );
        assert_eq!(
            set("a: 1", "d.\"/e.f\".g", "[h]").unwrap(),
            "{a:1,d:{/e.f:{g:[h]}}}"
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_says_why() {
        assert_eq!(
            set("a: [1]", "a[3]", "2").unwrap_err(),
            "cannot set `a[3]`: `[3]` is past the end of a list of 1"
        );
        assert_eq!(
            set("a: 1", "a.b", "2").unwrap_err(),
            "cannot set `a.b`: `b` is sought in number `1`, which has no keys"
        );
        assert!(set("a: 1", "a..b", "2").is_err());
        assert!(set("a: 1", "", "2").is_err());
        assert!(set("a: 1", "[x]", "2").is_err());
    }

    #[test]
    fn a_value_that_was_set_keeps_its_own_place() {
        let mut document = parse(&Source::new("t", "a: 1\nb: 2")).unwrap().remove(0);
        document.set("a", "five").unwrap();
        let node = document.root.get("a").unwrap();
        assert_eq!(document.position(node.span).to_string(), "--set a");
        let b = document.root.get("b").unwrap();
        assert_eq!(document.position(b.span).to_string(), "t:2:4");
    }
}

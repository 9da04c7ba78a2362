//! JSON for people and their diffs: one key to a line, and the columns of a series on one line each.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Serializes `value`, indented by two spaces, with a newline at the end.
///
/// # Errors
/// When `value` has a map whose keys are not text.
pub(crate) fn pretty<T: Serialize>(value: &T) -> serde_json::Result<String> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    let mut serializer = Serializer::with_formatter(&mut bytes, Columns::default());
    value.serialize(&mut serializer)?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Breaks lines inside objects, and inside arrays only around objects.
#[derive(Default)]
struct Columns {
    depth: usize,
    /// For every open array, whether it has broken its line.
    arrays: Vec<bool>,
    /// The next value is directly inside an array.
    in_array: bool,
    /// The object that ends next has members.
    members: bool,
}

impl Columns {
    fn line<W: ?Sized + Write>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(b"\n")?;
        for _ in 0..self.depth {
            out.write_all(b"  ")?;
        }
        Ok(())
    }
}

impl Formatter for Columns {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.arrays.push(false);
        self.in_array = false;
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        self.in_array = false;
        if self.arrays.pop() == Some(true) {
            self.line(out)?;
        }
        out.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.in_array = true;
        if first { Ok(()) } else { out.write_all(b",") }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if std::mem::take(&mut self.in_array) {
            if let Some(broken) = self.arrays.last_mut() {
                *broken = true;
            }
            self.line(out)?;
        }
        self.depth += 1;
        self.members = false;
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if std::mem::replace(&mut self.members, true) {
            self.line(out)?;
        }
        out.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.in_array = false;
        if !first {
            out.write_all(b",")?;
        }
        self.line(out)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.members = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_stay_on_their_line() {
        let value = json!({
            "columns": [1, null, 2.5],
            "empty": {},
            "none": [],
            "objects": [{"a": [1]}, {"b": {}}],
        });
        let text = pretty(&value).unwrap();
        let expected = r#"{
  "columns": [1,null,2.5],
  "empty": {},
  "none": [],
  "objects": [
    {
      "a": [1]
    },
    {
      "b": {}
    }
  ]
}
"#;
        assert_eq!(text, expected);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}

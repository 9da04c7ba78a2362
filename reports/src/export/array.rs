//! A JSON document that is one long array, written element by element.

use std::io::{self, Write};

use serde::Serialize;

/// The document, in the making.
pub(super) struct Array<W: Write> {
    out: W,
    line: Vec<u8>,
    first: bool,
}

impl<W: Write> Array<W> {
    /// Begins it on `out` with `head`, which ends in the array's bracket within one object.
    pub(super) fn begin(mut out: W, head: &str) -> io::Result<Self> {
        out.write_all(head.as_bytes())?;
        Ok(Self {
            out,
            line: Vec::new(),
            first: true,
        })
    }

    /// Adds an element, on a line of its own.
    pub(super) fn push(&mut self, element: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        let separator: &[u8] = if self.first { b"\n" } else { b",\n" };
        self.line.extend_from_slice(separator);
        serde_json::to_writer(&mut self.line, element)?;
        self.first = false;
        self.out.write_all(&self.line)
    }

    /// Ends array and object.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_a_line() {
        let mut array = Array::begin(Vec::new(), "{\"a\":[").unwrap();
        array.push(&1).unwrap();
        array.push(&"b").unwrap();
        assert_eq!(array.finish().unwrap(), b"{\"a\":[\n1,\n\"b\"\n]}\n");
        let empty = Array::begin(Vec::new(), "{\"a\":[").unwrap();
        assert_eq!(empty.finish().unwrap(), b"{\"a\":[\n]}\n");
    }
}

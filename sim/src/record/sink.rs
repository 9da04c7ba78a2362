//! Where a log's lines go: gathered into blocks, so that a line costs no system call.

use std::io::{self, Write};

/// Bytes written at once.
const BLOCK: usize = 64 * 1024;

/// A log's end. After the first error nothing more is written; the run goes on.
pub(super) struct LineSink {
    sink: Box<dyn Write>,
    buffer: Vec<u8>,
    error: Option<io::Error>,
}

impl LineSink {
    pub(super) fn new(sink: Box<dyn Write>) -> Self {
        Self {
            sink,
            buffer: Vec::with_capacity(2 * BLOCK),
            error: None,
        }
    }

    /// Takes what `write` appends.
    pub(super) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        if self.buffer.len() >= BLOCK {
            self.drain();
        }
    }

    /// Writes what is left, and flushes.
    ///
    /// # Errors
    /// The first error of the sink.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.drain();
        match self.error.take() {
            Some(error) => Err(error),
            None => self.sink.flush(),
        }
    }

    fn drain(&mut self) {
        if self.error.is_none() {
            self.error = self.sink.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }
}

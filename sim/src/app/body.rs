//! Bodies of a given size that hold no bytes of their own.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The largest piece a body is sent in.
const CHUNK: u64 = 64 << 10;

/// What every body is made of. The contents mean nothing, and compress to nothing.
static FILLING: [u8; CHUNK as usize] = [b'.'; CHUNK as usize];

/// The next piece of a body of which `left` bytes are still to come.
pub(super) fn piece(left: u64) -> Bytes {
    Bytes::from_static(&FILLING[..left.min(CHUNK) as usize])
}

/// A body of a given number of bytes, without copies.
#[derive(Clone, Debug)]
pub(crate) struct FillBody {
    left: u64,
}

impl FillBody {
    /// `bytes` of filling.
    pub(crate) fn new(bytes: u64) -> Self {
        Self { left: bytes }
    }
}

impl Body for FillBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = piece(self.left);
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads `body` to its end and counts its bytes.
///
/// # Errors
/// The body's own, when it ends early.
pub(crate) async fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<u64, B::Error> {
    let mut bytes = 0;
    if body.is_end_stream() {
        return Ok(bytes);
    }
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_body_is_as_long_as_it_says() {
        for bytes in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 7] {
            let body = FillBody::new(bytes);
            assert_eq!(body.size_hint().exact(), Some(bytes));
            assert_eq!(drain(body).now_or_never(), Some(Ok(bytes)));
        }
    }
}

//! A request's headers in reserve.
//!
//! While another attempt may follow, an attempt's headers are kept. A copy of a
//! [`HeaderMap`] would be two tables and a reference into the buffer of every
//! value; nearly always nobody asks for it. So they are kept as plain bytes, and
//! made into headers again when there is another attempt.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers as bytes: of each its lengths, whether it is sensitive, its name and its value.
pub(super) struct Spare(Vec<u8>);

/// Bytes of a length.
const LENGTH: usize = size_of::<usize>();

/// Bytes in front of a name.
const FRONT: usize = 2 * LENGTH + 1;

impl Spare {
    /// Keeps `headers`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        /// Room for what most requests have.
        const MOSTLY: usize = 448;
        let mut bytes = Vec::with_capacity(MOSTLY);
        for (name, value) in headers {
            let name = name.as_str().as_bytes();
            let mut front = [u8::from(value.is_sensitive()); FRONT];
            front[..LENGTH].copy_from_slice(&name.len().to_le_bytes());
            front[LENGTH..2 * LENGTH].copy_from_slice(&value.len().to_le_bytes());
            bytes.extend_from_slice(&front);
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(value.as_bytes());
        }
        Self(bytes)
    }

    /// The headers.
    #[cold]
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut rest = Bytes::copy_from_slice(&self.0);
        while let Some((name, value)) = next(&mut rest) {
            headers.append(name, value);
        }
        headers
    }
}

fn next(rest: &mut Bytes) -> Option<(HeaderName, HeaderValue)> {
    let name = usize::from_le_bytes(*rest.first_chunk()?);
    let value = usize::from_le_bytes(*rest[LENGTH..].first_chunk()?);
    let sensitive = rest[2 * LENGTH] == 1;
    drop(rest.split_to(FRONT));
    let name = HeaderName::from_bytes(&rest.split_to(name)).ok()?;
    let mut value = HeaderValue::from_maybe_shared(rest.split_to(value)).ok()?;
    value.set_sensitive(sensitive);
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_come_back_as_they_were(
            pairs in prop::collection::vec(("[a-zA-Z-]{1,12}", "[ -~\\x80-\\xff]{0,40}", any::<bool>()), 0..12),
        ) {
            let mut headers = HeaderMap::new();
            for (name, value, sensitive) in &pairs {
                let mut value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                value.set_sensitive(*sensitive);
                headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
            }
            let back = Spare::of(&headers).headers();
            prop_assert!(back.iter().eq(headers.iter()));
            let sensitive = |map: &HeaderMap| map.values().map(HeaderValue::is_sensitive).collect::<Vec<_>>();
            prop_assert_eq!(sensitive(&back), sensitive(&headers));
        }
    }
}

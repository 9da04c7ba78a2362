//! Header maps, a handful of headers each: to compare with every name takes less than to hash one.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The value of `name`, where it is there once.
pub(crate) fn sole_mut<'m>(
    headers: &'m mut HeaderMap,
    name: &HeaderName,
) -> Option<&'m mut HeaderValue> {
    let mut held = headers.iter_mut().filter(|(own, _)| *own == name);
    let (_, value) = held.next()?;
    held.next().is_none().then_some(value)
}

/// Sets a header that a request or an answer has already on most of its way.
pub(crate) fn replace(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if let Some(held) = sole_mut(headers, &name) {
        *held = value;
        return;
    }
    headers.insert(name, value);
}

/// A map of these headers, for tests.
#[cfg(test)]
pub(crate) fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: HeaderName = HeaderName::from_static("x-count");

    #[test]
    fn a_header_that_is_replaced_is_there_once() {
        let (one, other) = (("x-count", "1"), ("x-stay", "1"));
        for before in [vec![other], vec![one, other], vec![one, other, one]] {
            let mut headers = map(&before);
            replace(&mut headers, COUNT, HeaderValue::from_static("2"));
            let after = [("x-count", "2"), other];
            assert_eq!(headers, map(&after), "{before:?}");
        }
    }
}

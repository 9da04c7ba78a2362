//! Trace context: W3C `traceparent` and B3, read, made and passed on.
//!
//! A proxy continues the trace it finds (W3C first, then B3 multi-header, then
//! B3 single), starts one where there is none, and puts its own span id in, so
//! that each hop is a span of its own (W3C Trace Context, 2021; the B3
//! specification of OpenZipkin).

use bytes::Bytes;
use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::header_map::sole_mut;
use crate::seam::Rng;

/// `traceparent`.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// `x-request-id`.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const B3: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const B3_SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3_PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");

/// A request's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// 128 bits naming the trace; never 0.
    pub trace: u128,
    /// 64 bits naming the span that sent the request.
    pub span: u64,
    /// Whether the caller recorded it.
    pub sampled: bool,
}

impl TraceContext {
    /// The context in `headers`, if there is a valid one.
    pub fn extract(headers: &HeaderMap) -> Option<Self> {
        Self::extract_w3c(headers).or_else(|| Self::extract_b3(headers))
    }

    fn extract_w3c(headers: &HeaderMap) -> Option<Self> {
        parse_traceparent(headers.get(TRACEPARENT)?)
    }

    /// The trace of `parent`, continued, or a new one.
    fn after(parent: Option<Self>, rng: &mut Rng) -> Self {
        match parent {
            Some(parent) => parent.child(rng),
            None => Self::start(rng),
        }
    }

    fn extract_b3(headers: &HeaderMap) -> Option<Self> {
        if let (Some(trace), Some(span)) = (text(headers, &B3_TRACE), text(headers, &B3_SPAN)) {
            let (trace, span) = (trace_id(trace.as_bytes())?, number(span.as_bytes())?);
            let sampled = true;
            return Some(Self {
                trace,
                span,
                sampled,
            });
        }
        let mut parts = text(headers, &B3)?.split('-');
        let trace = trace_id(parts.next()?.as_bytes())?;
        let span = number(parts.next()?.as_bytes())?;
        let sampled = parts.next().is_none_or(|s| s != "0");
        Some(Self {
            trace,
            span,
            sampled,
        })
    }

    /// A new trace.
    pub fn start(rng: &mut Rng) -> Self {
        let high = u128::from(rng.bits() | 1) << 64;
        Self {
            trace: high | u128::from(rng.bits()),
            span: rng.bits() | 1,
            sampled: true,
        }
    }

    /// The same trace, continued by a new span.
    #[must_use]
    pub fn child(self, rng: &mut Rng) -> Self {
        let span = rng.bits() | 1;
        Self { span, ..self }
    }

    /// What a proxy does: continues the trace of `headers` with a span of its own, or starts one,
    /// and writes it back. Without `b3` none of B3's headers is there, and none is looked for.
    pub(crate) fn pass(headers: &mut HeaderMap, b3: bool, rng: &mut Rng) -> Self {
        if b3 {
            let context = Self::after(Self::extract(headers), rng);
            context.inject(headers);
            return context;
        }
        if let Some(held) = sole_mut(headers, &TRACEPARENT) {
            let context = Self::after(parse_traceparent(held), rng);
            *held = unindexed(context.traceparent());
            return context;
        }
        match headers.entry(TRACEPARENT) {
            Entry::Occupied(mut held) => {
                let context = Self::after(parse_traceparent(held.get()), rng);
                held.insert(unindexed(context.traceparent()));
                context
            }
            Entry::Vacant(free) => {
                let context = Self::start(rng);
                free.insert(unindexed(context.traceparent()));
                context
            }
        }
    }

    /// Writes the context into `headers`: always as `traceparent`, and as B3 where B3 was used.
    pub fn inject(&self, headers: &mut HeaderMap) {
        self.inject_w3c(headers);
        if headers.contains_key(&B3_TRACE) {
            if let Some(parent) = headers.remove(&B3_SPAN) {
                headers.insert(B3_PARENT, parent);
            }
            headers.insert(B3_SPAN, ascii(hex::<16>(u128::from(self.span))));
        }
        if headers.contains_key(&B3) {
            let sampled = u8::from(self.sampled);
            let text = format!("{:032x}-{:016x}-{sampled}", self.trace, self.span);
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(B3, value);
            }
        }
    }

    fn inject_w3c(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, unindexed(self.traceparent()));
    }

    /// The `traceparent` header.
    pub fn traceparent(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        text[3..35].copy_from_slice(&hex::<32>(self.trace));
        text[36..52].copy_from_slice(&hex::<16>(u128::from(self.span)));
        text[54] = b'0' + u8::from(self.sampled);
        ascii(text)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A value that no other request will have, and that HPACK is therefore not to keep
/// (RFC 7541, section 6.2.3): it would push out those that recur.
pub(crate) fn unindexed(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// A version 4 UUID (RFC 9562, section 5.4) from 128 random bits, as Envoy makes request ids.
pub fn request_id(bits: u128) -> HeaderValue {
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let digits = hex::<32>(bits);
    let mut text = [b'-'; 36];
    for (from, to) in [
        (0..8, 0),
        (8..12, 9),
        (12..16, 14),
        (16..20, 19),
        (20..32, 24),
    ] {
        text[to..to + from.len()].copy_from_slice(&digits[from]);
    }
    ascii(text)
}

/// Owned, so that a copy of the headers shares it: of a plain slice, the first copy costs an allocation.
fn ascii<const N: usize>(text: [u8; N]) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from_owner(text))
        .expect("hexadecimal digits and dashes are legal in a header")
}

/// The low `4 N` bits of `value`; `N` is a multiple of 8.
fn hex<const N: usize>(value: u128) -> [u8; N] {
    let mut text = [0; N];
    for (index, digits) in text.rchunks_exact_mut(8).enumerate() {
        digits.copy_from_slice(&digits_of((value >> (32 * index)) as u32));
    }
    text
}

/// The lowest bit of each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;

/// Eight hexadecimal digits at once, a byte each of one word: every hop reads and writes ids.
fn digits_of(value: u32) -> [u8; 8] {
    let mut digits = u64::from(value);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & (ONES * 0x0f);
    let letters = ((digits + ONES * 6) >> 4) & ONES;
    let to_letters = u64::from(b'a' - 10 - b'0');
    (digits + ONES * u64::from(b'0') + letters * to_letters).to_be_bytes()
}

/// The inverse of [`digits_of`], for capital letters too.
fn value_of(digits: [u8; 8]) -> Option<u32> {
    // Capital letters become small ones; digits have this bit already, and nothing else becomes either.
    let text = u64::from_be_bytes(digits);
    let letters = (text >> 6) & ONES;
    let mut value = (text & (ONES * 0x0f)) + letters * 9;
    value = (value | value >> 4) & 0x00ff_00ff_00ff_00ff;
    value = (value | value >> 8) & 0x0000_ffff_0000_ffff;
    let value = (value | value >> 16) as u32;
    let small = text | (letters << 5);
    (digits_of(value) == small.to_be_bytes()).then_some(value)
}

/// `version-trace-span-flags`, and more after another dash in versions to come.
fn parse_traceparent(value: &HeaderValue) -> Option<TraceContext> {
    let (text, more) = value.as_bytes().split_first_chunk::<55>()?;
    if ![2, 35, 52].into_iter().all(|at| text[at] == b'-') || number(&text[..2])? == 0xff {
        return None;
    }
    if !more.is_empty() && (more[0] != b'-' || value.to_str().is_err()) {
        return None;
    }
    Some(TraceContext {
        trace: trace_id(&text[3..35])?,
        span: number(&text[36..52]).filter(|s| *s != 0)?,
        sampled: number(&text[53..55])? & 1 == 1,
    })
}

/// A trace id of 64 or 128 bits; 0 is none.
fn trace_id(text: &[u8]) -> Option<u128> {
    let (high, low) = text.split_at(text.len().saturating_sub(16));
    let high = match high {
        [] => 0,
        digits => number(digits)?,
    };
    let id = u128::from(high) << 64 | u128::from(number(low)?);
    (id != 0).then_some(id)
}

/// Up to 16 hexadecimal digits.
fn number(text: &[u8]) -> Option<u64> {
    if let ([high, low], []) = text.as_chunks() {
        return Some(u64::from(value_of(*high)?) << 32 | u64::from(value_of(*low)?));
    }
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0, |value: u64, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| {
                (
                    HeaderName::from_static(k),
                    HeaderValue::from_str(v).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn request_ids_are_version_4_uuids() {
        let id = request_id(u128::MAX);
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(request_id(0), "00000000-0000-4000-8000-000000000000");
        let digits = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        assert_eq!(request_id(digits), "01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn traceparent_goes_in_and_out() {
        let context = TraceContext::extract(&headers(&[("traceparent", EXAMPLE)])).unwrap();
        assert_eq!(context.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(context.traceparent(), EXAMPLE);
    }

    #[test]
    fn a_hop_keeps_the_trace_and_changes_the_span() {
        let mut rng = Rng::named(1, "trace");
        let mut map = headers(&[
            ("x-b3-traceid", "463ac35c9f6413ad"),
            ("x-b3-spanid", "a2fb4a1d1a96d312"),
        ]);
        let context = TraceContext::extract(&map).unwrap().child(&mut rng);
        context.inject(&mut map);
        assert_eq!(context.trace, 0x463a_c35c_9f64_13ad);
        assert_eq!(map["x-b3-parentspanid"], "a2fb4a1d1a96d312");
        assert_ne!(map["x-b3-spanid"], "a2fb4a1d1a96d312");
    }

    #[test]
    fn b3_ids_may_be_short() {
        for (text, trace) in [
            ("463ac35c9f6413ad-a2fb4a1d1a96d312-1", 0x463a_c35c_9f64_13ad),
            ("1-A2-0", 1),
            (
                "80f198ee56343ba864fe8b2a57d3eff7-a2-d",
                0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7,
            ),
        ] {
            let context = TraceContext::extract(&headers(&[("b3", text)])).unwrap();
            assert_eq!(context.trace, trace);
        }
        for text in [
            "0-a2",
            "-a2",
            "1",
            "1-",
            "+1-a2",
            "1-+2",
            "é-1",
            "0123456789abcdef0123456789abcdef0-1",
        ] {
            assert_eq!(
                TraceContext::extract(&headers(&[("b3", text)])),
                None,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn digits_are_those_of_std(value: u128, text in "[0-9a-fA-F/:@`gGqP \\x7f]{16}") {
            prop_assert_eq!(hex::<32>(value).to_vec(), format!("{value:032x}").into_bytes());
            prop_assert_eq!(number(format!("{:016X}", value as u64).as_bytes()), Some(value as u64));
            prop_assert_eq!(number(text.as_bytes()), u64::from_str_radix(&text, 16).ok());
        }
    }

    #[test]
    fn garbage_is_no_context() {
        for text in [
            "",
            "00",
            "ff-x",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(
                TraceContext::extract(&headers(&[("traceparent", text)])),
                None,
                "{text}"
            );
        }
    }
}

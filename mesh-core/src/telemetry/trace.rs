//! Trace context: W3C `traceparent` and B3, read, made and passed on.
//!
//! A proxy continues the trace it finds (W3C first, then B3 multi-header, then
//! B3 single), starts one where there is none, and puts its own span id in, so
//! that each hop is a span of its own (W3C Trace Context, 2021; the B3
//! specification of OpenZipkin).

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::seam::Rng;

/// `traceparent`.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
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
        let text = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        if let Some(context) = text(&TRACEPARENT).and_then(parse_traceparent) {
            return Some(context);
        }
        if let (Some(trace), Some(span)) = (text(&B3_TRACE), text(&B3_SPAN)) {
            let trace = u128::from_str_radix(trace, 16).ok().filter(|t| *t != 0)?;
            let span = u64::from_str_radix(span, 16).ok()?;
            let sampled = true;
            return Some(Self {
                trace,
                span,
                sampled,
            });
        }
        let mut parts = text(&B3)?.split('-');
        let trace = u128::from_str_radix(parts.next()?, 16)
            .ok()
            .filter(|t| *t != 0)?;
        let span = u64::from_str_radix(parts.next()?, 16).ok()?;
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

    /// Writes the context into `headers`: always as `traceparent`, and as B3 where B3 was used.
    pub fn inject(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.traceparent());
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

    /// The `traceparent` header.
    pub fn traceparent(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        text[3..35].copy_from_slice(&hex::<32>(self.trace));
        text[36..52].copy_from_slice(&hex::<16>(u128::from(self.span)));
        text[54] = b'0' + u8::from(self.sampled);
        ascii(text)
    }
}

fn ascii<const N: usize>(text: [u8; N]) -> HeaderValue {
    HeaderValue::from_bytes(&text).expect("hexadecimal digits and dashes are legal in a header")
}

fn hex<const N: usize>(mut value: u128) -> [u8; N] {
    let mut out = [b'0'; N];
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
    out
}

fn parse_traceparent(text: &str) -> Option<TraceContext> {
    let mut parts = text.split('-');
    let version = parts.next()?;
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let known = version.len() == 2 && version != "ff";
    if !known || trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|t| *t != 0)?;
    let span = u64::from_str_radix(span, 16).ok().filter(|s| *s != 0)?;
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    Some(TraceContext {
        trace,
        span,
        sampled,
    })
}

#[cfg(test)]
mod tests {
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

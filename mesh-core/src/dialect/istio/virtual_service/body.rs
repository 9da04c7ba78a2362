//! Direct responses.

use super::spec::DirectResponse as Written;
use crate::dialect::findings::Findings;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::DirectResponse;

/// Compiles a direct response; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Written>,
    findings: &mut Findings<'_>,
) -> Option<DirectResponse> {
    let Some(status) = &written.value.status else {
        findings.error(&written.at, "`directResponse` has no `status`");
        return None;
    };
    // Envoy refuses others (route_components.proto, `DirectResponseAction.status`).
    let status = quantity::status(status, findings)?;
    let body = match &written.value.body {
        None => Vec::new(),
        Some(body) => match (&body.string, &body.bytes) {
            (Some(_), Some(second)) => {
                findings.error(&second.at, "only one of `string` and `bytes` can be given");
                return None;
            }
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => match decode_base64(&text.value) {
                Some(bytes) => bytes,
                None => {
                    findings.error(&text.at, "`bytes` is not base64");
                    return None;
                }
            },
            (None, None) => Vec::new(),
        },
    };
    Some(DirectResponse { status, body })
}

/// Base64 (RFC 4648, both alphabets, padding optional), as protobuf's JSON takes it.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(
                decode_base64(text).as_deref(),
                Some(bytes.as_bytes()),
                "{text}"
            );
        }
        assert_eq!(decode_base64("-_8="), decode_base64("+/8="));
        assert_eq!(decode_base64("Z"), None);
        assert_eq!(decode_base64("Zm9v!"), None);
    }
}

//! Injected faults (route.go, `TranslateFault`).

use super::spec::{Abort, Delay, Fault, Percent};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{AbortKind, FaultPolicy, Fraction, NoteKind};

/// gRPC status names and numbers (grpc/grpc, doc/statuscodes.md).
const GRPC_STATUSES: &[(&str, u32)] = &[
    ("OK", 0),
    ("CANCELLED", 1),
    ("UNKNOWN", 2),
    ("INVALID_ARGUMENT", 3),
    ("DEADLINE_EXCEEDED", 4),
    ("NOT_FOUND", 5),
    ("ALREADY_EXISTS", 6),
    ("PERMISSION_DENIED", 7),
    ("RESOURCE_EXHAUSTED", 8),
    ("FAILED_PRECONDITION", 9),
    ("ABORTED", 10),
    ("OUT_OF_RANGE", 11),
    ("UNIMPLEMENTED", 12),
    ("INTERNAL", 13),
    ("UNAVAILABLE", 14),
    ("DATA_LOSS", 15),
    ("UNAUTHENTICATED", 16),
];

/// Compiles a fault; the outer `None` means it is wrong, the inner that it injects nothing.
pub(super) fn compile(
    written: &Spanned<Fault>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Option<FaultPolicy>> {
    let fault = &written.value;
    let delay = match &fault.delay {
        Some(written) => delay(written, &field.child("delay"), findings)?,
        None => None,
    };
    let abort = match &fault.abort {
        Some(written) => abort(written, &field.child("abort"), findings)?,
        None => None,
    };
    if delay.is_none() && abort.is_none() {
        return Some(None);
    }
    Some(Some(FaultPolicy {
        delay,
        abort,
        origin: written.origin(),
    }))
}

fn delay(
    written: &Spanned<Delay>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Option<(std::time::Duration, Fraction)>> {
    let Some(text) = &written.value.fixed_delay else {
        let message = "without `fixedDelay` Istio delays nothing";
        findings.note(NoteKind::NoEffect, field, &written.at, message);
        return Some(None);
    };
    let duration = quantity::duration(text, findings)?;
    let share = match (&written.value.percentage, &written.value.percent) {
        (Some(percentage), _) => self::share(percentage, findings)?,
        (None, Some(percent)) => {
            Fraction::from_ppm(quantity::whole_percent(percent, findings)? * 10_000)
        }
        (None, None) => Fraction::ZERO,
    };
    note_no_share(share, field, written, "delayed", findings);
    Some(Some((duration, share)))
}

fn abort(
    written: &Spanned<Abort>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Option<(AbortKind, Fraction)>> {
    let abort = &written.value;
    let kind = match (&abort.http_status, &abort.grpc_status) {
        (Some(status), None) => AbortKind::Http(quantity::status(status, findings)?),
        (None, Some(name)) => AbortKind::Grpc(quantity::choice(name, GRPC_STATUSES, findings)?),
        (Some(_), Some(second)) => {
            findings.error(
                &second.at,
                "only one of `httpStatus` and `grpcStatus` can be given",
            );
            return None;
        }
        (None, None) => {
            let message = "without `httpStatus` or `grpcStatus` Istio aborts nothing";
            findings.note(NoteKind::NoEffect, field, &written.at, message);
            return Some(None);
        }
    };
    if let Some(percent) = &abort.percent {
        findings.note(
            NoteKind::UnknownField,
            &field.child("percent"),
            &percent.at,
            "Istio no longer has `percent` in an abort; did you mean `percentage: {value: …}`?",
        );
    }
    let share = match &abort.percentage {
        Some(percentage) => self::share(percentage, findings)?,
        None => Fraction::ZERO,
    };
    note_no_share(share, field, written, "aborted", findings);
    Some(Some((kind, share)))
}

/// The share of `{value: n}`; no value is none.
pub(super) fn share(percentage: &Percent, findings: &mut Findings<'_>) -> Option<Fraction> {
    match &percentage.value {
        Some(value) => quantity::percent(value, findings),
        None => Some(Fraction::ZERO),
    }
}

fn note_no_share<T>(
    share: Fraction,
    field: &Field,
    written: &Spanned<T>,
    done: &str,
    findings: &mut Findings<'_>,
) {
    if share == Fraction::ZERO {
        let message =
            format!("no request is {done}: the percentage is 0, or absent, which means 0");
        findings.note(
            NoteKind::NoEffect,
            &field.child("percentage"),
            &written.at,
            message,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dialect::testing::{notes, refused, route, with};
    use crate::policy::{AbortKind, FaultPolicy, Fraction, NoteKind};

    fn fault(fields: &str) -> Option<FaultPolicy> {
        route(&with(&format!("fault: {{{fields}}}"))).fault
    }

    #[test]
    fn delay_and_abort_have_shares_of_their_own() {
        let fault = fault(
            "delay: {fixedDelay: 7s, percentage: {value: 0.1}}, abort: {httpStatus: 500, percentage: {value: 100}}",
        )
        .unwrap();
        assert_eq!(
            fault.delay,
            Some((Duration::from_secs(7), Fraction::from_ppm(1000)))
        );
        assert_eq!(fault.abort, Some((AbortKind::Http(500), Fraction::ONE)));
        assert_eq!(fault.origin.to_string(), "mesh.yaml:8:48");
    }

    #[test]
    fn without_a_percentage_no_request_is_touched() {
        let yaml = with("fault: {delay: {fixedDelay: 1s}, abort: {grpcStatus: UNAVAILABLE}}");
        let fault = route(&yaml).fault.unwrap();
        assert_eq!(fault.delay, Some((Duration::from_secs(1), Fraction::ZERO)));
        assert_eq!(fault.abort, Some((AbortKind::Grpc(14), Fraction::ZERO)));
        assert_eq!(notes(&yaml, NoteKind::NoEffect).len(), 2);
        // `percentage: {}` is the value 0 of protobuf.
        let empty = self::fault("delay: {fixedDelay: 1s, percentage: {}}").unwrap();
        assert_eq!(empty.delay.unwrap().1, Fraction::ZERO);
    }

    #[test]
    fn the_old_percent_of_a_delay_still_counts() {
        let delay = |fields: &str| {
            fault(&format!("delay: {{fixedDelay: 1s, {fields}}}"))
                .unwrap()
                .delay
                .unwrap()
                .1
        };
        assert_eq!(delay("percent: 25"), Fraction::from_ppm(250_000));
        assert_eq!(
            delay("percent: 25, percentage: {value: 1}"),
            Fraction::from_ppm(10_000)
        );
        let abort = with("fault: {abort: {httpStatus: 500, percent: 25}}");
        assert_eq!(
            route(&abort).fault.unwrap().abort.unwrap().1,
            Fraction::ZERO
        );
        assert_eq!(notes(&abort, NoteKind::UnknownField).len(), 1);
    }

    #[test]
    fn what_istio_drops_is_noted() {
        let exponential = with("fault: {delay: {exponentialDelay: 1s, percentage: {value: 5}}}");
        assert_eq!(route(&exponential).fault, None);
        assert_eq!(notes(&exponential, NoteKind::NotHonoured).len(), 1);
        assert_eq!(notes(&exponential, NoteKind::NoEffect).len(), 1);
        let http2 = with("fault: {abort: {http2Error: X, percentage: {value: 5}}}");
        assert_eq!(route(&http2).fault, None);
        assert_eq!(
            notes(&http2, NoteKind::NotHonoured),
            [
                "8:57 spec.http[0].fault.abort.http2Error: Istio itself refuses HTTP/2 aborts as not supported"
            ]
        );
    }

    #[test]
    fn wrong_values_are_refused() {
        let message = |fields: &str| refused(&with(&format!("fault: {{{fields}}}"))).join("|");
        assert_eq!(
            message("delay: {fixedDelay: 1s, percentage: {value: 101}}"),
            "8:93 `101` is not a percentage from 0 to 100"
        );
        assert_eq!(
            message("delay: {fixedDelay: 1s, percentage: {value: -1}}"),
            "8:93 `-1` is not a percentage from 0 to 100"
        );
        assert_eq!(
            message("abort: {httpStatus: 700}"),
            "8:69 `700` is not between 200 and 599"
        );
        assert_eq!(
            message("abort: {grpcStatus: UNAVAILABEL}"),
            "8:69 unknown value `UNAVAILABEL`"
        );
    }
}

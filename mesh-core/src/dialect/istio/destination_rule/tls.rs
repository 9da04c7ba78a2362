//! `tls` towards the endpoints.

use super::spec::Tls;
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{NoteKind, Origin, Sourced, UpstreamTls};

#[derive(Clone, Copy)]
enum Mode {
    Disable,
    Simple,
    Mutual,
    IstioMutual,
}

/// Compiles `tls`; without a mode it is DISABLE, protobuf's zero. `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Tls>,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Sourced<UpstreamTls>> {
    let tls = &written.value;
    let mode = match &tls.mode {
        Some(name) => quantity::choice(
            name,
            &[
                ("DISABLE", Mode::Disable),
                ("SIMPLE", Mode::Simple),
                ("MUTUAL", Mode::Mutual),
                ("ISTIO_MUTUAL", Mode::IstioMutual),
            ],
            findings,
        )?,
        None => Mode::Disable,
    };
    if let Mode::Mutual = mode {
        findings.note(
            NoteKind::NotHonoured,
            &field.child("mode"),
            tls.mode.as_ref().map_or(&written.at, |mode| &mode.at),
            "client certificates from files are not simulated: MUTUAL is treated as SIMPLE",
        );
    }
    let value = match mode {
        Mode::Disable => UpstreamTls::Disable,
        Mode::Simple | Mode::Mutual => UpstreamTls::Simple {
            sni: tls.sni.clone().filter(|sni| !sni.is_empty()),
            subject_alt_names: tls.subject_alt_names.clone(),
            insecure: tls.insecure_skip_verify.unwrap_or(false),
        },
        Mode::IstioMutual => UpstreamTls::MeshMutual {
            subject_alt_names: tls.subject_alt_names.clone(),
        },
    };
    Some(Sourced::new(value, Origin::Written(written.at.clone())))
}

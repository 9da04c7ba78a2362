//! `tls` towards the endpoints.

use super::spec::Tls;
use crate::dialect::findings::{Field, Findings};
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{NoteKind, Sourced, UpstreamTls};

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
    Some(Sourced::new(value, written.origin()))
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{destination_rule, notes, policy, refused};
    use crate::policy::{NoteKind, UpstreamTls};

    fn yaml(fields: &str) -> String {
        destination_rule(&format!("  trafficPolicy: {{tls: {{{fields}}}}}"))
    }

    fn tls(fields: &str) -> UpstreamTls {
        policy(&yaml(fields))
            .destinations
            .remove(0)
            .policy
            .tls
            .unwrap()
            .value
    }

    #[test]
    fn every_mode() {
        assert_eq!(tls(""), UpstreamTls::Disable);
        assert_eq!(tls("mode: DISABLE"), UpstreamTls::Disable);
        assert_eq!(
            tls("mode: ISTIO_MUTUAL, subjectAltNames: [spiffe://a]"),
            UpstreamTls::MeshMutual {
                subject_alt_names: vec!["spiffe://a".into()]
            }
        );
        let simple = UpstreamTls::Simple {
            sni: Some("a.example".into()),
            subject_alt_names: vec![],
            insecure: true,
        };
        assert_eq!(
            tls("mode: SIMPLE, sni: a.example, insecureSkipVerify: true"),
            simple
        );
        let mutual = "mode: MUTUAL, sni: a.example, insecureSkipVerify: true, clientCertificate: /c, privateKey: /k";
        assert_eq!(tls(mutual), simple);
        assert_eq!(notes(&yaml(mutual), NoteKind::NotHonoured).len(), 3);
        assert_eq!(
            refused(&yaml("mode: ISTIO_MUTAL")),
            ["7:31 unknown value `ISTIO_MUTAL`"]
        );
    }
}

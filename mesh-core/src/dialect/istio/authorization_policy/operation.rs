//! Operations.

use super::spec::Operation;
use super::text;
use crate::dialect::findings::Findings;
use crate::document::Spanned;
use crate::policy::OperationMatch;

/// Compiles an operation; `None` when it is wrong.
pub(super) fn compile(
    written: &Spanned<Operation>,
    findings: &mut Findings<'_>,
) -> Option<OperationMatch> {
    let operation = &written.value;
    let compiled = OperationMatch {
        hosts: text::lower_case(&operation.hosts),
        not_hosts: text::lower_case(&operation.not_hosts),
        ports: ports(&operation.ports, findings)?,
        not_ports: ports(&operation.not_ports, findings)?,
        methods: text::matches(&operation.methods),
        not_methods: text::matches(&operation.not_methods),
        paths: text::paths(&operation.paths, findings)?,
        not_paths: text::paths(&operation.not_paths, findings)?,
    };
    if compiled == OperationMatch::default() {
        let message = "this `operation` is empty; leave `to` out to allow any operation";
        findings.error(&written.at, message);
        return None;
    }
    Some(compiled)
}

fn ports(written: &[Spanned<String>], findings: &mut Findings<'_>) -> Option<Vec<u16>> {
    let mut ports = Vec::new();
    for text in written {
        let Some(port) = text.value.parse::<u16>().ok().filter(|port| *port != 0) else {
            findings.error(
                &text.at,
                format!("`{}` is not a port from 1 to 65535", text.value),
            );
            return None;
        };
        ports.push(port);
    }
    Some(ports)
}

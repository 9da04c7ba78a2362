//! Sources.

use std::net::IpAddr;

use super::spec::Source;
use super::text;
use super::token::note_token;
use crate::dialect::findings::{Field, Findings};
use crate::document::Spanned;
use crate::policy::{NoteKind, SourceMatch};

/// Compiles a source; the outer `None` means it is wrong, the inner that it never matches.
pub(super) fn compile(
    written: &Spanned<Source>,
    namespace: &str,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Option<SourceMatch>> {
    let source = &written.value;
    let lists = [
        &source.principals,
        &source.not_principals,
        &source.request_principals,
        &source.not_request_principals,
        &source.namespaces,
        &source.not_namespaces,
        &source.service_accounts,
        &source.not_service_accounts,
        &source.ip_blocks,
        &source.not_ip_blocks,
        &source.remote_ip_blocks,
        &source.not_remote_ip_blocks,
    ];
    if lists.iter().all(|list| list.is_empty()) {
        findings.error(
            &written.at,
            "this `source` is empty; leave `from` out to allow any source",
        );
        return None;
    }
    accounts_alone(written, findings)?;
    let compiled = SourceMatch {
        principals: text::matches(&source.principals),
        not_principals: text::matches(&source.not_principals),
        namespaces: text::matches(&source.namespaces),
        not_namespaces: text::matches(&source.not_namespaces),
        service_accounts: accounts(&source.service_accounts, namespace),
        not_service_accounts: accounts(&source.not_service_accounts, namespace),
        ip_blocks: addresses(&source.ip_blocks, &source.remote_ip_blocks, field, findings)?,
        not_ip_blocks: addresses(
            &source.not_ip_blocks,
            &source.not_remote_ip_blocks,
            field,
            findings,
        )?,
    };
    let without = field.child("notRequestPrincipals");
    note_token(&source.not_request_principals, &without, findings, "always");
    note_token(
        &source.request_principals,
        &field.child("requestPrincipals"),
        findings,
        "never",
    );
    Some(source.request_principals.is_empty().then_some(compiled))
}

/// Istio refuses service accounts beside the other words for them.
fn accounts_alone(written: &Spanned<Source>, findings: &mut Findings<'_>) -> Option<()> {
    let source = &written.value;
    let accounts = source
        .service_accounts
        .first()
        .or(source.not_service_accounts.first());
    let others = [
        &source.principals,
        &source.not_principals,
        &source.namespaces,
        &source.not_namespaces,
    ];
    if let Some(first) = accounts.filter(|_| others.iter().any(|list| !list.is_empty())) {
        let message = "`serviceAccounts` cannot be given together with principals or namespaces";
        findings.error(&first.at, message);
        return None;
    }
    Some(())
}

/// `namespace/account`; an account alone is of the policy's namespace.
fn accounts(written: &[Spanned<String>], namespace: &str) -> Vec<String> {
    written
        .iter()
        .map(|account| match account.value.contains('/') {
            true => account.value.clone(),
            false => format!("{namespace}/{}", account.value),
        })
        .collect()
}

/// Peer addresses; the remote address is the peer's too, since there is no gateway in front.
fn addresses(
    peer: &[Spanned<String>],
    remote: &[Spanned<String>],
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Vec<String>> {
    for block in peer.iter().chain(remote) {
        if !is_block(&block.value) {
            let message = format!("`{}` is not an address or a CIDR block", block.value);
            findings.error(&block.at, message);
            return None;
        }
    }
    if let Some(first) = remote.first() {
        let message = if peer.is_empty() {
            "no gateway stands in front, so the remote address is the peer's"
        } else {
            "no gateway stands in front, so the remote address is the peer's; the blocks given for the peer decide"
        };
        findings.note(
            NoteKind::NotHonoured,
            &field.child("remoteIpBlocks"),
            &first.at,
            message,
        );
    }
    let decisive = if peer.is_empty() { remote } else { peer };
    Some(decisive.iter().map(|block| block.value.clone()).collect())
}

fn is_block(text: &str) -> bool {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

//! Rewrites of path and authority (route.go, `applyHTTPRouteDestination`).

use super::spec::{RegexRewrite, Rewrite};
use crate::dialect::findings::Findings;
use crate::dialect::quantity;
use crate::document::Spanned;
use crate::policy::{PathRewrite, Pattern};

/// Path and authority.
type Rewrites = (Option<PathRewrite>, Option<String>);

/// Compiles a rewrite of path and authority; `None` when it is wrong.
pub(super) fn compile(written: &Spanned<Rewrite>, findings: &mut Findings<'_>) -> Option<Rewrites> {
    let rewrite = &written.value;
    let full = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let path = match (full(&rewrite.uri), &rewrite.uri_regex_rewrite) {
        (Some(_), Some(second)) => {
            findings.error(
                &second.at,
                "only one of `uri` and `uriRegexRewrite` can be given",
            );
            return None;
        }
        (Some(uri), None) => Some(PathRewrite::Matched(uri)),
        (None, Some(regex)) => Some(regex_rewrite(regex, findings)?),
        (None, None) => None,
    };
    let authority = full(&rewrite.authority);
    if path.is_none() && authority.is_none() {
        let message = "`rewrite` needs `uri`, `uriRegexRewrite` or `authority`";
        findings.error(&written.at, message);
        return None;
    }
    Some((path, authority))
}

fn regex_rewrite(
    written: &Spanned<RegexRewrite>,
    findings: &mut Findings<'_>,
) -> Option<PathRewrite> {
    let Some(source) = &written.value.pattern else {
        findings.error(&written.at, "`uriRegexRewrite` has no `match`");
        return None;
    };
    let pattern = quantity::regex(source, findings)?;
    let rewrite = written.value.rewrite.as_ref();
    if let Some(rewrite) = rewrite {
        references_exist(rewrite, &pattern, findings)?;
    }
    Some(PathRewrite::Regex {
        pattern,
        substitution: rewrite
            .map(|rewrite| rewrite.value.clone())
            .unwrap_or_default(),
    })
}

/// Envoy refuses a `\N` beyond the groups of the expression.
fn references_exist(
    rewrite: &Spanned<String>,
    pattern: &Pattern,
    findings: &mut Findings<'_>,
) -> Option<()> {
    // The whole match is group 0.
    let groups = regex::Regex::new(pattern.as_str()).map_or(0, |regex| regex.captures_len());
    let mut characters = rewrite.value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            continue;
        }
        let next = characters.next();
        let missing = match next.and_then(|digit| digit.to_digit(10)) {
            Some(group) if (group as usize) < groups => continue,
            Some(group) => format!(
                "`\\{group}` refers to a group that `{}` lacks",
                pattern.as_str()
            ),
            None if next == Some('\\') => continue,
            None => "`\\` must be followed by a group's number, or by another `\\`".into(),
        };
        findings.error(&rewrite.at, missing);
        return None;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{forward, refused, route, with};
    use crate::policy::{PathMatch, PathRewrite};

    #[test]
    fn rewrites_of_path_and_authority() {
        let rewritten = route(&with(
            "match: [{uri: {prefix: /v1/}}], rewrite: {uri: /, authority: w.example}",
        ));
        assert_eq!(
            forward(&rewritten).path_rewrite,
            Some(PathRewrite::Matched("/".into()))
        );
        assert_eq!(
            forward(&rewritten).authority_rewrite.as_deref(),
            Some("w.example")
        );
        let regex = route(&with(
            r"rewrite: {uriRegexRewrite: {match: '^/s/([^/]+)(/.*)$', rewrite: '\2/i/\1'}}",
        ));
        let Some(PathRewrite::Regex {
            pattern,
            substitution,
        }) = &forward(&regex).path_rewrite
        else {
            panic!("a regex");
        };
        assert_eq!(pattern.as_str(), "^/s/([^/]+)(/.*)$");
        assert_eq!(substitution, r"\2/i/\1");
    }

    #[test]
    fn without_a_uri_a_rewrite_replaces_the_leading_slash() {
        let rewritten = route(&with("rewrite: {uri: /v2}"));
        assert_eq!(rewritten.matcher.path, PathMatch::Prefix("/".into()));
        assert_eq!(route(&with("timeout: 1s")).matcher.path, PathMatch::Any);
    }

    #[test]
    fn a_rewrite_must_name_groups_that_exist() {
        let rewrite = |text: &str| {
            refused(&with(&format!(
                "rewrite: {{uriRegexRewrite: {{match: '/(a)', rewrite: '{text}'}}}}"
            )))
        };
        assert_eq!(
            rewrite(r"\2"),
            [r"8:93 `\2` refers to a group that `/(a)` lacks"]
        );
        assert_eq!(rewrite(r"\x").len(), 1);
        assert!(rewrite(r"\0\1\\").is_empty());
        assert_eq!(
            refused(&with("rewrite: {}")),
            ["8:50 `rewrite` needs `uri`, `uriRegexRewrite` or `authority`"]
        );
    }
}

//! Parts of requests and responses: methods, paths, headers, scripted answers.

use http::header::{HeaderName, HeaderValue};
use mesh_core::document::Diagnostic;

use super::apps::Texts;
use crate::plan::ScriptedResponse;
use crate::scenario::file::{Failure, Placed, ResponseSpec};
use crate::scenario::problems::Problems;
use crate::scenario::value::{check_method, check_path};

/// A path as written, or the default.
pub(super) fn path(
    path: Option<&Placed<String>>,
    default: &str,
    problems: &Problems,
) -> Result<String, Diagnostic> {
    let Some(path) = path else {
        return Ok(default.to_owned());
    };
    check_path(path).map_err(|message| problems.error(path.at(), message))?;
    Ok(path.value().clone())
}

/// A method as written, or the default.
pub(super) fn method(
    method: Option<&Placed<String>>,
    default: &str,
    problems: &Problems,
) -> Result<String, Diagnostic> {
    let Some(method) = method else {
        return Ok(default.to_owned());
    };
    check_method(method).map_err(|message| problems.error(method.at(), message))?;
    Ok(method.value().clone())
}

/// Headers, names in lower case.
pub(super) fn headers(
    headers: &Texts,
    problems: &Problems,
) -> Result<Vec<(String, String)>, Diagnostic> {
    headers
        .iter()
        .map(|(name, value)| {
            let text = header_name(name, problems)?;
            if HeaderValue::from_str(value).is_err() {
                let message = format!("`{}` cannot be the value of a header", value.value());
                return Err(problems.error(value.at(), message));
            }
            Ok((text, value.value().clone()))
        })
        .collect()
}

/// Names of headers, in lower case.
pub(super) fn header_names(
    names: &[Placed<String>],
    problems: &Problems,
) -> Result<Vec<String>, Diagnostic> {
    names
        .iter()
        .map(|name| header_name(name, problems))
        .collect()
}

fn header_name(name: &Placed<String>, problems: &Problems) -> Result<String, Diagnostic> {
    HeaderName::try_from(name.value().as_str())
        .map(|name| name.as_str().to_owned())
        .map_err(|_| {
            let message = format!("`{}` is not the name of a header", name.value());
            problems.error(name.at(), message)
        })
}

/// A scripted answer.
pub(super) fn response(
    response: &ResponseSpec,
    problems: &Problems,
) -> Result<ScriptedResponse, Diagnostic> {
    let detailed = match response {
        ResponseSpec::Status(status) => return Ok(ScriptedResponse::Status(status.0)),
        ResponseSpec::Failure(Failure::Reset) => return Ok(ScriptedResponse::Reset),
        ResponseSpec::Failure(Failure::Hang) => return Ok(ScriptedResponse::Hang),
        ResponseSpec::Failure(Failure::Close) => return Ok(ScriptedResponse::Close),
        ResponseSpec::Detailed(detailed) => detailed,
    };
    if let Some(during) = detailed.refuse {
        return Ok(ScriptedResponse::Refuse { during: during.0 });
    }
    if let Some(slow) = detailed.slow_body {
        return Ok(ScriptedResponse::SlowBody {
            bytes: slow.size.0,
            over: slow.over.0,
        });
    }
    Ok(ScriptedResponse::Full {
        // The reader made sure that one of the three is given.
        status: detailed.status.map_or(200, |status| status.0),
        delay: detailed.delay.map(|delay| delay.0).unwrap_or_default(),
        headers: headers(&detailed.headers, problems)?,
        bytes: detailed.size.map_or(0, |size| size.0),
    })
}

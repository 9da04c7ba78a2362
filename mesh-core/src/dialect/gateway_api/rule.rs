//! One rule → its routes, one for each match.

use super::backend;
use super::filter::{self, Filters};
use super::grant::Grants;
use super::matching::{self, Rank};
use super::retry::{self, Patience};
use super::spec::{HttpRoute, Rule};
use crate::dialect::findings::{Field, Findings};
use crate::dialect::header;
use crate::dialect::object::Object;
use crate::document::Spanned;
use crate::policy::{
    Destination, DirectResponse, Forward, NoteKind, Origin, PathMatch, Position, Profile, Redirect,
    RequestMatch, Route, RouteAction, WeightedDestination,
};

/// What compiling a rule must know.
pub(super) struct Scene<'o, 'd> {
    pub(super) object: &'o Object<'d>,
    pub(super) grants: &'o Grants,
    pub(super) profile: &'o Profile,
    pub(super) hashes: &'o dyn Fn(&Destination) -> bool,
}

/// A compiled route, how specific its match is, and its field.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) rank: Rank,
    pub(super) route: Route,
    pub(super) field: Field,
}

/// Compiles all rules of a route, in the order written.
pub(super) fn compile_all(
    spec: &HttpRoute,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Vec<Compiled> {
    spec.rules
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| compile(index, rule, scene, findings))
        .flatten()
        .collect()
}

fn compile(
    index: usize,
    written: &Spanned<Rule>,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<Vec<Compiled>> {
    let field = scene.object.spec().child_item("rules", index);
    let rule = &written.value;
    let mut filters = filter::compile(&rule.filters, &field, scene, findings)?;
    let destinations = destinations(written, &mut filters, &field, scene, findings)?;
    let hashed = match destinations.as_slice() {
        [only] => (scene.hashes)(&only.destination),
        _ => false,
    };
    let patience = retry::compile(rule, hashed, scene.profile, findings)?;
    let part = rule.name.clone().unwrap_or_else(|| index.to_string());
    let label = format!("{}/{part}", scene.object.name);
    let mut compiled = Vec::new();
    for (name, matcher, origin, field) in matches(written, &label, &field, findings)? {
        let action = action(&filters, &destinations, &matcher.path, findings)?;
        compiled.push(Compiled {
            rank: matching::rank(&matcher),
            route: route(name, matcher, action, &filters, &patience, origin),
            field,
        });
    }
    Some(compiled)
}

type Named = (String, RequestMatch, Origin, Field);

fn matches(
    written: &Spanned<Rule>,
    label: &str,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<Vec<Named>> {
    let matches = &written.value.matches;
    // What a filter does is told with the route; other settings are told each with its own place.
    let with_filters = |origin: Origin| {
        let filters = written.value.filters.iter();
        filters.fold(origin, |origin, filter| origin.with(&filter.origin()))
    };
    if matches.is_empty() {
        let all = matching::everything();
        return Some(vec![(
            label.to_owned(),
            all,
            with_filters(Origin::Written(written.at.clone())),
            field.clone(),
        )]);
    }
    let name = |index: usize| match matches.len() {
        1 => label.to_owned(),
        _ => format!("{label}#{index}"),
    };
    matches
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let matcher = matching::compile(one, findings)?;
            Some((
                name(index),
                matcher,
                with_filters(one.origin()),
                field.child_item("matches", index),
            ))
        })
        .collect()
}

fn route(
    name: String,
    matcher: RequestMatch,
    action: RouteAction,
    filters: &Filters,
    patience: &Patience,
    origin: Origin,
) -> Route {
    Route {
        name,
        matcher,
        action,
        request_headers: filters.request.mutations.clone(),
        response_headers: filters.response.mutations.clone(),
        fault: None,
        timeout: patience.timeout.clone(),
        retry: patience.retry.clone(),
        mirrors: filters.mirrors.clone(),
        rate_limit: None,
        origin,
    }
}

/// The weighted destinations. Those of weight 0 are left out, and the headers
/// of an only one are those of the route, as pilot writes them.
fn destinations(
    written: &Spanned<Rule>,
    filters: &mut Filters,
    field: &Field,
    scene: &Scene<'_, '_>,
    findings: &mut Findings<'_>,
) -> Option<Vec<WeightedDestination>> {
    let mut destinations = Vec::new();
    let mut authority = None;
    for (index, one) in written.value.backend_refs.iter().enumerate() {
        let field = field.child_item("backendRefs", index);
        let weight = backend::weight(&one.value, findings)?;
        let destination = backend::destination(one, &field, scene, findings)?;
        let own = filter::compile(&one.value.filters, &field, scene, findings)?;
        note_other_filters(&own, &field, &one.at, findings);
        if weight > 0 {
            authority = own.request.authority;
        }
        destinations.push(WeightedDestination {
            destination,
            weight,
            request_headers: own.request.mutations,
            response_headers: own.response.mutations,
            origin: one.origin(),
        });
    }
    note_no_weight(&destinations, written, filters, field, findings);
    if let (Some(redirect), Some(_)) = (&filters.redirect, written.value.backend_refs.first()) {
        let message = "a rule cannot have both RequestRedirect and `backendRefs`";
        findings.error(&redirect.at, message);
        return None;
    }
    destinations.retain(|destination| destination.weight > 0);
    if let [only] = destinations.as_mut_slice() {
        let (request, response) = (&mut filters.request, &mut filters.response);
        header::append(
            &mut request.mutations,
            std::mem::take(&mut only.request_headers),
        );
        header::append(
            &mut response.mutations,
            std::mem::take(&mut only.response_headers),
        );
        request.authority = request.authority.take().or(authority);
    } else if authority.is_some() {
        let message = "a `Host` of its own for one of several backends is not simulated";
        let field = field.child("backendRefs");
        findings.note(NoteKind::NotHonoured, &field, &written.at, message);
    }
    Some(destinations)
}

/// Istio takes nothing but header changes on a backend.
fn note_other_filters(own: &Filters, field: &Field, at: &Position, findings: &mut Findings<'_>) {
    if own.redirect.is_some() || own.rewrite.is_some() || !own.mirrors.is_empty() {
        let message = "only header filters are simulated on a backend";
        findings.note(NoteKind::NotHonoured, &field.child("filters"), at, message);
    }
}

fn note_no_weight(
    destinations: &[WeightedDestination],
    written: &Spanned<Rule>,
    filters: &Filters,
    field: &Field,
    findings: &mut Findings<'_>,
) {
    if filters.redirect.is_some() || destinations.iter().any(|one| one.weight > 0) {
        return;
    }
    let message = match destinations.is_empty() {
        true => "no backend is named: every request gets 500",
        false => "all weights are 0: every request gets 500",
    };
    findings.note(
        NoteKind::Suspicious,
        &field.child("backendRefs"),
        &written.at,
        message,
    );
}

fn action(
    filters: &Filters,
    destinations: &[WeightedDestination],
    path: &PathMatch,
    findings: &mut Findings<'_>,
) -> Option<RouteAction> {
    if let Some(redirect) = &filters.redirect {
        let path = match &redirect.path {
            Some(change) => change.for_match(path, findings)?,
            None => None,
        };
        return Some(RouteAction::Redirect(Redirect {
            scheme: redirect.scheme.clone(),
            authority: redirect.authority.clone(),
            path,
            port: redirect.port,
            status: redirect.status,
        }));
    }
    if destinations.is_empty() {
        return Some(RouteAction::Direct(DirectResponse {
            status: 500,
            body: Vec::new(),
        }));
    }
    let path_rewrite = match filters
        .rewrite
        .as_ref()
        .and_then(|rewrite| rewrite.path.as_ref())
    {
        Some(change) => change.for_match(path, findings)?,
        None => None,
    };
    let rewritten = filters
        .rewrite
        .as_ref()
        .and_then(|rewrite| rewrite.authority.clone());
    Some(RouteAction::Forward(Forward {
        destinations: destinations.to_vec(),
        path_rewrite,
        authority_rewrite: rewritten.or_else(|| filters.request.authority.clone()),
    }))
}

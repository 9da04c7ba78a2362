//! isotope service graphs (istio/tools, `isotope/`).
//!
//! An isotope graph is a whole synthetic application: services that do nothing
//! but sleep, call each other and answer with random bytes. Its vocabulary is
//! the one our own scripts have, so that it is imported without loss.
//!
//! What a graph means is not only in its converter but in the service that
//! runs it (`isotope/service/pkg/srv`), and that is followed here: errors are
//! injected every k-th request of a replica and before the script; the first
//! failing step ends the request with a 500; an answer other than 200 fails a
//! call; calls have no timeout and are not repeated; concurrent commands are
//! all awaited, then fail together. Each service listens on port 8080.

mod amount;
mod cycle;
mod graph;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::control::{Locality, Service, ServicePort};
use mesh_core::document::{Diagnostic, Document, IgnoredField, Spanned, nearest, read_lenient};
use mesh_core::policy::{Note, NoteKind, Position};

use self::amount::ErrorRate;
use self::cycle::endless_services;
use self::graph::{Call, Command, Defaults, FIELDS, Graph, GraphService, ServiceType, Step};
use super::name::{check_name, host};
use super::{ImportedDeployment, ImportedTopology, WorkloadKind};
use crate::plan::{
    AppPlan, CallPlan, CancelPolicy, Distribution, EndpointPlan, ErrorInjection, QueueOrder,
};

/// The port of every service (isotope/convert/pkg/consts).
const PORT: u16 = 8080;

/// Whether a document is an isotope graph: it has a list of services and is no
/// Kubernetes object (isotope's own `kind`, which its files mostly leave out, is accepted).
pub fn is_isotope(document: &Document) -> bool {
    let root = &document.root;
    let kind = root.get("kind").and_then(|kind| kind.as_str());
    root.get("services").is_some_and(|node| node.is_sequence())
        && kind.is_none_or(|kind| kind == "MockServiceGraph")
}

/// Imports a graph. Services that name no namespace are in `namespace`.
///
/// # Errors
/// When the file is not a graph, or calls a service that it does not define.
pub fn import(document: &Document, namespace: &str) -> Result<ImportedTopology, Vec<Diagnostic>> {
    let (graph, ignored) =
        read_lenient::<Graph>(document, &document.root).map_err(|error| vec![error])?;
    let mut importer = Importer {
        document,
        defaults: &graph.defaults,
        namespace,
        namespaces: BTreeMap::new(),
        errors: Vec::new(),
        out: ImportedTopology::default(),
    };
    importer.note_ignored(&ignored);
    importer.note_defaults();
    importer.define(&graph.services);
    for service in &graph.services {
        importer.service(service);
    }
    importer.note_cycles(&graph.services);
    importer.note_missing_entrypoint();
    if importer.errors.is_empty() {
        importer.out.notes.sort();
        Ok(importer.out)
    } else {
        Err(importer.errors)
    }
}

struct Importer<'a> {
    document: &'a Document,
    defaults: &'a Defaults,
    namespace: &'a str,
    /// The namespaces in which a service of this name exists, with their places.
    namespaces: BTreeMap<&'a str, BTreeMap<&'a str, &'a Position>>,
    errors: Vec<Diagnostic>,
    out: ImportedTopology,
}

impl<'a> Importer<'a> {
    fn error(&self, at: &Position, message: String) -> Diagnostic {
        Diagnostic::error(message).at_position(at, self.document.source_of(at))
    }

    fn note(&mut self, at: &Position, kind: NoteKind, object: &str, field: &str, message: String) {
        self.out.notes.push(Note {
            at: at.clone(),
            kind,
            object: object.to_owned(),
            field: field.to_owned(),
            message,
        });
    }

    fn note_ignored(&mut self, ignored: &[IgnoredField]) {
        for field in ignored {
            let name = field.path.rsplit('.').next().unwrap_or(&field.path);
            let message = match (name, nearest(name, FIELDS.iter().copied())) {
                ("default", _) => "isotope ignores `default`; it reads `defaults`".to_owned(),
                ("payloadSize", _) => "isotope ignores `payloadSize`; it reads `size`".to_owned(),
                (_, Some(known)) => {
                    format!("isotope ignores `{name}`; did you mean `{known}`?")
                }
                _ => format!("isotope ignores `{name}`"),
            };
            let kind = NoteKind::UnknownField;
            self.note(&field.at, kind, "service graph", &field.path, message);
        }
    }

    fn note_defaults(&mut self) {
        let defaults = self.defaults;
        if let Some(count) = &defaults.num_rbac_policies {
            self.note_rbac(count, "service graph", "defaults.numRbacPolicies");
        }
        self.note_rounding(
            defaults.error_rate.as_ref(),
            "service graph",
            "defaults.errorRate",
        );
    }

    fn note_rbac(&mut self, count: &Spanned<u32>, object: &str, field: &str) {
        if count.value > 0 {
            let message = "no RBAC policies are made up; write AuthorizationPolicies instead";
            self.note(
                &count.at,
                NoteKind::NotHonoured,
                object,
                field,
                message.to_owned(),
            );
        }
    }

    fn note_rounding(&mut self, rate: Option<&Spanned<ErrorRate>>, object: &str, field: &str) {
        if let Some(rate) = rate
            && let Some(message) = rate.value.rounding()
        {
            self.note(&rate.at, NoteKind::Suspicious, object, field, message);
        }
    }

    /// Records which services exist, so that calls may go forwards.
    fn define(&mut self, services: &'a [Spanned<GraphService>]) {
        for service in services {
            let name = &service.name;
            if let Err(why) = check_name(name) {
                self.errors.push(self.error(&name.at, why));
            }
            if let Some(namespace) = &service.namespace
                && let Err(why) = check_name(namespace)
            {
                self.errors.push(self.error(&namespace.at, why));
            }
            let namespace = namespace_of(service, self.namespace);
            let places = self.namespaces.entry(&name.value).or_default();
            if let Some(first) = places.insert(namespace, &name.at) {
                let error = self
                    .error(&name.at, format!("the service `{name}` is defined twice"))
                    .at_position(first, self.document.source_of(first))
                    .label("first here");
                self.errors.push(error);
            }
        }
    }

    fn service(&mut self, written: &'a Spanned<GraphService>) {
        let name = written.name.value.as_str();
        let namespace = namespace_of(written, self.namespace);
        let object = format!("service {namespace}/{name}");
        if let Some(cluster) = &written.cluster {
            let message = "all services run in one cluster".to_owned();
            self.note(
                &cluster.at,
                NoteKind::NotHonoured,
                &object,
                "cluster",
                message,
            );
        }
        if let Some(count) = &written.num_rbac_policies {
            self.note_rbac(count, &object, "numRbacPolicies");
        }
        self.note_rounding(written.error_rate.as_ref(), &object, "errorRate");
        if written.is_entrypoint {
            self.out.entrypoints.push(self.dialled(name, namespace));
        }
        let app = self.app(written, namespace);
        self.out
            .services
            .push(self.kubernetes_service(written, namespace));
        self.out.service_places.push(written.at.clone());
        self.out.deployments.push(ImportedDeployment {
            kind: WorkloadKind::Deployment,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            labels: pod_labels(written),
            service_account: "default".to_owned(),
            replicas: written
                .num_replicas
                .or(self.defaults.num_replicas)
                .unwrap_or(1),
            ports: vec![PORT],
            app: Some(app),
            meshed: None,
            locality: Locality::default(),
            place: written.at.clone(),
        });
    }

    /// As callers in the default namespace dial it.
    fn dialled(&self, name: &str, namespace: &str) -> String {
        if namespace == self.namespace {
            name.to_owned()
        } else {
            format!("{name}.{namespace}")
        }
    }

    fn kubernetes_service(&self, written: &GraphService, namespace: &str) -> Service {
        let name = written.name.value.as_str();
        let service_type = written.service_type.or(self.defaults.service_type);
        let http2 = service_type == Some(ServiceType::Grpc);
        Service {
            name: Arc::from(name),
            namespace: Arc::from(namespace),
            host: host(name, namespace),
            ports: vec![ServicePort {
                port: PORT,
                target: PORT,
                name: if http2 { "grpc" } else { "http-web" }.to_owned(),
                http2,
            }],
            selector: BTreeMap::from([("name".to_owned(), name.to_owned())]),
        }
    }

    fn app(&mut self, written: &'a GraphService, namespace: &str) -> AppPlan {
        let rate = written.error_rate.as_ref();
        let rate = rate.or(self.defaults.error_rate.as_ref());
        let script = written.script.as_ref().unwrap_or(&self.defaults.script);
        let size = written.response_size.unwrap_or(self.defaults.response_size);
        AppPlan {
            workers: None,
            queue_max: None,
            queue_order: QueueOrder::Fifo,
            cancel: CancelPolicy::Finish, // Go's handler does not look whether its caller is still there
            endpoints: Vec::new(),
            fallback: EndpointPlan {
                steps: script
                    .iter()
                    .map(|step| self.step(step, written, namespace))
                    .collect(),
                errors: rate.map_or(ErrorInjection::None, |rate| rate.injection()),
                response_bytes: size.0,
                ..EndpointPlan::echo()
            },
            process: Default::default(),
        }
    }

    fn step(
        &mut self,
        step: &'a Step,
        caller: &GraphService,
        namespace: &str,
    ) -> crate::plan::Step {
        match step {
            Step::One(command) => self.command(command, caller, namespace),
            Step::Concurrent(commands) => crate::plan::Step::Parallel(
                commands
                    .iter()
                    .map(|command| self.command(command, caller, namespace))
                    .collect(),
            ),
        }
    }

    fn command(
        &mut self,
        command: &'a Command,
        caller: &GraphService,
        namespace: &str,
    ) -> crate::plan::Step {
        match command {
            Command::Sleep(time) => crate::plan::Step::Sleep(Distribution::Constant(time.0)),
            Command::Call(call) => {
                self.check_callee(call, caller, namespace);
                crate::plan::Step::Call(self.call(call))
            }
        }
    }

    /// The callee must exist; and where it is dialled by its short name, in the caller's namespace.
    fn check_callee(&mut self, call: &Call, caller: &GraphService, namespace: &str) {
        let Some(places) = self.namespaces.get(call.service.as_str()) else {
            let error = self
                .error(
                    &call.service.at,
                    format!("there is no service `{}`", call.service),
                )
                .did_you_mean(&call.service, self.namespaces.keys().copied());
            // A default script is seen once for each service that has none of its own.
            if !self
                .errors
                .iter()
                .any(|known| known.position() == error.position())
            {
                self.errors.push(error);
            }
            return;
        };
        if call.hostname.is_none() && !places.contains_key(namespace) {
            let others: Vec<&str> = places.keys().copied().collect();
            let message = format!(
                "`{}` is in namespace `{}`; `{}` in `{namespace}` does not reach it without a `hostname`",
                call.service,
                others.join("`, `"),
                caller.name
            );
            let object = format!("service {namespace}/{}", caller.name);
            let kind = NoteKind::Suspicious;
            self.note(&call.service.at, kind, &object, "script", message);
        }
    }

    fn call(&self, call: &Call) -> CallPlan {
        let name = call.hostname.as_deref().unwrap_or(&call.service);
        CallPlan {
            authority: if name.contains(':') {
                name.to_owned()
            } else {
                format!("{name}:{PORT}")
            },
            service: call.service.value.clone(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: call
                .extra_headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            forward_headers: Vec::new(),
            body_bytes: call.size.unwrap_or(self.defaults.request_size).0,
            probability: call.probability.0,
            timeout: None,
            tries: 1,
            optional: false,
        }
    }

    /// A service that certainly calls itself, by whatever way, never answers.
    fn note_cycles(&mut self, services: &'a [Spanned<GraphService>]) {
        let scripts = services.iter().map(|service| {
            let script = service.script.as_ref().unwrap_or(&self.defaults.script);
            (service.name.as_str(), script.as_slice())
        });
        let endless = endless_services(scripts);
        for service in services {
            if endless.contains(service.name.as_str()) {
                let namespace = namespace_of(service, self.namespace);
                let object = format!("service {namespace}/{}", service.name);
                let message = format!(
                    "`{}` always calls itself, directly or by way of others: no request to it ever ends",
                    service.name
                );
                let at = &service.name.at;
                self.note(at, NoteKind::Suspicious, &object, "script", message);
            }
        }
    }

    fn note_missing_entrypoint(&mut self) {
        if self.out.entrypoints.is_empty()
            && let Some(at) = self.out.service_places.first().cloned()
        {
            let message = "no service has `isEntrypoint: true`".to_owned();
            self.note(
                &at,
                NoteKind::Suspicious,
                "service graph",
                "services",
                message,
            );
        }
    }
}

fn namespace_of<'a>(service: &'a GraphService, default: &'a str) -> &'a str {
    service
        .namespace
        .as_ref()
        .map_or(default, |namespace| namespace.as_str())
}

/// isotope's converter labels pods so (isotope/convert/pkg/kubernetes); the graph's own labels are added.
fn pod_labels(service: &GraphService) -> BTreeMap<String, String> {
    let mut labels = service.labels.clone();
    labels.insert("role".to_owned(), "service".to_owned());
    labels.insert("name".to_owned(), service.name.value.clone());
    labels
}

#[cfg(test)]
mod tests;

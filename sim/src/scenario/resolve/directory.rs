//! Names as callers dial them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use mesh_core::control::Service;
use mesh_core::document::{Diagnostic, nearest};
use mesh_core::policy::{ExternalService, HostPattern, MeshPolicy};

use super::groups::Groups;
use crate::scenario::file::Placed;
use crate::scenario::problems::Problems;
use crate::scenario::value::Callee;

/// Everything that can be called.
pub(super) struct Directory<'a> {
    services: Vec<&'a Service>,
    /// Services by namespace and name.
    by_name: BTreeMap<(&'a str, &'a str), usize>,
    external: &'a [ExternalService],
    /// Hosts that only routes know.
    routed: Vec<&'a HostPattern>,
    cluster_domain: &'a str,
    pub(super) namespace: &'a str,
}

/// Most services that are named to somebody who called another.
const LISTED_MAX: usize = 8;

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// `host:port`, as dialled.
    pub(super) authority: String,
    /// The topology's service, by index.
    pub(super) service: Option<usize>,
    /// Its name, for reports; empty when it is none of the topology's.
    pub(super) name: String,
}

impl<'a> Directory<'a> {
    /// A service of `namespace` whose selector fits `labels`.
    pub(super) fn selecting(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Option<&'a str> {
        let fits = |service: &Service| {
            let mut selector = service.selector.iter();
            &*service.namespace == namespace
                && !service.selector.is_empty()
                && selector.all(|(key, value)| labels.get(key) == Some(value))
        };
        let found = self.services.iter().find(|service| fits(service));
        found.map(|service| &*service.name)
    }

    pub(super) fn new(groups: &'a Groups<'_>, mesh: &'a MeshPolicy, namespace: &'a str) -> Self {
        let services: Vec<&Service> = groups.services.iter().map(|(service, _)| service).collect();
        let by_name = services
            .iter()
            .enumerate()
            .map(|(index, service)| ((&*service.namespace, &*service.name), index))
            .collect();
        Self {
            services,
            by_name,
            external: &mesh.external,
            routed: mesh.routes.iter().flat_map(|rule| &rule.hosts).collect(),
            cluster_domain: &mesh.profile.cluster_domain,
            namespace,
        }
    }

    /// A service by index.
    pub(super) fn service(&self, index: usize) -> &'a Service {
        self.services[index]
    }

    /// The service that `host` names when dialled from `from`, as Kubernetes' DNS search path has it.
    pub(super) fn find(&self, host: &str, from: &str) -> Option<usize> {
        let (name, rest) = host.split_once('.').unwrap_or((host, ""));
        let (namespace, suffix) = rest.split_once('.').unwrap_or((rest, ""));
        let namespace = if namespace.is_empty() {
            from
        } else {
            namespace
        };
        let local = suffix.is_empty()
            || suffix == "svc"
            || suffix.strip_prefix("svc.") == Some(self.cluster_domain);
        local
            .then(|| self.by_name.get(&(namespace, name)).copied())
            .flatten()
    }

    /// Where a call from `from` goes.
    pub(super) fn resolve(
        &self,
        callee: &Placed<Callee>,
        from: &str,
        problems: &Problems,
    ) -> Result<Destination, Diagnostic> {
        let host = &callee.host;
        if let Some(index) = self.find(host, from) {
            let service = self.services[index];
            let port = service_port(service, callee, problems)?;
            return Ok(Destination {
                authority: format!("{host}:{port}"),
                service: Some(index),
                name: service.name.to_string(),
            });
        }
        if self.is_known_outside(host) {
            return Ok(Destination {
                authority: format!("{host}:{}", callee.port.unwrap_or(80)),
                service: None,
                name: String::new(),
            });
        }
        Err(self.unknown(callee, from, problems))
    }

    /// Whether the topology or the mesh's configuration declares the service with this full name.
    pub(super) fn declares(&self, host: &str) -> bool {
        self.find(host, self.namespace).is_some() || self.is_external(host)
    }

    fn is_external(&self, host: &str) -> bool {
        let mut hosts = self.external.iter().flat_map(|service| &service.hosts);
        hosts.any(|known| {
            known == host
                || known
                    .strip_prefix('*')
                    .is_some_and(|suffix| host.len() > suffix.len() && host.ends_with(suffix))
        })
    }

    /// Whether something other than the topology's services answers to `host`.
    fn is_known_outside(&self, host: &str) -> bool {
        // A rule for every host says nothing about this one.
        let routed = self
            .routed
            .iter()
            .any(|pattern| !matches!(pattern, HostPattern::Any) && pattern.matches(host));
        self.is_external(host) || routed || host.parse::<Ipv4Addr>().is_ok()
    }

    fn unknown(&self, callee: &Placed<Callee>, from: &str, problems: &Problems) -> Diagnostic {
        let host = &callee.host;
        let error = problems.error(callee.at(), format!("no service `{host}`"));
        if problems.is_full() {
            return error;
        }
        let elsewhere = self.services.iter().find(|service| *service.name == **host);
        if let Some(service) = elsewhere {
            return error.help(format!(
                "it is in namespace `{}`: write `{}.{}` to call it from `{from}`",
                service.namespace, service.name, service.namespace
            ));
        }
        let near = error.did_you_mean(host, self.services.iter().map(|service| &*service.name));
        if self.services.is_empty() {
            return near.help("define it under `services`, or import it with `topology.import`");
        }
        if nearest(host, self.services.iter().map(|service| &*service.name)).is_none() {
            let named = self.services.iter().take(LISTED_MAX);
            let named: Vec<String> = named.map(|service| format!("`{}`", service.name)).collect();
            let more = match self.services.len() - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return near.note(format!("there are {}{more}", named.join(", ")));
        }
        near
    }
}

/// The port that is meant: the one written, the only one, or 80.
fn service_port(
    service: &Service,
    callee: &Placed<Callee>,
    problems: &Problems,
) -> Result<u16, Diagnostic> {
    let listed = || {
        let ports: Vec<String> = service
            .ports
            .iter()
            .map(|port| port.port.to_string())
            .collect();
        ports.join(", ")
    };
    let has = |wanted: u16| service.ports.iter().any(|port| port.port == wanted);
    match (callee.port, service.ports.as_slice()) {
        (Some(port), _) if has(port) => Ok(port),
        (Some(port), _) => Err(problems
            .error(
                callee.at(),
                format!("service `{}` has no port {port}", service.name),
            )
            .help(format!("it listens on {}", listed()))),
        (None, [only]) => Ok(only.port),
        (None, _) if has(80) => Ok(80),
        (None, []) => Err(problems.error(
            callee.at(),
            format!("service `{}` has no ports", service.name),
        )),
        (None, _) => Err(problems
            .error(
                callee.at(),
                format!("service `{}` has several ports", service.name),
            )
            .help(format!("write `{}:PORT`, one of {}", callee.host, listed()))),
    }
}

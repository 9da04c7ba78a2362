//! ServiceEntry → services that no workload manifest declares.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::dialect::findings::{Field, Findings};
use crate::dialect::object::Object;
use crate::dialect::quantity;
use crate::dialect::schema::Schema;
use crate::document::Spanned;
use crate::policy::{ExternalEndpoint, ExternalPort, ExternalService, NoteKind};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    hosts: Vec<Spanned<String>>,
    ports: Vec<Spanned<Port>>,
    location: Option<Spanned<String>>,
    resolution: Option<Spanned<String>>,
    endpoints: Vec<Spanned<Endpoint>>,
    workload_selector: Option<Selector>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Port {
    number: Option<Spanned<i64>>,
    name: Option<String>,
    protocol: Option<Spanned<String>>,
    target_port: Option<Spanned<i64>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Endpoint {
    address: Option<Spanned<String>>,
    ports: IndexMap<String, Spanned<i64>>,
    labels: IndexMap<String, String>,
    locality: Option<String>,
    weight: Option<Spanned<i64>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    labels: IndexMap<String, String>,
}

const SCHEMA: Schema = Schema {
    owner: "Istio",
    fields: &[
        (
            "spec",
            "hosts addresses ports location resolution endpoints workloadSelector exportTo subjectAltNames",
        ),
        ("ports[]", "number name protocol targetPort"),
        (
            "endpoints[]",
            "address ports labels network locality weight serviceAccount",
        ),
        ("workloadSelector", "labels"),
    ],
    reasons: &[
        (
            "spec.addresses",
            "requests find a service by its host, never by a virtual address",
        ),
        (
            "spec.exportTo",
            "declared services are visible to every namespace",
        ),
        ("endpoints[].network", "the mesh is one network"),
    ],
};

/// Protocols Istio knows (pkg/config/protocol/instance.go).
const PROTOCOLS: &[(&str, ())] = &[
    ("HTTP", ()),
    ("HTTPS", ()),
    ("HTTP2", ()),
    ("HTTP_PROXY", ()),
    ("GRPC", ()),
    ("GRPC-WEB", ()),
    ("TCP", ()),
    ("TLS", ()),
    ("UDP", ()),
    ("MONGO", ()),
    ("MYSQL", ()),
    ("REDIS", ()),
    ("HBONE", ()),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resolution {
    None,
    Static,
    Dns,
    DynamicDns,
}

/// Compiles all ServiceEntries, the older first.
pub(super) fn compile(objects: &[Object<'_>], findings: &mut Findings<'_>) -> Vec<ExternalService> {
    objects
        .iter()
        .filter_map(|object| service(object, findings))
        .collect()
}

fn service(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<ExternalService> {
    let spec: Spec = object.read(&SCHEMA, findings)?;
    let field = object.spec();
    if spec.hosts.is_empty() {
        findings.error(&object.at, "this ServiceEntry has no `spec.hosts`");
        return None;
    }
    let in_mesh = match &spec.location {
        Some(name) => quantity::choice(
            name,
            &[("MESH_EXTERNAL", false), ("MESH_INTERNAL", true)],
            findings,
        )?,
        None => false,
    };
    resolution(object, &spec, &field, findings)?;
    let mut ports = Vec::new();
    for written in &spec.ports {
        ports.push(port(written, findings)?);
    }
    let mut endpoints = Vec::new();
    for written in &spec.endpoints {
        endpoints.push(endpoint(written, findings)?);
    }
    Some(ExternalService {
        hosts: spec
            .hosts
            .iter()
            .map(|host| host.value.to_ascii_lowercase())
            .collect(),
        namespace: object.namespace.clone(),
        ports,
        endpoints,
        workload_selector: spec
            .workload_selector
            .map(|selector| selector.labels.into_iter().collect()),
        in_mesh,
        origin: object.origin(),
    })
}

/// What Istio refuses (pkg/config/validation/validation.go, `validateServiceEntry`), and what is not simulated.
fn resolution(
    object: &Object<'_>,
    spec: &Spec,
    field: &Field,
    findings: &mut Findings<'_>,
) -> Option<()> {
    let resolution = match &spec.resolution {
        Some(name) => quantity::choice(
            name,
            &[
                ("NONE", Resolution::None),
                ("STATIC", Resolution::Static),
                ("DNS", Resolution::Dns),
                ("DNS_ROUND_ROBIN", Resolution::Dns),
                ("DYNAMIC_DNS", Resolution::DynamicDns),
            ],
            findings,
        )?,
        None => Resolution::None,
    };
    let at = spec.resolution.as_ref().map_or(&object.at, |name| &name.at);
    if let (Some(endpoint), Some(_)) = (spec.endpoints.first(), &spec.workload_selector) {
        let message = "only one of `endpoints` and `workloadSelector` can be given";
        findings.error(&endpoint.at, message);
        return None;
    }
    match resolution {
        Resolution::None if !spec.endpoints.is_empty() => {
            findings.error(at, "with resolution NONE there can be no `endpoints`");
            return None;
        }
        Resolution::Static if spec.endpoints.is_empty() && spec.workload_selector.is_none() => {
            findings.error(
                at,
                "resolution STATIC needs `endpoints` or a `workloadSelector`",
            );
            return None;
        }
        Resolution::DynamicDns => findings.note(
            NoteKind::NotHonoured,
            &field.child("resolution"),
            at,
            "names are not resolved while a run goes on: DYNAMIC_DNS is treated as DNS",
        ),
        Resolution::None | Resolution::Static | Resolution::Dns => {}
    }
    Some(())
}

fn port(written: &Spanned<Port>, findings: &mut Findings<'_>) -> Option<ExternalPort> {
    let port = &written.value;
    let Some(number) = &port.number else {
        findings.error(&written.at, "this port has no `number`");
        return None;
    };
    let Some(protocol) = &port.protocol else {
        findings.error(&written.at, "this port has no `protocol`");
        return None;
    };
    let mut protocol = protocol.clone();
    protocol.value.make_ascii_uppercase();
    quantity::choice(&protocol, PROTOCOLS, findings)?;
    let number = quantity::port(number, findings)?;
    let target = match &port.target_port {
        Some(target) => Some(quantity::port(target, findings)?),
        None => None,
    };
    Some(ExternalPort {
        number,
        name: port.name.clone().unwrap_or_default(),
        protocol: protocol.value,
        target: target.filter(|target| *target != number),
    })
}

fn endpoint(written: &Spanned<Endpoint>, findings: &mut Findings<'_>) -> Option<ExternalEndpoint> {
    let endpoint = &written.value;
    let Some(address) = &endpoint.address else {
        findings.error(&written.at, "this endpoint has no `address`");
        return None;
    };
    let mut ports = BTreeMap::new();
    for (name, number) in &endpoint.ports {
        ports.insert(name.clone(), quantity::port(number, findings)?);
    }
    let weight = match &endpoint.weight {
        // Zero and unset are the same in protobuf.
        Some(weight) => quantity::count(weight, findings)?.max(1),
        None => 1,
    };
    Some(ExternalEndpoint {
        address: address.value.clone(),
        ports,
        labels: endpoint
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        locality: endpoint
            .locality
            .clone()
            .filter(|locality| !locality.is_empty()),
        weight,
    })
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::{notes, policy, refused};
    use crate::policy::{ExternalEndpoint, ExternalPort, ExternalService, NoteKind};

    fn yaml(spec: &str) -> String {
        format!(
            "apiVersion: networking.istio.io/v1alpha3\nkind: ServiceEntry\nmetadata: {{name: s}}\nspec: {{{spec}}}\n"
        )
    }

    fn service(spec: &str) -> ExternalService {
        policy(&yaml(spec)).external.remove(0)
    }

    #[test]
    fn hosts_ports_and_endpoints() {
        let service = service(
            "hosts: [API.example.com, '*.example.org'], location: MESH_INTERNAL, resolution: STATIC, \
             ports: [{number: 80, name: http, protocol: http, targetPort: 8080}, {number: 443, protocol: TLS}], \
             endpoints: [{address: 10.0.0.1, ports: {http: 9090}, labels: {v: a}, locality: r/z, weight: 3}, {address: 10.0.0.2}]",
        );
        assert_eq!(service.hosts, ["api.example.com", "*.example.org"]);
        assert!(service.in_mesh);
        assert_eq!(
            service.ports,
            [
                ExternalPort {
                    number: 80,
                    name: "http".into(),
                    protocol: "HTTP".into(),
                    target: Some(8080)
                },
                ExternalPort {
                    number: 443,
                    name: String::new(),
                    protocol: "TLS".into(),
                    target: None
                },
            ]
        );
        assert_eq!(
            service.endpoints[0],
            ExternalEndpoint {
                address: "10.0.0.1".into(),
                ports: [("http".to_owned(), 9090)].into(),
                labels: [("v".to_owned(), "a".to_owned())].into(),
                locality: Some("r/z".into()),
                weight: 3,
            }
        );
        assert_eq!(service.endpoints[1].weight, 1);
    }

    #[test]
    fn by_default_a_service_is_outside_the_mesh() {
        let service =
            service("hosts: [a.example], ports: [{number: 80, name: http, protocol: HTTP}]");
        assert!(!service.in_mesh);
        assert_eq!(service.workload_selector, None);
    }

    #[test]
    fn what_is_not_simulated_is_noted() {
        let yaml =
            yaml("hosts: [a.example], addresses: [1.2.3.4], resolution: DYNAMIC_DNS, endpoint: []");
        assert_eq!(notes(&yaml, NoteKind::NotHonoured).len(), 2);
        assert_eq!(
            notes(&yaml, NoteKind::UnknownField),
            ["4:75 spec.endpoint: Istio has no field `endpoint` here; did you mean `endpoints`?"]
        );
    }

    #[test]
    fn wrong_entries_are_refused() {
        let message = |spec: &str| refused(&yaml(&format!("hosts: [a], {spec}"))).join("|");
        assert_eq!(
            message("resolution: STATIC"),
            "4:32 resolution STATIC needs `endpoints` or a `workloadSelector`"
        );
        assert_eq!(
            message("endpoints: [{address: a}]"),
            "1:1 with resolution NONE there can be no `endpoints`"
        );
        assert_eq!(
            message("ports: [{number: 80, protocol: HTP}]"),
            "4:51 unknown value `HTP`"
        );
        assert_eq!(
            message("ports: [{number: 0, protocol: HTTP}]"),
            "4:37 `0` is not a port: ports go from 1 to 65535"
        );
        assert_eq!(
            refused(&yaml("")),
            ["1:1 this ServiceEntry has no `spec.hosts`"]
        );
    }
}

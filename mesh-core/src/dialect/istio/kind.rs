//! The kinds of object that Istio reads, and what becomes of each.

use crate::dialect::findings::{Field, Findings};
use crate::dialect::object::Object;
use crate::document::nearest;
use crate::policy::NoteKind;

/// A kind that is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Routes.
    VirtualService,
    /// How to talk to a host.
    DestinationRule,
    /// A service that no workload manifest declares.
    ServiceEntry,
    /// Raw patches; local rate limits are recognised.
    EnvoyFilter,
    /// Inbound mutual TLS.
    PeerAuthentication,
    /// Who may call what.
    AuthorizationPolicy,
    /// Routes of the Gateway API.
    HttpRoute,
    /// Permission for references across namespaces.
    ReferenceGrant,
}

enum Standing {
    Compiled(Kind),
    /// Known to the mesh, and why it is not honoured.
    Noted(&'static str),
}

use Standing::{Compiled, Noted};

struct Group {
    name: &'static str,
    versions: &'static [&'static str],
    kinds: &'static [(&'static str, Standing)],
}

/// API groups of Istio 1.31 and the Gateway API, and of older releases where files still use them.
const GROUPS: &[Group] = &[
    Group {
        name: "networking.istio.io",
        versions: &["v1", "v1beta1", "v1alpha3"],
        kinds: &[
            ("VirtualService", Compiled(Kind::VirtualService)),
            ("DestinationRule", Compiled(Kind::DestinationRule)),
            ("ServiceEntry", Compiled(Kind::ServiceEntry)),
            ("EnvoyFilter", Compiled(Kind::EnvoyFilter)),
            (
                "Gateway",
                Noted("gateways are not simulated: traffic starts inside the mesh"),
            ),
            (
                "Sidecar",
                Noted("every sidecar gets the configuration of every service it may see"),
            ),
            ("WorkloadEntry", Noted("workloads come from the topology")),
            ("WorkloadGroup", Noted("workloads come from the topology")),
            ("ProxyConfig", Noted("proxy settings come from the profile")),
        ],
    },
    Group {
        name: "security.istio.io",
        versions: &["v1", "v1beta1"],
        kinds: &[
            ("PeerAuthentication", Compiled(Kind::PeerAuthentication)),
            ("AuthorizationPolicy", Compiled(Kind::AuthorizationPolicy)),
            (
                "RequestAuthentication",
                Noted("tokens (JWT) are not simulated"),
            ),
        ],
    },
    Group {
        name: "telemetry.istio.io",
        versions: &["v1", "v1alpha1"],
        kinds: &[("Telemetry", Noted("a run records everything anyway"))],
    },
    Group {
        name: "extensions.istio.io",
        versions: &["v1alpha1"],
        kinds: &[("WasmPlugin", Noted("extensions are not simulated"))],
    },
    Group {
        name: "install.istio.io",
        versions: &["v1alpha1"],
        kinds: &[(
            "IstioOperator",
            Noted("mesh-wide settings come from the profile"),
        )],
    },
    Group {
        name: "gateway.networking.k8s.io",
        versions: &["v1", "v1beta1", "v1alpha2", "v1alpha3"],
        kinds: &[
            ("HTTPRoute", Compiled(Kind::HttpRoute)),
            ("ReferenceGrant", Compiled(Kind::ReferenceGrant)),
            (
                "Gateway",
                Noted("gateways are not simulated: traffic starts inside the mesh"),
            ),
            (
                "GatewayClass",
                Noted("gateways are not simulated: traffic starts inside the mesh"),
            ),
            (
                "ListenerSet",
                Noted("gateways are not simulated: traffic starts inside the mesh"),
            ),
            (
                "GRPCRoute",
                Noted("routes by gRPC method are not simulated"),
            ),
            ("TCPRoute", Noted("routes below HTTP are not simulated")),
            ("TLSRoute", Noted("routes below HTTP are not simulated")),
            ("UDPRoute", Noted("routes below HTTP are not simulated")),
            (
                "BackendTLSPolicy",
                Noted("TLS to backends outside the mesh is not simulated"),
            ),
            (
                "BackendLBPolicy",
                Noted("session persistence is not simulated"),
            ),
        ],
    },
    Group {
        name: "gateway.networking.x-k8s.io",
        versions: &["v1alpha1"],
        kinds: &[
            (
                "XBackendTrafficPolicy",
                Noted("retry budgets are read from Istio's DestinationRule"),
            ),
            (
                "XListenerSet",
                Noted("gateways are not simulated: traffic starts inside the mesh"),
            ),
            ("XMesh", Noted("mesh-wide settings come from the profile")),
        ],
    },
];

/// Which kind an object is. Kinds that are not compiled get a note; kinds and versions nobody knows are mistakes.
pub(super) fn recognise(object: &Object<'_>, findings: &mut Findings<'_>) -> Option<Kind> {
    let field = Field::whole(&object.title());
    let Some(group) = GROUPS.iter().find(|group| group.name == object.group) else {
        let message = format!("objects of `{}` are not simulated", object.group);
        findings.note(NoteKind::NotHonoured, &field, &object.at, message);
        return None;
    };
    let Some((_, standing)) = group.kinds.iter().find(|(kind, _)| *kind == object.kind) else {
        let known = group.kinds.iter().map(|(kind, _)| *kind);
        let message = format!("`{}` has no kind `{}`", group.name, object.kind);
        match nearest(object.kind, known) {
            Some(meant) => {
                findings.error_with_help(&object.at, message, format!("did you mean `{meant}`?"));
            }
            None => findings.error(&object.at, message),
        }
        return None;
    };
    if !group.versions.contains(&object.version) {
        findings.error_with_help(
            &object.at,
            format!("`{}` has no version `{}`", group.name, object.version),
            format!("it is one of {}", group.versions.join(", ")),
        );
        return None;
    }
    match standing {
        Compiled(kind) => Some(*kind),
        Noted(why) => {
            findings.note(NoteKind::NotHonoured, &field, &object.at, *why);
            None
        }
    }
}

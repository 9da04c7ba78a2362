//! What a service's port speaks.
//!
//! Istio goes by `appProtocol` if there is one, else by the port's name, of
//! which what stands before the first `-` counts, whatever its case
//! (pkg/config/kube/conversion.go and pkg/config/protocol/instance.go). Where
//! nothing is declared it looks at the first bytes, except on the ports of
//! protocols in which the server speaks first.

use super::manifest::{ServicePort, Transport};

/// SMTP, DNS, MySQL, MongoDB: never sniffed (`wellKnownPorts`).
const SERVER_FIRST: [u16; 4] = [25, 53, 3306, 27017];

/// What a port speaks, as far as its declaration tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2 without TLS, gRPC included.
    Http2,
    /// Bytes that no HTTP proxy understands: databases, TLS passed through, or plain `tcp`.
    Opaque,
    /// Nothing is declared; a proxy looks at the first bytes.
    Unknown,
}

/// The protocol of a TCP port.
pub(super) fn protocol(port: &ServicePort) -> Protocol {
    let declared = match port.app_protocol.as_deref() {
        // Standard names that only `appProtocol` may bear.
        Some("kubernetes.io/h2c") => return Protocol::Http2,
        Some("kubernetes.io/ws") => return Protocol::Http,
        Some("kubernetes.io/wss") => return Protocol::Opaque,
        Some(name) => name,
        None => port.name.as_deref().unwrap_or_default(),
    };
    let declared = declared.to_ascii_lowercase();
    if declared.starts_with("grpc-web") {
        return Protocol::Http2;
    }
    match declared.split('-').next().unwrap_or_default() {
        "http" | "http_proxy" => Protocol::Http,
        "http2" | "grpc" => Protocol::Http2,
        "tcp" | "https" | "tls" | "mongo" | "redis" | "mysql" => Protocol::Opaque,
        _ if SERVER_FIRST.contains(&port.port.value.0) => Protocol::Opaque,
        _ => Protocol::Unknown,
    }
}

impl ServicePort {
    /// Whether it carries TCP, as everything a mesh proxies does.
    pub(super) fn is_tcp(&self) -> bool {
        self.protocol == Transport::Tcp
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::document::{Source, parse, read};

    use super::*;

    fn of(fields: &str) -> Protocol {
        on(80, fields)
    }

    fn on(port: u16, fields: &str) -> Protocol {
        let text = format!("{{port: {port}, {fields}}}");
        let document = parse(&Source::new("port.yaml", &text)).unwrap().remove(0);
        protocol(&read(&document, &document.root).unwrap())
    }

    #[test]
    fn a_ports_name_tells_its_protocol() {
        for (name, expected) in [
            ("http", Protocol::Http),
            ("http-web", Protocol::Http),
            ("HTTP", Protocol::Http),
            ("http2", Protocol::Http2),
            ("http2-api", Protocol::Http2),
            ("grpc", Protocol::Http2),
            ("grpc-web-x", Protocol::Http2),
            ("tcp-redis", Protocol::Opaque),
            ("mysql", Protocol::Opaque),
            ("https", Protocol::Opaque),
            ("httpx", Protocol::Unknown),
            ("web", Protocol::Unknown),
            ("service", Protocol::Unknown),
        ] {
            assert_eq!(of(&format!("name: {name}")), expected, "{name}");
        }
        assert_eq!(of(""), Protocol::Unknown);
    }

    #[test]
    fn app_protocol_goes_before_the_name() {
        assert_eq!(of("name: http, appProtocol: grpc"), Protocol::Http2);
        assert_eq!(of("name: grpc, appProtocol: custom"), Protocol::Unknown);
        assert_eq!(of("appProtocol: kubernetes.io/h2c"), Protocol::Http2);
        assert_eq!(of("appProtocol: kubernetes.io/ws"), Protocol::Http);
    }

    #[test]
    fn a_port_on_which_servers_speak_first_is_opaque_unless_declared() {
        assert_eq!(on(3306, ""), Protocol::Opaque);
        assert_eq!(on(27017, "name: db"), Protocol::Opaque);
        assert_eq!(on(3306, "name: http"), Protocol::Http);
        assert_eq!(on(5432, ""), Protocol::Unknown);
    }
}

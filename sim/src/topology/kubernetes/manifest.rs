//! Kubernetes objects as they are written, as far as a topology depends on them.
//!
//! Everything else in a manifest (probes, volumes, resources…) is passed over.

use std::collections::BTreeMap;
use std::fmt;

use mesh_core::document::Spanned;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The fields below, for "did you mean".
pub(super) const FIELDS: &[&str] = &[
    "metadata",
    "spec",
    "name",
    "namespace",
    "labels",
    "annotations",
    "replicas",
    "selector",
    "matchLabels",
    "template",
    "serviceAccountName",
    "containers",
    "nodeSelector",
    "hostNetwork",
    "ports",
    "containerPort",
    "protocol",
    "port",
    "targetPort",
    "appProtocol",
    "clusterIP",
    "externalName",
    "trafficDistribution",
];

/// `metadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: Option<Spanned<String>>,
    pub(super) namespace: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Labels,
}

/// Labels, annotations and selectors. A key without a value has an empty one, as in Go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Labels(BTreeMap<String, Option<String>>);

impl Labels {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_deref().unwrap_or(""))
    }

    pub(super) fn to_map(&self) -> BTreeMap<String, String> {
        let own = |(key, value): (&String, &Option<String>)| {
            (key.clone(), value.clone().unwrap_or_default())
        };
        self.0.iter().map(own).collect()
    }
}

/// An object of which only its metadata matters.
#[derive(Debug, Deserialize)]
pub(super) struct Bare {
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// Deployment, StatefulSet, DaemonSet, ReplicaSet.
#[derive(Debug, Deserialize)]
pub(super) struct Controller {
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) spec: ControllerSpec,
}

#[derive(Debug, Deserialize)]
pub(super) struct ControllerSpec {
    pub(super) replicas: Option<u32>,
    pub(super) selector: Option<Spanned<LabelSelector>>,
    pub(super) template: PodTemplate,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LabelSelector {
    #[serde(default)]
    pub(super) match_labels: Labels,
}

#[derive(Debug, Deserialize)]
pub(super) struct PodTemplate {
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
}

/// A pod on its own.
#[derive(Debug, Deserialize)]
pub(super) struct Pod {
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) service_account_name: Option<Spanned<String>>,
    /// The old spelling of `serviceAccountName`.
    pub(super) service_account: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) containers: Vec<Container>,
    #[serde(default)]
    pub(super) node_selector: Labels,
    #[serde(default)]
    pub(super) host_network: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Container {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(default)]
    pub(super) ports: Vec<ContainerPort>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerPort {
    pub(super) name: Option<String>,
    pub(super) container_port: PortNumber,
    #[serde(default)]
    pub(super) protocol: Transport,
}

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: ServiceSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(super) service_type: Option<String>,
    #[serde(rename = "clusterIP")]
    pub(super) cluster_ip: Option<Spanned<String>>,
    pub(super) external_name: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) selector: Labels,
    #[serde(default)]
    pub(super) ports: Vec<Spanned<ServicePort>>,
    pub(super) traffic_distribution: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePort {
    pub(super) name: Option<String>,
    pub(super) port: Spanned<PortNumber>,
    pub(super) target_port: Option<Spanned<TargetPort>>,
    #[serde(default)]
    pub(super) protocol: Transport,
    pub(super) app_protocol: Option<String>,
}

/// What carries a port's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Transport {
    #[default]
    Tcp,
    Udp,
    Sctp,
}

/// A port from 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortNumber(pub(super) u16);

impl PortNumber {
    fn new<E: Error>(number: u64) -> Result<Self, E> {
        match u16::try_from(number) {
            Ok(number @ 1..) => Ok(Self(number)),
            _ => Err(E::custom(format!(
                "{number} is not a port: they go from 1 to 65535"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for PortNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?)
    }
}

/// A port of a pod, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TargetPort {
    Number(PortNumber),
    Name(String),
    /// A number in quotes: to Kubernetes a name, and not a valid one.
    Quoted(PortNumber),
}

impl<'de> Deserialize<'de> for TargetPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;
        impl Visitor<'_> for TargetVisitor {
            type Value = TargetPort;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port's number or name")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<TargetPort, E> {
                let number =
                    u64::try_from(number).map_err(|_| E::custom("a port cannot be negative"))?;
                self.visit_u64(number)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<TargetPort, E> {
                PortNumber::new(number).map(TargetPort::Number)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TargetPort, E> {
                match text.parse() {
                    Ok(number) => PortNumber::new(number).map(TargetPort::Quoted),
                    Err(_) => Ok(TargetPort::Name(text.to_owned())),
                }
            }
        }
        deserializer.deserialize_any(TargetVisitor)
    }
}

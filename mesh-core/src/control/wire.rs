//! What sidecars and the control plane say to each other.
//!
//! The protocol is delta xDS in all but encoding: one stream per sidecar,
//! resources by type and name, only changes are sent, each response carries a
//! version and is answered by ACK or NACK. Messages are postcard, each behind
//! a four-byte big-endian length; a resource is encoded once however many
//! sidecars get it.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{Cluster, ClusterName, InboundListener, LoadAssignment, OutboundListener, RouteTable};

/// Path of the resource stream.
pub(crate) const STREAM_PATH: &str = "/meshquake.control.v1/StreamResources";
/// Path of certificate signing.
pub(crate) const SIGN_PATH: &str = "/meshquake.control.v1/SignCertificate";

/// A frame larger than this is refused: 64 MiB.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// What a sidecar may send at once: 4 MiB (istiod's `ISTIO_GPRC_MAXRECVMSGSIZE`).
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 20;

/// From sidecar to control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToControl {
    /// Subscribes to the resources of this workload.
    Subscribe {
        /// The workload's name.
        workload: String,
        /// The ports its app listens on.
        ports: Vec<u16>,
    },
    /// The version was applied.
    Ack(u64),
    /// The version was rejected; the last good one stays in force.
    Nack(u64, String),
}

/// A resource, by xDS type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Resource {
    /// The outbound `Listener`.
    Outbound(OutboundListener),
    /// The inbound `Listener`s.
    Inbound(Vec<InboundListener>),
    /// A `RouteConfiguration`.
    Routes(Arc<RouteTable>),
    /// A `Cluster`.
    Cluster(Arc<Cluster>),
    /// A `ClusterLoadAssignment`.
    Endpoints(Arc<LoadAssignment>),
}

/// The name of a resource that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Removed {
    /// The routes of this port.
    Routes(u16),
    /// This cluster.
    Cluster(ClusterName),
    /// The endpoints of this cluster.
    Endpoints(ClusterName),
}

/// From control plane to sidecar: what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// Version of the whole.
    pub(crate) version: u64,
    /// New and changed resources, each an encoded [`Resource`].
    pub(crate) changed: Vec<Blob>,
    /// Resources to forget.
    pub(crate) removed: Vec<Removed>,
}

impl Delta {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// In two parts, in the wrong order: first routes, listeners and what makes routes refer to nothing; then the rest.
    pub(crate) fn routes_first(self) -> (Self, Self) {
        let refers = |blob: &Blob| {
            let resource = postcard::from_bytes::<Resource>(&blob.0);
            !matches!(resource, Ok(Resource::Cluster(_) | Resource::Endpoints(_)))
        };
        let (first, rest): (Vec<_>, Vec<_>) = self.changed.into_iter().partition(refers);
        let breaks = |removed: &Removed| !matches!(removed, Removed::Routes(_));
        let (breaking, kept): (Vec<_>, Vec<_>) = self.removed.into_iter().partition(breaks);
        let part = |changed, removed| Self {
            version: self.version,
            changed,
            removed,
        };
        (part(first, breaking), part(rest, kept))
    }

    /// With a resource that cannot be read in place of the first.
    pub(crate) fn garbled(mut self) -> Self {
        // No resource has so many kinds.
        let noise = Blob(Bytes::from_static(&[0xff; 8]));
        match self.changed.first_mut() {
            Some(first) => *first = noise,
            None => self.changed.push(noise),
        }
        self
    }
}

/// An encoded resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Blob(#[serde(with = "as_bytes")] pub(crate) Bytes);

mod as_bytes {
    use bytes::Bytes;
    use serde::de::{Deserializer, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        struct AsBytes;
        impl Visitor<'_> for AsBytes {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(bytes))
            }
        }
        deserializer.deserialize_bytes(AsBytes)
    }
}

/// One message as a frame.
pub(crate) fn frame<T: Serialize>(message: &T) -> Result<Bytes, postcard::Error> {
    let body = postcard::to_stdvec(message)?;
    let length = u32::try_from(body.len()).map_err(|_| postcard::Error::SerializeBufferFull)?;
    let mut out = Vec::with_capacity(4 + body.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&body);
    Ok(out.into())
}

/// Cuts a byte stream into frames.
pub(crate) struct Frames {
    bytes: BytesMut,
    frame_bytes_max: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self::at_most(FRAME_BYTES_MAX)
    }
}

impl Frames {
    /// Refuses frames larger than `frame_bytes_max`.
    pub(crate) fn at_most(frame_bytes_max: usize) -> Self {
        Self {
            bytes: BytesMut::new(),
            frame_bytes_max,
        }
    }

    /// Adds bytes as they arrive.
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// The next complete message, if there is one.
    ///
    /// # Errors
    /// When the peer sends garbage.
    pub(crate) fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, String> {
        let Some(prefix) = self.bytes.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > self.frame_bytes_max {
            return Err(format!("a frame of {length} bytes is too long"));
        }
        if self.bytes.len() < 4 + length {
            return Ok(None);
        }
        self.bytes.advance(4);
        let body = self.bytes.split_to(length);
        if self.bytes.is_empty() {
            // A first configuration is large and what follows is small: give the room back.
            self.bytes = BytesMut::new();
        }
        postcard::from_bytes(&body)
            .map(Some)
            .map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let messages = [
            ToControl::Subscribe {
                workload: "a-0".into(),
                ports: vec![80, 9080],
            },
            ToControl::Ack(7),
            ToControl::Nack(8, "no".into()),
        ];
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|m| frame(m).unwrap().to_vec())
            .collect();
        for step in 1..bytes.len() {
            let mut frames = Frames::default();
            let mut out = Vec::new();
            for piece in bytes.chunks(step) {
                frames.push(piece);
                while let Some(message) = frames.next::<ToControl>().unwrap() {
                    out.push(message);
                }
            }
            assert_eq!(out, messages);
        }
    }

    fn blob(resource: &Resource) -> Blob {
        Blob(postcard::to_stdvec(resource).unwrap().into())
    }

    #[test]
    fn in_the_wrong_order_routes_come_first_and_nothing_is_lost() {
        use super::super::{OutboundListener, RouteTable};
        let listener = blob(&Resource::Outbound(OutboundListener { allow_any: true }));
        let table = RouteTable {
            port: 80,
            hosts: Vec::new(),
        };
        let routes = blob(&Resource::Routes(Arc::new(table)));
        let name = ClusterName::inbound(80);
        let endpoints = blob(&Resource::Endpoints(Arc::new(LoadAssignment {
            cluster: name.clone(),
            endpoints: Vec::new(),
            locality_weights: Default::default(),
        })));
        let delta = Delta {
            version: 7,
            changed: vec![endpoints.clone(), routes.clone(), listener.clone()],
            removed: vec![
                Removed::Routes(90),
                Removed::Cluster(name.clone()),
                Removed::Endpoints(name.clone()),
            ],
        };
        let (first, rest) = delta.routes_first();
        assert_eq!((first.version, rest.version), (7, 7));
        assert_eq!(first.changed, [routes, listener]);
        let gone = [Removed::Cluster(name.clone()), Removed::Endpoints(name)];
        assert_eq!(first.removed, gone);
        assert_eq!(rest.changed, [endpoints]);
        assert_eq!(rest.removed, [Removed::Routes(90)]);
    }

    #[test]
    fn a_garbled_delta_can_be_read_and_its_resource_cannot() {
        for changed in [vec![], vec![blob(&Resource::Inbound(Vec::new()))]] {
            let delta = Delta {
                version: 7,
                changed,
                removed: Vec::new(),
            };
            let mut frames = Frames::default();
            frames.push(&frame(&delta.garbled()).unwrap());
            let read: Delta = frames.next().unwrap().unwrap();
            assert_eq!((read.version, read.changed.len()), (7, 1));
            assert!(postcard::from_bytes::<Resource>(&read.changed[0].0).is_err());
        }
    }

    #[test]
    fn a_monstrous_length_is_refused() {
        let mut frames = Frames::default();
        frames.push(&[0xff; 8]);
        assert!(frames.next::<ToControl>().is_err());
        let bytes = frame(&ToControl::Nack(1, "x".repeat(100))).unwrap();
        for (limit, fits) in [(50, false), (200, true)] {
            let mut frames = Frames::at_most(limit);
            frames.push(&bytes);
            assert_eq!(frames.next::<ToControl>().is_ok(), fits);
        }
    }
}

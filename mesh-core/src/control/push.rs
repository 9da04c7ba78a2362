//! What each sidecar was last sent, and what to send it next.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use super::wire::{Blob, Delta, Removed, Resource};
use super::{
    Cluster, ClusterName, InboundListener, LoadAssignment, OutboundListener, RouteTable, Snapshot,
};

/// A response body: one message, or a stream of them.
pub(crate) enum PushBody {
    /// One message; empty once sent.
    Whole(Bytes),
    /// Messages as they come.
    Stream(mpsc::UnboundedReceiver<Bytes>),
}

impl Body for PushBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => stream
                .poll_recv(cx)
                .map(|next| next.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }
}

/// Encoded resources of the version being pushed, by the address of what they encode.
#[derive(Default)]
pub(crate) struct EncodeCache {
    routes: Vec<(Arc<RouteTable>, Bytes)>,
    clusters: BTreeMap<ClusterName, Vec<(Arc<Cluster>, Bytes)>>,
    endpoints: BTreeMap<ClusterName, Vec<(Arc<LoadAssignment>, Bytes)>>,
}

fn encode(resource: &Resource) -> Bytes {
    // Only a type without a fixed shape can fail to encode, and resources have none.
    postcard::to_stdvec(resource).unwrap_or_default().into()
}

fn cached<T>(
    entries: &mut Vec<(Arc<T>, Bytes)>,
    item: &Arc<T>,
    wrap: fn(Arc<T>) -> Resource,
) -> Blob {
    if let Some((_, bytes)) = entries.iter().find(|(known, _)| Arc::ptr_eq(known, item)) {
        return Blob(bytes.clone());
    }
    let bytes = encode(&wrap(item.clone()));
    entries.push((item.clone(), bytes.clone()));
    Blob(bytes)
}

/// What one sidecar was last sent.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    outbound: Option<OutboundListener>,
    inbound: Option<Vec<InboundListener>>,
    routes: BTreeMap<u16, Arc<RouteTable>>,
    clusters: BTreeMap<ClusterName, Arc<Cluster>>,
    endpoints: BTreeMap<ClusterName, Arc<LoadAssignment>>,
}

impl Sent {
    /// Moves to `snapshot`; what must be sent for it, or `None` when nothing changed.
    pub(crate) fn advance(&mut self, snapshot: Snapshot, cache: &mut EncodeCache) -> Option<Delta> {
        let mut delta = Delta {
            version: snapshot.version,
            changed: Vec::new(),
            removed: Vec::new(),
        };
        let first = self.outbound.is_none();
        let clusters = keyed(snapshot.clusters, |c| c.name.clone());
        changes(
            &mut self.clusters,
            clusters,
            &mut delta,
            Removed::Cluster,
            |name, item| {
                let entries = cache.clusters.entry(name.clone()).or_default();
                cached(entries, item, Resource::Cluster)
            },
        );
        let endpoints = keyed(snapshot.endpoints, |e| e.cluster.clone());
        changes(
            &mut self.endpoints,
            endpoints,
            &mut delta,
            Removed::Endpoints,
            |name, item| {
                let entries = cache.endpoints.entry(name.clone()).or_default();
                cached(entries, item, Resource::Endpoints)
            },
        );
        let routes = keyed(snapshot.routes, |r| r.port);
        changes(
            &mut self.routes,
            routes,
            &mut delta,
            Removed::Routes,
            |_, item| cached(&mut cache.routes, item, Resource::Routes),
        );
        if self.outbound.as_ref() != Some(&snapshot.outbound) {
            let resource = Resource::Outbound(snapshot.outbound.clone());
            delta.changed.push(Blob(encode(&resource)));
            self.outbound = Some(snapshot.outbound);
        }
        if self.inbound.as_ref() != Some(&snapshot.inbound) {
            let resource = Resource::Inbound(snapshot.inbound.clone());
            delta.changed.push(Blob(encode(&resource)));
            self.inbound = Some(snapshot.inbound);
        }
        (first || !delta.changed.is_empty() || !delta.removed.is_empty()).then_some(delta)
    }
}

fn keyed<K: Ord, T>(items: Vec<Arc<T>>, key: impl Fn(&T) -> K) -> BTreeMap<K, Arc<T>> {
    items.into_iter().map(|item| (key(&item), item)).collect()
}

fn changes<K: Ord + Clone, T: PartialEq>(
    old: &mut BTreeMap<K, Arc<T>>,
    new: BTreeMap<K, Arc<T>>,
    delta: &mut Delta,
    removed: fn(K) -> Removed,
    mut blob: impl FnMut(&K, &Arc<T>) -> Blob,
) {
    for (key, item) in &new {
        let same = old
            .get(key)
            .is_some_and(|known| Arc::ptr_eq(known, item) || known == item);
        if !same {
            delta.changed.push(blob(key, item));
        }
    }
    let gone = old.keys().filter(|key| !new.contains_key(key));
    delta.removed.extend(gone.cloned().map(removed));
    *old = new;
}

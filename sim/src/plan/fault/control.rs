//! The control plane, what it knows, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use mesh_core::dialect::istio;
use mesh_core::document::Document;
use mesh_core::policy::MeshPolicy;

use super::PodSelector;

/// What goes wrong with the control plane.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlFault {
    /// Its process is gone, or stands still.
    Down {
        /// How.
        how: Outage,
    },
    /// Every push takes so much longer.
    SlowPush {
        /// To whom.
        pods: PodSelector,
        /// How much.
        delay: Duration,
    },
    /// Nothing is pushed.
    PartialPush {
        /// To whom.
        pods: PodSelector,
    },
    /// Routes are pushed before what they refer to.
    ReorderedPush {
        /// To whom.
        pods: PodSelector,
        /// How long before.
        gap: Duration,
    },
    /// What is pushed cannot be read, and is rejected.
    RejectedPush {
        /// To whom.
        pods: PodSelector,
    },
    /// It does not hear of pods that become ready or cease to be.
    StaleEndpoints {
        /// Which; `None` is all.
        pods: Option<PodSelector>,
    },
    /// It finds no endpoint for a service.
    EmptyEndpoints {
        /// The service's full host.
        host: Arc<str>,
    },
    /// It is given another configuration.
    Config {
        /// Which.
        change: ConfigChange,
        /// Who gets it; `None` is everybody.
        to: Option<PodSelector>,
        /// After this long everybody else gets it too.
        all_after: Option<Duration>,
    },
}

/// How the control plane is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Killed: its connections are reset.
    Crash,
    /// Its machine is gone: silence.
    PowerOff,
    /// Its process stands still: its kernel still answers.
    Freeze,
}

/// A change of the mesh's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChange {
    /// What was in force when the scenario began.
    pub base: Objects,
    /// Objects put in force, each in place of the one of its kind and name.
    pub objects: Objects,
    /// Whether they are all that remains in force.
    pub replace: bool,
}

/// Objects of a mesh's configuration language.
#[derive(Clone, Debug, Default)]
pub struct Objects(pub Arc<Vec<Document>>);

impl PartialEq for Objects {
    fn eq(&self, other: &Self) -> bool {
        let roots = |objects: &Self| objects.0.iter().map(|d| d.root.clone()).collect::<Vec<_>>();
        Arc::ptr_eq(&self.0, &other.0) || roots(self) == roots(other)
    }
}

impl ConfigChange {
    /// `policy` under `changes`, each made of what those before it left. One that cannot be joined with them is
    /// refused, as by the API server.
    pub fn joined<'a>(
        policy: &MeshPolicy,
        changes: impl IntoIterator<Item = &'a Self>,
    ) -> MeshPolicy {
        let mut joined = policy.clone();
        let mut documents: Option<Vec<Document>> = None;
        for change in changes {
            let before = documents.as_deref().unwrap_or(&change.base.0);
            let after = change.applied_to(before);
            if let Ok(compiled) = istio::compile(&after, &policy.profile) {
                joined = compiled;
                documents = Some(after);
            }
        }
        joined
    }

    /// The configuration made of `before` and this change: an object replaces the one of its kind, namespace and name,
    /// as `kubectl apply` does.
    pub fn applied_to(&self, before: &[Document]) -> Vec<Document> {
        let mut after = if self.replace {
            Vec::new()
        } else {
            before.to_vec()
        };
        for object in self.objects.0.iter() {
            let own = key(object);
            match after.iter_mut().find(|other| key(other) == own) {
                Some(known) => *known = object.clone(),
                None => after.push(object.clone()),
            }
        }
        after
    }
}

/// What makes two objects the same one.
fn key(object: &Document) -> [Option<&str>; 4] {
    let root = &object.root;
    let text = |key: &str| root.get(key).and_then(|node| node.as_str());
    let meta = |key: &str| root.get("metadata")?.get(key)?.as_str();
    // The API's version may differ between two writings of one object.
    let group = text("apiVersion").map(|api| api.split('/').next().unwrap_or(api));
    let namespace = meta("namespace").or(Some("default"));
    [group, text("kind"), namespace, meta("name")]
}

#[cfg(test)]
mod tests {
    use mesh_core::document::{Source, parse};

    use super::*;

    fn objects(yaml: &str) -> Objects {
        Objects(Arc::new(parse(&Source::new("t", yaml)).unwrap()))
    }

    fn change(yaml: &str, replace: bool) -> ConfigChange {
        ConfigChange {
            base: Objects::default(),
            objects: objects(yaml),
            replace,
        }
    }

    fn marks(documents: &[Document]) -> Vec<&str> {
        let each = documents.iter();
        each.map(|document| {
            let mark = document.root.get("spec").and_then(|spec| spec.get("mark"));
            mark.and_then(|mark| mark.as_str()).unwrap()
        })
        .collect()
    }

    const BASE: &str = "
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {mark: one}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: b}, spec: {mark: two}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: a}, spec: {mark: three}}
";

    #[test]
    fn an_object_takes_the_place_of_its_namesake_and_of_no_other() {
        let base = objects(BASE);
        let new = "{apiVersion: networking.istio.io/v1beta1, kind: VirtualService, metadata: {name: a, namespace: default}, spec: {mark: new}}";
        assert_eq!(
            marks(&change(new, false).applied_to(&base.0)),
            ["new", "two", "three"]
        );
        assert_eq!(marks(&change(new, true).applied_to(&base.0)), ["new"]);
        let elsewhere = "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a, namespace: prod}, spec: {mark: new}}";
        assert_eq!(
            marks(&change(elsewhere, false).applied_to(&base.0)),
            ["one", "two", "three", "new"]
        );
    }
}

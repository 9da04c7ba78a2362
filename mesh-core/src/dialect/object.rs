//! The Kubernetes envelope: which objects the documents hold, under which names, in which order of age.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::findings::{Field, Findings};
use super::schema::Schema;
use crate::document::{Document, Node, read_lenient};
use crate::policy::{NoteKind, Origin, Position};

/// An object that configures a mesh.
#[derive(Clone)]
pub(super) struct Object<'a> {
    /// API group, `networking.istio.io`.
    pub(super) group: &'a str,
    /// API version, `v1`.
    pub(super) version: &'a str,
    /// Kind, `VirtualService`.
    pub(super) kind: &'a str,
    /// Name.
    pub(super) name: String,
    /// Namespace; `default` when not written.
    pub(super) namespace: String,
    /// Where the object begins.
    pub(super) at: Position,
    /// When it came to be, for "the older wins".
    pub(super) age: Age,
    document: &'a Document,
    node: &'a Node,
}

/// Age of an object. Smaller is older.
///
/// Istio orders by `metadata.creationTimestamp` (pilot/pkg/model/push_context.go,
/// `sortConfigByCreationTime`). Files rarely have one: such objects count as
/// applied now, one after the other in the order read, so they are younger
/// than any object with a timestamp.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age {
    applied_now: bool,
    created: String,
    /// Breaks ties of timestamps, which have whole seconds: `name.namespace`, as Istio does.
    name: String,
    order: usize,
}

impl<'a> Object<'a> {
    /// `Kind namespace/name`.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind, self.reference())
    }

    /// `namespace/name`.
    pub(super) fn reference(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The object's `spec`, to speak about.
    pub(super) fn spec(&self) -> Field {
        Field::spec(&self.title())
    }

    /// Where the object begins, as an origin.
    pub(super) fn origin(&self) -> Origin {
        Origin::Written(self.at.clone())
    }

    /// The value of an annotation.
    pub(super) fn annotation(&self, name: &str) -> Option<(&'a str, Position)> {
        let node = self.node.get("metadata")?.get("annotations")?.get(name)?;
        Some((node.as_str()?, self.document.position(node.span)))
    }

    /// Whether `spec` has a value at this field.
    pub(super) fn writes(&self, field: &str) -> bool {
        self.node
            .get("spec")
            .and_then(|spec| spec.get(field))
            .is_some_and(|value| !value.is_null())
    }

    /// The `spec` as it is written.
    pub(super) fn spec_node(&self) -> Option<&'a Node> {
        self.node.get("spec")
    }

    /// The document the object is in.
    pub(super) fn document(&self) -> &'a Document {
        self.document
    }

    /// Where a part of the object begins.
    pub(super) fn position(&self, part: &Node) -> Position {
        self.document.position(part.place())
    }

    /// Reads `spec`, and notes every field that was not taken.
    pub(super) fn read<T: DeserializeOwned + Default>(
        &self,
        schema: &Schema,
        findings: &mut Findings<'_>,
    ) -> Option<T> {
        #[derive(Deserialize)]
        #[serde(bound = "T: DeserializeOwned")]
        struct Envelope<T> {
            spec: Option<T>,
        }

        match read_lenient::<Envelope<T>>(self.document, self.node) {
            Err(diagnostic) => {
                findings.refuse(diagnostic);
                None
            }
            Ok((envelope, ignored)) => {
                let field = Field::whole(&self.title());
                for ignored in &ignored {
                    schema.account(&field, &ignored.path, &ignored.at, findings);
                }
                Some(envelope.spec.unwrap_or_default())
            }
        }
    }
}

/// Whether a document holds mesh configuration and nothing else: an object of
/// an Istio or Gateway API group, or a list of such objects.
pub(super) fn is_mesh_config(document: &Document) -> bool {
    fn node_is(node: &Node) -> bool {
        match items(node) {
            Some(items) => !items.is_empty() && items.iter().all(node_is),
            None => group_of(node).is_some_and(|(group, _)| is_mesh_group(group)),
        }
    }
    node_is(&document.root)
}

/// Whether objects of this API group configure a mesh.
fn is_mesh_group(group: &str) -> bool {
    group.ends_with(".istio.io")
        || matches!(
            group,
            "gateway.networking.k8s.io" | "gateway.networking.x-k8s.io"
        )
}

/// All mesh objects of the documents, oldest first. Of two objects with one
/// name the later counts, as with `kubectl apply`; it keeps the earlier one's age.
pub(super) fn collect<'a>(
    documents: &'a [Document],
    findings: &mut Findings<'_>,
) -> Vec<Object<'a>> {
    let mut found = Vec::new();
    for document in documents {
        gather(document, &document.root, &mut found, findings);
    }
    let mut latest: BTreeMap<(&str, &str, String), Object<'a>> = BTreeMap::new();
    for object in found {
        let key = (object.group, object.kind, object.reference());
        let mut object = object;
        if let Some(earlier) = latest.get(&key) {
            note_replaced(earlier, &object, findings);
            object.age.clone_from(&earlier.age);
        }
        latest.insert(key, object);
    }
    let mut objects: Vec<_> = latest.into_values().collect();
    objects.sort_by(|a, b| a.age.cmp(&b.age));
    objects
}

fn note_replaced(earlier: &Object<'_>, later: &Object<'_>, findings: &mut Findings<'_>) {
    findings.note(
        NoteKind::NoEffect,
        &Field::whole(&earlier.title()),
        &earlier.at,
        format!("replaced by the object of the same name at {}", later.at),
    );
}

fn gather<'a>(
    document: &'a Document,
    node: &'a Node,
    found: &mut Vec<Object<'a>>,
    findings: &mut Findings<'_>,
) {
    if let Some(items) = items(node) {
        for item in items {
            gather(document, item, found, findings);
        }
        return;
    }
    let at = document.position(node.place());
    let Some((group, version)) = group_of(node) else {
        findings.error_with_help(
            &at,
            "this is not a Kubernetes object: it lacks `apiVersion` or `kind`",
            "mesh configuration is made of Kubernetes objects, such as Istio's VirtualService",
        );
        return;
    };
    if !is_mesh_group(group) {
        return;
    }
    let metadata = node.get("metadata");
    let text = |name: &str| metadata.and_then(|m| m.get(name)).and_then(Node::as_str);
    let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default();
    let Some(name) = text("name") else {
        findings.error(&at, format!("this {kind} has no `metadata.name`"));
        return;
    };
    let created = text("creationTimestamp").filter(|created| !created.is_empty());
    let namespace = text("namespace").unwrap_or("default");
    found.push(Object {
        group,
        version,
        kind,
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        at,
        age: Age {
            applied_now: created.is_none(),
            created: created.unwrap_or_default().to_owned(),
            name: created
                .map(|_| format!("{name}.{namespace}"))
                .unwrap_or_default(),
            order: found.len(),
        },
        document,
        node,
    });
}

/// Every namespace an object of the documents is in, ordinary objects included.
pub(super) fn namespaces(documents: &[Document]) -> BTreeSet<String> {
    fn gather(node: &Node, found: &mut BTreeSet<String>) {
        match items(node) {
            Some(items) => items.iter().for_each(|item| gather(item, found)),
            None => {
                let written = node.get("metadata").and_then(|m| m.get("namespace"));
                found.extend(written.and_then(Node::as_str).map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::from(["default".to_owned()]);
    for document in documents {
        gather(&document.root, &mut found);
    }
    found
}

/// The items of a `List`, `VirtualServiceList`, ….
fn items(node: &Node) -> Option<&[Node]> {
    let kind = node.get("kind")?.as_str()?;
    let items = node.get("items")?;
    (kind.ends_with("List") && items.is_sequence()).then(|| items.items())
}

/// API group and version; the core group is empty.
fn group_of(node: &Node) -> Option<(&str, &str)> {
    node.get("kind")?.as_str()?;
    let api_version = node.get("apiVersion")?.as_str()?;
    Some(api_version.split_once('/').unwrap_or(("", api_version)))
}

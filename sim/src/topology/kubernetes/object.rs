//! The objects of a file, one by one.

use mesh_core::document::{Diagnostic, Document, Node};
use mesh_core::policy::Position;

/// Lists within lists are legal and pointless; deeper ones are somebody's joke.
const LIST_DEPTH_MAX: usize = 4;

/// One Kubernetes object, still unread.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) document: &'a Document,
    pub(super) node: &'a Node,
    /// The API group: what stands before the `/` of `apiVersion`; empty for the core group.
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
}

impl Object<'_> {
    /// Where it begins.
    pub(super) fn at(&self) -> Position {
        self.document.position(self.node.place())
    }
}

/// All objects of `documents`, those within `List`s included, and what is none.
pub(super) fn objects(documents: &[Document]) -> (Vec<Object<'_>>, Vec<Diagnostic>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for document in documents {
        collect(document, &document.root, 0, &mut found, &mut errors);
    }
    (found, errors)
}

fn collect<'a>(
    document: &'a Document,
    node: &'a Node,
    depth: usize,
    found: &mut Vec<Object<'a>>,
    errors: &mut Vec<Diagnostic>,
) {
    let object = match object(document, node) {
        Ok(object) => object,
        Err(error) => return errors.push(error),
    };
    let items = node.get("items").map(Node::items);
    match items {
        Some(items) if object.kind.ends_with("List") && depth < LIST_DEPTH_MAX => {
            for item in items {
                collect(document, item, depth + 1, found, errors);
            }
        }
        _ => found.push(object),
    }
}

fn object<'a>(document: &'a Document, node: &'a Node) -> Result<Object<'a>, Diagnostic> {
    let field = |name: &str| {
        let missing = || {
            document
                .error(node.place(), format!("this is not a Kubernetes object: it has no `{name}`"))
                .help("a Kubernetes object begins with `apiVersion` and `kind`, such as `v1` and `Service`")
        };
        let value = node.get(name).ok_or_else(missing)?;
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| document.error(value.place(), format!("`{name}` is text")))
    };
    let kind = field("kind")?;
    let api_version = field("apiVersion")?;
    Ok(Object {
        document,
        node,
        group: api_version.split_once('/').map_or("", |(group, _)| group),
        kind,
    })
}

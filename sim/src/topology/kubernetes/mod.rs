//! Kubernetes manifests.
//!
//! A manifest says what runs (Deployments and their kin), under which labels
//! and service account, and which Services select it. That is a topology: the
//! apps' behaviour is not in it and comes from the scenario.
//!
//! Manifests are read as `kubectl apply` would take them, file by file and
//! object by object: an object declared again replaces the one before. Only
//! what a topology depends on is looked at, so a manifest with fields from any
//! version of Kubernetes is read; but a field that is spelt almost like one
//! that matters is noted, for it silently changes nothing.

mod injection;
mod manifest;
mod object;
mod other;
mod protocol;
mod service;
mod workload;

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::document::{Diagnostic, Document, IgnoredField, Spanned, read_lenient};
use mesh_core::policy::{Note, NoteKind, Position};
use serde::de::DeserializeOwned;

use self::manifest::{Bare, FIELDS, Metadata};
use self::object::{Object, objects};
use self::service::DeclaredService;
use self::workload::DeclaredWorkload;
use super::name::check_name;
use super::{ImportedTopology, WorkloadKind};

/// Imports the objects of `documents` together, in order. Objects that name no
/// namespace are in `default_namespace`.
///
/// # Errors
/// Everything that Kubernetes would refuse and that a topology depends on.
pub fn import(
    documents: &[Document],
    default_namespace: &str,
) -> Result<ImportedTopology, Vec<Diagnostic>> {
    let (objects, errors) = objects(documents);
    let mut importer = Importer {
        default_namespace,
        errors,
        notes: Vec::new(),
        namespaces: BTreeMap::new(),
        service_accounts: BTreeSet::new(),
        workloads: Vec::new(),
        services: Vec::new(),
        other_kinds: BTreeSet::new(),
    };
    for object in &objects {
        importer.object(object);
    }
    importer.finish()
}

struct Importer<'a> {
    default_namespace: &'a str,
    errors: Vec<Diagnostic>,
    notes: Vec<Note>,
    /// Namespaces, and whether their pods get sidecars.
    namespaces: BTreeMap<String, Option<bool>>,
    /// Namespace and name.
    service_accounts: BTreeSet<(String, String)>,
    workloads: Vec<DeclaredWorkload>,
    services: Vec<DeclaredService>,
    /// Group and kind of objects already noted.
    other_kinds: BTreeSet<(&'a str, &'a str)>,
}

/// Who an object is, checked.
struct Identity {
    name: String,
    namespace: String,
    at: Position,
}

impl<'a> Importer<'a> {
    fn object(&mut self, object: &Object<'a>) {
        match (object.group, object.kind) {
            ("", "Namespace") => self.namespace(object),
            ("", "ServiceAccount") => self.service_account(object),
            ("", "Service") => self.service(object),
            ("", "Pod") => self.pod(object),
            ("apps" | "extensions", "Deployment") => {
                self.controller(object, WorkloadKind::Deployment);
            }
            ("apps" | "extensions", "DaemonSet") => {
                self.controller(object, WorkloadKind::DaemonSet)
            }
            ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => {
                self.controller(object, WorkloadKind::ReplicaSet);
            }
            ("apps", "StatefulSet") => self.controller(object, WorkloadKind::StatefulSet),
            (group, kind) => self.other(object, group, kind),
        }
    }

    /// Reads an object; what cannot be read is an error and gives nothing.
    fn read<T: DeserializeOwned>(&mut self, object: &Object<'_>) -> Option<T> {
        match read_lenient(object.document, object.node) {
            Ok((value, ignored)) => {
                self.note_misspelt(object, &ignored);
                Some(value)
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn identity(&mut self, object: &Object<'_>, metadata: &Metadata) -> Option<Identity> {
        let Some(name) = &metadata.name else {
            let message = format!("the {} has no `metadata.name`", object.kind);
            self.errors
                .push(object.document.error(object.node.place(), message));
            return None;
        };
        self.checked(object, name)?;
        let namespace = match &metadata.namespace {
            Some(namespace) if !namespace.is_empty() => self.checked(object, namespace)?,
            _ => self.default_namespace,
        };
        Some(Identity {
            name: name.value.clone(),
            namespace: namespace.to_owned(),
            at: object.at(),
        })
    }

    fn checked<'n>(&mut self, object: &Object<'_>, name: &'n Spanned<String>) -> Option<&'n str> {
        match check_name(name) {
            Ok(()) => Some(name.as_str()),
            Err(why) => {
                self.error_at(object, &name.at, why);
                None
            }
        }
    }

    fn error_at(&mut self, object: &Object<'_>, at: &Position, message: String) {
        let source = object.document.source_of(at);
        self.errors
            .push(Diagnostic::error(message).at_position(at, source));
    }

    fn note(&mut self, at: &Position, kind: NoteKind, object: &str, field: &str, message: String) {
        self.notes.push(Note {
            at: at.clone(),
            kind,
            object: object.to_owned(),
            field: field.to_owned(),
            message,
        });
    }

    fn namespace(&mut self, object: &Object<'_>) {
        let Some(bare) = self.read::<Bare>(object) else {
            return;
        };
        if let Some(identity) = self.identity(object, &bare.metadata) {
            let says = injection::namespace_says(&bare.metadata.labels);
            self.namespaces.insert(identity.name, says);
        }
    }

    fn service_account(&mut self, object: &Object<'_>) {
        let Some(bare) = self.read::<Bare>(object) else {
            return;
        };
        if let Some(identity) = self.identity(object, &bare.metadata) {
            self.service_accounts
                .insert((identity.namespace, identity.name));
        }
    }

    fn other(&mut self, object: &Object<'a>, group: &'a str, kind: &'a str) {
        if let Some(message) = other::consequence(group, kind)
            && self.other_kinds.insert((group, kind))
        {
            let at = object.at();
            self.note(&at, NoteKind::NotHonoured, kind, "", message.to_owned());
        }
    }

    /// Notes fields one slip away from a field that matters.
    fn note_misspelt(&mut self, object: &Object<'_>, ignored: &[IgnoredField]) {
        for field in ignored {
            let name = field.path.rsplit('.').next().unwrap_or(&field.path);
            if let Some(meant) = misspelt(name) {
                let message = format!("Kubernetes has no `{name}` here; did you mean `{meant}`?");
                self.note(
                    &field.at,
                    NoteKind::UnknownField,
                    object.kind,
                    &field.path,
                    message,
                );
            }
        }
    }

    fn finish(mut self) -> Result<ImportedTopology, Vec<Diagnostic>> {
        let mut out = ImportedTopology::default();
        let workloads = std::mem::take(&mut self.workloads);
        let mut workloads = self.latest(workloads, DeclaredWorkload::object);
        let services = std::mem::take(&mut self.services);
        for service in self.latest(services, DeclaredService::object) {
            let selected = service.resolve(&mut workloads, &mut self.notes);
            out.services.push(selected);
            out.service_places.push(service.at().clone());
        }
        for workload in workloads {
            let deployment = self.deployment(workload);
            out.deployments.push(deployment);
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        self.notes.sort();
        out.notes = self.notes;
        Ok(out)
    }

    /// Of objects declared more than once, the last, as `kubectl apply` leaves it.
    fn latest<T>(&mut self, objects: Vec<T>, object: fn(&T) -> (String, &Position)) -> Vec<T> {
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for (index, one) in objects.iter().enumerate() {
            last.insert(object(one).0, index);
        }
        for (index, one) in objects.iter().enumerate() {
            let (name, at) = object(one);
            if last[&name] != index {
                let by = object(&objects[last[&name]]).1;
                let message = format!("replaced by the one at {by}");
                self.note(at, NoteKind::NoEffect, &name, "", message);
            }
        }
        let kept = |(index, one): (usize, T)| (last[&object(&one).0] == index).then_some(one);
        objects.into_iter().enumerate().filter_map(kept).collect()
    }
}

/// The field that `name` is one slip away from: a letter's case, or one letter.
fn misspelt(name: &str) -> Option<&'static str> {
    /// Fields that exist and look like others.
    const REAL: &[&str] = &["clusterIPs", "serviceAccount"];
    if FIELDS.contains(&name) || REAL.contains(&name) || name.len() < 4 {
        return None;
    }
    let close = |known: &str| {
        known.eq_ignore_ascii_case(name) || strsim::damerau_levenshtein(known, name) == 1
    };
    FIELDS.iter().copied().find(|known| close(known))
}

#[cfg(test)]
mod tests;

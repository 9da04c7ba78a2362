//! The menu of faults that can be done by hand: what, then to whom, then the line itself to be changed at will.
//!
//! The menu writes lines of the scenario's own language. Whatever it does not offer can be typed.

use crate::plan::Plan;

/// A kind of fault on the menu.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    whom: Whom,
    /// How long it lasts; `None` when it has no length.
    lasts: Option<&'static str>,
    /// The fault's body: `%` is the target, already quoted.
    body: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    /// A pod, a service or a zone, as a selector.
    Pods,
    /// A service's name.
    Services,
    /// A traffic source's name.
    Sources,
    /// A caller and a callee, as a selector.
    Edges,
    /// Nobody in particular.
    Nobody,
}

const fn wish(
    name: &'static str,
    about: &'static str,
    whom: Whom,
    lasts: Option<&'static str>,
    body: &'static str,
) -> Wish {
    Wish {
        name,
        about,
        whom,
        lasts,
        body,
    }
}

/// The menu.
pub(crate) const WISHES: &[Wish] = &[
    wish(
        "crash",
        "processes die; peers see resets",
        Whom::Pods,
        Some("10s"),
        "crash: { % }",
    ),
    wish(
        "power off",
        "pods vanish; peers see silence",
        Whom::Pods,
        Some("10s"),
        "power-off: { % }",
    ),
    wish(
        "freeze",
        "processes stand still",
        Whom::Pods,
        Some("5s"),
        "freeze: { % }",
    ),
    wish(
        "partition",
        "packets to and from others go nowhere",
        Whom::Pods,
        Some("10s"),
        "partition: { % }",
    ),
    wish(
        "cut an edge",
        "packets between two go nowhere",
        Whom::Edges,
        Some("10s"),
        "partition: { % }",
    ),
    wish(
        "latency",
        "packets between two take longer",
        Whom::Edges,
        Some("10s"),
        "latency: { add: 200ms, % }",
    ),
    wish(
        "loss",
        "packets between two are lost",
        Whom::Edges,
        Some("10s"),
        "loss: { rate: 10%%, % }",
    ),
    wish(
        "errors",
        "requests fail",
        Whom::Pods,
        Some("10s"),
        "errors: { %, rate: 50%%, status: 503 }",
    ),
    wish(
        "slow",
        "work takes ten times as long",
        Whom::Pods,
        Some("10s"),
        "slow: { %, times: 10 }",
    ),
    wish(
        "cpu",
        "the processor is taken away",
        Whom::Pods,
        Some("10s"),
        "cpu: { %, quota: 20%% }",
    ),
    wish(
        "load",
        "three times the load",
        Whom::Sources,
        Some("20s"),
        "load: { traffic: %, times: 3 }",
    ),
    wish(
        "herd",
        "a thousand requests at once",
        Whom::Sources,
        None,
        "herd: { traffic: %, requests: 1000, over: 1s }",
    ),
    wish(
        "rollout",
        "pods are replaced one after the other",
        Whom::Services,
        None,
        "rollout: { service: % }",
    ),
    wish(
        "no endpoints",
        "discovery finds nobody",
        Whom::Services,
        Some("10s"),
        "empty-endpoints: %",
    ),
    wish(
        "control plane down",
        "no pushes, no certificates",
        Whom::Nobody,
        Some("20s"),
        "control-plane-down: {}",
    ),
    wish(
        "slow pushes",
        "configuration comes late",
        Whom::Nobody,
        Some("20s"),
        "slow-push: { delay: 10s }",
    ),
    wish(
        "push configuration",
        "files of the mesh's language are put in force",
        Whom::Nobody,
        None,
        "config: FILE.yaml",
    ),
];

/// Somebody to do it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// For people; not inert.
    pub(crate) name: String,
    /// In the scenario's language.
    pub(crate) text: String,
}

impl Wish {
    /// Whom it can be done to; empty when that is not asked.
    pub(crate) fn targets(&self, plan: &Plan) -> Vec<Target> {
        let mut services: Vec<&str> = Vec::new();
        let mut zones: Vec<&str> = Vec::new();
        for pod in &plan.pods {
            let zone = &*pod.workload.locality.zone;
            if !services.contains(&pod.service.as_str()) {
                services.push(&pod.service);
            }
            if !zone.is_empty() && !zones.contains(&zone) {
                zones.push(zone);
            }
        }
        let named = |kind: &str, key: &str, name: &str| Target {
            name: format!("{kind} {name}"),
            text: format!("{key}: {}", quoted(name)),
        };
        let bare = |name: &str| Target {
            name: name.to_owned(),
            text: quoted(name),
        };
        match self.whom {
            Whom::Nobody => Vec::new(),
            Whom::Services => services.into_iter().map(bare).collect(),
            Whom::Sources => plan
                .traffic
                .iter()
                .map(|traffic| bare(&traffic.name))
                .collect(),
            Whom::Pods => {
                let pods = plan
                    .pods
                    .iter()
                    .map(|pod| named("pod", "pod", &pod.workload.name));
                let services = services
                    .iter()
                    .map(|name| named("service", "service", name));
                let zones = zones.iter().map(|name| named("zone", "zone", name));
                zones.chain(services).chain(pods).collect()
            }
            Whom::Edges => {
                let callers = plan.traffic.iter().map(|traffic| traffic.name.as_str());
                let callers: Vec<&str> = callers.chain(services.iter().copied()).collect();
                let mut edges = Vec::new();
                for from in callers {
                    for to in services.iter().filter(|to| **to != from) {
                        edges.push(Target {
                            name: format!("{from} → {to}"),
                            text: format!("from: {}, to: {}", quoted(from), quoted(to)),
                        });
                    }
                }
                edges
            }
        }
    }

    /// The fault's line, from `at` nanoseconds on.
    pub(crate) fn line(&self, at: u64, target: &str) -> String {
        let body = self
            .body
            .replace("%%", "\u{1}")
            .replace('%', target)
            .replace('\u{1}', "%");
        let lasts = self
            .lasts
            .map_or(String::new(), |lasts| format!(", for: {lasts}"));
        format!("{{ at: {}{lasts}, {body} }}", instant(at))
    }
}

/// An instant as the scenario's language has it, not before `ns`.
pub(crate) fn instant(ns: u64) -> String {
    let ms = ns.div_ceil(1_000_000);
    match ms % 1_000 {
        0 => format!("{}s", ms / 1_000),
        rest => format!(
            "{}.{}s",
            ms / 1_000,
            format!("{rest:03}").trim_end_matches('0')
        ),
    }
}

/// A name as YAML takes it, whatever it holds.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let simple = name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_alphabetic());
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if simple && !word.contains(&name.to_ascii_lowercase().as_str()) {
        return name.to_owned();
    }
    // A JSON string is a YAML string.
    serde_json::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Overrides;
    use crate::tui::script::Script;

    #[test]
    fn instants_are_written_as_people_do() {
        let told = [
            (45_000_000_000, "45s"),
            (1_500_000_000, "1.5s"),
            (2_000_000_001, "2.001s"),
            (0, "0s"),
        ];
        for (ns, text) in told {
            assert_eq!(instant(ns), text);
            let read = mesh_core::document::duration::parse_go(text).unwrap();
            assert_eq!(read.as_nanos() as u64, ns.div_ceil(1_000_000) * 1_000_000);
        }
    }

    /// The menu offers nothing that the language does not know.
    #[test]
    fn every_wish_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.yaml");
        let text = "\
meshquake: v1
duration: 30s
topology: { zones: [a, b] }
services:
  web: { replicas: 2, script: [call: \"no\"] }
  \"no\": { replicas: 2 }
traffic: { users: { to: \"http://web:8080/\", rate: 20/s, timeout: 1s } }
";
        std::fs::write(&path, text).unwrap();
        std::fs::write(
            folder.path().join("FILE.yaml"),
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: web }\nspec: { host: web }\n",
        )
        .unwrap();
        let (script, loaded) = Script::open(&path, Overrides::default()).unwrap();
        for wish in WISHES {
            let targets = wish.targets(&loaded.plan);
            let texts = targets.iter().map(|target| target.text.as_str());
            let texts: Vec<&str> = match targets.is_empty() {
                true => vec![""],
                false => texts.collect(),
            };
            for text in texts {
                let line = wish.line(2_000_000_001, text);
                assert!(line.contains("at: 2.001s"), "{line}");
                script
                    .with_fault(&line)
                    .unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }
}

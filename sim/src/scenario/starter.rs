//! The scenario that a new user begins with.

/// A commented scenario called `name` that needs no other file.
pub fn starter(name: &str) -> String {
    // A JSON string is a YAML string, whatever it holds; line breaks are escaped in it.
    let name = serde_json::Value::from(name).to_string();
    STARTER.replace("NAME", &name)
}

const STARTER: &str = r#"# A Meshquake scenario: a small shop whose catalogue loses a pod.
# `meshquake schema` describes every field, for editors and for people.
meshquake: v1
name: NAME
about: >-
  One of three catalogue pods dies for ten seconds. Shoppers should hardly notice.
seed: 1
duration: 1m

mesh:
  profile: istio
  # Your own VirtualServices, DestinationRules and so on, unchanged:
  # config: [mesh/*.yaml]
  # What if the mesh did not retry?
  # defaults: { retries: 0 }

topology:
  # Your own Deployments and Services, unchanged:
  # import: [k8s/*.yaml]
  zones: [a, b, c]
  links:
    same-zone: 250us
    cross-zone: 1ms ± 200us

services:
  web:
    replicas: 2
    ports: [80]
    handles:
      /checkout:                       # first the stock, then the payment
        - call: { service: catalogue, path: /stock }
        - call: { service: payment, method: POST, request-size: 2KiB, timeout: 1s }
      /:                               # both at once, then 2 ms of rendering
        - [call: catalogue, call: { service: ads, optional: true }]
        - sleep: 2ms
  catalogue:
    replicas: 3
    service-time: lognormal(p50=3ms, p99=20ms)
    workers: 16
    queue: 64
    response-size: 4KiB
  payment:
    versions:
      v1: { replicas: 2 }
      v2: { errors: 1% }               # the new version is not quite right
  ads:
    service-time: exponential(1ms)

traffic:
  shoppers: { to: "http://web/", rate: poisson(40/s), timeout: 2s }
  buyers: { to: "http://web/checkout", users: 5, think: exponential(1s), timeout: 5s }

faults:
  - { at: 20s, for: 10s, crash: { pod: catalogue-0 } }

expect:
  - { traffic: shoppers, success: ">= 98%", p99: "< 500ms" }
  - { traffic: shoppers, during: 40s.., success: ">= 99.9%" }
  - { traffic: buyers, success: ">= 95%" }
"#;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mesh_core::document::Source;

    use super::*;
    use crate::scenario::load::{Overrides, load_source};

    #[test]
    fn the_starter_loads_under_any_name() {
        for name in ["shop", "", "a: b", "# \"quoted\"\n- x", "NAME", "日本"] {
            let source = Source::new("starter.yaml", &starter(name));
            let loaded = load_source(&source, Path::new(""), "starter", &Overrides::default());
            let loaded = loaded.unwrap_or_else(|errors| panic!("{}", errors[0].render(false)));
            assert_eq!(loaded.plan.name, name);
            assert!(loaded.warnings.is_empty());
            assert_eq!(loaded.plan.pods.len(), 2 + 3 + 3 + 1);
        }
    }
}

use mesh_core::document::{Source, parse};

use super::*;
use crate::topology::ImportedDeployment;

fn import_text(text: &str) -> Result<ImportedTopology, Vec<Diagnostic>> {
    import(&parse(&Source::new("k8s.yaml", text)).unwrap(), "default")
}

fn imported(text: &str) -> ImportedTopology {
    import_text(text).unwrap_or_else(|errors| {
        let shown: Vec<String> = errors.iter().map(|e| e.render(false)).collect();
        panic!("{}", shown.join("\n"))
    })
}

fn refused(text: &str) -> Vec<String> {
    let line = |error: &Diagnostic| {
        let at = error.position().unwrap();
        format!("{}:{}: {}", at.line, at.column, error.message())
    };
    import_text(text).unwrap_err().iter().map(line).collect()
}

fn notes(topology: &ImportedTopology) -> Vec<String> {
    let line = |note: &Note| format!("{}: {}: {}", note.at.line, note.object, note.message);
    topology.notes.iter().map(line).collect()
}

/// A Deployment `NAME` with label `app: NAME`, and what its containers declare.
fn deployment(name: &str, ports: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: x, ports: [{ports}]}}]}}
"
    )
}

fn service(name: &str, spec: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{{spec}}}
"
    )
}

/// A file as people write it.
const SHOP: &str = r#"# The shop.

---
# Nothing here.
---
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    istio-injection: enabled
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: cart
  namespace: shop
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart-v2
  namespace: shop
  labels: &labels   # the Deployment's own
    app: cart
    version: v2
  annotations:
    deployment.kubernetes.io/revision: "3"
spec:
  replicas: 3
  revisionHistoryLimit: 2
  strategy:
    rollingUpdate: { maxSurge: 25%, maxUnavailable: 0 }
  selector:
    matchLabels: *labels
  template:
    metadata:
      labels:
        <<: *labels
        tier: "1"
      annotations:
        prometheus.io/port: "9090"
    spec:
      serviceAccountName: cart
      nodeSelector:
        topology.kubernetes.io/zone: eu-1b
        topology.kubernetes.io/region: eu-1
      initContainers:
      - name: migrate
        image: shop/migrate
        command: ["sh", "-c", "migrate --wait"]
      containers:
      - name: cart
        image: shop/cart:2.0.1
        env:
        - name: PORT
          value: "7070"
        - name: POD_NAME
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        ports:
        - name: http-api
          containerPort: 7070
          protocol: TCP
        - containerPort: 9090
        - containerPort: 5353
          protocol: UDP
        readinessProbe:
          httpGet: { path: /healthz, port: http-api }
          periodSeconds: 5
        resources:
          limits: { cpu: 500m, memory: 128Mi }
        volumeMounts:
        - { name: tmp, mountPath: /tmp }
      volumes:
      - name: tmp
        emptyDir: {}
---
apiVersion: v1
kind: Service
metadata:
  name: cart
  namespace: shop
spec:
  type: NodePort
  ports:
  - name: http
    port: 80
    targetPort: http-api
    nodePort: 30001
  - name: grpc-admin
    port: 8081
  selector:
    app: cart
---
"#;

#[test]
fn a_file_as_people_write_it() {
    let topology = imported(SHOP);
    assert_eq!(notes(&topology), Vec::<String>::new());
    let [cart] = &topology.deployments[..] else {
        panic!("{:?}", topology.deployments)
    };
    let labels = [("app", "cart"), ("tier", "1"), ("version", "v2")];
    let expected = ImportedDeployment {
        kind: WorkloadKind::Deployment,
        name: "cart-v2".into(),
        namespace: "shop".into(),
        labels: labels.map(|(k, v)| (k.into(), v.into())).into(),
        service_account: "cart".into(),
        replicas: 3,
        ports: vec![7070, 9090, 8081],
        app: None,
        meshed: Some(true),
        locality: mesh_core::control::Locality {
            region: "eu-1".into(),
            zone: "eu-1b".into(),
            subzone: "".into(),
        },
        place: cart.place.clone(),
    };
    assert_eq!(*cart, expected);
    assert_eq!(cart.place.to_string(), "k8s.yaml:20:1");

    let [service] = &topology.services[..] else {
        panic!("{:?}", topology.services)
    };
    assert_eq!(&*service.host, "cart.shop.svc.cluster.local");
    assert_eq!(service.selector, [("app".into(), "cart".into())].into());
    let ports: Vec<(u16, u16, &str, bool)> = service
        .ports
        .iter()
        .map(|p| (p.port, p.target, &*p.name, p.http2))
        .collect();
    assert_eq!(
        ports,
        [(80, 7070, "http", false), (8081, 8081, "grpc-admin", true)]
    );
    assert_eq!(topology.service_places[0].line, 79);
}

#[test]
fn what_runs_has_its_kind_and_its_defaults() {
    let topology = imported(
        "
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db}
  spec:
    replicas: 0
    serviceName: db
    template: {spec: {serviceAccount: old, containers: []}}
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: agent}
  spec: {template: {spec: {hostNetwork: true, containers: [{name: a}]}}}
- {apiVersion: v1, kind: Pod, metadata: {name: one, labels: {a: }}, spec: {containers: [{ports: }]}}
- apiVersion: extensions/v1beta1
  kind: ReplicaSet
  metadata: {name: set, namespace: ''}
  spec: {template: {spec: {}}}
- apiVersion: v1
  kind: ReplicationController
  metadata: {name: old}
  spec: {selector: {app: x}, template: {metadata: {labels: {app: x}}, spec: {}}}
",
    );
    let seen: Vec<_> = topology
        .deployments
        .iter()
        .map(|d| (d.kind, &*d.name, d.replicas, &*d.service_account, d.meshed))
        .collect();
    assert_eq!(
        seen,
        [
            (WorkloadKind::StatefulSet, "db", 0, "old", None),
            (WorkloadKind::DaemonSet, "agent", 1, "default", Some(false)),
            (WorkloadKind::Pod, "one", 1, "default", None),
            (WorkloadKind::ReplicaSet, "set", 1, "default", None),
            (WorkloadKind::ReplicaSet, "old", 1, "default", None),
        ]
    );
    assert_eq!(
        topology.deployments[2].labels,
        [("a".into(), String::new())].into()
    );
    assert!(
        topology
            .deployments
            .iter()
            .all(|d| d.namespace == "default")
    );
    assert_eq!(
        notes(&topology),
        ["12: DaemonSet default/agent: one pod stands for one on every node"]
    );
}

#[test]
fn injection_is_asked_for_or_refused() {
    let meshed = |template: &str, namespace: &str| {
        let text = format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: default, labels: {{{namespace}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: a, annotations: {{sidecar.istio.io/inject: 'false'}}}}
spec: {{template: {{metadata: {{{template}}}, spec: {{}}}}}}
"
        );
        let topology = imported(&text);
        (topology.deployments[0].meshed, topology.notes.len())
    };
    let label = |value: &str| format!("labels: {{sidecar.istio.io/inject: {value}}}");
    let annotation = |value: &str| format!("annotations: {{sidecar.istio.io/inject: {value}}}");
    // On the Deployment itself the annotation means nothing, as in Istio.
    assert_eq!(meshed("", ""), (None, 0));
    assert_eq!(meshed(&annotation("\"false\""), ""), (Some(false), 0));
    assert_eq!(meshed(&label("\"false\""), ""), (Some(false), 0));
    assert_eq!(meshed(&label("\"true\""), ""), (Some(true), 0));
    let both = format!("{}, {}", label("\"true\""), annotation("\"false\""));
    assert_eq!(meshed(&both, ""), (Some(true), 0));
    assert_eq!(meshed(&label("\"maybe\""), ""), (None, 1));
    assert_eq!(meshed("", "istio-injection: enabled"), (Some(true), 0));
    assert_eq!(meshed("", "istio.io/rev: canary"), (Some(true), 0));
    assert_eq!(
        meshed(&label("\"true\""), "istio-injection: disabled"),
        (Some(false), 0)
    );
}

#[test]
fn target_ports_are_numbers_or_names() {
    let ports = |targets: &str| {
        let text = deployment(
            "a",
            "{name: web, containerPort: 8080}, {containerPort: 9090}",
        ) + &service("a", &format!("selector: {{app: a}}, ports: [{targets}]"));
        let topology = imported(&text);
        let targets: Vec<u16> = topology.services[0]
            .ports
            .iter()
            .map(|p| p.target)
            .collect();
        (
            targets,
            topology.deployments[0].ports.clone(),
            notes(&topology),
        )
    };
    let (targets, listens, noted) =
        ports("{port: 1}, {port: 2, targetPort: 9090}, {port: 3, targetPort: web}");
    assert_eq!(targets, [1, 9090, 8080]);
    assert_eq!(listens, [8080, 9090, 1]);
    assert_eq!(noted, Vec::<String>::new());

    let (targets, _, noted) = ports("{port: 1, targetPort: '81'}, {port: 2, targetPort: wbe}");
    assert_eq!(targets, [81]);
    assert_eq!(
        noted,
        [
            "14: Service default/a: a number in quotes is a name to Kubernetes, and refused: leave the quotes out",
            "14: Service default/a: no container port is called `wbe`: the port has no endpoints and is left out; did you mean `web`?",
        ]
    );
}

#[test]
fn a_name_may_be_another_port_in_another_version() {
    let v2 = deployment("a", "{name: web, containerPort: 9000}").replace("{name: a}", "{name: a2}");
    let text = deployment("a", "{name: web, containerPort: 8000}")
        + &v2
        + &service(
            "a",
            "selector: {app: a}, ports: [{port: 80, targetPort: web}]",
        );
    let topology = imported(&text);
    assert_eq!(topology.services[0].ports[0].target, 8000);
    assert_eq!(topology.deployments[1].ports, [9000, 8000]);
    assert_eq!(
        notes(&topology),
        ["23: Service default/a: `web` is another port in other pods; 8000 is taken for all"]
    );
}

#[test]
fn services_stay_in_their_namespace() {
    let text = deployment("a", "")
        .replace("metadata: {name: a}", "metadata: {name: a, namespace: far}")
        + &service("a", "selector: {app: a}, ports: [{port: 80}]");
    let topology = imported(&text);
    assert_eq!(topology.deployments[0].ports, Vec::<u16>::new());
    assert_eq!(
        notes(&topology),
        ["11: Service default/a: no pod has these labels"]
    );
}

#[test]
fn services_of_other_sorts_are_noted() {
    let text = service("alias", "type: ExternalName, externalName: db.example.org")
        + &service("bare", "ports: [{port: 80}]")
        + &service(
            "headless",
            "clusterIP: None, selector: {app: a}, ports: [{port: 80}]",
        )
        + &service(
            "mixed",
            "selector: {app: a}, ports: [{port: 53, protocol: UDP}, {port: 53}, {port: 6379, name: redis}]",
        )
        + &deployment("a", "");
    let topology = imported(&text);
    let names: Vec<&str> = topology.services.iter().map(|s| &*s.name).collect();
    assert_eq!(names, ["bare", "headless", "mixed"]);
    assert_eq!(
        notes(&topology),
        [
            "5: Service default/alias: an alias for `db.example.org` is not imported: names outside the cluster are declared by a ServiceEntry",
            "7: Service default/bare: without a selector it has no endpoints here",
            "15: Service default/headless: a headless service is called like any other: its callers do not choose pods themselves",
            "20: Service default/mixed: only TCP ports are simulated",
            "20: Service default/mixed: traffic to this port is not HTTP in Kubernetes; here it is carried as HTTP",
            "20: Service default/mixed: traffic to this port is not HTTP in Kubernetes; here it is carried as HTTP",
        ]
    );
}

#[test]
fn an_object_declared_again_replaces_the_first() {
    let first = deployment("a", "{containerPort: 1}");
    let text = first.clone() + &first.replace("containerPort: 1", "containerPort: 2");
    let topology = imported(&text);
    assert_eq!(topology.deployments.len(), 1);
    assert_eq!(topology.deployments[0].ports, [2]);
    assert_eq!(
        notes(&topology),
        ["2: Deployment default/a: replaced by the one at k8s.yaml:11:1"]
    );
}

#[test]
fn other_kinds_are_noted_once_if_they_matter() {
    let object = |version: &str, kind: &str| {
        format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: [1]\n")
    };
    let text = [
        object("v1", "ConfigMap"),
        object("networking.istio.io/v1", "VirtualService"),
        object("networking.istio.io/v1", "VirtualService"),
        object("autoscaling/v2", "HorizontalPodAutoscaler"),
        object("example.org/v1", "Service"),
    ]
    .concat();
    let topology = imported(&text);
    assert_eq!(
        notes(&topology),
        [
            "7: VirtualService: mesh configuration is not read from a topology: list the file under `mesh.config`",
            "17: HorizontalPodAutoscaler: replicas stay as declared",
        ]
    );
    assert!(topology.services.is_empty());
}

#[test]
fn fields_spelt_almost_right_are_noted() {
    let text = deployment("a", "").replace("spec:\n  selector", "spec:\n  replica: 3\n  selector")
        + &service(
            "a",
            "selector: {app: a}, clusterIPs: [None], ports: [{port: 80, targetport: 8080}]",
        );
    assert_eq!(
        notes(&imported(&text)),
        [
            "6: Deployment: Kubernetes has no `replica` here; did you mean `replicas`?",
            "15: Service: Kubernetes has no `targetport` here; did you mean `targetPort`?",
        ]
    );
}

#[test]
fn a_service_account_nobody_declares_is_noted() {
    let account = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: b}\n";
    let text = deployment("a", "").replace("{containers", "{serviceAccountName: bb, containers");
    assert_eq!(notes(&imported(&text)), Vec::<String>::new());
    assert_eq!(
        notes(&imported(&(text + account))),
        ["9: Deployment default/a: no ServiceAccount `bb` is declared in `default`"]
    );
}

#[test]
fn all_mistakes_are_told_together() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: Web}
---
apiVersion: v1
kind: Service
metadata: {labels: {version: 1}}
---
apiVersion: v1
kind: Service
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {ports: [{port: 80}, {port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {ports: [{port: 0}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {app: b}}
  template: {metadata: {labels: {app: a}}, spec: {}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b}
spec: {replicas: -1, template: {spec: {}}}
---
kind: Deployment
---
- a
";
    assert_eq!(
        refused(text),
        [
            "36:1: this is not a Kubernetes object: it has no `apiVersion`",
            "38:1: this is not a Kubernetes object: it has no `kind`",
            "4:18: `Web` cannot be a name: lower-case letters, digits, and `-` between them, at most 63",
            "8:30: expected text, found the number 1",
            "10:1: the Service has no `metadata.name`",
            "17:35: Service default/a has the port 80 twice",
            "22:23: 0 is not a port: they go from 1 to 65535",
            "28:13: the selector does not match the pod template: it has no label `app: b`",
            "34:18: expected a whole number from 0 to 4294967295, found the number -1",
        ]
    );
}

#[test]
fn a_damaged_file_is_read_or_refused() {
    let lines: Vec<&str> = SHOP.lines().collect();
    let mut read = 0;
    let mut check = |lines: &[String]| {
        let source = Source::new("k8s.yaml", &lines.join("\n"));
        if let Ok(documents) = parse(&source) {
            match import(&documents, "default") {
                Ok(_) => read += 1,
                Err(errors) => assert!(errors.iter().all(|e| !e.render(false).is_empty())),
            }
        }
    };
    for index in 0..lines.len() {
        let mut damaged: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let (key, _) = lines[index].split_once(':').unwrap_or((lines[index], ""));
        for value in ["", " 0", " [x]", " {a: {}}", " -1.5", " \"é\""] {
            damaged[index] = format!("{key}:{value}");
            check(&damaged);
        }
        damaged.remove(index);
        check(&damaged);
    }
    assert!(read > 0);
}

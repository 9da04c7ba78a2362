//! Exports of a run, opened with the tools they are for. Tests of a tool that is not installed say so and pass.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use meshquake_tests::small::folder;
use meshquake_tests::{binary, meshquake, stderr};
use serde_json::Value;

/// Three apps of which one fails now and then and one crashes, with names that want out of every format.
const SHOP: &str = r#"
meshquake: v1
name: "shop </script>\"\u001b[31m"
seed: 3
duration: 20s
mesh: { profile: istio }
services:
  web: { ports: [80], replicas: 2, script: [call: api, call: stock] }
  api: { ports: [80], replicas: 2, service-time: exponential(2ms) }
  stock: { ports: [80], service-time: 1ms, errors: 2% }
traffic:
  users: { to: "http://web/%3C/script%3E?a='&b=%22%0a", rate: poisson(40/s), timeout: 1s }
faults:
  - { name: "a fault \"</script>", at: 8s, for: 2s, crash: { pod: api-0 } }
expect:
  - { traffic: users, success: ">= 1%" }
"#;

const ALL: [&str; 10] = [
    "--otlp",
    "otlp.json",
    "--perfetto",
    "perfetto.json",
    "--openmetrics",
    "metrics.txt",
    "--pcap",
    "run.pcapng",
    "--keylog",
    "keys.log",
];

/// A run with all exports, and its result.
fn shop(more: &[&str]) -> (tempfile::TempDir, Value) {
    let folder = folder(&[("shop.yaml", SHOP)]);
    let mut args = vec!["run", "shop.yaml", "-q", "--json", "result.json"];
    args.extend(more);
    let output = meshquake(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!output.stdout.contains(&0x1b), "names stay names");
    let result = json(&folder.path().join("result.json"));
    (folder, result)
}

fn json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap();
    assert!(!bytes.contains(&0x1b), "{path:?} would speak to a terminal");
    serde_json::from_slice(&bytes).unwrap()
}

/// Whether `tool` can be started; says so when it cannot.
fn installed(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_err() {
        eprintln!("skipped: {tool} is not installed");
    }
    found.is_ok()
}

/// What a tool prints.
fn printed(folder: &Path, tool: &str, args: &[&str]) -> String {
    let output = Command::new(tool)
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{tool}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn exports_change_nothing_and_are_whole() {
    let (_, alone) = shop(&[]);
    let (folder, with) = shop(&ALL);
    assert_eq!(alone["digest"], with["digest"]);
    let requests = with["traffic"]["users"]["requests"].as_u64().unwrap();

    let otlp = json(&folder.path().join("otlp.json"));
    let resources = otlp["resourceSpans"].as_array().unwrap();
    let spans = resources.iter().flat_map(|resource| {
        let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
        spans.iter()
    });
    let traces: std::collections::BTreeSet<_> = spans
        .map(|span| span["traceId"].as_str().unwrap())
        .collect();
    assert_eq!(traces.len() as u64, requests, "every request is a trace");

    let perfetto = json(&folder.path().join("perfetto.json"));
    let events = perfetto["traceEvents"].as_array().unwrap();
    let faults: Vec<_> = events.iter().filter(|e| e["cat"] == "fault").collect();
    assert!(faults.iter().any(|fault| fault["ph"] == "X"), "{faults:?}");
    assert!(events.iter().any(|event| event["ph"] == "i"));

    let metrics = fs::read_to_string(folder.path().join("metrics.txt")).unwrap();
    assert!(metrics.ends_with("# EOF\n"));
    let left = fs::read_dir(folder.path()).unwrap();
    let part = left
        .filter_map(Result::ok)
        .find(|file| file.file_name().to_string_lossy().ends_with(".part"));
    assert!(part.is_none());
}

#[test]
fn traces_can_be_those_that_failed_or_a_share() {
    let count = |choice: &str| {
        let (folder, result) = shop(&["--otlp", "otlp.json", "--traces", choice]);
        let otlp = fs::read_to_string(folder.path().join("otlp.json")).unwrap();
        let users = &result["traffic"]["users"];
        let number = |key: &str| users[key].as_u64().unwrap();
        (
            otlp.matches("\"meshquake.sequence\"").count() as u64,
            number("failed"),
            number("succeeded"),
        )
    };
    let (told, failed, _) = count("failed");
    assert!(failed > 0);
    assert_eq!(told, failed);
    let (told, failed, succeeded) = count("10");
    assert!(told > failed && told < failed + succeeded / 5, "{told}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = folder(&[("a.yaml", SHOP), ("b.yaml", SHOP)]);
    let refused = |args: &[&str], why: &str| {
        let output = meshquake(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    };
    for option in [
        "--otlp",
        "--perfetto",
        "--openmetrics",
        "--pcap",
        "--keylog",
    ] {
        let several = ["run", "a.yaml", "b.yaml", option, "x"];
        refused(&several, "takes one scenario; run them one by one");
        refused(&["run", "a.yaml", option, "-"], "takes the name of a file");
    }
    let twice = ["run", "a.yaml", "--otlp", "x", "--pcap", "x"];
    refused(&twice, "named for two different results");
    let nowhere = ["run", "a.yaml", "--pcap", "no/such/folder/x"];
    refused(&nowhere, "no/such/folder/x");
    refused(&["run", "a.yaml", "--traces", "0"], "write all, failed");
}

/// What ran before Ctrl-C is in files that can be read.
#[test]
fn an_interrupted_run_has_exports() {
    let folder = folder(&[("shop.yaml", SHOP)]);
    let mut run = Command::new(binary());
    run.current_dir(folder.path())
        .args([
            "run",
            "shop.yaml",
            "-q",
            "--duration",
            "24h",
            "--traces",
            "1000",
        ])
        .args(ALL);
    let mut child = run.stdout(Stdio::null()).spawn().unwrap();
    let part = folder.path().join(format!("keys.log.{}.part", child.id()));
    while !part.exists() {
        std::thread::yield_now();
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    json(&folder.path().join("otlp.json"));
    json(&folder.path().join("perfetto.json"));
    let metrics = fs::read_to_string(folder.path().join("metrics.txt")).unwrap();
    assert!(metrics.ends_with("# EOF\n"));
    assert!(
        !fs::read(folder.path().join("run.pcapng"))
            .unwrap()
            .is_empty()
    );
}

/// HTTP/2 inside mutual TLS is read with the key log, and not without.
#[test]
fn tshark_reads_the_packets() {
    if !installed("tshark") || !installed("editcap") {
        return;
    }
    let (folder, result) = shop(&["--pcap", "run.pcapng", "--keylog", "keys.log"]);
    let folder = folder.path();
    // It takes what goes to port 80 for plain HTTP unless it is told otherwise.
    let tshark = |args: &[&str]| {
        let all: Vec<&str> = ["-d", "tcp.port==80,tls"]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        printed(folder, "tshark", &all)
    };
    let lines = |args: &[&str]| tshark(args).lines().count() as u64;
    let read = ["-r", "run.pcapng"];

    let paths = tshark(&[
        "-r",
        "run.pcapng",
        "-Y",
        "http2.headers.method",
        "-T",
        "fields",
        "-e",
        "http2.headers.path",
    ]);
    assert!(paths.contains("/%3C/script%3E?a="), "{paths}");
    let requests = result["traffic"]["users"]["requests"].as_u64().unwrap();
    assert!(paths.lines().count() as u64 >= requests);

    let packets = lines(&read);
    assert!(packets >= result["network"]["packets"].as_u64().unwrap());
    let good = [
        &read[..],
        &[
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
        ],
        &["-Y", "ip.checksum.status == 1 && tcp.checksum.status == 1"],
    ];
    assert_eq!(lines(&good.concat()), packets, "checksums are right");
    let strange = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || _ws.malformed";
    assert_eq!(lines(&[&read[..], &["-Y", strange]].concat()), 0);
    // Names are in the file.
    let named = tshark(&["-r", "run.pcapng", "-N", "n", "-c", "1"]);
    assert!(named.contains("istiod"), "{named}");

    let plain = [
        "--discard-all-secrets",
        "-F",
        "nsecpcap",
        "run.pcapng",
        "plain.pcap",
    ];
    printed(folder, "editcap", &plain);
    let http = ["-r", "plain.pcap", "-Y", "http2.headers.method"];
    assert_eq!(lines(&http), 0, "without keys it is ciphertext");
    let keys = ["-o", "tls.keylog_file:keys.log"];
    let with_keys = lines(&[&http[..], &keys].concat());
    assert_eq!(with_keys, paths.lines().count() as u64);
}

/// A Prometheus on a free port, for as long as this lives.
struct Prometheus {
    process: Child,
    address: String,
}

/// Gives another process time; never done.
#[expect(
    clippy::disallowed_methods,
    reason = "a real server starts in real time"
)]
fn wait() -> bool {
    std::thread::sleep(Duration::from_millis(50));
    false
}

impl Prometheus {
    fn start(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        fs::write(folder.join("prometheus.yml"), "{}").unwrap();
        let process = Command::new("prometheus")
            .current_dir(folder)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let this = Self { process, address };
        let ready = || {
            let answer = this.get("/-/ready");
            answer.is_some_and(|answer| answer.contains("200 OK"))
        };
        assert!((0..1_000).any(|_| ready() || wait()), "it does not start");
        this
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let wait = Some(Duration::from_secs(30));
        stream.set_read_timeout(wait).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The one number that a query gives at a time.
    fn query(&self, query: &str, at: u64) -> f64 {
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get(&format!("/api/v1/query?time={at}&query={query}"));
        let answer = answer.unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap();
        let results = body["data"]["result"].as_array().unwrap();
        assert_eq!(results.len(), 1, "{body}");
        results[0]["value"][1].as_str().unwrap().parse().unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// A real Prometheus comes to the report's numbers.
#[test]
fn prometheus_loads_the_metrics() {
    if !installed("promtool") || !installed("prometheus") {
        return;
    }
    let (folder, result) = shop(&["--openmetrics", "metrics.txt"]);
    let folder = folder.path();
    let load = [
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "metrics.txt",
        "data",
    ];
    printed(folder, "promtool", &load);
    let prometheus = Prometheus::start(folder);
    /// 2026-01-01T00:00:20Z, the end of the run.
    const END: u64 = 1_767_225_620;

    let users = &result["traffic"]["users"];
    let [succeeded, failed] = ["succeeded", "failed"].map(|key| users[key].as_f64().unwrap());
    assert!(failed > 0.0);
    let seen = r#"reporter="source",source_workload="users""#;
    let query = format!(
        r#"sum(istio_requests_total{{{seen},response_code!~"0|5.."}}) / sum(istio_requests_total{{{seen}}})"#
    );
    let rate = prometheus.query(&query, END);
    assert!(
        (rate - succeeded / (succeeded + failed)).abs() < 1e-12,
        "{rate}"
    );

    // The median lies in the bucket that the report's lies in.
    let query = format!(
        "histogram_quantile(0.5, sum by (le) (istio_request_duration_milliseconds_bucket{{{seen}}}))"
    );
    let median = prometheus.query(&query, END);
    let told = users["latency_ms"]["p50"].as_f64().unwrap();
    let bucket = |value: f64| {
        [5.0, 10.0, 25.0]
            .iter()
            .filter(|bound| value > **bound)
            .count()
    };
    assert_eq!(bucket(median), bucket(told), "{median} for {told}");
    let ended = prometheus.query("sum(envoy_cluster_upstream_cx_destroy)", END);
    assert!(ended > 0.0, "the pod that was killed had connections");
}

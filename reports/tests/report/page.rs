//! The page of a run: what stands on it, that it is well-formed, and that nothing on it is alive but ours.

use std::collections::BTreeSet;

use meshquake_reports::{RunReport, report_html};
use proptest::prelude::*;

use crate::detail::{SMALL, Size, detailed};
use crate::sample;

/// What stands before the first `end`.
fn before<'a>(text: &'a str, end: &str) -> &'a str {
    let (before, _) = text
        .split_once(end)
        .unwrap_or_else(|| panic!("{end} follows"));
    before
}

/// What stands between the first `open` and the next `close` after it, tags taken away, blanks made single.
pub(crate) fn text_of(page: &str, open: &str, close: &str) -> String {
    let from = page
        .find(open)
        .unwrap_or_else(|| panic!("{open} is on the page"));
    let rest = &page[from..];
    let part = before(rest, close);
    let mut out = String::new();
    let mut tag = false;
    for c in part.chars() {
        match c {
            '<' => tag = true,
            '>' if tag => {
                tag = false;
                out.push(' ');
            }
            c if !tag => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Elements without an end (HTML Standard §13.1.2).
const VOID: [&str; 5] = ["meta", "input", "br", "hr", "link"];

/// Every tag of `page`: each is closed in its turn, every attribute quoted, no id there twice.
pub(crate) fn check(page: &str) {
    let mut open: Vec<String> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with("!DOCTYPE") {
            continue;
        }
        if let Some(end) = rest.strip_prefix('/') {
            let name = before(end, ">");
            assert_eq!(open.pop().as_deref(), Some(name), "closed in its turn");
            continue;
        }
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric())
            .collect();
        assert!(!name.is_empty(), "a tag: {}", &rest[..rest.len().min(60)]);
        let mut tag = &rest[name.len()..];
        loop {
            tag = tag.trim_start();
            if tag.starts_with(['>', '/']) {
                break;
            }
            let key = tag.split(['=', ' ', '>']).next().unwrap_or(tag);
            assert!(!key.starts_with("on"), "no handlers: {key}");
            tag = &tag[key.len()..];
            let Some(value) = tag.strip_prefix("=\"") else {
                continue;
            };
            let end = before(value, "\"").len();
            assert!(!value[..end].contains('<'), "escaped: {}", &value[..end]);
            if key == "id" {
                assert!(
                    ids.insert(value[..end].to_owned()),
                    "one id {}",
                    &value[..end]
                );
            }
            if key == "href" {
                assert!(value.starts_with('#'), "only to the page itself");
            }
            assert_ne!(key, "src");
            assert_ne!(key, "style");
            tag = &value[end + 1..];
        }
        let closed = tag.starts_with('/');
        if !closed && !VOID.contains(&name.as_str()) {
            open.push(name.clone());
        }
        if name == "script" || name == "style" {
            let inside = before(rest, &format!("</{name}")).len();
            rest = &rest[inside..];
        }
    }
    assert_eq!(open, Vec::<String>::new());
    for id in page.split("href=\"#").skip(1) {
        let id = before(id, "\"");
        assert!(ids.contains(id), "#{id} leads somewhere");
    }
}

/// The ids of the page's parts, in order.
fn parts(page: &str) -> Vec<&str> {
    let ids = page.split("<section id=\"").skip(1);
    ids.map(|rest| before(rest, "\"")).collect()
}

#[test]
fn a_run_with_everything() {
    let page = report_html(&detailed(SMALL));
    check(&page);
    assert_eq!(
        parts(&page),
        [
            "demands",
            "recovery",
            "course",
            "graph",
            "traffic",
            "timeline",
            "blame",
            "worst",
            "policy",
            "mechanisms",
            "again"
        ]
    );
    insta::assert_snapshot!(text_of(&page, "<header>", "</header>"), @"Meshquake: the report of a run reviews-zone-outage Zone b disappears for 20 s; shoppers must not notice for longer than outlier detection needs. ✗ Failed It failed: for 15 s from 35 s on, the slowest 1% of the requests of shoppers took 7.01 s or longer; less than 250 ms was demanded. 3 more reasons are below. requests sent 6,710 succeeded 97.31% failed 180 still under way at the end 1 99% were faster than 41.0 ms demands met 1 of 3 simulated 2 min");
    let titles: Vec<String> = page
        .split("<span class=\"what\">")
        .skip(1)
        .map(|rest| text_of(&format!("<{rest}"), "<", "</span>"))
        .collect();
    insta::assert_snapshot!(titles.join("\n"), @r#"
    Load and goodput
    Requests that failed
    Latency
    Latency of every request
    Attempts for each request
    Waiting for a worker
    Ejected endpoints
    Pods not at work
    Errors of the apps
    Sidecars behind
    Age of the oldest configuration
    "#);
}

#[test]
fn without_detail_the_page_is_complete_with_what_there_is() {
    for report in [sample::held(), sample::failed(), sample::metastable()] {
        let page = report_html(&report);
        check(&page);
        assert_eq!(
            parts(&page),
            [
                "demands",
                "recovery",
                "course",
                "graph",
                "traffic",
                "timeline",
                "policy",
                "mechanisms",
                "again"
            ]
        );
        for place in report.failures.iter().map(|f| &f.place) {
            assert!(page.contains(place.as_str()));
        }
    }
}

#[test]
fn every_verdict_is_a_sentence() {
    let sentence =
        |report: &RunReport| text_of(&report_html(report), "<p class=\"sentence\">", "</p>");
    insta::assert_snapshot!(sentence(&sample::held()), @"Both demands were met, through 20 s of “partition zone b”; 99.95% of 6,011 requests succeeded.");
    insta::assert_snapshot!(sentence(&sample::failed()), @"It failed: for 15 s from 35 s on, the slowest 1% of the requests of shoppers took 7.01 s or longer; less than 250 ms was demanded. 3 more reasons are below.");
    insta::assert_snapshot!(sentence(&sample::metastable()), @"It stays broken: 70 s after everything was repaired, none of the requests of shoppers succeed, where 50.1/s did before. The load that the mesh makes for itself, by trying again, keeps it so.");
    let mut interrupted = sample::failed();
    interrupted.verdict = meshquake_reports::Verdict::Interrupted;
    interrupted.interrupted();
    insta::assert_snapshot!(sentence(&interrupted), @"The run was ended before its time: what follows is of the part that ran, and nothing is judged.");
    let mut missed = sample::failed();
    missed.faults[0].inert = false;
    let success = &mut missed.expectations[0];
    (success.held, success.measured) = (false, Some(0.88));
    insta::assert_snapshot!(sentence(&missed), @"It failed: for 15 s from 35 s on, with “partition zone b” at work, 12% of the requests of shoppers failed; at most 0.1% were to. 3 more reasons are below.");
}

#[test]
fn an_empty_run_has_a_page_too() {
    let mut report = sample::empty();
    report.network = Default::default();
    report.detail = Some(Box::default());
    let page = report_html(&report);
    check(&page);
    assert_eq!(parts(&page), ["again"]);
}

#[test]
fn blame_adds_up_on_the_page() {
    let page = report_html(&detailed(SMALL));
    // By hand: 25.000001 + 1.5 + 0.7 + 9 + 0.3 + 200 + 2.1 ms.
    assert!(
        page.contains("0.238600001"),
        "the latency to the nanosecond"
    );
}

#[test]
fn nothing_on_the_page_has_an_address_outside() {
    let page = report_html(&detailed(SMALL));
    for address in ["https:/", "//www", "@import", " src=", "fetch(", "import("] {
        assert!(!page.contains(address), "{address}");
    }
    // The request that the policy was asked about, as text.
    assert_eq!(page.matches("http:/").count(), 1);
    assert_eq!(
        page.matches("url(").count(),
        page.matches("url(#hatch-").count()
    );
}

#[test]
fn a_million_requests_are_a_page_that_mails() {
    let page = report_html(&detailed(Size {
        windows: 600,
        sources: 6,
        services: 200,
        traces: 60,
        spans: 200,
    }));
    check(&page);
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
}

/// `report` with `name` wherever a name from outside can stand.
fn named(report: &mut RunReport, name: &str) {
    let put = |text: &mut String| *text = name.to_owned();
    for text in [
        &mut report.scenario,
        &mut report.about,
        &mut report.reproduce,
        &mut report.meshquake_version,
        &mut report.digest,
        &mut report.fingerprint,
        &mut report.schema,
    ] {
        put(text);
    }
    let traffic = report.traffic.drain(..).map(|(_, mut t)| {
        t.flags = [(name.to_owned(), 3)].into();
        t.unanswered = [(name.to_owned(), 3)].into();
        for s in &mut t.scripted {
            for text in [
                &mut s.request,
                &mut s.place,
                &mut s.upstream,
                &mut s.flags,
                &mut s.message,
            ] {
                put(text);
            }
        }
        (name.to_owned(), t)
    });
    report.traffic = traffic.collect();
    for e in &mut report.edges {
        put(&mut e.from);
        put(&mut e.to);
        e.mechanisms = [(name.to_owned(), 1)].into();
    }
    report.mechanisms = [(name.to_owned(), 1)].into();
    report.services.iter_mut().for_each(|s| put(&mut s.name));
    for e in &mut report.expectations {
        for text in [
            &mut e.traffic,
            &mut e.subject,
            &mut e.measure,
            &mut e.message,
            &mut e.place,
        ] {
            put(text);
        }
        put(&mut e.window.text);
        put(&mut e.demanded.comparison);
    }
    for f in &mut report.faults {
        put(&mut f.name);
        put(&mut f.place);
    }
    for f in &mut report.failures {
        put(&mut f.message);
        put(&mut f.place);
    }
    for r in &mut report.recovery {
        put(&mut r.traffic);
        if let Some(cause) = &mut r.sustained_by {
            put(&mut cause.sentence);
            for layer in &mut cause.layers {
                put(&mut layer.from);
                put(&mut layer.to);
            }
        }
    }
    for t in &mut report.timeline {
        put(&mut t.subject);
        put(&mut t.text);
    }
    for n in &mut report.notes {
        for text in [
            &mut n.file,
            &mut n.kind,
            &mut n.object,
            &mut n.field,
            &mut n.message,
        ] {
            put(text);
        }
    }
    let Some(detail) = &mut report.detail else {
        return;
    };
    let course = std::mem::take(&mut detail.course.traffic);
    let course = course.into_values().map(|mut t| {
        let counts = t.failed.into_values().next().unwrap_or_default();
        t.failed = [(name.to_owned(), counts)].into();
        (name.to_owned(), t)
    });
    detail.course.traffic = course.collect();
    let services = std::mem::take(&mut detail.course.services);
    detail.course.services = services
        .into_values()
        .map(|s| (name.to_owned(), s))
        .collect();
    detail.blame.iter_mut().for_each(|b| put(&mut b.traffic));
    for p in &mut detail.policy {
        put(&mut p.from);
        put(&mut p.to);
        put(&mut p.request);
        for s in &mut p.settings {
            for text in [&mut s.name, &mut s.value, &mut s.origin] {
                put(text);
            }
        }
    }
    for t in &mut detail.worst {
        for text in [&mut t.traffic, &mut t.trace, &mut t.request, &mut t.flags] {
            put(text);
        }
        for s in &mut t.spans {
            for text in [
                &mut s.pod,
                &mut s.service,
                &mut s.request,
                &mut s.cluster,
                &mut s.peer,
                &mut s.flags,
                &mut s.details,
            ] {
                put(text);
            }
        }
    }
}

/// Characters that a terminal, a parser or the order of text obeys.
fn obeyed(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

fn inert(name: &str) -> String {
    let mut reports = [detailed(SMALL), sample::metastable(), sample::failed()];
    let mut pages = String::new();
    for report in &mut reports {
        named(report, name);
        let page = report_html(report);
        check(&page);
        assert_eq!(page.matches("<script").count(), 1, "only our own script");
        assert!(!page.contains(obeyed));
        pages.push_str(&page);
    }
    pages
}

#[test]
fn hostile_names_are_inert() {
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title></style></script><script>alert(1)</script>",
        "]]><!--",
        "\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}2J",
        "user\u{202e}nimda\u{2066}x",
        "&lt;script&gt;&#x3c;script>",
        "שירות-תשלומים",
        "",
    ] {
        inert(name);
    }
}

#[test]
fn a_name_of_ten_thousand_letters_is_shown_in_part() {
    let page = inert(&"x".repeat(10_000));
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_name_is_inert(name in any::<String>()) {
        inert(&name);
    }
}

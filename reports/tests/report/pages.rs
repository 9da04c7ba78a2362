//! Pages and Markdown of several runs: what stands on them, that they are well-formed, and that nothing on them is
//! alive but ours.

use meshquake_reports::bench::{BenchLine, BenchReport, History, Ratio};
use meshquake_reports::record::Verdict;
use meshquake_reports::statistics::Paired;
use meshquake_reports::suite::{ScenarioReport, Settings, SuiteReport, TEST_SCHEMA};
use meshquake_reports::sweep::{Cell, Column, ColumnKind};
use meshquake_reports::{
    Declared, Failure, FailureKind, Links, RunReport, SettingReport, bench_html, comparison_html,
    comparison_markdown, run_markdown, suite_html, sweep_html,
};

use crate::detail::{SMALL, detailed};
use crate::page::{check, text_of};
use crate::sample;

/// Names that try to be something else.
const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "\u{1b}[31mred\u{202e}gnp.exe",
    "שלום | `x` [a](http://evil.example)",
    "</style></script><svg onload=alert(1)>",
];

/// A name of ten kilobytes among them.
fn hostile() -> Vec<String> {
    let long = format!("<b>{}", "x".repeat(10_000));
    HOSTILE
        .iter()
        .map(|name| (*name).to_owned())
        .chain([long])
        .collect()
}

/// What holds of any page: well-formed, nothing of another site, no element that was a name, no order characters.
fn inert(page: &str) {
    check(page);
    for alive in [
        "<script>alert",
        "<img",
        "<b>",
        "<svg onload",
        "http-equiv=\"refresh\"",
    ] {
        assert!(!page.contains(alive), "{alive}");
    }
    assert!(!page.contains(['\u{1b}', '\u{202e}']));
    assert!(!page.contains("href=\"http") && !page.contains("url(http"));
}

/// A run all of whose names are `name`.
fn named(name: &str) -> RunReport {
    let mut run = detailed(SMALL);
    run.scenario = name.into();
    run.about = name.into();
    run.reproduce = name.into();
    run.traffic = run
        .traffic
        .into_iter()
        .map(|(k, t)| (format!("{k}{name}"), t))
        .collect();
    for edge in &mut run.edges {
        edge.from.push_str(name);
        edge.to.push_str(name);
    }
    for service in &mut run.services {
        service.name.push_str(name);
    }
    for fault in &mut run.faults {
        fault.name = name.into();
    }
    for expectation in &mut run.expectations {
        expectation.subject = name.into();
        expectation.window.text = name.into();
    }
    run.failures = vec![Failure {
        kind: FailureKind::Expectation,
        message: name.into(),
        place: name.into(),
    }];
    run.mechanisms.insert(name.into(), 3);
    if let Some(detail) = run.detail.as_mut() {
        for setting in detail.policy.iter_mut().flat_map(|p| &mut p.settings) {
            setting.value.push_str(name);
            setting.origin.push_str(name);
        }
    }
    run
}

#[test]
fn two_runs_side_by_side() {
    let (a, b) = (sample::failed(), sample::held());
    let page = comparison_html(&a, &b, None);
    inert(&page);
    let head = text_of(&page, "<div class=\"verdict", "</div>");
    assert!(head.contains("▲ B is better"), "{head}");
    assert!(head.contains("A fails, B holds"), "{head}");
    let back = comparison_html(&b, &a, None);
    assert!(text_of(&back, "<div class=\"verdict", "</div>").contains("▼ B is worse"));
    assert!(page.contains("id=\"reproduce-a\"") && page.contains("id=\"reproduce-b\""));
}

#[test]
fn a_run_against_itself_has_no_difference() {
    let run = detailed(SMALL);
    let page = comparison_html(&run, &run, None);
    inert(&page);
    assert!(page.contains("No difference to speak of"));
    assert!(page.contains("they are the same run"));
    assert!(
        page.contains("No setting of the mesh differs"),
        "policies are compared"
    );
    for word in [" better</span>", " worse</span>"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn a_setting_that_differs_is_told_with_its_places() {
    let (a, mut b) = (detailed(SMALL), detailed(SMALL));
    let policy = &mut b.detail.as_mut().unwrap().policy[0];
    let setting: &mut SettingReport = &mut policy.settings[0];
    setting.value = "7 retries".into();
    setting.origin = "mesh/new.yaml:9:3".into();
    let page = comparison_html(&a, &b, None);
    inert(&page);
    let told = text_of(&page, "<section id=\"policy\"", "</section>");
    assert!(told.contains("7 retries mesh/new.yaml:9:3"), "{told}");
    assert_eq!(told.matches("7 retries").count(), 1);
}

#[test]
fn runs_without_anything_are_compared_too() {
    let mut empty = sample::held();
    empty.traffic.clear();
    empty.edges.clear();
    empty.services.clear();
    empty.expectations.clear();
    empty.verdict = Verdict::Interrupted;
    inert(&comparison_html(&empty, &sample::held(), None));
    inert(&comparison_html(&empty, &empty, None));
    comparison_markdown(&empty, &empty, None);
}

#[test]
fn hostile_names_are_only_names_in_a_comparison() {
    for name in hostile() {
        let (a, b) = (named(&name), detailed(SMALL));
        inert(&comparison_html(&a, &b, None));
        inert(&comparison_html(&b, &a, None));
        for text in [run_markdown(&a), comparison_markdown(&a, &b, None)] {
            let prose = text.split("```").next().unwrap();
            assert!(!prose.contains(['<', '\u{1b}']), "{prose}");
            assert!(!prose.contains("[a]("), "no links: {prose}");
        }
    }
}

fn suite(name: &str) -> SuiteReport {
    let failed = |seed: u64| meshquake_reports::suite::SeedReport {
        seed,
        run: format!("{name}@{seed}"),
        verdict: Some(if seed == 2 {
            Verdict::Failed
        } else {
            Verdict::Held
        }),
        as_declared: seed != 2,
        digest: "d".into(),
        failures: match seed {
            2 => vec![Failure {
                kind: FailureKind::Expectation,
                message: format!("p99 was 9 ms {name}"),
                place: format!("{name}:3"),
            }],
            _ => Vec::new(),
        },
        measures: indexmap::IndexMap::new(),
        mechanisms: std::collections::BTreeMap::new(),
        wall_seconds: 0.5,
    };
    SuiteReport {
        schema: TEST_SCHEMA.into(),
        meshquake_version: "0.1.0".into(),
        settings: Settings {
            seeds_max: 20,
            stops_early: None,
            duration_s: None,
            set: vec![name.into()],
            options: String::new(),
        },
        interrupted: false,
        scenarios: vec![
            ScenarioReport::judged(
                name.into(),
                name.into(),
                Declared::Held,
                String::new(),
                (1..=4).map(failed).collect(),
            ),
            ScenarioReport::judged(
                "b.yaml".into(),
                "b".into(),
                Declared::Held,
                String::new(),
                vec![failed(1)],
            ),
        ],
        coverage: None,
        baseline: None,
        wall_seconds: 2.0,
    }
}

#[test]
fn a_suite_tells_what_failed_and_how_to_see_it_again() {
    let report = suite("a.yaml");
    let page = suite_html(&report, &Links::new());
    inert(&page);
    let failures = text_of(&page, "<section id=\"failures\"", "</section>");
    assert!(failures.contains("a.yaml : ~ flaky at 25 %"), "{failures}");
    assert!(
        failures.contains("p99 was 9 ms a.yaml a.yaml:3 with seed 2"),
        "{failures}"
    );
    assert!(failures.contains("meshquake replay a.yaml@2"), "{failures}");
    assert!(
        !failures.contains("b.yaml"),
        "what came out as declared stands in the table"
    );
}

#[test]
fn runs_with_a_page_are_linked() {
    let links = Links::from([("a.yaml@2".to_owned(), "runs/a 2.html".to_owned())]);
    let page = suite_html(&suite("a.yaml"), &links);
    assert_eq!(
        page.matches("href=\"./runs/a%202.html\"").count(),
        2,
        "at the failure and in the table"
    );
}

#[test]
fn hostile_names_are_only_names_in_a_suite() {
    for name in hostile() {
        inert(&suite_html(&suite(&name), &Links::new()));
    }
}

fn sweep(name: &str, settings: usize) -> (Vec<Column>, Vec<Vec<Cell>>) {
    let column = |name: String, kind| Column { name, kind };
    let mut columns: Vec<Column> = (0..settings)
        .map(|i| column(format!("{name}.s{i}"), ColumnKind::Text))
        .collect();
    columns.push(column("seed".into(), ColumnKind::Count));
    columns.push(column("verdict".into(), ColumnKind::Text));
    columns.push(column("success".into(), ColumnKind::Number));
    let mut rows = Vec::new();
    for point in 0..3_usize.pow(settings as u32) {
        let at: Vec<usize> = (0..settings)
            .map(|i| point / 3_usize.pow(i as u32) % 3)
            .collect();
        for seed in 1..=2_u64 {
            let height: usize = at.iter().sum();
            let verdict = match (height, seed) {
                (0 | 1, _) | (2, 1) => "held",
                _ => "metastable",
            };
            let mut row: Vec<Cell> = at
                .iter()
                .map(|i| Cell::Text(format!("{name}{}", i + 1)))
                .collect();
            row.extend([
                Cell::Count(seed),
                Cell::Text(verdict.into()),
                Cell::Number(1.0 / (1.0 + height as f64)),
            ]);
            rows.push(row);
        }
    }
    (columns, rows)
}

#[test]
fn two_settings_make_a_map() {
    let (columns, rows) = sweep("rate", 2);
    let page = sweep_html("a.yaml", "meshquake sweep a.yaml", &columns, &rows);
    inert(&page);
    // Of nine places three have a sum of at most 1, three a sum of 2, three more.
    assert!(page.contains("Of 9 combinations of settings: 3 stable, 3 vulnerable, 3 metastable."));
    assert_eq!(page.matches("<td class=\"stable").count(), 3);
    assert_eq!(page.matches("<td class=\"vulnerable").count(), 3);
    let told = text_of(&page, "id=\"frontier-about\"", "</desc>");
    assert!(
        told.contains(
            "rate1: stable up to rate2; rate2: stable up to rate1; rate3: nowhere stable"
        ),
        "{told}"
    );
}

#[test]
fn any_number_of_settings_has_a_page() {
    for settings in 0..=4 {
        for name in ["", "1/s x"] {
            let (columns, rows) = sweep(name, settings);
            inert(&sweep_html("a.yaml", "", &columns, &rows));
        }
    }
    inert(&sweep_html("", "", &[], &[]));
}

#[test]
fn hostile_names_are_only_names_in_a_sweep() {
    for name in hostile() {
        let (columns, rows) = sweep(&name, 3);
        inert(&sweep_html(&name, &name, &columns, &rows));
    }
}

#[test]
fn hostile_names_are_only_names_among_benches() {
    for name in hostile() {
        let run = BenchReport {
            bench: name.clone(),
            about: name.clone(),
            note: name.clone(),
            lines: vec![BenchLine {
                name: name.clone(),
                unit: name.clone(),
                value: 1.0,
                spread: Some((0.5, 2.0)),
                ratio: Some(Ratio {
                    of: name.clone(),
                    value: 1.4,
                    target: Some(1.0),
                    ..Ratio::default()
                }),
            }],
            ..BenchReport::default()
        };
        inert(&bench_html(&[run], &History::default()));
    }
}

#[test]
fn a_run_in_markdown() {
    let text = run_markdown(&sample::failed());
    assert!(
        text.starts_with("## ❌ "),
        "the verdict comes first: {text}"
    );
    assert!(text.lines().count() < 30, "short: {text}");
    assert!(run_markdown(&sample::held()).starts_with("## ✅ "));
    let both = comparison_markdown(&sample::failed(), &sample::held(), None);
    assert!(
        both.starts_with("## ✅ B is better\n\nA fails, B holds"),
        "{both}"
    );
}

#[test]
fn a_difference_that_is_chance_is_not_told_as_one() {
    use meshquake_reports::comparison::{
        COMPARE_SCHEMA, ComparisonReport, MeasureChange, SideReport,
    };
    use meshquake_reports::suite::{Better, MeasureUnit};
    let side = |what: &str| SideReport {
        what: what.into(),
        scenario: "s".into(),
        fingerprint: String::new(),
        verdicts: vec![Verdict::Held; 3],
    };
    let measure = |name: &str, differences: &[f64]| MeasureChange {
        name: name.into(),
        unit: MeasureUnit::Ms,
        better: Better::Lower,
        a: 10.0,
        b: 8.0,
        difference: Paired::of(differences).unwrap(),
    };
    let paired = ComparisonReport {
        schema: COMPARE_SCHEMA.into(),
        meshquake_version: "0.1.0".into(),
        a: side("a"),
        b: side("b"),
        seeds: vec![1, 2, 3],
        requests: Vec::new(),
        measures: vec![
            measure("sure", &[-2.0, -2.1, -1.9]),
            measure("noise", &[-9.0, 8.0, -5.0]),
        ],
        expectations: Vec::new(),
        edges: Vec::new(),
        sample: Vec::new(),
        notes: vec!["<b>note".into()],
    };
    let page = comparison_html(&sample::held(), &sample::held(), Some(&paired));
    inert(&page);
    let told = text_of(&page, "<section id=\"requests\"", "</section>");
    assert!(
        told.contains("✓ better sure") && told.contains("≈ chance noise"),
        "{told}"
    );
}

//! The JSON contract and the terminal summary, pinned on a sample run.

mod detail;
mod page;
mod pages;
mod sample;
mod told;

use meshquake_reports::{RunReport, Style, summary};

const PLAIN: Style = Style {
    color: false,
    width: 100,
};

#[test]
fn the_json_contract() {
    insta::assert_snapshot!(sample::held().to_json().unwrap());
}

#[test]
fn the_json_reads_back() {
    for report in [sample::held(), sample::failed(), sample::metastable()] {
        let text = report.to_json().unwrap();
        assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), report);
    }
}

#[test]
fn a_run_that_held() {
    insta::assert_snapshot!(summary(&sample::held(), PLAIN));
}

#[test]
fn a_run_that_failed() {
    insta::assert_snapshot!(summary(&sample::failed(), PLAIN));
}

#[test]
fn a_run_that_is_metastable() {
    insta::assert_snapshot!(summary(&sample::metastable(), PLAIN));
}

#[test]
fn a_narrow_terminal() {
    let style = Style {
        color: false,
        width: 80,
    };
    insta::assert_snapshot!(summary(&sample::failed(), style));
}

#[test]
fn lines_fit_the_terminal() {
    for width in [80, 100, 120] {
        for report in [sample::held(), sample::failed(), sample::metastable()] {
            let style = Style {
                color: false,
                width,
            };
            for line in summary(&report, style).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end(), "no idle blanks");
            }
        }
    }
}

#[test]
fn colour_is_all_that_colour_adds() {
    let style = Style {
        color: true,
        width: 100,
    };
    let report = sample::failed();
    let coloured = summary(&report, style);
    assert!(coloured.contains("\u{1b}[31m"));
    let mut plain = String::new();
    let mut escape = false;
    for c in coloured.chars() {
        match (escape, c) {
            (false, '\u{1b}') => escape = true,
            (true, 'm') => escape = false,
            (false, c) => plain.push(c),
            (true, _) => {}
        }
    }
    let trimmed: Vec<&str> = plain.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, summary(&report, PLAIN).lines().collect::<Vec<_>>());
}

#[test]
fn of_a_long_script_the_misses_are_shown() {
    let mut report = sample::failed();
    let probe = report.traffic.get_mut("probe").unwrap();
    let (met, missed) = (probe.scripted[0].clone(), probe.scripted[1].clone());
    probe.scripted = vec![met; 30];
    assert!(summary(&report, PLAIN).contains("\nScript\n  ✓ 30 requests, each as demanded\n"));
    let probe = report.traffic.get_mut("probe").unwrap();
    probe.scripted[4].held = None;
    assert!(summary(&report, PLAIN).contains("  ✓ 30 requests, 29 as demanded\n"));
    let probe = report.traffic.get_mut("probe").unwrap();
    probe.scripted[7] = missed;
    let text = summary(&report, PLAIN);
    assert!(text.contains("  ✗  40 s  GET"), "{text}");
    assert!(text.contains("  and 29 more requests\n"), "{text}");
}

#[test]
fn a_mesh_of_many_edges_shows_the_worst() {
    let mut report = sample::held();
    let calm = report.edges[1].clone();
    report.edges = vec![calm; 500];
    report.edges[300].failed = 9;
    report.edges[300].from = "worst".into();
    let text = summary(&report, PLAIN);
    assert!(text.contains("worst        → details"));
    assert!(text.contains("and 480 more edges"));
}

#[test]
fn an_empty_run_has_a_summary_too() {
    insta::assert_snapshot!(summary(&sample::empty(), PLAIN));
}

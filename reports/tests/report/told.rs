//! What pages, Markdown and the terminal say of a run is what is known of it, and no more.

use meshquake_reports::{
    RunReport, Style, comparison_html, comparison_markdown, report_html, run_markdown, summary,
};

use crate::detail::{SMALL, detailed};
use crate::page::{check, text_of};
use crate::sample;

const PLAIN: Style = Style {
    color: false,
    width: 100,
};

/// A run in which after a third nothing succeeds any more, and what is sent last has not ended when it does.
fn stuck() -> RunReport {
    let mut run = detailed(SMALL);
    let traffic = run.traffic.get_mut("shoppers").expect("there");
    let series = &mut traffic.series;
    let windows = series.requests.len();
    let (broken, open) = (windows / 3, windows - windows / 10);
    for i in 0..windows {
        series.failed[i] = if (broken..open).contains(&i) {
            series.requests[i]
        } else {
            0
        };
    }
    traffic.failed = series.failed.iter().sum();
    traffic.in_flight_at_end = series.requests[open..].iter().sum();
    traffic.succeeded = traffic.requests - traffic.failed - traffic.in_flight_at_end;
    run
}

/// The cells of the last row of the table of figures in the chart `id`.
fn last_row(page: &str, id: &str) -> String {
    let chart = &page[page.find(&format!("id=\"{id}\"")).expect("it is drawn")..];
    let chart = &chart[..chart.find("</figure>").expect("it ends")];
    let row = &chart[chart.rfind("<tr>").expect("it has rows")..];
    text_of(row, "<tr>", "</tr>")
}

#[test]
fn what_is_under_way_at_the_end_is_no_success() {
    let run = stuck();
    let page = comparison_html(&run, &run, None);
    assert_eq!(last_row(&page, "source-0-0"), "119 s 0 0", "goodput");
    assert_eq!(
        last_row(&page, "source-0-1"),
        "119 s – –",
        "of nothing that ended no share failed"
    );
    for text in [run_markdown(&run), comparison_markdown(&run, &run, None)] {
        let bars = text.lines().find(|line| line.contains('█')).unwrap();
        assert!(bars.trim_end_matches(" |").ends_with('▁'), "{bars}");
    }
    let page = report_html(&run);
    assert_eq!(
        last_row(&page, "source-0-0"),
        "119 s 0 50.0/s".replace("50.0", &last_rate(&run))
    );
    assert!(
        last_row(&page, "source-0-1").ends_with("100%"),
        "still under way"
    );
    assert!(page.contains("still under way at the end"));
}

fn last_rate(run: &RunReport) -> String {
    format!(
        "{:.1}",
        *run.traffic["shoppers"]
            .series
            .requests
            .last()
            .expect("windows") as f64
    )
}

#[test]
fn noise_is_not_judged() {
    let a = sample::held();
    let mut b = sample::held();
    (b.seed, b.digest) = (8, "d".repeat(64));
    let traffic = b.traffic.get_mut("shoppers").unwrap();
    traffic.failed += 1;
    traffic.in_flight_at_end += 1;
    traffic.requests += 2;
    let ms = traffic.latency_ms.as_mut().unwrap();
    ms.p50 *= 0.999;
    ms.p99 *= 1.01;
    ms.max *= 1.6;
    b.edges[2].failed += 1;
    b.edges[2].retries += 3;
    b.edges[2].attempts += 3;
    b.services[1].queue_max += 2;
    let page = comparison_html(&a, &b, None);
    check(&page);
    assert!(page.contains("No difference to speak of"));
    for word in ["better</span>", "worse</span>"] {
        assert!(!page.contains(word), "{word}");
    }
    let told = text_of(&page, "<section id=\"clients\"", "</section>");
    assert!(
        told.contains("under way at the end 1 2 ▲ ×2 ≈ chance"),
        "{told}"
    );
    assert!(told.contains("p50 12.4 ms 12.4 ms same"), "{told}");
    // What is beyond chance is told as before.
    b.traffic.get_mut("shoppers").unwrap().failed += 400;
    let page = comparison_html(&a, &b, None);
    assert!(page.contains("B is worse") && page.contains("worse</span>"));
}

/// One seed, in which the slowest of one source get faster and the mesh tries more often, is no victory.
#[test]
fn a_winner_needs_every_difference_to_point_one_way() {
    let (a, mut b) = (sample::held(), sample::held());
    let faster = b.traffic.get_mut("shoppers").unwrap();
    faster.latency_ms.as_mut().unwrap().p99 *= 0.8;
    let heading = |b: &_| {
        let text = comparison_markdown(&a, b, None);
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(heading(&b), "## ✅ B is better");
    for edge in &mut b.edges {
        edge.attempts += edge.requests / 10;
    }
    assert_eq!(heading(&b), "## ➖ better in some, worse in other");
    let text = comparison_markdown(&a, &b, None);
    let named = "B: p99 of shoppers lower, attempts for each request higher.";
    assert!(text.contains(named), "{text}");
    let page = comparison_html(&a, &b, None);
    assert!(page.contains(named) && !page.contains("B is better"));
    // What succeeds weighs first.
    let failing = b.traffic.get_mut("shoppers").unwrap();
    failing.failed += 4_000;
    failing.succeeded -= 4_000;
    assert_eq!(heading(&b), "## ❌ B is worse");
}

/// What is measured is told with what it is: bounds of cells are no extremes, the slow are those that succeeded, and
/// what was measured stands beside what was demanded, where a narrow screen still shows it.
#[test]
fn columns_and_labels_say_what_they_are_of() {
    let page = report_html(&detailed(SMALL));
    check(&page);
    let heat = text_of(&page, "Latency of every request: to the bounds", "</thead>");
    assert!(
        heat.ends_with("all at least most often at least all at most"),
        "{heat}"
    );
    assert!(page.contains("succeeded, slower than 41.0 ms"));
    let demands = text_of(&page, "Expectations: measured", "</thead>");
    assert!(
        demands.contains("verdict of demanded measured during"),
        "{demands}"
    );
    assert!(
        page.contains("100% local"),
        "what is wider than its frame has a shadow"
    );
}

#[test]
fn strangers_are_not_judged() {
    let (mut a, mut b) = (sample::failed(), sample::held());
    b.scenario = "another".into();
    b.fingerprint = "6a".repeat(32);
    let traffic = std::mem::take(&mut b.traffic);
    b.traffic = traffic
        .into_iter()
        .map(|(name, t)| (format!("other-{name}"), t))
        .collect();
    a.edges[2].failed = 4_000;
    let page = comparison_html(&a, &b, None);
    check(&page);
    let head = text_of(&page, "<div class=\"verdict", "</div>");
    assert!(head.contains("Different scenarios"), "{head}");
    assert!(!page.contains("class=\"verdict good\"") && !page.contains("class=\"verdict bad\""));
    for word in ["better</span>", "worse</span>"] {
        assert!(!page.contains(word), "{word}");
    }
    let text = comparison_markdown(&a, &b, None);
    assert!(text.starts_with("## ⏹️ different scenarios\n"), "{text}");
    // Of other names, but with traffic in common: a variant, which is what comparisons are for.
    b.traffic = sample::held().traffic;
    assert!(comparison_html(&a, &b, None).contains("B is better"));
}

/// The cells of the rows of the table under `caption`, a row a line.
fn rows(page: &str, caption: &str) -> Vec<String> {
    let table = &page[page.find(caption).unwrap_or_else(|| panic!("{caption}"))..];
    let body =
        &table[table.find("<tbody>").expect("a body")..table.find("</tbody>").expect("its end")];
    let rows = body.split("<tr").skip(1);
    rows.map(|row| text_of(&format!("<tr{row}"), "<tr", "</tr>"))
        .collect()
}

#[test]
fn each_failure_is_told_once_with_its_status_in_words() {
    let mut run = sample::failed();
    let traffic = run.traffic.get_mut("shoppers").unwrap();
    traffic.status = sample::counts(&[("200", 5_000), ("429", 5), ("503", 9), ("none", 4)]);
    traffic.flags = sample::counts(&[("-", 5_002), ("UO", 7), ("DC", 4), ("RL", 5)]);
    traffic.unanswered = sample::counts(&[("timeout", 4)]);
    run.traffic.shift_remove("probe");
    let page = report_html(&run);
    check(&page);
    assert_eq!(
        rows(&page, "Why requests failed"),
        [
            "shoppers UO 503 Service Unavailable 7 a circuit breaker was open",
            "shoppers RL 429 Too Many Requests 5 the rate limit was reached",
            "shoppers DC none: timeout 4 the caller went away",
            "shoppers 503 Service Unavailable 2",
        ]
    );
    let text = summary(&run, PLAIN);
    assert!(
        text.contains("shoppers: UO 503 ×7 · RL 429 ×5 · DC timeout ×4 · 503 ×2"),
        "{text}"
    );
}

#[test]
fn scripted_requests_of_which_nothing_was_expected() {
    let mut run = sample::failed();
    for scripted in &mut run.traffic.get_mut("probe").unwrap().scripted {
        scripted.held = None;
        scripted.message = String::new();
        scripted.upstream = String::new();
    }
    run.failures.clear();
    let page = report_html(&run);
    check(&page);
    assert_eq!(
        rows(&page, "Scripted requests"),
        [
            "1 s GET reviews:9080/reviews/0 200 - 4.20 ms",
            "40 s GET reviews:9080/reviews/0 ✗ 503 URX,UF 4.20 ms",
        ]
    );
    let table = text_of(&page, "Scripted requests", "</thead>");
    for empty in ["verdict", "what was wrong", "answered by"] {
        assert!(!table.contains(empty), "{table}");
    }
    assert!(page.contains("<tr class=\"missed\"><td class=\"n\">40 s"));
}

#[test]
fn comparisons_are_written_one_way() {
    let mut run = sample::failed();
    run.failures[0].message = "success of shoppers was 0%, not >= 95%".into();
    run.expectations[1].message = run.failures[0].message.clone();
    let narrow = Style {
        color: false,
        width: 80,
    };
    let other = sample::held();
    for text in [
        report_html(&run),
        run_markdown(&run),
        summary(&run, narrow),
        comparison_html(&run, &other, None),
    ] {
        assert!(text.contains("not ≥ 95%"), "{text}");
        assert!(!text.contains("not &gt;= 95%") && !text.contains("not >= 95%"));
    }
}

#[test]
fn rare_traffic_is_not_told_as_none() {
    let mut run = sample::held();
    run.recovery[0].before_per_s = 0.000_25;
    run.recovery[0].last_per_s = 0.005;
    let page = report_html(&run);
    let recovery = text_of(&page, "<section id=\"recovery\"", "</section>");
    assert!(recovery.contains("0.90/h 18.0/h"), "{recovery}");
    assert!(summary(&run, PLAIN).contains("0.90/h      18.0/h"));
}

#[test]
fn links_are_called_as_what_they_lead_to() {
    let page = report_html(&detailed(SMALL));
    for link in page.split("<li><a href=\"#").skip(1) {
        let id = &link[..link.find('"').unwrap()];
        let told = text_of(&format!("<{link}"), "<", "</a>");
        let heading = text_of(&page, &format!("<h2 id=\"{id}-title\""), "</h2>");
        assert_eq!(told, heading);
    }
}

#[test]
fn a_place_is_told_whole() {
    let mut run = sample::failed();
    let place = "scenarios/incidents/metastable-retry/metastable-retry-fragile.yaml:44";
    run.expectations[1].place = place.into();
    assert!(report_html(&run).contains(&format!("<code><bdi>{place}</bdi></code>")));
}

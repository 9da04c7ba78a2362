//! The page of two runs side by side.
//!
//! A is what was, B is what is new. Under one seed both have the same arrivals and the same service times (common
//! random numbers; Law, *Simulation Modeling and Analysis*, §11.2), so what differs is the configuration's doing. With
//! other seeds it may be chance, and the page says so. What a [`ComparisonReport`] knows beyond the two runs, the fate
//! of each request and the spread over seeds, is told where there is one.

mod chance;
mod demands;
mod difference;
pub(crate) mod head;
mod numbers;
mod over_time;
mod paired;
mod pairs;
mod policy;
mod standing;

use maud::{Markup, html};

use super::page::{Page, Section, command};
use super::text;
use crate::comparison::ComparisonReport;
use crate::record::RunReport;

/// `a` and `b` side by side as one HTML file that needs nothing else, with what `paired` knows of them.
pub fn comparison_html(a: &RunReport, b: &RunReport, paired: Option<&ComparisonReport>) -> String {
    let grounds = chance::Grounds::of(a, b);
    let page = Page {
        title: &format!("{} against {}", a.scenario, b.scenario),
        head: head::head(a, b, paired),
        sections: vec![
            Section::new("demands", "What was demanded", demands::body(a, b, grounds)),
            Section::new(
                "requests",
                "What became of the requests",
                paired::body(paired),
            ),
            Section::new(
                "clients",
                "What clients saw",
                numbers::clients(a, b, grounds),
            ),
            Section::new("course", "Over time", over_time::body(a, b)),
            Section::new("edges", "Who called whom", numbers::edges(a, b, grounds)),
            Section::new("mesh", "Inside the mesh", numbers::mesh(a, b, grounds)),
            Section::new(
                "policy",
                "What the mesh was told otherwise",
                policy::body(a, b),
            ),
            Section::new("again", "The same runs again", again(a, b)),
        ],
        foot: html! {
            p { "Made by Meshquake " (env!("CARGO_PKG_VERSION")) ". A is the first run, B the second; a difference is B less A." }
        },
    };
    page.html()
}

fn again(a: &RunReport, b: &RunReport) -> Markup {
    html! {
        @for (side, id, run) in [("A", "reproduce-a", a), ("B", "reproduce-b", b)] {
            h3 { "Run " (side) }
            (command(id, &run.reproduce, &format!("Copy the command of {side}"), &html! {}))
            dl.facts {
                dt { "digest of the run (BLAKE3)" } dd { code { (text::said(&run.digest)) } }
                dt { "hash of the scenario (BLAKE3)" } dd { code { (text::said(&run.fingerprint)) } }
                dt { "seed, version" } dd { code { (run.seed) } ", meshquake " code { (text::name(&run.meshquake_version)) } }
            }
        }
    }
}

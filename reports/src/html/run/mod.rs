//! The page of one run.
//!
//! What a run was not recorded for, because its report has no [`Detail`](crate::record::Detail), is left out; the
//! verdict, the tables and the charts of what every report has are there in any case.

mod blame;
mod certificate;
mod courses;
mod demands;
mod flags;
mod graph;
mod head;
mod layers;
mod mechanisms;
mod policy;
mod recovery;
mod sentence;
mod timeline;
mod traffic;
mod waterfall;
mod worst;

use maud::html;

use super::page::{Page, Section};
use crate::record::RunReport;
pub(super) use head::standing;

/// The report of one run as one HTML file that needs nothing else: no network, and no script to be complete.
pub fn report_html(report: &RunReport) -> String {
    let page = Page {
        title: &format!("{}: {}", head::word(report), report.scenario),
        head: head::head(report),
        sections: sections(report),
        foot: html! {
            p { "Made by Meshquake " (report.meshquake_version) ". Times are virtual: seconds since the run began, unless said otherwise." }
        },
    };
    page.html()
}

/// The parts of the page, some of them empty.
pub(super) fn sections(report: &RunReport) -> Vec<Section> {
    vec![
        Section::new("demands", "What was demanded", demands::body(report)).called("Demands"),
        Section::new("recovery", "Recovery", recovery::body(report)),
        Section::new("course", "Over time", courses::body(report)),
        Section::new("graph", "Who called whom", graph::body(report)).called("Call graph"),
        Section::new("traffic", "Traffic and services", traffic::body(report)).called("Traffic"),
        Section::new("timeline", "What happened when", timeline::body(report)).called("Timeline"),
        Section::new("blame", "Where the time went", blame::body(report)).called("Blame"),
        Section::new("worst", "The worst requests", worst::body(report)).called("Worst requests"),
        Section::new("policy", "What the mesh was told", policy::body(report)).called("Policy"),
        Section::new(
            "mechanisms",
            "Resilience that acted",
            mechanisms::body(report),
        )
        .called("Resilience"),
        Section::new("again", "The same run again", certificate::body(report)).called("Again"),
    ]
}

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
        Section::new("demands", "Demands", demands::body(report)),
        Section::new("recovery", "Recovery", recovery::body(report)),
        Section::new("course", "Over time", courses::body(report)),
        Section::new("graph", "Call graph", graph::body(report)),
        Section::new("traffic", "Traffic and services", traffic::body(report)),
        Section::new("timeline", "Timeline", timeline::body(report)),
        Section::new("blame", "Where the time went", blame::body(report)),
        Section::new("worst", "Worst requests", worst::body(report)),
        Section::new("policy", "Policy", policy::body(report)),
        Section::new("mechanisms", "Resilience", mechanisms::body(report)),
        Section::new("again", "Run again", certificate::body(report)),
    ]
}

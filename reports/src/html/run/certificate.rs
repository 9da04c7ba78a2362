//! What it takes to have the same run again, and to know that it is the same.

use maud::{Markup, html};

use crate::html::page::command;
use crate::html::text;
use crate::record::RunReport;
use crate::summary::unit;

pub(super) fn body(report: &RunReport) -> Markup {
    html! {
        p {
            "A run is a function of its scenario and its seed. The same version of Meshquake makes the same run on any machine: the digest of all its events is the same to the last bit, and if it is not, something differs."
        }
        (command("reproduce", &report.reproduce, "Copy the command", &html! {}))
        dl.facts {
            dt { "digest of the run (BLAKE3)" } dd { code { (text::said(&report.digest)) } }
            dt { "hash of the scenario (BLAKE3)" } dd { code { (text::said(&report.fingerprint)) } }
            dt { "seed" } dd { code { (report.seed) } }
            dt { "version" } dd { "meshquake " code { (text::name(&report.meshquake_version)) } }
            dt { "format of the record" } dd { code { (text::name(&report.schema)) } }
            dt { "took" } dd { (unit::millis(report.wall_seconds * 1e3)) " for " (unit::span(report.virtual_seconds)) " of virtual time" }
        }
        p.faint { "To check it: run the command with " code { "--verify" } ", or compare the digest that it prints." }
    }
}

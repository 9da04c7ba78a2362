//! Reports as pages: one HTML file each, for people.
//!
//! A page is read from the top by somebody who may stop after a sentence. So the verdict comes first and in words, the
//! evidence after it in the order in which questions come up, and the raw figures last or folded away; nothing is shown
//! twice, and nothing without its unit.
//!
//! The markup is written with maud: its templates are checked when they are compiled, every tag is closed, and text is
//! escaped unless one asks otherwise. It costs one small procedural macro to build and nothing at run time; a template
//! engine that reads files (tera, minijinja) checks nothing before the page is made, and format strings escape nothing.
//!
//! [`report_html`] is the page of one run, [`comparison_html`] of two, [`runs_html`] of several, [`suite_html`] of a whole suite,
//! [`sweep_html`] of a grid of settings. Pages of other things are made of the same parts: [`page::Page`] is the frame
//! around any of them, [`chart::figure`] draws plain series, [`table::Table`] plain rows.

mod benches;
pub(crate) mod chart;
mod collected;
mod compared;
mod outcome;
pub(crate) mod page;
pub(crate) mod palette;
#[cfg(feature = "png")]
pub(crate) mod png;
mod run;
mod suite;
mod swept;
pub(crate) mod table;
pub(crate) mod text;

pub use benches::bench_html;
pub use collected::runs_html;
pub use compared::comparison_html;
pub(crate) use compared::head as standing;
pub use run::report_html;
pub use suite::{Links, suite_html};
pub use swept::sweep_html;

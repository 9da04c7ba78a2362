//! A small run to test with: shoppers and a scripted probe call reviews, and reviews-v1-0 crashes.

mod events;
mod plan;
mod play;

pub(crate) use events::{REVIEWS, at, attempt, ended, in_app, sent, through_sidecar};
pub(crate) use plan::plan;
pub(crate) use play::play;

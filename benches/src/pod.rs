//! A pod that runs in any world which offers the seams.

use std::net::Ipv4Addr;

use mesh_core::seam::{LocalBoxFuture, Seams};

type Run = Box<dyn FnOnce(Seams) -> LocalBoxFuture<'static, ()>>;

/// A host, and what runs on it.
pub struct Pod {
    pub(crate) ip: Ipv4Addr,
    pub(crate) run: Run,
}

impl Pod {
    /// A pod at `ip` that runs what `run` makes of its seams; other tasks of the pod go on when that ends.
    pub fn new<F>(ip: Ipv4Addr, run: impl FnOnce(Seams) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self {
            ip,
            run: Box::new(move |seams| Box::pin(run(seams))),
        }
    }
}

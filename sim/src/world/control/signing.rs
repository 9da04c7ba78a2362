//! The CA behind the control plane, when it answers.

use std::rc::Weak;
use std::time::Duration;

use mesh_core::control::{Caller, Signer, SigningError};
use mesh_core::identity::SignedSvid;
use mesh_core::seam::LocalBoxFuture;

use super::Control;
use super::trouble::Verdict;

/// Signs with whatever CA is in use, unless a trouble is in the way.
pub(super) struct MeshSigner(pub(super) Weak<Control>);

impl Signer for MeshSigner {
    fn sign<'a>(
        &'a self,
        csr: &'a [u8],
        caller: &'a Caller,
        now: Duration,
        lifetime: Duration,
    ) -> LocalBoxFuture<'a, Result<SignedSvid, SigningError>> {
        Box::pin(async move {
            let gone = || SigningError::Unavailable("the CA is gone".to_owned());
            loop {
                let control = self.0.upgrade().ok_or_else(gone)?;
                let verdict = control.troubles.borrow_mut().judge(&caller.pod);
                let over = match verdict {
                    Verdict::Sign => {
                        let authority = control.authority();
                        return authority.sign(csr, caller, now, lifetime).await;
                    }
                    Verdict::Refuse => {
                        let why = "the CA cannot be reached".to_owned();
                        return Err(SigningError::Unavailable(why));
                    }
                    Verdict::Wait(over) => over,
                };
                drop(control);
                over.notified().await;
            }
        })
    }
}

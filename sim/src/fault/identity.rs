//! Certificates, roots, and who one takes the other for.
//!
//! A sidecar shows what is in its store
//! ([`IdentityStore`](mesh_core::identity::IdentityStore)), and looks at it for
//! each handshake: a fault puts something else there. Connections that are open
//! stay as they are, so none of these is seen before somebody connects anew.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::identity::{
    CertificateAuthority, IdentityStore, ROOT_LIFETIME, SpiffeId, Svid, TrustBundle,
};
use mesh_core::proxy::SidecarHandle;
use mesh_core::seam::{Instant, Rng};

use super::control::{Troubled, some};
use super::{Active, Beginning, Happened, Scene, Touched};
use crate::app::Bypass;
use crate::fabric::Fabric;
use crate::plan::{IdentityFault, PodSelector};
use crate::world::Trouble;

/// Puts a fault of identities in force.
pub(super) fn begin(
    fault: &IdentityFault,
    scene: &mut Scene<'_>,
    beginning: &mut Beginning,
) -> Box<dyn Active> {
    match fault {
        IdentityFault::CaDown { pods, hangs } => {
            let trouble = Trouble::Signing(some(pods.as_ref(), beginning), *hangs);
            Box::new(Troubled::begin(scene, trouble))
        }
        IdentityFault::StuckRotation { pods } => Box::new(Stuck::begin(scene, pods, beginning)),
        IdentityFault::CaRotation { overlap, spread } => {
            Box::new(rotate(scene, *overlap, *spread, &mut beginning.rng))
        }
        IdentityFault::Plaintext { pods } => Box::new(Past::begin(scene, pods, beginning)),
        IdentityFault::ExpiredLeaf { pods, after } => {
            let end = scene.shared.unix_time(scene.fabric.now() + *after);
            Box::new(Shown::begin(scene, pods, beginning, Other::Ended(end)))
        }
        IdentityFault::TrustDomain { pods, to } => Box::new(Shown::begin(
            scene,
            pods,
            beginning,
            Other::Domain(to.clone()),
        )),
        IdentityFault::StolenIdentity { pods, victims } => {
            let victims = beginning.draw(victims);
            Box::new(Shown::begin(scene, pods, beginning, Other::Stolen(victims)))
        }
        IdentityFault::WrongSan { pods, account } => Box::new(Shown::begin(
            scene,
            pods,
            beginning,
            Other::Account(account.clone()),
        )),
    }
}

/// What a pod shows in place of its own certificate.
enum Other {
    /// Its own, ended at this time (since the Unix epoch).
    Ended(Duration),
    /// Itself in another trust domain.
    Domain(String),
    /// One of these pods, with its key.
    Stolen(Vec<Arc<str>>),
    /// Another service account.
    Account(String),
}

/// Pods that show a certificate they should not.
struct Shown {
    pods: Vec<Arc<str>>,
    other: Other,
    /// Those that do, by pod: the present life's store, what it held, and handshakes so far.
    masked: BTreeMap<Arc<str>, Masked>,
    /// Pods that ever did, and their handshakes in former lives.
    ever: BTreeSet<Arc<str>>,
    before: u64,
}

struct Masked {
    store: IdentityStore,
    own: Rc<Svid>,
    handshakes: u64,
}

impl Masked {
    fn shown(&self) -> u64 {
        self.store.handshakes() - self.handshakes
    }
}

impl Shown {
    fn begin(
        scene: &Scene<'_>,
        pods: &PodSelector,
        beginning: &mut Beginning,
        other: Other,
    ) -> Self {
        let mut this = Self {
            pods: beginning.draw(pods),
            other,
            masked: BTreeMap::new(),
            ever: BTreeSet::new(),
            before: 0,
        };
        for pod in this.pods.clone() {
            this.mask(scene, &pod);
        }
        this
    }

    /// Has a pod show the other certificate, if it has one of its own.
    fn mask(&mut self, scene: &Scene<'_>, pod: &Arc<str>) {
        let Some(sidecar) = scene.shared.sidecar(pod) else {
            return;
        };
        let Some(store) = sidecar.identity() else {
            return;
        };
        let Some(own) = store.svid() else { return };
        let Some(other) = self.other(scene, &own) else {
            return;
        };
        sidecar.pause_rotation();
        store.set_svid(other);
        if matches!(self.other, Other::Stolen(_)) {
            // A thief does not go on under its own name.
            sidecar.reconnect_upstreams();
        }
        let masked = Masked {
            handshakes: store.handshakes(),
            store,
            own,
        };
        self.ever.insert(pod.clone());
        if let Some(former) = self.masked.insert(pod.clone(), masked) {
            self.before += former.shown();
        }
    }

    fn other(&self, scene: &Scene<'_>, own: &Svid) -> Option<Svid> {
        let authority = scene.shared.control.authority();
        let id = own.id();
        let issue = |id: &SpiffeId, not_before, not_after| {
            let signed = authority.issue(own.key(), id, not_before, not_after).ok()?;
            Svid::new(signed.chain, own.key().clone()).ok()
        };
        match &self.other {
            Other::Ended(end) => {
                // X.509 counts its last second in.
                let last = end.saturating_sub(Duration::from_secs(1));
                issue(id, own.not_before().min(last), last)
            }
            Other::Domain(domain) => {
                let id = SpiffeId::new(domain, id.namespace(), id.service_account()).ok()?;
                issue(&id, own.not_before(), own.not_after())
            }
            Other::Account(account) => {
                let id = SpiffeId::new(id.trust_domain(), id.namespace(), account).ok()?;
                issue(&id, own.not_before(), own.not_after())
            }
            Other::Stolen(victims) => {
                let stores = victims.iter().filter_map(|pod| {
                    let store = scene.shared.sidecar(pod)?.identity()?;
                    store.svid()
                });
                let mut others = stores.filter(|svid| svid.id() != id);
                others.next().map(|svid| (*svid).clone())
            }
        }
    }
}

impl Active for Shown {
    fn happened(&mut self, scene: &mut Scene<'_>, what: &Happened) -> bool {
        if let Happened::Ready(pod) = what
            && self.pods.contains(pod)
        {
            self.mask(scene, pod);
        }
        false
    }

    fn heal(&mut self, scene: &mut Scene<'_>) {
        let ended = matches!(self.other, Other::Ended(_));
        for (pod, masked) in &self.masked {
            if !ended {
                masked.store.set_svid((*masked.own).clone());
            }
            if let Some(sidecar) = scene.shared.sidecar(pod) {
                sidecar.resume_rotation();
                if ended {
                    sidecar.renew_certificate();
                } else if matches!(self.other, Other::Stolen(_)) {
                    sidecar.reconnect_upstreams();
                }
            }
            self.before += masked.shown();
        }
        self.masked.clear();
    }

    fn touched(&self, _: &Fabric) -> Touched {
        let now: u64 = self.masked.values().map(Masked::shown).sum();
        Touched {
            pods: u32::try_from(self.ever.len()).unwrap_or(u32::MAX),
            packets: 0,
            requests: self.before + now,
        }
    }
}

/// Pods whose agents do not renew.
struct Stuck {
    pods: Vec<Arc<str>>,
    /// Their agents, in each life, and what each had missed before.
    agents: Vec<(Arc<str>, SidecarHandle, u64)>,
}

impl Stuck {
    fn begin(scene: &Scene<'_>, pods: &PodSelector, beginning: &mut Beginning) -> Self {
        let mut this = Self {
            pods: beginning.draw(pods),
            agents: Vec::new(),
        };
        for pod in this.pods.clone() {
            this.hold(scene, &pod);
        }
        this
    }

    fn hold(&mut self, scene: &Scene<'_>, pod: &Arc<str>) {
        if let Some(sidecar) = scene.shared.sidecar(pod) {
            sidecar.pause_rotation();
            let missed = sidecar.rotations_missed();
            self.agents.push((pod.clone(), sidecar, missed));
        }
    }
}

impl Active for Stuck {
    fn happened(&mut self, scene: &mut Scene<'_>, what: &Happened) -> bool {
        if let Happened::Ready(pod) = what
            && self.pods.contains(pod)
        {
            self.hold(scene, pod);
        }
        false
    }

    fn heal(&mut self, _: &mut Scene<'_>) {
        for (_, sidecar, _) in &self.agents {
            sidecar.resume_rotation();
        }
    }

    fn touched(&self, _: &Fabric) -> Touched {
        let mut touched = BTreeSet::new();
        let mut requests = 0;
        for (pod, sidecar, before) in &self.agents {
            let missed = sidecar.rotations_missed().saturating_sub(*before);
            if missed > 0 {
                touched.insert(pod);
                requests += missed;
            }
        }
        Touched {
            pods: u32::try_from(touched.len()).unwrap_or(u32::MAX),
            packets: 0,
            requests,
        }
    }
}

/// Sidecars that are given another root and a certificate of it.
struct Rotating {
    renewed: Rc<Cell<u32>>,
}

/// What a sidecar gets at one step of a rotation.
#[derive(Clone)]
struct Gift {
    trust: Option<TrustBundle>,
    renews: bool,
}

fn rotate(
    scene: &mut Scene<'_>,
    overlap: Option<Duration>,
    spread: Duration,
    rng: &mut Rng,
) -> Rotating {
    let control = scene.shared.control.clone();
    let (now, unix) = (
        scene.fabric.now(),
        scene.shared.unix_time(scene.fabric.now()),
    );
    let this = Rotating {
        renewed: Rc::default(),
    };
    let old = control.authority();
    let domain = old.trust_domain().to_owned();
    // The domain was good for the CA before, and time has not come near the year 9999.
    let Ok(new) = CertificateAuthority::new(&domain, rng, unix, ROOT_LIFETIME) else {
        return this;
    };
    let new = Rc::new(new);
    let alone = TrustBundle::of(&new);
    let former = control.trust();
    let roots = former.roots().cloned().chain([new.root().clone()]);
    let Ok(both) = TrustBundle::new(&domain, roots) else {
        return this;
    };
    let gift = |trust: Option<&TrustBundle>, renews| Gift {
        trust: trust.cloned(),
        renews,
    };
    let Some(overlap) = overlap else {
        control.set_trust(alone.clone());
        control.set_authority(new, unix);
        this.hand_out(scene, now, spread, rng, &gift(Some(&alone), true));
        return this;
    };
    control.set_trust(both.clone());
    this.hand_out(scene, now, spread, rng, &gift(Some(&both), false));
    let signing = now + spread;
    let takes_over = control.clone();
    scene.fabric.at(signing, move |_| {
        takes_over.set_authority(new, unix + spread);
    });
    this.hand_out(scene, signing, spread, rng, &gift(None, true));
    let end = now + overlap;
    let last = alone.clone();
    scene.fabric.at(end, move |_| control.set_trust(last));
    this.hand_out(scene, end, spread, rng, &gift(Some(&alone), false));
    this
}

impl Rotating {
    /// Gives every sidecar its gift, each at a time of its own within `spread` after `from`.
    fn hand_out(
        &self,
        scene: &mut Scene<'_>,
        from: Instant,
        spread: Duration,
        rng: &mut Rng,
        gift: &Gift,
    ) {
        for pod in scene.shared.meshed() {
            let wait = Duration::from_nanos(rng.below(spread.as_nanos() as u64));
            let (shared, gift) = (scene.shared.clone(), gift.clone());
            let renewed = self.renewed.clone();
            scene.fabric.at(from + wait, move |_| {
                let Some(sidecar) = shared.sidecar(&pod) else {
                    return;
                };
                if let (Some(trust), Some(store)) = (gift.trust, sidecar.identity()) {
                    store.set_trust(trust);
                }
                if gift.renews && sidecar.identity().is_some() {
                    sidecar.renew_certificate();
                    renewed.set(renewed.get() + 1);
                }
            });
        }
    }
}

impl Active for Rotating {
    fn heal(&mut self, _: &mut Scene<'_>) {}

    fn touched(&self, _: &Fabric) -> Touched {
        Touched {
            pods: self.renewed.get(),
            ..Touched::default()
        }
    }
}

/// Pods whose packets are not redirected to their sidecar.
struct Past {
    /// Their ways past it, and how many requests had gone that way before.
    ways: Vec<(Rc<Bypass>, u64)>,
}

impl Past {
    fn begin(scene: &Scene<'_>, pods: &PodSelector, beginning: &mut Beginning) -> Self {
        let way = |pod: Arc<str>| {
            let way = scene.shared.bypass(&pod);
            way.set(true);
            let before = way.requests();
            (way, before)
        };
        Self {
            ways: beginning.draw(pods).into_iter().map(way).collect(),
        }
    }
}

impl Active for Past {
    fn heal(&mut self, _: &mut Scene<'_>) {
        self.ways.iter().for_each(|(way, _)| way.set(false));
    }

    fn touched(&self, _: &Fabric) -> Touched {
        let gone = |(way, before): &(Rc<Bypass>, u64)| way.requests() - before;
        let used = self.ways.iter().map(gone).filter(|n| *n > 0);
        Touched {
            pods: u32::try_from(used.clone().count()).unwrap_or(u32::MAX),
            packets: 0,
            requests: used.sum(),
        }
    }
}

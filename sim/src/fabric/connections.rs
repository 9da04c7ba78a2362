//! The connections there are, found by address or by number.
//!
//! A number outlives its connection without harm: it tells of which generation
//! it is. A connection is forgotten once both ends have let go of it.

use std::net::SocketAddr;

use super::HostId;
use super::address_map::AddressMap;
use super::connection::{Conn, End};

/// A handle to a connection that may be over by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnRef {
    index: u32,
    generation: u32,
}

/// Which connection, and which end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndRef {
    pub(super) conn: ConnRef,
    pub(super) side: usize,
}

impl EndRef {
    /// The other end.
    pub(super) fn peer(self) -> Self {
        Self {
            conn: self.conn,
            side: 1 - self.side,
        }
    }
}

/// The live connections.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<Option<Conn>>,
    free: Vec<u32>,
    next_generation: u32,
    by_addresses: AddressMap<(SocketAddr, SocketAddr), (u32, u8)>,
}

impl Connections {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The sender's end of a packet from `src` to `dst`.
    pub(super) fn find(&self, src: SocketAddr, dst: SocketAddr) -> Option<EndRef> {
        let &(index, side) = self.by_addresses.get(&(src, dst))?;
        let generation = self.slots[index as usize].as_ref()?.generation;
        Some(EndRef {
            conn: ConnRef { index, generation },
            side: usize::from(side),
        })
    }

    /// The connection, unless it is over.
    pub(super) fn get(&mut self, conn: ConnRef) -> Option<&mut Conn> {
        let slot = self.slots.get_mut(conn.index as usize)?.as_mut()?;
        (slot.generation == conn.generation).then_some(slot)
    }

    /// A new connection, opened by `ends[0]`. One that had the same addresses is forgotten.
    pub(super) fn open(&mut self, ends: [End; 2], links: [Option<u32>; 2]) -> EndRef {
        let addrs = ends.map(|end| end.addr);
        if let Some(old) = self.find(addrs[0], addrs[1]) {
            self.forget(old.conn);
        }
        self.next_generation = self.next_generation.wrapping_add(1);
        let conn = Conn::new(self.next_generation, ends, links);
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(None);
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 connections")
            }
        };
        self.slots[index as usize] = Some(conn);
        self.by_addresses.insert((addrs[0], addrs[1]), (index, 0));
        self.by_addresses.insert((addrs[1], addrs[0]), (index, 1));
        let generation = self.next_generation;
        EndRef {
            conn: ConnRef { index, generation },
            side: 0,
        }
    }

    /// Forgets the connection if nobody will ever hear of it again.
    pub(super) fn forget_if_over(&mut self, conn: ConnRef) {
        if self.get(conn).is_some_and(|conn| conn.is_over()) {
            self.forget(conn);
        }
    }

    fn forget(&mut self, conn: ConnRef) {
        let Some(gone) = self.slots[conn.index as usize].take() else {
            return;
        };
        let [a, b] = gone.ends.map(|end| end.addr);
        self.by_addresses.swap_remove(&(a, b));
        self.by_addresses.swap_remove(&(b, a));
        self.free.push(conn.index);
    }

    /// Every connection with an end on `host`, and which end.
    pub(super) fn of_host(&self, host: HostId) -> Vec<EndRef> {
        let mut found = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(conn) = slot else { continue };
            for side in 0..2 {
                if conn.ends[side].host == Some(host) {
                    let generation = conn.generation;
                    let index = index as u32;
                    found.push(EndRef {
                        conn: ConnRef { index, generation },
                        side,
                    });
                }
            }
        }
        found
    }
}

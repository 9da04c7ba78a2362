//! Maps keyed by addresses, with one order everywhere.

use std::hash::{BuildHasherDefault, Hasher};

use indexmap::IndexMap;

/// Hashes addresses quickly and the same everywhere (the multiply-rotate hash of rustc).
#[derive(Default)]
pub(super) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes its position from the low bits, the hash is best in the high ones.
        self.0.rotate_left(26)
    }
}

/// An [`IndexMap`] with that hash.
pub(super) type AddressMap<K, V> = IndexMap<K, V, BuildHasherDefault<AddressHasher>>;

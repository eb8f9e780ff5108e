//! Numbers for the keys of a part of a side, in which those of the other side are looked up.

use std::hint::black_box;

/// The keys, numbered from 0.
#[derive(Debug)]
pub(crate) struct Groups {
    /// By hash, from where it points to on: a key's hash, and one more than its number; 0 is free.
    /// At most half of them are taken.
    slots: Vec<u64>,
    hashes: Vec<u32>,
    /// The bytes of the keys, one after the other, and where each of them ends.
    keys: Vec<u8>,
    ends: Vec<usize>,
}

const FIRST_SLOTS: usize = 64;

impl Groups {
    pub(crate) fn new() -> Self {
        let (hashes, keys, ends) = (Vec::new(), Vec::new(), Vec::new());
        Self { slots: vec![0; FIRST_SLOTS], hashes, keys, ends }
    }

    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Returns how much memory they take, in bytes.
    pub(crate) fn size(&self) -> usize {
        let Self { slots, hashes, keys, ends } = self;
        8 * slots.capacity() + 4 * hashes.capacity() + keys.capacity() + 8 * ends.capacity()
    }

    /// Reads all of it in order, which memory answers sooner than lookups all over it.
    pub(crate) fn warm_up(&self) {
        const LINE: usize = 64;
        let slots = self.slots.iter().step_by(LINE / 8).fold(0, |sum, slot| sum ^ slot);
        let ends = self.ends.iter().step_by(LINE / 8).fold(0, |sum, end| sum ^ end);
        let keys = self.keys.iter().step_by(LINE).fold(0, |sum, byte| sum ^ byte);
        black_box((slots, ends, keys));
    }

    /// Returns the number of a key, if the side has it.
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        self.slot(hash, key).ok()
    }

    /// Returns the number of a key, a new one if need be.
    pub(crate) fn add(&mut self, hash: u32, key: &[u8]) -> u32 {
        self.slot(hash, key).unwrap_or_else(|slot| {
            let group = self.hashes.len() as u32;
            self.slots[slot] = entry(hash, group);
            self.hashes.push(hash);
            self.keys.extend_from_slice(key);
            self.ends.push(self.keys.len());
            if 2 * self.hashes.len() > self.slots.len() {
                self.grow();
            }
            group
        })
    }

    fn key(&self, group: usize) -> &[u8] {
        let begin = if group == 0 { 0 } else { self.ends[group - 1] };
        &self.keys[begin..self.ends[group]]
    }

    /// Returns the number of a key, or the free slot where it would be.
    fn slot(&self, hash: u32, key: &[u8]) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let taken = self.slots[place];
            if taken == 0 {
                return Err(place);
            }
            let group = taken as u32 - 1;
            if (taken >> 32) as u32 == hash && is_equal(self.key(group as usize), key) {
                return Ok(group);
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let n_slots = 4 * self.slots.len();
        self.slots.clear();
        self.slots.resize(n_slots, 0);
        for (hash, group) in self.hashes.iter().zip(0_u32..) {
            let mut place = *hash as usize & (n_slots - 1);
            while self.slots[place] != 0 {
                place = (place + 1) & (n_slots - 1);
            }
            self.slots[place] = entry(*hash, group);
        }
    }
}

/// Compares keys; those of a join without keys are empty.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (other.is_empty() || one == other)
}

fn entry(hash: u32, group: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(group + 1)
}

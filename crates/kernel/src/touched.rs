//! Which slots were written lately.

use alloc::vec::Vec;

/// Slots in the order in which they were first written.
#[derive(Clone, Default)]
pub struct Touched {
    slots: Vec<u32>,
    is_touched: Vec<u64>,
}

impl Touched {
    /// Note a slot.
    #[inline]
    pub fn add(&mut self, slot: u32) {
        let (block, bit) = (slot as usize / 64, 1 << (slot % 64));
        if block >= self.is_touched.len() {
            self.is_touched.resize(block + 1, 0);
        }
        if self.is_touched[block] & bit == 0 {
            self.is_touched[block] |= bit;
            self.slots.push(slot);
        }
    }

    /// Return the slots noted since the last call, each once.
    pub fn take(&mut self) -> Vec<u32> {
        for slot in &self.slots {
            self.is_touched[*slot as usize / 64] = 0;
        }
        core::mem::take(&mut self.slots)
    }
}

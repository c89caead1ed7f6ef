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
    #[inline(always)]
    pub fn add(&mut self, slot: u32) {
        let (block, bit) = (slot as usize / 64, 1 << (slot % 64));
        match self.is_touched.get_mut(block) {
            Some(bits) if *bits & bit != 0 => {}
            Some(bits) => {
                *bits |= bit;
                self.slots.push(slot);
            }
            None => self.grow(slot),
        }
    }

    #[cold]
    fn grow(&mut self, slot: u32) {
        self.is_touched.resize(slot as usize / 64 + 1, 0);
        self.add(slot);
    }

    /// Return a slot noted since the last was returned, each once, or nothing.
    #[inline]
    pub fn pop(&mut self) -> Option<u32> {
        let slot = self.slots.pop()?;
        self.is_touched[slot as usize / 64] &= !(1 << (slot % 64));
        Some(slot)
    }

    /// Return the slots noted since the last call, each once.
    pub fn take(&mut self) -> Vec<u32> {
        for slot in &self.slots {
            self.is_touched[*slot as usize / 64] = 0;
        }
        core::mem::take(&mut self.slots)
    }
}

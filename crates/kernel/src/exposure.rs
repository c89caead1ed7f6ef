//! Exposures: what one account holds in one instrument, and what its orders there could add.

use core::ops::Add;

use crate::limits::Side;

/// Position, open orders and what they reserve, of one account in one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    pub lots: i64,
    pub buys: i64,
    pub sells: i64,
    pub reserve_atoms: i128,
}

impl Add for Exposure {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            lots: self.lots + other.lots,
            buys: self.buys + other.buys,
            sells: self.sells + other.sells,
            reserve_atoms: self.reserve_atoms + other.reserve_atoms,
        }
    }
}

impl Exposure {
    /// Return a position without orders.
    pub fn of_lots(lots: i64) -> Self {
        Self { lots, ..Self::default() }
    }

    /// Return whether nothing is held, and nothing could come of orders.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.lots == 0 && self.buys == 0 && self.sells == 0
    }

    /// Return the most lots, either way, that it can come to: the position, with all buys or sells.
    #[inline]
    pub fn gross_lots(self) -> i64 {
        let (bought, sold) = (self.lots + self.buys, self.lots - self.sells);
        self.lots.abs().max(bought.abs()).max(sold.abs())
    }

    /// Return the position alone.
    pub fn held(self) -> Self {
        Self::of_lots(self.lots)
    }
}

/// What a command would add to an account's exposure in one instrument.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub instrument: u32,
    pub exposure: Exposure,
}

/// Return what an order adds to the exposure in its instrument; lots are negative if it goes.
pub fn resting(side: Side, lots: i64, reserve_atoms: i128) -> Exposure {
    match side {
        Side::Buy => Exposure { lots: 0, buys: lots, sells: 0, reserve_atoms },
        Side::Sell => Exposure { lots: 0, buys: 0, sells: lots, reserve_atoms },
    }
}

//! What a book takes in each of its states.
//!
//! The table stands in `docs/reference/protocol.md`.

use crate::limits::{InstrumentMode, InstrumentState};
use crate::records::instrument;
use crate::store::Store;
use crate::world::World;

/// What a state allows beside cancels, which every state allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub any_order: bool,
    pub post_only: bool,
    pub reduce_only: bool,
    pub trades: bool,
}

impl Rules {
    /// Return the rules of an instrument's state.
    pub fn of<S: Store>(world: &World<S>, slot: u32) -> Self {
        let state = InstrumentState::try_from(world.instrument(slot, instrument::STATE))
            .expect("listing and the governor write states");
        let none = Self::default();
        match state {
            InstrumentState::Open => {
                Self { any_order: true, post_only: true, reduce_only: true, trades: true }
            }
            InstrumentState::PreOpen => {
                Self { any_order: true, post_only: true, reduce_only: true, trades: false }
            }
            InstrumentState::PostOnly => Self { post_only: true, ..none },
            InstrumentState::Settling => Self { reduce_only: true, trades: true, ..none },
            InstrumentState::CancelOnly | InstrumentState::Halted | InstrumentState::Expired => {
                none
            }
        }
    }
}

fn is_batched<S: Store>(world: &World<S>, slot: u32) -> bool {
    world.instrument(slot, instrument::MODE) == InstrumentMode::BatchAuction as u8
}

/// Return whether an order that reaches another trades with it, and does not rest for an auction.
pub fn trades_at_once<S: Store>(world: &World<S>, slot: u32) -> bool {
    Rules::of(world, slot).trades && !is_batched(world, slot)
}

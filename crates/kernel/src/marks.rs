//! Marks: writing what a lot is worth now, and gains or loses in each scenario, to risk arrays.

use crate::arena::NO_SLOT;
use crate::commands::Remark;
use crate::events::Marked;
use crate::identifiers::instrument_id;
use crate::limits::{InstrumentState, REMARK_INSTRUMENTS_MAX, Reject};
use crate::listing::follow_terms;
use crate::payoff::{self, Market, Terms};
use crate::records::{expiry, instrument, risk_array};
use crate::store::Store;
use crate::world::World;

/// Price up to 16 instruments of an expiry again, in listing order from the cursor on.
///
/// Terms that the governor has changed since hold for them from now on, as `follow_terms` says.
///
/// What kind of instrument needs which observations, `payoff` says; one that lacks any is passed
/// over, and so is one that is halted: its mark stays.
///
/// Rejects EXPIRY_NOT_FOUND; CURSOR_INVALID if the cursor is no instrument of the expiry;
/// OBSERVATION_MISSING if none of the instruments can be priced.
pub fn remark<S: Store>(world: &mut World<S>, command: &Remark) -> Result<(), Reject> {
    if !world.contains(expiry::ARENA, command.expiry) {
        return Err(Reject::ExpiryNotFound);
    }
    let mut slot = match command.cursor {
        NO_SLOT => world.expiry(command.expiry, expiry::INSTRUMENTS_HEAD),
        cursor => cursor,
    };
    if !world.contains(instrument::ARENA, slot)
        || world.instrument(slot, instrument::EXPIRY) != command.expiry
    {
        return Err(Reject::CursorInvalid);
    }
    let market = Market::read(world, command.expiry);
    let mut marked = 0;
    for _ in 0..REMARK_INSTRUMENTS_MAX {
        if slot == NO_SLOT {
            break;
        }
        let terms = Terms::read(world, slot);
        let is_halted = world.instrument(slot, instrument::STATE) == InstrumentState::Halted as u8;
        if !is_halted && payoff::is_observed(terms.kind, &market) {
            follow_terms(world, slot);
            mark(world, slot, &terms, &market);
            marked += 1;
        }
        slot = world.instrument(slot, instrument::NEXT_IN_EXPIRY);
    }
    if marked == 0 { Err(Reject::ObservationMissing) } else { Ok(()) }
}

/// Write one instrument's risk array from the current observations.
fn mark<S: Store>(world: &mut World<S>, slot: u32, terms: &Terms, market: &Market) {
    let (mark_atoms, core) = payoff::array(terms, market);
    world.set_risk_array(slot, risk_array::MARK_ATOMS, mark_atoms);
    for (column, profit) in (0..).zip(core) {
        world.set_risk_array(slot, risk_array::CORE.item(column), profit);
    }
    world.set_risk_array(slot, risk_array::INDEX_VERSION, market.index_version);
    world.set_risk_array(slot, risk_array::FORWARD_VERSION, market.forward_version);
    world.set_risk_array(slot, risk_array::SURFACE_VERSION, market.surface_version);
    world.set_risk_array(slot, risk_array::PARAMETER_VERSION, market.parameter_version);
    world.set_risk_array(slot, risk_array::MARKED_NS, market.now_ns);
    let generation = world.instrument(slot, instrument::GENERATION);
    Marked { instrument: instrument_id(slot, generation), mark_atoms }.encode(world.events);
}

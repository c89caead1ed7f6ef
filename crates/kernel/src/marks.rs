//! Marks: writing what a lot is worth now, and gains or loses in each scenario, to risk arrays.

use crate::arena::NO_SLOT;
use crate::arrays::risk_array;
use crate::commands::Remark;
use crate::events::Marked;
use crate::funding;
use crate::identifiers::instrument_id;
use crate::limits::{InstrumentState, REMARK_INSTRUMENTS_MAX, Reject};
use crate::listing::follow_terms;
use crate::payoff::{Market, Terms, kind_of};
use crate::records::{self, expiry, instrument};
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
    let is_open = world.contains(expiry::ARENA, command.expiry)
        && world.expiry(command.expiry, expiry::UNDERLYING) != NO_SLOT;
    if !is_open {
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
        let is_halted = world.instrument(slot, instrument::STATE) == InstrumentState::Halted as u8;
        if !is_halted && market.is_observed(kind_of(world, slot)) {
            follow_terms(world, slot);
            funding::accrue(world, slot);
            mark(world, slot, &market);
            marked += 1;
        }
        slot = world.instrument(slot, instrument::NEXT_IN_EXPIRY);
    }
    if marked == 0 { Err(Reject::ObservationMissing) } else { Ok(()) }
}

/// Write one instrument's risk array from the current observations.
fn mark<S: Store>(world: &mut World<S>, slot: u32, market: &Market) {
    use records::risk_array as field;
    let array = risk_array(&Terms::read(world, slot), market);
    world.set_risk_array(slot, field::MARK_ATOMS, array.mark_atoms);
    for (column, profit) in (0..).zip(array.core) {
        world.set_risk_array(slot, field::CORE.item(column), profit);
    }
    for (column, profit) in (0..).zip(array.tails) {
        world.set_risk_array(slot, field::TAILS.item(column), profit);
    }
    world.set_risk_array(slot, field::SKEW_LINEAR_ATOMS, array.skew_linear_atoms);
    world.set_risk_array(slot, field::SKEW_ABSOLUTE_ATOMS, array.skew_absolute_atoms);
    world.set_risk_array(slot, field::DELTA_ATOMS, array.delta_atoms);
    world.set_risk_array(slot, field::BASIS_ATOMS, array.basis_atoms);
    world.set_risk_array(slot, field::SLOPE_UP_ATOMS, array.slope_up_atoms);
    world.set_risk_array(slot, field::SLOPE_DOWN_ATOMS, array.slope_down_atoms);
    world.set_risk_array(slot, field::FRESH_UNTIL_NS, array.fresh_until_ns);
    world.set_risk_array(slot, field::INDEX_VERSION, market.index_version());
    world.set_risk_array(slot, field::FORWARD_VERSION, market.forward_version());
    world.set_risk_array(slot, field::SURFACE_VERSION, market.surface_version());
    world.set_risk_array(slot, field::PARAMETER_VERSION, market.parameter_version);
    world.set_risk_array(slot, field::MARKED_NS, market.now_ns);
    let generation = world.instrument(slot, instrument::GENERATION);
    let instrument = instrument_id(slot, generation);
    Marked { instrument, mark_atoms: array.mark_atoms }.encode(world.events);
}

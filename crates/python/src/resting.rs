//! The orders that rest, read off the state at once.

use proofbook_kernel::arena::high_water;
use proofbook_kernel::cancellation::end_of;
use proofbook_kernel::glance::{Glance, ask};
use proofbook_kernel::identifiers::{instrument_id, order_id};
use proofbook_kernel::limits::TimeInForce;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::{instrument, order};
use proofbook_kernel::world::World;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Order, account, instrument, side, ticks, lots, label; when its time is over (0: never),
/// protection and its epoch.
pub type OrderRow<'py> = (u64, u32, u32, u8, u32, u64, Bound<'py, PyBytes>, u64, u16, u32);

/// Account and order.
pub type OverRow = (u32, u64);

/// Return the orders that can trade, by slot, and those that can trade no more and are still there.
pub fn resting_orders<'py>(
    py: Python<'py>,
    store: &NativeStore,
) -> (Vec<OrderRow<'py>>, Vec<OverRow>) {
    let (mut live, mut over) = (Vec::new(), Vec::new());
    ask(store, |world| {
        for slot in 1..high_water(store, order::ARENA) {
            let account = world.order(slot, order::ACCOUNT);
            if account == 0 {
                continue;
            }
            if end_of(world, slot).is_some() {
                over.push((account, order_id(slot, world.order(slot, order::GENERATION))));
            } else {
                live.push(row(py, world, slot));
            }
        }
    });
    (live, over)
}

fn row<'py>(py: Python<'py>, world: &World<Glance<NativeStore>>, slot: u32) -> OrderRow<'py> {
    let book = world.order(slot, order::INSTRUMENT);
    let is_timed = world.order(slot, order::TIME_IN_FORCE) == TimeInForce::GoodTillTime as u8;
    (
        order_id(slot, world.order(slot, order::GENERATION)),
        world.order(slot, order::ACCOUNT),
        instrument_id(book, world.instrument(book, instrument::GENERATION)),
        world.order(slot, order::SIDE),
        world.order(slot, order::PRICE_TICKS),
        world.order(slot, order::LOTS_REMAINING),
        PyBytes::new(py, &world.order(slot, order::LABEL)),
        if is_timed { world.order(slot, order::EXPIRES_NS) } else { 0 },
        world.order(slot, order::PROTECTION),
        world.order(slot, order::PROTECTION_EPOCH),
    )
}

//! Positions: what an account holds of an instrument, how trades change it, and what becomes cash.
//!
//! An option is paid for at once, in cash. A perpetual or a future costs nothing to enter: the
//! position notes what was paid for its lots, its entry, and the difference to the mark becomes
//! cash when it is closed or when variation is settled.

use crate::accounts::add_cash;
use crate::arena::NO_SLOT;
use crate::expiry_events::PositionSettled;
use crate::funding;
use crate::identifiers::instrument_id;
use crate::limits::Side;
use crate::owners;
use crate::payoff::{self, Payoff};
use crate::records::{account, deleveraging, instrument, position, risk_array};
use crate::store::Store;
use crate::trie::{self, INSTRUMENT_DEPTH};
use crate::views::{Editor, Record};
use crate::world::World;

/// Return whether value accrues in the position's entry (perpetuals, futures), not as premium in
/// cash.
#[inline]
pub fn is_linear<S: Store>(world: &World<S>, instrument: u32) -> bool {
    Payoff::of(payoff::kind_of(world, instrument)).is_linear
}

/// Return the slot of the account's position in an instrument (by slot), or 0.
#[inline]
pub fn find_position<S: Store>(world: &World<S>, account: u32, instrument: u32) -> u32 {
    if let Some(slot) = world.store.known_position(account, instrument) {
        return slot;
    }
    let root = world.account(account, account::POSITIONS_ROOT);
    trie::find(world.store, root, instrument, INSTRUMENT_DEPTH)
}

/// Return what a position counts towards the instruments of its account.
///
/// In a combo as many as margin adds up for it: itself and each leg, though its legs may be there.
pub fn margined<S: Store>(world: &World<S>, instrument: u32) -> u32 {
    1 + world.instrument(instrument, instrument::LEGS_COUNT) as u32
}

/// Make the record that holds the account's lots and orders in an instrument; return its slot.
pub fn open_position<S: Store>(world: &mut World<S>, account: u32, instrument: u32) -> u32 {
    let slot = world.allocate(position::ARENA);
    let tail = world.account(account, account::POSITIONS_TAIL);
    let epoch = world.account(account, account::ORDER_EPOCH);
    world.edit_position(slot, |opened| {
        opened.set(position::ACCOUNT, account);
        opened.set(position::INSTRUMENT, instrument);
        opened.set(position::ORDER_EPOCH, epoch);
        opened.set(position::PREVIOUS_IN_ACCOUNT, tail);
    });
    if tail == NO_SLOT {
        world.set_account(account, account::POSITIONS_HEAD, slot);
    } else {
        world.set_position(tail, position::NEXT_IN_ACCOUNT, slot);
    }
    world.set_account(account, account::POSITIONS_TAIL, slot);
    let count = world.account(account, account::POSITIONS_COUNT);
    let margined = margined(world, instrument);
    world.set_account(account, account::POSITIONS_COUNT, count + margined);
    let root = world.account(account, account::POSITIONS_ROOT);
    let root = trie::insert(world.store, root, instrument, INSTRUMENT_DEPTH, slot);
    world.set_account(account, account::POSITIONS_ROOT, root);
    world.store.remember_position(account, instrument, slot);
    join_instrument(world, slot, instrument);
    slot
}

/// Put a position at the end of its instrument's list of holders.
fn join_instrument<S: Store>(world: &mut World<S>, slot: u32, traded: u32) {
    let tail = world.instrument(traded, instrument::HOLDERS_TAIL);
    world.set_position(slot, position::PREVIOUS_IN_INSTRUMENT, tail);
    if tail == NO_SLOT {
        world.set_instrument(traded, instrument::HOLDERS_HEAD, slot);
    } else {
        world.set_position(tail, position::NEXT_IN_INSTRUMENT, slot);
    }
    world.set_instrument(traded, instrument::HOLDERS_TAIL, slot);
    let count = world.instrument(traded, instrument::HOLDERS_COUNT);
    world.set_instrument(traded, instrument::HOLDERS_COUNT, count + 1);
}

/// Take a position out of its instrument's list of holders; a cursor on it goes on.
fn leave_instrument<S: Store>(world: &mut World<S>, slot: u32, traded: u32) {
    let before = world.position(slot, position::PREVIOUS_IN_INSTRUMENT);
    let after = world.position(slot, position::NEXT_IN_INSTRUMENT);
    if before == NO_SLOT {
        world.set_instrument(traded, instrument::HOLDERS_HEAD, after);
    } else {
        world.set_position(before, position::NEXT_IN_INSTRUMENT, after);
    }
    if after == NO_SLOT {
        world.set_instrument(traded, instrument::HOLDERS_TAIL, before);
    } else {
        world.set_position(after, position::PREVIOUS_IN_INSTRUMENT, before);
    }
    let count = world.instrument(traded, instrument::HOLDERS_COUNT);
    world.set_instrument(traded, instrument::HOLDERS_COUNT, count - 1);
    let running = world.instrument(traded, instrument::DELEVERAGING);
    if running != NO_SLOT && world.deleveraging(running, deleveraging::CURSOR) == slot {
        world.set_deleveraging(running, deleveraging::CURSOR, after);
    }
}

/// Free the record if it holds neither lots nor entry nor orders.
pub fn release_position<S: Store>(world: &mut World<S>, slot: u32) {
    let held = world.position_record(slot);
    let is_needed = held.get(position::LOTS) != 0
        || held.get(position::ENTRY_ATOMS) != 0
        || held.get(position::ORDERS_RESIDENT) != 0;
    if is_needed {
        return;
    }
    let (account, instrument) = (held.get(position::ACCOUNT), held.get(position::INSTRUMENT));
    unlink_position(world, slot, account);
    leave_instrument(world, slot, instrument);
    let count = world.account(account, account::POSITIONS_COUNT);
    let margined = margined(world, instrument);
    world.set_account(account, account::POSITIONS_COUNT, count - margined);
    let root = world.account(account, account::POSITIONS_ROOT);
    let root = trie::remove(world.store, root, instrument, INSTRUMENT_DEPTH);
    world.set_account(account, account::POSITIONS_ROOT, root);
    world.store.remember_position(account, instrument, NO_SLOT);
    world.free(position::ARENA, slot);
}

fn unlink_position<S: Store>(world: &mut World<S>, slot: u32, account: u32) {
    let before = world.position(slot, position::PREVIOUS_IN_ACCOUNT);
    let after = world.position(slot, position::NEXT_IN_ACCOUNT);
    if before == NO_SLOT {
        world.set_account(account, account::POSITIONS_HEAD, after);
    } else {
        world.set_position(before, position::NEXT_IN_ACCOUNT, after);
    }
    if after == NO_SLOT {
        world.set_account(account, account::POSITIONS_TAIL, before);
    } else {
        world.set_position(after, position::PREVIOUS_IN_ACCOUNT, before);
    }
}

/// Add signed lots bought for `value_atoms` (negative when sold) to a position, exactly.
///
/// Premium of an option moves cash; value of a linear instrument moves the entry, which joins cash
/// on closing. A perpetual's funding up to now is paid first.
pub fn trade<S: Store>(world: &mut World<S>, slot: u32, lots: i64, value_atoms: i128) {
    let account = world.position(slot, position::ACCOUNT);
    let instrument = world.position(slot, position::INSTRUMENT);
    funding::accrue(world, instrument);
    funding::settle(world, slot);
    let before = world.position(slot, position::LOTS);
    let after = before + lots;
    world.set_position(slot, position::LOTS, after);
    let interest = world.instrument(instrument, instrument::OPEN_INTEREST_LOTS);
    let interest = (interest + after.max(0) as u64) - before.max(0) as u64;
    world.set_instrument(instrument, instrument::OPEN_INTEREST_LOTS, interest);
    owners::count(world, account, instrument, before, after);
    if !is_linear(world, instrument) {
        add_cash(world, account, -value_atoms);
        return;
    }
    let entry = world.position(slot, position::ENTRY_ATOMS) - value_atoms;
    if after == 0 {
        add_cash(world, account, entry);
        world.set_position(slot, position::ENTRY_ATOMS, 0);
    } else {
        world.set_position(slot, position::ENTRY_ATOMS, entry);
    }
}

/// Return whether the instrument's expiry is settled and its mark is final.
#[inline]
pub fn is_settled<S: Store>(world: &World<S>, instrument: u32) -> bool {
    world.instrument(instrument, instrument::SETTLED_NS) != 0
}

/// Close a position at the final mark of its instrument, if it has one: linear or not, in cash.
///
/// The other side of every lot does so too, at the same mark: no atom is lost.
pub fn close_settled<S: Store>(world: &mut World<S>, slot: u32) {
    let listed = world.position(slot, position::INSTRUMENT);
    let lots = world.position(slot, position::LOTS);
    if lots == 0 || !is_settled(world, listed) {
        return;
    }
    let mark_atoms = mark_atoms(world, listed);
    trade(world, slot, -lots, -lots as i128 * mark_atoms as i128);
    let account = world.position(slot, position::ACCOUNT);
    let instrument = instrument_id(listed, world.instrument(listed, instrument::GENERATION));
    PositionSettled { account, instrument, lots, mark_atoms }.encode(world.events);
}

/// Return what `close_settled` and funding would add to an account's cash, had they been asked.
///
/// Whoever is asked for his cash has it, though nobody has settled it yet.
pub fn due_atoms<S: Store>(world: &World<S>, account: u32) -> i128 {
    if let Some(due_atoms) = world.store.known_due(account) {
        return due_atoms;
    }
    let mut due = 0;
    for slot in world.positions_of(account) {
        due -= funding::pending_atoms(world, slot);
        let instrument = world.position(slot, position::INSTRUMENT);
        if is_settled(world, instrument) {
            let lots = world.position(slot, position::LOTS) as i128;
            due += world.position(slot, position::ENTRY_ATOMS);
            due += lots * mark_atoms(world, instrument) as i128;
        }
    }
    due
}

/// Move the profit of every linear position at its mark into cash.
///
/// cash += entry + lots · mark; entry = −lots · mark. Their funding is paid too, and what has
/// its final mark is closed, options as well. The records of what is closed stay until a
/// SettleAccount.
pub fn settle_variation<S: Store>(world: &mut World<S>, account: u32) {
    let mut profit_atoms = 0;
    let mut slot = world.account(account, account::POSITIONS_HEAD);
    while slot != NO_SLOT {
        close_settled(world, slot);
        let lots = world.position(slot, position::LOTS);
        let instrument = world.position(slot, position::INSTRUMENT);
        if is_linear(world, instrument) && lots != 0 {
            let value_atoms = lots as i128 * mark_atoms(world, instrument) as i128;
            profit_atoms += world.position(slot, position::ENTRY_ATOMS) + value_atoms;
            world.set_position(slot, position::ENTRY_ATOMS, -value_atoms);
            funding::settle(world, slot);
        }
        slot = world.position(slot, position::NEXT_IN_ACCOUNT);
    }
    add_cash(world, account, profit_atoms);
}

/// Return the mark of an instrument, in atoms per lot.
#[inline(always)]
pub fn mark_atoms<S: Store>(world: &World<S>, instrument: u32) -> i64 {
    world.risk_array(instrument, risk_array::MARK_ATOMS)
}

/// What the live orders of a position could add to it, and what they reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOrders {
    pub buys: u64,
    pub sells: u64,
    pub reserve_atoms: i128,
}

/// Return what the live orders of a position are; nothing after a CancelAll.
#[inline]
pub fn open_orders<S: Store>(world: &World<S>, position: u32) -> OpenOrders {
    let held = world.position_record(position);
    if held.get(position::ORDER_EPOCH) != world.live_epoch(held.get(position::ACCOUNT)) {
        return OpenOrders::default();
    }
    OpenOrders {
        buys: held.get(position::OPEN_BUY_LOTS),
        sells: held.get(position::OPEN_SELL_LOTS),
        reserve_atoms: held.get(position::ORDER_RESERVE_ATOMS),
    }
}

/// Forget what orders of another epoch could add.
#[inline]
pub fn renew(held: &mut impl Editor, order_epoch: u32) {
    if held.get(position::ORDER_EPOCH) == order_epoch {
        return;
    }
    held.set(position::OPEN_BUY_LOTS, 0);
    held.set(position::OPEN_SELL_LOTS, 0);
    held.set(position::ORDER_RESERVE_ATOMS, 0);
    held.set(position::COMBO_BUY_LOTS, 0);
    held.set(position::COMBO_SELL_LOTS, 0);
    held.set(position::ORDER_EPOCH, order_epoch);
}

/// Return the lots of a side that an account holds or may come to hold: orders of combos too.
pub fn reach<S: Store>(world: &World<S>, held: u32, side: Side) -> i64 {
    if held == NO_SLOT {
        return 0;
    }
    let held = world.position_record(held);
    let is_live = held.get(position::ORDER_EPOCH) == world.live_epoch(held.get(position::ACCOUNT));
    let open = |own, of_combos| match is_live {
        true => held.get(own) as i64 + held.get(of_combos) as i64,
        false => 0,
    };
    let lots = held.get(position::LOTS);
    match side {
        Side::Buy => lots + open(position::OPEN_BUY_LOTS, position::COMBO_BUY_LOTS),
        Side::Sell => open(position::OPEN_SELL_LOTS, position::COMBO_SELL_LOTS) - lots,
    }
}

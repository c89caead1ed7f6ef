//! Premiums: how far the impact price of a book's side lies beyond the index, kept for as long as
//! none of the orders that it was found from has changed.
//!
//! The store tells what is written. A write to an order that was walked over, or a new level before
//! the last one of them, makes its side unknown; so does, of all books, what may end orders or give
//! a protection room. What time alone changes has a moment from which on it is not believed. None
//! of this enters the state; a store without it walks each time, to the same.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::field::{Field, WORD_BYTES};
use crate::limits::{ArenaId, FUNDING_ORDERS_MAX, Side};
use crate::records::{account, instrument, order};

const SIDES: usize = 2;
const NO_BOOK: u16 = 0;
const _: () = assert!(instrument::ARENA.capacity() as usize * SIDES <= u16::MAX as usize);

/// A version of what may end orders that never comes.
const NO_VERSION: u64 = u64::MAX;

/// What was seen on the way from the best order of a side on.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// The orders passed, as many as are not 0.
    orders: [u32; FUNDING_ORDERS_MAX as usize],
    passed: usize,
    /// The price of the last level looked at: only a better one can add to what was seen.
    last_ticks: u32,
    /// Until when the orders passed trade what they did if nobody says anything.
    until_ns: u64,
}

impl Walk {
    /// Return a walk that has seen the whole of a side, with nothing in it.
    pub fn new(side: u8) -> Self {
        let last_ticks = if side == Side::Buy as u8 { 0 } else { u32::MAX };
        Self { orders: Default::default(), passed: 0, last_ticks, until_ns: u64::MAX }
    }

    /// Note an order passed, and until when it trades what it does.
    #[inline]
    pub fn pass(&mut self, slot: u32, until_ns: u64) {
        self.orders[self.passed] = slot;
        self.passed += 1;
        self.until_ns = self.until_ns.min(until_ns);
    }

    /// Note that nothing beyond a price matters.
    #[inline]
    pub fn end_at(&mut self, price_ticks: u32) {
        self.last_ticks = price_ticks;
    }

    /// Return whether as many orders were passed as are looked at.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.passed == self.orders.len()
    }

    fn orders(&self) -> &[u32] {
        &self.orders[..self.passed]
    }
}

/// What is known of one side of a book, at one value of the index.
#[derive(Clone, Copy, Debug)]
struct Excess {
    index_value: i64,
    excess_ppm: i128,
    version: u64,
    walk: Walk,
}

/// What is known of all books.
#[derive(Clone, Debug, Default)]
pub struct Premiums {
    /// By instrument and side.
    known: Vec<Option<Box<Excess>>>,
    /// By order: for which of these it was passed.
    passed_for: Vec<u16>,
    version: u64,
}

impl Premiums {
    /// Return by how much a side lies beyond an index value, if it is known.
    #[inline]
    pub fn find(&self, book: u32, side: u8, index_value: i64, now_ns: u64) -> Option<i128> {
        let known = self.known.get(place_of(book, side))?.as_deref()?;
        let is_current = known.version == self.version
            && known.index_value == index_value
            && now_ns <= known.walk.until_ns;
        is_current.then_some(known.excess_ppm)
    }

    /// Remember what a walk came to.
    pub fn remember(
        &mut self,
        book: u32,
        side: u8,
        index_value: i64,
        excess_ppm: i128,
        walk: &Walk,
    ) {
        let place = place_of(book, side);
        self.forget(place);
        let slots = walk.orders().iter().max().map_or(0, |&slot| slot as usize + 1);
        if self.passed_for.len() < slots {
            self.passed_for.resize(slots.next_power_of_two(), NO_BOOK);
        }
        for &slot in walk.orders() {
            self.passed_for[slot as usize] = place as u16;
        }
        if self.known.len() <= place {
            self.known.resize(place + 1, None);
        }
        let excess = Excess { index_value, excess_ppm, version: self.version, walk: *walk };
        match &mut self.known[place] {
            Some(known) => **known = excess,
            none => *none = Some(Box::new(excess)),
        }
    }

    /// Take notice of a level that was not there before.
    pub fn note_level(&mut self, book: u32, side: u8, price_ticks: u32) {
        let place = place_of(book, side);
        let Some(Some(known)) = self.known.get(place) else { return };
        let is_before = match side == Side::Buy as u8 {
            true => price_ticks > known.walk.last_ticks,
            false => price_ticks < known.walk.last_ticks,
        };
        if is_before {
            self.forget(place);
        }
    }

    /// Take notice of writes to words of a record, one bit each, and whether they move all books.
    #[inline(always)]
    pub fn note_words(&mut self, arena: ArenaId, slot: u32, written: u64, moves_all: bool) {
        if matches!(arena, ArenaId::Orders) && written & DECIDE_TRADE != 0 {
            self.note_order(slot);
        }
        self.version += moves_all as u64;
    }

    #[inline(always)]
    fn note_order(&mut self, slot: u32) {
        let place = self.passed_for.get(slot as usize).copied().unwrap_or(NO_BOOK);
        if place != NO_BOOK {
            self.forget(place as usize);
        }
    }

    #[cold]
    fn forget(&mut self, place: usize) {
        let Some(Some(known)) = self.known.get_mut(place) else { return };
        known.version = NO_VERSION;
        for &slot in known.walk.orders() {
            let passed_for = &mut self.passed_for[slot as usize];
            if *passed_for == place as u16 {
                *passed_for = NO_BOOK;
            }
        }
        known.walk.passed = 0;
    }
}

/// Return where a side of a book is kept; no instrument has slot 0.
#[inline(always)]
fn place_of(book: u32, side: u8) -> usize {
    book as usize * SIDES + (side == Side::Buy as u8) as usize
}

/// The words of an order that say whether it trades, how much, or what comes after it, a bit each.
///
/// The other has links in the list of its account, and what is written before an order rests.
const DECIDE_TRADE: u64 = !(1 << (order::NEXT_IN_ACCOUNT.0 / WORD_BYTES));

/// Return whether a write to some fields may end orders of many books, or say how much of them
/// trades or counts.
#[inline(always)]
pub fn moves_all(arena: ArenaId, is_written: impl Fn(u32) -> bool) -> bool {
    match arena {
        ArenaId::Accounts => {
            is_written(account::ORDER_EPOCH.offset()) || is_written(account::DEAD_MAN_NS.offset())
        }
        ArenaId::Protections | ArenaId::Parameters => true,
        ArenaId::Instruments => {
            is_written(instrument::LOT_NANOS.offset())
                || is_written(instrument::TICK_VALUE_ATOMS.offset())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{LAYOUTS, open};
    use crate::caches::CachedStore;
    use crate::funding::excess_ppm;
    use crate::limits::{FRACTION_ONE_PPM, TimeInForce};
    use crate::records::{global, level, parameters};
    use crate::trie::{self, PRICE_DEPTH};
    use crate::world::{PARAMETERS_SLOT, World};

    const BOOK: u32 = 1;
    const OWNER: u32 = 1;
    const BUY: u8 = Side::Buy as u8;
    const TICK_ATOMS: u64 = 1_000_000;
    const PRICE_TICKS: u32 = 100;
    /// Half of the bid's value: it lies above by as much as all of it.
    const INDEX_VALUE: i64 = 50 * TICK_ATOMS as i64;
    const END_NS: u64 = 10;

    /// Let the one bid of a book be good until a moment, by its own time or its owner's deadline.
    fn rest_bid(world: &mut World<CachedStore>, time_in_force: TimeInForce, deadline_ns: u64) {
        world.set_parameters(PARAMETERS_SLOT, parameters::FUNDING_IMPACT_USD, 1);
        world.set_instrument(BOOK, instrument::TICK_VALUE_ATOMS, TICK_ATOMS);
        world.set_account(OWNER, account::DEAD_MAN_NS, deadline_ns);
        let (slot, joined) = (world.allocate(order::ARENA), world.allocate(level::ARENA));
        world.set_order(slot, order::ACCOUNT, OWNER);
        world.set_order(slot, order::INSTRUMENT, BOOK);
        world.set_order(slot, order::SIDE, BUY);
        world.set_order(slot, order::PRICE_TICKS, PRICE_TICKS);
        world.set_order(slot, order::LOTS_REMAINING, 1);
        world.set_order(slot, order::TIME_IN_FORCE, time_in_force as u8);
        world.set_order(slot, order::EXPIRES_NS, END_NS);
        world.set_level(joined, level::PRICE_TICKS, PRICE_TICKS);
        world.set_level(joined, level::HEAD, slot);
        let root = trie::insert(world.store, 0, PRICE_TICKS, PRICE_DEPTH, joined);
        world.set_instrument(BOOK, instrument::BIDS_ROOT, root);
    }

    #[test]
    fn what_time_ends_is_not_believed_after_it() {
        for (time_in_force, deadline_ns) in
            [(TimeInForce::GoodTillTime, 0), (TimeInForce::GoodTillCancelled, END_NS)]
        {
            let (mut store, mut events) = (CachedStore::default(), Vec::new());
            for layout in LAYOUTS {
                open(&mut store, layout);
            }
            let world = &mut World { store: &mut store, events: &mut events };
            rest_bid(world, time_in_force, deadline_ns);
            for (now_ns, expected_ppm) in [(1, FRACTION_ONE_PPM), (END_NS, FRACTION_ONE_PPM)] {
                world.set_header(global::WINDOW_NS, now_ns);
                let excess_ppm = excess_ppm(world, BOOK, BUY, INDEX_VALUE);
                assert_eq!(excess_ppm, expected_ppm as i128, "the bid is good at {now_ns}");
            }
            world.set_header(global::WINDOW_NS, END_NS + 1);
            assert_eq!(excess_ppm(world, BOOK, BUY, INDEX_VALUE), 0, "{time_in_force:?} is over");
        }
    }
}

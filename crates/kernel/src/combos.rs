//! Combos: books in which two to four instruments trade as one.
//!
//! A combo's mark and columns are the sum of its legs', as they stand. Its lots are never held: a
//! fill gives both sides their legs. The legs after the first trade at their marks, the first for
//! what is left of the price, so that the legs are worth the price to the atom.

use crate::arena::NO_SLOT;
use crate::events::{ComboCreated, LegFilled};
use crate::identifiers::{instrument_id, instrument_slot};
use crate::keccak::keccak256;
use crate::leg_commands::CreateCombo;
use crate::limits::{
    COMBO_FEE_ATOMS, COMBO_RATIO_MAX, COMBOS_MAX, FUND_ACCOUNT, InstrumentKind, InstrumentState,
    LEGS_MAX, PRICE_TICKS_BITS, QUOTE_TOKEN, Reject,
};
use crate::margin;
use crate::order_terms::check_instrument;
use crate::positions::{find_position, mark_atoms, trade};
use crate::prices::{Part, Parts, is_combo, legs_of};
use crate::records::{global, instrument, node, position, risk_array};
use crate::store::Store;
use crate::transfers;
use crate::trie::{self, PRICE_DEPTH};
use crate::world::World;

/// Tries on the way to a combo, one in the other: together they read 72 bits of a hash.
const KEYS: usize = 3;
const KEY_BYTES: usize = PRICE_TICKS_BITS as usize / 8;
const NODES_PER_COMBO: u32 = KEYS as u32 * PRICE_DEPTH;
const LEGS: usize = LEGS_MAX as usize;

/// Open the book of a combo, for a fee to the fund.
///
/// Rejects INSTRUMENT_NOT_FOUND, INSTRUMENT_EXPIRED, KIND_NOT_SUPPORTED (a leg that is a combo
/// itself), one leg after the other; COMBO_INVALID (legs of two underlyings, a first ratio that is
/// not positive, one that is 0 or too large, ratios with a common divisor); INSTRUMENT_EXISTS;
/// COMBO_LIMIT, ARENA_FULL; for the fee, as `margin::check_outflow`.
pub fn create_combo<S: Store>(world: &mut World<S>, command: &CreateCombo) -> Result<(), Reject> {
    let mut legs = Parts::default();
    for leg in command.legs() {
        check_instrument(world, leg.instrument)?;
        let slot = instrument_slot(leg.instrument);
        if is_combo(world, slot) {
            return Err(Reject::KindNotSupported);
        }
        legs.push(Part { instrument: slot, ratio: leg.ratio });
    }
    if !is_sound(world, &legs) {
        return Err(Reject::ComboInvalid);
    }
    let keys = keys_of(&legs);
    let first = first_of(&legs).instrument;
    let root = world.instrument(first, instrument::COMBOS_ROOT);
    if find(world, root, &keys) != NO_SLOT {
        return Err(Reject::InstrumentExists);
    }
    check_room(world)?;
    margin::check_outflow(world, command.account, QUOTE_TOKEN as u8, COMBO_FEE_ATOMS)?;
    let slot = open(world, &legs);
    let root = insert(world, root, &keys, slot);
    world.set_instrument(first, instrument::COMBOS_ROOT, root);
    count(world, slot, 1);
    emit_created(world, command, slot);
    let fund = FUND_ACCOUNT as u32;
    transfers::pay(world, command.account, fund, QUOTE_TOKEN as u8, COMBO_FEE_ATOMS);
    Ok(())
}

/// Take a combo out of the index, and out of what its legs count.
pub fn forget<S: Store>(world: &mut World<S>, slot: u32) {
    let legs = legs_of(world, slot);
    let first = first_of(&legs).instrument;
    let root = world.instrument(first, instrument::COMBOS_ROOT);
    let root = remove(world, root, &keys_of(&legs));
    world.set_instrument(first, instrument::COMBOS_ROOT, root);
    count(world, slot, -1);
}

/// Count a combo, or count it no more: all of them, and those that name a leg.
fn count<S: Store>(world: &mut World<S>, slot: u32, change: i32) {
    let combos = world.header(global::COMBOS_COUNT).wrapping_add_signed(change);
    world.set_header(global::COMBOS_COUNT, combos);
    for Part { instrument: leg, .. } in legs_of(world, slot).iter() {
        let combos = world.instrument(leg, instrument::COMBOS_COUNT).wrapping_add_signed(change);
        world.set_instrument(leg, instrument::COMBOS_COUNT, combos);
    }
}

fn check_room<S: Store>(world: &World<S>) -> Result<(), Reject> {
    if world.header(global::COMBOS_COUNT) as u64 >= COMBOS_MAX {
        return Err(Reject::ComboLimit);
    }
    let has_room =
        world.has_room(instrument::ARENA, 1) && world.has_room(node::ARENA, NODES_PER_COMBO);
    if has_room { Ok(()) } else { Err(Reject::ArenaFull) }
}

fn first_of(legs: &Parts) -> Part {
    legs.iter().next().expect("a combo has legs")
}

fn is_sound<S: Store>(world: &World<S>, legs: &Parts) -> bool {
    let first = first_of(legs);
    let underlying_of = |part: Part| world.instrument(part.instrument, instrument::UNDERLYING);
    let is_small = |part: Part| (1..=COMBO_RATIO_MAX).contains(&part.ratio.unsigned_abs());
    first.ratio > 0
        && legs.iter().all(|part| underlying_of(part) == underlying_of(first))
        && legs.iter().all(is_small)
        && legs.iter().fold(0, |divisor, part| gcd(divisor, part.ratio.unsigned_abs())) == 1
}

fn gcd(mut larger: u64, mut smaller: u64) -> u64 {
    while smaller != 0 {
        (larger, smaller) = (smaller, larger % smaller);
    }
    larger
}

/// Return where the index has a combo of these legs.
fn keys_of(legs: &Parts) -> [u32; KEYS] {
    let mut data = [0; 12 * LEGS];
    let (slots, ratios) = data.split_at_mut(4 * LEGS);
    for (place, part) in legs.iter().enumerate() {
        slots[4 * place..][..4].copy_from_slice(&part.instrument.to_le_bytes());
        ratios[8 * place..][..8].copy_from_slice(&part.ratio.to_le_bytes());
    }
    let digest = keccak256(&data);
    core::array::from_fn(|place| {
        let bytes = &digest[place * KEY_BYTES..][..KEY_BYTES];
        bytes.iter().fold(0, |key, byte| key << 8 | *byte as u32)
    })
}

/// Return the slot of a combo, or 0.
fn find<S: Store>(world: &World<S>, root: u32, keys: &[u32]) -> u32 {
    keys.iter().fold(root, |slot, &key| trie::find(world.store, slot, key, PRICE_DEPTH))
}

/// Put a combo into the index; return its root. Inner tries are made first.
fn insert<S: Store>(world: &mut World<S>, root: u32, keys: &[u32], slot: u32) -> u32 {
    let (&key, rest) = keys.split_first().expect("there is a key for each trie");
    if rest.is_empty() {
        return trie::insert(world.store, root, key, PRICE_DEPTH, slot);
    }
    let inner = trie::find(world.store, root, key, PRICE_DEPTH);
    let grown = insert(world, inner, rest, slot);
    if inner != NO_SLOT { root } else { trie::insert(world.store, root, key, PRICE_DEPTH, grown) }
}

/// Take a combo that is there out of the index; return its root. Empty inner tries go.
fn remove<S: Store>(world: &mut World<S>, root: u32, keys: &[u32]) -> u32 {
    let (&key, rest) = keys.split_first().expect("there is a key for each trie");
    if !rest.is_empty() {
        let inner = trie::find(world.store, root, key, PRICE_DEPTH);
        if remove(world, inner, rest) != NO_SLOT {
            return root;
        }
    }
    trie::remove(world.store, root, key, PRICE_DEPTH)
}

/// Make the instrument, on the terms of its coarsest leg and with the highest fees of all.
fn open<S: Store>(world: &mut World<S>, legs: &Parts) -> u32 {
    let slot = world.allocate(instrument::ARENA);
    let array = world.allocate(risk_array::ARENA);
    assert!(array == slot, "risk arrays are numbered like instruments");
    let first = first_of(legs).instrument;
    let expiries = legs.iter().map(|part| world.instrument(part.instrument, instrument::EXPIRY_NS));
    let expiry_ns = expiries.filter(|&expiry_ns| expiry_ns != 0).min().unwrap_or(0);
    world.set_instrument(slot, instrument::KIND, InstrumentKind::Combo as u8);
    world.set_instrument(slot, instrument::STATE, InstrumentState::Open as u8);
    let underlying = world.instrument(first, instrument::UNDERLYING);
    world.set_instrument(slot, instrument::UNDERLYING, underlying);
    world.set_instrument(slot, instrument::EXPIRY_NS, expiry_ns);
    world.set_instrument(slot, instrument::ACTIVE_NS, world.header(global::WINDOW_NS));
    world.set_instrument(slot, instrument::LEGS_COUNT, legs.len() as u8);
    for (place, part) in (0..).zip(legs.iter()) {
        world.set_instrument(slot, instrument::LEGS.item(place), part.instrument);
        world.set_instrument(slot, instrument::RATIOS.item(place), part.ratio);
    }
    copy_terms(world, slot, legs);
    slot
}

fn copy_terms<S: Store>(world: &mut World<S>, slot: u32, legs: &Parts) {
    let mut coarsest = first_of(legs).instrument;
    let (mut maker_fee_ppm, mut taker_fee_ppm, mut band_ppm) = (0, 0, u32::MAX);
    for Part { instrument: leg, .. } in legs.iter() {
        let tick_value = |slot| world.instrument(slot, instrument::TICK_VALUE_ATOMS);
        if tick_value(leg) > tick_value(coarsest) {
            coarsest = leg;
        }
        maker_fee_ppm = maker_fee_ppm.max(world.instrument(leg, instrument::MAKER_FEE_PPM));
        taker_fee_ppm = taker_fee_ppm.max(world.instrument(leg, instrument::TAKER_FEE_PPM));
        band_ppm = band_ppm.min(world.instrument(leg, instrument::BAND_PPM));
    }
    for field in [
        instrument::TICK_ATOMS,
        instrument::LOT_NANOS,
        instrument::TICK_VALUE_ATOMS,
        instrument::LOTS_MIN,
        instrument::LOTS_MAX,
        instrument::BLOCK_LOTS_MIN,
    ] {
        world.set_instrument(slot, field, world.instrument(coarsest, field));
    }
    world.set_instrument(slot, instrument::MAKER_FEE_PPM, maker_fee_ppm);
    world.set_instrument(slot, instrument::TAKER_FEE_PPM, taker_fee_ppm);
    world.set_instrument(slot, instrument::BAND_PPM, band_ppm);
}

fn emit_created<S: Store>(world: &mut World<S>, command: &CreateCombo, slot: u32) {
    let mut rows = [(0, 0); LEGS];
    for (row, leg) in rows.iter_mut().zip(command.legs()) {
        *row = (leg.instrument, leg.ratio);
    }
    let [(leg_0, ratio_0), (leg_1, ratio_1), (leg_2, ratio_2), (leg_3, ratio_3)] = rows;
    ComboCreated {
        instrument: instrument_id(slot, world.instrument(slot, instrument::GENERATION)),
        underlying: world.instrument(slot, instrument::UNDERLYING),
        expiry_ns: world.instrument(slot, instrument::EXPIRY_NS),
        leg_0,
        ratio_0,
        leg_1,
        ratio_1,
        leg_2,
        ratio_2,
        leg_3,
        ratio_3,
    }
    .encode(world.events);
}

/// Add signed lots bought for `value_atoms` to a position; those of a combo, to its legs'.
pub fn trade_position<S: Store>(world: &mut World<S>, held: u32, lots: i64, value_atoms: i128) {
    let slot = world.position(held, position::INSTRUMENT);
    if !is_combo(world, slot) {
        trade(world, held, lots, value_atoms);
        return;
    }
    let account = world.position(held, position::ACCOUNT);
    let (shares, count) = shares_of(world, slot, lots, value_atoms);
    for share in &shares[..count] {
        let leg = find_position(world, account, share.instrument);
        trade(world, leg, share.lots, share.value_atoms);
    }
}

/// Lots and value of one leg.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    instrument: u32,
    lots: i64,
    value_atoms: i128,
}

/// Return the share of each leg: the first takes what the marks of the others leave.
fn shares_of<S: Store>(
    world: &World<S>,
    slot: u32,
    lots: i64,
    value_atoms: i128,
) -> ([Share; LEGS], usize) {
    let legs = legs_of(world, slot);
    let mut shares = [Share::default(); LEGS];
    for (share, part) in shares.iter_mut().zip(legs.iter()) {
        let lots = part.ratio * lots;
        let value_atoms = lots as i128 * mark_atoms(world, part.instrument) as i128;
        *share = Share { instrument: part.instrument, lots, value_atoms };
    }
    let others: i128 = shares[1..].iter().map(|share| share.value_atoms).sum();
    shares[0].value_atoms = value_atoms - others;
    (shares, legs.len())
}

/// Tell what a fill of signed lots for the taker was in each leg, if it was of a combo.
pub fn emit_legs<S: Store>(
    world: &mut World<S>,
    slot: u32,
    (taker_account, maker_account): (u32, u32),
    lots: i64,
    per_lot: i128,
) {
    let (shares, count) = shares_of(world, slot, 1, per_lot);
    for share in &shares[..count] {
        let leg = share.instrument;
        LegFilled {
            instrument: instrument_id(leg, world.instrument(leg, instrument::GENERATION)),
            taker_account,
            maker_account,
            taker_lots: share.lots * lots,
            atoms_per_lot: i64::try_from(share.value_atoms).expect("a lot is worth below 2^63"),
        }
        .encode(world.events);
    }
}

//! Standard margin: each position by itself, and options of one expiry against each other.
//!
//! A linear position, or a token beside USDC, needs a share of its value; a long option its mark:
//! it lends its owner nothing. A short option needs a share of its forward, less what it is out of
//! the money, a put at most its strike. The options of an expiry together need no more than what
//! they are worth beyond what they pay at the worst of the settlement prices 0 and every strike,
//! and for a call sold beyond those held a multiple of the forward. Open orders count at their
//! worst, each leg of a combo by itself. What has its final mark needs nothing: equity counts it,
//! and nothing moves it.

use alloc::vec::Vec;

use crate::collateral::{Balances, index_value_down};
use crate::exposure::Exposure;
use crate::limits::{FRACTION_ONE_PPM, InstrumentKind};
use crate::payoff::{NANOS_PER_UNIT, kind_of};
use crate::portfolio::{Netting, Portfolio};
use crate::positions::{is_linear, is_settled, mark_atoms};
use crate::prices::legs_of;
use crate::records::{expiry, instrument, parameters, token};
use crate::rounding::ceil_div;
use crate::scenario_margin::Totals;
use crate::store::Store;
use crate::world::{PARAMETERS_SLOT, World};

const ONE_PPM: u128 = FRACTION_ONE_PPM as u128;
const UNIT: u128 = NANOS_PER_UNIT as u128;

/// Shares of values, in ppm, for one of the two margins.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    linear_ppm: u128,
    short_max_ppm: u128,
    short_min_ppm: u128,
    unpaired_ppm: u128,
    stale_ppm: u128,
}

/// An exposure in an option: mark and short requirement in atoms per lot, strike per unit.
#[derive(Clone, Copy, Debug)]
struct OptionLeg {
    instrument: u32,
    exposure: Exposure,
    is_call: bool,
    strike_atoms: i128,
    lot_nanos: i128,
    mark_atoms: i128,
    short_atoms: i128,
}

impl OptionLeg {
    /// Return what it needs by itself, at the worst of position, all buys and all sells.
    fn alone(&self) -> i128 {
        let held = &self.exposure;
        let (longest, shortest) = (held.lots + held.buys, held.lots - held.sells);
        (longest as i128 * self.mark_atoms).max(-(shortest as i128) * self.short_atoms)
    }

    /// Return whether it is a position without orders.
    fn is_position(&self) -> bool {
        self.exposure.buys == 0 && self.exposure.sells == 0
    }

    /// Return what it gains if the expiry settles at a price, in 1e-9 atoms, orders at worst.
    fn profit_nanos(&self, price_atoms: i128) -> i128 {
        let moved_atoms = price_atoms - self.strike_atoms;
        let payoff_atoms = if self.is_call { moved_atoms } else { -moved_atoms }.max(0);
        let profit = payoff_atoms * self.lot_nanos - self.mark_atoms * UNIT as i128;
        let held = &self.exposure;
        let (bought, sold) = (held.buys as i128 * profit, -(held.sells as i128) * profit);
        held.lots as i128 * profit + bought.min(sold).min(0)
    }

    /// Return the calls sold, less those held, in 1e-9 units, all sells filled.
    fn unpaired_nanos(&self) -> i128 {
        let short_lots = self.exposure.sells - self.exposure.lots;
        if self.is_call { short_lots as i128 * self.lot_nanos } else { 0 }
    }
}

/// What an account has in one underlying: linear value, and options by expiry.
#[derive(Clone, Debug)]
struct UnderlyingLegs {
    underlying: u32,
    linear_atoms: u128,
    expiries: Vec<(u32, Vec<OptionLeg>)>,
}

/// Return the shares that new risk must cover.
pub fn initial_rates<S: Store>(world: &World<S>) -> Rates {
    let parameter = |field| world.parameters(PARAMETERS_SLOT, field) as u128;
    Rates {
        linear_ppm: parameter(parameters::STANDARD_LINEAR_INITIAL_PPM),
        short_max_ppm: parameter(parameters::STANDARD_SHORT_MAX_PPM),
        short_min_ppm: parameter(parameters::STANDARD_SHORT_MIN_PPM),
        unpaired_ppm: parameter(parameters::STANDARD_UNPAIRED_PPM),
        stale_ppm: parameter(parameters::STALE_MARGIN_PPM),
    }
}

/// Return the shares that positions must cover to be kept.
pub fn maintenance_rates<S: Store>(world: &World<S>) -> Rates {
    let parameter = |field| world.parameters(PARAMETERS_SLOT, field) as u128;
    let short_ppm = parameter(parameters::STANDARD_SHORT_MAINTENANCE_PPM);
    Rates {
        linear_ppm: parameter(parameters::STANDARD_LINEAR_MAINTENANCE_PPM),
        short_max_ppm: short_ppm,
        short_min_ppm: short_ppm,
        unpaired_ppm: parameter(parameters::STANDARD_UNPAIRED_PPM),
        stale_ppm: ONE_PPM,
    }
}

/// Return what new risk must cover; an underlying with a stale leg counts several fold.
///
/// With a netting each expiry counts as it says; without, as what asks for less. Rounds up, at each
/// of its divisions: against the account.
pub fn initial_up<S: Store>(world: &World<S>, portfolio: &Portfolio) -> u128 {
    let rates = initial_rates(world);
    let underlyings = by_underlying(world, &rates, &portfolio.exposures, &portfolio.balances);
    requirement_up(world, &rates, &underlyings, &portfolio.totals, &portfolio.netting)
}

/// Return what positions must cover to be kept. Rounds as `initial_up`.
pub fn maintenance_up<S: Store>(world: &World<S>, portfolio: &Portfolio, totals: &Totals) -> u128 {
    let Positions { rates, underlyings } = Positions::of(world, portfolio);
    requirement_up(world, &rates, &underlyings, totals, &Netting::new())
}

/// The positions of an account, grouped once to be asked again with other lots.
#[derive(Clone, Debug)]
pub struct Positions {
    rates: Rates,
    underlyings: Vec<UnderlyingLegs>,
}

/// The lots of an instrument before a change of them, and after it.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    pub instrument: u32,
    pub lots_before: i64,
    pub lots_after: i64,
}

impl Positions {
    /// Group what a portfolio holds, its orders left out.
    pub fn of<S: Store>(world: &World<S>, portfolio: &Portfolio) -> Self {
        let rates = maintenance_rates(world);
        let held_of = |(slot, exposure): &(u32, Exposure)| (*slot, exposure.held());
        let held: Vec<_> = portfolio.exposures.iter().map(held_of).collect();
        let underlyings = by_underlying(world, &rates, &held, &portfolio.balances);
        Self { rates, underlyings }
    }

    /// Return what `maintenance_up` would with other lots of what is held.
    pub fn maintenance_with<S: Store>(
        &mut self,
        world: &World<S>,
        replacements: &[Replacement],
    ) -> u128 {
        for each in replacements {
            self.replace(world, each.instrument, each.lots_before, each.lots_after);
        }
        let (totals, netting) = (Totals::default(), Netting::new());
        let required = requirement_up(world, &self.rates, &self.underlyings, &totals, &netting);
        for each in replacements {
            self.replace(world, each.instrument, each.lots_after, each.lots_before);
        }
        required
    }

    fn replace<S: Store>(&mut self, world: &World<S>, slot: u32, before: i64, after: i64) {
        let number = world.instrument(slot, instrument::UNDERLYING);
        let legs = legs_in(&mut self.underlyings, number);
        if is_linear(world, slot) {
            let value_of =
                |lots: i64| lots.unsigned_abs() as u128 * mark_atoms(world, slot) as u128;
            legs.linear_atoms = legs.linear_atoms - value_of(before) + value_of(after);
            return;
        }
        let mut options = legs.expiries.iter_mut().flat_map(|(_, options)| options);
        let found = options.find(|option| option.instrument == slot);
        found.expect("what is held has a leg").exposure.lots = after;
    }
}

/// Return for each expiry whether initial margin takes the greatest loss of its options.
pub fn netting_of<S: Store>(world: &World<S>, portfolio: &Portfolio) -> Netting {
    let rates = initial_rates(world);
    let underlyings = by_underlying(world, &rates, &portfolio.exposures, &portfolio.balances);
    let expiries = underlyings.iter().flat_map(|each| &each.expiries);
    let is_less = |(expiry, options): &(u32, Vec<OptionLeg>)| {
        (*expiry, greatest_loss_up(world, &rates, *expiry, options) < alone(options))
    };
    expiries.map(is_less).collect()
}

fn requirement_up<S: Store>(
    world: &World<S>,
    rates: &Rates,
    underlyings: &[UnderlyingLegs],
    totals: &Totals,
    netting: &Netting,
) -> u128 {
    let mut required = 0;
    for each in underlyings {
        let linear = ceil_div(each.linear_atoms * rates.linear_ppm, ONE_PPM);
        let options_of = |(expiry, options): &(u32, Vec<OptionLeg>)| {
            options_up(world, rates, *expiry, options, netting)
        };
        let options: u128 = each.expiries.iter().map(options_of).sum();
        let is_stale = totals.of(each.underlying).is_some_and(|total| total.stale_legs > 0);
        let fold_ppm = if is_stale { rates.stale_ppm } else { ONE_PPM };
        required += ceil_div((linear + options) * fold_ppm, ONE_PPM);
    }
    required
}

/// Return what the options of an expiry need: the lesser way, or the one that is given.
fn options_up<S: Store>(
    world: &World<S>,
    rates: &Rates,
    expiry: u32,
    options: &[OptionLeg],
    netting: &Netting,
) -> u128 {
    let (alone, together) = (alone(options), greatest_loss_up(world, rates, expiry, options));
    match netting.iter().find(|(number, _)| *number == expiry) {
        Some((_, true)) => together,
        Some((_, false)) => alone,
        None => alone.min(together),
    }
}

fn alone(options: &[OptionLeg]) -> u128 {
    options.iter().map(|option| option.alone() as u128).sum()
}

/// Return what the options lose at the worst settlement price, and for calls beyond any. Rounds up.
fn greatest_loss_up<S: Store>(
    world: &World<S>,
    rates: &Rates,
    expiry: u32,
    options: &[OptionLeg],
) -> u128 {
    let worst_nanos = worst_profit_nanos(options);
    let unpaired: i128 = options.iter().map(OptionLeg::unpaired_nanos).sum();
    let forward_atoms = world.expiry(expiry, expiry::FORWARD_ATOMS) as u128;
    let price_atoms = ceil_div(forward_atoms * rates.unpaired_ppm, ONE_PPM);
    let unpaired_nanos = unpaired.max(0) as u128;
    let unpaired_atoms =
        unpaired_nanos / UNIT * price_atoms + ceil_div(unpaired_nanos % UNIT * price_atoms, UNIT);
    ceil_div((-worst_nanos).max(0) as u128, UNIT) + unpaired_atoms
}

/// Return what the options gain at the worst of the settlement prices 0 and every strike.
fn worst_profit_nanos(options: &[OptionLeg]) -> i128 {
    if options.iter().all(OptionLeg::is_position) {
        return worst_profit_of_positions(options);
    }
    let gained = |price_atoms| options.iter().map(|each| each.profit_nanos(price_atoms)).sum();
    options.iter().map(|each| gained(each.strike_atoms)).fold(gained(0), i128::min)
}

/// Return the same of options without orders, in one pass over their strikes from the lowest on.
///
/// At a price calls of lower strikes pay, and puts of higher ones: size times distance.
fn worst_profit_of_positions(options: &[OptionLeg]) -> i128 {
    let (mut size_nanos, mut paid_nanos, mut rows) = (0, 0, Vec::with_capacity(options.len()));
    for option in options.iter().filter(|option| option.exposure.lots != 0) {
        let lots = option.exposure.lots as i128;
        let nanos = lots * option.lot_nanos;
        paid_nanos -= lots * option.mark_atoms * UNIT as i128;
        if !option.is_call {
            size_nanos -= nanos;
            paid_nanos += nanos * option.strike_atoms;
        }
        rows.push((option.strike_atoms, nanos));
    }
    rows.sort_unstable_by_key(|(strike_atoms, _)| *strike_atoms);
    let mut worst_nanos = paid_nanos;
    for (strike_atoms, nanos) in rows {
        // A call begins to pay here, or a put ends to: either adds as much for each higher price.
        size_nanos += nanos;
        paid_nanos -= nanos * strike_atoms;
        worst_nanos = worst_nanos.min(size_nanos * strike_atoms + paid_nanos);
    }
    worst_nanos
}

/// Return exposures by underlying, combos as their legs; tokens are linear.
fn by_underlying<S: Store>(
    world: &World<S>,
    rates: &Rates,
    exposures: &[(u32, Exposure)],
    balances: &Balances,
) -> Vec<UnderlyingLegs> {
    let mut underlyings: Vec<UnderlyingLegs> = Vec::new();
    for (slot, exposure) in by_leg(world, exposures) {
        let number = world.instrument(slot, instrument::UNDERLYING);
        legs_in(&mut underlyings, number).add(world, rates, slot, exposure);
    }
    for (token, &atoms) in (1..).zip(balances) {
        if atoms != 0 {
            let legs = legs_in(&mut underlyings, world.token(token as u32, token::UNDERLYING));
            legs.linear_atoms += index_value_down(world, token, atoms) as u128;
        }
    }
    underlyings
}

fn legs_in(underlyings: &mut Vec<UnderlyingLegs>, underlying: u32) -> &mut UnderlyingLegs {
    let found = underlyings.iter().position(|each| each.underlying == underlying);
    let place = found.unwrap_or_else(|| {
        underlyings.push(UnderlyingLegs { underlying, linear_atoms: 0, expiries: Vec::new() });
        underlyings.len() - 1
    });
    &mut underlyings[place]
}

impl UnderlyingLegs {
    fn add<S: Store>(&mut self, world: &World<S>, rates: &Rates, slot: u32, exposure: Exposure) {
        if is_linear(world, slot) {
            let mark_atoms = mark_atoms(world, slot) as u128;
            self.linear_atoms += exposure.gross_lots() as u128 * mark_atoms;
            return;
        }
        let number = world.instrument(slot, instrument::EXPIRY);
        let found = self.expiries.iter().position(|(other, _)| *other == number);
        let place = found.unwrap_or_else(|| {
            self.expiries.push((number, Vec::new()));
            self.expiries.len() - 1
        });
        self.expiries[place].1.push(option_of(world, rates, slot, exposure));
    }
}

fn option_of<S: Store>(
    world: &World<S>,
    rates: &Rates,
    slot: u32,
    exposure: Exposure,
) -> OptionLeg {
    OptionLeg {
        instrument: slot,
        exposure,
        is_call: kind_of(world, slot) == InstrumentKind::Call,
        strike_atoms: world.instrument(slot, instrument::STRIKE_ATOMS) as i128,
        lot_nanos: world.instrument(slot, instrument::LOT_NANOS) as i128,
        mark_atoms: mark_atoms(world, slot) as i128,
        short_atoms: short_up(world, rates, slot) as i128,
    }
}

/// Return exposures with the orders of combos as orders in each leg; final marks left out.
fn by_leg<S: Store>(world: &World<S>, exposures: &[(u32, Exposure)]) -> Vec<(u32, Exposure)> {
    let mut legs: Vec<(u32, Exposure)> = Vec::new();
    let mut add = |slot: u32, share: Exposure| match legs.iter_mut().find(|(leg, _)| *leg == slot) {
        Some((_, exposure)) => *exposure = *exposure + share,
        None => legs.push((slot, share)),
    };
    for &(slot, exposure) in exposures {
        let parts = legs_of(world, slot);
        if parts.is_empty() {
            add(slot, exposure);
        }
        for part in parts.iter() {
            add(part.instrument, share_of(exposure, part.ratio));
        }
    }
    legs.retain(|&(slot, exposure)| !exposure.is_empty() && !is_settled(world, slot));
    legs
}

/// Return what an exposure in a combo is in a leg of this ratio; what it reserves is left out.
fn share_of(exposure: Exposure, ratio: i64) -> Exposure {
    let Exposure { lots, buys, sells, .. } = exposure;
    let (buys, sells) = if ratio < 0 { (sells, buys) } else { (buys, sells) };
    let size = ratio.abs();
    Exposure { lots: ratio * lots, buys: size * buys, sells: size * sells, reserve_atoms: 0 }
}

/// Return what a lot of an option needs when it is sold, in atoms. Rounds up.
fn short_up<S: Store>(world: &World<S>, rates: &Rates, slot: u32) -> u128 {
    let strike_atoms = world.instrument(slot, instrument::STRIKE_ATOMS) as u128;
    let expiry = world.instrument(slot, instrument::EXPIRY);
    let forward_atoms = world.expiry(expiry, expiry::FORWARD_ATOMS) as u128;
    let is_call = kind_of(world, slot) == InstrumentKind::Call;
    let out_atoms = match is_call {
        true => strike_atoms.saturating_sub(forward_atoms),
        false => forward_atoms.saturating_sub(strike_atoms),
    };
    let most_ppm = (forward_atoms * rates.short_max_ppm).saturating_sub(out_atoms * ONE_PPM);
    let mut unit_ppm = most_ppm.max(forward_atoms * rates.short_min_ppm);
    if !is_call {
        unit_ppm = unit_ppm.min(strike_atoms * ONE_PPM);
    }
    let lot_nanos = world.instrument(slot, instrument::LOT_NANOS) as u128;
    ceil_div(unit_ppm * lot_nanos, ONE_PPM * UNIT)
}

//! Collateral: what tokens beside USDC add to an account's equity and to its scenarios.
//!
//! A token counts for its balance at the index, less a haircut; its price moves with the index, so
//! that it covers what is short of it.

use crate::limits::{ATOMS_PER_QUOTE_UNIT, NS_PER_SECOND, TOKENS_MAX};
use crate::prices::CORE;
use crate::records::{account, parameters, token, underlying};
use crate::scenario_margin::Totals;
use crate::scenarios::{ONE_PPM, Profits, spot_profits};
use crate::staleness::share_ppm;
use crate::store::Store;
use crate::views::Record;
use crate::world::{PARAMETERS_SLOT, World};

/// Atoms of each token, the one with number 1 first.
pub type Balances = [i128; TOKENS_MAX as usize];

/// Atoms of a token that would come into an account; below 0, that would go.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub token: u8,
    pub atoms: i128,
}

/// What a balance adds to a portfolio, in quote atoms; columns are those of its underlying.
struct Holding {
    underlying: u32,
    value_atoms: i128,
    columns: Profits,
    stale_ppm: u64,
}

/// Return the change to what an account has of a token.
pub fn flow_of(flows: &[Flow], token: u8) -> i128 {
    flows.iter().find(|flow| flow.token == token).map_or(0, |flow| flow.atoms)
}

/// Return what the account has of each token, with changes to it.
#[inline]
pub fn balances_of<S: Store>(world: &World<S>, account: u32, flows: &[Flow]) -> Balances {
    core::array::from_fn(|place| {
        let token = place as u8 + 1;
        balance_atoms(world, account, token) as i128 + flow_of(flows, token)
    })
}

/// Return whether the account has more than USDC.
#[inline]
pub fn has_tokens<S: Store>(world: &World<S>, account: u32) -> bool {
    let held = world.account_record(account);
    (0..TOKENS_MAX as u32).any(|place| held.get(account::BALANCES_ATOMS.item(place)) > 0)
}

/// Return what balances add to a portfolio.
fn holdings<S: Store>(world: &World<S>, balances: &Balances) -> impl Iterator<Item = Holding> {
    (1..).zip(balances).filter(|(_, atoms)| **atoms != 0).map(|(token, &atoms)| {
        let value_atoms = index_value_down(world, token, atoms);
        let haircut_ppm = world.token(token as u32, token::HAIRCUT_PPM) as i128;
        Holding {
            underlying: world.token(token as u32, token::UNDERLYING),
            value_atoms: (value_atoms * (ONE_PPM - haircut_ppm)).div_euclid(ONE_PPM),
            columns: spot_profits(world, value_atoms),
            stale_ppm: stale_ppm(world, token),
        }
    })
}

/// Return what atoms of a token are worth at the index, in quote atoms. Rounds down.
pub fn index_value_down<S: Store>(world: &World<S>, token: u8, atoms: i128) -> i128 {
    (atoms * index_atoms(world, token) as i128).div_euclid(atoms_per_token(world, token))
}

/// Return what a whole token is worth at the index, in quote atoms; 0 before it is known.
pub fn index_atoms<S: Store>(world: &World<S>, token: u8) -> u64 {
    let underlying = world.token(token as u32, token::UNDERLYING);
    world.underlying(underlying, underlying::INDEX_ATOMS)
}

/// Return how many atoms a whole token has.
pub fn atoms_per_token<S: Store>(world: &World<S>, token: u8) -> i128 {
    10i128.pow(world.token(token as u32, token::DECIMALS) as u32)
}

/// Return whether all balances together are worth less than one USDC, every index known and fresh.
pub fn is_dust<S: Store>(world: &World<S>, balances: &Balances) -> bool {
    let held = || (1..).zip(balances).filter(|(_, atoms)| **atoms != 0);
    if held().any(|(token, _)| index_atoms(world, token) == 0 || stale_ppm(world, token) > 0) {
        return false;
    }
    let worth_atoms: i128 =
        held().map(|(token, &atoms)| index_value_down(world, token, atoms)).sum();
    worth_atoms < ATOMS_PER_QUOTE_UNIT as i128
}

/// Return how much of its core scenarios a token's value may be off by; 0 with a fresh index.
pub fn stale_ppm<S: Store>(world: &World<S>, token: u8) -> u64 {
    let underlying = world.token(token as u32, token::UNDERLYING);
    if world.underlying(underlying, underlying::INDEX_VERSION) == 0 {
        return 0;
    }
    let seconds = world.parameters(PARAMETERS_SLOT, parameters::INDEX_AGE_SECONDS);
    let index_ns = world.underlying(underlying, underlying::INDEX_NS);
    share_ppm(world, index_ns + seconds as u64 * NS_PER_SECOND)
}

/// Add what balances gain and lose in each scenario.
pub fn add_columns<S: Store>(world: &World<S>, totals: &mut Totals, balances: &Balances) {
    for holding in holdings(world, balances) {
        let underlying = totals.underlying(holding.underlying);
        for (total, profit) in underlying.columns.iter_mut().zip(holding.columns) {
            *total += profit;
        }
        underlying.stale_legs += (holding.stale_ppm > 0) as i64;
    }
}

/// Return what balances count for, in quote atoms.
pub fn value_atoms<S: Store>(world: &World<S>, balances: &Balances) -> i128 {
    holdings(world, balances).map(|holding| holding.value_atoms).sum()
}

/// Return how far below and above their value balances with an old index may be, times 10^6.
pub fn stale_interval_ppm<S: Store>(world: &World<S>, balances: &Balances) -> (i128, i128) {
    holdings(world, balances).fold((0, 0), |(low, high), holding| {
        let (core, stale_ppm) = (&holding.columns[..CORE], holding.stale_ppm as i128);
        let lowest = core.iter().fold(0, |lowest, &profit| profit.min(lowest));
        let highest = core.iter().fold(0, |highest, &profit| profit.max(highest));
        (low + stale_ppm * lowest, high + stale_ppm * highest)
    })
}

/// Return what an account has of a token beside USDC.
pub fn balance_atoms<S: Store>(world: &World<S>, account: u32, token: u8) -> u64 {
    world.account(account, account::BALANCES_ATOMS.item(token as u32 - 1))
}

/// Add atoms of a token, which may be negative, to an account's balance of it.
pub fn add_tokens<S: Store>(world: &mut World<S>, account: u32, token: u8, atoms: i128) {
    let after = balance_atoms(world, account, token) as i128 + atoms;
    let after = u64::try_from(after).expect("a balance is at least nothing, and in custody");
    world.set_account(account, account::BALANCES_ATOMS.item(token as u32 - 1), after);
}

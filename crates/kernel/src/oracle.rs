//! The oracle: what publishers say of the market outside, which is index, forwards and surfaces.
//!
//! Each publisher signs what he sees, and a quorum of them makes an observation. Of prices the
//! lower median counts, so that no minority moves it; a surface is one set of bytes that all of
//! them sign. An observation is taken while it is fresh, later than the last one, and near what is
//! known.

use crate::bands;
use crate::breakers;
use crate::commands::Signature;
use crate::eip712::{forward_curve_digest, index_price_digest, vol_surface_digest};
use crate::events::{ForwardsChanged, IndexChanged, SurfaceChanged};
use crate::expiries;
use crate::field::U64;
use crate::fixed_point::{log, narrow};
use crate::funding;
use crate::host::Host;
use crate::keccak::Hash;
use crate::limits::{INDEX_ATOMS_MAX, ORACLE_AGE_MAX_NS, PUBLISHERS_MAX, Reject};
use crate::observations::{ForwardCurve, IndexPrice, VolSurface};
use crate::records::{expiry, global, publisher, underlying};
use crate::store::Store;
use crate::surface::is_surface_valid;
use crate::world::World;

/// Return whether an index's signatures are those of the publishers that it names.
pub fn index_signers_match<S: Store>(
    world: &World<S>,
    command: &IndexPrice,
    host: &mut impl Host,
) -> bool {
    let separator = || world.header(global::DOMAIN_SEPARATOR);
    command.observations().all(|row| {
        let digest = || index_price_digest(&separator(), command, row.price_atoms);
        is_signed(world, host, row.publisher, row.signature, digest)
    })
}

/// Return whether a curve's signatures are those of the publishers that it names.
pub fn forward_signers_match<S: Store>(
    world: &World<S>,
    command: &ForwardCurve,
    host: &mut impl Host,
) -> bool {
    let separator = || world.header(global::DOMAIN_SEPARATOR);
    command.observations().all(|row| {
        let digest = || forward_curve_digest(&separator(), command, &row);
        is_signed(world, host, row.publisher, row.signature, digest)
    })
}

/// Return whether a surface's signatures are those of the publishers that it names.
pub fn surface_signers_match<S: Store>(
    world: &World<S>,
    command: &VolSurface,
    host: &mut impl Host,
) -> bool {
    let mut known = None;
    command.signatures().all(|row| {
        let digest = || {
            *known.get_or_insert_with(|| {
                vol_surface_digest(&world.header(global::DOMAIN_SEPARATOR), command)
            })
        };
        is_signed(world, host, row.publisher, row.signature, digest)
    })
}

/// Return whether a publisher signed. One who does not exist, or has no key, is a rejection, later.
///
/// The host is asked even then, so that results which it recovered ahead stay in step.
fn is_signed<S: Store>(
    world: &World<S>,
    host: &mut impl Host,
    publisher: u8,
    signature: &Signature,
    digest: impl FnOnce() -> Hash,
) -> bool {
    let signer = host.recover(digest, signature);
    let slot = publisher as u32;
    !world.publisher_exists(slot) || signer == Some(world.publisher(slot, publisher::ADDRESS))
}

/// Set the index of an underlying to the lower median of the observations.
///
/// How far publishers disagree is kept beside it, and the breaker looks at it.
///
/// Rejects as `check_quorum` with the time of the last index; then OBSERVATION_OUT_OF_RANGE;
/// OBSERVATION_OUTSIDE_BAND unless a wide quorum says it.
pub fn index_price<S: Store>(world: &mut World<S>, command: &IndexPrice) -> Result<(), Reject> {
    let slot = command.underlying;
    let publishers = command.observations().map(|row| row.publisher);
    check_quorum(world, slot, command.published_ns, publishers, underlying::INDEX_NS)?;
    if !command.observations().all(|row| is_price(row.price_atoms)) {
        return Err(Reject::ObservationOutOfRange);
    }
    let ranked = Ranked::of(command.observations().map(|row| row.price_atoms));
    let price_atoms = ranked.lower_median();
    if !bands::takes_index(world, slot, command.published_ns, price_atoms)
        && !bands::is_wide(world, slot, ranked.count)
    {
        return Err(Reject::ObservationOutsideBand);
    }
    let index_before = world.underlying(slot, underlying::INDEX_ATOMS);
    let spread_ppm = bands::spread_ppm_up(ranked.values(), price_atoms);
    funding::accrue_underlying(world, slot);
    expiries::observe(world, slot, command.published_ns);
    let version = world.underlying(slot, underlying::INDEX_VERSION) + 1;
    world.set_underlying(slot, underlying::INDEX_ATOMS, price_atoms);
    world.set_underlying(slot, underlying::INDEX_NS, command.published_ns);
    world.set_underlying(slot, underlying::INDEX_VERSION, version);
    world.set_underlying(slot, underlying::INDEX_SPREAD_PPM, spread_ppm);
    IndexChanged { underlying: slot, version, price_atoms }.encode(world.events);
    breakers::observe(world, slot, index_before);
    Ok(())
}

/// Set the forward of every dated expiry of an underlying.
///
/// Rejects as `check_quorum`; EXPIRY_SET_MISMATCH unless exactly the dated expiries are named,
/// ascending; OBSERVATION_OUT_OF_RANGE; OBSERVATION_OUTSIDE_BAND for one that has not passed and is
/// far from the index, unless a wide quorum says it.
pub fn forward_curve<S: Store>(world: &mut World<S>, command: &ForwardCurve) -> Result<(), Reject> {
    let slot = command.underlying;
    let publishers = command.observations().map(|row| row.publisher);
    check_quorum(world, slot, command.published_ns, publishers, underlying::FORWARD_NS)?;
    if !names_all_expiries(world, slot, command.expiries_ns.iter()) {
        return Err(Reject::ExpirySetMismatch);
    }
    if !command.observations().all(|row| row.forwards_atoms.iter().all(is_price)) {
        return Err(Reject::ObservationOutOfRange);
    }
    if !takes_forwards(world, command) {
        return Err(Reject::ObservationOutsideBand);
    }
    let version = world.underlying(slot, underlying::FORWARD_VERSION) + 1;
    world.set_underlying(slot, underlying::FORWARD_NS, command.published_ns);
    world.set_underlying(slot, underlying::FORWARD_VERSION, version);
    for place in 0..command.expiries_ns.len() {
        let dated = world.underlying(slot, underlying::EXPIRIES.item(place as u32));
        let forward_atoms = forward_of(command, place);
        world.set_expiry(dated, expiry::FORWARD_ATOMS, forward_atoms);
        world.set_expiry(dated, expiry::FORWARD_LOG, narrow(log(forward_atoms)));
        world.set_expiry(dated, expiry::FORWARD_VERSION, version);
        world.set_expiry(dated, expiry::FORWARD_NS, command.published_ns);
    }
    ForwardsChanged { underlying: slot, version }.encode(world.events);
    Ok(())
}

/// Return whether the forwards of expiries to come are near the index, or a wide quorum says them.
fn takes_forwards<S: Store>(world: &World<S>, command: &ForwardCurve) -> bool {
    let slot = command.underlying;
    let now_ns = world.header(global::WINDOW_NS);
    let mut dated = command.expiries_ns.iter().enumerate();
    let are_near = dated.all(|(place, expiry_ns)| {
        expiry_ns <= now_ns || bands::takes_forward(world, slot, forward_of(command, place))
    });
    are_near || bands::is_wide(world, slot, command.observations().len())
}

/// Return the lower median of what publishers say of an expiry.
fn forward_of(command: &ForwardCurve, place: usize) -> u64 {
    Ranked::of(command.observations().map(|row| row.forwards_atoms.at(place))).lower_median()
}

/// Set the volatility slice of every dated expiry of an underlying, all at once.
///
/// Slices of expiries that have passed are named like all others and never priced with.
///
/// Rejects as `check_quorum`; EXPIRY_SET_MISMATCH; SURFACE_INVALID as `is_surface_valid` says.
pub fn vol_surface<S: Store>(world: &mut World<S>, command: &VolSurface) -> Result<(), Reject> {
    let slot = command.underlying;
    let publishers = command.signatures().map(|row| row.publisher);
    check_quorum(world, slot, command.published_ns, publishers, underlying::SURFACE_NS)?;
    if !names_all_expiries(world, slot, command.slices().map(|slice| slice.expiry_ns)) {
        return Err(Reject::ExpirySetMismatch);
    }
    let published_ns = command.published_ns;
    if !is_surface_valid(&command.slices(), world.header(global::WINDOW_NS)) {
        return Err(Reject::SurfaceInvalid);
    }
    let version = world.underlying(slot, underlying::SURFACE_VERSION) + 1;
    world.set_underlying(slot, underlying::SURFACE_NS, published_ns);
    world.set_underlying(slot, underlying::SURFACE_VERSION, version);
    for (place, slice) in command.slices().enumerate() {
        let dated = world.underlying(slot, underlying::EXPIRIES.item(place as u32));
        world.set_expiry(dated, expiry::SURFACE_A, slice.a);
        world.set_expiry(dated, expiry::SURFACE_B, slice.b);
        world.set_expiry(dated, expiry::SURFACE_RHO, slice.rho);
        world.set_expiry(dated, expiry::SURFACE_M, slice.m);
        world.set_expiry(dated, expiry::SURFACE_SIGMA, slice.sigma);
        world.set_expiry(dated, expiry::SURFACE_VERSION, version);
        world.set_expiry(dated, expiry::SURFACE_NS, published_ns);
    }
    SurfaceChanged { underlying: slot, version }.encode(world.events);
    Ok(())
}

/// What publishers say, lowest first.
struct Ranked {
    sorted: [u64; PUBLISHERS_MAX as usize],
    count: usize,
}

impl Ranked {
    fn of(values: impl ExactSizeIterator<Item = u64>) -> Self {
        let mut sorted = [u64::MAX; PUBLISHERS_MAX as usize];
        let count = values.len();
        for (place, value) in sorted.iter_mut().zip(values) {
            *place = value;
        }
        sorted.sort_unstable();
        Self { sorted, count }
    }

    fn values(&self) -> &[u64] {
        &self.sorted[..self.count]
    }

    /// Return the middle value; of two middle ones the lower.
    fn lower_median(&self) -> u64 {
        self.sorted[(self.count - 1) / 2]
    }
}

/// Check UNDERLYING_NOT_FOUND, PUBLISHER_NOT_FOUND, QUORUM_NOT_MET, OBSERVATION_STALE, in this
/// order.
fn check_quorum<S: Store>(
    world: &World<S>,
    slot: u32,
    published_ns: u64,
    mut publishers: impl ExactSizeIterator<Item = u8>,
    last_ns: U64,
) -> Result<(), Reject> {
    if !world.contains(underlying::ARENA, slot) {
        return Err(Reject::UnderlyingNotFound);
    }
    let count = publishers.len() as u64;
    if !publishers.all(|publisher| world.publisher_exists(publisher as u32)) {
        return Err(Reject::PublisherNotFound);
    }
    if count < world.underlying(slot, underlying::QUORUM) as u64 {
        return Err(Reject::QuorumNotMet);
    }
    let window_ns = world.header(global::WINDOW_NS);
    let is_fresh = published_ns <= window_ns
        && window_ns <= published_ns.saturating_add(ORACLE_AGE_MAX_NS)
        && published_ns > world.underlying(slot, last_ns);
    if is_fresh { Ok(()) } else { Err(Reject::ObservationStale) }
}

fn names_all_expiries<S: Store>(
    world: &World<S>,
    slot: u32,
    expiries_ns: impl ExactSizeIterator<Item = u64>,
) -> bool {
    expiries_ns.len() as u32 == world.underlying(slot, underlying::EXPIRIES_COUNT)
        && (0..).zip(expiries_ns).all(|(place, expiry_ns)| {
            let dated = world.underlying(slot, underlying::EXPIRIES.item(place));
            world.expiry(dated, expiry::EXPIRY_NS) == expiry_ns
        })
}

fn is_price(price_atoms: u64) -> bool {
    (1..=INDEX_ATOMS_MAX).contains(&price_atoms)
}

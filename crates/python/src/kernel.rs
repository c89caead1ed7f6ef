//! The door to `proofbook-kernel`: signatures are recovered ahead, on all threads, then entries
//! applied.

use std::sync::MutexGuard;

use proofbook_analytics::debts::Debt;
use proofbook_analytics::sweep::Margin;
use proofbook_kernel::arena::layout_at;
use proofbook_kernel::caches::CachedStore;
use proofbook_kernel::commands::Address;
use proofbook_kernel::eip712;
use proofbook_kernel::entry::Entry;
use proofbook_kernel::exposure::{Change, Exposure};
use proofbook_kernel::glance::ask;
use proofbook_kernel::host::{Host, Recovered};
use proofbook_kernel::keccak::Hash;
use proofbook_kernel::kernel::Kernel as Machine;
use proofbook_kernel::limits::STATE_ARENAS;
use proofbook_kernel::margin_report::{ExpiryReport, MarginReport, UnderlyingReport, explain};
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::snapshot::{self, SnapshotError};
use proofbook_kernel::store::Store;
use proofbook_kernel::three_ways::WitnessKernel;
use proofbook_kernel::transition::{Outcome, void_reason};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::gate::{Signers, are_fresh, expected_signer};
use crate::recovered::{self, Stream};
use crate::replay::{EventRow, Piece, Tape};
use crate::resting::{OrderRow, OverRow, resting_orders};
use crate::watch::Shared;

/// The state machine over one of its stores.
#[allow(clippy::large_enum_variant)] // one a kernel, and nobody moves it
pub enum Engine {
    Cached(Machine<CachedStore>),
    Plain(Machine<NativeStore>),
    Witness(WitnessKernel),
}

impl Engine {
    fn over(machine: Machine<NativeStore>, store: &str) -> PyResult<Self> {
        match store {
            "cached" => Ok(Self::Cached(Machine::over(CachedStore::new(machine.into_store())))),
            "plain" => Ok(Self::Plain(machine)),
            "witness" => Ok(Self::Witness(WitnessKernel::new(machine))),
            other => {
                let message = format!("store was {other:?}, must be cached, plain or witness");
                Err(PyValueError::new_err(message))
            }
        }
    }

    pub fn native(&self) -> &NativeStore {
        match self {
            Self::Cached(machine) => machine.store().inner(),
            Self::Plain(machine) => machine.store(),
            Self::Witness(machine) => machine.native(),
        }
    }

    /// Return the slots of the positions written since the last call, if the store knows them.
    pub fn take_touched_positions(&mut self) -> Option<Vec<u32>> {
        match self {
            Self::Cached(machine) => Some(machine.store_mut().take_touched_positions()),
            Self::Plain(_) | Self::Witness(_) => None,
        }
    }

    fn domain_separator(&self) -> Hash {
        use proofbook_kernel::records::global;
        self.native().get(global::ARENA, 0, global::DOMAIN_SEPARATOR)
    }

    /// Return what an account owns and needs; a store with caches answers from what it keeps.
    fn margin(&self, account: u32, changes: &[Change]) -> Option<MarginReport> {
        match self {
            Self::Cached(machine) => ask(machine.store(), |world| explain(world, account, changes)),
            _ => ask(self.native(), |world| explain(world, account, changes)),
        }
    }

    fn apply(&mut self, entry: &[u8], signers: &[Option<Address>]) -> (Outcome, Vec<u8>) {
        let (mut host, mut events) = (Recovered::new(signers), Vec::new());
        let outcome = self.apply_from(entry, &mut host, &mut events);
        (outcome, events)
    }

    /// Apply an entry, appending its events.
    pub fn apply_from(
        &mut self,
        entry: &[u8],
        host: &mut impl Host,
        events: &mut Vec<u8>,
    ) -> Outcome {
        match self {
            Self::Cached(machine) => machine.apply(entry, host, events),
            Self::Plain(machine) => machine.apply(entry, host, events),
            Self::Witness(machine) => {
                let (effect, _) = machine.apply(entry, host);
                events.extend(effect.events);
                effect.outcome
            }
        }
    }

    /// Apply an entry unless it would be void: such a one leaves no trace.
    fn apply_unless_void(
        &mut self,
        entry: &[u8],
        signers: &[Option<Address>],
    ) -> (Outcome, Vec<u8>) {
        let mut host = Recovered::new(signers);
        let void = ask(self.native(), |world| void_reason(world, entry, &mut host));
        match void {
            Some(reason) => (Outcome::void(reason), Vec::new()),
            None => self.apply(entry, signers),
        }
    }

    /// Recover all signatures of the entries that nobody has yet, then apply them in order, void
    /// ones or not.
    fn apply_all(
        &mut self,
        entries: &[PyBackedBytes],
        kept: &Signers,
        leaves_out_void: bool,
    ) -> (Vec<u8>, Vec<Vec<u8>>) {
        let signers = kept.take(entries, &self.domain_separator());
        let (mut outcomes, mut events) = (Vec::new(), Vec::with_capacity(entries.len()));
        for (entry, signers) in entries.iter().zip(&signers) {
            let (outcome, raised) = if leaves_out_void {
                self.apply_unless_void(entry, signers)
            } else {
                self.apply(entry, signers)
            };
            outcomes.extend([outcome.kind, outcome.reason]);
            events.push(raised);
        }
        (outcomes, events)
    }

    fn root(&mut self) -> Hash {
        match self {
            Self::Cached(machine) => machine.root(),
            Self::Plain(machine) => machine.root(),
            Self::Witness(machine) => machine.root(),
        }
    }

    /// Return the leaves of the top tree, after hashing everything that changed.
    fn arena_roots(&mut self) -> Vec<Hash> {
        self.root();
        (0..STATE_ARENAS as usize).map(|arena| self.native().arena_root(arena)).collect()
    }

    pub fn seq(&self) -> u64 {
        use proofbook_kernel::records::global;
        self.native().get(global::ARENA, 0, global::SEQ)
    }
}

/// The state machine. A broken invariant in it ends the process: this crate is built to abort.
#[pyclass(frozen, module = "proofbook._native")]
pub struct Kernel {
    shared: Shared,
    signers: Signers,
}

#[pymethods]
impl Kernel {
    /// Return state 0; raise ValueError when the bytes are no canonical genesis.
    #[new]
    #[pyo3(signature = (genesis, chain_id, contract, *, store))]
    fn new(genesis: &[u8], chain_id: u64, contract: [u8; 20], store: &str) -> PyResult<Self> {
        let machine = Machine::from_genesis(genesis, chain_id, &contract)
            .map_err(|_| PyValueError::new_err("the bytes are no canonical genesis"))?;
        Ok(Self::over(Engine::over(machine, store)?))
    }

    /// Return the state of a snapshot; raise ValueError when it is none or not of the root it
    /// names.
    #[staticmethod]
    #[pyo3(signature = (data, *, store))]
    fn restore(py: Python<'_>, data: &[u8], store: &str) -> PyResult<Self> {
        let machine = py.detach(|| Machine::restore(data)).map_err(|error| match error {
            SnapshotError::Malformed => PyValueError::new_err(("the bytes are no snapshot",)),
            SnapshotError::RootMismatch { named, computed } => {
                let message = "the snapshot does not hash to the root that it names";
                PyValueError::new_err((message, named.to_vec(), computed.to_vec()))
            }
        })?;
        Ok(Self::over(Engine::over(machine, store)?))
    }

    /// Apply whole entries in order: two bytes of outcome for each, joined, and each one's events.
    fn apply<'py>(
        &self,
        py: Python<'py>,
        entries: Vec<PyBackedBytes>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyList>)> {
        self.results(py, &entries, false)
    }

    /// Apply whole entries in order, but those that would be void: they leave no trace.
    fn apply_unless_void<'py>(
        &self,
        py: Python<'py>,
        entries: Vec<PyBackedBytes>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyList>)> {
        self.results(py, &entries, true)
    }

    /// Apply joined entries whose signers are given: outcomes, ends of events, events.
    fn apply_recovered<'py>(
        &self,
        py: Python<'py>,
        entries: &[u8],
        signers: &[u8],
    ) -> PyResult<recovered::Results<'py>> {
        let stream = Stream::new(entries, signers)?;
        Ok(recovered::as_bytes(py, py.detach(|| stream.apply(&mut self.engine()))))
    }

    /// Apply joined entries whose signers are given: how many were applied, rejected, void.
    fn replay_recovered(
        &self,
        py: Python<'_>,
        entries: &[u8],
        signers: &[u8],
    ) -> PyResult<recovered::Counts> {
        let stream = Stream::new(entries, signers)?;
        Ok(py.detach(|| stream.replay(&mut self.engine())))
    }

    /// Apply joined entries from a place on, as far as the next release, and let a tape keep what
    /// they told; return the place where it stopped, and the events that are handed on. With
    /// `is_sealed` no signature is recovered: the caller knows that all are good.
    #[pyo3(signature = (entries, first, tape, *, is_sealed))]
    fn replay<'py>(
        &self,
        py: Python<'py>,
        entries: &[u8],
        first: usize,
        tape: &Tape,
        is_sealed: bool,
    ) -> PyResult<(usize, Vec<EventRow<'py>>)> {
        let (piece, end) = Piece::at(entries, first)?;
        py.detach(|| {
            let mut engine = self.engine();
            if is_sealed {
                piece.replay_sealed(&mut engine, tape);
            } else {
                let separator = engine.domain_separator();
                piece.replay(&mut engine, &self.signers, &separator, tape);
            }
        });
        Ok((end, tape.take_handed(py)))
    }

    /// Return the resting orders that can trade, by slot, and account and number of those that can
    /// trade no more.
    fn resting_orders<'py>(&self, py: Python<'py>) -> (Vec<OrderRow<'py>>, Vec<OverRow>) {
        resting_orders(py, self.engine().native())
    }

    /// Return whether a command, from its tag on, is good at a time for certain: account, session,
    /// expiry, nonce, scope and signature. A signature found good is not recovered again.
    fn admits(&self, py: Python<'_>, command: PyBackedBytes, now_ns: u64) -> bool {
        py.detach(|| {
            let data = as_entry(&command, now_ns);
            let Ok(entry) = Entry::decode(&data) else { return false };
            let (expected, separator) = {
                let engine = self.engine();
                (expected_signer(engine.native(), &entry, now_ns), engine.domain_separator())
            };
            let Some(address) = expected else { return false };
            let requests = eip712::signatures(&data, &separator);
            match requests.as_slice() {
                [request] => self.signers.is_signer(&command, request, &address),
                _ => false,
            }
        })
    }

    /// Return whether commands, from their tags on, in order of receipt, are all good for certain
    /// in a window that closes at a time.
    fn are_fresh(&self, py: Python<'_>, commands: Vec<PyBackedBytes>, window_ns: u64) -> bool {
        py.detach(|| {
            let entries: Vec<_> =
                commands.iter().map(|command| as_entry(command, window_ns)).collect();
            are_fresh(self.engine().native(), &entries, window_ns)
        })
    }

    /// Return the state root.
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let root = py.detach(|| self.engine().root());
        PyBytes::new(py, &root)
    }

    /// Return how many words changed since the last root, and how many nodes are to be hashed.
    fn unhashed(&self, py: Python<'_>) -> (u64, u64) {
        py.detach(|| self.engine().native().unhashed())
    }

    /// Return the roots of the arenas by number: the leaves of the top tree.
    fn arena_roots<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let roots = py.detach(|| self.engine().arena_roots());
        PyList::new(py, roots.iter().map(|root| PyBytes::new(py, root)))
    }

    /// The number of the last entry applied; 0 at genesis.
    #[getter]
    fn seq(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.engine().seq())
    }

    /// Return the words of one record; raise ValueError when there is no such arena or slot.
    fn read<'py>(&self, py: Python<'py>, arena: u8, slot: u32) -> PyResult<Bound<'py, PyBytes>> {
        let layout = layout_at(arena).filter(|layout| slot < layout.capacity());
        let Some(layout) = layout else {
            let message = format!("no slot {slot} in an arena {arena}");
            return Err(PyValueError::new_err(message));
        };
        let words = py.detach(|| {
            let engine = self.engine();
            let first = layout.first_word_of(slot);
            let words = first..first + layout.words_per_record as usize;
            words.map(|index| engine.native().word(layout.id, index)).collect::<Vec<_>>()
        });
        Ok(PyBytes::new(py, words.as_flattened()))
    }

    /// Return the margins of all accounts that have less than they must keep.
    fn below_maintenance(&self, py: Python<'_>) -> Vec<Standing> {
        let margins = py.detach(|| self.margins());
        (0..).zip(margins).filter(|(_, margin)| margin.is_below()).map(standing).collect()
    }

    /// Return tag, account and leg of the commands that would be applied now, at most so many:
    /// those that go on with what has begun, then for the worst covered account first; how many
    /// accounts are below maintenance margin; and when the first of those that cool down may be
    /// looked at again, 0 if none does.
    fn look(
        &self,
        py: Python<'_>,
        now_ns: u64,
        most: usize,
        passed_over: Vec<u32>,
    ) -> (Vec<(u8, u32, u32)>, usize, u64) {
        let found = py.detach(|| self.shared.look(now_ns, most, &passed_over));
        (found.steps, found.below, found.next_ns)
    }

    /// Return the accounts whose orders initial margin does not back.
    fn unbacked(&self, py: Python<'_>) -> Vec<u32> {
        py.detach(|| self.shared.unbacked())
    }

    /// Return what may be done about accounts that owe: their numbers, and whether it is a
    /// StartConversion and not a SettleVariation.
    fn debts(&self, py: Python<'_>) -> Vec<(u32, bool)> {
        let row = |debt| match debt {
            Debt::StartConversion { account } => (account, true),
            Debt::SettleVariation { account } => (account, false),
        };
        py.detach(|| self.shared.debts()).into_iter().map(row).collect()
    }

    /// Return the margins of all accounts, by number from 0.
    fn standings(&self, py: Python<'_>) -> Vec<Standing> {
        let margins = py.detach(|| self.margins());
        (0..).zip(margins).map(standing).collect()
    }

    /// Return what an account owns and needs, with changes: mode, amounts, underlyings; raise
    /// ValueError for an account or an instrument that is not there, or for too many lots.
    fn margin(
        &self,
        py: Python<'_>,
        account: u32,
        changes: Vec<(u32, i64, i64, i64, i128)>,
    ) -> PyResult<(u8, Vec<i128>, Vec<UnderlyingRow>)> {
        let changes: Vec<Change> = changes.into_iter().map(change).collect();
        let report = py.detach(|| self.engine().margin(account, &changes));
        let report = report.ok_or_else(|| {
            PyValueError::new_err(format!("no report on account {account} with these changes"))
        })?;
        Ok(report_rows(report))
    }

    /// Return the arenas written out, under their root.
    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let data = py.detach(|| {
            let mut copy = self.engine().native().clone();
            snapshot::write(&mut copy)
        });
        PyBytes::new(py, &data)
    }
}

/// An account; its equity, what stale legs may add to it, and its maintenance margin, in atoms.
type Standing = (u32, i128, i128, i128);

fn standing((account, margin): (u32, Margin)) -> Standing {
    (account, margin.equity_atoms, margin.stale_high_atoms, margin.maintenance_atoms)
}

/// An underlying, its worst column, the loss there, whether a leg is stale, and its expiries.
type UnderlyingRow = (u32, usize, u128, bool, Vec<ExpiryRow>);

/// An expiry, and its losses by skew, by basis and beyond all scenarios.
type ExpiryRow = (u32, u128, u128, u128);

fn change((instrument, lots, buys, sells, reserve_atoms): (u32, i64, i64, i64, i128)) -> Change {
    Change { instrument, exposure: Exposure { lots, buys, sells, reserve_atoms } }
}

fn report_rows(report: MarginReport) -> (u8, Vec<i128>, Vec<UnderlyingRow>) {
    let amounts = vec![
        report.equity_atoms,
        report.cash_atoms,
        report.collateral_atoms,
        report.stale_low_atoms,
        report.stale_high_atoms,
        report.initial_atoms,
        report.maintenance_atoms,
        report.positions_atoms as i128,
        report.concentration_atoms as i128,
        report.confidence_atoms as i128,
        report.reserve_atoms,
    ];
    let expiry =
        |each: ExpiryReport| (each.expiry, each.skew_atoms, each.basis_atoms, each.naked_atoms);
    let underlying = |each: UnderlyingReport| {
        let expiries = each.expiries.into_iter().map(expiry).collect();
        (each.underlying, each.worst_column, each.worst_loss_atoms, each.is_stale, expiries)
    };
    (report.mode as u8, amounts, report.underlyings.into_iter().map(underlying).collect())
}

/// Return the entry that a command would be at a time.
fn as_entry(command: &[u8], time_ns: u64) -> Vec<u8> {
    let length = (command.len() + 16) as u16;
    let time = time_ns.to_le_bytes();
    [length.to_le_bytes().as_slice(), &time, &time, command].concat()
}

impl Kernel {
    fn over(engine: Engine) -> Self {
        Self { shared: Shared::over(engine), signers: Signers::default() }
    }

    fn results<'py>(
        &self,
        py: Python<'py>,
        entries: &[PyBackedBytes],
        leaves_out_void: bool,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyList>)> {
        let (outcomes, events) =
            py.detach(|| self.engine().apply_all(entries, &self.signers, leaves_out_void));
        let events = PyList::new(py, events.iter().map(|raised| PyBytes::new(py, raised)))?;
        Ok((PyBytes::new(py, &outcomes), events))
    }

    fn margins(&self) -> Vec<Margin> {
        self.shared.margins()
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.shared.engine()
    }
}

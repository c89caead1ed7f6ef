//! Looking at all accounts while the state machine goes on: a few at a time, and never in its way.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::yield_now;

use proofbook_analytics::debts::{Debt, debts};
use proofbook_analytics::duties::{Duty, below, duties, recovered, unbacked, unfinished};
use proofbook_analytics::sweep::{Margin, Sweep};
use proofbook_kernel::arena::high_water;
use proofbook_kernel::limits::{FIRST_USER_ACCOUNT, Tag};
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::records::account;

use crate::kernel::Engine;

/// Accounts whose margins are added up while the state stands still: some tenths of a millisecond.
const ACCOUNTS_AT_ONCE: usize = 512;

/// Accounts whose legs are compared while the state stands still.
const LEGS_AT_ONCE: usize = 8;

/// Accounts whose orders are judged while the state stands still, and a look waits.
const ORDERS_AT_ONCE: usize = 16;

/// An engine that one thread works with and another looks at. Who looks lets go of it after a few
/// accounts, and waits as long as anybody else wants it.
pub struct Shared {
    engine: Mutex<Engine>,
    waiting: AtomicUsize,
    sweep: Mutex<Sweep>,
    looks: AtomicUsize,
    looking: Mutex<()>,
}

/// What was found in one look at all accounts.
#[derive(Debug, Default)]
pub struct Findings {
    /// The tag of each command that would be applied now, the account, and the leg if it names one.
    pub steps: Vec<(u8, u32, u32)>,
    /// Accounts below maintenance margin.
    pub below: usize,
    /// When the first account that cools down may be looked at again; 0 if none does.
    pub next_ns: u64,
}

impl Shared {
    pub fn over(engine: Engine) -> Self {
        Self {
            engine: Mutex::new(engine),
            waiting: AtomicUsize::new(0),
            sweep: Mutex::default(),
            looks: AtomicUsize::new(0),
            looking: Mutex::default(),
        }
    }

    /// Wait for the engine.
    pub fn engine(&self) -> MutexGuard<'_, Engine> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let engine = lock(&self.engine);
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        engine
    }

    /// Wait until nobody else wants the engine.
    fn idle_engine(&self) -> MutexGuard<'_, Engine> {
        while self.waiting.load(Ordering::Acquire) > 0 {
            yield_now();
        }
        lock(&self.engine)
    }

    /// Ask something about some accounts between two looks: orders and debts can wait for margins.
    fn ask_between<T>(&self, question: impl FnOnce(&NativeStore) -> T) -> T {
        while self.looks.load(Ordering::Acquire) > 0 {
            drop(lock(&self.looking));
            yield_now();
        }
        let _between = lock(&self.looking);
        question(self.idle_engine().native())
    }

    /// Return the margins of all accounts by slot; slot 0 is nobody's.
    ///
    /// Entries applied meanwhile may show in some of them.
    pub fn margins(&self) -> Vec<Margin> {
        let mut sweep = lock(&self.sweep);
        let accounts = {
            let mut engine = self.idle_engine();
            let touched = engine.take_touched_positions();
            sweep.read(engine.native(), touched.as_deref())
        };
        let parts = parts(0..accounts, ACCOUNTS_AT_ONCE);
        parts.flat_map(|part| sweep.margins(self.idle_engine().native(), part)).collect()
    }

    /// Return what to do about accounts below maintenance margin, at most so many of those that are
    /// not passed over, the worst covered first.
    pub fn look(&self, now_ns: u64, most: usize, passed_over: &[u32]) -> Findings {
        self.looks.fetch_add(1, Ordering::AcqRel);
        let looking = lock(&self.looking);
        let findings = self.find(now_ns, most, passed_over);
        drop(looking);
        self.looks.fetch_sub(1, Ordering::AcqRel);
        findings
    }

    fn find(&self, now_ns: u64, most: usize, passed_over: &[u32]) -> Findings {
        let mut below = below(&self.margins());
        let mut findings = Findings { below: below.len(), ..Findings::default() };
        for duty in unfinished(self.idle_engine().native()) {
            findings.take(duty);
        }
        for duty in recovered(self.idle_engine().native()) {
            findings.take(duty);
        }
        let begun: HashSet<_> = findings.steps.iter().map(|&(_, account, _)| account).collect();
        let passed_over: HashSet<_> = passed_over.iter().collect();
        findings.steps.retain(|(_, account, _)| !passed_over.contains(account));
        below.retain(|(account, _)| !passed_over.contains(account) && !begun.contains(account));
        for part in below.chunks(LEGS_AT_ONCE) {
            for duty in duties(self.idle_engine().native(), part, now_ns) {
                findings.take(duty);
            }
            if findings.steps.len() >= most {
                break;
            }
        }
        findings.steps.truncate(most);
        findings
    }

    /// Return the accounts whose orders initial margin does not back.
    pub fn unbacked(&self) -> Vec<u32> {
        let accounts = high_water(self.idle_engine().native(), account::ARENA);
        let parts = parts(FIRST_USER_ACCOUNT as usize..accounts as usize, ORDERS_AT_ONCE);
        let unbacked = |part: Range<usize>| {
            self.ask_between(|store| unbacked(store, part.start as u32..part.end as u32))
        };
        parts.flat_map(unbacked).collect()
    }

    /// Return what to do about accounts that owe.
    pub fn debts(&self) -> Vec<Debt> {
        let accounts = high_water(self.idle_engine().native(), account::ARENA);
        let parts = parts(FIRST_USER_ACCOUNT as usize..accounts as usize, ORDERS_AT_ONCE);
        let debts = |part: Range<usize>| {
            self.ask_between(|store| debts(store, part.start as u32..part.end as u32))
        };
        parts.flat_map(debts).collect()
    }
}

impl Findings {
    fn take(&mut self, duty: Duty) {
        match duty {
            Duty::Liquidate { account, instrument } => {
                self.steps.push((Tag::Liquidate as u8, account, instrument));
            }
            Duty::StartAuction { account } => {
                self.steps.push((Tag::StartAuction as u8, account, 0));
            }
            // The first of them halts the book: it is the others' turn when that is over.
            Duty::Deleverage { account, instrument } => {
                let is_asked = |&(tag, _, leg): &(u8, u32, u32)| {
                    tag == Tag::Deleverage as u8 && leg == instrument
                };
                if !self.steps.iter().any(is_asked) {
                    self.steps.push((Tag::Deleverage as u8, account, instrument));
                }
            }
            Duty::Wait { until_ns } if self.next_ns == 0 => self.next_ns = until_ns,
            Duty::Wait { until_ns } => self.next_ns = self.next_ns.min(until_ns),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parts(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |first| first..end.min(first + size))
}

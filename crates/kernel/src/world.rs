//! The records of the state by class, and the events of the entry at hand.

use alloc::vec::Vec;

use crate::arena::{self, ArenaLayout, NO_SLOT};
use crate::commands::Address;
use crate::field::Field;
use crate::records::{
    account, auction, deleveraging, expiry, fee_schedule, global, instrument, level, order, owner,
    parameters, position, protection, publisher, risk_array, signer, token, trigger, underlying,
};
use crate::store::Store;
use crate::views::Record;

/// The slot of the parameters in force.
pub const PARAMETERS_SLOT: u32 = 1;

/// The address that no key has: the one of a publisher whose key was taken away.
pub const NOBODY: Address = [0; 20];

/// A store, and where events go.
pub struct World<'a, S: Store> {
    pub store: &'a mut S,
    pub events: &'a mut Vec<u8>,
}

macro_rules! record {
    ($get:ident, $set:ident, $view:ident, $edit:ident, $record:ident) => {
        record!($get, $set, $record);

        /// Return a record of this class.
        #[inline(always)]
        pub fn $view(
            &self,
            slot: u32,
        ) -> S::Record<'_, { $record::ARENA.words_per_record as usize }> {
            self.store.record($record::ARENA, slot)
        }

        /// Change a record of this class.
        #[inline(always)]
        pub fn $edit(
            &mut self,
            slot: u32,
            change: impl FnOnce(&mut S::Editor<'_, { $record::ARENA.words_per_record as usize }>),
        ) {
            self.store.edit($record::ARENA, slot, change);
        }
    };
    ($get:ident, $set:ident, $record:ident) => {
        /// Return a field of a record of this class.
        #[inline(always)]
        pub fn $get<F: Field>(&self, slot: u32, field: F) -> F::Value {
            self.store.get($record::ARENA, slot, field)
        }

        /// Write a field of a record of this class.
        #[inline(always)]
        pub fn $set<F: Field>(&mut self, slot: u32, field: F, value: F::Value) {
            self.store.set($record::ARENA, slot, field, value);
        }
    };
}

impl<S: Store> World<'_, S> {
    record!(account, set_account, account_record, edit_account, account);
    record!(signer, set_signer, signer_record, edit_signer, signer);
    record!(position, set_position, position_record, edit_position, position);
    record!(order, set_order, order_record, edit_order, order);
    record!(level, set_level, level_record, edit_level, level);
    record!(instrument, set_instrument, instrument_record, edit_instrument, instrument);
    record!(risk_array, set_risk_array, risk_array);
    record!(expiry, set_expiry, expiry);
    record!(underlying, set_underlying, underlying_record, edit_underlying, underlying);
    record!(publisher, set_publisher, publisher);
    record!(parameters, set_parameters, parameters_record, edit_parameters, parameters);
    record!(trigger, set_trigger, trigger);
    record!(protection, set_protection, protection);
    record!(fee_schedule, set_fee_schedule, fee_schedule);
    record!(owner, set_owner, owner);
    record!(token, set_token, token);
    record!(auction, set_auction, auction);
    record!(deleveraging, set_deleveraging, deleveraging);

    /// Return a field of the global record.
    #[inline(always)]
    pub fn header<F: Field>(&self, field: F) -> F::Value {
        self.store.get(global::ARENA, 0, field)
    }

    /// Write a field of the global record.
    #[inline(always)]
    pub fn set_header<F: Field>(&mut self, field: F, value: F::Value) {
        self.store.set(global::ARENA, 0, field, value);
    }

    /// Return the global record.
    #[inline(always)]
    pub fn header_record(&self) -> S::Record<'_, { global::ARENA.words_per_record as usize }> {
        self.store.record(global::ARENA, 0)
    }

    /// Change the global record.
    #[inline(always)]
    pub fn edit_header(
        &mut self,
        change: impl FnOnce(&mut S::Editor<'_, { global::ARENA.words_per_record as usize }>),
    ) {
        self.store.edit(global::ARENA, 0, change);
    }

    /// Return whether a slot has ever been in use.
    #[inline]
    pub fn contains(&self, arena: ArenaLayout, slot: u32) -> bool {
        arena::contains(self.store, arena, slot)
    }

    /// Return whether so many more slots can be allocated.
    #[inline]
    pub fn has_room(&self, arena: ArenaLayout, slots: u32) -> bool {
        arena::has_room(self.store, arena, slots)
    }

    /// Return a slot whose record is all zero but its generation.
    #[inline(always)]
    pub fn allocate(&mut self, arena: ArenaLayout) -> u32 {
        arena::allocate(self.store, arena)
    }

    /// Zero a record but for its generation, one higher, and put its slot on the free list.
    #[inline(always)]
    pub fn free(&mut self, arena: ArenaLayout, slot: u32) {
        arena::free(self.store, arena, slot);
    }

    /// Return whether an account has been made in this slot; accounts are never freed.
    #[inline]
    pub fn account_exists(&self, slot: u32) -> bool {
        self.contains(account::ARENA, slot)
    }

    /// Return whether a publisher has this number, and a key.
    #[inline]
    pub fn publisher_exists(&self, number: u32) -> bool {
        self.contains(publisher::ARENA, number)
            && self.publisher(number, publisher::ADDRESS) != NOBODY
    }

    /// Return whether the account's dead-man deadline is over and its orders are dead with it.
    #[inline]
    pub fn is_deadline_passed(&self, account: u32) -> bool {
        self.is_passed(self.account(account, account::DEAD_MAN_NS))
    }

    /// Return whether there is a deadline, and it is over.
    #[inline]
    fn is_passed(&self, deadline_ns: u64) -> bool {
        deadline_ns != 0 && self.header(global::WINDOW_NS) > deadline_ns
    }

    /// Return the epoch that an order must have to be alive: none has it after a deadline.
    #[inline]
    pub fn live_epoch(&self, account: u32) -> u32 {
        let owner = self.account_record(account);
        let raised = self.is_passed(owner.get(account::DEAD_MAN_NS)) as u32;
        owner.get(account::ORDER_EPOCH).wrapping_add(raised)
    }

    /// Return the slots of an account's positions in the order in which they were opened.
    #[inline]
    pub fn positions_of(&self, account: u32) -> impl Iterator<Item = u32> {
        let listed = |slot: u32| (slot != NO_SLOT).then_some(slot);
        let first = listed(self.account(account, account::POSITIONS_HEAD));
        core::iter::successors(first, move |&slot| {
            listed(self.position(slot, position::NEXT_IN_ACCOUNT))
        })
    }

    /// Make an account with its owner's key as session 0; return its slot. The caller has asked for
    /// room.
    pub fn add_account(&mut self, owner: &Address, subaccount: u32) -> u32 {
        let slot = self.allocate(account::ARENA);
        let signer_slot = self.allocate(signer::ARENA);
        self.set_account(slot, account::OWNER, *owner);
        self.set_account(slot, account::SUBACCOUNT, subaccount);
        self.set_account(slot, account::SIGNERS.item(0), signer_slot);
        self.set_signer(signer_slot, signer::ADDRESS, *owner);
        self.set_signer(signer_slot, signer::ACCOUNT, slot);
        let mut nonce_bitmap = [0; 32];
        nonce_bitmap[0] = 1;
        self.set_signer(signer_slot, signer::NONCE_BITMAP, nonce_bitmap);
        slot
    }
}

//! The journal over real files: what is appended, what is read back.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use proofbook_journal::{GROUP_BYTES_MAX, Group, Journal, JournalError, MARK_BYTES, Options};
use proofbook_kernel::keccak::keccak256;

#[test]
fn appended_groups_are_numbered_hashed_and_read_back() {
    let folder = Folder::new("append");
    let journal = folder.open();
    let durables = fill(&journal, 4);
    assert_eq!(durables[0].chain_hash_before, [0; 32], "the chain begins with zero");
    for (index, durable) in durables.iter().enumerate() {
        let last = 3 * index as u64 + 3;
        assert_eq!((durable.first_seq, durable.last_seq), (last - 2, last), "numbers of a group");
        assert_eq!(durable.chain_hash, chain_after(last), "the chain after entry {last}");
        assert_eq!(durable.chain_hashes.last(), Some(&durable.chain_hash), "its last link");
        assert_eq!(durable.entry_hashes[2], keccak256(&entry(last)), "the hash of entry {last}");
        assert!(durable.sync_ns > 0, "the time of fdatasync was measured");
    }
    assert_eq!(journal.tail(), (12, chain_after(12)), "the durable tail");
    for (from, count) in [(1, 12), (1, 1), (2, 5), (3, 1), (12, 1)] {
        assert_eq!(journal.read(from, count).unwrap(), entries(from, count), "{count} from {from}");
    }
    assert_eq!(journal.read(11, 99).unwrap(), entries(11, 2), "no more than there is");
    assert_eq!(journal.read(13, 9).unwrap(), b"", "nothing after the tail");
    assert_eq!(journal.read(0, 2).unwrap(), entries(1, 1), "numbers begin with one");
}

#[test]
fn groups_that_wait_together_keep_their_order() {
    let folder = Folder::new("order");
    let journal = folder.open();
    let tickets: Vec<_> =
        (1..=40).map(|seq| journal.append_group(entry(seq), seq, MARK).unwrap()).collect();
    for (seq, ticket) in (1..).zip(tickets) {
        assert_eq!((ticket.first_seq, ticket.last_seq), (seq, seq), "known before it is durable");
        assert_eq!(
            ticket.wait().unwrap().chain_hash,
            chain_after(seq),
            "the chain of its own last"
        );
    }
    assert_eq!(journal.read(1, 40).unwrap(), entries(1, 40), "all of them");
}

#[test]
fn reopening_continues_over_segments() {
    let folder = Folder::new("reopen");
    for round in 0..5 {
        let journal = folder.open();
        assert_eq!(journal.next_seq(), 1 + 60 * round, "it goes on where it ended");
        assert_eq!(journal.tail().1, chain_after(60 * round), "with the same chain");
        assert_eq!(journal.torn(), None, "nothing was torn");
        fill(&journal, 20);
    }
    assert!(folder.segments().len() > 3, "several segments were needed");
    let journal = folder.open();
    assert_eq!(journal.read(1, 300).unwrap(), entries(1, 300), "everything is read back");
    assert_eq!(journal.read(95, 11).unwrap(), entries(95, 11), "across a segment's end too");
}

#[test]
fn a_second_writer_is_refused() {
    let folder = Folder::new("locked");
    let journal = folder.open();
    assert_eq!(folder.refusal(), JournalError::Locked { path: folder.0.join("lock") });
    drop(journal);
    folder.open();
}

#[test]
fn bytes_that_are_no_entries_are_refused() {
    let folder = Folder::new("malformed");
    let journal = folder.open();
    let cut = entries(1, 2)[..50].to_vec();
    let cases = [(vec![], 0), (vec![5], 0), (vec![0, 0], 0), (vec![9, 0, 1], 0), (cut, 42)];
    for (bytes, offset) in cases {
        let expected = JournalError::Malformed { offset, bytes: bytes.len() };
        assert_eq!(journal.append_group(bytes, 1, MARK).unwrap_err(), expected);
    }
    let bytes = GROUP_BYTES_MAX + 1;
    assert_eq!(
        journal.append_group(vec![1; bytes], 1, MARK).unwrap_err(),
        JournalError::GroupTooLarge { bytes, bytes_max: GROUP_BYTES_MAX }
    );
    assert_eq!(fill(&journal, 1)[0].last_seq, 3, "nothing had changed");
}

#[test]
fn another_expected_number_is_refused() {
    let folder = Folder::new("expected");
    let journal = folder.open();
    for expected in [0, 2] {
        let error = journal.append_group(entry(1), expected, MARK).unwrap_err();
        assert_eq!(error, JournalError::SequenceMismatch { expected, next: 1 });
    }
    assert_eq!(journal.next_seq(), 1, "nothing had changed");
}

#[test]
fn a_fault_poisons_the_journal() {
    let folder = Folder::new("poisoned");
    let journal = folder.open();
    fill(&journal, 3);
    // No next segment can be made in a folder that is gone: the fault of a full disk, without one.
    fs::remove_dir_all(&folder.0).unwrap();
    let mut fault = None;
    while fault.is_none() {
        let first = journal.next_seq();
        fault = journal.append_group(entries(first, 3), first, MARK).unwrap().wait().err();
    }
    match fault {
        Some(JournalError::Io { operation: "create", code: Some(2), .. }) => {}
        other => panic!("the operation and the system's answer were expected: {other:?}"),
    }
    let (durable, _) = journal.tail();
    let error = journal.append_group(entry(1), journal.next_seq(), MARK).unwrap_err();
    assert!(matches!(error, JournalError::Poisoned { .. }), "{error}: no further appends");
    assert_eq!(journal.read(1, 9).unwrap(), entries(1, 9), "what is durable is still read");
    assert_eq!(journal.tail().0, durable, "and no more became durable");
}

#[test]
fn a_full_queue_is_refused_and_clears() {
    let folder = Folder::new("busy");
    let options = Options { groups_waiting_max: 1, ..SMALL };
    let journal = Journal::open(&folder.0, options).unwrap();
    let (mut last, mut busy) = (None, 0);
    for _ in 0..2000 {
        let first = journal.next_seq();
        match journal.append_group(entry(first), first, MARK) {
            Ok(ticket) => last = Some(ticket),
            Err(JournalError::Busy { groups_max }) => {
                assert_eq!(groups_max, 1, "the limit is named");
                busy += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    let durable = last.expect("some were taken").wait().unwrap();
    assert!(busy > 0, "a disk is slower than a loop");
    assert_eq!(durable.last_seq + 1, journal.next_seq(), "refused groups took no number");
}

#[test]
fn groups_are_read_back_with_marks_and_the_chain_before_them() {
    let folder = Folder::new("groups");
    let journal = folder.open();
    let mark_of = |first: u64| [first as u8; MARK_BYTES];
    for first in (1..120).step_by(3) {
        journal.append_group(entries(first, 3), first, mark_of(first)).unwrap().wait().unwrap();
    }
    assert!(folder.segments().len() > 1, "one begins a segment");
    let check = |journal: &Journal| {
        for seq in 1..=120 {
            let first_seq = seq - (seq - 1) % 3;
            let chain_hash_before = chain_after(first_seq - 1);
            let (mark, entries) = (mark_of(first_seq), entries(first_seq, 3));
            let group = Group { first_seq, mark, chain_hash_before, entries };
            assert_eq!(journal.group(seq).unwrap(), Some(group), "of entry {seq}");
        }
        assert_eq!(journal.group(0).unwrap(), None, "numbers begin with one");
        assert_eq!(journal.group(121).unwrap(), None, "nothing after the tail");
        assert_eq!(journal.sizes().unwrap(), [(120, 120 * 42)], "last number and bytes of all");
    };
    check(&journal);
    drop(journal);
    check(&folder.open());
}

#[test]
fn groups_with_other_marks_are_records_of_their_own() {
    let folder = Folder::new("marks");
    let journal = folder.open();
    let tickets: Vec<_> = (1..=40)
        .map(|seq| journal.append_group(entry(seq), seq, [seq as u8 / 2; MARK_BYTES]).unwrap())
        .collect();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().unwrap()));
    for seq in 1..=40 {
        let group = journal.group(seq).unwrap().expect("a durable group");
        assert_eq!(group.mark, [seq as u8 / 2; MARK_BYTES], "the mark of entry {seq}");
        assert!(group.entries.len() <= 2 * 42, "no record has two marks");
    }
}

#[test]
fn an_empty_journal_has_no_groups() {
    let folder = Folder::new("empty");
    let journal = folder.open();
    assert_eq!(
        (journal.group(1).unwrap(), journal.sizes().unwrap()),
        (None, vec![]),
        "nothing yet"
    );
}

/// How many files of a folder this process holds open.
#[cfg(target_os = "linux")]
fn held_open(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|item| fs::read_link(item.unwrap().path()).ok())
        .filter(|path| path.starts_with(&folder))
        .count()
}

/// Numbers up to a limit that follow no pattern: a linear congruence.
fn scattered(count: usize, most: u64) -> impl Iterator<Item = u64> {
    let step = |seed: &u64| Some(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(1), step).map(move |seed| (seed >> 33) % most + 1).take(count)
}

fn check_scattered(journal: &Journal, last: u64) {
    for seq in scattered(500, last) {
        let count = (seq % 7 + 1).min(last + 1 - seq);
        assert_eq!(journal.read(seq, count).unwrap(), entries(seq, count), "{count} from {seq}");
        let first_seq = seq - (seq - 1) % 3;
        let group = journal.group(seq).unwrap().expect("a durable group");
        assert_eq!((group.first_seq, group.entries), (first_seq, entries(first_seq, 3)), "{seq}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn few_files_of_many_are_held_open_and_all_are_read() {
    let folder = Folder::new("descriptors");
    let check = |journal: &Journal| {
        check_scattered(journal, 2_100);
        assert!(held_open(&folder.0) <= 16 + 2, "to read, to write, and the lock");
        assert_eq!(journal.read(1, 9_999).unwrap(), entries(1, 2_100), "one after the other");
        let sizes = journal.sizes().unwrap();
        assert_eq!(sizes.iter().map(|size| size.1).sum::<u64>(), 2_100 * 42, "all bytes");
        assert!(sizes.is_sorted() && sizes.len() < 8, "few rows for 700 groups: {sizes:?}");
        assert_eq!(sizes.last().unwrap().0, 2_100, "up to the last entry");
    };
    let journal = folder.open();
    fill(&journal, 700);
    assert!(folder.segments().len() > 25, "the journal has many files");
    check(&journal);
    drop(journal);
    let journal = folder.open();
    assert!(held_open(&folder.0) <= 3, "a start holds the last file open, and no other");
    check(&journal);
    fill(&journal, 100);
    check_scattered(&journal, 2_400);
}

#[test]
fn a_file_that_goes_or_changes_under_an_open_journal_is_named() {
    let folder = Folder::new("changed");
    let journal = folder.open();
    fill(&journal, 700);
    let paths = folder.segments();
    assert_eq!(journal.read(1, 3).unwrap(), entries(1, 3), "the first file is open");
    fs::remove_file(&paths[0]).unwrap();
    assert_eq!(journal.read(1, 3).unwrap(), entries(1, 3), "a file that is open stays readable");
    assert_eq!(journal.read(1, 2_100).unwrap(), entries(1, 2_100), "which closes it");
    match journal.read(1, 3) {
        Err(JournalError::Io { operation: "open", path, code: Some(2), .. }) => {
            assert_eq!(path, paths[0], "the file that is gone is named");
        }
        other => panic!("the first file is gone: {other:?}"),
    }
    let mut bytes = fs::read(&paths[1]).unwrap();
    bytes[HEADER_BYTES + 100] ^= 1;
    fs::write(&paths[1], &bytes).unwrap();
    let first_seq: u64 = paths[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    for fault in [journal.read(first_seq, 1).err(), journal.group(first_seq).err()] {
        match fault {
            Some(JournalError::Broken { path, offset, seq, reason }) => {
                assert_eq!((path, offset, seq), (paths[1].clone(), 64, first_seq));
                assert_eq!(reason, "the record's checksum differs");
            }
            other => panic!("a bit has flipped: {other:?}"),
        }
    }
    bytes.truncate(HEADER_BYTES + 10);
    fs::write(&paths[2], &bytes).unwrap();
    let first_seq: u64 = paths[2].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert!(journal.read(first_seq, 1).is_err(), "a file that was cut holds nothing");
    assert!(journal.sizes().is_err(), "nor are sizes told of a journal whose first file is gone");
}

#[test]
fn a_tail_torn_after_many_files_is_cut() {
    let folder = Folder::new("torn-late");
    fill(&folder.open(), 700);
    let path = folder.segments().pop().unwrap();
    let torn = data_of(&path).len() - 5;
    let mut bytes = fs::read(&path).unwrap();
    bytes[torn..].fill(0);
    fs::write(&path, bytes).unwrap();
    let journal = folder.open();
    assert_eq!(journal.torn().map(|torn| torn.seq), Some(2_098), "the last group");
    check_scattered(&journal, 2_097);
    assert_eq!(journal.group(2_098).unwrap(), None, "what is cut is not there");
    fill(&journal, 1);
    check_scattered(&journal, 2_100);
}

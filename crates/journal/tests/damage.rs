//! What a crash may leave of a journal, and what else is wrong with its files: refused, and left as
//! it is.

mod common;

use std::fs;

use common::*;
use proofbook_journal::{Journal, JournalError, Options};
use proofbook_kernel::keccak::{hash_pair, keccak256};

#[test]
fn a_tail_torn_at_any_byte_is_cut_at_the_last_whole_group() {
    let folder = Folder::new("torn");
    fill(&folder.open(), 1);
    let path = folder.segments()[0].clone();
    let before = data_of(&path).len();
    fill(&folder.open(), 1);
    let whole = data_of(&path);
    for kept in before..whole.len() {
        // What a crash leaves of a record in reserved room: a part of it, then zeros.
        let mut torn = whole[..kept].to_vec();
        torn.resize(4096, 0);
        fs::write(&path, torn).unwrap();
        let journal = folder.open();
        assert_eq!(journal.tail(), (3, chain_after(3)), "{kept} bytes kept");
        assert_eq!(journal.torn().is_some(), whole[before..kept].iter().any(|&b| b != 0), "{kept}");
        fill(&journal, 1);
        drop(journal);
        assert_eq!(data_of(&path), whole, "the group is written again after {kept} bytes");
    }
}

#[test]
fn a_tail_whose_first_bytes_are_missing_is_cut_too() {
    let folder = Folder::new("hole");
    fill(&folder.open(), 2);
    let path = folder.segments()[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    let record = (data_of(&path).len() - HEADER_BYTES) / 2;
    bytes[HEADER_BYTES + record..HEADER_BYTES + record + 32].fill(0);
    fs::write(&path, &bytes).unwrap();
    let journal = folder.open();
    assert_eq!(journal.tail(), (3, chain_after(3)), "the first group stays");
    let torn = journal.torn().expect("a torn tail");
    assert_eq!((torn.offset, torn.seq), ((HEADER_BYTES + record) as u64, 4), "where it was");
}

#[test]
fn a_flipped_bit_before_the_last_group_is_refused() {
    let folder = Folder::new("flipped");
    fill(&folder.open(), 3);
    let path = folder.segments()[0].clone();
    let whole = fs::read(&path).unwrap();
    let record = (data_of(&path).len() - HEADER_BYTES) / 3;
    for at in 0..HEADER_BYTES + 2 * record {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        match folder.refusal() {
            JournalError::Broken { path: named, offset, seq, .. } => {
                let group = at.saturating_sub(HEADER_BYTES) / record;
                let expected = if at < HEADER_BYTES { 0 } else { HEADER_BYTES + group * record };
                assert_eq!(named, path, "the file is named");
                assert_eq!(offset, expected as u64, "byte {at}: the record's offset");
                assert_eq!(seq, 3 * group as u64 + 1, "byte {at}: the first entry in doubt");
            }
            other => panic!("byte {at}: {other}"),
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "byte {at}: the evidence is left as it is");
    }
}

#[test]
fn a_flipped_bit_of_the_last_group_is_refused_and_not_cut() {
    for (name, first, second, step) in [("flipped-last", 3, 3, 1), ("flipped-long", 1, 90, 13)] {
        let folder = Folder::new(name);
        let options = Options { segment_bytes: 1 << 16, ..SMALL };
        let journal = Journal::open(&folder.0, options).unwrap();
        journal.append_group(entries(1, first), 1, MARK).unwrap().wait().unwrap();
        let path = folder.segments()[0].clone();
        let last = data_of(&path).len();
        journal.append_group(entries(1 + first, second), 1 + first, MARK).unwrap().wait().unwrap();
        drop(journal);
        let (whole, end) = (fs::read(&path).unwrap(), data_of(&path).len());
        for at in (last..end).step_by(step) {
            let bytes = flipped(&whole, at);
            fs::write(&path, &bytes).unwrap();
            match Journal::open(&folder.0, options).expect_err("acknowledged entries are doubtful")
            {
                JournalError::Broken { path: named, offset, seq, .. } => {
                    assert_eq!(
                        (named, offset, seq),
                        (path.clone(), last as u64, 1 + first),
                        "{at}"
                    );
                }
                other => panic!("byte {at}: {other}"),
            }
            assert_eq!(fs::read(&path).unwrap(), bytes, "byte {at}: nothing was cut");
        }
    }
}

/// The bytes of a file flipped one by one, each in a bit that leaves it other than zero.
fn flipped(whole: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[at] ^= 1 << (at % 7 + usize::from(bytes[at] == 1 << (at % 7)));
    bytes
}

#[test]
fn a_flipped_bit_of_a_last_group_that_ends_with_zeros_is_refused_too() {
    let folder = Folder::new("zeros");
    let before = chain_after(3);
    let ending_in_zero = |first: &u64| {
        let hash = |chain, n| hash_pair(&chain, &keccak256(&entry(first + n)));
        (0..3).fold(before, hash)[31] == 0
    };
    let first = (1_000..).find(ending_in_zero).unwrap();
    fill(&folder.open(), 1);
    let path = folder.segments()[0].clone();
    let last = data_of(&path).len();
    folder.open().append_group(entries(first, 3), 4, MARK).unwrap().wait().unwrap();
    let (whole, end) = (fs::read(&path).unwrap(), data_of(&path).len());
    for at in last..end {
        let bytes = flipped(&whole, at);
        fs::write(&path, &bytes).unwrap();
        match folder.refusal() {
            JournalError::Broken { offset, seq, .. } => assert_eq!((offset, seq), (last as u64, 4)),
            other => panic!("byte {at}: {other}"),
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "byte {at}: nothing was cut");
    }
    for kept in last + 1..end {
        let mut torn = whole[..kept].to_vec();
        torn.resize(whole.len(), 0);
        fs::write(&path, &torn).unwrap();
        assert_eq!(folder.open().tail(), (3, before), "{kept} bytes kept are a torn tail");
    }
}

#[test]
fn what_is_torn_stays_until_something_is_written() {
    let folder = Folder::new("evidence");
    fill(&folder.open(), 2);
    let path = folder.segments()[0].clone();
    let whole = data_of(&path);
    let mut torn = whole[..whole.len() - 40].to_vec();
    torn.resize(4096, 0);
    fs::write(&path, &torn).unwrap();
    for _ in 0..2 {
        assert!(folder.open().torn().is_some(), "whoever opens it is told");
        assert_eq!(fs::read(&path).unwrap(), torn, "and whoever then refuses has lost nothing");
    }
    fill(&folder.open(), 1);
    assert_eq!(data_of(&path), whole, "the next group is in its place");
}

#[test]
fn a_tail_of_which_a_block_did_not_reach_the_disk_is_cut() {
    let folder = Folder::new("blocks");
    let options = Options { segment_bytes: 1 << 16, ..SMALL };
    let journal = Journal::open(&folder.0, options).unwrap();
    journal.append_group(entries(1, 3), 1, MARK).unwrap().wait().unwrap();
    let path = folder.segments()[0].clone();
    let last = data_of(&path).len();
    journal.append_group(entries(4, 90), 4, MARK).unwrap().wait().unwrap();
    drop(journal);
    let (whole, end) = (fs::read(&path).unwrap(), data_of(&path).len());
    for block in (0..end).step_by(512) {
        let mut bytes = whole.clone();
        bytes[block.max(last)..(block + 512).min(end)].fill(0);
        fs::write(&path, &bytes).unwrap();
        let journal = Journal::open(&folder.0, options).unwrap();
        assert_eq!(journal.tail(), (3, chain_after(3)), "without the block at {block}");
        assert_eq!(journal.torn().map(|torn| torn.seq), Some(4), "what is cut is told");
    }
}

#[test]
fn a_damaged_tail_of_an_earlier_segment_is_refused() {
    let folder = Folder::new("earlier");
    fill(&folder.open(), 60);
    let path = folder.segments()[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(folder.refusal(), JournalError::Broken { .. }), "only the last may be torn");
    bytes.truncate(last - 40);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(folder.refusal(), JournalError::Broken { .. }), "nor may it be shorter");
}

#[test]
fn a_missing_segment_is_refused() {
    let folder = Folder::new("missing");
    fill(&folder.open(), 100);
    fs::remove_file(&folder.segments()[1]).unwrap();
    match folder.refusal() {
        JournalError::Broken { offset, reason, .. } => {
            assert_eq!((offset, reason), (0, "the segment begins with another entry"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_record_of_another_journal_is_refused() {
    let (folder, other) = (Folder::new("ours"), Folder::new("theirs"));
    fill(&folder.open(), 2);
    {
        let journal = other.open();
        journal.append_group(entries(101, 3), 1, MARK).unwrap().wait().unwrap();
        journal.append_group(entries(4, 3), 4, MARK).unwrap().wait().unwrap();
    }
    let (ours, theirs) = (folder.segments()[0].clone(), other.segments()[0].clone());
    let (mut bytes, foreign) = (fs::read(&ours).unwrap(), fs::read(&theirs).unwrap());
    let record = (data_of(&ours).len() - HEADER_BYTES) / 2;
    let second = HEADER_BYTES + record..HEADER_BYTES + 2 * record;
    bytes[second.clone()].copy_from_slice(&foreign[second]);
    fs::write(&ours, &bytes).unwrap();
    match folder.refusal() {
        JournalError::Broken { seq, reason, .. } => {
            assert_eq!((seq, reason), (4, "the chain hash differs"), "its checksum is right");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_interrupted_new_segment_is_forgotten() {
    let folder = Folder::new("draft");
    fill(&folder.open(), 1);
    let draft = folder.0.join("00000000000000000004.draft");
    fs::write(&draft, b"PROOF").unwrap();
    assert_eq!(folder.open().next_seq(), 4, "the journal is whole");
    assert!(!draft.exists(), "the draft is gone");
}

#[test]
fn a_second_writer_is_refused_though_somebody_removed_the_lock() {
    let folder = Folder::new("unlocked");
    let journal = folder.open();
    let durables = fill(&journal, 30);
    let lock = folder.0.join("lock");
    for _ in 0..2 {
        fs::remove_file(&lock).unwrap();
        let path = folder.segments().pop().unwrap();
        assert_eq!(folder.refusal(), JournalError::Locked { path }, "the file itself is locked");
    }
    fill(&journal, 1);
    drop(journal);
    assert_eq!(folder.open().tail().0, durables.last().unwrap().last_seq + 3, "it went on");
}

#[test]
fn a_segment_under_another_name_is_refused() {
    let folder = Folder::new("renamed");
    fill(&folder.open(), 60);
    let path = folder.segments().pop().unwrap();
    for name in ["00000000000000099999.journal", "last.journal"] {
        let other = folder.0.join(name);
        fs::rename(&path, &other).unwrap();
        match folder.refusal() {
            JournalError::Broken { path: named, offset: 0, reason, .. } => {
                assert_eq!((named, reason), (other.clone(), "the segment has the name of another"));
            }
            other => panic!("{other}"),
        }
        fs::rename(&other, &path).unwrap();
    }
    assert_eq!(folder.open().next_seq(), 181, "under its own it is read");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = Folder::new("no-file");
    fill(&folder.open(), 1);
    let path = folder.0.join("00000000000000000004.journal");
    fs::create_dir(&path).unwrap();
    match folder.refusal() {
        JournalError::Broken { path: named, reason, .. } => {
            assert_eq!((named, reason), (path, "this is no regular file"));
        }
        other => panic!("{other}"),
    }
}

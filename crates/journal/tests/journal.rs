//! The journal over real files: what is durable, what a crash may leave, what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use proofbook_journal::{
    Durable, GROUP_BYTES_MAX, Group, Journal, JournalError, MARK_BYTES, Mark, Options,
};
use proofbook_kernel::keccak::{Hash, hash_pair, keccak256};

const SMALL: Options = Options { segment_bytes: 4096, groups_waiting_max: 64 };
const HEADER_BYTES: usize = 64;
const MARK: Mark = [0; MARK_BYTES];

/// A folder of this test alone, empty at the start and removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("journal-{name}"));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self) -> Journal {
        Journal::open(&self.0, SMALL).expect("the journal opens")
    }

    fn refusal(&self) -> JournalError {
        Journal::open(&self.0, SMALL).expect_err("the journal is refused")
    }

    fn segments(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(&self.0).unwrap().map(|item| item.unwrap().path());
        let mut paths: Vec<PathBuf> =
            items.filter(|path| path.extension().is_some_and(|name| name == "journal")).collect();
        paths.sort();
        paths
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn entry(seq: u64) -> Vec<u8> {
    let body = [keccak256(&seq.to_le_bytes()).as_slice(), &seq.to_le_bytes()].concat();
    [(body.len() as u16).to_le_bytes().as_slice(), &body].concat()
}

fn entries(first: u64, count: u64) -> Vec<u8> {
    (first..first + count).flat_map(entry).collect()
}

/// Append groups of three entries, each durable before the next, so that each is one record.
fn fill(journal: &Journal, groups: u64) -> Vec<Durable> {
    (0..groups)
        .map(|_| {
            let first = journal.next_seq();
            journal.append_group(entries(first, 3), first, MARK).unwrap().wait().unwrap()
        })
        .collect()
}

fn chain_after(last: u64) -> Hash {
    (1..=last).fold([0; 32], |chain, seq| hash_pair(&chain, &keccak256(&entry(seq))))
}

/// The bytes of the last segment without the zeros that are reserved after its records.
fn data_of(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes
}

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
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 7 + usize::from(bytes[at] == 1 << (at % 7)));
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

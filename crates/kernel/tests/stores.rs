//! Witnesses and snapshots: what they refuse, and that a state goes on from them.

mod common;

use common::{Recovering, bytes, founded, rows, vectors};
use proofbook_kernel::caches::CachedStore;
use proofbook_kernel::kernel::Kernel;
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::parameters::{self, place};
use proofbook_kernel::snapshot::SnapshotError;
use proofbook_kernel::three_ways::WitnessKernel;
use proofbook_kernel::witness::{Witness, WitnessError, WitnessStore};
use serde_json::Value;

const STORY: &str = "transition/orders.json";

/// Return the state after the first entries of a story.
fn told(file: &Value, entries: usize) -> Kernel<NativeStore> {
    let mut kernel = founded(file);
    for row in &rows(&file["entries"])[..entries] {
        kernel.apply(&bytes(&row["entry"]), &mut Recovering, &mut Vec::new());
    }
    kernel
}

/// Return the witness of an entry of the story and the root before it.
fn witnessed(file: &Value, place: usize) -> (Witness, [u8; 32]) {
    let mut kernel = told(file, place);
    let root_before = kernel.root();
    let entry = bytes(&rows(&file["entries"])[place]["entry"]);
    let (_, witness) = WitnessKernel::new(kernel).apply(&entry, &mut Recovering);
    (witness, root_before)
}

#[test]
fn a_snapshot_goes_on_to_the_same_root() {
    let file = vectors(STORY);
    let story = rows(&file["entries"]);
    for entries in [0, 10, story.len() / 2] {
        let snapshot = told(&file, entries).snapshot();
        let restored = Kernel::restore(&snapshot).expect("our own snapshot");
        let mut cached = Kernel::over(CachedStore::new(restored.into_store()));
        assert_eq!(cached.seq(), entries as u64, "entries applied");
        for row in &story[entries..] {
            cached.apply(&bytes(&row["entry"]), &mut Recovering, &mut Vec::new());
        }
        assert_eq!(cached.root(), told(&file, story.len()).root(), "from entry {entries} on");
    }
}

#[test]
fn a_snapshot_with_a_changed_word_is_refused() {
    let mut snapshot = told(&vectors(STORY), 20).snapshot();
    let computed = Kernel::restore(&snapshot).expect("our own snapshot").root();
    let last = snapshot.len() - 1;
    snapshot[last] ^= 1;
    match Kernel::restore(&snapshot) {
        Err(SnapshotError::RootMismatch { named, .. }) => assert_eq!(named, computed, "as named"),
        other => panic!("a changed word gave {:?}", other.err()),
    }
    let cut = Kernel::restore(&snapshot[..last]).err();
    assert_eq!(cut, Some(SnapshotError::Malformed), "a cut snapshot");
}

#[test]
fn a_witness_with_a_changed_word_or_sibling_is_refused() {
    let (witness, root_before) = witnessed(&vectors(STORY), 30);
    for place in 0..witness.words.len() {
        let mut changed = witness.clone();
        changed.words[place].1[31] ^= 1;
        let refused = WitnessStore::new(changed, &root_before).err();
        assert!(matches!(refused, Some(WitnessError::RootMismatch(_))), "word {place}");
    }
    for place in 0..witness.siblings.len() {
        let mut changed = witness.clone();
        changed.siblings[place][0] ^= 1;
        let refused = WitnessStore::new(changed, &root_before).err();
        assert!(matches!(refused, Some(WitnessError::RootMismatch(_))), "sibling {place}");
    }
}

#[test]
fn a_witness_of_another_shape_is_refused() {
    let (witness, root_before) = witnessed(&vectors(STORY), 30);
    let refused = |witness: Witness| WitnessStore::new(witness, &root_before).err();
    let mut changed = witness.clone();
    changed.siblings.pop();
    assert_eq!(refused(changed), Some(WitnessError::SiblingCount), "a sibling too few");
    let mut changed = witness.clone();
    changed.siblings.push([0; 32]);
    assert_eq!(refused(changed), Some(WitnessError::SiblingCount), "a sibling too many");
    let mut changed = witness.clone();
    changed.words.insert(1, witness.words[0]);
    let twice = WitnessError::PlaceInvalid(witness.words[0].0);
    assert_eq!(refused(changed), Some(twice), "a word twice");
    let mut changed = witness.clone();
    changed.words.push(((200, 0), [0; 32]));
    let absent = WitnessError::PlaceInvalid((200, 0));
    assert_eq!(refused(changed), Some(absent), "an arena that is not there");
    let nothing = Witness { words: Vec::new(), siblings: Vec::new() };
    assert_eq!(refused(nothing), Some(WitnessError::Empty), "no word at all");
}

#[test]
#[should_panic(expected = "the witness lacks word")]
fn an_entry_stops_at_a_word_that_its_witness_lacks() {
    let file = vectors(STORY);
    let story = rows(&file["entries"]);
    let (witness, root_before) = witnessed(&file, 3);
    let store = WitnessStore::new(witness, &root_before).expect("a recorded witness");
    let last = story.iter().rfind(|row| row["name"] == "APPLIED").expect("an applied entry");
    Kernel::over(store).apply(&bytes(&last["entry"]), &mut Recovering, &mut Vec::new());
}

#[test]
fn a_genesis_that_is_cut_or_goes_on_is_refused() {
    let file = vectors(STORY);
    let genesis = bytes(&file["genesis"]);
    for length in [0, 3, 50, genesis.len() - 1] {
        let cut = Kernel::from_genesis(&genesis[..length], 1, &[1; 20]);
        assert!(cut.is_err(), "{length} of {} bytes", genesis.len());
    }
    let longer = [&genesis[..], &[0]].concat();
    assert!(Kernel::from_genesis(&longer, 1, &[1; 20]).is_err(), "a byte after the end");
}

/// Where a number of a genesis lies, and a value that it must not have.
struct Unsound {
    name: &'static str,
    offset: usize,
    value: &'static [u8],
}

#[test]
fn a_genesis_with_an_unsound_value_is_refused() {
    const PARAMETERS: usize = 4 + 8 + 32 + 20 + 20;
    const TERMS: usize = 7 * 8 + 3 * 4;
    const MILLION: &[u8] = &1_000_000u32.to_le_bytes();
    let file = vectors(STORY);
    let genesis = bytes(&file["genesis"]);
    let at = |place| PARAMETERS + 4 * place;
    let publishers = PARAMETERS + 4 * parameters::COUNT;
    let grid = publishers + 1 + 20 * genesis[publishers] as usize + 1;
    let terms = grid + 20 + 2 * TERMS;
    let rows = [
        Unsound { name: "spot range", offset: PARAMETERS, value: MILLION },
        Unsound { name: "vol up", offset: PARAMETERS + 4, value: &[0xff; 4] },
        Unsound { name: "naked", offset: at(place::NAKED_INITIAL_PPM), value: &[0; 4] },
        Unsound { name: "stale", offset: at(place::STALE_MARGIN_PPM), value: &[0; 4] },
        Unsound { name: "symbol", offset: grid, value: &[0xff; 8] },
        Unsound { name: "no quorum", offset: grid + 8, value: &[0; 4] },
        Unsound { name: "quorum", offset: grid + 8, value: &[200, 0, 0, 0] },
        Unsound { name: "strike step", offset: grid + 12, value: &[0; 8] },
        Unsound { name: "tick", offset: terms, value: &[0; 8] },
        Unsound { name: "tick value", offset: terms, value: &[1, 0, 0, 0, 0, 0, 0, 0] },
        Unsound { name: "lot", offset: terms + 8, value: &[0xff; 8] },
        Unsound { name: "least size", offset: terms + 16, value: &[0; 8] },
        Unsound { name: "greatest size", offset: terms + 24, value: &[0xff; 8] },
        Unsound { name: "least block", offset: terms + 32, value: &[0; 8] },
        Unsound { name: "fee", offset: terms + 56, value: MILLION },
        Unsound { name: "band", offset: terms + 64, value: &[0xff; 4] },
        Unsound { name: "beta", offset: grid + 20 + 3 * TERMS + 24, value: &[0xff; 4] },
        Unsound { name: "concentration", offset: grid + 20 + 3 * TERMS + 28, value: &[0xff; 4] },
        Unsound { name: "tick table", offset: grid + 20 + 3 * TERMS, value: &[5, 0, 0, 0] },
    ];
    let nothing_listed = [&genesis[..grid - 1], &[0]].concat();
    assert!(Kernel::from_genesis(&nothing_listed, 1, &[1; 20]).is_err(), "no underlying");
    for row in rows {
        let mut changed = genesis.clone();
        changed[row.offset..row.offset + row.value.len()].copy_from_slice(row.value);
        assert!(Kernel::from_genesis(&changed, 1, &[1; 20]).is_err(), "{}", row.name);
    }
}

//! The seeds, what was found before, and seeded changes of both, without libFuzzer.

use std::fs;
use std::path::PathBuf;

use proofbook_fuzz::stories::{STORIES, seeds};
use proofbook_fuzz::stream::{Told, tell};
use proofbook_fuzz::{entry, stream};
use proofbook_kernel::entry::Entry;
use proofbook_kernel::limits::OutcomeKind;

/// Return the inputs of a target that once made it stop.
fn found(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("found").join(target);
    let rows = fs::read_dir(folder).into_iter().flatten();
    rows.map(|row| fs::read(row.expect("a file").path()).expect("its bytes")).collect()
}

/// Changes bytes the same way in every run: a multiplicative congruential sequence.
struct Changes(u64);

impl Changes {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let place = self.below(data.len());
            match self.below(3) {
                0 => data[place] ^= 1 << self.below(8),
                1 => data[place] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                _ => drop(data.splice(place..place, [self.below(256) as u8])),
            }
        }
    }
}

#[test]
fn entries_of_the_stories_pass_and_so_do_changed_ones() {
    let mut changes = Changes(1);
    for original in STORIES.iter().flat_map(|story| &story.entries) {
        entry(original);
        for _ in 0..100 {
            let mut data = original.clone();
            data.push(0);
            changes.change(&mut data);
            data.pop();
            entry(&data);
        }
    }
}

#[test]
fn streams_of_the_stories_pass_and_so_do_changed_ones() {
    let mut changes = Changes(2);
    for (_, original) in seeds() {
        stream::run(&original);
        for _ in 0..4 {
            let mut data = original.clone();
            changes.change(&mut data);
            stream::run(&data);
        }
    }
}

#[test]
fn what_was_found_passes() {
    found("entry").iter().for_each(|data| entry(data));
    found("stream").iter().for_each(|data| stream::run(data));
}

#[test]
fn seeds_are_signed_by_those_who_signed_the_stories() {
    let mut pieces_applied = 0;
    for (name, seed) in seeds() {
        let told = tell(&seed);
        let applied = |row: &Told| row.effect.outcome.kind == OutcomeKind::Applied as u8;
        let is_story = !name.starts_with("void") && !name.starts_with("random");
        assert!(told.iter().any(applied) || !is_story, "{name}: nothing applied");
        pieces_applied += (!is_story && told.iter().any(applied)) as u32;
        for row in told {
            let unsigned = row.entry.windows(8).any(|window| window == b"signedby");
            assert!(!unsigned || Entry::decode(&row.entry).is_err(), "{name}: a mark is left");
        }
    }
    assert!(pieces_applied > 0, "no piece of a random stream does anything");
}

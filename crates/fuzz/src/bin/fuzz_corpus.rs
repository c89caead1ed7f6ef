//! Writes the seeds, and tells what inputs are, for whoever compares.
//!
//! `fuzz_corpus seeds FOLDER` writes the seeds of both targets into FOLDER/entry and FOLDER/stream.
//! `fuzz_corpus tell FILE…` writes a line of JSON for each stream: the entries before it, its own
//! entries, and after each of these outcome, events and root.

use std::path::Path;
use std::{env, fs};

use proofbook_fuzz::stories::{STORIES, seeds};
use proofbook_fuzz::stream::{start, tell};
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["seeds", folder] => write_seeds(Path::new(folder)),
        ["tell", ref files @ ..] => {
            for file in files {
                println!("{}", story(&fs::read(file).expect("a file that can be read")));
            }
        }
        _ => panic!("seeds FOLDER, or tell FILE…"),
    }
}

fn write_seeds(folder: &Path) {
    let entries = STORIES.iter().flat_map(|story| {
        let rows = story.entries.iter().enumerate();
        rows.map(|(place, entry)| (format!("{}_{place}", story.name), entry.clone()))
    });
    for (target, inputs) in [("entry", entries.collect()), ("stream", seeds())] {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("a folder that can be made");
        for (name, data) in inputs {
            fs::write(folder.join(name), data).expect("a folder that can be written");
        }
    }
}

/// Return a stream as the specification can follow it.
fn story(data: &[u8]) -> Value {
    let (number, is_end) = (start(data) / 2, start(data) % 2 == 1);
    let story = &STORIES[number];
    let before = if is_end { story.entries.len() } else { story.entries.len() / 2 };
    let rows = tell(data).into_iter().map(|told| {
        json!({
            "entry": hex(&told.entry),
            "outcome": [told.effect.outcome.kind, told.effect.outcome.reason],
            "events": hex(&told.effect.events),
            "root": hex(&told.effect.root),
        })
    });
    let rows: Vec<Value> = rows.collect();
    json!({ "story": story.name, "before": before, "entries": rows })
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Counts what entries cost.
//!
//! `fuzz_cost count SNAPSHOT ENTRY…` writes a line of JSON for each entry, a file: what it costs
//! after that state. `fuzz_cost apply SNAPSHOT ENTRY` only applies it, for a profiler. `fuzz_cost
//! follow SNAPSHOT STREAM` writes a line for each entry of a stream, a file of entries that have
//! their length, u32, before them.

use std::{env, fs};

use proofbook_fuzz::cost::{cost, follow, measured};
use proofbook_kernel::commands::Address;
use proofbook_kernel::eip712::signatures;
use proofbook_kernel::kernel::Kernel;
use proofbook_kernel::native::NativeStore;
use proofbook_signatures::recover;
use serde_json::json;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["count", snapshot, ref entries @ ..] => {
            let kernel = restored(snapshot);
            entries.iter().for_each(|entry| count(&kernel, &read(entry)));
        }
        ["apply", snapshot, entry] => {
            let (mut kernel, entry) = (restored(snapshot), read(entry));
            let signers = signers(&kernel, &entry);
            measured(&mut kernel, &entry, &signers);
        }
        ["follow", snapshot, stream] => follow_stream(restored(snapshot), &read(stream)),
        _ => panic!("count SNAPSHOT ENTRY…, apply SNAPSHOT ENTRY, or follow SNAPSHOT STREAM"),
    }
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn restored(snapshot: &str) -> Kernel<NativeStore> {
    Kernel::restore(&read(snapshot)).expect("a snapshot of the kernel")
}

fn signers(kernel: &Kernel<NativeStore>, entry: &[u8]) -> Vec<Option<Address>> {
    let requests = signatures(entry, &kernel.domain_separator());
    requests.iter().map(|(digest, signature)| recover(digest, signature)).collect()
}

fn count(kernel: &Kernel<NativeStore>, entry: &[u8]) {
    let cost = cost(kernel.store(), entry, &signers(kernel, entry));
    let line = json!({
        "outcome": [cost.outcome.kind, cost.outcome.reason],
        "reads": cost.reads,
        "writes": cost.writes,
        "words": cost.words,
        "siblings": cost.siblings,
        "event_bytes": cost.event_bytes,
    });
    println!("{line}");
}

fn follow_stream(kernel: Kernel<NativeStore>, mut stream: &[u8]) {
    let mut entries = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let (entry, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        entries.push((entry, signers(&kernel, entry)));
        stream = rest;
    }
    for (outcome, reads, writes) in follow(kernel.into_store(), entries.into_iter()) {
        let outcome = [outcome.kind, outcome.reason];
        println!("{}", json!({ "outcome": outcome, "reads": reads, "writes": writes }));
    }
}

//! The states that streams start from, and the seeds: both are told by `vectors/transition`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proofbook_kernel::commands::{Address, Signature};
use proofbook_kernel::eip712::signatures;
use proofbook_kernel::host::Recovered;
use proofbook_kernel::kernel::Kernel;
use proofbook_kernel::native::NativeStore;
use proofbook_signatures::recover;
use serde_json::Value;

use crate::keys::{PUBLISHER, key_of, mark, replace_signatures};
use crate::stream::{STEPS_MAX, Step};

/// A story: where it begins, and its entries.
pub struct Story {
    pub name: String,
    pub genesis: Kernel<NativeStore>,
    pub entries: Vec<Vec<u8>>,
}

/// The stories, in the order of their names.
pub static STORIES: LazyLock<Vec<Story>> =
    LazyLock::new(|| paths().iter().filter(|path| !is_random(path)).map(read).collect());

/// The random streams, signed by keys that nobody here knows.
static RANDOM: LazyLock<Vec<Story>> =
    LazyLock::new(|| paths().iter().filter(|path| is_random(path)).map(read).collect());

/// The states that streams start from: of each story its middle and its end.
pub static STARTS: LazyLock<Vec<Kernel<NativeStore>>> = LazyLock::new(|| {
    let halves = |story: &'static Story| {
        let (middle, end) = (story.entries.len() / 2, story.entries.len());
        [told(story, middle), told(story, end)]
    };
    STORIES.iter().flat_map(halves).collect()
});

fn paths() -> Vec<PathBuf> {
    let rows = std::fs::read_dir(folder()).expect("the folder of transitions");
    let mut paths: Vec<PathBuf> = rows.map(|row| row.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|suffix| suffix == "json"));
    paths.sort();
    paths
}

fn is_random(path: &Path) -> bool {
    path.file_stem().is_some_and(|name| name.to_string_lossy().starts_with("random"))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/transition")
}

fn read(path: &PathBuf) -> Story {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let file: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let chain_id = file["chain_id"].as_u64().expect("a chain id");
    let contract: Address = bytes(&file["contract"]).try_into().expect("an address");
    let genesis = Kernel::from_genesis(&bytes(&file["genesis"]), chain_id, &contract);
    let rows = file["entries"].as_array().expect("entries");
    Story {
        name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
        genesis: genesis.expect("a canonical genesis"),
        entries: rows.iter().map(|row| bytes(&row["entry"])).collect(),
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("0x and digits");
    let pairs = digits.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("a digit")).collect()
}

fn told(story: &Story, entries: usize) -> Kernel<NativeStore> {
    let mut kernel = story.genesis.clone();
    let separator = kernel.domain_separator();
    for entry in &story.entries[..entries] {
        let requests = signatures(entry, &separator);
        let signers: Vec<_> = requests.iter().map(|(digest, sign)| recover(digest, sign)).collect();
        kernel.apply(entry, &mut Recovered::new(&signers), &mut Vec::new());
    }
    kernel
}

/// Return each story from its beginning as a stream, and its second half from its middle; and the
/// random streams in pieces, each from another start.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (place, story) in STORIES.iter().enumerate() {
        let steps = steps(story, None);
        let half = stream(2 * place, &steps[steps.len() / 2..]);
        seeds.push((format!("{}_half", story.name), half));
        seeds.push((format!("{}_again", story.name), stream(2 * place + 1, &steps)));
    }
    for story in RANDOM.iter() {
        for (place, piece) in steps(story, Some(PUBLISHER)).chunks(STEPS_MAX).enumerate() {
            seeds.push((format!("{}_{place}", story.name), stream(place, piece)));
        }
    }
    seeds
}

fn stream(start: usize, steps: &[Step]) -> Vec<u8> {
    let start = (start % STARTS.len()) as u8;
    [start].into_iter().chain(steps.iter().flat_map(Step::encode)).collect()
}

/// Return the entries of a story as steps that say who signs them, not how; `stranger` is the key
/// that stands in for unknown ones.
fn steps(story: &Story, stranger: Option<u8>) -> Vec<Step> {
    let separator = story.genesis.domain_separator();
    story.entries.iter().map(|entry| step(entry, &separator, stranger)).collect()
}

fn step(entry: &[u8], separator: &[u8; 32], stranger: Option<u8>) -> Step {
    let mut marked = entry.to_vec();
    let marks: Vec<(Signature, Signature)> = signatures(entry, separator)
        .iter()
        .map(|(digest, signature)| {
            let known = recover(digest, signature).and_then(|address| key_of(&address));
            (*signature, known.or(stranger).map_or(*signature, mark))
        })
        .collect();
    replace_signatures(&mut marked, &marks);
    Step::of_entry(&marked)
}

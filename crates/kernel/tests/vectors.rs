//! The kernel against the reference program's vectors: bytes, prices, trees, transitions.

mod common;

use common::{Recovering, array, bytes, files, founded, integer, number, rows, vectors};
use proofbook_kernel::accumulator::{append, withdrawal_leaf};
use proofbook_kernel::arrays::{Array, risk_array};
use proofbook_kernel::black76::{Price, Slice, Spread, call_and_put, total_variance};
use proofbook_kernel::eip712::{domain_separator, signatures};
use proofbook_kernel::entry::Entry;
use proofbook_kernel::fixed_point::{exp, log, normal_cdf};
use proofbook_kernel::keccak::{Hash, keccak256};
use proofbook_kernel::native::NativeStore;
use proofbook_kernel::payoff::{Market, Terms};
use proofbook_kernel::records::{expiry, global, instrument, parameters, underlying};
use proofbook_kernel::store::Store;
use proofbook_kernel::three_ways::ThreeWays;
use proofbook_kernel::world::World;
use serde_json::Value;

#[test]
fn every_transition_agrees_on_every_store() {
    for name in files("transition") {
        let file = vectors(&name);
        let mut kernel = founded(&file);
        assert_eq!(kernel.root(), array::<32>(&file["genesis_root"]), "{name}: root of genesis");
        let mut three = ThreeWays::new(kernel);
        for (place, row) in rows(&file["entries"]).iter().enumerate() {
            let effect = three.run_three_ways(&bytes(&row["entry"]), &mut Recovering);
            let at = format!("{name}, entry {place}, {}", row["name"]);
            let outcome = [effect.outcome.kind, effect.outcome.reason];
            let expected: Vec<u8> =
                rows(&row["outcome"]).iter().map(|byte| number(byte) as u8).collect();
            assert_eq!(outcome[..], expected[..], "{at}: outcome");
            assert_eq!(effect.events, bytes(&row["events"]), "{at}: events");
            if let Some(root) = row.get("root") {
                assert_eq!(effect.root, array::<32>(root), "{at}: root");
            }
        }
    }
}

#[test]
fn entries_hash_and_their_digests_are_what_is_signed() {
    let file = vectors("encoding/entries.json");
    let separator: Hash = array(&file["domain_separator"]);
    let chain_id = number(&file["chain_id"]) as u64;
    assert_eq!(domain_separator(chain_id, &array(&file["contract"])), separator, "domain");
    for row in rows(&file["entries"]) {
        let entry = bytes(&row["entry"]);
        assert_eq!(keccak256(&entry), array::<32>(&row["hash"]), "{}: hash", row["command"]);
        let digests: Vec<Hash> =
            signatures(&entry, &separator).iter().map(|(digest, _)| *digest).collect();
        let expected: Vec<Hash> = rows(&row["digests"]).iter().map(array).collect();
        assert_eq!(digests, expected, "{}: digests", row["command"]);
    }
}

#[test]
fn logarithm_exponential_and_distribution_agree_to_the_bit() {
    let file = vectors("pricing/mathematics.json");
    for pair in rows(&file["log"]) {
        assert_eq!(log(number(&pair[0]) as u64), integer(&pair[1]), "ln {}", pair[0]);
    }
    for pair in rows(&file["exp"]) {
        assert_eq!(exp(integer(&pair[0])), integer(&pair[1]), "e^{}", pair[0]);
    }
    for pair in rows(&file["normal_cdf"]) {
        assert_eq!(normal_cdf(number(&pair[0])), number(&pair[1]), "N({})", pair[0]);
    }
}

#[test]
fn prices_and_variances_agree_to_the_bit() {
    let file = vectors("pricing/mathematics.json");
    for row in rows(&file["call_and_put"]) {
        let [forward, strike] = ["forward", "strike"].map(|name| price(number(&row[name])));
        let values = call_and_put(forward, strike, &Spread::of(number(&row["deviation"])));
        let expected = (number(&row["call_and_put"][0]), number(&row["call_and_put"][1]));
        assert_eq!(values, expected, "{row}");
    }
    for row in rows(&file["total_variance"]) {
        let variance = total_variance(&slice(&row["slice"]), number(&row["log_moneyness"]));
        assert_eq!(variance, integer(&row["total_variance"]), "{row}");
    }
}

#[test]
fn risk_arrays_agree_to_the_atom() {
    for row in rows(&vectors("pricing/arrays.json")["arrays"]) {
        let (mut store, mut events) = (NativeStore::new(), Vec::new());
        for (name, arena) in [
            ("underlying", underlying::ARENA),
            ("expiry", expiry::ARENA),
            ("instrument", instrument::ARENA),
            ("parameters", parameters::ARENA),
        ] {
            for (place, word) in (0..).zip(bytes(&row[name]).chunks(32)) {
                store.word_mut(arena.id, arena.word_of(1, 32 * place))[..word.len()]
                    .copy_from_slice(word);
            }
        }
        let mut world = World { store: &mut store, events: &mut events };
        world.set_header(global::WINDOW_NS, number(&row["now_ns"]) as u64);
        let array = risk_array(&Terms::read(&world, 1), &Market::read(&world, 1));
        require_equal(&array, row);
    }
}

fn require_equal(array: &Array, row: &Value) {
    let expected = &row["array"];
    for (name, got) in [
        ("mark_atoms", array.mark_atoms),
        ("skew_linear_atoms", array.skew_linear_atoms),
        ("skew_absolute_atoms", array.skew_absolute_atoms),
        ("delta_atoms", array.delta_atoms),
        ("basis_atoms", array.basis_atoms),
        ("slope_up_atoms", array.slope_up_atoms),
        ("slope_down_atoms", array.slope_down_atoms),
        ("fresh_until_ns", array.fresh_until_ns as i64),
    ] {
        assert_eq!(got, number(&expected[name]), "{name} of {row}");
    }
    let numbers = |name: &str| rows(&expected[name]).iter().map(number).collect::<Vec<_>>();
    assert_eq!(array.core.as_slice(), numbers("core"), "core of {row}");
    assert_eq!(array.tails.as_slice(), numbers("tails"), "tails of {row}");
}

fn price(value: i64) -> Price {
    Price { value, log: log(value as u64) as i64 }
}

fn slice(row: &Value) -> Slice {
    let [a, b, rho, m, sigma] = core::array::from_fn(|place| number(&row[place]));
    Slice { a, b, rho, m, sigma }
}

#[test]
fn the_withdrawal_tree_grows_to_the_same_roots() {
    let file = vectors("tree/merkle.json");
    let mut state = NativeStore::new();
    let roots = rows(&file["withdrawal_roots"]);
    assert_eq!(proofbook_kernel::accumulator::EMPTY_ROOT, array::<32>(&roots[0]), "no leaf");
    for (index, root) in (0..).zip(&roots[1..]) {
        let leaf = withdrawal_leaf(index, 0, &[index as u8; 20], 10u64.pow(index as u32));
        assert_eq!(append(&mut state, index, leaf), array::<32>(root), "after leaf {index}");
    }
}

#[test]
fn an_entry_that_is_cut_or_goes_on_is_malformed() {
    for row in rows(&vectors("encoding/entries.json")["entries"]) {
        let entry = bytes(&row["entry"]);
        for length in 0..entry.len() {
            let cut = Entry::decode(&entry[..length]);
            assert!(cut.is_err(), "{}: {length} of {} bytes", row["command"], entry.len());
        }
        let longer = [&entry[..], &[0]].concat();
        let decoded = Entry::decode(&longer);
        assert!(decoded.is_err(), "{}: a byte after the end", row["command"]);
    }
}

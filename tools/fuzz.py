#!/usr/bin/env python3
"""Fuzz the kernel: one entry's bytes, and whole streams of entries, each for `--seconds`.

Builds the targets of crates/fuzz with libFuzzer, which comes with a crate: a stable compiler and a
C++ compiler are enough. Inputs that lead anywhere new stay in target/fuzz/corpus. `--compare` of
them are followed by the specification afterwards: it must decode the same bytes, and agree on
outcome, events and root. An input that stops a target is written to crates/fuzz/found, where
`cargo test` tries it for ever.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

from proofbook.kernel import Kernel
from proofbook.protocol.commands import Malformed
from proofbook.protocol.entry import Entry
from proofbook.spec import State

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "crates/fuzz/found"
CORPUS = ROOT / "target/fuzz/corpus"
TARGETS = ("entry", "stream")
TRIPLES = {"Linux": "unknown-linux-gnu", "Darwin": "apple-darwin"}
MACHINES = {"arm64": "aarch64"}
ENTRY_LENGTH_MAX, STREAM_LENGTH_MAX = 2_100, 8_192
INPUT_SECONDS_MAX = 20

# What `cargo fuzz` passes, too, but for the sanitizer of addresses: the kernel has no unsafe code.
COVERAGE = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
)


def build() -> dict[str, Path]:
    """Build the targets and the tool for their inputs; return each one's program."""
    cargo = ["cargo", "build", "--locked", "--quiet", "--package", "proofbook-fuzz"]
    subprocess.run([*cargo, "--release", "--bin", "fuzz_corpus"], cwd=ROOT, check=True)
    programs = {"corpus": ROOT / "target/release/fuzz_corpus"}
    machine = MACHINES.get(platform.machine(), platform.machine())
    # A named triple keeps the counters out of build scripts and macros.
    triple = f"{machine}-{TRIPLES[platform.system()]}"
    command = [*cargo, "--features", "targets", "--profile", "fuzz", "--target", triple]
    for target in TARGETS:
        command += ["--bin", f"fuzz_{target}"]
        programs[target] = ROOT / "target" / triple / "fuzz" / f"fuzz_{target}"
    flags = {"RUSTFLAGS": " ".join(COVERAGE)}
    subprocess.run(command, cwd=ROOT, env=os.environ | flags, check=True)
    return programs


def fuzz(program: Path, target: str, seconds: int, seed: int) -> bool:
    """Run one target; return whether nothing stopped it."""
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    length = ENTRY_LENGTH_MAX if target == "entry" else STREAM_LENGTH_MAX
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={length}"]
    options += [
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-artifact_prefix={found}/",
        "-verbosity=0",
    ]
    run = subprocess.run([str(program), *options, str(CORPUS / target)], check=False)
    print(f"{target}: {sum(1 for _ in (CORPUS / target).iterdir())} inputs kept", flush=True)
    return run.returncode == 0


def chosen(target: str, count: int, seed: int) -> list[Path]:
    """Return some inputs of a corpus, the same for the same seed and corpus."""
    inputs = sorted((CORPUS / target).iterdir())
    return Random(seed).sample(inputs, min(count, len(inputs)))


def compare_entries(paths: list[Path]) -> list[str]:
    """Return the inputs on which decoders disagree, or that do not re-encode to themselves."""
    story = read_story("orders")
    genesis = bytes.fromhex(story["genesis"][2:])
    differences: list[str] = []
    for path in paths:
        data = path.read_bytes()
        try:
            is_canonical = Entry.decode(data).encode() == data
        except Malformed:
            is_canonical = False
        results = [engine.apply([data])[0] for engine in engines(story, genesis)]
        is_malformed = results[0].outcome.name == "VOID_MALFORMED"
        if is_malformed is is_canonical or results[0] != results[1]:
            differences.append(f"{path}: {[result.outcome.name for result in results]}")
    return differences


def engines(story: dict[str, Any], genesis: bytes) -> tuple[Any, Any]:
    """Return specification and kernel, both at genesis."""
    contract = bytes.fromhex(story["contract"][2:])
    return (
        State(genesis, story["chain_id"], contract),
        Kernel(genesis, story["chain_id"], contract, store="cached"),
    )


def read_story(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"vectors/transition/{name}.json").read_text())


def compare_streams(program: Path, paths: list[Path]) -> list[str]:
    """Return the first entry of every stream at which the specification disagrees."""
    command = [str(program), "tell", *map(str, paths)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [
        f"{path}, entry {place}"
        for path, line in zip(paths, lines, strict=True)
        for place in first_difference(json.loads(line))
    ]


def first_difference(stream: dict[str, Any]) -> list[int]:
    """Return the place of the first entry at which the specification disagrees, if it does."""
    story = read_story(stream["story"])
    contract = bytes.fromhex(story["contract"][2:])
    spec = State(bytes.fromhex(story["genesis"][2:]), story["chain_id"], contract)
    spec.apply([bytes.fromhex(row["entry"][2:]) for row in story["entries"][: stream["before"]]])
    for place, row in enumerate(stream["entries"]):
        result = spec.apply([bytes.fromhex(row["entry"])])[0]
        told = (list(result.outcome.encode()), result.events.hex(), spec.root().hex())
        if told != (row["outcome"], row["events"], row["root"]):
            return [place]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--compare", type=int, default=300, help="inputs of each target that the spec follows"
    )
    arguments = parser.parse_args()
    programs = build()
    subprocess.run([str(programs["corpus"]), "seeds", str(CORPUS)], check=True)
    passed = failed = 0
    for target in TARGETS:
        is_sound = fuzz(programs[target], target, arguments.seconds, arguments.seed)
        passed, failed = passed + is_sound, failed + (not is_sound)
    entries, streams = (chosen(target, arguments.compare, arguments.seed) for target in TARGETS)
    for inputs, differences in (
        (entries, compare_entries(entries)),
        (streams, compare_streams(programs["corpus"], streams)),
    ):
        for difference in differences:
            print(f"the specification disagrees: {difference}")
        passed, failed = passed + len(inputs) - len(differences), failed + len(differences)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Run random, partly hostile streams through the spec and all stores of the kernel; compare.

Equal must be: outcome and events of every entry, and after every `--root-every` entries the state
root and the margin of an account, each in turn. The money in all accounts is added up anew each
time and must equal what the state says is in custody. With `--streams`, so many streams run, seeds
ascending; `--accepted-min` asks that every kind of command was applied so often in all of them
together.
"""

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.progress import Progress

from proofbook.kernel import Kernel
from proofbook.protocol.engine import Engine, Result
from proofbook.protocol.limits import TOKENS_MAX, OutcomeKind, Reject, Tag, Void
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload
from proofbook.spec import State
from proofbook.spec.accounts import debt_of
from proofbook.spec.funding import pending_atoms
from proofbook.spec.positions import is_settled

KERNEL_STORES = ("cached", "plain", "witness")
DIFFERENCES_MAX = 10
TAG_OFFSET = 18


class Tally:
    """What the stream was made of and what became of it."""

    def __init__(self) -> None:
        self.commands = 0
        self.applied: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.void: Counter[str] = Counter()
        self.differences: list[dict[str, Any]] = []

    def count(self, entry: bytes, result: Result) -> None:
        self.commands += 1
        if result.outcome.kind == OutcomeKind.APPLIED:
            self.applied[Tag(entry[TAG_OFFSET]).name.lower()] += 1
        elif result.outcome.kind == OutcomeKind.REJECTED:
            self.rejected[Reject(result.outcome.reason).name] += 1
        else:
            self.void[Void(result.outcome.reason).name] += 1

    def differ(self, **facts: Any) -> None:
        self.differences.append(facts)

    def add(self, other: "Tally") -> None:
        self.commands += other.commands
        self.applied += other.applied
        self.rejected += other.rejected
        self.void += other.void
        self.differences += other.differences

    @property
    def is_hopeless(self) -> bool:
        return len(self.differences) >= DIFFERENCES_MAX


def custody_recomputed(spec: State) -> list[int]:
    """Return what all accounts and positions hold of each token, in atoms, USDC first; then debts.

    Funding that is not yet paid counts, and what positions are worth whose final mark is written.
    """
    world = spec.world
    accounts = world.accounts.records.values()
    held = world.positions.records.values()
    entries = sum(position.entry_atoms for position in held)
    entries -= sum(pending_atoms(world, position) for position in held if position.lots)
    entries += sum(
        position.lots * world.risk_arrays[position.instrument].mark_atoms
        for position in held
        if position.lots and is_settled(world.instruments[position.instrument])
    )
    cash = sum(account.cash_atoms for account in accounts)
    debts = sum(debt_of(account.cash_atoms) for account in accounts)
    balances = zip(*(account.balances_atoms for account in accounts), strict=True)
    return [entries + cash, *map(sum, balances), debts]


def custody_counted(spec: State) -> list[int]:
    """Return what the state says is in custody of each token, USDC first, and owed. In atoms."""
    tokens = spec.world.tokens.records
    counted = [tokens[n].custody_atoms if n in tokens else 0 for n in range(1, TOKENS_MAX + 1)]
    return [spec.world.header.custody_atoms, *counted, spec.world.header.debt_atoms]


def compare_results(tally: Tally, entry: bytes, results: dict[str, Result]) -> None:
    """Record every store whose outcome or events differ from the spec's."""
    expected = results["spec"]
    for store, result in results.items():
        if result != expected:
            tally.differ(
                seq=tally.commands,
                store=store,
                entry=entry.hex(),
                spec=expected.outcome.name,
                kernel=result.outcome.name,
            )


def compare_roots(tally: Tally, seed: int, engines: dict[str, Engine]) -> None:
    """Record every store whose root differs, and money that does not add up."""
    roots = {store: engine.root() for store, engine in engines.items()}
    for store, root in roots.items():
        if root != roots["spec"]:
            tally.differ(
                seq=tally.commands,
                store=store,
                seed=seed,
                spec=roots["spec"].hex(),
                kernel=root.hex(),
            )
    spec = engines["spec"]
    assert isinstance(spec, State)
    custody, counted = custody_counted(spec), custody_recomputed(spec)
    if custody != counted:
        tally.differ(seq=tally.commands, store="spec", custody_atoms=custody, counted_atoms=counted)


def compare_margins(tally: Tally, engines: dict[str, Engine]) -> None:
    """Record every store that reports another margin of an account, each account in turn."""
    spec = engines["spec"]
    assert isinstance(spec, State)
    accounts = sorted(spec.world.accounts.records)
    account = accounts[tally.commands // 7 % len(accounts)]
    expected = spec.margin(account)
    for store, engine in engines.items():
        if (report := engine.margin(account)) != expected:
            tally.differ(
                seq=tally.commands,
                store=store,
                account=account,
                spec=repr(expected),
                kernel=repr(report),
            )


def run(commands: int, seed: int, root_every: int, stores: list[str]) -> tuple[Tally, float]:
    """Return the tally of one stream and the seconds that the spec took."""
    workload = Workload(seed)
    spec = State(workload.genesis, CHAIN_ID, CONTRACT)
    engines: dict[str, Engine] = {"spec": spec}
    engines |= {
        store: Kernel(workload.genesis, CHAIN_ID, CONTRACT, store=store) for store in stores
    }
    tally, spec_seconds = Tally(), 0.0
    with Progress(transient=True) as progress:
        task = progress.add_task("comparing", total=commands)
        while tally.commands < commands and not tally.is_hopeless:
            entry = workload.next_entry()
            started = time.perf_counter()
            expected = spec.apply([entry])[0]
            spec_seconds += time.perf_counter() - started
            results = {
                store: engine.apply([entry])[0]
                for store, engine in engines.items()
                if store != "spec"
            }
            workload.observe(entry, expected)
            tally.count(entry, expected)
            compare_results(tally, entry, results | {"spec": expected})
            if tally.commands % root_every == 0 or tally.commands == commands:
                compare_roots(tally, seed, engines)
                compare_margins(tally, engines)
            progress.advance(task)
    return tally, spec_seconds


def run_streams(arguments: argparse.Namespace, stores: list[str]) -> tuple[Tally, float]:
    """Run all streams, some at a time; return what they came to and the seconds of the spec."""
    seeds = range(arguments.seed, arguments.seed + arguments.streams)
    tasks = [(arguments.commands, seed, arguments.root_every, stores) for seed in seeds]
    total, spec_seconds = Tally(), 0.0
    with ProcessPoolExecutor(arguments.processes) as pool:
        futures = [pool.submit(run, *task) for task in tasks]
        for done in as_completed(futures):
            tally, seconds = done.result()
            total.add(tally)
            spec_seconds += seconds
            print(f"{total.commands} commands compared", file=sys.stderr)
    return total, spec_seconds


def rare_kinds(tally: Tally, accepted_min: int) -> dict[str, int]:
    """Return the kinds of commands that were applied too seldom."""
    counts = {tag.name.lower(): tally.applied[tag.name.lower()] for tag in Tag}
    return {kind: count for kind, count in counts.items() if count < accepted_min}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000, help="entries in each stream")
    parser.add_argument("--seed", type=int, default=1, help="of the first stream")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2, help="streams at a time")
    parser.add_argument(
        "--accepted-min", type=int, default=0, help="times that each kind has to be applied"
    )
    parser.add_argument(
        "--root-every", type=int, default=16, help="entries between two comparisons of roots"
    )
    parser.add_argument(
        "--stores", default=",".join(KERNEL_STORES), help="kernel stores, comma-separated"
    )
    parser.add_argument(
        "--json", metavar="PATH", help="where the report goes; - for standard output"
    )
    arguments = parser.parse_args()
    if min(arguments.commands, arguments.root_every, arguments.streams, arguments.processes) < 1:
        parser.error("--commands, --root-every, --streams and --processes must be at least 1")
    stores = [store for store in arguments.stores.split(",") if store]
    if unknown := set(stores) - set(KERNEL_STORES):
        parser.error(f"unknown stores {sorted(unknown)}; there are {', '.join(KERNEL_STORES)}")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    stores = [store for store in arguments.stores.split(",") if store]
    if arguments.streams == 1:
        tally, spec_seconds = run(arguments.commands, arguments.seed, arguments.root_every, stores)
    else:
        tally, spec_seconds = run_streams(arguments, stores)
    rare = rare_kinds(tally, arguments.accepted_min)
    report = {
        "commands": tally.commands,
        "seed": arguments.seed,
        "streams": arguments.streams,
        "applied": dict(tally.applied),
        "applied_too_seldom": rare,
        "rejected": dict(tally.rejected),
        "void": sum(tally.void.values()),
        "void_reasons": dict(tally.void),
        "stores": ["spec", *stores],
        "differences": tally.differences,
        "spec_commands_per_second": round(tally.commands / spec_seconds, 1),
    }
    text = json.dumps(report, indent=2)
    if arguments.json == "-":
        print(text)
    elif arguments.json:
        Path(arguments.json).write_text(text + "\n")
    else:
        applied, rejected = sum(tally.applied.values()), sum(tally.rejected.values())
        outcomes = f"{applied} applied, {rejected} rejected, {report['void']} void"
        print(f"{tally.commands} commands: {outcomes}")
        print(f"{len(tally.differences)} differences between {', '.join(report['stores'])}")
        for kind, count in rare.items():
            print(f"{kind}: applied {count} times, at least {arguments.accepted_min} wanted")
    return 1 if tally.differences or rare else 0


if __name__ == "__main__":
    sys.exit(main())

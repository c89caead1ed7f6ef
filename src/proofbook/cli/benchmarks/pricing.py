"""`proofbook bench pricing`: price and four sensitivities of options, on one core, in float64.

Beside NumPy with SciPy's normal distribution in blocks that fit a cache, and beside QuantLib and
vollib, which take options one by one. Everybody prices the same options and must agree.
"""

from typing import Annotated, Any

import typer
from rich.table import Table

from proofbook.cli.benchmarks.harness import Contender, circumstances, interleave, table_of
from proofbook.cli.benchmarks.kernel import RoundsOption, SeedOption
from proofbook.cli.benchmarks.pricers import PRICERS, Chain, ours, require_agreement
from proofbook.cli.output import PlainConsole, ReportPath, console_for, publish

OURS = "proofbook"
PROMISES = {"numpy": 3.0, "quantlib": 500.0, "vollib": 1_000.0}
"""How many times as fast as each of them."""


def pricing(
    options: Annotated[int, typer.Option(min=1_024, help="Options.")] = 1 << 18,
    seed: SeedOption = 1,
    rounds: RoundsOption = 15,
    json_path: ReportPath = "",
) -> None:
    """Measure price and four sensitivities of options beside QuantLib, vollib and NumPy."""
    console = console_for(json_path)
    report = measure(options, seed, rounds, console)
    publish(report, json_path, as_table(report))


def measure(count: int, seed: int, rounds: int, console: PlainConsole) -> dict[str, Any]:
    """Let everybody price one chain in turn. Raises PricesDisagree."""
    chain = Chain.random(count, seed)
    contenders = {OURS: Contender(count, lambda: ours(chain))}
    names: dict[str, str] = {}
    for key, pricer in PRICERS.items():
        name = pricer.name()
        if name is not None:
            some = chain.first(pricer.options_max)
            require_agreement(name, some, pricer.price(some))
            contenders[key] = Contender(len(some), lambda p=pricer, s=some: lambda: p.price(s))
            names[key] = name
    rates = interleave(contenders, rounds, console)
    peers: dict[str, dict[str, Any]] = {
        key: {
            "name": name,
            "options_per_second": rates.median(key),
            "ratio": rates.ratio(OURS, key),
            "cpu_ratio": rates.cpu_ratio(OURS, key),
        }
        for key, name in names.items()
    }
    return {
        **circumstances(rounds),
        "workload": {"options": count, "seed": seed, "numbers": "price, 4 sensitivities, float64"},
        "options_per_second": rates.median(OURS),
        "per_processor_second": rates.median_cpu(OURS),
        "peers": peers,
        "promises": [promise(key, peers[key]["cpu_ratio"]) for key in PROMISES if key in peers],
    }


def promise(key: str, ratio: float) -> dict[str, Any]:
    """Return what is promised beside a peer, and whether it is kept."""
    bound = PROMISES[key]
    return {"times": key, "at_least": bound, "measured": ratio, "is_kept": ratio >= bound}


def as_table(report: dict[str, Any]) -> Table:
    """Return the report as a table: who, options per second, how many times slower."""
    rows: list[tuple[object, ...]] = [(OURS, report["options_per_second"], None)]
    rows += [(p["name"], p["options_per_second"], p["ratio"]) for p in report["peers"].values()]
    for each in report["promises"]:
        verdict = "kept" if each["is_kept"] else "MISSED"
        rows.append((f"at least {each['at_least']:g} × {each['times']}: {verdict}", None, None))
    title = f"{report['workload']['options']:,} options on one core, {report['machine']}"
    return table_of(title, ("", "options a second", "ours beside it"), rows)

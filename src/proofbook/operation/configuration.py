"""The one configuration of a venue: a TOML file of few sections, every setting checked by name.

`docs/reference/configuration.md` is written from here.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast, get_type_hints

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import fields

from proofbook.history.errors import DatabaseSettingInvalid
from proofbook.history.setting import check_setting
from proofbook.operation.errors import (
    ConfigurationUnreadable,
    SettingInvalid,
    SettingMissing,
    SettingUnknown,
)

REQUIRED = "required"
DAY_SECONDS = 86_400

Address = Annotated[str, Meta(pattern=r"\A0x[0-9a-fA-F]{40}\Z")]
Filled = Annotated[str, Meta(min_length=1)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Seconds = Annotated[float, Meta(gt=0, le=DAY_SECONDS)]
WholeSeconds = Annotated[int, Meta(ge=1, le=DAY_SECONDS)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that stand under one heading of the file."""


class ChainSection(Section, frozen=True):
    """The chain that the entries go to, and who sends them there."""

    rpc: Annotated[Filled, Meta(description="URL of the chain's JSON-RPC.")]
    contract: Annotated[Address, Meta(description="Address of the venue's Chain contract.")]
    operator_key_file: Annotated[
        Filled, Meta(description="File with the operator's private key, 64 hex digits.")
    ]
    finality: Annotated[
        Literal["finalized", "safe", "blocks"],
        Meta(description="Which requests are believed: what the chain calls so, or by depth."),
    ] = "finalized"
    confirmations: Annotated[
        int, Meta(ge=0, le=10_000, description="With `blocks`: so many on top of a request's.")
    ] = 64
    quiet_seconds_max: Annotated[
        int,
        Meta(
            ge=0,
            le=DAY_SECONDS,
            description="A node without a block for longer is behind; 0: no chain is too quiet.",
        ),
    ] = 300
    look_seconds: Annotated[Seconds, Meta(description="Between two looks for deposits.")] = 1.0
    append_seconds: Annotated[Seconds, Meta(description="Between two looks at the journal.")] = 2.0
    claim_every: Annotated[
        Count, Meta(description="A claim, and its bond, after so many looks at the journal.")
    ] = 5
    appends_per_claim_max: Annotated[
        Annotated[int, Meta(ge=1, le=1024)], Meta(description="Appends in one claim, at most.")
    ] = 64
    price_max_wei: Annotated[
        int, Meta(ge=0, le=10**15, description="Offered for a gas, at most; 0: whatever it costs.")
    ] = 0


class SequencerSection(Section, frozen=True):
    """The order: where it is kept, who signs receipts, what they promise."""

    key_file: Annotated[
        Filled, Meta(description="File with the private key of receipts, 64 hex digits.")
    ]
    journal: Annotated[
        Filled, Meta(description="Folder of the journal, made if there is none.")
    ] = "journal"
    epoch: Annotated[
        int, Meta(ge=1, le=2**32 - 1, description="Number of the key in receipts.")
    ] = 1
    promise_seconds: Annotated[
        WholeSeconds, Meta(description="On chain after that when nothing waits.")
    ] = 60
    promise_append_seconds: Annotated[
        WholeSeconds, Meta(description="Longer by that for each append that waits.")
    ] = 15
    promise_seconds_max: Annotated[
        Annotated[int, Meta(ge=1, le=1800)],
        Meta(description="No promise is longer: beyond it intake throttles."),
    ] = 1800
    receipts_kept: Annotated[
        Count, Meta(description="Last receipts, and answers to commands that are sent again.")
    ] = 65_536


class InterfaceSection(Section, frozen=True):
    """Where clients connect. TLS belongs in front of it."""

    host: Annotated[Filled, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on; 0 takes a free one.")] = 8600
    connections_max: Annotated[
        Annotated[int, Meta(ge=1, le=65_536)], Meta(description="WebSockets, in all.")
    ] = 4_096
    connections_per_address_max: Annotated[
        Annotated[int, Meta(ge=1, le=65_536)],
        Meta(description="WebSockets from one address; behind a proxy, from the proxy."),
    ] = 512
    request_seconds_max: Annotated[
        Seconds,
        Meta(
            description="For a request's headers, for its body, for half of what is left to read."
        ),
    ] = 10.0
    subscriptions_max: Annotated[
        Annotated[int, Meta(ge=1, le=2**24)],
        Meta(description="Channels joined, by all together: some 450 bytes each."),
    ] = 524_288
    subscriptions_per_address_max: Annotated[
        Annotated[int, Meta(ge=1, le=2**24)],
        Meta(description="Channels joined from one address; behind a proxy, from the proxy."),
    ] = 65_536
    outbox_bytes_max: Annotated[
        Annotated[int, Meta(ge=2**20, le=2**40)],
        Meta(description="Bytes that wait for all slow readers; then the slowest is closed."),
    ] = 268_435_456
    notices_kept: Annotated[
        Count, Meta(description="Last notices of accounts, for streams that are resumed.")
    ] = 65_536


class RatesSection(Section, frozen=True):
    """Buckets of tokens for each key that signs, and for each connection, or address over HTTP."""

    orders_per_second: Annotated[
        Count, Meta(description="For a key: what it may send, but for cancels; one each.")
    ] = 1_000
    orders_burst: Annotated[
        Annotated[int, Meta(ge=4, le=1_000_000)],
        Meta(description="At once; a batch takes one for every eight quotes begun."),
    ] = 2_000
    cancels_per_second: Annotated[Count, Meta(description="For a key: what it may cancel.")] = 1_000
    cancels_burst: Annotated[Count, Meta(description="At once.")] = 4_000
    requests_per_second: Annotated[
        Count, Meta(description="For a connection: what it may ask and subscribe to.")
    ] = 2_000
    requests_burst: Annotated[
        Annotated[int, Meta(ge=20, le=1_000_000)],
        Meta(description="At once; `get_rate_limits` says which methods take more than one."),
    ] = 10_000
    invalid_signatures_per_second: Annotated[
        Count, Meta(description="For a connection: then it may send nothing signed for a while.")
    ] = 20
    invalid_signatures_burst: Annotated[Count, Meta(description="At once.")] = 200


class SnapshotsSection(Section, frozen=True):
    """What a start goes on from, and not the whole journal; written by a process of its own."""

    every: Annotated[
        Annotated[int, Meta(ge=0, le=2**32)],
        Meta(description="Entries after which another is taken; 0: none are, and none are used."),
    ] = 100_000
    kept: Annotated[
        Annotated[int, Meta(ge=1, le=1_000)], Meta(description="The newest that are kept.")
    ] = 3
    folder: Annotated[Filled, Meta(description="Where they are, made if there is none.")] = (
        "snapshots"
    )


class PricesSection(Section, frozen=True):
    """What publishers say over the interface, and how marks follow."""

    gather_seconds: Annotated[
        Annotated[float, Meta(ge=0, le=10)],
        Meta(description="For so long others may speak after a quorum has."),
    ] = 0.3
    mark_seconds: Annotated[
        Seconds, Meta(description="Between two looks for what prices have moved.")
    ] = 0.5


class ListingSection(Section, frozen=True):
    """What the venue lists of every underlying by itself; anybody may list more."""

    every_seconds: Annotated[
        Annotated[float, Meta(ge=0, le=DAY_SECONDS)],
        Meta(description="Between two looks at the calendar; 0: it lists nothing."),
    ] = 0.0
    perpetuals: Annotated[bool, Meta(description="Perpetuals.")] = True
    futures: Annotated[bool, Meta(description="A future for each expiry.")] = False
    days: Annotated[int, Meta(ge=0, le=7, description="Expiries on the next days, 08:00 UTC.")] = 2
    weeks: Annotated[int, Meta(ge=0, le=8, description="On the next Fridays.")] = 2
    months: Annotated[
        int, Meta(ge=0, le=9, description="On the last Fridays of this and the next months.")
    ] = 3
    strikes: Annotated[
        int, Meta(ge=0, le=50, description="To either side of the one nearest to the index.")
    ] = 5
    strike_percent: Annotated[
        Annotated[float, Meta(gt=0, le=100)],
        Meta(description="Of the index between two strikes, on the grid."),
    ] = 2.5


class HistorySection(Section, frozen=True):
    """The journal as tables, for `get_fills` and the like."""

    database: Annotated[
        str, Meta(description="File for SQLite, or postgresql://…; empty: no history.")
    ] = ""
    follow: Annotated[bool, Meta(description="Whether a process beside the venue keeps it up.")] = (
        False
    )


class LogsSection(Section, frozen=True):
    """What the venue says on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is told.")
    ] = "info"
    format: Annotated[
        Literal["json", "text"], Meta(description="A JSON object a line, or words for people.")
    ] = "json"


class DrainSection(Section, frozen=True):
    """How the venue ends on SIGTERM."""

    settle_seconds_max: Annotated[
        Annotated[float, Meta(ge=0, le=DAY_SECONDS)],
        Meta(description="For so long it goes on to bring the journal on chain; 0: not at all."),
    ] = 60.0


class Configuration(Section, frozen=True):
    """Everything that can be set."""

    chain: ChainSection
    sequencer: SequencerSection
    interface: InterfaceSection = InterfaceSection()
    rates: RatesSection = RatesSection()
    snapshots: SnapshotsSection = SnapshotsSection()
    prices: PricesSection = PricesSection()
    listing: ListingSection = ListingSection()
    history: HistorySection = HistorySection()
    logs: LogsSection = LogsSection()
    drain: DrainSection = DrainSection()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the configuration of a file; paths in it begin at the file's folder.

        Raises ConfigurationUnreadable, SettingUnknown, SettingMissing, SettingInvalid.
        """
        return decode(cls, read_document(path)).beside(path.parent)

    def beside(self, folder: Path) -> Self:
        """Return the same with paths that begin at a folder."""
        chain, sequencer, history = self.chain, self.sequencer, self.history
        database = history.database
        if database and "://" not in database:
            database = str(folder / database)
        replace = msgspec.structs.replace
        key_file, journal = str(folder / sequencer.key_file), str(folder / sequencer.journal)
        return replace(
            self,
            chain=replace(chain, operator_key_file=str(folder / chain.operator_key_file)),
            sequencer=replace(sequencer, key_file=key_file, journal=journal),
            snapshots=replace(self.snapshots, folder=str(folder / self.snapshots.folder)),
            history=replace(history, database=database),
        )


def read_document(path: Path) -> dict[str, Any]:
    """Return a file as it stands. Raises ConfigurationUnreadable."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as fault:
        raise ConfigurationUnreadable(path, fault.strerror or str(fault)) from None
    except RecursionError:
        raise ConfigurationUnreadable(path, "brackets in brackets, too deep") from None
    except ValueError as fault:  # no TOML, no UTF-8, a number of thousands of digits, no path
        raise ConfigurationUnreadable(path, str(fault)) from None


Configured = TypeVar("Configured", bound=Configuration)


def decode(shape: type[Configured], document: dict[str, Any]) -> Configured:
    """Return what a document says. Raises SettingUnknown, SettingMissing, SettingInvalid."""
    kinds = sections()
    for name in document:
        if name not in kinds:
            raise SettingUnknown(name, sorted(kinds))
    read: dict[str, Any] = {
        name: _section(name, kind, document.get(name, {})) for name, kind in kinds.items()
    }
    found = shape(**read)
    first, longest = found.sequencer.promise_seconds, found.sequencer.promise_seconds_max
    if first > longest:
        limit = f"at most sequencer.promise_seconds_max, which is {longest}"
        raise SettingInvalid("sequencer.promise_seconds", first, limit)
    if found.history.follow and not found.history.database:
        raise SettingInvalid("history.database", "", "a database, because history.follow is true")
    if found.history.database:
        try:
            check_setting(found.history.database)
        except DatabaseSettingInvalid:
            allowed = "a file, or postgresql://…"
            raise SettingInvalid("history.database", found.history.database, allowed) from None
    return found


def sections() -> dict[str, type[Section]]:
    """Return the kind of each section by its name, in the order of the file."""
    return {field.name: field.type for field in fields(Configuration)}


def settings(kind: type[Section]) -> dict[str, Any]:
    """Return the type of each setting of a section, with what is said about it."""
    return {
        name: hint
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if not name.startswith("__")
    }


def _section(name: str, kind: type[Section], given: object) -> Section:
    if not isinstance(given, dict):
        raise SettingInvalid(name, given, f"a section: [{name}]")
    known = settings(kind)
    values: dict[str, Any] = {}
    for key, value in cast(dict[str, object], given).items():
        if key not in known:
            raise SettingUnknown(f"{name}.{key}", [f"{name}.{known_key}" for known_key in known])
        try:
            values[key] = msgspec.convert(value, known[key])
        except msgspec.ValidationError:
            raise SettingInvalid(f"{name}.{key}", value, allowed(known[key])) from None
        if isinstance(value, str) and "\0" in value:
            raise SettingInvalid(f"{name}.{key}", value, "text without a zero byte")
    for field in fields(kind):
        if field.required and field.name not in values:
            raise SettingMissing(f"{name}.{field.name}", allowed(known[field.name]))
    return kind(**values)


def allowed(hint: Any) -> str:
    """Return in words which values a setting takes."""
    schema = msgspec.json.schema(hint)
    if "enum" in schema:
        return "one of " + ", ".join(sorted(map(str, schema["enum"])))
    words = {"string": "text", "integer": "a whole number", "number": "a number"}
    text = words.get(schema["type"], "true or false")
    if "pattern" in schema:
        return "0x and 40 hex digits"
    if schema.get("minLength"):
        return f"{text} that is not empty"
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    named = [f"{word} {schema[bound]}" for bound, word in bounds.items() if bound in schema]
    return ", ".join([text, *named])


def description(hint: Any) -> str:
    """Return what a setting is for."""
    return msgspec.json.schema(hint)["description"]


def default_of(kind: type[Section], key: str) -> str:
    """Return what a setting is when the file does not say, as the file would."""
    (field,) = (field for field in fields(kind) if field.name == key)
    if field.required:
        return REQUIRED
    return msgspec.json.encode(field.default).decode()

"""Whatever is wrong with a setting, a database or a journal has a name of its own."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.unit.history.stage import (
    Server,
    append,
    contents,
    identity_of,
    projector_of,
    stream,
)

from proofbook.history import migrations as steps
from proofbook.history.database import Database, Position
from proofbook.history.errors import (
    DatabaseFailed,
    DatabaseForeign,
    DatabaseSettingInvalid,
    HistoryDamaged,
    HistoryOfAnotherJournal,
    HistoryOfAnotherVenue,
    HistoryRemoved,
    HistoryTaken,
    HistoryTooNew,
    JournalDamaged,
    JournalNotFound,
    QuestionRefused,
)
from proofbook.history.journal_reader import JournalReader
from proofbook.history.projector import catch_up
from proofbook.history.questions import Question, ask, scan
from proofbook.history.setting import open_database
from proofbook.history.sqlite import Sqlite
from proofbook.history.tables import IDENTITY, TABLES

GENESIS, ENTRIES = stream(1, 700)
KINDS = ["sqlite", "postgresql"]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    append(tmp_path / "journal", [list(ENTRIES[:150]), list(ENTRIES[150:300])])
    return tmp_path / "journal"


def setting_of(kind: str, folder: Path, server: Server) -> str:
    return str(folder / "history.db") if kind == "sqlite" else server.new_database()


@pytest.mark.parametrize(
    "setting",
    ["", ".", "missing/history.db", "mysql://a@b/c", "postgresql://localhost/", "postgresql://h/d",
     "postgresql://u:secret@h:70000/d", "postgresql://[::1", "postgresql://u:secret@[::1/d",
     "postgresql://u%00:secret@h/d", "postgresql://u@h/d\0", "history\0.db", "\0", ":memory:",
     "n" * 300],
)  # fmt: skip
def test_setting_that_names_no_database_is_refused_without_its_password(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseSettingInvalid) as refused:
        open_database(setting)
    assert "secret" not in str(refused.value)
    with pytest.raises(DatabaseSettingInvalid):
        open_database(str(tmp_path / "absent.db"), must_exist=True)


def test_server_that_is_not_there_or_lacks_the_database_is_a_failure(
    tmp_path: Path, server: Server
) -> None:
    for setting in (f"postgresql://venue@localhost/x?host={tmp_path}", server.setting("absent")):
        with pytest.raises(DatabaseFailed) as failed:
            open_database(setting)
        assert failed.value.operation == "connect"


def test_file_that_is_no_database_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("not a database, but long enough to be looked at " * 30)
    with pytest.raises(DatabaseFailed):
        open_database(str(tmp_path / "note.txt"))


def test_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
    connection.close()
    with pytest.raises(DatabaseForeign) as refused:
        open_database(str(path))
    assert refused.value.tables == ["guests"]


@pytest.mark.parametrize("kind", KINDS)
def test_schema_is_brought_up_to_date_and_a_later_one_refused(
    kind: str, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, journal: Path
) -> None:
    setting = setting_of(kind, tmp_path, server)
    whole = steps.migrations
    with monkeypatch.context() as old:
        for module in ("database", "migrations"):
            name = f"proofbook.history.{module}.migrations"
            old.setattr(name, lambda dialect: whole(dialect)[:1])
        with open_database(setting) as database:
            catch_up(projector_of(journal, GENESIS), database)
            before = contents(database)
            with pytest.raises(DatabaseFailed):
                database.select("SELECT * FROM orders")
    with open_database(setting) as database:
        assert contents(database) == before
        assert database.select("SELECT COUNT(*) FROM orders")[0][0] > 0
        newest = len(whole(database.dialect))
    with monkeypatch.context() as old:
        old.setattr("proofbook.history.database.migrations", lambda dialect: ())
        with pytest.raises(HistoryTooNew) as refused:
            open_database(setting)
    assert (refused.value.version, refused.value.version_known) == (newest, 0)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE venue SET value = 'x' WHERE name = 'schema_version'", "its version"),
        ("DELETE FROM venue WHERE name = 'schema_version'", "its version"),
        ("DELETE FROM progress", "how far it has come"),
        ("UPDATE venue SET value = 'zz' WHERE name = 'genesis'", "whose it is"),
        ("DELETE FROM venue WHERE name = 'contract'", "whose it is"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_history_that_does_not_say_what_it_is_has_a_name(
    kind: str, change: str, what: str, tmp_path: Path, server: Server, journal: Path
) -> None:
    setting = setting_of(kind, tmp_path, server)
    with open_database(setting) as database:
        catch_up(projector_of(journal, GENESIS), database)
        with database._transaction("spoil") as cursor:
            cursor.execute(change)
    with pytest.raises(HistoryDamaged, match=what), open_database(setting) as database:
        database.identity()
        database.position()


def test_history_of_another_venue_or_journal_is_refused(tmp_path: Path, journal: Path) -> None:
    with open_database(str(tmp_path / "history.db")) as database:
        catch_up(projector_of(journal, GENESIS), database)
        with pytest.raises(HistoryOfAnotherVenue) as other:
            database.claim(identity_of(GENESIS)._replace(chain_id=1))
        assert (other.value.name, other.value.expected) == ("chain_id", "1")
        append(tmp_path / "shorter", [list(ENTRIES[:100])])
        with pytest.raises(HistoryOfAnotherJournal, match="ends at 100"):
            projector_of(tmp_path / "shorter", GENESIS).attach(database)
        append(tmp_path / "different", [list(ENTRIES[1:302])])
        with pytest.raises(HistoryOfAnotherJournal, match="other entries"):
            projector_of(tmp_path / "different", GENESIS).attach(database)


@pytest.mark.parametrize("kind", KINDS)
def test_second_writer_writes_nothing(
    kind: str, tmp_path: Path, server: Server, journal: Path
) -> None:
    setting = setting_of(kind, tmp_path, server)
    with open_database(setting) as database:
        first, second = projector_of(journal, GENESIS), projector_of(journal, GENESIS)
        second.attach(database)
        catch_up(first, database)
        before = contents(database)
        with pytest.raises(HistoryTaken):
            second.write_next(database)
        assert contents(database) == before
        second.attach(database)
        database.reset()
        with pytest.raises(HistoryTaken):
            first.attach(database)


def test_no_journal_and_a_segment_that_is_missing_are_told_apart(
    tmp_path: Path, journal: Path
) -> None:
    with pytest.raises(JournalNotFound):
        JournalReader(tmp_path / "absent").read_group()
    append(journal, [list(ENTRIES[300:])])
    first, *later = sorted(journal.glob("*.journal"))
    assert later, "one segment"
    first.rename(tmp_path / "away")
    with pytest.raises(JournalDamaged, match="missing"):
        JournalReader(journal).read_group()


def test_group_that_is_half_written_waits_and_is_read_once_it_is_whole(
    tmp_path: Path, journal: Path
) -> None:
    def read_all(reader: JournalReader) -> list[int]:
        seqs: list[int] = []
        while group := reader.read_group():
            seqs += [read.seq for read in group]
        return seqs

    (segment,) = journal.glob("*.journal")
    whole = segment.read_bytes()
    end = len(whole.rstrip(b"\0"))
    reader = JournalReader(journal)
    for cut in (end - 1, end - 40, end - 2_000):
        segment.write_bytes(whole[:cut].ljust(len(whole), b"\0"))
        assert read_all(JournalReader(journal)) == list(range(1, 151))
    assert read_all(reader) == list(range(1, 151))
    segment.write_bytes(whole)
    assert read_all(reader) == list(range(151, 301))
    reader.close()


def test_damage_before_a_later_segment_is_named(tmp_path: Path, journal: Path) -> None:
    append(journal, [list(ENTRIES[300:])])
    first, second = sorted(journal.glob("*.journal"))[:2]
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 1
    first.write_bytes(data)
    reader = JournalReader(journal)
    with pytest.raises(JournalDamaged) as damaged:
        while reader.read_group():
            pass
    assert damaged.value.path == first and second.exists()
    first.write_bytes(b"no journal at all".ljust(64, b"\0"))
    with pytest.raises(JournalDamaged, match="no journal segment"):
        JournalReader(journal).read_group()


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_beyond_64_bits_and_odd_texts_come_back_as_they_were(
    kind: str, tmp_path: Path, server: Server
) -> None:
    columns = TABLES["order_changes"].columns
    numbers = [0, -1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 10**38 - 1, 1 - 10**38]
    texts = ["", "tab\tand\nline\\N", "ünï", r"\N", "'; DROP TABLE fills"]
    rows: list[tuple[Any, ...]] = []
    for seq, number in enumerate(numbers, 1):
        values = {"integer": -(2**63), "exact": number, "text": texts[seq % len(texts)]}
        rows.append((seq, 0, *(values[kind] for kind in list(columns.values())[2:])))
    with open_database(setting_of(kind, tmp_path, server)) as database:
        start = database.position()
        database.write(start, Position(9, b"\x01" * 32), {"order_changes": rows})
        (read,) = scan(database, "order_changes", Question())
        assert read == rows
        assert database.position() == (9, b"\x01" * 32)


@pytest.mark.parametrize(
    ("name", "question", "rows_max"),
    [
        ("guests", Question(), 1),
        ("fills", Question(), 0),
        ("fills", Question(), 10_001),
        ("transactions", Question(instrument=1), 1),
        ("candles_hour", Question(account=1), 1),
    ],
)
def test_question_that_makes_no_sense_is_refused(
    name: str, question: Question, rows_max: int, tmp_path: Path
) -> None:
    with open_database(str(tmp_path / "history.db")) as database:
        with pytest.raises(QuestionRefused):
            ask(database, name, question, rows_max)
        with pytest.raises(QuestionRefused):
            list(scan(database, "orders", Question()))


def test_reset_keeps_the_venue_and_failed_transactions_leave_nothing(tmp_path: Path) -> None:
    database = Database(Sqlite(tmp_path / "history.db"))
    database.claim(identity_of(GENESIS))
    row = (1, 0, 0, "TICK", None, b"", "APPLIED", None)
    with pytest.raises(DatabaseFailed):
        database.write(database.position(), Position(1, bytes(32)), {"entries": [row, row]})
    assert database.position().seq == 0 and not any(contents(database).values())
    database.reset()
    assert database.identity() == identity_of(GENESIS)
    assert {name for (name, _) in database.select(f"SELECT * FROM {IDENTITY.name}")} == {
        "schema_version", "genesis", "chain_id", "contract",
    }  # fmt: skip
    database.close()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_file_that_was_removed_is_not_written_on(
    is_replaced: bool, tmp_path: Path, journal: Path
) -> None:
    path, other = tmp_path / "history.db", tmp_path / "other.db"
    open_database(str(other)).close()
    with open_database(str(path)) as database:
        projector = projector_of(journal, GENESIS)
        catch_up(projector, database)
        append(journal, [list(ENTRIES[300:450])])
        path.unlink()
        if is_replaced:
            other.rename(path)
        with pytest.raises(HistoryRemoved, match="was removed or replaced"):
            projector.write_next(database)
        with pytest.raises(HistoryRemoved):
            database.position()
    assert path.exists() == is_replaced
    with open_database(str(path)) as database:
        assert catch_up(projector_of(journal, GENESIS), database) == 450


def test_file_that_was_cut_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    open_database(str(path)).close()
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(DatabaseFailed), open_database(str(path)) as database:
        list(scan(database, "entries", Question()))

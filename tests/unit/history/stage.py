"""A journal with a random stream, and databases of both kinds to project it into."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pg8000.dbapi

from proofbook.history.database import Database, Identity
from proofbook.history.projector import Projector
from proofbook.history.questions import Question, scan
from proofbook.history.tables import TABLES, Row
from proofbook.kernel import Kernel
from proofbook.sequencer.journal import Journal
from proofbook.simulator.workload import CHAIN_ID, CONTRACT, Workload

SEGMENT_BYTES = 1 << 16
UNPRIVILEGED = 65534
"""PostgreSQL refuses to run as root."""


@cache
def stream(seed: int, count: int) -> tuple[bytes, tuple[bytes, ...]]:
    """Return a genesis and entries, some of them hostile."""
    workload = Workload(seed)
    genesis = workload.genesis
    kernel = Kernel(genesis, CHAIN_ID, CONTRACT)
    entries: list[bytes] = []
    for _ in range(count):
        entry = workload.next_entry()
        (result,) = kernel.apply([entry])
        workload.observe(entry, result)
        entries.append(entry)
    return genesis, tuple(entries)


def identity_of(genesis: bytes) -> Identity:
    return Identity(genesis, CHAIN_ID, CONTRACT)


def append(folder: Path, groups: list[list[bytes]]) -> None:
    """Write groups into a journal, each made durable by itself."""

    async def write() -> None:
        with Journal(folder, segment_bytes=SEGMENT_BYTES) as journal:
            for group in groups:
                await journal.append_group(group)

    asyncio.run(write())


def projector_of(folder: Path, genesis: bytes) -> Projector:
    return Projector(folder, identity_of(genesis), Kernel)


def contents(database: Database) -> dict[str, list[Row]]:
    """Return every row of every table."""
    return {
        name: [row for rows in scan(database, name, Question()) for row in rows] for name in TABLES
    }


class Server:
    """A PostgreSQL cluster of its own in a temporary folder, run by somebody without rights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.databases = 0

    def run(self, *command: str) -> str:
        """Run a program of PostgreSQL as the cluster's owner."""
        is_root = os.geteuid() == 0
        made = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.folder,
            user=UNPRIVILEGED if is_root else None,
            group=UNPRIVILEGED if is_root else None,
            extra_groups=[] if is_root else None,
        )
        assert made.returncode == 0, f"{command[0]}: {made.stdout}{made.stderr}"
        return made.stdout

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        log = str(self.folder / "log")
        data = str(self.folder / "data")
        self.run(program("pg_ctl"), "-D", data, "-l", log, "-w", "-o", options, "start")

    def stop(self) -> None:
        data = str(self.folder / "data")
        self.run(program("pg_ctl"), "-D", data, "-w", "-m", "fast", "stop")

    def setting(self, database: str = "postgres") -> str:
        return f"postgresql://venue@localhost/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Make an empty database and return its setting."""
        self.databases += 1
        name = f"history_{self.databases}"
        socket = f"{self.folder}/.s.PGSQL.5432"
        connection = pg8000.dbapi.connect("venue", database="postgres", unix_sock=socket)
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
        connection.close()
        return self.setting(name)


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL's server; tests of histories need it."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else installed
    assert folders, "PostgreSQL's server is missing (apt-get install postgresql)"
    return str(folders[0] / name)


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a cluster while the block runs; nothing of it is left behind."""
    folder = Path(mkdtemp(prefix="proofbook-postgres-"))
    if os.geteuid() == 0:
        os.chown(folder, UNPRIVILEGED, UNPRIVILEGED)
    server = Server(folder)
    try:
        options = ("-U", "venue", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        server.run(program("initdb"), "-D", str(folder / "data"), *options)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)

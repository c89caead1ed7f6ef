"""The one setting that says where a history is."""

from pathlib import Path

from proofbook.history.database import Database
from proofbook.history.errors import DatabaseSettingInvalid
from proofbook.history.sqlite import Sqlite

SCHEMES = ("postgresql", "postgres")
IN_MEMORY = ":memory:"
"""What SQLite keeps nowhere: a history that is gone with whoever opened it."""
NO_FILES = ("", ".", "..", IN_MEMORY)


def open_database(setting: str, *, must_exist: bool = False) -> Database:
    """Open a history: a path is SQLite, postgresql://… is PostgreSQL. A new one is made.

    Raises DatabaseSettingInvalid, DatabaseFailed, DatabaseForeign, HistoryTooNew.
    """
    if check_setting(setting) in SCHEMES:
        # Imported here: who keeps a file needs no driver of a server.
        from proofbook.history.postgres import Postgres

        return Database(Postgres(setting))
    try:
        return Database(Sqlite(_checked(setting, Path(setting), must_exist)))
    except OSError as fault:
        raise DatabaseSettingInvalid(setting, fault.strerror or str(fault)) from None


def check_setting(setting: str) -> str:
    """Return the scheme of a setting, empty for a file; nothing is opened or looked for.

    Raises DatabaseSettingInvalid.
    """
    if "\0" in setting:
        raise DatabaseSettingInvalid(setting, "it has a zero byte")
    scheme, separator, _ = setting.partition("://")
    if separator and scheme not in SCHEMES:
        raise DatabaseSettingInvalid(setting, f"scheme {scheme}, known are {', '.join(SCHEMES)}")
    if not separator and setting in NO_FILES:
        raise DatabaseSettingInvalid(setting, "a file is needed")
    return scheme if separator else ""


def _checked(setting: str, path: Path, must_exist: bool) -> Path:
    if path.is_dir():
        raise DatabaseSettingInvalid(setting, "a file is needed")
    if not path.parent.is_dir():
        raise DatabaseSettingInvalid(setting, f"{path.parent} is no folder")
    if must_exist and not path.exists():
        raise DatabaseSettingInvalid(setting, "there is no such file")
    return path

"""The part of pg8000.dbapi that histories use."""

from typing import Any

class Connection:
    autocommit: bool
    def cursor(self) -> Any: ...
    def close(self) -> None: ...

def connect(**options: Any) -> Connection: ...

"""Tables as Parquet files, column by column, exact."""

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from proofbook.history.database import Database
from proofbook.history.errors import QuestionRefused
from proofbook.history.questions import Question, scan
from proofbook.history.tables import TABLES, Kind

EXACT_DIGITS = 38
"""More than the state machine lets any amount grow to; what is larger is refused, not rounded."""

TYPES: dict[Kind, pa.DataType] = {
    Kind.INTEGER: pa.int64(),
    Kind.EXACT: pa.decimal128(EXACT_DIGITS, 0),
    Kind.TEXT: pa.string(),
    Kind.BYTES: pa.binary(),
}


def export_table(database: Database, name: str, question: Question, target: Path) -> int:
    """Write the rows of a table that fit to a file, whole or not at all; return how many.

    Raises QuestionRefused, DatabaseFailed, OSError.
    """
    if name not in TABLES:
        raise QuestionRefused(f"no table is named {name}: {', '.join(TABLES)}")
    columns = TABLES[name].columns
    schema = pa.schema([(column, TYPES[kind]) for column, kind in columns.items()])
    draft = target.with_name(target.name + ".draft")
    count = 0
    try:
        with parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
            for rows in scan(database, name, question):
                values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
                arrays = [
                    pa.array(list(column), field.type)
                    for column, field in zip(values, schema, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                count += len(rows)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return count

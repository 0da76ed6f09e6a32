"""Rows of Parquet, as a limited process reads them; nobody else imports this."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import pyarrow as pa
from pyarrow import compute, types
from pyarrow.parquet import ParquetFile

from shared.errors import Refused

_TEXT_LIMIT_BYTES: Final = 4 * 4097
"""More than is taken of any cell, so that one that is too long is seen to be so."""

_ROWS_A_BATCH: Final = 500
_BUFFER_BYTES: Final = 1024 * 1024
_FOOTER_TEXT_BYTES: Final = 16 * 1024 * 1024
_FOOTER_PARTS: Final = 200_000

_begun: dict[tuple[str, tuple[str, ...], int], Iterator[dict[str, str]]] = {}
"""What stands at a row, so that the next rows are not looked for from the beginning."""


def rows_from(path: str, columns: tuple[str, ...], begin: int, count: int) -> list[dict[str, str]]:
    """Give the texts of these columns, of up to so many rows; raises Refused (`manifest_unreadable`)."""
    rows = _begun.pop((path, columns, begin), None) or _rows(path, columns, begin)
    page = list(islice(rows, count))
    _begun.clear()
    if page:
        _begun[path, columns, begin + len(page)] = rows
    return page


def _rows(path: str, columns: Sequence[str], begin: int) -> Iterator[dict[str, str]]:
    # Neither threads nor an allocator that reserves address space: both would count as memory.
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    try:
        with ParquetFile(
            path,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            thrift_string_size_limit=_FOOTER_TEXT_BYTES,
            thrift_container_size_limit=_FOOTER_PARTS,
        ) as file:
            yield from _rows_in(file, _textual(file, columns), begin)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].replace(path, "manifest")
        raise Refused("manifest_unreadable", f"It is no Parquet that can be read: {reason}") from error


def _textual(file: ParquetFile, columns: Sequence[str]) -> list[str]:
    """Give those of the columns that are there once, and hold texts."""
    schema = file.schema_arrow
    found = [name for name in columns if (at := schema.get_field_index(name)) >= 0 and _is_text(schema.field(at).type)]
    if columns[0] not in found:
        raise Refused("manifest_unreadable", f"It has no column `{columns[0]}` of texts.")
    return list(dict.fromkeys(found))


def _is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary))


def _rows_in(file: ParquetFile, columns: Sequence[str], begin: int) -> Iterator[dict[str, str]]:
    groups, left = _groups_from(file, begin)
    if not groups:
        return
    for batch in file.iter_batches(_ROWS_A_BATCH, row_groups=groups, columns=columns, use_threads=False):
        if left >= batch.num_rows:
            left -= batch.num_rows
            continue
        yield from _texts(batch.slice(left), columns)
        left = 0


def _groups_from(file: ParquetFile, begin: int) -> tuple[list[int], int]:
    """Give the groups of rows from a row on, and how many rows of the first of them come before it."""
    groups = range(file.num_row_groups)
    while groups and (count := file.metadata.row_group(groups[0]).num_rows) <= begin:
        groups = groups[1:]
        begin -= max(0, count)
    return list(groups), begin


def _texts(batch: pa.RecordBatch, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    cells = [_cut(batch.column(name)) for name in columns]
    for values in zip(*cells, strict=True):
        yield {name: _text(value) for name, value in zip(columns, values, strict=True) if value is not None}


def _cut(column: pa.Array) -> list[bytes | None]:
    """Give the bytes of each cell, without what no text may have; that they are UTF-8 nobody has checked."""
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cut: list[bytes | None] = compute.binary_slice(column.cast(pa.large_binary()), 0, _TEXT_LIMIT_BYTES).to_pylist()
    return cut


def _text(value: bytes) -> str:
    return value.decode(errors="replace").replace("\x00", "")

"""Keeps the records of the tables' streams over a stop of the emulator. The emulator itself keeps only the tables.

Without these records, a write just before `incidents down` would have no deadlines, no figures and no event.

The emulator's own interpreter imports this file. So the file imports only the standard library.
"""

from collections.abc import Callable
from typing import Any

from .state_files import Services

NAME = "stream_records"
"""The name of the file with the records, beside the files of the services."""


def with_records(services: Callable[[], Services], dynamodb: Any, functions: Any) -> Callable[[], Services]:
    """Return a function that returns the services to save, and the records as one more of them.

    ``dynamodb`` and ``functions`` are the emulator's modules of DynamoDB and Lambda.
    """
    return lambda: {**services(), NAME: lambda: unread(dynamodb, functions)}


def unread(dynamodb: Any, functions: Any) -> list[list[Any]]:
    """Return the account, the region, the table and the records of each stream, from its slowest reader on.

    A faster reader gets some records again after the start. On AWS, a reader may get a record twice, too.
    """
    read: dict[tuple[str, str, str], int] = {}
    for (account, region, reader), mapping in functions._esms.all_items():
        table = mapping.get("EventSourceArn", "").partition(":table/")[2].partition("/")[0]
        position = functions._dynamodb_stream_positions.get_scoped(account, region, reader, 0)
        stream = (account, region, table)
        read[stream] = min(position, read.get(stream, position))
    left = []
    for stream, records in dynamodb._stream_records.all_items():
        first = read.get(stream, 0) - dynamodb._stream_trimmed.get_scoped(*stream, 0)
        left.append([*stream, records[max(0, first) :]])
    return left


def restore(dynamodb: Any, persistence: Any) -> None:
    """Give the streams the records that the last stop saved. Each reader begins with the first record."""
    for account, region, table, records in persistence.load_state(NAME) or ():
        dynamodb._stream_records.set_scoped(account, region, table, records)

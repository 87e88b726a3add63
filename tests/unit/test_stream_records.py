"""Tests that the records of a stream that a reader has not read yet survive a stop of the emulator."""

from types import SimpleNamespace
from typing import Any

from incidents_cli.local import stream_records

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/incidents/stream/2026-11-28T00:00:00.000"
HERE = ("000000000000", "us-east-1")


class Scoped:
    """The emulator's dictionary of things by account, region and name."""

    def __init__(self, **things: Any) -> None:
        self.things = {(*HERE, name): thing for name, thing in things.items()}

    def all_items(self) -> list[tuple[tuple[str, str, str], Any]]:
        return list(self.things.items())

    def get_scoped(self, account: str, region: str, name: str, default: Any) -> Any:
        return self.things.get((account, region, name), default)

    def set_scoped(self, account: str, region: str, name: str, thing: Any) -> None:
        self.things[account, region, name] = thing


def unread(records: int, *, trimmed: int = 0, **positions: int | None) -> list[list[Any]]:
    dynamodb = SimpleNamespace(
        _stream_records=Scoped(incidents=list(range(trimmed, records))), _stream_trimmed=Scoped(incidents=trimmed)
    )
    functions = SimpleNamespace(
        _esms=Scoped(
            **{reader: {"EventSourceArn": ARN} for reader in positions}, queue={"EventSourceArn": "arn:aws:sqs"}
        ),
        _dynamodb_stream_positions=Scoped(**{name: at for name, at in positions.items() if at is not None}),
    )
    left: list[list[Any]] = stream_records.with_records(dict, dynamodb, functions)()[stream_records.NAME]()
    return left


def test_the_records_from_the_slowest_reader_on_are_kept() -> None:
    assert unread(5, fast=5, slow=3) == [[*HERE, "incidents", [3, 4]]]
    assert unread(5, fast=5, done=5) == [[*HERE, "incidents", []]]
    assert unread(9, trimmed=4, fast=9, slow=6) == [[*HERE, "incidents", [6, 7, 8]]]
    assert unread(9, trimmed=4, fast=9, slow=2) == [[*HERE, "incidents", [4, 5, 6, 7, 8]]]


def test_a_reader_that_has_not_begun_gets_all_records() -> None:
    assert unread(3, fast=3, new=None) == [[*HERE, "incidents", [0, 1, 2]]]


def test_the_services_of_the_emulator_are_saved_with_the_records() -> None:
    services = stream_records.with_records(lambda: {"sqs": dict}, None, None)()

    assert list(services) == ["sqs", stream_records.NAME]


def test_the_streams_get_their_records_back() -> None:
    dynamodb = SimpleNamespace(_stream_records=Scoped())

    stream_records.restore(dynamodb, SimpleNamespace(load_state=lambda name: [[*HERE, "incidents", [3, 4]]]))
    stream_records.restore(dynamodb, SimpleNamespace(load_state=lambda name: None))

    assert dynamodb._stream_records.things == {(*HERE, "incidents"): [3, 4]}

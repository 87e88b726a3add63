"""Tests `incidents import` with the export of another program that has many rows. This module has its own local stack.

The emulator reads its complete table for each query of an index. So 10 000 incidents would slow down other tests.
"""

import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from incidents.storage import keys

from tests.support import scale
from tests.support.checkout import Checkout
from tests.support.imports import counts, cut_off, recorded

EXPORTED = scale.of(short=10_000, full=100_000)
KILLS = 10


@pytest.fixture
def _without_metrics(aws: Callable[[str], Any]) -> Iterator[None]:
    """Switch the metrics' schedule off. The emulator reads its complete table for each query of an index."""
    scheduler = aws("scheduler")
    named = {"GroupName": "default", "Name": "grc-incidents-metrics"}
    before = scheduler.get_schedule(**named)
    kept = {name: before[name] for name in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**named, **kept, State="DISABLED")
    yield
    scheduler.update_schedule(**named, **kept, State="ENABLED")


def stored_in(aws: Callable[[str], Any], stack: Checkout, tenant: str) -> Iterator[tuple[str, str]]:
    """Yield the id and the title of each incident in the table. For many incidents, the API's list takes hours here."""
    pages = aws("dynamodb").get_paginator("query").paginate(
        TableName=stack.status["table_name"], KeyConditionExpression="pk = :pk", ProjectionExpression="sk, title",
        ExpressionAttributeValues={":pk": {"S": keys.incident(tenant, "").pk}},
    )  # fmt: skip
    for page in pages:
        yield from ((item["sk"]["S"], item["title"]["S"]) for item in page["Items"])


@pytest.mark.usefixtures("_without_metrics")
def test_a_mapped_import_that_is_killed_ten_times_creates_each_incident_once(
    stack: Checkout, aws: Callable[[str], Any], tmp_path: Path, promise: Callable[[str, str], None]
) -> None:
    file, mapping = tmp_path / "liste.csv", tmp_path / "map.toml"
    lines = ["Bezeichnung;Status;Erkannt am;Geschlossen am;Schaden;Betroffene Systeme"]
    for n in range(EXPORTED):
        closed = "" if n % 10 == 0 else "05.03.2024 18:40"
        lines.append(f"Gerät {n};Geschlossen;04.03.2024 09:15;{closed};1.250,50;nb-{n}, nb-x")
    file.write_bytes("\r\n".join(lines).encode("cp1252"))
    proposed = stack.run("import", str(file), "--suggest", "--zone", "Europe/Berlin", "--currency", "USD")
    assert proposed.returncode == 0, proposed.stderr
    mapping.write_text(proposed.stdout, "utf-8")
    arguments = [
        str(file), "--tenant", "import-mapped", "--map", str(mapping), "--closed-without-date", "last-known"
    ]  # fmt: skip

    whens = [EXPORTED * kill**2 // 400 for kill in range(1, KILLS + 1)]  # each import reads all recorded rows again
    ends = [cut_off(stack, arguments, when, signal.SIGKILL, partial(recorded, file)) for when in whens]
    assert {each.code for each in ends} == {-signal.SIGKILL}
    assert ends[-1].memory <= 1.2 * ends[0].memory, "the memory does not grow with the rows"
    done = stack.run("import", *arguments)

    assert done.returncode == 0, done.stderr
    assert sum(counts(done).values()) == EXPORTED
    stored = [*stored_in(aws, stack, "import-mapped")]
    ids = {title: incident_id for incident_id, title in stored}
    assert len(ids) == len(stored)
    assert ids.keys() == {f"Gerät {n}" for n in range(EXPORTED)}
    caller = stack.caller(stack.token("import-mapped"))
    eleventh, tenth = (caller.get(f"/{ids[f'Gerät {n}']}").json() for n in (11, 10))
    fields = ("closed_at", "mttr_minutes", "tags", "affected_asset_ids", "financial_impact")
    assert [eleventh[name] for name in fields] == [
        "2024-03-05T17:40:00.000Z", 2005, [], ["nb-11", "nb-x"], 1250.5
    ]  # fmt: skip
    assert [tenth[name] for name in fields[:3]] == [
        "2024-03-04T08:15:00.000Z", None, ["closed-at-last-known"]
    ]  # fmt: skip
    promise(
        "A killed import continues, and creates each incident exactly once",
        f"An export of {EXPORTED:,} rows was imported by its proposed mapping, and the import was killed {KILLS} "
        f"times: 0 rows were lost, and 0 rows became two incidents. The import had at most "
        f"{max(each.memory for each in ends):.0f} MB of memory",
    )

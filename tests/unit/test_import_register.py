"""Tests random German registers with their proposed mapping. No cell is lost, and no date of an end is invented."""

import random
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from incidents.domain.errors import InvalidIncident
from incidents_cli.operate.importing import checking, mapping, suggesting
from incidents_cli.operate.importing.rows import read

from tests.support import scale, workbooks
from tests.support.workbooks import Cell, Shown

NOW = "2026-11-23T09:00:00.000Z"
ROWS = scale.of(short=400, full=5_000)
HEAD: list[Cell] = [
    "Lfd. Nr.", "Aktenzeichen", "Kurzbeschreibung", "Bearbeitungs-\nstand", "Festgestellt am", "Uhrzeit", "Behoben am",
    "Letzte Änderung", "Schadenshöhe", "Schadensklasse", "Betroffene IT-Systeme", "Bemerkung", None,
]  # fmt: skip
STATES = {"abgeschlossen": "closed", "erledigt": "closed", "offen": "new", "in Klärung": "investigating",
          "Fehlalarm": "dismissed"}  # fmt: skip
CLASSES = {"sehr gering": "informational", "gering": "low", "mittel": "medium", "hoch": "high", "sehr hoch": "critical"}


def moment(chance: random.Random) -> tuple[Cell, date | None, time | None]:
    """Return a cell with a date in a random form, with the day and the time that the cell means."""
    day = date(2024, 3, chance.randint(1, 4))
    clock = time(chance.randint(1, 23), chance.randint(1, 59))
    return chance.choice([
        (None, None, None), ("unbekannt", None, None), (day, day, None), (f"{day:%d.%m.%Y}", day, None),
        (datetime.combine(day, clock), day, clock), (f"{day:%d.%m.%Y} {clock:%H:%M} Uhr", day, clock),
        (f"Mo, {day:%d.%m.%y}, {clock:%H.%M}", day, clock),
    ])  # fmt: skip


def text_of(cell: Cell) -> str:
    match cell:
        case Shown(number, _):
            return f"{number:g} €"
        case datetime():
            return f"{cell:%Y-%m-%d %H:%M:%S}"
        case date() | time():
            return cell.isoformat()
    return str(cell)


def stamp(day: date, clock: time | None) -> str:
    return f"{datetime.combine(day, clock or time()):%Y-%m-%dT%H:%M:%S}.000Z"


def test_a_register_loses_no_cell_and_gets_no_end_that_it_lacks(
    tmp_path: Path, promise: Callable[[str, str], None]
) -> None:
    chance = random.Random(20261127)
    table: list[list[Cell]] = []
    for n in range(ROWS):
        found, ended, changed = moment(chance), moment(chance), moment(chance)
        clock = time(chance.randint(1, 23), 5) if chance.random() < 0.5 else None
        table.append([
            n, f"ISV-{n}", f"Vorfall mit Titel {n}", chance.choice(list(STATES)), found[0], clock, ended[0], changed[0],
            chance.choice([None, Shown(n + 0.5, '#,##0.00 "€"'), f"{n},50 €", "k. A."]), chance.choice(list(CLASSES)),
            chance.choice([None, f"PC-{n}; NB-{n}"]), chance.choice([None, f"Bemerkung {n}"]), f"Notiz {n}",
            (found, ended),  # type: ignore[list-item]  # the meaning of the dates, which is not written
        ])  # fmt: skip
    meanings: list[Any] = [row.pop() for row in table]
    total: list[Cell] = [None, None, "Summe", None, None, None, None, None, Shown(5, '#,##0.00 "€"')]
    above: list[list[Cell]] = [["Register der Vorfälle"], [None]]
    file = workbooks.write(tmp_path / "register.xlsx", {"2024": [*above, HEAD, *table, total], "Legende": [["x"]]})
    toml, questions, _ = suggesting.suggest(file, {"zone": "UTC"})
    assert questions == []
    (tmp_path / "map.toml").write_text(toml, "utf-8")
    *rows, last = read(file, mapping.load(str(tmp_path / "map.toml")))
    assert len(rows) == ROWS
    assert [violation.pointer for violation in last.unreadable] == ["/title"]

    cells = imported = refused = 0
    for row, given_cells, (found, ended) in zip(rows, table, meanings, strict=True):
        detected = stamp(found[1], found[2] or given_cells[5]) if found[1] else None  # type: ignore[arg-type]
        end = stamp(ended[1], ended[2]) if ended[1] else None
        status = STATES[given_cells[3]]  # type: ignore[index]
        is_same_day = found[1] == ended[1] and not ended[2]
        try:
            given = checking.check(row, NOW)
        except InvalidIncident:
            refused += 1
            lacks_date = given_cells[5] and not found[1]  # the cell has a time of day without a date
            is_out_of_order = end and detected and end < detected and not is_same_day
            assert lacks_date or (status == "closed" and (not end or is_out_of_order)), given_cells
            continue
        imported += 1
        assert (given["status"], given.get("detected_at")) == (status, detected)
        assert given["severity"] == CLASSES[given_cells[9]]  # type: ignore[index]
        if status == "closed":
            is_last_known = bool(is_same_day and detected and end and end <= detected)
            assert given["closed_at"] == (detected if is_last_known else end)
            assert ("closed-at-last-known" in given.get("tags", [])) == is_last_known
        assert "financial_impact" not in given
        texts = "\n".join(str(value) for value in given.values())
        converted = {3, 9, *((4, 5) if found[1] else ()), *((6,) if status == "closed" else ())}
        for n, cell in enumerate(given_cells):
            cells += cell is not None
            items = str(cell).split("; ") if n == 10 else [text_of(cell)]
            assert cell is None or n in converted or all(item in texts for item in items), (HEAD[n], cell, given)
    assert imported > ROWS // 3
    promise(
        "An import loses no cell of a register, and gives no incident an end that the register lacks",
        f"A workbook of {ROWS:,} random rows was read by its proposed mapping: {imported:,} rows with {cells:,} cells "
        f"were accepted, and {refused:,} rows were refused with a reason. 0 cells were lost, and 0 ends were invented",
    )

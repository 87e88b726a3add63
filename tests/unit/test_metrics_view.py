"""Tests of the tables and the picture of `incidents metrics show`."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from incidents.domain import metric_answer, questions, tally
from incidents.domain.metric_definitions import Kind
from incidents.domain.tally import DayBucket, Facts
from incidents_cli.console import StepFailed
from incidents_cli.operate import metrics_view

FIRST = date(2025, 6, 1)
QUIET = range(100, 140)


class QuietYear:
    """A year with one incident a day, each with another long category, and with no incident on 40 days."""

    tells_times = True

    def pending_days(self, *_: str) -> int:
        return 3

    def buckets(self, kind: Kind, *_: str) -> list[DayBucket]:
        days = [(n, FIRST + timedelta(days=n)) for n in range(366) if n not in QUIET]
        return [tally.to_bucket(str(day), 0, tally.totals_by_group(kind, [self._incident(n, day)])) for n, day in days]

    def _incident(self, n: int, day: date) -> Facts:
        moment = f"{day}T08:00:00.000Z"
        return Facts(
            app_id=None, severity="high", category=f"{n} {'x' * 58}", status="closed", is_deleted=False,
            occurred_at=moment, detected_at=moment, contained_at=moment, closed_at=moment, mttd_minutes=40_000 + n,
            mttr_minutes=999_999,
        )  # fmt: skip


@pytest.fixture
def answer() -> dict[str, Any]:
    window = questions.Window(FIRST, FIRST + timedelta(days=365), "category", "day", 1_780_000_000_000)
    return metric_answer.get_incident_metrics(window, QuietYear())


def test_the_tables_of_a_year_of_days_fit_eighty_columns(
    answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    metrics_view.show(answer, "acme")

    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in shown.splitlines())
    trend = shown.split("Trend of p50")[1]
    assert "…" not in trend
    assert sum(map(trend.count, "▁▂▃▄▅▆▇█")) == 3 * (366 - len(QUIET))
    assert trend.count("·") == 3 * len(QUIET)
    assert "(all other gr" in shown
    assert "Days with changes that are not computed yet: 3." in shown


def test_the_picture_interrupts_its_lines_on_days_without_a_value(
    answer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    lines: list[list[float]] = []
    plot = Axes.plot

    def watched(self: Axes, days: Any, hours: list[float], *more: Any, **options: Any) -> Any:
        lines.append(hours)
        return plot(self, days, hours, *more, **options)

    monkeypatch.setattr(Axes, "plot", watched)

    metrics_view.draw(answer, "acme", tmp_path / "trend.png")

    assert len(lines) == 6
    assert all(sum(value != value for value in line) == len(QUIET) for line in lines)  # only nan differs from itself


def test_a_settings_file_in_the_current_folder_is_not_obeyed(answer: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("savefig.facecolor: red\n")
    program = (
        "import json, pathlib, sys; from incidents_cli.operate import metrics_view; "
        "metrics_view.draw(json.load(sys.stdin), 'acme', pathlib.Path('trend.png')); "
        "import matplotlib; print(matplotlib.rcParams['savefig.facecolor'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(answer),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "auto\n"
    assert (tmp_path / "trend.png").exists()


@pytest.mark.parametrize("name", ["notes.txt", "notes", ".png", "notes.png.gz", "notes.exe"])
def test_a_picture_never_overwrites_a_file_of_another_format(answer: dict[str, Any], tmp_path: Path, name: str) -> None:
    notes = tmp_path / name
    notes.write_text("kept")
    with pytest.raises(StepFailed, match="is not a name of a picture") as refused:
        metrics_view.draw(answer, "acme", notes)
    assert ".png" in refused.value.advice
    assert notes.read_text() == "kept"


def test_an_older_picture_is_kept_until_the_new_one_is_complete(
    answer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    def fails(*_: Any, **__: Any) -> None:
        raise ValueError("no font")

    picture = tmp_path / "trend.PNG"
    metrics_view.draw(answer, "acme", picture)
    before = picture.read_bytes()
    assert before.startswith(b"\x89PNG")
    assert picture.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(Figure, "savefig", fails)
    with pytest.raises(ValueError, match="no font"):
        metrics_view.draw(answer, "acme", picture)
    assert picture.read_bytes() == before


def test_the_imported_values_are_counted_below_the_tables(
    answer: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    metrics_view.show(answer, "acme")
    assert "Imported values" not in capsys.readouterr().out
    answer["mttr"]["imported"] = 7
    metrics_view.show(answer, "acme")
    assert "Imported values, which n also counts: MTTR 7." in capsys.readouterr().out

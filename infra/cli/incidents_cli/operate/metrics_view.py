"""Show metrics to people, as tables and a trend in the terminal or as a picture."""

from contextlib import chdir
from datetime import date, timedelta
from io import BytesIO
from itertools import pairwise
from math import nan
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..console import StepFailed, clean, writing
from ..local.local_stack import write

_NAMES = {"mttd": "MTTD", "time_to_contain": "To contain", "mttr": "MTTR"}
_REASONS = {"deleted": "deleted", "dismissed": "dismissed", "timestamps_missing": "timestamps missing"}
_NOTHING = "-"
_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH_OF_FIGURES = 65
_SPANS_OF_ROW = 44  # a row shows at most this many days, weeks or months, so that the row fits into 80 columns


def show(answer: dict[str, Any], tenant: str) -> None:
    """Print a tenant's metrics to stdout as tables. ``answer`` is the body of the API's answer to GET metrics."""
    console = Console(highlight=False)
    console.print(f"[bold]{tenant}[/bold], {answer['from']} to {answer['to']} (UTC), as of {answer['as_of']}")
    if answer["computed_at"]:
        console.print(f"The oldest figure was computed at {answer['computed_at']}.")
    if answer["pending_days"]:
        console.print(f"Days with changes that are not computed yet: {answer['pending_days']}.")
    console.print()
    console.print(_whole(answer))
    if answer["groups"]:
        console.print(_groups(answer, console.width))
    if len(answer["trend"]) > 1:
        console.print(_trend(answer))
    exclusions = ", ".join(
        f"{_REASONS[reason]} {_NAMES[metric]} {count}"
        for reason, counts in answer["excluded"].items()
        for metric, count in counts.items()
        if count
    )
    console.print(f"Excluded incidents: {exclusions or 'none'}.")
    imported = ", ".join(f"{name} {answer[metric]['imported']}" for metric, name in _NAMES.items()
                         if answer[metric]["imported"])  # fmt: skip
    if imported:
        console.print(f"Imported values, which n also counts: {imported}.")


def _whole(answer: dict[str, Any]) -> Table:
    columns = ("n", "mean", "p50", "p90", "p95", "min", "max")
    table = _table("Complete window")
    for column in columns:
        table.add_column(column, justify="right")
    for metric, name in _NAMES.items():
        values = answer[metric]
        table.add_row(name, str(values["n"]), *(duration(values[column]) for column in columns[1:]))
    age = answer["open"]
    table.add_row(
        "Age of open", str(age["n"]), "", duration(age["p50"]), duration(age["p90"]), "", "", duration(age["max"])
    )
    return table


def _groups(answer: dict[str, Any], width: int) -> Table:
    title = "By group: p50/p90 (n)" + (", approximate" if answer["approximate"] else "")
    table = _table(title, name_width=max(14, width - _WIDTH_OF_FIGURES))
    for name in (*_NAMES.values(), "Open age"):
        table.add_column(name, justify="right", no_wrap=True)
    other = [{"group": "(all other groups)", **answer["other"]}] if answer["other"] else []
    for group in [*answer["groups"], *other]:
        cells = (
            f"{_short(values['p50'])}/{_short(values['p90'])} ({values['n']})" if values["n"] else _NOTHING
            for values in (group[metric] for metric in (*_NAMES, "open"))
        )
        table.add_row(Text(clean(_none_if_null(group["group"]))), *cells)
    return table


def _none_if_null(name: str | None) -> str:
    return "none" if name is None else name


def _trend(answer: dict[str, Any]) -> Table:
    """Return the trend, with at most ``_SPANS_OF_ROW`` spans in a row."""
    table = _table("Trend of p50")
    for heading in ("from", "", "highest"):
        table.add_column(heading, justify="right" if heading == "highest" else "left", no_wrap=True)
    spans = answer["trend"]
    for metric, name in _NAMES.items():
        values = [span[metric]["p50"] for span in spans]
        highest = max((value for value in values if value is not None), default=None)
        for start in range(0, len(spans), _SPANS_OF_ROW):
            line = _line(values[start : start + _SPANS_OF_ROW], highest or 0)
            first_row = start == 0
            table.add_row(name if first_row else "", spans[start]["from"], line, duration(highest) if first_row else "")
    return table


def _table(title: str, name_width: int = 11) -> Table:
    """Return a table whose first column has the names of the rows. Longer names than ``name_width`` are cut."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=name_width)
    return table


def _line(values: list[int | None], highest: int) -> str:
    """Return one character per value of the trend: a block whose height shows the value, or a dot for None."""
    return "".join("·" if value is None else _BLOCKS[value * (len(_BLOCKS) - 1) // max(highest, 1)] for value in values)


def duration(minutes: float | None) -> str:
    """Format minutes in days and hours, or in hours and minutes if below a day: ``3d 4h``.

    From 100 days on, leave out the hours: ``120d``.
    """
    if minutes is None:
        return _NOTHING
    days, rest = divmod(round(minutes), 24 * 60)
    hours, rest = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h" if days < 100 else f"{days}d"
    return f"{hours}h {rest}m" if hours else f"{rest}m"


def _short(minutes: int) -> str:
    """Format minutes in one unit, which is days, hours or minutes: ``3.2d``."""
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes / 60:.1f}h" if minutes < 24 * 60 else f"{minutes / (24 * 60):.1f}d"


def check_name(picture: Path) -> None:
    """Raise StepFailed unless the name of a picture ends in ``.png``."""
    if picture.suffix.lower() != ".png":
        raise StepFailed(f"{picture} is not a name of a picture.", "", "Name a file that ends in .png: --png FILE.png")


def draw(answer: dict[str, Any], tenant: str, file: Path) -> None:
    """Write a picture of the trend: p50 and p90 of each metric, and the number of incidents in each span.

    An older file stays unchanged until the picture is complete. Raises StepFailed if the name does not end in ``.png``.
    """
    check_name(file)
    # The library obeys a file `matplotlibrc` in the current folder, which another user may have put there.
    with chdir("/"):
        import matplotlib as mpl  # takes 1.7 s, and only developers have it installed

    mpl.use("agg")
    mpl.rcParams["date.converter"] = "concise"
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    figure, places = pyplot.subplots(len(_NAMES), 1, sharex=True, figsize=(9, 7), layout="constrained")
    figure.suptitle(f"How long incidents take: {tenant}, {answer['from']} to {answer['to']}")
    days = [date.fromisoformat(span["from"]) for span in answer["trend"]]
    for (metric, name), place in zip(_NAMES.items(), places, strict=True):
        behind = place.twinx()
        behind.bar(
            days, [span[metric]["n"] for span in answer["trend"]], color="0.85", width=_width(days) / timedelta(days=1)
        )
        behind.set_ylabel("incidents", color="0.5")
        behind.tick_params(axis="y", colors="0.5")
        behind.yaxis.set_major_locator(MaxNLocator(integer=True))
        behind.set_ylim(0, 3 * max(1, *(span[metric]["n"] for span in answer["trend"])))
        place.set_zorder(behind.get_zorder() + 1)
        place.patch.set_visible(False)
        for percentile, color, style in (("p90", "tab:orange", "--"), ("p50", "tab:blue", "-")):
            values = [span[metric][percentile] for span in answer["trend"]]
            hours = [nan if value is None else value / 60 for value in values]  # nan interrupts the line
            place.plot(days, hours, style, color=color, marker="o", ms=3.5 if len(days) < 100 else 2, label=percentile)
        whole = answer[metric]
        place.set_title(f"{name}: n {whole['n']}, p50 {duration(whole['p50'])}, p90 {duration(whole['p90'])}",
                        loc="left", fontsize="medium")  # fmt: skip
        place.set_ylabel("hours")
        place.set_ylim(bottom=0)
        place.grid(axis="y", color="0.9")
    places[0].legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, ncols=2)
    picture = BytesIO()
    figure.savefig(picture, dpi=110, format="png")
    pyplot.close(figure)
    with writing(file):
        write(file, picture.getvalue())


def _width(days: list[date]) -> timedelta:
    """Return the width of a bar: 90 % of the smallest distance between two spans, or of a day if there is one span."""
    return min((later - earlier for earlier, later in pairwise(days)), default=timedelta(days=1)) * 0.9

"""Import a file by reading it twice. The first reading only checks the rows. The second reading sends the valid rows.

If two different rows have the same incident number, the check refuses both rows. It reads the file once more to find
the first of the two rows.

The memory that an import needs depends on the longest row and on the number of concurrent calls, not on the file's
size. ``progress`` keeps the facts about all rows on disk.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from grc_client import Client
from incidents.domain import model, timestamps
from incidents.domain.errors import InvalidIncident, Violation
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ...console import StepFailed, open_own, open_private, require_new, stderr, writing
from . import checking, limits
from .calling import Threads
from .checking import CheckedRow
from .job import Counts, Job
from .progress import Progress, SameNumber
from .reasons import Reasons
from .rows import Row, read
from .sending import Outcome, Stopped, send

_PREVIEWED = 2  # rows
_PATIENCE = 0.5  # seconds after Ctrl-C for the answers to calls that have begun
# The limits of the errors file: of the errors of a row, of the characters of an error, and of a cut row.
_ERRORS, _TEXT, _BEGINNING = 100, 1000, 200
# Rows are cut when the file has this number of characters, and for each byte of the imported file as many more.
_ALWAYS, _TIMES = 64 * 1024**2, 100
_LINE_OF_ERRORS = b'{"line": '


@dataclass
class Plan:
    """The result of the first reading: the numbers of rows by kind, and the rows to send first.

    ``first`` has, by year, the row with the highest number of the form ``INC-<year>-<count>``, and the count in this
    number. ``preview`` has the lines and the values of the first valid rows.
    """

    rows: int = 0
    wrong: int = 0
    skipped: int = 0
    unnumbered: int = 0
    repaired: int = 0
    repairs: Counter[str] = field(default_factory=Counter)
    warnings: Reasons = field(default_factory=Reasons)
    reasons: Reasons = field(default_factory=Reasons)
    others: Counter[str | None] = field(default_factory=Counter)
    first: dict[int, tuple[int, CheckedRow]] = field(default_factory=dict)
    preview: list[tuple[int, dict[str, Any]]] = field(default_factory=list)


class ErrorsFile:
    """The file of failed rows, one per line. A person fixes the rows in this file and imports the file.

    The file is created with the first failed row. An older errors file is renamed to ``FILE.before``, because somebody
    may have fixed rows in it.

    A workbook of a few kilobytes can have gigabytes of texts, and must not fill the disk. So the file has only the
    beginning of a very long row, and of each row after much more text than the imported file ``source`` has bytes. Such
    a row has the member ``cut``, and cannot be imported.
    """

    @staticmethod
    def check(file: Path) -> None:
        """Raise StepFailed if an errors file would replace a file that no import wrote."""
        for older in (file, _former(file)):
            if not _is_errors_file(older):
                require_new(older)

    def __init__(self, file: Path, source: Path) -> None:
        self._file = file
        self._open: IO[str] | None = None
        self._longest = _ALWAYS + _TIMES * source.stat().st_size  # characters
        self._written = 0
        if _is_errors_file(file):
            with writing(file):
                file.replace(_former(file))

    def add(self, row: Row, outcome: Outcome) -> None:
        said: dict[str, Any] = {"line": row.line, "errors": list(_shortened(outcome.violations))}
        said |= {"request_id": outcome.request_id} if outcome.request_id else {}
        with writing(self._file):
            if self._open is None:
                # A JSON text may contain a lone surrogate, but UTF-8 cannot encode it. So write an escape
                # instead of the surrogate.
                self._open = open_private(self._file, "w", encoding="utf-8", errors="backslashreplace")
            stood = row.stood
            if len(stood) > limits.CELL_CHARACTERS or self._written + len(stood) > self._longest:
                stood = f'"cut": {json.dumps(stood[:_BEGINNING], ensure_ascii=False)}'
            self._written += self._open.write(f"{json.dumps(said, ensure_ascii=False)[:-1]}, {stood}}}\n")
            self._open.flush()

    def clear(self) -> None:
        """Remove all rows."""
        if self._open is not None:
            with writing(self._file):
                self._open.seek(0)
                self._open.truncate()
                self._written = 0

    def close(self) -> None:
        if self._open is not None:
            with writing(self._file):
                self._open.close()


def _shortened(violations: Sequence[Violation]) -> Iterator[dict[str, str]]:
    """Yield the first errors of a row. Each text is cut, because it may quote the row or come from a foreign server."""
    more = Violation("", f"has {len(violations) - _ERRORS:,} more errors")
    for pointer, detail in [*violations[:_ERRORS], *([more] if len(violations) > _ERRORS else [])]:
        yield {"pointer": _cut(pointer), "detail": _cut(detail)}


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."


def _former(errors: Path) -> Path:
    return errors.with_name(f"{errors.name}.before")


def _is_errors_file(file: Path) -> bool:
    """Return whether an import wrote a file: its first line begins like the lines of ``ErrorsFile``."""
    with suppress(OSError), open_own(file) as opened:
        return opened.read(len(_LINE_OF_ERRORS)) == _LINE_OF_ERRORS
    return False


def dry_run(job: Job) -> Counts:
    """Check every row, and write the invalid rows to the errors file. Send nothing. Return the numbers of rows.

    Raises StepFailed if a file cannot be read or written, or if ``--other-apps`` is missing.
    """
    errors = ErrorsFile(job.errors, job.file)
    with Progress(None) as progress, closing(errors):
        plan = _check_rows(job, progress, errors)
    right = plan.rows - plan.wrong - plan.skipped
    return Counts(right, failed=plan.wrong, left_out=plan.skipped or None, repaired=plan.repaired or None,
                  repairs=plan.repairs, reasons=plan.reasons, preview=plan.preview)  # fmt: skip


def run_import(job: Job, progress: Progress, client: Client, place: str, concurrency: int) -> Counts:
    """Import the file, and return the numbers of rows. Raises StepFailed if the API cannot be used.

    If the next run has the same ``place`` (tenant, application and API), it continues an unfinished import.
    """
    plan = _check_rows(job, progress)
    progress.read_again()
    if plan.unnumbered:
        stderr.print(
            f"Rows without an incident_number: {plan.unnumbered}. Keep {job.record.name}. Without that file, a "
            "second import would create the incidents of these rows again.",
        )
    if progress.begin(place):
        stderr.print("Continuing an unfinished import. Rows that already created an incident are not sent again.")
    return _Sending(job, plan, progress, client).all(concurrency)


def _check_rows(job: Job, progress: Progress, errors: ErrorsFile | None = None) -> Plan:
    """Read and check the complete file, and return the plan. ``errors`` receives each invalid row.

    Raises StepFailed if the file cannot be read, or if ``--other-apps`` is missing.
    """
    plan = _plan(job, progress, errors)
    if progress.has_clash:
        progress.read_again()
        if errors is not None:
            errors.clear()
        plan = _plan(job, progress, errors)
    if plan.others and job.other_apps is None:
        raise _others_in_the_way(job, plan)
    for line in plan.warnings.table("warning") if plan.warnings else ():
        stderr.print(line)
    return plan


def _plan(job: Job, progress: Progress, errors: ErrorsFile | None) -> Plan:
    """Read and check the complete file once."""
    plan = Plan()
    now = _now()
    with _make_progress_bar() as bar:
        task = bar.add_task("Reading", total=None)
        for row, checked in _checked_rows(job, progress):
            plan.rows += 1
            bar.advance(task)
            if _is_of_others(job, row):
                plan.others[row.app_id] += 1
            if _is_skipped(job, row):
                plan.skipped += 1
                if row.is_left_out:
                    plan.warnings.add(row.line, row.warnings)
                continue
            plan.warnings.add(row.line, row.warnings)
            if isinstance(checked, SameNumber):
                plan.skipped += 1
                plan.warnings.add(row.line, [checking.repeats(checked.line)])
                continue
            if isinstance(checked, CheckedRow):
                given = checked.given
                dates = [] if row.is_exported else [*checking.in_future(given, now), *checking.before_report(given)]
                plan.warnings.add(row.line, [*dates, *checking.chosen_end(row, job.without_date)])
            if row.repairs:
                plan.repaired += 1
                plan.repairs.update(row.repairs)
            if isinstance(checked, Outcome):
                plan.wrong += 1
                plan.reasons.add(row.line, checked.violations)
                if errors is not None:
                    errors.add(row, checked)
                continue
            if len(plan.preview) < _PREVIEWED:
                plan.preview.append((row.line, checked.fields))
            if number := checked.given.get("incident_number"):
                _note_highest(plan, number, checked)
            else:
                plan.unnumbered += 1
    return plan


class _Sending:
    """The second reading, which sends the rows. The main thread reads and counts. The other threads call the API."""

    def __init__(self, job: Job, plan: Plan, progress: Progress, client: Client) -> None:
        self._job, self._plan, self._progress = job, plan, progress
        self._incidents = client.grc.incidents
        self._began = datetime.now(UTC)
        self._counts = Counts(created=0, already_there=0, left_out=plan.skipped or None,
                              repaired=plan.repaired or None, repairs=plan.repairs)  # fmt: skip
        self._errors = ErrorsFile(job.errors, job.file)
        self._calls: dict[Future[Outcome], CheckedRow] = {}
        self._patience: float | None = None  # the seconds for calls that have begun, if the import ends early

    def all(self, concurrency: int) -> Counts:
        with _make_progress_bar() as bar, ExitStack() as stack:
            self._task = bar.add_task("Importing", total=self._plan.rows)
            self._progress_bar = bar
            stack.callback(self._errors.close)
            threads = Threads[Outcome](concurrency)
            stack.callback(threads.stop)
            stack.callback(self._note_what_is_under_way)
            try:
                for row, checked in self._in_order():
                    self._take(row, checked, threads)
                    while len(self._calls) >= 2 * concurrency:
                        self._note(wait(self._calls, return_when=FIRST_COMPLETED).done)
                while self._calls:
                    self._note(wait(self._calls, return_when=FIRST_COMPLETED).done)
            except KeyboardInterrupt:
                self._patience = _PATIENCE
                raise
            except Stopped as stopped:
                raise StepFailed(
                    f"The import stopped at line {stopped.line}.", f"  {stopped.why}",
                    "Fix the cause, then run the same command again to continue.",
                ) from None  # fmt: skip
        if not self._counts.failed:
            self._progress.finish()
        return self._counts

    def _in_order(self) -> Iterator[tuple[Row, CheckedRow | Outcome | SameNumber]]:
        """Yield the rows in the order of sending: first the row with each year's highest number, then all others.

        Each of the first rows is sent alone. The API then raises the year's counter to that number, so the file's
        other rows need not raise the counter.
        """
        highest = [checked for _, checked in self._plan.first.values()]
        for checked in highest:
            yield checked.row, checked
            if self._calls:
                self._note(wait(self._calls).done)
        done = {checked.row.line for checked in highest}
        yield from (pair for pair in _checked_rows(self._job, self._progress) if pair[0].line not in done)

    def _take(self, row: Row, checked: CheckedRow | Outcome | SameNumber, threads: Threads[Outcome]) -> None:
        if isinstance(checked, SameNumber) or _is_skipped(self._job, row):
            self._progress_bar.advance(self._task)
        elif isinstance(checked, Outcome):
            self._count(row, checked)
        else:
            made = self._progress.made(checked.key)
            self._calls[threads.submit(send, self._incidents, checked, made, self._began)] = checked

    def _note(self, done: set[Future[Outcome]]) -> None:
        for call in done:
            checked = self._calls.pop(call)
            outcome = call.result()
            if outcome.incident_id is not None:
                self._progress.record(checked.key, outcome.incident_id)
            self._count(checked.row, outcome)

    def _note_what_is_under_way(self) -> None:
        """Record the incidents of calls that have ended but are not yet recorded. Begin no further call.

        There are such calls if the import ends early. After Ctrl-C, some calls may still wait for their answers.
        """
        running = [call for call in self._calls if not call.cancel()]
        ended, waiting = wait(running, self._patience)
        for call in ended:
            if call.exception() is None and (made := call.result().incident_id):
                self._progress.record(self._calls[call].key, made)
        if waiting:
            stderr.print(
                f"Calls without an answer yet: {len(waiting)}. The API may still create their incidents. Import again "
                "within 24 hours, so that none of them is created twice."
            )

    def _count(self, row: Row, outcome: Outcome) -> None:
        if outcome.kind == "failed":
            self._errors.add(row, outcome)
            self._counts.reasons.add(row.line, outcome.violations)
        setattr(self._counts, outcome.kind, getattr(self._counts, outcome.kind) + 1)
        self._progress_bar.advance(self._task)


def _now() -> str:
    return timestamps.from_milliseconds(int(datetime.now(UTC).timestamp() * 1000))


def _checked_rows(job: Job, progress: Progress) -> Iterator[tuple[Row, CheckedRow | Outcome | SameNumber]]:
    """Yield every row of the file with its checked form.

    An invalid row comes with an outcome that has the errors. If a valid row repeats an earlier row and its incident
    number, it comes with the earlier row.
    """
    now = _now()
    for row in read(job.file, job.mapping):
        given, wrong = None, list[Violation]()
        try:
            given = checking.check(row, now, job.app, job.without_date)
            fingerprint = checking.fingerprint(given, row, job.tenant, job.sheet)
        except InvalidIncident as invalid:
            wrong = invalid.violations
            fingerprint = sha256(row.stood.encode(errors="surrogatepass")).digest()
        is_compared = not _is_skipped(job, row) and "/incident_number" not in [each.pointer for each in wrong]
        number = checking.number(row, given) if is_compared else None
        same = progress.same_number(number, fingerprint, row.line) if number else None
        if same and not same.is_equal:
            wrong = [*wrong, checking.clash(same.line)]
        if wrong or given is None:
            yield row, Outcome("failed", violations=tuple(wrong))
        elif same:
            yield row, same
        else:
            yield row, CheckedRow(row, given, checking.key(fingerprint, progress.nth(fingerprint)))


def _is_of_others(job: Job, row: Row) -> bool:
    """Return whether a row is from an export and has another application than the token.

    A row or a token without an application differs from each row or token with an application.
    """
    return row.is_exported and row.app_id != job.app


def _is_skipped(job: Job, row: Row) -> bool:
    return row.is_left_out or (job.other_apps == "skip" and _is_of_others(job, row))


def _note_highest(plan: Plan, number: str, checked: CheckedRow) -> None:
    raised = model.count_raised_by(number)
    if raised is None:
        return
    year, count = raised
    today = datetime.now(UTC)
    is_drawn_from = year in {(today + timedelta(days=days)).year for days in (-1, 0, 1)}
    if is_drawn_from and count > plan.first.get(year, (0, checked))[0]:
        plan.first[year] = (count, checked)


def _others_in_the_way(job: Job, plan: Plan) -> StepFailed:
    listed = ", ".join(f"{app or 'no application'}: {times}" for app, times in plan.others.most_common(10))
    who = f"the application {job.app}" if job.app else "no application"
    return StepFailed(
        f"Exported incidents with another application than the token: {plan.others.total()}. The token has {who}.",
        f"  {listed}",
        "Only a token of an application can create incidents of that application. Use --other-apps skip to leave these "
        "incidents out, and import them later with a token of their application (locally: --app NAME). Use "
        "--other-apps adopt to import all incidents as those of this token.",
    )


def _make_progress_bar() -> Bar:
    return Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=stderr
    )

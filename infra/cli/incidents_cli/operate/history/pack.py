"""The files of an auditor's pack.

The pack has the complete export of the tenant, so that the verifier can check that no incident is missing. The other
files are views of the export: the population and the changes of the period, the sample, the metrics and the deadlines.
"""

import csv
import json
import os
import re
import shutil
import time
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator
from contextlib import chdir, contextmanager, suppress
from datetime import UTC, date, datetime
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from incidents.domain.deadlines import assessment
from incidents.domain.identity import Identity
from incidents.domain.metric_answer import get_incident_metrics
from incidents.domain.questions import Window
from incidents.incident_deadlines import read_settings
from incidents.storage import guard
from incidents.storage.metric_repository import MetricRepository
from incidents.storage.settings import TenantSettings

from ...console import StepFailed, clean, step
from ..deployment import Deployment
from ..tenants import export
from ..tenants.reading import TenantReader, nothing_of
from . import manifest_bucket, verify_history

HERE = Path(__file__).parent
FAULTS = "faults.txt"
_BEFORE_FORMULA = re.compile(r"""(^|[;\t\r\n])(?=["' ]*[=+\-@\uff1d\uff0b\uff0d\uff20])""")
Line = dict[str, Any]
Period = tuple[str, str]

INCIDENT_COLUMNS = (
    "id", "incident_number", "title", "status", "severity", "category", "created_at", "created_by", "detected_at",
    "closed_at", "is_deleted", "version",
)  # fmt: skip
POPULATION_COLUMNS = (*INCIDENT_COLUMNS, "created_in_period", "changes_in_period", "newest_sealed_version")
CHANGE_COLUMNS = ("at", "by", "action", "incident_number", "incident_id", "version", "field", "from", "to")
DEADLINE_COLUMNS = (
    "incident_number", "incident_id", "regime", "stage", "state", "due_at", "submitted_at", "is_late", "reference",
)  # fmt: skip
SAMPLE_COLUMNS = ("id", "incident_number", "version", "hash", "newest_sealed_version", "sealed_head")


class Choice(NamedTuple):
    """The period, the size of the sample, and the seed that chooses the sample."""

    period: Period
    sample: int
    seed: str


class Written(NamedTuple):
    """The numbers of incidents and faults, the end of the manifests, and the fingerprint of the stack's key."""

    population: int
    sample: int
    faults: int
    until: str
    fingerprint: str


def write(
    folder: Path, deployment: Deployment, reader: TenantReader, choice: Choice, earlier: Collection[str]
) -> Written:
    """Write the pack into a new folder. ``earlier`` are the fingerprints of earlier keys.

    Raises StepFailed if the folder exists, or if the tenant has neither an incident nor a manifest. After an error,
    the folder does not exist.
    """
    fingerprint = manifest_bucket.fingerprint(deployment)
    with _new_current_folder(folder):
        return _fill(Path(), deployment, reader, choice, {fingerprint, *earlier}, fingerprint)


@contextmanager
def _new_current_folder(folder: Path) -> Iterator[None]:
    """Create a private folder, which is the current folder in the block. After an error, remove it and its files.

    Another user of the folder above may put a folder or a link of the same name in its place. So the block's files
    have names without the folder, and the folder that was opened must be new. Raises StepFailed.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise StepFailed(f"{folder} exists already.", "", "Name a new folder: --folder DIR") from None
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            state = os.fstat(opened)
            with chdir(opened):
                if state.st_uid != os.geteuid() or state.st_mode & 0o077 or any(Path().iterdir()):
                    advice = "Name a folder at a place where nobody else may write: --folder DIR"
                    raise StepFailed(f"{folder} is not the folder that this command has created.", "", advice)
                before = os.umask(0o077)
                try:
                    with _removed_after_an_error():
                        yield
                finally:
                    os.umask(before)
        finally:
            os.close(opened)
    except BaseException:
        with suppress(OSError):
            folder.rmdir()  # this does not remove a folder with files
        raise


@contextmanager
def _removed_after_an_error() -> Iterator[None]:
    try:
        yield
    except BaseException:
        for file in Path().iterdir():
            file.unlink()
        raise


def _fill(
    folder: Path, deployment: Deployment, reader: TenantReader, choice: Choice, keys: Collection[str], fingerprint: str
) -> Written:
    manifests, lines = folder / "manifests.jsonl", folder / "export.jsonl"
    with step("Reading the manifests and the incidents", "Wrote the manifests and the export"):
        # The manifests come first. Otherwise, they could have a change that the export does not have.
        with manifests.open("wb") as sealed:
            sealed.writelines(manifest_bucket.lines(deployment, reader.tenant_id))
        unreadable = list[str]()
        export.export(reader, lines, lambda *_: None, unreadable)
        if not manifests.stat().st_size and not lines.stat().st_size and not unreadable:
            raise nothing_of(reader, "No pack was written.")
        write_keys(folder, manifests, keys)
        with manifests.open("rb") as sealed, lines.open("rb") as incidents:
            report = verify_history.check(reader.tenant_id, set(keys), sealed, incidents)
        report.faults += unreadable
    with step("Writing the files of the pack", "Wrote the files of the pack"):
        population, sample = set[str](), 0
        with _complete(report, "population.csv or changes.csv"):
            population = write_views(folder, lines, choice, report)
        with _complete(report, "sample.csv"):
            sample = write_sample(folder, lines, population, choice, report)
        with _complete(report, "metrics.json"):
            write_metrics(folder, deployment, reader, choice.period)
        with _complete(report, "deadlines.csv"):
            write_deadlines(folder, deployment, reader, lines, population)
        text = "".join(f"{clean(fault)}\n" for fault in report.faults)
        (folder / FAULTS).write_text(text, encoding="utf-8")
        shutil.copyfile(HERE / "verify_history.py", folder / "verify_history.py")
        shutil.copyfile(HERE / "README.md", folder / "FORMAT.md")
        (folder / "README.md").write_text(_readme(reader, choice, report, len(population)), encoding="utf-8")
        write_contents(folder)
    return Written(len(population), sample, len(report.faults), report.until, fingerprint)


@contextmanager
def _complete(report: verify_history.Report, files: str) -> Iterator[None]:
    """Add a fault to the report if an item of another form ends the writing of a file."""
    try:
        yield
    except verify_history.UNREADABLE as error:
        report.faults.append(f"{files} is not complete, because an item has another form: {type(error).__name__}")


def write_keys(folder: Path, manifests: Path, keys: Collection[str]) -> None:
    """Write the public keys that the manifests name as PEM files, if ``keys`` has their fingerprints."""
    ders = set[bytes]()
    with manifests.open("rb") as lines:
        for proof in islice(lines, 1, None, 2):
            with suppress(ValueError, TypeError, KeyError, RecursionError):  # the verifier reports such a proof
                ders.add(b64decode(json.loads(proof)["public_key"], validate=True))
    for der in ders:
        if (fingerprint := sha256(der).hexdigest()) in keys:
            pem = load_der_public_key(der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"public-key-{fingerprint[:8]}.pem").write_bytes(pem)


def write_views(folder: Path, lines: Path, choice: Choice, report: verify_history.Report) -> set[str]:
    """Write the population and the changes of the period. Return the ids of the population."""
    population: set[str] = set()
    with (
        _table(folder / "population.csv", POPULATION_COLUMNS) as people,
        _table(folder / "changes.csv", CHANGE_COLUMNS) as changed,
    ):
        for line in incidents_in(lines):
            incident = line["incident"]
            changes = [change for change in line["changes"] if is_in(change["at"], choice.period)]
            if not changes:
                continue
            population.add(incident["id"])
            created = is_in(incident["created_at"], choice.period)
            version, _ = newest_seal(incident["id"], report)
            people.row([*(incident[name] for name in INCIDENT_COLUMNS), created, len(changes), version])
            for row in change_rows(line, choice.period):
                changed.row(row)
    return population


def write_sample(folder: Path, lines: Path, population: set[str], choice: Choice, report: verify_history.Report) -> int:
    """Write the histories of the sample, and the seal of each. Return the number of incidents in the sample.

    The sample are the incidents with the lowest SHA-256 of the seed, a colon and the id. So an auditor can choose the
    sample again, with any program.
    """
    ranked = sorted(population, key=lambda each: sha256(f"{choice.seed}:{each}".encode()).hexdigest())
    chosen = set(ranked[: choice.sample])
    with (
        _table(folder / "sample.csv", SAMPLE_COLUMNS) as sample,
        (folder / "sample.jsonl").open("wb") as histories,
        lines.open("rb") as whole,
    ):
        for raw in whole:
            line: Line = {}
            with suppress(*verify_history.UNREADABLE):  # the verifier reports such a line
                line = read(raw)
            if "incident" in line and line["incident"]["id"] in chosen:
                histories.write(raw)
                incident, last = line["incident"], line["changes"][-1]
                named = [incident["id"], incident["incident_number"], incident["version"], last.get("hash")]
                sample.row([*named, *newest_seal(incident["id"], report)])
    return len(chosen)


def write_metrics(folder: Path, deployment: Deployment, reader: TenantReader, period: Period) -> None:
    """Write the metrics of the period, as the API answers them."""
    first, last = (date.fromisoformat(at[:10]) for at in period)
    window = Window(first, last, "severity", "month", time.time_ns() // 1_000_000)
    identity = Identity(reader.tenant_id, "operator", None, frozenset())
    with guard.serving_tenant(reader.tenant_id):
        stored = MetricRepository(identity, deployment.guarded_dynamodb, reader.table_name)
        answer = get_incident_metrics(window, stored)
    (folder / "metrics.json").write_text(json.dumps(answer, indent=2, ensure_ascii=False), encoding="utf-8")


def write_deadlines(
    folder: Path, deployment: Deployment, reader: TenantReader, lines: Path, population: set[str]
) -> None:
    """Write the deadlines of the population, with the state of each and whether its report was late."""
    with guard.serving_tenant(reader.tenant_id):
        held = read_settings(TenantSettings(reader.tenant_id, deployment.guarded_dynamodb, reader.table_name))
    now = datetime.now(UTC)
    with _table(folder / "deadlines.csv", DEADLINE_COLUMNS) as deadlines:
        for line in incidents_in(lines):
            incident = line["incident"]
            if incident["id"] not in population or not incident["reportable_to"]:
                continue
            reports = incident["regulatory_reports"]
            facts = incident | {"regulatory_reports": json.dumps(reports, default=float) if reports else None}
            for regime in assessment.deadlines(assessment.known(facts), held, now)["regimes"]:
                for stage in regime["stages"]:
                    due, sent = stage["due_at"], stage["submitted_at"]
                    is_late = due is not None and due < (sent or now.isoformat())
                    named = [incident["incident_number"], incident["id"], regime["regime"], stage["stage"]]
                    deadlines.row([*named, stage["state"], due, sent, is_late, stage["reference"]])


def write_contents(folder: Path) -> None:
    """Write the table of contents: the name, the size and the SHA-256 of each file."""
    files = sorted(folder.iterdir())
    with _table(folder / "contents.csv", ("file", "bytes", "sha256")) as contents:
        for file in files:
            with file.open("rb") as whole:
                contents.row([file.name, file.stat().st_size, file_digest(whole, "sha256").hexdigest()])


def change_rows(line: Line, period: Period) -> Iterator[list[Any]]:
    """Yield a row for each field that each change of the period changed. A create has one row, without a field."""
    incident = line["incident"]
    for change in line["changes"]:
        if is_in(change["at"], period):
            stamps = [change["at"], change["by"], change["action"]]
            stamps += [incident["incident_number"], incident["id"], change["version"]]
            for name, pair in change["changes"].items() or [("", {"from": None, "to": None})]:
                yield [*stamps, name, *(_cell(pair[end]) for end in ("from", "to"))]


def newest_seal(incident_id: str, report: verify_history.Report) -> tuple[int | None, str | None]:
    """Return the newest version of an incident that a manifest has, and the head of the incident there."""
    *_, version, head, _table = max(
        report.sealed.get(incident_id, ()), key=lambda each: each[3], default=(None, None, None)
    )
    return version, head


def incidents_in(lines: Path) -> Iterator[Line]:
    """Yield the lines of the incidents in an export. The verifier reports a line that cannot be read."""
    with lines.open("rb") as whole:
        for raw in whole:
            with suppress(*verify_history.UNREADABLE):
                line = read(raw)
                if "incident" in line:
                    yield line


def read(line: bytes) -> Line:
    """Return an export's line. Raises an error of UNREADABLE, also if a number is longer than the service stores."""
    read_line: Line = verify_history.read_json(line)
    return read_line


def is_in(at: str, period: Period) -> bool:
    return period[0] <= at <= period[1]


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=lambda amount: f"{amount:f}")


def as_cell(value: Any) -> str:
    """Return a value as a cell. An apostrophe is in front of a text that a spreadsheet would run as a formula.

    Many spreadsheets split a line at semicolons or tabs instead of commas. So an apostrophe also follows such a
    character if a formula follows.
    """
    return _BEFORE_FORMULA.sub(r"\1'", str(value))


class _table:  # noqa: N801  # it is used like a function
    """A CSV file."""

    def __init__(self, file: Path, columns: Iterable[str]) -> None:
        self._file = file.open("x", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, quoting=csv.QUOTE_ALL)
        self.row(columns)

    def row(self, cells: Iterable[Any]) -> None:
        self._writer.writerow([as_cell("" if cell is None else cell) for cell in cells])

    def __enter__(self) -> "_table":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _readme(reader: TenantReader, choice: Choice, report: verify_history.Report, population: int) -> str:
    restores = ", ".join(time for _, time, _ in report.restores)
    erasures = ", ".join(time for _, time, _ in report.erasures)
    marks = f"Erasures until: {erasures or 0}. Restores of the table: {restores or 0}"
    warning = f"**This history has {len(report.faults)} faults. `{FAULTS}` lists them.**\n\n" if report.faults else ""
    return f"""# Incidents of the tenant {reader.tenant_id}

{warning}The period is from {choice.period[0]} to {choice.period[1]}. The table is `{reader.table_name}`.

| file | content |
|---|---|
| `contents.csv` | the size and the SHA-256 of each other file |
| `{FAULTS}` | the faults that a check of the pack found: {len(report.faults)} |
| `export.jsonl` | all incidents of the tenant with all changes, the events of findings, and the settings |
| `manifests.jsonl` | the signed manifests, oldest first. They end at {report.until}. {marks} |
| `population.csv` | the {population} incidents with a change in the period. A create is a change |
| `changes.csv` | who changed what in the period |
| `sample.csv`, `sample.jsonl` | the sample with its seals, and its complete histories. The seed is `{choice.seed}` |
| `metrics.json` | MTTD, MTTR and time to contain, as of the time of this pack |
| `deadlines.csv` | the deadlines of the population, and whether each report was late |
| `public-key-*.pem` | the public keys that signed the manifests |
| `verify_history.py` | the program that checks the export against the manifests |
| `FORMAT.md` | the formats, so that you can write such a program yourself |

Get the fingerprint of the key from the operators of the service in another way than this pack. Then run:

    pip install cryptography
    python3 verify_history.py --tenant {reader.tenant_id} --key FINGERPRINT manifests.jsonl export.jsonl

Write down the {report.newest}.
At the next audit, the program prints this hash again, or a newer manifest contains it: `grep HASH manifests.jsonl`.

If the program finds no fault, the export lacks no sealed incident and no sealed change. The program does not read
`population.csv`, `changes.csv`, `deadlines.csv`, `metrics.json` and the sample, and nobody signed `contents.csv`. To
prove that these files are right, make them again from the export. Get the SHA-256 of the program from the operators,
too. The metrics come from stored figures, and no seal covers these figures. `incidents verify` checks them.

The sample are the incidents of the population with the lowest SHA-256 of the text `SEED:ID`. The dates in the files are
UTC. If a cell could run as a formula, an apostrophe is in front of its text.
"""

"""The commands of `incidents intake` for mappings: how events of partners become findings of a tenant."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from incidents.domain import intake_policy, timestamps
from incidents.domain.summary import summary_of
from incidents.findings import EventRefused, Finding, Node, Skipped, as_from_aws, mapping
from incidents.findings.mapping import InvalidMapping, SourceMapping

from ..console import StepFailed, clean, command, say, stderr
from . import json_lines
from .deployment import Deployment, RegionOption, StackOption
from .tenants.commands import TenantOption

MappingFile = Annotated[Path, typer.Argument(metavar="MAPPING.json", help="A file with one mapping.")]
LARGEST = 2**20  # characters of a file; an event of EventBridge is smaller
STORED_BYTES = 300 * 1024  # all mappings of a tenant are in one item of the table


def try_(
    file: MappingFile,
    event_file: Annotated[
        Path, typer.Argument(metavar="EVENT.json", help="A file with one event as EventBridge delivers it.")
    ],
) -> None:
    """Print the incident that an event would become by a mapping. The command needs no stack, and writes nothing."""
    checked = read_mapping(file)
    event = as_from_aws(_value(event_file, _content(event_file)))
    try:
        whole = Node(event).needed_object()
        source, detail_type = whole.at("source").exact_text(), whole.at("detail-type").exact_text()
        if not checked.takes(source, detail_type):
            raise StepFailed(
                "The mapping does not take the event.",
                f"  The event has the source {clean(source)} and the detail-type {clean(detail_type)}.",
                "Correct source or detail_type in the mapping.",
            )
        report = mapping.read(checked, whole)
    except EventRefused as refused:
        raise StepFailed(
            "The event would become a dead letter.", f"  {clean(str(refused))}", "Correct the mapping, or the event."
        ) from None
    if isinstance(report, Skipped):
        say("no incident    not_mapped: the event does not fulfill the conditions in when")
        return
    if isinstance(report, Finding):
        _show(report, event)


def _show(finding: Finding, event: Any) -> None:
    from incidents import intake as service  # takes 0.8 s (pydantic and botocore), so `--help` does not import it

    decision = intake_policy.decide(intake_policy.DEFAULT, finding.facts)
    say(f"kind           {finding.kind}")
    say(clean(f"{'no incident' if decision.reason else 'incident':<14} {decision.rule}"))
    say(clean(f"key            {finding.key}"))
    for date, read_from in finding.dates.items():
        say(clean(f"{date:<14} from {read_from}"))
    say(json.dumps(service.incident_of(finding), indent=2, ensure_ascii=False))
    say(json.dumps({"summary": summary_of(event, finding.summary)}, indent=2, ensure_ascii=False))


def map_(file: MappingFile, tenant_id: TenantOption, stack: StackOption = None, region: RegionOption = None) -> None:
    """Check a mapping, and store it for a tenant. A mapping with the same name is replaced."""
    checked = read_mapping(file)
    _change(tenant_id, {checked.name: _value(file, _content(file))}, stack, region)


def unmap(
    name: Annotated[str, typer.Argument(help="The name of the mapping.")],
    tenant_id: TenantOption,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Remove a mapping of a tenant. Later events that it took become dead letters."""
    _change(tenant_id, {name: None}, stack, region)


def mappings(tenant_id: TenantOption, stack: StackOption = None, region: RegionOption = None) -> None:
    """Print the mappings of a tenant as JSON."""
    from incidents.storage.settings import MAPPINGS  # takes 0.4 s (botocore), so `--help` does not import it

    with Deployment(stack, region).settings_of(tenant_id) as settings:
        current = settings.read(MAPPINGS)
    say(json.dumps(current.value if current else {}, indent=2, ensure_ascii=False))


def read_mapping(file: Path) -> SourceMapping:
    """Return the checked mapping in a file. Raises StepFailed, which names the line of the wrong member."""
    text = _content(file)
    try:
        return mapping.parse(_value(file, text))
    except InvalidMapping as invalid:
        line = json_lines.line_of(text, invalid.place)
        raise StepFailed(
            f"The mapping in {file} is not valid.",
            clean(f"  line {line}: {invalid}"),
            "Correct the line. docs/mapping.md describes the members.",
        ) from None


def _change(tenant_id: str, changed: dict[str, Any], stack: str | None, region: str | None) -> None:
    from incidents.storage.settings import MAPPINGS, Settings, SettingsMoved  # takes 0.4 s, as above

    deployment = Deployment(stack, region)
    with deployment.settings_of(tenant_id) as settings:
        current = settings.read(MAPPINGS)
        before = current.value if current else {}
        missing = [name for name, value in changed.items() if value is None and name not in before]
        if missing:
            raise StepFailed(
                f"The tenant {tenant_id} has no mapping {clean(missing[0])}.", "",
                f"List the mappings: {command('intake mappings')}",
            )  # fmt: skip
        after = {name: value for name, value in (before | changed).items() if value is not None}
        try:
            mapping.parse_all(after)
        except InvalidMapping as invalid:
            raise StepFailed("The mapping was not stored.", f"  {invalid}", "Remove a mapping first.") from None
        if len(json.dumps(after).encode()) > STORED_BYTES:
            raise StepFailed(
                "The mapping was not stored.", f"  All mappings of a tenant may have {STORED_BYTES} bytes.",
                "Remove a mapping first.",
            )  # fmt: skip
        now = timestamps.from_milliseconds(time.time_ns() // 1_000_000)
        version = current.version + 1 if current else 1
        try:
            settings.write(MAPPINGS, Settings(after, version, now, deployment.caller()))
        except SettingsMoved:
            raise StepFailed(
                "Somebody else has changed the mappings just now. Nothing was written.", "",
                "Run the same command again.",
            ) from None  # fmt: skip
    stderr.print(f"The tenant {tenant_id} has {len(after)} mappings.", markup=False)


def _content(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise StepFailed(f"{file} cannot be read.", f"  {error}", "Name a JSON file in UTF-8.") from None
    if len(text) > LARGEST:
        raise StepFailed(f"{file} is too large.", "", "Name a file with at most 1 MB.")
    return text


def _value(file: Path, text: str) -> Any:
    """Return the JSON value of a text. A name that occurs twice in an object is an error, not the last of the two."""
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise StepFailed(f"{file} cannot be read as JSON.", f"  {error}", "Correct the file.") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1)
        raise ValueError(f"the name {twice!r} occurs twice in one object")
    return made

"""The commands of `incidents intake` for mappings. A mapping makes findings of a tenant from a partner's events."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from incidents.domain import timestamps
from incidents.findings import mapping
from incidents.findings.mapping import InvalidMapping, SourceMapping

from ..console import StepFailed, clean, command, say, stderr
from . import json_lines
from .deployment import Deployment, RegionOption, StackOption
from .json_files import json_of, text_of
from .tenants.commands import TenantOption

MappingFile = Annotated[Path, typer.Argument(metavar="MAPPING.json", help="A file with one mapping.")]
STORED_BYTES = 300 * 1024  # the limit for all mappings of a tenant, because they are in one item of the table


def map_(file: MappingFile, tenant_id: TenantOption, stack: StackOption = None, region: RegionOption = None) -> None:
    """Check a mapping, and store it for a tenant. A mapping with the same name is replaced."""
    checked, text = read_mapping(file)
    _change(tenant_id, {checked.name: json_of(file, text)}, stack, region)


def unmap(
    name: Annotated[str, typer.Argument(help="The name of the mapping.")],
    tenant_id: TenantOption,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Remove a mapping of a tenant. If no other mapping takes a later event, the event becomes a dead letter."""
    _change(tenant_id, {name: None}, stack, region)


def mappings(tenant_id: TenantOption, stack: StackOption = None, region: RegionOption = None) -> None:
    """Print the mappings of a tenant as JSON."""
    from incidents.storage.settings import MAPPINGS  # takes 0.4 s (botocore), so `--help` does not import it

    with Deployment(stack, region).settings_of(tenant_id) as settings:
        current = settings.read(MAPPINGS)
    say(json.dumps(current.value if current else {}, indent=2, ensure_ascii=False))


def read_mapping(file: Path) -> tuple[SourceMapping, str]:
    """Return the checked mapping in a file, and the file's text. Raises StepFailed with the number of a wrong line."""
    text = text_of(file)
    try:
        return mapping.parse(json_of(file, text)), text
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
                "The mapping was not stored.", f"  A tenant's mappings together may have at most {STORED_BYTES} bytes.",
                "Remove a mapping first.",
            )  # fmt: skip
        now = timestamps.from_milliseconds(time.time_ns() // 1_000_000)
        version = current.version + 1 if current else 1
        try:
            settings.write(MAPPINGS, Settings(after, version, now, deployment.caller()))
        except SettingsMoved:
            raise StepFailed(
                "Somebody else has just changed the mappings, so nothing was written.", "",
                "Run the same command again.",
            ) from None  # fmt: skip
    stderr.print(f"The tenant {tenant_id} has {len(after)} mappings.", markup=False)

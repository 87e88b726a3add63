"""The commands of `incidents deadlines`. They show due dates and rules, and show or set a tenant's settings."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from incidents.domain import timestamps
from incidents.domain.deadlines import calendars, rules
from incidents.domain.deadlines.alerts import APPROACHING
from incidents.domain.deadlines.rules import OFF, ON
from incidents.domain.model import INCIDENT_ID
from incidents.storage import keys

from ..console import StepFailed, clean, command, interrupted, say, stderr, step
from .api import App, Tenant, Url, api_client, expected_answer
from .deployment import Deployment, RegionOption, StackOption, print_versions, with_versions
from .json_files import json_of, text_of
from .tenants.commands import TenantOption, tenant_reader

if TYPE_CHECKING:
    from .tenants.reading import TenantReader

deadlines = typer.Typer(no_args_is_help=True, help="Show the due dates of reports, the rules, and a tenant's settings.")
settings_ = typer.Typer(no_args_is_help=True, help="Show or set a tenant's settings for deadlines.")
deadlines.add_typer(settings_, name="settings")

_SCHEMA = Path(rules.__file__).with_name("rules.v1.schema.json")
_NONE = "none"  # clears a setting
_MOST_BYTES = 256 * 1024  # the limit of stored settings, because an item of DynamoDB has at most 400 KB


@deadlines.command()
def show(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id or number.")],
    tenant: Tenant = None,
    app: App = None,
    url: Url = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON, for programs.")] = False,
) -> None:
    """Print the deadlines of an incident: one line for each stage, and below it the reason for the date."""
    with api_client(url, tenant, app) as client:
        incident_id = incident
        if not INCIDENT_ID.fullmatch(incident):
            same_number = client.grc.incidents.list(incident_number=incident, include_deleted=True).items
            if not same_number:
                raise StepFailed(f"No incident has the number {incident}.", "", "Check the number and the tenant.")
            incident_id = same_number[0].id
        answer = json.loads(client.grc.incidents.with_raw_response.deadlines(incident_id).body)
    if is_json:
        say(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for regime in answer["regimes"]:
        say(clean(f"{regime['named'] or '-'}: {regime['regime'] or 'no rule'}  {regime['why'] or ''}".rstrip()))
        for stage in regime["stages"]:
            say(clean(_as_line(stage)))
            say(clean(f"      {stage['why_off'] or stage['why']}"))
    stderr.print(
        f"Rules {answer['rules_version']}, calendars of {answer['calendars_generated_on']}. {answer['notice']}",
        markup=False,
    )


@deadlines.command()
def board(
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help="Print only incidents with an open stage in this state. Repeatable."),
    ] = None,
    regime: Annotated[
        list[str] | None,
        typer.Option(metavar="REGIME", help="Print only incidents with an open stage of this regime. Repeatable."),
    ] = None,
    due_before: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Print only incidents with an open stage before this RFC 3339 time."),
    ] = None,
    tenant: Tenant = None,
    app: App = None,
    url: Url = None,
    is_json: Annotated[
        bool, typer.Option("--json", help="Print each incident as JSON on its own line, for programs.")
    ] = False,
) -> None:
    """Print the incidents with open deadlines, in the order of their dates. A line has the date, the state, the number
    of the incident, the regime and the stage.
    """
    asked = {"state": state, "regime": regime, "due_before": due_before}
    filters: Any = {name: value for name, value in asked.items() if value} | {"limit": 100}
    n = 0
    with api_client(url, tenant, app) as client:
        while True:
            answer = client.grc.incidents.with_raw_response.deadline_board(**filters)
            with expected_answer():
                page = json.loads(answer.body)
                lines = [_as_row(entry, is_json) for entry in page["items"]]
                cursor = page["next_cursor"]
                if cursor is not None and cursor == filters.get("cursor"):
                    raise ValueError("`next_cursor` is repeated, so the list would never end")
            for line in lines:
                say(line)
                n += 1
            if cursor is None:
                break
            filters["cursor"] = cursor
    if not is_json:
        stderr.print(f"{n} incident{'s' if n != 1 else ''} on the board. The dates are not legal advice.", markup=False)


@deadlines.command()
def rebuild(tenant_id: TenantOption, stack: StackOption = None, region: RegionOption = None) -> None:
    """Mark all incidents of a tenant that name a regime or are on the board. The next runs compute them again.

    Run this command after a change of settings or rules, and after a restore. Also run it once for the incidents of
    earlier releases.
    """
    from incidents.storage.marks import Marks  # takes 0.4 s (botocore), so `--help` does not import it

    from .tenants.reading import nothing_of  # takes 50 ms, so `--help` does not import it

    deployment = Deployment(stack, region)
    reader = tenant_reader(tenant_id, None, stack, region)
    with step("Reading the tenant's incidents", "Read the tenant's incidents"):
        incidents = sorted(_with_deadlines(reader))
    if not incidents and reader.is_empty():
        raise nothing_of(reader, "Nothing was marked.")
    marks = Marks(keys.DEADLINES, deployment.guarded_dynamodb, deployment.table_name)
    n, left = 0, "{} of {} incidents are marked. Run the same command again."
    with interrupted(lambda: left.format(n, len(incidents))), stderr.status("Marking ...") as shown:
        for n, incident_id in enumerate(incidents, start=1):
            marks.mark(tenant_id, incident_id, now=time.time_ns() // 1_000_000)
            shown.update(f"Marking ... {n} of {len(incidents)}")
    stderr.print(f"Marked {len(incidents)} incidents. The job computes their deadlines within some minutes.")


def _with_deadlines(reader: "TenantReader") -> set[str]:
    """Return the ids of the incidents that name a regime, and of the incidents that have a head."""
    reportable = {item["sk"]["S"] for item in reader.items("INCIDENT") if "reportable_to" in item}
    heads = {keys.incident_of_head(item["sk"]["S"]) for item in reader.items("DEADLINE")}
    return reportable | {incident_id for incident_id in heads if incident_id is not None}


@deadlines.command(name="rules")
def rules_(
    regime: Annotated[str | None, typer.Argument(metavar="REGIME", help="A regime's id or alias.")] = None,
) -> None:
    """Print the regimes of this release, or all about one regime as JSON."""
    if regime is None:
        for each in rules.released()["regimes"]:
            say(f"{each['id']:<20} {each['status']:<10} {', '.join(each['aliases'])}: {each['citation']}")
        stderr.print(f"Rules {rules.released()['rules_version']}. This is not legal advice.", markup=False)
        return
    if (found_regime := rules.Regimes(rules.Settings()).find(regime)) is None:
        raise StepFailed(f"There is no rule for {regime}.", "", f"List the regimes: {command('deadlines rules')}")
    say(json.dumps(found_regime, indent=2, ensure_ascii=False))


@settings_.command(name="show")
def show_settings(tenant_id: TenantOption, stack: StackOption = None, region: RegionOption = None) -> None:
    """Print a tenant's stored settings as JSON, their faults, and the author and the time of each version."""
    from incidents.storage.settings import DEADLINES  # takes 0.4 s (botocore), so `--help` does not import it

    with Deployment(stack, region).settings_of(tenant_id) as settings:
        current, versions = with_versions(settings, DEADLINES)
    value = rules.Settings().to_json() if current is None else current.value
    say(_as_json(value))
    _print_faults(value)
    print_versions(tenant_id, versions)


@settings_.command(name="set")
def set_settings(
    tenant_id: TenantOption,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="The time zone of dates, such as Europe/Paris; or none.")
    ] = None,
    member_state: Annotated[
        str | None, typer.Option(metavar="CODE", help="The Member State whose holidays count, such as FR; or none.")
    ] = None,
    dora_exempt: Annotated[
        bool | None,
        typer.Option("--dora-exempt/--not-dora-exempt", help="Whether DORA's first reports stay due on weekends."),
    ] = None,
    on: Annotated[list[str] | None, typer.Option(metavar="REGIME", help="Switch a regime on. Repeatable.")] = None,
    off: Annotated[list[str] | None, typer.Option(metavar="REGIME", help="Switch a regime off. Repeatable.")] = None,
    own: Annotated[
        Path | None,
        typer.Option("--rules", metavar="FILE", help="A JSON list of own regimes, which replaces the earlier list."),
    ] = None,
    alerts: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help=f"The kinds of alerts before a due date, separated by commas: {', '.join(APPROACHING)}. Or none.",
        ),
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Start from the defaults.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Change a tenant's settings for deadlines. Settings that you do not name stay unchanged. The previous version is
    kept.
    """
    from incidents.storage.settings import DEADLINES, Settings, SettingsMoved  # takes 0.4 s (botocore)

    changes: dict[str, Any] = {}
    if zone is not None:
        changes["zone"] = None if zone == _NONE else zone
    if member_state is not None:
        changes["member_state"] = None if member_state == _NONE else member_state
    if own is not None:
        changes["rules"] = _own_rules(own)
    if alerts is not None:
        changes["alerts"] = [] if alerts == _NONE else alerts.split(",")
    if not changes and dora_exempt is None and not on and not off and not defaults:
        raise StepFailed("There is nothing to set.", "", f"Name an option: {command('deadlines settings set --help')}")
    deployment = Deployment(stack, region)
    with deployment.settings_of(tenant_id) as settings:
        current = settings.read(DEADLINES)
        before = rules.Settings().to_json() | ({} if current is None or defaults else _object(current.value))
        value = before | changes
        known = rules.read(value)
        usable = changes.get("rules", [*known.rules])
        regime_id = _regime_id(usable)
        switches = {regime_id(name): ON for name in on or []} | {regime_id(name): OFF for name in off or []}
        if len(switches) < len({*map(regime_id, on or [])}) + len({*map(regime_id, off or [])}):
            raise StepFailed("A regime cannot be both on and off.", "", "Name each regime with --on or --off.")
        _refuse_wrong({**changes, "rules": usable, "regimes": switches})
        if dora_exempt is not None:
            value["facts"] = {**_object(value["facts"]), "dora_exempt": dora_exempt}
        if own is not None:
            value["regimes"] = _without_switches_of_gone_rules(value["regimes"], before["rules"], known)
        if switches:
            value["regimes"] = {**_object(value["regimes"]), **switches}
        if (size := len(json.dumps(value, ensure_ascii=False).encode())) > _MOST_BYTES:
            raise StepFailed(
                f"The settings have {size // 1024} KiB. At most {_MOST_BYTES // 1024} KiB can be stored.", "",
                "Use fewer or shorter rules.",
            )  # fmt: skip
        now = timestamps.from_milliseconds(time.time_ns() // 1_000_000)
        version = current.version + 1 if current else 1
        try:
            settings.write(DEADLINES, Settings(value, version, now, deployment.caller()))
        except SettingsMoved:
            raise StepFailed(
                "Somebody else has just changed the settings, so nothing was written.", "",
                "Look at the settings, then run the same command again.",
            ) from None  # fmt: skip
    say(_as_json(value))
    _print_faults(value)
    stderr.print(
        f"To apply these settings to the board, run: {command('deadlines rebuild')} --tenant {tenant_id}", markup=False
    )


def _as_row(entry: dict[str, Any], is_json: bool) -> str:
    if is_json:
        return json.dumps(entry, ensure_ascii=False)
    soonest = entry["stages"][0]
    kind = "due" if soonest["due_at"] else "projected"
    date = soonest["due_at"] or soonest["projected_at"] or "-"
    name = f"{soonest['regime']}/{soonest['stage']}"
    more = f" and {len(entry['stages']) - 1} more" if len(entry["stages"]) > 1 else ""
    kind = kind if date != "-" else "no date"
    return clean(f"{date:<24} {kind:<9} {soonest['state']:<16} {entry['incident_number']:<16} {name}{more}")


def _without_switches_of_gone_rules(switches: Any, before: Any, after: rules.Settings) -> Any:
    """Return the switches without the switches of removed own regimes. Print the name of each removed switch.

    ``before`` is the stored list of own regimes. It can have any form.
    """
    gone = [_object(rule).get("id") for rule in before] if isinstance(before, list) else []
    left = [name for name in _object(switches) if name in gone and rules.Regimes(after).find(name) is None]
    for name in left:
        stderr.print(f"The switch of `{name}` was removed, because its rule was removed.", markup=False)
    return {name: switch for name, switch in switches.items() if name not in left} if left else switches


def _print_faults(value: object) -> None:
    """Print the stored settings that the service ignores, with the reasons."""
    known = rules.read(value)
    faults = [
        *known.unknown,
        *(f"The service ignores the rule `{name}`: {why}." for why, name in _first_names(known.unread)),
    ]
    regimes = rules.Regimes(known)
    switched = (name for name in known.regimes if regimes.find(name) is None and name not in known.unread)
    for fault in [
        *faults,
        *(f"The service ignores the switch of `{name}`, because it knows no such regime." for name in switched),
    ]:
        stderr.print(clean(fault), markup=False)


def _first_names(unread: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each reason once, with a rule's id. A rule has the same reason under its id and under all its aliases."""
    yield from {why: name for name, why in reversed([*unread.items()])}.items()


def _as_line(stage: dict[str, Any]) -> str:
    date = stage["due_local"] or stage["due_at"]
    if date is None:
        kind, at = ("projected", stage["projected_at"]) if stage["projected_at"] else ("unconfirmed", None)
        at = at or stage["unconfirmed_at"]
        date = f"{kind} {at}" if at else "-"
    condition = f"  if {stage['condition']}" if stage["condition"] else ""
    return f"  {stage['stage']:<24} {stage['state']:<16} {date}{condition}"


def _regime_id(own: Sequence[rules.Rule]) -> Callable[[str], str]:
    regimes = rules.Regimes(rules.Settings(rules=own))

    def resolve(name: str) -> str:
        regime = regimes.find(name)
        return name if regime is None else str(regime["id"])

    return resolve


def _own_rules(file: Path) -> list[Any]:
    """Return the regimes in a file. Raises StepFailed if the regimes do not have the schema's form."""
    import jsonschema  # takes 0.1 s, which the other commands do not need

    advice = f"The form is in {_SCHEMA.name}. An example is in docs/deadlines.md."
    text = text_of(file)
    own = json_of(file, text)
    try:
        json.dumps(own, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        detail = "  a text has half a surrogate pair (\\ud800 to \\udfff)"
        raise StepFailed(f"The rules in {file} are not valid.", detail, advice) from None
    schema = json.loads(_SCHEMA.read_text())
    form = {"$defs": schema["$defs"], "type": "array", "items": {"$ref": "#/$defs/regime"}}
    faults = sorted(jsonschema.Draft202012Validator(form).iter_errors(own), key=lambda fault: fault.json_path)
    if faults:
        lines = "\n".join(f"  {fault.json_path}: {fault.message[:200]}" for fault in faults[:5])
        raise StepFailed(f"The rules in {file} are not valid.", lines, advice)
    return list(own)


def _refuse_wrong(value: object) -> None:
    """Raise StepFailed if new settings are not valid."""
    try:
        rules.parse(value)
    except ValueError as error:
        raise StepFailed(
            "The settings are not valid.", f"  {error}",
            f"List the regimes: {command('deadlines rules')}. "
            f"The Member States are {', '.join(calendars.member_states())}.",
        ) from None  # fmt: skip


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)

"""The commands of `incidents intake`. They show or set the findings that become incidents of a tenant."""

import json
import time
from typing import Annotated

import typer
from incidents.domain import intake_policy, model, timestamps
from incidents.domain.intake_policy import ANY_SEVERITY, KINDS, Policy

from ..console import StepFailed, command, say
from .deployment import Deployment, RegionOption, StackOption, print_versions, with_versions
from .tenants.commands import TenantOption

intake = typer.Typer(no_args_is_help=True, help="Show or set which findings become incidents of a tenant.")

_NONE = "none"  # if this is the only pattern, the settings get no patterns


@intake.command()
def show(tenant_id: TenantOption, stack: StackOption = None, region: RegionOption = None) -> None:
    """Print a tenant's settings as JSON, with the author and the time of each version."""
    from incidents.storage.settings import INTAKE  # takes 0.4 s (botocore), so `--help` does not import it

    with Deployment(stack, region).settings_of(tenant_id) as settings:
        current, versions = with_versions(settings, INTAKE)
    policy = intake_policy.DEFAULT if current is None else _parsed(current.value)
    say(json.dumps(policy.to_json(), indent=2))
    print_versions(tenant_id, versions)


@intake.command(name="set")
def set_(
    tenant_id: TenantOption,
    kinds: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Take exactly these kinds, each from a severity on. Example: detection,alarm,posture:critical.",
        ),
    ] = None,
    let_in: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Let in products or types, whatever their kind and severity; or none."),
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Leave out products or types; or none.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Start from the defaults.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Change which findings become incidents of a tenant. Settings that you do not name stay unchanged. The previous
    version is kept. The change applies to events that arrive from now on.
    """
    from incidents.storage.settings import INTAKE, Settings, SettingsMoved  # takes 0.4 s, so `--help` does not load it

    deployment = Deployment(stack, region)
    if kinds is None and let_in is None and leave_out is None and not defaults:
        raise StepFailed("There is nothing to set.", "", f"Name an option: {command('intake set --help')}")
    with deployment.settings_of(tenant_id) as settings:
        current = settings.read(INTAKE)
        before = intake_policy.DEFAULT if current is None or defaults else _parsed(current.value)
        value = before.to_json()
        value |= {"kinds": _kinds(kinds)} if kinds is not None else {}
        value |= {"let_in": _patterns("--let-in", let_in)} if let_in is not None else {}
        value |= {"leave_out": _patterns("--leave-out", leave_out)} if leave_out is not None else {}
        policy = _parsed(value)
        now = timestamps.from_milliseconds(time.time_ns() // 1_000_000)
        version = current.version + 1 if current else 1
        try:
            settings.write(INTAKE, Settings(policy.to_json(), version, now, deployment.caller()))
        except SettingsMoved:
            raise StepFailed(
                "Somebody else has just changed the settings, so nothing was written.", "",
                "Look at the settings, then run the same command again.",
            ) from None  # fmt: skip
    say(json.dumps(policy.to_json(), indent=2))


def _kinds(text: str) -> dict[str, str]:
    """Return the lowest severity of each kind in a text like ``detection,posture:critical``."""
    named = [word.strip().partition(":") for word in text.split(",") if word.strip()]
    kinds = {kind: lowest if colon else ANY_SEVERITY for kind, colon, lowest in named}
    if len(kinds) < len(named):
        raise StepFailed("A kind occurs twice in --kinds.", f"  {text}", "Name each kind once.")
    return kinds


def _patterns(option: str, given: list[str]) -> list[str]:
    """Return the patterns of an option. Raises StepFailed if ``none`` is not the only pattern."""
    if _NONE in given and len(given) > 1:
        raise StepFailed(
            f"{option} {_NONE} removes all patterns, so no other {option} may be given.", "",
            f"Name {_NONE} alone, or name only patterns.",
        )  # fmt: skip
    return [] if given == [_NONE] else given


def _parsed(value: object) -> Policy:
    try:
        return intake_policy.parse(value)
    except ValueError as error:
        raise StepFailed(
            "The settings are not valid.", f"  {error}",
            f"The kinds are {', '.join(KINDS)}. The severities are {', '.join(model.SEVERITIES)}.",
        ) from None  # fmt: skip

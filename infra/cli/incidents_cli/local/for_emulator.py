"""The built templates once more, for the emulator: the templates themselves are for AWS alone.

`sam build` leaves plain YAML, its intrinsic functions in their long form. What is changed there is all in this module,
and a test holds the rest to what was built. Whatever is to be changed and is not there stops the deployment.
"""

from pathlib import Path
from typing import Any

import yaml

from ..console import StepFailed
from . import artifact

FILE = "for-emulator.yaml"
# A developer waits for these: the settings of AWS, made short.
SERVICE = {
    "Resources/ScheduleMetrics/Properties/Events/Schedule/Properties/ScheduleExpression": "rate(1 minute)",
    "Resources/ComputeMetrics/Properties/Environment/Variables/MARK_SETTLE_SECONDS": "2",
}
EVENTING = {
    "Resources/Queue/Properties/VisibilityTimeout": 6,
    "Resources/MetricsQueue/Properties/VisibilityTimeout": 6,
}
# What names an alias, and names the function itself where there are no versions.
ALIASES = {
    "Outputs/ScheduleMetricsFunction/Value/Ref": "ScheduleMetrics",
    "Resources/MarkMetricDaysStream/Properties/FunctionName/Ref": "FollowIncidents",
}


def write(folder: Path, *, versions: bool) -> Path:
    """Write what the emulator is given, beside what was built in a folder; return the service's template.

    It has no versions of the functions, unless it is asked for them: the emulator copies the package into each version,
    and keeps them all.
    """
    service, eventing, observability = (
        _read(folder / name / "template.yaml") for name in ("", "Eventing", "Observability")
    )
    _set(service, SERVICE)
    _set(eventing, EVENTING)
    _leave_out_leading_keys(service)
    _leave_out_metric_math(observability)
    if not versions:
        _leave_out_versions(service)
    _pack_once(service, folder)
    for name, template in (("Eventing", eventing), ("Observability", observability)):
        _write(folder / name / FILE, template)
        _set(service, {f"Resources/{name}/Properties/Location": f"{name}/{FILE}"})
    return _write(folder / FILE, service)


def _leave_out_leading_keys(template: dict[str, Any]) -> None:
    """The emulator enforces the roles and never tells them the partition of a request: all would be refused."""
    changed = 0
    for role in _of_type(template, "AWS::IAM::Role").values():
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                changed += statement.get("Condition", {}).pop("Null", None) is not None
    _demand(changed, 'a "Null" in a role')


def _leave_out_metric_math(template: dict[str, Any]) -> None:
    """The emulator makes no alarm over several metrics."""
    alarms = _of_type(template, "AWS::CloudWatch::Alarm")
    over_several = [name for name, alarm in alarms.items() if "Metrics" in alarm["Properties"]]
    _demand(over_several, "an alarm over several metrics")
    for name in over_several:
        del template["Resources"][name]


def _leave_out_versions(template: dict[str, Any]) -> None:
    _demand(template["Globals"]["Function"].pop("AutoPublishAlias", None), "AutoPublishAlias")
    for path, function in ALIASES.items():
        _set(template, {path: function}, before=f"{function}.Alias")


def _pack_once(template: dict[str, Any], folder: Path) -> None:
    """SAM packs a folder anew for each function that it belongs to."""
    for built in artifact.artifacts(folder):
        archive = folder / f"{built.name}.zip"
        artifact.pack(built, archive)
        functions = [function["Properties"] for function in _of_type(template, "AWS::Serverless::Function").values()]
        packed = [function for function in functions if function.get("CodeUri") == built.name]
        _demand(packed, f"a function of {built.name}")
        for function in packed:
            function["CodeUri"] = archive.name


def _of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def _set(template: dict[str, Any], values: dict[str, Any], *, before: object = None) -> None:
    """Give what is at each path another value. What was there must be ``before``, if that is given."""
    for path, value in values.items():
        *parents, last = path.split("/")
        place: Any = template
        for name in parents:
            place = place.get(name) if isinstance(place, dict) else None
        there = isinstance(place, dict) and last in place and before in (None, place[last])
        _demand(there, path)
        place[last] = value


def _demand(is_there: object, what: str) -> None:
    if not is_there:
        raise StepFailed(
            f"The built templates do not have what is changed for the emulator: {what}.", "", "Adapt for_emulator.py."
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        template: dict[str, Any] = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:  # a short form, like !Ref, is one
        raise StepFailed(
            "A built template is no plain YAML.", f"  {path}: {error}", "Adapt for_emulator.py."
        ) from error
    return template


def _write(path: Path, template: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    return path

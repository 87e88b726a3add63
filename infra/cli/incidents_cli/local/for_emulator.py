"""Write changed copies of the built templates for the emulator. The templates themselves are only for AWS.

`sam build` writes the templates as plain YAML, with intrinsic functions in their long form. This module makes all
changes for the emulator. A test checks that everything else is as built. If the module does not find a value that it
must change, the deployment stops.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from ..console import StepFailed
from . import artifact

FILE = "for-emulator.yaml"
# These times are shorter than on AWS, because a developer waits for them.
SERVICE = {
    "Resources/ScheduleMetrics/Properties/Events/Schedule/Properties/ScheduleExpression": "rate(1 minute)",
    "Resources/ComputeMetrics/Properties/Environment/Variables/MARK_SETTLE_SECONDS": "2",
    "Resources/ListIncidentUpdates/Properties/Environment/Variables/FEED_SETTLE_SECONDS": "20",
    "Resources/SealHistory/Properties/Environment/Variables/MARK_SETTLE_SECONDS": "2",
}
EVENTING = {
    "Resources/Queue/Properties/VisibilityTimeout": 6,
    "Resources/MetricsQueue/Properties/VisibilityTimeout": 6,
}
# References to the alias of a function. In a deployment without versions, these references must name the function.
ALIASES = {
    "Outputs/ScheduleMetricsFunction/Value/Ref": "ScheduleMetrics",
    "Outputs/SealHistoryFunction/Value/Ref": "SealHistory",
    "Resources/MarkMetricDaysStream/Properties/FunctionName/Ref": "FollowIncidents",
}


def write(folder: Path, *, versions: bool) -> Path:
    """Write the emulator's templates next to the built templates. Return the path of the service's template.

    With ``versions``, the functions have versions and aliases, as on AWS. A deployment with versions is slower, because
    the emulator copies the package into each version and keeps all versions.
    """
    service, eventing, observability, history = (
        _read(folder / name / "template.yaml") for name in ("", "Eventing", "Observability", "History")
    )
    _set(service, SERVICE)
    _set(eventing, EVENTING)
    _leave_out_leading_keys(service)
    _leave_out_bus_policy(service)
    _leave_out_denials(eventing, "AWS::SQS::QueuePolicy")
    _leave_out_denials(history, "AWS::S3::BucketPolicy")
    _leave_out_denials(history, "AWS::KMS::Key", "KeyPolicy")
    _leave_out_metric_math(observability)
    if not versions:
        _leave_out_versions(service)
    _pack_once(service, folder)
    for name, template in (("Eventing", eventing), ("Observability", observability), ("History", history)):
        _write(folder / name / FILE, template)
        _set(service, {f"Resources/{name}/Properties/Location": f"{name}/{FILE}"})
    return _write(folder / FILE, service)


def _leave_out_leading_keys(template: dict[str, Any]) -> None:
    """Remove the "Null" conditions from the roles.

    These conditions refuse a request without leading keys. The emulator never passes DynamoDB's leading keys to
    conditions, so it would refuse every request to the table.
    """
    changed = 0
    for role in _of_type(template, "AWS::IAM::Role").values():
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                changed += statement.get("Condition", {}).pop("Null", None) is not None
    _demand(changed, 'a "Null" in a role')


def _leave_out_bus_policy(template: dict[str, Any]) -> None:
    """Remove the bus's policy, because the emulator has no ``AWS::Events::EventBusPolicy``."""
    policies = list(_of_type(template, "AWS::Events::EventBusPolicy"))
    _demand(policies, "a policy of the bus")
    for name in policies:
        del template["Resources"][name]


def _leave_out_denials(template: dict[str, Any], kind: str, document: str = "PolicyDocument") -> None:
    """Remove the denials from the policies of a kind of resource.

    Some denials refuse requests without TLS, but the emulator is reached over HTTP. Others allow only the role of one
    function, but the emulator compares the name of the role's session.
    """
    changed = 0
    for name, resource in _of_type(template, kind).items():
        policy = resource["Properties"][document]
        kept = [statement for statement in policy["Statement"] if statement["Effect"] != "Deny"]
        changed += len(policy["Statement"]) - len(kept)
        policy["Statement"] = kept
        if not kept:
            del template["Resources"][name]
    _demand(changed, f"a denial in {kind}")


def _leave_out_metric_math(template: dict[str, Any]) -> None:
    """Remove the alarms that compute with several metrics, because the emulator cannot create them."""
    alarms = _of_type(template, "AWS::CloudWatch::Alarm")
    over_several = [name for name, alarm in alarms.items() if "Metrics" in alarm["Properties"]]
    _demand(over_several, "an alarm that computes with several metrics")
    for name in over_several:
        del template["Resources"][name]


def _leave_out_versions(template: dict[str, Any]) -> None:
    _demand(template["Globals"]["Function"].pop("AutoPublishAlias", None), "AutoPublishAlias")
    for path, function in ALIASES.items():
        _set(template, {path: function}, before=f"{function}.Alias")


def _pack_once(template: dict[str, Any], folder: Path) -> None:
    """Pack each built folder only once. SAM would pack a folder again for each function that uses it."""
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
    """Set the value at each path of a template. Raises StepFailed if a path is missing.

    If ``before`` is given, the old value must equal it.
    """
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
            f"The built templates lack something that must be changed for the emulator: {what}.",
            "",
            "Adapt for_emulator.py to the templates.",
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        template: dict[str, Any] = yaml.load(path.read_text(), yaml.CSafeLoader)
    except yaml.YAMLError as error:  # the template may have a short form like !Ref
        raise StepFailed(
            "A built template is not plain YAML.", f"  {path}: {error}", "Adapt for_emulator.py to the templates."
        ) from error
    return template


def _write(path: Path, template: dict[str, Any]) -> Path:
    # JSON is also YAML. SAM and the emulator read JSON faster, which saves about 4 s of CPU time per deployment.
    path.write_text(json.dumps(template, default=str))
    return path

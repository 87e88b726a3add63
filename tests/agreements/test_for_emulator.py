"""Tests that the emulator's templates equal the built templates, except for the differences listed here."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.local import for_emulator, sam, up_down
from incidents_cli.local.local_stack import Stack

from tests.support import templates

NESTED = ("Storage", "Identity", "Eventing", "Observability", "History")
SHARED = "CreateIncident-Shared"
GONE = object()
OVER_SEVERAL = {
    "ApiThrottles",
    "PageThrottles",
    "JobThrottles",
    "TableReadThrottles",
    "TableWriteThrottles",
    "IteratorAge",
    "JobFailures",
}
SERVICE = {
    "Resources/ScheduleMetrics/Properties/Events/Schedule/Properties/ScheduleExpression": "rate(1 minute)",
    "Resources/ComputeMetrics/Properties/Environment/Variables/MARK_SETTLE_SECONDS": "2",
    "Resources/ListIncidentUpdates/Properties/Environment/Variables/FEED_SETTLE_SECONDS": "20",
    "Resources/SealHistory/Properties/Environment/Variables/MARK_SETTLE_SECONDS": "2",
    "Resources/Eventing/Properties/Location": "Eventing/for-emulator.yaml",
    "Resources/History/Properties/Location": "History/for-emulator.yaml",
    "Resources/Observability/Properties/Location": "Observability/for-emulator.yaml",
    **{
        f"Resources/{name}/Properties/CodeUri": f"{name if name in templates.PUBLIC else SHARED}.zip"
        for name in templates.functions()
    },
}
WITHOUT_VERSIONS = {
    "Globals/Function/AutoPublishAlias": GONE,
    "Outputs/ScheduleMetricsFunction/Value/Ref": "ScheduleMetrics",
    "Outputs/SealHistoryFunction/Value/Ref": "SealHistory",
    "Resources/MarkMetricDaysStream/Properties/FunctionName/Ref": "FollowIncidents",
}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Return a folder with templates as `sam build` leaves them.

    Intrinsic functions have their long form, and the packages are next to the templates.
    """
    service = templates.service()
    for name in NESTED:
        (tmp_path / name).mkdir()
        nested = templates.read(templates.CHECKOUT / "infra" / f"{name.lower()}.yaml")
        (tmp_path / name / "template.yaml").write_text(json.dumps(nested))
        service["Resources"][name]["Properties"]["Location"] = f"{name}/template.yaml"
    for name in templates.functions():
        service["Resources"][name]["Properties"]["CodeUri"] = name if name in templates.PUBLIC else SHARED
    for package in (SHARED, *templates.PUBLIC):
        (tmp_path / package).mkdir()
        (tmp_path / package / "requirements.txt").touch()
    (tmp_path / "template.yaml").write_text(json.dumps(service))
    return tmp_path


def values(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of every leaf of a template. A leaf is neither a dictionary nor a list."""
    named = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else None
    if named is None:
        yield path, part
        return
    for name, member in named:
        yield from values(member, f"{path}/{name}" if path else str(name))


def changes(folder: Path) -> dict[str, Any]:
    """Return, by path, the values that differ between the emulator's template and the built template."""
    before = dict(values(templates.read(folder / "template.yaml")))
    after = dict(values(templates.read(folder / for_emulator.FILE)))
    assert set(after) <= set(before), "the emulator's template must add nothing"
    return {path: after.get(path, GONE) for path, value in before.items() if after.get(path, GONE) != value}


@pytest.mark.parametrize("versions", [True, False])
def test_the_emulator_s_service_differs_only_in_the_listed_values(built: Path, versions: bool) -> None:
    assert for_emulator.write(built, versions=versions) == built / for_emulator.FILE
    found = changes(built)
    relaxed = {path for path in found if path.endswith("/Condition/Null/dynamodb:LeadingKeys")}
    assert len(relaxed) == 45
    assert all(found.pop(path) is GONE for path in relaxed)
    policy = {path for path in found if path.startswith("Resources/OnlyFunctionsAnnounce/")}
    assert policy
    assert all(found.pop(path) is GONE for path in policy)
    assert found == SERVICE | ({} if versions else WITHOUT_VERSIONS)


def test_the_emulator_s_queues_differ_only_in_their_visibility_timeout_and_tls(built: Path) -> None:
    for_emulator.write(built, versions=False)
    found = changes(built / "Eventing")
    tls = ("Resources/QueuePolicy/Properties/PolicyDocument/Statement/1/", "Resources/OtherQueuesPolicy/")
    over_http = {path for path in found if path.startswith(tls)}
    assert {path.split("/")[1] for path in over_http} == {"QueuePolicy", "OtherQueuesPolicy"}
    assert all(found.pop(path) is GONE for path in over_http)
    hidden = {f"Resources/{queue}/Properties/VisibilityTimeout": 6 for queue in ("Queue", "MetricsQueue")}
    assert found == hidden


def test_the_emulator_s_stack_lacks_only_the_alarms_over_several_metrics(built: Path) -> None:
    for_emulator.write(built, versions=False)
    found = changes(built / "Observability")
    assert {path.split("/")[1] for path in found} == OVER_SEVERAL
    assert set(found.values()) == {GONE}
    kept = templates.read(built / "Observability" / for_emulator.FILE)
    assert not OVER_SEVERAL & set(kept["Resources"])


def test_the_emulator_s_bucket_and_key_of_manifests_lack_only_their_denials(built: Path) -> None:
    for_emulator.write(built, versions=False)
    found = changes(built / "History")
    denials = ("Resources/ManifestsPolicy/", "Resources/Key/Properties/KeyPolicy/Statement/1/")
    assert all(path.startswith(denials) for path in found)
    assert set(found.values()) == {GONE}


def test_the_built_templates_stay_unchanged_and_only_three_nested_ones_are_replaced(built: Path) -> None:
    before = {path: path.read_bytes() for path in built.rglob("template.yaml")}
    for_emulator.write(built, versions=False)
    assert {path: path.read_bytes() for path in built.rglob("template.yaml")} == before
    assert {path.parent.name for path in built.glob("*/*.yaml") if path.name == for_emulator.FILE} == {
        "Eventing", "Observability", "History"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("template", "before", "after"),
    [
        ("template.yaml", '"Null"', '"Other"'),
        ("template.yaml", '"AutoPublishAlias"', '"Other"'),
        ("template.yaml", '"ScheduleMetrics.Alias"', '"ScheduleMetrics"'),
        ("template.yaml", '"FollowIncidents.Alias"', '"FollowIncidents"'),
        ("template.yaml", '"SealHistory.Alias"', '"SealHistory"'),
        ("History/template.yaml", '"Deny"', '"Allow"'),
        ("template.yaml", '"ScheduleExpression"', '"Other"'),
        ("template.yaml", '"MARK_SETTLE_SECONDS"', '"Other"'),
        ("template.yaml", f'"{SHARED}"', '"Other"'),
        ("template.yaml", '"AWS::Events::EventBusPolicy"', '"Other"'),
        ("Eventing/template.yaml", '"VisibilityTimeout"', '"Other"'),
        ("Eventing/template.yaml", '"Deny"', '"Allow"'),
        ("Observability/template.yaml", '"Metrics"', '"Other"'),
        ("Observability/template.yaml", "{", "!Ref {"),
    ],
)
def test_a_missing_value_to_change_stops_the_command(built: Path, template: str, before: str, after: str) -> None:
    text = (built / template).read_text()
    assert before in text
    (built / template).write_text(text.replace(before, after))
    with pytest.raises(StepFailed):
        for_emulator.write(built, versions=False)


def test_the_local_stack_sets_only_parameters_of_the_template() -> None:
    given = up_down.parameters(Stack(1), sam.host_parameters())
    console = {"ConsoleClientId", "ConsoleAuthorizeUrl", "ConsoleTokenUrl", "ConsoleSignOutUrl", "ConsoleScopes"}
    others = {"PythonRuntime", "Architecture", "DeletionProtection", "TakeSimulatedEvents", "JwtIssuer"}
    assert set(given) == others | console | {"HistoryRetentionMode", "HistoryRetentionDays"}
    assert set(given) <= set(templates.service()["Parameters"])

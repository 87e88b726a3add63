"""Tests that the dashboard and the alarms use only metrics that the code emits.

The dashboard and the alarms also use only queues and functions that the templates define.
"""

import json
import re
from typing import Any

from incidents.runtime import cloudwatch
from incidents.storage import keys

from tests.support import templates

CODE = "\n".join(path.read_text() for path in (templates.CHECKOUT / "functions" / "incidents").rglob("*.py"))
RESOURCES = templates.read(templates.CHECKOUT / "infra" / "observability.yaml")["Resources"]
ALARMS = {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == "AWS::CloudWatch::Alarm"}
BODY = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
METRICS = [
    [part for part in metric if isinstance(part, str)]
    for widget in BODY["widgets"]
    for metric in widget["properties"].get("metrics", [])
    if isinstance(metric[0], str)
]
EVENTING = templates.read(templates.CHECKOUT / "infra" / "eventing.yaml")["Resources"]
QUEUES = {one["Properties"]["QueueName"]["Fn::Sub"] for one in EVENTING.values() if one["Type"] == "AWS::SQS::Queue"}


def test_the_code_emits_every_own_metric_of_the_dashboard_and_alarms() -> None:
    shown = {metric[1] for metric in METRICS if metric[0] == cloudwatch.NAMESPACE}
    alarmed = {one["MetricName"] for one in ALARMS.values() if one.get("Namespace") == cloudwatch.NAMESPACE}
    assert len(shown) >= 7
    for name in shown | alarmed:
        assert f'"{name}"' in CODE


def test_every_own_metric_has_the_dimensions_that_the_code_emits() -> None:
    for metric in METRICS:
        if metric[0] == cloudwatch.NAMESPACE:
            names = metric[2::2]
            assert metric[2:6] == ["service", "incidents", "stage", "${Stage}"]
            assert names[2:] in ([], ["severity"], ["outcome"])
    for one in ALARMS.values():
        if one.get("Namespace") == cloudwatch.NAMESPACE:
            dimensions = {dimension["Name"]: dimension["Value"] for dimension in one["Dimensions"]}
            assert (dimensions.pop("service"), dimensions.pop("stage")) == ("incidents", {"Ref": "Stage"})
            assert all(f'"{value}"' in CODE for value in dimensions.values())


def test_the_dashboard_and_the_alarms_cover_every_function() -> None:
    shown = {name for metric in METRICS for name in re.findall(r"\$\{(\w+)\}", " ".join(metric))}
    given = templates.service()["Resources"]["Observability"]["Properties"]["Parameters"]
    for name in templates.functions():
        assert name in shown
        condition = templates.OPTIONAL.get(name)
        assert given[name] == ({"Fn::If": [condition, {"Ref": name}, "none"]} if condition else {"Ref": name})
    throttled = {
        query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"]
        for alarm in ("ApiThrottles", "PageThrottles", "JobThrottles")
        for query in ALARMS[alarm]["Metrics"]
        if "MetricStat" in query
    }
    assert throttled == set(templates.functions())


def test_the_throttle_alarms_watch_the_table_and_every_index() -> None:
    for kind in ("Read", "Write"):
        watched = [
            query["MetricStat"]["Metric"]
            for query in ALARMS[f"Table{kind}Throttles"]["Metrics"]
            if "MetricStat" in query
        ]
        assert {metric["MetricName"] for metric in watched} == {f"{kind}ThrottleEvents"}
        assert [metric["Dimensions"][1:] for metric in watched] == [
            [], *([{"Name": "GlobalSecondaryIndexName", "Value": index}] for index in keys.INDEXES)
        ]  # fmt: skip


def test_no_alarm_computes_with_more_metrics_than_cloudwatch_takes() -> None:
    """PutMetricAlarm refuses more than 10 members with a MetricStat: see MetricDataQuery in CloudWatch's API."""
    for one in ALARMS.values():
        assert sum("MetricStat" in query for query in one.get("Metrics", [])) <= 10


def test_every_queue_without_a_reader_has_an_alarm() -> None:
    read = {"${Prefix}-findings", "${Prefix}-metrics"}
    alarmed = {
        dimension["Value"]["Fn::Sub"].replace("Stage", "Prefix")
        for one in ALARMS.values()
        for dimension in one.get("Dimensions", [])
        if dimension["Name"] == "QueueName"
    }
    assert alarmed == QUEUES - read


def test_every_alarm_notifies_the_topic_and_has_a_meaning_and_a_runbook() -> None:
    topic: Any = {"Fn::If": ["HasTopic", [{"Ref": "AlarmTopicArn"}], []]}
    for one in ALARMS.values():
        assert (one["AlarmActions"], one["OKActions"]) == (topic, topic)
        name = one["AlarmName"]["Fn::Sub"].removeprefix("${Stage}-")
        meaning, page, anchor = one["AlarmDescription"].partition(" Runbook: docs/runbooks/alarms.md#")
        assert (meaning[-1], bool(page), anchor) == (".", True, name)
        assert "TreatMissingData" in one

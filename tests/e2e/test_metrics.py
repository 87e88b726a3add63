"""Tests that metrics follow a write without help, through stream, schedule, queue and endpoint.

Also tests the operators' metrics commands.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import WINDOW
from tests.support.checkout import Caller, Checkout
from tests.support.waiting import until


def numbers(caller: Caller) -> dict[str, Any]:
    answer = caller.get(f"/metrics{WINDOW}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture(scope="module")
def measured(computed: "Future[Caller]") -> Caller:
    """Return the caller of a tenant whose two incidents the schedule has computed.

    Nothing else started the computation.
    """
    return computed.result()


def test_the_metrics_appear_within_three_minutes_of_a_write(measured: Caller) -> None:
    told = numbers(measured)
    assert told["mttd"] == {
        "n": 2, "mean": 90.0, "p50": 90, "p90": 90, "p95": 90, "min": 90, "max": 90, "imported": 0
    }  # fmt: skip
    assert (told["mttr"]["p50"], told["time_to_contain"]["p50"], told["open"]["n"]) == (2_880, 30, 1)
    assert [(group["group"], group["mttd"]["n"]) for group in told["groups"]] == [("high", 1), ("low", 1)]
    assert told["excluded"]["timestamps_missing"] == {"mttd": 0, "mttr": 0, "time_to_contain": 1}


def test_the_metrics_are_visible_only_within_the_tenant_and_application(stack: Checkout, measured: Caller) -> None:
    for caller in (stack.caller(stack.token("another")), stack.caller(stack.token("measured", app="scanner"))):
        assert numbers(caller)["mttd"]["n"] == 0
    assert stack.caller(stack.token("measured", scope="incidents:write")).get("/metrics").status_code == 403


def test_metrics_show_prints_a_table_and_draws_a_picture(stack: Checkout, measured: Caller, tmp_path: Path) -> None:
    window = ("--from", "2026-02-01", "--to", "2026-02-28")
    picture = tmp_path / "metrics.png"

    shown = stack.answer("metrics", "show", "--tenant", "measured", *window, "--png", str(picture))

    assert "MTTD" in shown
    assert "1h 30m" in shown
    assert "high" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    for wrong, named in ((("--group-by", "status"), "group_by"), (("--from", "yesterday"), "from"), ((), "")):
        done = stack.run("metrics", "show", "--tenant", "measured" if wrong else "A B", *wrong)
        assert (done.returncode, named in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_metrics_rebuild_restores_lost_buckets(stack: Checkout, measured: Caller, aws: Callable[[str], Any]) -> None:
    table = stack.status["table_name"]
    buckets = aws("dynamodb").query(
        TableName=table, KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "TENANT#measured#METRIC"}},
    )["Items"]  # fmt: skip
    for bucket in buckets:
        aws("dynamodb").delete_item(TableName=table, Key={"pk": bucket["pk"], "sk": bucket["sk"]})
    assert numbers(measured)["mttd"]["n"] == 0

    def marked_and_run() -> bool:
        """Mark and compute the tenant's days; return whether no other tenant had marked days.

        Other tests or the schedule may interfere, so the caller tries again.
        """
        assert "Marked 2 days" in stack.run("metrics", "rebuild", "--tenant", "measured").stderr
        pending.append(numbers(measured)["pending_days"])
        time.sleep(3)  # longer than the time that the jobs wait before they compute a marked day
        return "Tenants with marked days: 1" in stack.run("metrics", "run").stderr

    pending: list[int] = []
    until(marked_and_run)
    until(lambda: numbers(measured)["mttr"]["n"] == 1, 40)
    assert max(pending) == 2
    until(lambda: numbers(measured)["pending_days"] == 0, 40)


def test_the_dashboard_and_the_alarms_are_deployed(stack: Checkout, aws: Callable[[str], Any]) -> None:
    dashboard = aws("cloudwatch").get_dashboard(DashboardName="grc-incidents")
    body = json.loads(dashboard["DashboardBody"])
    assert "${" not in dashboard["DashboardBody"]
    assert {"MTTD by severity: p50 of each day", "Errors by function"} <= {
        widget["properties"].get("title") for widget in body["widgets"]
    }
    alarms = {alarm["AlarmName"] for alarm in aws("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert {"grc-incidents-api-errors", "grc-incidents-dead-letters", "grc-incidents-oldest-marked-day"} <= alarms

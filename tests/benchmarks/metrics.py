"""Measures a metrics answer for a year: read units, size, seconds, and the memory of a new process."""

import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import boto3
from incidents.storage import dynamodb

from tests.support import dynamodb_local, metric_year, templates, units
from tests.support.events import Context, claims, metrics_event

YEARS = {
    "18 000 incidents, one category": (18_000, lambda n: "malware"),
    "18 000 incidents and categories": (18_000, lambda n: f"category {n}"),
    "100 000 incidents, one category": (100_000, lambda n: "malware"),
    "100 000 incidents and categories": (100_000, lambda n: f"category {n}"),
    "100 000 incidents, categories of 64 characters": (100_000, lambda n: f"{n * 0x9E3779B97F4A7C15 % 2**256:064x}"),
}


def measure() -> dict[str, Any]:
    """Return the cost of each year's answer, grouped by category."""
    figures = {}
    with dynamodb_local.running() as url:
        os.environ |= {
            "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_DYNAMODB": url, "TABLE_NAME": "incidents", "CURSOR_KEY": "the key of the benchmarks",
        }  # fmt: skip
        dynamodb.client.cache_clear()
        boto3.client("dynamodb").create_table(TableName="incidents", **templates.table())
        for n, (name, (incidents, category)) in enumerate(YEARS.items()):
            metric_year.fill(dynamodb.client(), "incidents", f"tenant-{n}", incidents, category)
            told = subprocess.run(
                [sys.executable, "-m", __name__, f"tenant-{n}"], stdout=subprocess.PIPE, check=True, text=True
            )
            figures[name] = json.loads(told.stdout.splitlines()[-1])
    return figures


def _ask(tenant: str) -> dict[str, Any]:
    import get_incident_metrics  # the process imports the function only for this call

    window = {"from": str(metric_year.FIRST), "to": str(metric_year.LAST), "group_by": "category"}
    began = time.perf_counter()
    with units.of_calls() as used:
        answer = get_incident_metrics.handler(metrics_event(claims(tenant), **window), Context)
    assert answer["statusCode"] == 200
    return {
        "read": used.units.read, "bytes": len(answer["body"]), "seconds": time.perf_counter() - began,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "approximate": json.loads(answer["body"])["approximate"],
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_ask(sys.argv[1])))

"""Tests that the artifact of `incidents build` is smaller than the artifact of `sam build`, compiled and complete."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from incidents_cli.local import artifact

from tests.benchmarks import packages
from tests.support import templates
from tests.support.checkout import Checkout
from tests.support.events import ISSUER, claims, http_event

READS = (
    "get_incident", "list_incidents", "list_incident_changes", "list_incident_findings", "list_incident_updates",
    "get_incident_metrics", "get_incident_deadlines", "list_deadlines", "delete_incident",
)  # fmt: skip
"""The functions whose starts are measured with their first request."""
READ = (375, 300, 6_200)
STARTS = (
    dict.fromkeys((*READS, "compute_metrics", "schedule_metrics", "seal_history", "follow_incidents"), READ)
    | dict.fromkeys(("create_incident", "update_incident"), (460, 400, 8_100))
    | {
        "get_incident_deadlines": (392, 315, 6_400), "announce_deadlines": (420, 345, 6_700),
        "publish_incident_events": (390, 315, 6_300), "ingest_finding": (494, 430, 8_500),
        "get_console": (95, 34, 950), "get_documentation": (95, 36, 2_800),
    }
)  # fmt: skip
"""The most modules, the most opened files, and the most kilobytes in these files, of the start of each function."""
REQUEST = http_event(
    path={"incident_id": "inc_01M83J8EHSBKC38ZQ0R08TEPS6"}, content_type=None, caller=claims(),
)  # fmt: skip
CONTEXT = """
class Context:
    aws_request_id = "x"
"""
ALONE = """
import importlib._bootstrap_external as loading, socket, sys

def refuse(*_, **__):
    raise AssertionError("a module was compiled")

def fail(*_, **__):
    raise OSError("no network")

loading.SourceLoader.source_to_code = refuse
socket.getaddrinfo = socket.socket.connect = fail
sys.path[:0] = [sys.argv[1]]
opened = []
sys.addaudithook(lambda event, details: event == "open" and opened.append(details[0]))
"""


@pytest.fixture(scope="module")
def shared(stack: Checkout) -> Path:
    """Return the artifact that all functions in functions/ share."""
    (found,) = (one for one in artifact.artifacts(stack.home / "build") if (one / "incidents").is_dir())
    return found


@pytest.fixture(scope="module")
def documentation(stack: Checkout) -> Path:
    return having(stack, "get_documentation.py")


@pytest.fixture(scope="module")
def console(stack: Checkout) -> Path:
    return having(stack, "get_console.py")


def having(stack: Checkout, name: str) -> Path:
    """Return the artifact that has a file."""
    (found,) = (one for one in artifact.artifacts(stack.home / "build") if (one / name).exists())
    return found


def run(folder: Path, code: str) -> str:
    """Run code that can use only the artifact, and return the code's output.

    The code has no other package, no compilation, no network and almost no environment variables. Like on Lambda, an
    import makes the clients.
    """
    environment = {
        "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "TABLE_NAME": "x",
        "CURSOR_KEY": "x", "METRICS_QUEUE_URL": "x", "DEAD_LETTERS_URL": "x", "EVENT_BUS_NAME": "x",
        "JWT_ISSUER": ISSUER, "TOKEN_CLAIMS": "tenant_id app_id  scope,scp",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE + code, folder], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_at_most_nine_megabytes_zipped(shared: Path) -> None:
    size = packages.of(shared)
    assert size["zipped"] <= 9_000_000
    assert size["unzipped"] <= 24_000_000


@pytest.mark.parametrize("module", STARTS)
def test_a_start_compiles_nothing_and_loads_few_modules_from_few_files(stack: Checkout, module: str) -> None:
    request = f"print({module}.handler({REQUEST!r}, Context)['statusCode'])" if module in READS else "print(503)"
    code = f"""
import {module}
assert callable({module}.handler)
{request}
import json, os
sizes = [os.path.getsize(path) for path in {{one for one in opened if isinstance(one, str)}} if os.path.isfile(path)]
print(json.dumps([len(sys.modules), len(opened), sum(sizes) // 1000, sorted(sys.modules)]))
"""
    status, measured = run(having(stack, f"{module}.py"), CONTEXT + code).splitlines()[-2:]
    *counts, modules = json.loads(measured)
    assert status == "503"  # the handler tried to reach the network, which is blocked here
    assert all(0.8 * most < count <= most for count, most in zip(counts, STARTS[module], strict=True)), counts
    unwanted = {"boto3", "botocore.docs.service"}
    if module not in ("create_incident", "update_incident", "ingest_finding"):
        unwanted |= {"pydantic", "pydantic_core", "ulid", "importlib.metadata"}
    assert not unwanted & set(modules)


def test_the_start_of_each_function_is_measured() -> None:
    assert set(STARTS) == {path.stem for path in (templates.CHECKOUT / "functions").glob("*.py")} | {
        "get_console", "get_documentation",
    }  # fmt: skip


def test_the_console_s_texts_are_in_its_artifact(console: Path) -> None:
    code = "import get_console; print(*sorted(get_console.TEXTS))"
    assert run(console, code).split()[:1] == ["config"]
    assert not [one for one in console.rglob("*") if one.is_symlink()]


def test_the_artifact_can_make_every_call_that_a_role_grants(shared: Path) -> None:
    granted: dict[str, set[str]] = {}
    for resource in templates.service()["Resources"].values():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    for action in statement["Action"]:
                        service, _, operation = action.partition(":")
                        granted.setdefault(service, set()).add(operation)
    called = artifact.services_called()
    assert called == {"dynamodb", "events", "kms", "s3", "sqs"}
    granted["s3"] = granted["s3"] - {"GetObjectVersion", "ListBucketVersions"} | {"GetObject", "ListObjectVersions"}
    assert called <= set(granted)
    code = f"""
import json
from incidents.runtime import sdk

clients = {{name: sdk.make_client(name).meta for name in {sorted(called)!r}}}
print(json.dumps({{name: [[*one.service_model.operation_names], one.endpoint_url] for name, one in clients.items()}}))
"""
    known = json.loads(run(shared, code))
    # Lambda's event source mappings use these actions to read the stream for the functions. The actions belong to
    # another service, dynamodbstreams. A check of a condition is a part of TransactWriteItems.
    no_operations = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams", "ConditionCheckItem"}
    for service in called:
        operations, endpoint = known[service]
        assert granted[service] - set(operations) <= no_operations
        assert endpoint == f"https://{service}.eu-central-1.amazonaws.com"
    assert {"TransactWriteItems", "Query", "GetItem"} <= set(known["dynamodb"][0])
    assert {"SendMessage", "SendMessageBatch"} <= set(known["sqs"][0])
    assert "PutEvents" in known["events"][0]


def test_the_client_for_s3_puts_the_name_of_the_bucket_into_the_url(shared: Path) -> None:
    """Without the rules for endpoints, the client would send all requests to the list of all buckets."""
    code = """
from incidents.runtime import sdk

print(sdk.make_client("s3").generate_presigned_url("get_object", Params={"Bucket": "manifests", "Key": "acme/1"}))
"""
    assert run(shared, code).startswith("https://manifests.s3.amazonaws.com/acme/1?")


def test_the_artifact_has_no_unused_service_data(shared: Path, documentation: Path) -> None:
    services = {path.name for path in (shared / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == artifact.services_called()
    assert [path.parents[1].name for path in (shared / "botocore" / "data").rglob("endpoint-rule-set-*")] == ["s3"]
    assert not (shared / artifact.VIEWER).exists()
    assert (documentation / artifact.VIEWER / "swagger-ui-bundle.min.js").exists()


def test_the_build_does_not_change_the_packages_that_uv_linked(shared: Path) -> None:
    """uv links files from its cache. A write into such a file would change every other environment of this machine."""
    import botocore

    installed = Path(botocore.__file__).parent / "data"
    assert (installed / "endpoints.json").stat().st_size > 1_000_000
    assert len([path for path in installed.iterdir() if path.is_dir()]) > 300
    assert (shared / "botocore" / "data" / "endpoints.json").stat().st_size < 100_000

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
from tests.support.events import claims, http_event

MODULES = sorted(path.stem for path in (templates.CHECKOUT / "functions").glob("*.py"))
LIGHT = {
    "get_incident": 402, "list_incidents": 402, "list_incident_changes": 402, "list_incident_findings": 402,
    "list_incident_updates": 402, "get_incident_metrics": 402, "delete_incident": 402, "get_incident_deadlines": 420,
    "list_deadlines": 402,
}  # fmt: skip
"""The most modules that a read or deletion loads. With the modules of the bootstrap, the limit is 18 more."""
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
    raise AssertionError("a module was compiled, or the network asked")

loading.SourceLoader.source_to_code = refuse
socket.getaddrinfo = socket.socket.connect = refuse
sys.path[:0] = [sys.argv[1]]
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

    The code has no other package, no compilation, no network and almost no environment variables.
    """
    environment = {
        "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "TABLE_NAME": "x",
        "PYTHONDONTWRITEBYTECODE": "1",
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


@pytest.mark.parametrize(("module", "most"), LIGHT.items())
def test_a_read_or_deletion_opens_few_files_and_loads_few_modules(shared: Path, module: str, most: int) -> None:
    """The counts of files and modules include the first request. Another test checks that nothing is compiled."""
    code = f"""
opened = 0

def note(event, _):
    global opened
    opened += event == "open"

sys.addaudithook(note)
import os
import {module}
os.environ["CURSOR_KEY"] = "x"
answer = {module}.handler({REQUEST!r}, Context)
loaded = sorted({{name.partition(".")[0] for name in sys.modules}} & {{"pydantic", "pydantic_core", "boto3", "ulid"}})
print(answer["statusCode"], opened, len(sys.modules), loaded)
"""
    status, opened, modules, loaded = run(shared, CONTEXT + code).splitlines()[-1].split(maxsplit=3)
    assert status == "503"  # the handler tried to reach the network, which is blocked here
    assert 100 < int(opened) <= 600
    assert 100 < int(modules) <= most
    assert loaded == "[]"


@pytest.mark.parametrize("module", MODULES)
def test_every_handler_imports_from_the_artifact_alone_without_compilation(shared: Path, module: str) -> None:
    assert run(shared, f"import {module}; print(callable({module}.handler))") == "True\n"


def test_the_documentation_imports_from_its_artifact_alone_without_compilation(documentation: Path) -> None:
    run(documentation, "import get_documentation")


def test_the_console_imports_from_its_artifact_alone_without_compilation(console: Path) -> None:
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
    # another service, dynamodbstreams.
    of_streams = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}
    for service in called:
        operations, endpoint = known[service]
        assert granted[service] - set(operations) <= of_streams
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

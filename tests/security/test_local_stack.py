"""Attacks on the local stack by pages in a browser and by other users of the machine. All use the real emulator.

Most attacks try to create a function, because a function runs as the developer. Without the guard, any page can create
a function with a header that names the key ``test``. Any page can also delete the complete stack with a simple POST.
"""

import base64
import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.browser import browse
from tests.support.checkout import PATH, Checkout

FUNCTIONS = "/2015-03-31/functions"
TRIED = Counter[str]()
"""The numbers of attacks that the tests of this module have made, by attacker."""
SCRIPT = """
const attacks = ATTACKS;
const tell = (told) => { document.body.textContent = "told: " + JSON.stringify(told); };
Promise.all(attacks.map(([url, options]) =>
  fetch(url, options).then(async (answer) => `${answer.status} ${answer.type} ${(await answer.text()).slice(0, 200)}`)
    .catch((error) => `blocked ${error}`)
)).then(tell);
"""


@pytest.fixture
def count(promise: Callable[[str, str], None]) -> Callable[[str, int], None]:
    """Return a function that counts attacks that failed."""

    def add(attacker: str, attacks: int) -> None:
        TRIED[attacker] += attacks
        each = "; ".join(f"{who}: {number}" for who, number in TRIED.items())
        promise(
            "Only a holder of the local stack's key reaches its control plane",
            f"{TRIED.total()} attacks were tried ({each}): 0 got through",
        )

    return add


@pytest.fixture
def role(stack: Checkout, aws: Callable[[str], Any]) -> str:
    """Return a role of the stack, because a new function needs a role."""
    name = stack.status["functions"]["create_incident"]
    found: str = aws("lambda").get_function_configuration(FunctionName=name)["Role"]
    return found


def function(name: str, role: str) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): return 'ran'")
    return json.dumps({
        "FunctionName": name, "Runtime": "python3.11", "Handler": "f.handler", "Role": role,
        "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()},
    })  # fmt: skip


def signed(key: str) -> dict[str, str]:
    scope = f"Credential={key}/20261127/us-east-1/lambda/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}


@pytest.fixture
def only_ours(stack: Checkout, aws: Callable[[str], Any]) -> Iterator[None]:
    """Check after the test that the stack has only the functions of the template."""
    yield
    pages = aws("lambda").get_paginator("list_functions").paginate()
    names = {each["FunctionName"] for page in pages for each in page["Functions"]}
    assert names == set(stack.status["functions"].values())


@pytest.mark.usefixtures("only_ours")
@pytest.mark.parametrize("key", ["", "test", "000000000000", "123456789012", "AKIAIOSFODNN7EXAMPLE"])
def test_another_user_of_the_machine_does_not_reach_the_control_plane(
    stack: Checkout, http: httpx2.Client, role: str, key: str, count: Callable[[str, int], None]
) -> None:
    url, body = stack.status["endpoint_url"], function("intruder", role)

    answers = [
        http.post(url + FUNCTIONS, content=body, headers=signed(key)),
        http.post(f"{url}{FUNCTIONS}?X-Amz-Credential={key}/20261127/us-east-1/lambda/aws4_request", content=body),
        http.post(f"{url}{FUNCTIONS}?AWSAccessKeyId={key}", content=body),
        http.post(url + FUNCTIONS, content=body),
        http.post(url, data={"Action": "ListQueues"}, headers=signed(key)),
        http.get(f"{url}/token-issuer/issuer", headers=signed(key)),
        http.put(f"{url}/intruder", headers=signed(key)),
        http.post(f"{url}/_ministack/reset"),
        http.get(f"{url}/_ministack/lambda-code/{stack.status['functions']['create_incident']}"),
    ]

    assert [answer.status_code for answer in answers] == [403] * len(answers)
    count("another user of the machine", len(answers))


@pytest.mark.parametrize("service", ["lambda", "dynamodb", "s3", "sqs", "sts", "iam", "events", "cloudformation"])
def test_an_sdk_with_another_key_gets_an_error_that_says_what_to_do(
    stack: Checkout, aws: Callable[[str], Any], service: str
) -> None:
    calls = {
        "lambda": "list_functions", "dynamodb": "list_tables", "s3": "list_buckets", "sqs": "list_queues",
        "sts": "get_caller_identity", "iam": "list_users", "events": "list_rules", "cloudformation": "list_stacks",
    }  # fmt: skip
    url, region = stack.status["endpoint_url"], stack.status["region"]
    others: Any = boto3.Session("test", "test", region_name=region)
    client = others.client(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))

    with pytest.raises(ClientError) as error:
        getattr(client, calls[service])()

    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "its own access key" in str(error.value)
    assert getattr(aws(service), calls[service])()


def test_the_key_of_a_function_cannot_be_computed_from_its_name(stack: Checkout, aws: Callable[[str], Any]) -> None:
    """The emulator derives the id of a function's key from the ARNs of the function and of its role."""
    stack.caller(stack.token("acme")).get()  # this call starts a worker of the function, which gets a key
    found = aws("lambda").get_function_configuration(FunctionName=stack.status["functions"]["list_incidents"])
    digest = hashlib.sha256(f"{found['FunctionArn']}:{found['Role']}".encode()).hexdigest()
    computed: Any = boto3.Session(f"ASIA{digest[:16].upper()}", "x", region_name="us-east-1")

    with pytest.raises(ClientError, match="its own access key"):
        computed.client("sts", endpoint_url=stack.status["endpoint_url"]).get_caller_identity()


def test_what_needs_no_key_stays_readable(stack: Checkout, http: httpx2.Client) -> None:
    url, issuer = stack.status["endpoint_url"], stack.status["issuer"]

    assert http.get(f"{url}/_ministack/health").is_success
    assert http.get(f"{issuer}/.well-known/openid-configuration").json()["issuer"] == issuer
    assert http.get(f"{issuer}/keys.json").json()["keys"][0]["kid"]
    assert (
        http.get(f"{issuer}/.well-known/openid-configuration?Action=ListUsers", headers=signed("x")).status_code == 403
    )


def test_a_host_that_was_bound_to_loopback_reaches_nothing(
    stack: Checkout, http: httpx2.Client, tmp_path: Path, count: Callable[[str, int], None]
) -> None:
    url, path = stack.status["endpoint_url"], f"{PATH}/docs"
    for host in (f"evil.example:{stack.port}", "evil.example", f"0b81a880.execute-api.localhost:{stack.port}"):
        for where in ("/_ministack/health", FUNCTIONS, "/", f"/_aws/execute-api/{stack.status['api_url'][-8:]}{path}"):
            answer = http.get(url + where, headers={"host": host} | signed(stack.status["access_key_id"]))
            assert (answer.status_code, "only to the hosts" in answer.text) == (403, True)
            count("another host name", 1)

    page, _ = browse(
        f"http://evil.example:{stack.port}/_ministack/health",
        tmp_path,
        "--host-resolver-rules=MAP evil.example 127.0.0.1",
    )
    assert "only to the hosts" in page


def attacks(url: str, name: str, role: str) -> list[tuple[str, dict[str, Any]]]:
    """Return requests that a page can send, with and without the browser's question for permission (preflight)."""
    credential = "X-Amz-Credential=test/20261127/us-east-1/lambda/aws4_request"
    body = function(name, role)
    return [
        (f"{url}{FUNCTIONS}?{credential}", {"method": "POST", "mode": "no-cors", "body": body}),
        (f"{url}{FUNCTIONS}", {"method": "POST", "mode": "no-cors", "body": body}),
        (f"{url}{FUNCTIONS}?{credential}", {"method": "POST", "body": body}),
        (f"{url}{FUNCTIONS}", {"method": "POST", "body": body, "headers": signed("test")}),
        (f"{url}{FUNCTIONS}", {"method": "POST", "body": body, "headers": {"content-type": "application/json"}}),
        (f"{url}{FUNCTIONS}", {"credentials": "include"}),
        (f"{url}/_ministack/lambda-code/x", {}),
        (f"{url}/_ministack/reset", {"method": "POST", "mode": "no-cors"}),
        (f"{url}/{name}", {"method": "PUT"}),
        (f"{url}/", {"method": "POST", "mode": "no-cors", "body": "Action=ListQueues"}),
    ]


@contextmanager
def site(script: str) -> Iterator[int]:
    """Serve a page with a script, and yield the port."""

    class Attacker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")  # the emulator reads this spelling
            self.end_headers()
            self.wfile.write(f"<!doctype html><body>nothing<script>{script}</script></body>".encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Attacker) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def told(page: str) -> list[str]:
    match = re.search(r"told: (\[.*\])", page)
    assert match, page
    answers: list[str] = json.loads(match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return answers


@pytest.mark.usefixtures("only_ours")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_origin_reaches_only_the_api(
    stack: Checkout, role: str, tmp_path: Path, host: str, count: Callable[[str, int], None]
) -> None:
    url = stack.status["endpoint_url"]
    tried = attacks(url, "foreign-page", role)
    read: list[tuple[str, dict[str, Any]]] = [
        (f"{url}/_ministack/health", {}),
        (f"{stack.status['issuer']}/keys.json", {}),
    ]

    with site(SCRIPT.replace("ATTACKS", json.dumps([*tried, *read]))) as port:
        page, _ = browse(f"http://{host}:{port}/", tmp_path)

    answers = told(page)
    assert len(answers) == len(tried) + len(read)
    # A page cannot read the answer to a request of the mode no-cors. The fixture ``only_ours`` shows that the guard
    # refused the request.
    assert [answer for answer in answers if not answer.startswith(("blocked", "0 opaque "))] == []
    count("a web page of another origin", len(answers))


@pytest.mark.usefixtures("only_ours")
def test_a_page_of_the_stack_s_own_origin_does_not_have_the_key(
    stack: Checkout, aws: Callable[[str], Any], role: str, tmp_path: Path, count: Callable[[str, int], None]
) -> None:
    """An API of the stack serves the page, without a Content-Security-Policy, like documentation with planted code."""
    url, gateway = stack.status["endpoint_url"], aws("apigatewayv2")
    tried = attacks(url, "own-page", role)

    with site(SCRIPT.replace("ATTACKS", json.dumps(tried))) as port:
        api = {"ApiId": gateway.create_api(Name="planted", ProtocolType="HTTP")["ApiId"]}
        gateway.create_stage(**api, StageName="$default", AutoDeploy=True)
        target = gateway.create_integration(
            **api, IntegrationType="HTTP_PROXY", IntegrationMethod="GET", PayloadFormatVersion="1.0",
            IntegrationUri=f"http://127.0.0.1:{port}/",
        )  # fmt: skip
        gateway.create_route(**api, RouteKey="GET /docs", Target=f"integrations/{target['IntegrationId']}")
        try:
            page, _ = browse(f"{url}/_aws/execute-api/{api['ApiId']}/docs", tmp_path)
        finally:
            gateway.delete_api(**api)

    answers = told(page)
    # The script can read each answer, because the page and the emulator have the same origin.
    assert [answer.split()[0] for answer in answers] == ["403"] * len(tried)
    count("a web page of the stack's own origin", len(answers))


def test_the_api_answers_a_page_of_another_origin(stack: Checkout, tmp_path: Path) -> None:
    """Shows that the tests with pages would notice a success, because a page does reach the routes of the API."""
    with site(
        SCRIPT.replace("ATTACKS", json.dumps([(f"{stack.status['api_url']}{PATH}", {"mode": "no-cors"})]))
    ) as port:
        page, _ = browse(f"http://localhost:{port}/", tmp_path)

    assert told(page) == ["0 opaque "]
    assert stack.caller(None).get(headers={"origin": "https://a.example"}).status_code == 401

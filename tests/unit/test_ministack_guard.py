"""Tests of the guard in front of the emulator: the requests that it passes on, and its own answers."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from incidents_cli.local import listener, ministack_guard
from incidents_cli.local.ministack_guard import LOAD, Guard, ending_workers, load_sign_in, refusing_odd_tokens
from incidents_cli.local.sign_in import AUTHORIZE, OPEN, TOKEN, ticket
from incidents_cli.local.waiting_calls import Calls

from tests.support.waiting import until

KEY = "0123456789abcdef0123456789abcdef"
SESSION = "ASIA0123456789ABCDEF"
HOST = "127.0.0.1:4566"
API = "/_aws/execute-api/0b81a880/api/v1/grc/incidents"
REFRESH = "AWSCognitoIdentityProviderService.GetTokensFromRefreshToken"
JSON = {"content-type": "application/x-amz-json-1.1"}
SIGN_IN = load_sign_in(f"http://{HOST}", KEY, Path("no such folder"))
PROVE = partial(listener.answer, KEY)


def signed(key: str, scheme: str = "AWS4-HMAC-SHA256") -> str:
    return f"{scheme} Credential={key}/20261127/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0"


class Functions:
    """The emulator's count of calls that run, with a limit."""

    def __init__(self, limit: int) -> None:
        self.limit, self.running, self.highest = limit, 0, 0
        self._lock = threading.Lock()

    def _acquire_execution_slot(self, function: object, config: object) -> tuple[str | None, str | None]:
        with self._lock:
            if self.running >= self.limit:
                return None, "account"
            self.running += 1
            self.highest = max(self.highest, self.running)
            return "slot", None

    def _release_execution_slot(self, slot: object) -> None:
        with self._lock:
            self.running -= 1

    def executions_in_flight(self) -> tuple[int, dict[str, int]]:
        return self.running, {}


def sent(
    method: str = "POST", path: str = "/", query: str = "", headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    host: str | None = HOST,
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:  # fmt: skip
    """Send a request to the guard. Return the request that the emulator gets, or None, and the guard's own answer."""
    passed, answered = list[dict[str, Any]](), list[dict[str, Any]]()

    async def emulator(scope: dict[str, Any], receive: object, send: object) -> None:
        passed.append(scope)

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    pairs = list(headers.items()) if isinstance(headers, Mapping) else headers
    pairs = [*([("host", host)] if host is not None else []), *pairs]
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
    }  # fmt: skip
    guard = Guard(emulator, KEY, 4566, {SESSION}, Calls(Functions(4), 4, lambda: None), SIGN_IN, PROVE)
    asyncio.run(guard(scope, body_in([b""]), send))
    assert len(passed) <= 1
    return (passed[0] if passed else None), answered


def body_in(parts: list[bytes], *, ends: bool = True) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return an ASGI receiver that gives a body in parts.

    After the last part, it waits forever, even if the body is not complete.
    """
    left = list(parts)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or not ends}

    return receive


def refused(*arguments: Any, **options: Any) -> str:
    passed, (start, body) = sent(*arguments, **options)
    assert passed is None
    assert start["status"] == 403
    assert (b"connection", b"close") in start["headers"], "the body was not read, so the connection must end"
    assert not [name for name, _ in start["headers"] if name.startswith(b"access-control")]
    text: str = body["body"].decode()
    return text


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": {"authorization": signed(KEY)}},
        {"headers": {"authorization": signed(SESSION)}},
        {"headers": {"Authorization": signed(KEY, "AWS4-ECDSA-P256-SHA256")}},
        {"method": "GET", "path": "/bucket/key", "query": f"X-Amz-Credential={KEY}%2F20261127%2Fus-east-1%2Fs3"},
        {"headers": {"authorization": signed(KEY), "origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}},
        {"host": "localhost:4566", "headers": {"authorization": signed(KEY)}},
    ],
)
def test_requests_with_a_key_of_the_stack_are_passed_on_unchanged(request_: dict[str, Any]) -> None:
    passed, answered = sent(**request_)

    assert answered == []
    assert passed is not None
    assert len(passed["headers"]) == len(request_.get("headers", {})) + 1
    assert passed["query_string"].decode() == request_.get("query", "")


@pytest.mark.parametrize(
    "key", ["", "test", "000000000000", "123456789012", KEY[:-1], KEY.upper(), f" {KEY}", "ASIA0000000000000000", "é"]
)
def test_other_keys_are_refused_in_each_place(key: str) -> None:
    assert "only its own access key" in refused(headers={"authorization": signed(key)})
    assert "only its own access key" in refused(query=f"X-Amz-Credential={key}/x")
    assert "only its own access key" in refused(query=f"x-amz-credential={key}/x&X-Amz-Credential={KEY}/x")
    assert "only its own access key" in refused(query=f"AWSAccessKeyId={key}")
    assert "only its own access key" in refused(headers={"authorization": f"AWS {key}:signature"})
    assert "only its own access key" in refused(path=API, headers={"authorization": signed(key)})
    assert "only its own access key" in refused(path=API, query=f"X-Amz-Credential={key}/x")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer x"},
        {"authorization": "AWS4-HMAC-SHA256 x"},
        {"x-amz-target": "AWSLambda.CreateFunction"},
        [("authorization", signed(KEY)), ("authorization", signed("test"))],
        [("authorization", signed("test")), ("authorization", signed(KEY))],
    ],
)
def test_requests_without_exactly_one_key_are_refused(headers: Any) -> None:
    assert "only its own access key" in refused(headers=headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/functions"),
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("POST", "/_ministack/health"),
        ("GET", "/_ministack/lambda-code/f"),
        ("GET", "/_ministack/ready"),
        ("GET", "/_ministack/sqs/messages"),
        ("PUT", "/_ministack/cfn-response/x"),
        ("GET", LOAD),
        ("OPTIONS", "/2015-03-31/functions"),
        ("PUT", "/token-issuer/keys.json"),
        ("GET", "/token-issuer"),
        ("GET", "/token-issuer/other.json"),
        ("GET", "/another-bucket/.well-known/openid-configuration"),
        ("PUT", "/login"),
        ("PUT", "/oauth2/token"),
        ("GET", "/oauth2/authorize/x"),
        ("GET", "/_aws/execute-api/"),
        ("POST", "/_aws/execute-api/0b81a880"),
        ("POST", "/_aws/execute-api/../2015-03-31/functions"),
        ("POST", "/restapis/0b81a880/prod/_user_request_/x"),
        ("POST", f"/x{API}"),
    ],
)
def test_everything_but_the_open_paths_needs_the_key(method: str, path: str) -> None:
    assert "only its own access key" in refused(method, path)


@pytest.mark.parametrize(
    "path",
    [
        "/_ministack/health", "/token-issuer/.well-known/openid-configuration", "/token-issuer/keys.json",
        "/us-east-1_Ab12Cd34E/.well-known/jwks.json",
    ],
)  # fmt: skip
def test_public_documents_are_read_without_anything_that_could_name_another_operation(path: str) -> None:
    passed, _ = sent("GET", path, "Action=ListUsers", {"x-amz-target": "AWSLambda.Invoke", "authorization": "Bearer x"})

    assert passed is not None
    assert (passed["path"], passed["query_string"], passed["headers"]) == (path, b"", [(b"host", HOST.encode())])


def test_a_refresh_of_tokens_keeps_only_its_own_headers() -> None:
    passed, _ = sent(headers=JSON | {"x-amz-target": REFRESH, "authorization": "Bearer x", "x-other": "x"})

    assert passed is not None
    assert [name for name, _ in passed["headers"]] == [b"host", b"content-type", b"x-amz-target"]
    assert refused(headers=[("x-amz-target", REFRESH), ("x-amz-target", "AWSLambda.Invoke")])
    assert refused(headers={"x-amz-target": "AWSCognitoIdentityProviderService.AdminCreateUser"})


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "http://localhost:4566"},
    {"origin": f"https://{HOST}"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("page", FOREIGN)
@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", "/_ministack/health"), ("POST", "/login")])
def test_pages_of_other_origins_reach_only_the_api(page: dict[str, str], method: str, path: str) -> None:
    assert "other sites" in refused(method, path, headers=page | {"authorization": signed(KEY)})
    assert "other sites" in refused(method, path, headers=page)
    passed, _ = sent(method, API, headers=page | {"authorization": "Bearer x"})
    assert passed is not None


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:4566", "127.0.0.1", "127.0.0.1:4567", f"x.{HOST}", f"{HOST}.x"]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", API), ("GET", "/_ministack/health")])
def test_other_hosts_reach_nothing(host: str | None, method: str, path: str) -> None:
    assert "only to the hosts" in refused(method, path, host=host, headers={"authorization": signed(KEY)})
    assert "only to the hosts" in refused(method, path, headers=[("host", "evil.example")])


def test_refusals_are_in_the_form_that_sdks_read() -> None:
    assert json.loads(refused(headers=JSON))["__type"] == "AccessDeniedException"
    assert refused().startswith("<ErrorResponse><Error><Code>AccessDenied</Code>")


def test_web_sockets_are_closed_and_the_life_of_the_emulator_goes_on() -> None:
    seen = list[Any]()

    async def emulator(scope: dict[str, Any], receive: object, send: object) -> None:
        seen.append(scope["type"])

    async def send(message: dict[str, Any]) -> None:
        seen.append(message["type"])

    guard = Guard(emulator, KEY, 4566, {SESSION}, Calls(Functions(4), 4, lambda: None), SIGN_IN, PROVE)
    for kind in ("websocket", "lifespan"):
        asyncio.run(guard({"type": kind, "path": API, "headers": []}, None, send))

    assert seen == ["websocket.close", "lifespan"]


def test_calls_above_the_limit_wait_and_the_guard_counts_them() -> None:
    functions, finish = Functions(3), threading.Event()
    calls = Calls(functions, 3, lambda: None)

    def call(_: int) -> str | None:
        slot, _reason = calls.acquire({}, {})
        assert finish.wait(10)
        calls.release(slot)
        return slot

    with ThreadPoolExecutor(20) as callers:
        done = [callers.submit(call, n) for n in range(20)]
        until(lambda: calls.load() == {"running": 3, "waiting": 17, "limit": 3}, every=0.01)
        finish.set()
        assert [one.result(10) for one in done] == ["slot"] * 20

    assert functions.highest == 3
    assert calls.load() == {"running": 0, "waiting": 0, "limit": 3}


def test_requests_to_an_api_wait_before_the_emulator_sees_them() -> None:
    async def burst() -> tuple[list[int], dict[str, int]]:
        inside, seen, finish = 0, list[int](), asyncio.Event()

        async def emulator(scope: object, receive: object, send: object) -> None:
            nonlocal inside
            inside += 1
            seen.append(inside)
            await finish.wait()
            inside -= 1

        calls = Calls(Functions(3), 3, lambda: None)
        guard = Guard(emulator, KEY, 4566, {SESSION}, calls, SIGN_IN, PROVE)
        scope = {"type": "http", "method": "GET", "query_string": b"", "headers": [(b"host", HOST.encode())]}
        requests = [asyncio.create_task(guard(scope | {"path": API}, body_in([b""]), None)) for _ in range(20)]
        while calls.load()["waiting"] < 17:
            await asyncio.sleep(0)
        load = calls.load()
        key = [(b"host", HOST.encode()), (b"authorization", signed(KEY).encode())]
        other = asyncio.create_task(guard(scope | {"path": "/", "headers": key}, None, None))
        # Three requests to APIs are in the emulator, and one request of a function, which does not wait.
        while len(seen) < 4:
            await asyncio.sleep(0)
        finish.set()
        await asyncio.gather(*requests, other)
        return seen, load | {"left": calls.load()["waiting"]}

    seen, load = asyncio.run(burst())
    assert (len(seen), max(seen)) == (21, 4)
    assert load == {"running": 0, "waiting": 17, "limit": 3, "left": 0}


def test_an_answer_does_not_wait_until_idle_workers_are_stopped() -> None:
    reaps, finish = [], threading.Event()

    def reap() -> None:
        reaps.append(1)
        assert finish.wait(10)
        raise OSError("the folder of a worker cannot be removed")  # does not end the later reaps

    calls = Calls(Functions(3), 3, reap, lambda: True)
    for _ in range(5):
        calls.release(calls.acquire({}, {})[0])  # returns although the first reap has not ended
    until(lambda: reaps == [1], every=0.01)
    finish.set()

    def reaped_again() -> bool:
        calls.release(calls.acquire({}, {})[0])
        return len(reaps) > 1

    until(reaped_again, every=0.01)


@pytest.mark.parametrize("error", [AttributeError(), OverflowError(), KeyError(), TypeError(), ValueError()])
def test_a_token_that_the_emulator_cannot_read_is_refused(error: Exception) -> None:
    async def authorize(*route: str) -> tuple[dict[str, str], list[str], None]:
        if route == ("odd",):
            raise error
        return {"sub": "ada"}, [], None

    checked = refusing_odd_tokens(authorize, lambda: (401, {}, b"Unauthorized"))
    assert asyncio.run(checked("good")) == ({"sub": "ada"}, [], None)
    assert asyncio.run(checked("odd")) == (None, None, (401, {}, b"Unauthorized"))


def test_a_call_on_the_event_loop_does_not_wait() -> None:
    calls = Calls(Functions(0), 0, lambda: None)

    async def call() -> tuple[str | None, str | None]:
        return calls.acquire({}, {})

    assert asyncio.run(call()) == (None, "account")


POSTED = {"type": "http", "method": "POST", "path": API, "query_string": b"", "headers": [(b"host", HOST.encode())]}


async def echo(scope: object, receive: Any, send: Any) -> None:
    """Answer as an emulator that repeats the body of a request."""
    message = await receive()
    assert message["more_body"] is False
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def posted(*requests: tuple[list[bytes], bool]) -> list[tuple[int, bytes]]:
    """Send requests to an API at the same time, with a limit of one call. Return the statuses and the bodies.

    Each request is a pair: the parts of its body, and whether the body is complete after these parts.
    """

    async def one(guard: Guard, parts: list[bytes], ends: bool) -> tuple[int, bytes]:
        answered = list[dict[str, Any]]()

        async def send(message: dict[str, Any]) -> None:
            answered.append(message)

        await guard(POSTED, body_in(parts, ends=ends), send)
        return answered[0]["status"], answered[1]["body"]

    async def all_at_once() -> list[tuple[int, bytes]]:
        guard = Guard(echo, KEY, 4566, (), Calls(Functions(1), 1, lambda: None), SIGN_IN, PROVE)
        return await asyncio.gather(*(one(guard, *request) for request in requests))

    return asyncio.run(all_at_once())


def test_a_request_whose_body_never_ends_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ministack_guard, "_BODY_SECONDS", 0.2)

    *unfinished, complete = posted(([b"a"], False), ([b""], False), ([b"one ", b"two"], True))

    assert [status for status, _ in unfinished] == [408, 408]
    assert complete == (200, b"one two")


def test_an_answer_that_nobody_reads_delays_no_other() -> None:
    async def two_readers() -> list[int]:
        guard = Guard(echo, KEY, 4566, (), Calls(Functions(1), 1, lambda: None), SIGN_IN, PROVE)
        statuses = list[int]()

        async def unread(message: object) -> None:
            await asyncio.Event().wait()

        async def read(message: dict[str, Any]) -> None:
            statuses.append(message.get("status", 0))

        slow = asyncio.create_task(guard(POSTED, body_in([b""]), unread))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(guard(POSTED, body_in([b""]), read), 5)
        slow.cancel()
        return statuses

    assert asyncio.run(two_readers())[0] == 200


def of_client(*messages: dict[str, Any]) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return an ASGI receiver that gives these messages, and then waits forever."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


COMPLETE: dict[str, Any] = {"type": "http.request", "body": b"complete", "more_body": False}
GONE: dict[str, Any] = {"type": "http.disconnect"}


@pytest.mark.parametrize("path", [API, "/login"])
@pytest.mark.parametrize("arrived", [0, 1, 2])
def test_a_request_that_was_cut_is_not_passed_on(path: str, arrived: int) -> None:
    """A part of a body can be a complete JSON text, so the emulator would take it for a request."""
    seen = list[Any]()

    async def emulator(scope: object, receive: object, send: object) -> None:
        seen.append(scope)

    async def send(message: object) -> None:
        seen.append(message)

    part = {"type": "http.request", "body": b'{"title": "half a request"}', "more_body": True}
    guard = Guard(emulator, KEY, 4566, (), Calls(Functions(1), 1, lambda: None), SIGN_IN, PROVE)
    asyncio.run(guard(POSTED | {"path": path}, of_client(*[part] * arrived, GONE), send))

    assert seen == []


def test_a_waiting_request_whose_client_is_gone_is_dropped() -> None:
    async def burst() -> list[bytes]:
        seen, go_on = list[bytes](), asyncio.Event()

        async def emulator(scope: object, receive: Any, send: object) -> None:
            seen.append((await receive())["body"])
            await go_on.wait()

        calls = Calls(Functions(1), 1, lambda: None)
        guard = Guard(emulator, KEY, 4566, (), calls, SIGN_IN, PROVE)
        clients = [
            of_client(COMPLETE | {"body": b"first"}), of_client(COMPLETE, GONE), of_client(COMPLETE, GONE),
            of_client(COMPLETE | {"body": b"last"}),
        ]  # fmt: skip
        requests = [asyncio.create_task(guard(POSTED, client, None)) for client in clients]
        while calls.load()["waiting"] < 3:
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*requests)
        return seen

    assert asyncio.run(burst()) == [b"first", b"last"]


def test_an_emulator_learns_that_the_client_of_a_running_request_is_gone() -> None:
    seen, begun = list[str](), asyncio.Event()

    async def emulator(scope: object, receive: Any, send: object) -> None:
        seen.append((await receive())["type"])
        begun.set()
        seen.append((await receive())["type"])

    messages = iter([COMPLETE])

    async def receive() -> dict[str, Any]:
        if (complete := next(messages, None)) is not None:
            return complete
        await begun.wait()
        return GONE

    guard = Guard(emulator, KEY, 4566, (), Calls(Functions(1), 1, lambda: None), SIGN_IN, PROVE)
    asyncio.run(asyncio.wait_for(guard(POSTED, receive, None), 5))

    assert seen == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("page", ["docs", "openapi.json", "docs/"])
def test_requests_for_the_documentation_delay_no_other(page: str) -> None:
    """These requests need no token. Only one of them runs at a time, and it uses no place of other requests."""

    async def burst() -> tuple[list[str], int]:
        seen = list[str]()

        async def emulator(scope: dict[str, Any], receive: object, send: object) -> None:
            seen.append(scope["path"])
            if scope["path"] != API:
                await asyncio.Event().wait()

        calls = Calls(Functions(2), 2, lambda: None)
        guard = Guard(emulator, KEY, 4566, (), calls, SIGN_IN, PROVE)
        of_page = POSTED | {"method": "GET", "path": f"/_aws/execute-api/0b81a880/$default/x/incidents/{page}"}
        flood = [asyncio.create_task(guard(of_page, body_in([b""]), None)) for _ in range(50)]
        while calls.load()["waiting"] < 48:
            await asyncio.sleep(0)
        await asyncio.wait_for(guard(POSTED, body_in([b""]), None), 5)
        waiting = calls.load()["waiting"]
        for request in flood:
            request.cancel()
        return seen, waiting

    seen, waiting = asyncio.run(burst())
    assert len(seen) == 2
    assert seen[-1] == API
    assert waiting == 49


@pytest.mark.parametrize(
    "outside", [{"path": "/login"}, {"path": "/oauth2/token"}, {"path": "/", "headers": [("x-amz-target", REFRESH)]}]
)
def test_a_body_outside_the_api_is_small_without_a_key(outside: dict[str, Any]) -> None:
    """The emulator parses such a body on its event loop, so a large one would stop all other requests."""

    def status(size: int, path: str, headers: Sequence[tuple[str, str]] = ()) -> int:
        answered = list[dict[str, Any]]()

        async def send(message: dict[str, Any]) -> None:
            answered.append(message)

        pairs = [(b"host", HOST.encode()), *((name.encode(), value.encode()) for name, value in headers)]
        guard = Guard(echo, KEY, 4566, (), Calls(Functions(1), 1, lambda: None), SIGN_IN, PROVE)
        asyncio.run(guard(POSTED | {"path": path, "headers": pairs}, body_in([b"x" * size]), send))
        return int(answered[0]["status"])

    assert [status(size, **outside) for size in (65_536, 65_537)] == [200, 413]
    assert status(65_537, API) == 200
    assert status(65_537, "/", [("authorization", signed(KEY))]) == 200


def test_a_body_without_a_key_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ministack_guard, "_API_BYTES", 5)

    assert [status for status, _ in posted(([b"12345"], True), ([b"1234", b"56"], True))] == [200, 413]


def test_the_guard_answers_the_sign_in_itself() -> None:
    for method, path in (("POST", TOKEN), ("POST", "/token-issuer/token")):
        passed, (start, body) = sent(method, path, headers={"origin": f"http://{HOST}"})
        assert passed is None
        assert start["status"] == 400
        assert json.loads(body["body"])["error"] == "invalid_client"
    assert sent("GET", OPEN + "x")[1][0]["status"] == 403


@pytest.mark.parametrize(("method", "path"), [("GET", AUTHORIZE), ("POST", AUTHORIZE), ("POST", TOKEN), ("GET", OPEN)])
@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_other_sites_reach_nothing_of_the_sign_in(method: str, path: str, headers: dict[str, str]) -> None:
    assert "other sites" in refused(method, path, headers=headers)
    assert "hosts" in refused(method, path, host="evil.example:4566")


def test_a_large_form_of_the_sign_in_is_refused() -> None:
    answered = list[dict[str, Any]]()

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    guard = Guard(echo, KEY, 4566, (), Calls(Functions(1), 1, lambda: None), SIGN_IN, PROVE)
    scope = {
        "type": "http",
        "method": "POST",
        "path": TOKEN,
        "query_string": b"",
        "headers": [(b"host", HOST.encode())],
    }
    asyncio.run(guard(scope, body_in([b"a" * 70_000]), send))
    assert answered[0]["status"] == 400


def test_the_sign_in_reads_the_stack_s_record_and_key_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"api_id": "a1b2"}')
    status, _, page = load_sign_in(f"http://{HOST}", KEY, tmp_path).answer(
        "GET", OPEN + ticket(KEY, time.time()), "", ""
    )
    assert status == 200
    assert f'data-then="http://{HOST}/_aws/execute-api/a1b2/api/v1/grc/incidents/console"' in page


def test_the_guard_proves_its_key_to_whoever_asks_with_a_challenge() -> None:
    challenge = "0123456789abcdef" * 2
    passed, answered = sent("GET", listener.PROOF + challenge)

    assert passed is None
    assert answered[0]["status"] == 200
    assert answered[1]["body"].decode() == listener.proof(KEY, challenge)


@pytest.mark.parametrize(
    ("challenge", "given"),
    [
        ("0" * 32, {"host": "rebound.example:4566"}),
        ("0" * 32, {"headers": {"sec-fetch-site": "cross-site"}}),
        ("0" * 32, {"headers": {"origin": "http://127.0.0.1:8000"}}),
        ("0" * 31, {}),
        ("0" * 33, {}),
        ("", {}),
    ],
)
def test_the_guard_proves_its_key_to_no_page_and_only_for_a_challenge(challenge: str, given: dict[str, Any]) -> None:
    passed, answered = sent("GET", listener.PROOF + challenge, **given)

    assert passed is None
    assert answered[0]["status"] == 403


def test_the_workers_end_when_the_server_has_stopped_and_not_after_a_request() -> None:
    class Process:
        killed = 0

        def kill(self) -> None:
            self.killed += 1

    async def stopping(scope: dict[str, Any], _receive: object, _send: object) -> None:
        order.append((scope["type"], process.killed))

    process, order = Process(), list[tuple[str, int]]()
    workers = {"get": [SimpleNamespace(_proc=process), SimpleNamespace(_proc=None)], "list": []}
    ending = ending_workers(stopping, SimpleNamespace(_workers=workers))

    async def run(kind: str) -> None:
        await ending({"type": kind}, None, None)

    asyncio.run(run("http"))
    assert process.killed == 0

    asyncio.run(run("lifespan"))

    assert process.killed == 1
    assert order == [("http", 0), ("lifespan", 0)]

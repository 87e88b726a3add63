"""Run the emulator behind a guard. Nobody reaches the emulator's control plane without the stack's access key.

Without the guard, the emulator gives every access key the rights of the account's root, does not check signatures in
headers, and lets pages of every origin read its answers. The emulator runs functions as processes of the developer. So
anybody who reaches the control plane could run code as the developer.

The emulator's own interpreter runs this file as a script. So at its top, the file imports only the standard library.
When it starts, it also imports the emulator and those of its neighbours that run in the emulator's process. The
variable AWS_ACCESS_KEY_ID holds the stack's key. GATEWAY_PORT is the port. LAMBDA_ACCOUNT_CONCURRENCY is the number of
calls of functions that run at the same time.
"""

import asyncio
import hmac
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Container, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]

LOAD = "/_incidents/load"
"""The path at which the guard itself answers how many calls run, wait and may run. A request needs the stack's key."""

_API = re.compile(r"/_aws/execute-api/[A-Za-z0-9]+/")
_DOCUMENTATION = ("/docs", "/openapi.json")
_DOCUMENT = re.compile(
    r"/_ministack/health|/(?:token-issuer|[a-z0-9-]+_[A-Za-z0-9]+)/\.well-known/[a-z.-]+|/token-issuer/keys\.json"
)
_SIGN_IN = {("GET", "/oauth2/authorize"), ("POST", "/login"), ("POST", "/oauth2/token")}
_REFRESH = b"AWSCognitoIdentityProviderService.GetTokensFromRefreshToken"
_OF_A_DOCUMENT = (b"host", b"accept")
_OF_A_REFRESH = (b"host", b"accept", b"content-type", b"content-length", b"x-amz-target")
_SCHEMES = ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
_IN_THE_QUERY = frozenset({"x-amz-credential", "awsaccesskeyid"})

_NEEDS_THE_KEY = "The local stack answers only its own access key. `incidents status` prints the key."
_FOREIGN_SITE = "The local stack answers other sites only at the routes of the API."
_FOREIGN_HOST = "The local stack answers only to the hosts 127.0.0.1 and localhost, with its port."
# Limits without a key. API Gateway limits a body to 10 MB, too. The emulator parses the form of a sign-in on its event
# loop, which takes seconds for millions of bytes.
_API_BYTES, _SIGN_IN_BYTES, _BODY_SECONDS = 10 * 2**20, 64 * 2**10, 30


class Guard:
    """An ASGI application in front of the emulator's application.

    It answers the requests of the sign-in itself, and proves that it knows the key: ``prove`` returns the proof for a
    path, or None. It passes three kinds of requests on. All others get a 403:

    - Requests with the stack's key or a key in ``sessions``. These are the keys that the emulator gave to functions.
    - Requests to routes of an API, also from pages of other sites. The API's authorizer checks these requests.
    - Requests for health, for the public documents of the token issuers, and for the sign-in of a user pool. AWS
      answers such requests without a key, too. The guard removes every part of a request that could make the emulator
      treat the request as another request.
    """

    def __init__(
        self, application: Application, key: str, port: int, sessions: Container[str], calls: Any, sign_in: Any,
        prove: Callable[[str], str | None],
    ) -> None:  # fmt: skip
        self._application, self._key, self._sessions, self._calls = application, key.encode(), sessions, calls
        self._sign_in, self._prove = sign_in, prove
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        match scope["type"]:
            case "lifespan":
                await self._application(scope, receive, send)
            case "http":
                passed = self._checked(scope)
                if isinstance(passed, str):
                    # The server closes the connection, because the body was not read. Without this header, a client may
                    # send its next request into the closed connection. HTTP/2 has no header for this.
                    closing = [(b"connection", b"close")] if scope.get("http_version") in ("1.0", "1.1") else []
                    await _answer(send, 403, *_refusal(passed, _header(scope, b"content-type")), closing)
                elif scope["path"] == LOAD:
                    await _answer(send, 200, "application/json", json.dumps(self._calls.load()))
                elif (proof := self._prove(scope["path"])) is not None:
                    await _answer(send, 200, "text/plain", proof)
                elif _credentials(scope):
                    await self._application(passed, receive, send)
                elif self._sign_in.answers(scope["method"], scope["path"]):
                    await self._answer_sign_in(scope, receive, send)
                else:
                    await self._pass_complete(passed, receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1008})  # no API of the stack has web sockets

    async def _answer_sign_in(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            body = await asyncio.wait_for(_read(receive, _SIGN_IN_BYTES), _BODY_SECONDS)
        except _Gone:
            return
        except (TimeoutError, _TooLarge):
            await _answer(send, 400, "text/plain", "The form is too large, or took too long.")
            return
        status, headers, text = self._sign_in.answer(
            scope["method"], scope["path"], scope.get("query_string", b"").decode("latin-1"),
            body.decode("utf-8", "replace"),
        )  # fmt: skip
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        content = text.encode()
        sent.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": content})

    async def _pass_complete(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass on a request without a key when its body is complete. Send an API's answer when the answer is complete.

        So neither a slow sender nor a slow reader occupies one of the calls that may run. If a client closes the
        connection before its body is complete, or while its request waits, the guard drops the request.
        """
        path = scope["path"]
        is_for_api = bool(_API.match(path))
        try:
            body = await asyncio.wait_for(_read(receive, _API_BYTES if is_for_api else _SIGN_IN_BYTES), _BODY_SECONDS)
        except _Gone:
            return
        except TimeoutError:
            await _answer(send, 408, "application/json", '{"message": "Request Timeout"}')
        except _TooLarge:
            await _answer(send, 413, "application/json", '{"message": "Request Entity Too Large"}')
        else:
            following = asyncio.ensure_future(receive())
            try:
                if is_for_api:
                    answer: list[dict[str, Any]] = []
                    async with self._calls.admitted(documentation=path.rstrip("/").endswith(_DOCUMENTATION)):
                        if following.done():  # after a complete body, only the end of the connection can follow
                            return
                        await self._application(scope, _replay(body, following), _keep_in(answer))
                    for message in answer:
                        await send(message)
                else:
                    await self._application(scope, _replay(body, following), send)
            finally:
                following.cancel()

    def _checked(self, scope: Scope) -> Scope | str:
        """Return the request to pass on, or the reason to refuse the request."""
        method, path, host = scope["method"], scope["path"], _header(scope, b"host")
        if host not in self._hosts:
            return _FOREIGN_HOST
        credentials = _credentials(scope)
        if _API.match(path) and not credentials:
            return scope
        if _is_cross_site(scope, f"http://{host}"):
            return _FOREIGN_SITE
        if len(credentials) == 1 and self._is_known(credentials[0]):
            return scope
        if credentials:
            return _NEEDS_THE_KEY
        if self._sign_in.answers(method, path) or self._prove(path) is not None:
            return scope
        if method in ("GET", "HEAD") and _DOCUMENT.fullmatch(path):
            return _only(scope, _OF_A_DOCUMENT) | {"query_string": b""}
        if (method, path) in _SIGN_IN:
            return scope
        if method == "POST" and path == "/" and _header(scope, b"x-amz-target") == _REFRESH.decode():
            return _only(scope, _OF_A_REFRESH) | {"query_string": b""}
        return _NEEDS_THE_KEY

    def _is_known(self, key: str) -> bool:
        return hmac.compare_digest(key.encode(), self._key) or (key.startswith("ASIA") and key in self._sessions)


class _TooLarge(Exception):
    """The body of a request without a key exceeds the limit."""


class _Gone(Exception):
    """The client of a request is gone, and the body is not complete."""


async def _read(receive: Any, limit: int) -> bytes:
    """Return the complete body of a request. Raises _TooLarge for more than ``limit`` bytes, and _Gone."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise _TooLarge
    return bytes(body)


def _replay(body: bytes, following: "asyncio.Future[dict[str, Any]]") -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return an ASGI receiver that first gives the body that was already read, and then the message that follows."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> dict[str, Any]:
        return messages.pop() if messages else await asyncio.shield(following)

    return replayed


def _keep_in(answer: list[dict[str, Any]]) -> Callable[[dict[str, Any]], Awaitable[None]]:
    """Return an ASGI sender that appends the messages of an answer to a list."""

    async def keep(message: dict[str, Any]) -> None:
        answer.append(message)

    return keep


def _credentials(scope: Scope) -> list[str]:
    """Return the ids of the access keys that a request names, first from its headers and then from its query string.

    An authorization of AWS without a readable id counts as an empty id.
    """
    keys = []
    for value in _headers(scope, b"authorization"):
        if value.startswith("AWS"):
            keys.append(_credential(value))
    query = scope.get("query_string", b"").decode("latin-1")
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() in _IN_THE_QUERY:
            keys.append(value.partition("/")[0])
    return keys


def _credential(authorization: str) -> str:
    """Return the id of the access key in an authorization of AWS, or "" unless it names exactly one key."""
    scheme, _, parameters = authorization.partition(" ")
    named = [part for part in parameters.replace(",", " ").split(" ") if part.startswith("Credential=")]
    if scheme not in _SCHEMES or len(named) != 1:
        return ""
    key, slash, _ = named[0].removeprefix("Credential=").partition("/")
    return key if slash else ""


def _is_cross_site(scope: Scope, own: str) -> bool:
    """Return whether a browser sent the request for a page of another origin."""
    sites, origins = _headers(scope, b"sec-fetch-site"), _headers(scope, b"origin")
    return any(site not in ("same-origin", "none") for site in sites) or any(origin != own for origin in origins)


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == name]


def _header(scope: Scope, name: bytes) -> str:
    """Return the value of a header. If the request does not have the header exactly once, return an empty text."""
    values = _headers(scope, name)
    return values[0] if len(values) == 1 else ""


def _only(scope: Scope, names: tuple[bytes, ...]) -> Scope:
    return scope | {"headers": [(name, value) for name, value in scope["headers"] if name.lower() in names]}


def _refusal(reason: str, content_type: str) -> tuple[str, str]:
    """Return the content type and the body of a refusal.

    The SDKs of AWS read errors in JSON if they sent JSON, and otherwise in XML.
    """
    if "json" in content_type:
        return "application/x-amz-json-1.1", json.dumps({"__type": "AccessDeniedException", "message": reason})
    error = f"<Error><Code>AccessDenied</Code><Message>{reason}</Message></Error>"
    return "text/xml", f"<ErrorResponse>{error}</ErrorResponse>"


async def _answer(
    send: Any, status: int, content_type: str, body: str, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:  # fmt: skip
    content = body.encode()
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(content)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def load_sign_in(origin: str, key: str, folder: Path) -> Any:
    """Return the sign-in of a stack in a folder."""
    module = _neighbour("sign_in")

    def record() -> Any:
        return json.loads((folder / "stack.json").read_text())

    return module.SignIn(origin, key, record, module.load_signer(folder / "issuer-key.pem"))


def refusing_odd_tokens(authorize: Callable[..., Awaitable[Any]], unauthorized: Callable[[], Any]) -> Any:
    """Return an authorizer that refuses a token, as AWS does, if the emulator's authorizer cannot read the token.

    The emulator answers 500 instead, for example if the header is not an object, or if ``exp`` is not a number.
    """

    async def authorize_or_refuse(*arguments: Any) -> Any:
        try:
            return await authorize(*arguments)
        except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError):
            return None, None, unauthorized()

    return authorize_or_refuse


def ending_workers(application: Application, runtime: Any) -> Application:
    """Return an ASGI application that ends the workers of functions when the server has stopped and saved its state.

    Otherwise, the process would wait for calls whose requests nobody answers any more. ``runtime`` is the emulator's
    module that has the workers. Its own function also removes their code, one after the other, which takes long.
    """

    async def answer(scope: Scope, receive: Any, send: Any) -> None:
        await application(scope, receive, send)
        if scope["type"] == "lifespan":
            for worker in [worker for workers in list(runtime._workers.values()) for worker in workers]:
                if worker._proc is not None:
                    worker._proc.kill()

    return answer


def _neighbour(name: str) -> Any:
    """Import a module of this file's package. The emulator's interpreter does not know the package's folder."""
    folder = str(Path(__file__).parents[2])
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module(f"incidents_cli.local.{name}")


def main() -> None:
    """Run the emulator until a signal ends it."""
    # The emulator derives its reader of templates from this class. The class in C saves about 2 s of CPU time per
    # deployment.
    yaml: Any = import_module("yaml")
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    emulator: Any = import_module("ministack.app")
    functions: Any = import_module("ministack.services.lambda_svc")
    runtime: Any = import_module("ministack.core.lambda_runtime")
    sessions: Any = import_module("ministack.services.sts")
    gateway: Any = import_module("ministack.services.apigateway")
    key, port = os.environ["AWS_ACCESS_KEY_ID"], int(os.environ["GATEWAY_PORT"])
    limit = int(os.environ["LAMBDA_ACCOUNT_CONCURRENCY"])

    def is_crowded() -> bool:
        """Return whether there are more workers than one for each function, plus twice the calls that may run."""
        workers = [len(of_function) for of_function in list(runtime._workers.values())]
        return sum(workers) > len(workers) + 2 * limit

    calls = _neighbour("waiting_calls").Calls(functions, limit, lambda: runtime.reap_idle_workers(0), is_crowded)
    functions._acquire_execution_slot, functions._release_execution_slot = calls.acquire, calls.release

    gateway._validate_jwt_authorizer = refusing_odd_tokens(gateway._validate_jwt_authorizer, gateway._jwt_unauthorized)

    credentials = runtime.execution_credentials

    def secret_credentials(config: dict[str, Any]) -> dict[str, str]:
        """Return a function's credentials, with a key id that nobody can compute.

        The emulator itself would derive the id from names that are not secret.
        """
        given: dict[str, str] = credentials(config)
        session = sessions._sessions.pop(given["AWS_ACCESS_KEY_ID"])
        secret = hmac.new(key.encode(), given["AWS_ACCESS_KEY_ID"].encode(), "sha256").hexdigest()
        given["AWS_ACCESS_KEY_ID"] = f"ASIA{secret[:16].upper()}"
        sessions.register_session(given["AWS_ACCESS_KEY_ID"], session)
        return given

    functions.execution_credentials = runtime.execution_credentials = secret_credentials
    queues: Any = import_module("ministack.services.sqs")
    queues._queue_url_for_account = _neighbour("queue_urls").keeping_urls(queues)
    sign_in = load_sign_in(f"http://127.0.0.1:{port}", key, Path.cwd())
    persistence: Any = import_module("ministack.core.persistence")
    dynamodb: Any = import_module("ministack.services.dynamodb")
    records = _neighbour("stream_records")
    records.restore(dynamodb, persistence)
    services = records.with_records(emulator._build_persistence_save_dict, dynamodb, functions)
    emulator._build_persistence_save_dict = services  # a clean stop saves them, too
    application = _neighbour("state_files").answering_saves(emulator.app, services, persistence)
    prove = partial(_neighbour("listener").answer, key)
    guard = Guard(application, key, port, sessions._sessions, calls, sign_in, prove)
    emulator.app = ending_workers(guard, runtime)
    server: Any = import_module("hypercorn.config")
    _neighbour("kept_port").keep_ports(server.Config)
    emulator.main()


if __name__ == "__main__":
    main()

"""Runs the handlers as an httpx2 transport. Each request becomes the event that the gateway would make from it."""

import importlib
import json
import re
import threading
from typing import Any

import httpx2
from incidents_cli.documents import openapi

from tests.support.events import Context, http_event

ROUTES = [
    (method.upper(), re.compile(path.replace("{incident_id}", "(?P<incident_id>[^/]+)")), operation["operationId"])
    for path, operations in json.loads(openapi.FILE.read_text())["paths"].items()
    for method, operation in operations.items()
    if operation["security"]
]
# As in the gateway, a literal path takes precedence over a path with a variable.
ROUTES.sort(key=lambda route: "(" in route[1].pattern)


class Gateway(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """A transport that gives every caller the same claims, whatever the token is.

    ``requests`` lists all received requests.
    """

    def __init__(self, caller: dict[str, str] | None = None) -> None:
        self.requests: list[httpx2.Request] = []
        self.answers_instead: httpx2.Response | None = None
        self._caller = caller
        self._lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if self.answers_instead:
            return self.answers_instead
        for method, pattern, operation in ROUTES:
            if request.method == method and (match := pattern.fullmatch(request.url.path)):
                return self._answer(operation, match.groupdict(), request)
        return httpx2.Response(404, json={"message": "Not Found"})

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return self.handle_request(request)

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: str, caller: dict[str, str]
    ) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body for a request of a caller. ``path`` begins after ``.../incidents``.

        The requests of several threads run one after the other, because moto is not made for threads.
        """
        url = f"https://api.example/api/v1/grc/incidents{path}"
        request = httpx2.Request(method, url, headers=headers, content=body.encode() or None)
        with self._lock:
            self._caller = caller
            answer = self.handle_request(request)
        sent = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return answer.status_code, sent, answer.text

    def create(self, **fields: Any) -> str:
        """Create an incident without a client, and return the answer's body."""
        request = httpx2.Request("POST", "https://api.example", json=fields)
        return self._answer("create_incident", {}, request).text

    def _answer(self, operation: str, path: dict[str, str], request: httpx2.Request) -> httpx2.Response:
        event = http_event(
            body=request.content.decode() or None,
            content_type=request.headers.get("content-type"),
            path=path or None,
            query=request.url.query.decode(),
            caller=self._caller,
            headers={name: value for name, value in request.headers.items() if name != "content-type"},
        )
        answer: dict[str, Any] = importlib.import_module(operation).handler(event, Context)
        return httpx2.Response(answer["statusCode"], headers=answer["headers"], text=answer["body"])

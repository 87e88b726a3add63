"""A fast path for requests and answers through botocore, built on botocore's own events.

botocore still retries and raises errors, and ``runtime/endpoint.py`` signs and sends. The fast path skips two expensive
steps of botocore: serializing the request and parsing the answer. The steps are not needed, because this service
already uses DynamoDB's JSON for requests and answers.

The timeline shows one call from left to right. The steps are above the line, and botocore's events are below the line:

    guard checks   _keep_json       botocore         _send_json       the endpoint     _read_json       botocore
    the params     params -> JSON   serializes {}    JSON -> body     signs, sends     body -> answer   parses "{}"
    ─────●───────────────●──────────────────────────────●─────────────────────────────────●───────────────────────▶
    before-parameter-build                          before-call                       before-parse

The guard must run first, because ``_keep_json`` empties the parameters. ``guard.watch`` and ``shorten`` both
register their handler as the last handler. So ``guard.watch`` must be called before ``shorten``. botocore itself parses
an answer with a status of 300 or above, and raises an error.

The cost was measured in instructions of a warm call (``tests.benchmarks``, Python 3.11). Without ``_read_json``, a get
costs 1.37 times as much, and a list of 50 costs 3.8 times as much. Without ``_keep_json``, a create costs 1.10 times as
much. If botocore also validates the parameters, a create costs 1.39 times as much.
"""

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from zlib import crc32

from ..domain.errors import Busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BODY = "incidents_body"
_TO_JSON = json.JSONEncoder(default=lambda binary: b64encode(binary).decode()).encode


def shorten(client: "DynamoDBClient") -> None:
    """Send a client's requests on the fast path. Call this function after ``guard.watch``."""
    events = client.meta.events
    events.register_last("before-parameter-build.dynamodb", _keep_json)
    events.register("before-call.dynamodb", _send_json)
    events.register("before-parse.dynamodb", _read_json)


def ping(client: "DynamoDBClient", table_name: str, key: Any) -> None:
    """Open the connection for the first request. Raises Busy even on success, because a ping's answer is not JSON.

    botocore has no ping. So this function starts a GetItem and turns the request into ``GET /ping``. A ping needs no
    permission and reads nothing. No item is read with ``key``, but the guard must allow ``key``.
    """
    events = client.meta.events
    events.register("before-call.dynamodb.GetItem", _ping_instead)
    try:
        client.get_item(TableName=table_name, Key=key)
    finally:
        events.unregister("before-call.dynamodb.GetItem", _ping_instead)


def _keep_json(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Keep a request as JSON, and empty the parameters, so that botocore has nothing to serialize."""
    context[_BODY] = _TO_JSON(params).encode()
    tables = params.get("RequestItems", ())
    params.clear()
    if tables:  # botocore looks for the names of the tables, to choose the endpoint
        params["RequestItems"] = {name: {} for name in tables}


def _send_json(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context.pop(_BODY, params["body"])


def _read_json(response_dict: Any, customized_response_dict: dict[str, Any], **_: object) -> None:
    """Give the caller the answer's JSON, without botocore's parser. Raises Busy if the answer is corrupt."""
    if response_dict["status_code"] >= 300:
        return
    body: bytes = response_dict["body"]
    checksum = response_dict["headers"].get("x-amz-crc32")
    try:
        answer = json.loads(body) if checksum is None or int(checksum) == crc32(body) else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Busy
    customized_response_dict.update(answer)
    response_dict["body"] = b"{}"


def _ping_instead(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    del context[_BODY]
    params |= {"method": "GET", "url": urljoin(params["url"], "/ping"), "headers": {}, "body": b""}

"""The second wall between tenants: nothing reaches DynamoDB but what belongs to the one who is being served.

The repository builds every key from its caller's identity. Should it ever fail to, because of a mistake in a key, an
index or an expression, this refuses the request before it is sent. Whose turn it is comes from the edge, not from the
repository, and what is not understood is refused: another operation, an expression of another form, no one's turn.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from . import keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Parameters = Mapping[str, Any]

KEY_ATTRIBUTES = frozenset({"pk", *keys.INDEX_ATTRIBUTES})

_EQUATION = re.compile(r"(#?\w+) = (:\w+)")
_NAME = re.compile(r"[:#]?\w+")


class Breach(Exception):
    """A request for keys that are not those of the one being served. A defect of ours, never a caller's mistake."""


def _nobody(partition: str) -> bool:
    return False


_owns: ContextVar[Callable[[str], bool]] = ContextVar("owns", default=_nobody)


@contextmanager
def serving_tenant(tenant_id: str) -> Iterator[None]:
    """Let through, inside, what belongs to one tenant."""
    token = _owns.set(lambda partition: keys.belongs_to_tenant(tenant_id, partition))
    try:
        yield
    finally:
        _owns.reset(token)


@contextmanager
def serving_system() -> Iterator[None]:
    """Let through, inside, what belongs to no tenant: the account map and the marked days."""
    token = _owns.set(keys.belongs_to_system)
    try:
        yield
    finally:
        _owns.reset(token)


def watch(client: "DynamoDBClient") -> None:
    """Look at every request of a client, last of all, before it is serialized."""
    client.meta.events.register_last("before-parameter-build.dynamodb", _check)


def _check(params: Parameters, model: Any, **_: object) -> None:
    owns = _owns.get()
    for partition in _partitions(model.name, params):
        if not owns(partition):
            raise Breach(f"{model.name} named a partition of somebody else")


def _partitions(operation: str, params: Parameters) -> list[str]:
    """Return every partition key, of the table or of an index, that a request reads or writes."""
    match operation:
        case "GetItem" | "DeleteItem":
            return _of_item(params["Key"])
        case "PutItem":
            return _of_item(params["Item"])
        case "UpdateItem":
            return _of_item(params["Key"]) + _of_expression(params, "UpdateExpression")
        case "Query":
            start = params.get("ExclusiveStartKey")
            return _of_expression(params, "KeyConditionExpression") + (_of_item(start) if start else [])
        case "TransactWriteItems":
            members = [member for write in params["TransactItems"] for member in write.items()]
            return [partition for kind, write in members for partition in _partitions(f"{kind}Item", write)]
    raise Breach(f"{operation} is not for us: it names no partition, or nothing here uses it")


def _of_item(item: Parameters) -> list[str]:
    if "pk" not in item:
        raise Breach("an item without a partition key")
    return [item[name]["S"] for name in KEY_ATTRIBUTES.intersection(item)]


def _of_expression(params: Parameters, kind: str) -> list[str]:
    """Return what an expression gives or compares key attributes to. What it removes, it gives to nobody."""
    names, values = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
    expression = params.get(kind, "").partition(" REMOVE ")[0]
    named = [name for name in _NAME.findall(expression) if names.get(name, name) in KEY_ATTRIBUTES]
    given = [(name, values[value]["S"]) for name, value in _EQUATION.findall(expression) if name in named]
    if len(given) != len(named) or (kind == "KeyConditionExpression" and len(given) != 1):
        raise Breach(f"{kind} uses a partition key in a way that cannot be checked")
    return [value for _, value in given]

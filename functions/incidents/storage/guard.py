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

# What a request may be made of. Whatever else DynamoDB takes (older forms of conditions and updates among it) could
# name a partition in a way that is not looked at here.
_EXPRESSED = {"ExpressionAttributeNames", "ExpressionAttributeValues"}
_PUT = {"TableName", "Item", "ConditionExpression", *_EXPRESSED}
_UPDATE = {"TableName", "Key", "UpdateExpression", "ConditionExpression", *_EXPRESSED}
_PARAMETERS = {
    "GetItem": {"TableName", "Key", "ConsistentRead"},
    "PutItem": _PUT | {"ReturnValues"},
    "UpdateItem": _UPDATE | {"ReturnValues"},
    "DeleteItem": {"TableName", "Key", "ConditionExpression", *_EXPRESSED},
    "Query": {
        "TableName", "IndexName", "KeyConditionExpression", "FilterExpression", "ExclusiveStartKey", "Limit",
        "ScanIndexForward", "ConsistentRead", "ReturnConsumedCapacity", *_EXPRESSED,
    },
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
    "Put": _PUT,
    "Update": _UPDATE,
}  # fmt: skip

_NAME = r"#?\w+"
_EQUATION = rf"({_NAME}) = (:\w+)"
# The forms of expressions that can be read here without a doubt.
_ASSIGNMENT = rf"{_NAME} = (?::\w+|if_not_exists\({_NAME}, :\w+\))"
_ADDITION = rf"{_NAME} :\w+"
_UPDATES = re.compile(
    rf"(?=.)(?:SET (?P<set>{_ASSIGNMENT}(?:, {_ASSIGNMENT})*))?"
    rf"(?: ?REMOVE {_NAME}(?:, {_NAME})*)?"
    rf"(?: ?ADD (?P<add>{_ADDITION}(?:, {_ADDITION})*))?"
)
_KEY_CONDITION = re.compile(rf"{_EQUATION}( AND ({_NAME}) (BETWEEN :\w+ AND|>|<|=|>=|<=) :\w+)?")


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
    client.meta.events.register_last("before-parameter-build.dynamodb", _refuse_others)


def _refuse_others(params: Parameters, model: Any, **_: object) -> None:
    owns = _owns.get()
    for partition in _partitions(model.name, params):
        if not owns(partition):
            raise Breach(f"{model.name} named a partition of somebody else")


def _partitions(operation: str, params: Parameters) -> list[str]:
    """Return every partition key, of the table or of an index, that a request reads or writes."""
    unknown = set(params) - _PARAMETERS.get(operation, set())
    if operation not in _PARAMETERS or unknown:
        raise Breach(f"{operation} is not for us, or not with {', '.join(sorted(unknown))}")
    match operation:
        case "PutItem" | "Put":
            return _of_item(params["Item"])
        case "UpdateItem" | "Update":
            return _of_item(params["Key"]) + _of_update(params)
        case "Query":
            start = params.get("ExclusiveStartKey")
            return _of_key_condition(params) + (_of_item(start) if start else [])
        case "TransactWriteItems":
            members = [member for write in params["TransactItems"] for member in write.items()]
            return [partition for kind, write in members for partition in _partitions(kind, write)]
    return _of_item(params["Key"])


def _of_item(item: Parameters) -> list[str]:
    if "pk" not in item:
        raise Breach("an item without a partition key")
    return [item[name]["S"] for name in KEY_ATTRIBUTES.intersection(item)]


def _of_update(params: Parameters) -> list[str]:
    """Return what an update sets key attributes to. What it removes, it gives to nobody."""
    expression = _UPDATES.fullmatch(params.get("UpdateExpression", ""))
    if expression is None:
        raise Breach("an update that cannot be read")
    names, values = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
    assigned = re.findall(rf"({_NAME}) = (?:(:\w+)|if_not_exists)", expression["set"] or "")
    added = [(name, "") for name in re.findall(rf"({_NAME}) :", expression["add"] or "")]
    given = [(name, value) for name, value in assigned + added if names.get(name, name) in KEY_ATTRIBUTES]
    if not all(value for _, value in given):
        raise Breach("an update that sets a partition key to what cannot be read")
    return [values[value]["S"] for _, value in given]


def _of_key_condition(params: Parameters) -> list[str]:
    expression = _KEY_CONDITION.fullmatch(params.get("KeyConditionExpression", ""))
    if expression is None:
        raise Breach("a key condition that cannot be read")
    name, value, _, sort_name, _ = expression.groups()
    names = params.get("ExpressionAttributeNames", {})
    if names.get(name, name) not in KEY_ATTRIBUTES or names.get(sort_name, sort_name) in KEY_ATTRIBUTES:
        raise Breach("a key condition that does not name one partition first")
    partition: str = params["ExpressionAttributeValues"][value]["S"]
    return [partition]

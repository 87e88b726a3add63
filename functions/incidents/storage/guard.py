"""The second wall between tenants: only requests for the items of the tenant being served reach DynamoDB.

The first wall is the repository, which builds every key from the caller's identity. If a repository ever builds a wrong
key, index or expression, the guard refuses the request before it is sent. The edge, not the repository, tells the guard
which tenant is being served. The guard also refuses an operation that is not listed here, an expression that it cannot
read, and every request outside of ``serving_tenant`` and ``serving_system``.
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

# The parameters that a request may have. DynamoDB accepts more parameters, such as older forms of conditions. Those
# parameters could name a partition that the guard does not check.
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
# The forms of expressions that the guard can read unambiguously.
_ASSIGNMENT = rf"{_NAME} = (?::\w+|if_not_exists\({_NAME}, :\w+\))"
_ADDITION = rf"{_NAME} :\w+"
_UPDATES = re.compile(
    rf"(?=.)(?:SET (?P<set>{_ASSIGNMENT}(?:, {_ASSIGNMENT})*))?"
    rf"(?: ?REMOVE {_NAME}(?:, {_NAME})*)?"
    rf"(?: ?ADD (?P<add>{_ADDITION}(?:, {_ADDITION})*))?"
)
_KEY_CONDITION = re.compile(rf"{_EQUATION}( AND ({_NAME}) (BETWEEN :\w+ AND|>|<|=|>=|<=) :\w+)?")


class Breach(Exception):
    """The guard refused a request to DynamoDB. This is a defect of the service, never a caller's mistake."""


def _nobody(partition: str) -> bool:
    return False


_owns: ContextVar[Callable[[str], bool]] = ContextVar("owns", default=_nobody)


@contextmanager
def serving_tenant(tenant_id: str) -> Iterator[None]:
    """Inside this context, allow only requests for one tenant's items."""
    token = _owns.set(lambda partition: keys.belongs_to_tenant(tenant_id, partition))
    try:
        yield
    finally:
        _owns.reset(token)


@contextmanager
def serving_system() -> Iterator[None]:
    """Inside this context, allow only requests for items that belong to no tenant: the account map and the marks."""
    token = _owns.set(keys.belongs_to_system)
    try:
        yield
    finally:
        _owns.reset(token)


def watch(client: "DynamoDBClient") -> None:
    """Make the guard check every request of a client, as the last step before the request is serialized."""
    client.meta.events.register_last("before-parameter-build.dynamodb", _refuse_others)


def _refuse_others(params: Parameters, model: Any, **_: object) -> None:
    owns = _owns.get()
    for partition in _partitions(model.name, params):
        if not owns(partition):
            raise Breach(f"{model.name} names a partition that the served tenant or system does not own")


def _partitions(operation: str, params: Parameters) -> list[str]:
    """Return every partition key, of the table or of an index, that a request reads or writes."""
    if operation not in _PARAMETERS:
        raise Breach(f"the operation {operation} is not allowed")
    if unknown := set(params) - _PARAMETERS[operation]:
        raise Breach(f"{operation} is not allowed with the parameters {', '.join(sorted(unknown))}")
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
        raise Breach("an item must have a partition key")
    return [item[name]["S"] for name in KEY_ATTRIBUTES.intersection(item)]


def _of_update(params: Parameters) -> list[str]:
    """Return the partition keys that an update sets. A removed key attribute names no partition."""
    expression = _UPDATES.fullmatch(params.get("UpdateExpression", ""))
    if expression is None:
        raise Breach("the update expression cannot be checked")
    names, values = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
    assigned = re.findall(rf"({_NAME}) = (?:(:\w+)|if_not_exists)", expression["set"] or "")
    added = [(name, "") for name in re.findall(rf"({_NAME}) :", expression["add"] or "")]
    given = [(name, value) for name, value in assigned + added if names.get(name, name) in KEY_ATTRIBUTES]
    if not all(value for _, value in given):
        raise Breach("the update sets a partition key to a value that cannot be checked")
    return [values[value]["S"] for _, value in given]


def _of_key_condition(params: Parameters) -> list[str]:
    expression = _KEY_CONDITION.fullmatch(params.get("KeyConditionExpression", ""))
    if expression is None:
        raise Breach("the key condition cannot be checked")
    name, value, _, sort_name, _ = expression.groups()
    names = params.get("ExpressionAttributeNames", {})
    if names.get(name, name) not in KEY_ATTRIBUTES or names.get(sort_name, sort_name) in KEY_ATTRIBUTES:
        raise Breach("the key condition must name exactly one partition, and name it first")
    partition: str = params["ExpressionAttributeValues"][value]["S"]
    return [partition]

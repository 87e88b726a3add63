"""The second wall between tenants: every request must be for the items of the tenant that is being served.

The first wall is the repository, which builds every key from the caller's identity. If a repository ever builds a wrong
key, index or expression, the guard refuses the request before it is sent. The edge, not the repository, tells the guard
which tenant is being served. The guard also refuses an operation that is not listed here, an expression that it cannot
read, and every request outside of ``serving_tenant``, ``serving_deadlines`` and ``serving_system``.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

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
_DELETE = {"TableName", "Key", "ConditionExpression", *_EXPRESSED}
_PARAMETERS = {
    "GetItem": {"TableName", "Key", "ConsistentRead"},
    "BatchGetItem": {"RequestItems"},
    "PutItem": _PUT | {"ReturnValues"},
    "UpdateItem": _UPDATE | {"ReturnValues"},
    "DeleteItem": _DELETE,
    "Query": {
        "TableName", "IndexName", "KeyConditionExpression", "FilterExpression", "ExclusiveStartKey", "Limit",
        "ScanIndexForward", "ConsistentRead", "ReturnConsumedCapacity", *_EXPRESSED,
    },
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
    "Put": _PUT,
    "Update": _UPDATE,
    "Delete": _DELETE,
    "ConditionCheck": {"TableName", "Key", "ConditionExpression", *_EXPRESSED},
    "KeysAndAttributes": {"Keys", "ConsistentRead"},
}  # fmt: skip

_NAME = r"#?\w+"
# The forms of expressions that the guard can read unambiguously.
_ASSIGNMENT = rf"{_NAME} = (?::\w+|{_NAME}|if_not_exists\({_NAME}, :\w+\))"
_ADDITION = rf"{_NAME} :\w+"
_UPDATES = re.compile(
    rf"(?=.)(?:SET (?P<set>{_ASSIGNMENT}(?:, {_ASSIGNMENT})*))?"
    rf"(?: ?REMOVE {_NAME}(?:, {_NAME})*)?"
    rf"(?: ?ADD (?P<add>{_ADDITION}(?:, {_ADDITION})*))?"
)
_RANGE = r"BETWEEN (?P<first>:\w+) AND (?P<last>:\w+)"
_KEY_CONDITION = re.compile(
    rf"(?P<name>{_NAME}) = (?P<partition>:\w+)( AND (?P<sort_name>{_NAME}) (?:{_RANGE}|(?:>|<|=|>=|<=) :\w+))?"
)


class Breach(Exception):
    """The guard refused a request to DynamoDB. This is a defect of the service, never a caller's mistake."""


class _Reach(NamedTuple):
    """The items that a request names: a partition, and the tenant of all its sort keys in this partition.

    ``marks_of`` is "" if the sort keys do not all begin with one tenant. ``alert_of`` is the tenant of the alert whose
    key the request names, or "".
    """

    partition: str
    marks_of: str = ""
    alert_of: str = ""


def _nobody(reach: _Reach) -> bool:
    return False


_owns: ContextVar[Callable[[_Reach], bool]] = ContextVar("owns", default=_nobody)


@contextmanager
def _allowing(owns: Callable[[_Reach], bool]) -> Iterator[None]:
    token = _owns.set(owns)
    try:
        yield
    finally:
        _owns.reset(token)


def serving_tenant(tenant_id: str) -> AbstractContextManager[None]:
    """Inside this context, allow only requests for one tenant's items, and queries for the tenant's own marks."""

    def owns(reach: _Reach) -> bool:
        own_marks = reach.marks_of == tenant_id and keys.has_marks(reach.partition)
        return own_marks or keys.belongs_to_tenant(tenant_id, reach.partition)

    return _allowing(owns)


def serving_deadlines(tenant_id: str) -> AbstractContextManager[None]:
    """Inside this context, allow only requests for one tenant's items, and for single alerts of this tenant."""

    def owns(reach: _Reach) -> bool:
        own_alert = reach.alert_of == tenant_id and keys.has_alerts(reach.partition)
        return own_alert or keys.belongs_to_tenant(tenant_id, reach.partition)

    return _allowing(owns)


@contextmanager
def serving_system() -> Iterator[None]:
    """Inside this context, allow only requests for items that belong to no tenant.

    These items are the account map, the marks and the alerts.
    """
    token = _owns.set(lambda reach: keys.belongs_to_system(reach.partition))
    try:
        yield
    finally:
        _owns.reset(token)


def watch(client: "DynamoDBClient") -> None:
    """Make the guard check every request of a client, as the last step before the request is serialized."""
    client.meta.events.register_last("before-parameter-build.dynamodb", _refuse_others)


def _refuse_others(params: Parameters, model: Any, **_: object) -> None:
    owns = _owns.get()
    for reach in _reaches(model.name, params):
        if not owns(reach):
            raise Breach(f"{model.name} names a partition that this request may not use")


def _reaches(operation: str, params: Parameters) -> list[_Reach]:
    """Return everything that a request reads or writes, by partition keys of the table or of an index."""
    if operation not in _PARAMETERS:
        raise Breach(f"the operation {operation} is not allowed")
    if unknown := set(params) - _PARAMETERS[operation]:
        raise Breach(f"{operation} is not allowed with the parameters {', '.join(sorted(unknown))}")
    match operation:
        case "BatchGetItem":
            wanted = params["RequestItems"].values()
            return [reach for of_table in wanted for reach in _reaches("KeysAndAttributes", of_table)]
        case "KeysAndAttributes":
            return [reach for key in params["Keys"] for reach in _of_item(key)]
        case "PutItem" | "Put":
            return _of_item(params["Item"])
        case "UpdateItem" | "Update":
            return _of_item(params["Key"]) + _of_update(params)
        case "Query":
            start = params.get("ExclusiveStartKey")
            reach = _of_key_condition(params)
            if start is None:
                return [reach]
            return [reach, *(_Reach(of_start.partition, reach.marks_of) for of_start in _of_item(start))]
        case "TransactWriteItems":
            members = [member for write in params["TransactItems"] for member in write.items()]
            return [reach for kind, write in members for reach in _reaches(kind, write)]
    return _of_item(params["Key"])


def _of_item(item: Parameters) -> list[_Reach]:
    if "pk" not in item:
        raise Breach("an item must have a partition key")
    alert = keys.parts_of_alert(item["sk"]["S"]) if "sk" in item else None
    alert_of = alert[1] if alert else ""
    return [_Reach(item[name]["S"], alert_of=alert_of) for name in KEY_ATTRIBUTES.intersection(item)]


def _of_update(params: Parameters) -> list[_Reach]:
    """Return the partition keys that an update sets. A removed key attribute names no partition."""
    expression = _UPDATES.fullmatch(params.get("UpdateExpression", ""))
    if expression is None:
        raise Breach("the update expression cannot be checked")
    names, values = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
    assigned = re.findall(rf"({_NAME}) = (:\w+)?", expression["set"] or "")
    added = [(name, "") for name in re.findall(rf"({_NAME}) :", expression["add"] or "")]
    given = [(name, value) for name, value in assigned + added if names.get(name, name) in KEY_ATTRIBUTES]
    if not all(value for _, value in given):
        raise Breach("the update sets a partition key to a value that cannot be checked")
    return [_Reach(values[value]["S"]) for _, value in given]


def _of_key_condition(params: Parameters) -> _Reach:
    expression = _KEY_CONDITION.fullmatch(params.get("KeyConditionExpression", ""))
    if expression is None:
        raise Breach("the key condition cannot be checked")
    name, partition, sort_name, first, last = expression.group("name", "partition", "sort_name", "first", "last")
    names, values = params.get("ExpressionAttributeNames", {}), params["ExpressionAttributeValues"]
    if names.get(name, name) not in KEY_ATTRIBUTES or names.get(sort_name, sort_name) in KEY_ATTRIBUTES:
        raise Breach("the key condition must name exactly one partition, and name it first")
    if first is None:
        return _Reach(values[partition]["S"])
    # Every text between two texts with the same beginning also has this beginning.
    beginnings = {keys.tenant_of_mark(values[value]["S"]) for value in (first, last)}
    return _Reach(values[partition]["S"], beginnings.pop() if len(beginnings) == 1 else "")

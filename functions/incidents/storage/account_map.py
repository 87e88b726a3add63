"""What belongs to no tenant: the account map, which says whose findings an AWS account's are, and who may escalate
alerts for whom. The guard keeps it from every tenant's items.

Whoever finds a tenant here goes on as that tenant's identity, with a repository of its own.
"""

import re
from typing import TYPE_CHECKING, NamedTuple

from ..domain import model
from . import guard, keys, stored_form
from .dynamodb import refusals_as_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PRODUCER = re.compile(r"[A-Za-z0-9._/-]{1,256}")  # as EventBridge has it


class Link(NamedTuple):
    """What the map says of an AWS account; or, with ``producer``, of a source of events in that account."""

    account_id: str
    producer: str | None
    tenants: tuple[str, ...]


class AccountMap:
    """The account map."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def tenant_of(self, account_id: str) -> str | None:
        """Return the tenant that an AWS account's findings belong to, or None: there is no default."""
        return next(iter(self._tenants(keys.account(account_id))), None)

    def tenants_of(self, account_id: str, producer: str) -> list[str]:
        """Return the tenants that a source of events in an AWS account may escalate alerts for."""
        return self._tenants(keys.producer(account_id, producer))

    def link(self, account_id: str, tenant_id: str) -> None:
        """Give an AWS account to a tenant, whoever had it. Raises ValueError for what cannot be either."""
        _require_ids(account_id, tenant_id)
        item = stored_form.key(keys.account(account_id)) | {"tenants": {"SS": [tenant_id]}}
        with guard.serving_system(), refusals_as_busy():
            self._client.put_item(TableName=self._table, Item=item)

    def allow(self, account_id: str, producer: str, tenant_id: str) -> None:
        """Let a producer escalate alerts for one more tenant. Raises ValueError for what cannot be allowed."""
        _require_ids(account_id, tenant_id)
        if not _PRODUCER.fullmatch(producer) or producer.startswith(("aws.", "grc.incidents")):
            raise ValueError(
                "a producer must be the source of its events: 1 to 256 of A-Z, a-z, 0-9 and ._-/, not aws. or our own"
            )
        with guard.serving_system(), refusals_as_busy():
            self._client.update_item(
                TableName=self._table,
                Key=stored_form.key(keys.producer(account_id, producer)),
                UpdateExpression="ADD tenants :tenant",
                ExpressionAttributeValues={":tenant": {"SS": [tenant_id]}},
            )

    def unlink(self, account_id: str) -> None:
        """Take an AWS account from its tenant; its findings then belong to nobody."""
        self._delete(keys.account(account_id))

    def disallow(self, account_id: str, producer: str) -> None:
        """Let a producer escalate for nobody any more."""
        self._delete(keys.producer(account_id, producer))

    def links(self) -> list[Link]:
        """Return the whole map, by account."""
        items = []
        with guard.serving_system(), refusals_as_busy():
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": keys.account("").pk}},
            ):
                items += page["Items"]
        names = [(item["sk"]["S"].partition("#"), item["tenants"]["SS"]) for item in items]
        return [Link(account, producer or None, tuple(sorted(tenants))) for (account, _, producer), tenants in names]

    def _tenants(self, key: keys.Key) -> list[str]:
        with guard.serving_system(), refusals_as_busy():
            answer = self._client.get_item(TableName=self._table, Key=stored_form.key(key), ConsistentRead=True)
        return list(answer["Item"]["tenants"]["SS"]) if "Item" in answer else []

    def _delete(self, key: keys.Key) -> None:
        with guard.serving_system(), refusals_as_busy():
            self._client.delete_item(TableName=self._table, Key=stored_form.key(key))


def _require_ids(account_id: str, tenant_id: str) -> None:
    if not model.ACCOUNT_ID.fullmatch(account_id):
        raise ValueError("an AWS account id must be 12 digits")
    if not model.TENANT_ID.fullmatch(tenant_id):
        raise ValueError("a tenant id must be 2 to 63 of a-z, 0-9 and -, not beginning with -")

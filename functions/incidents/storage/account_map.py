"""The account map. It names the tenant of each AWS account, and the tenants for which a producer may escalate alerts.

The map belongs to no tenant. The guard makes sure that a request for the map reaches no tenant's items. To reach the
items of a tenant that the map names, code makes an identity of this tenant, and a repository with this identity.
"""

from typing import TYPE_CHECKING, NamedTuple

from ..domain import model
from . import guard, keys, stored_form
from .dynamodb import refusals_as_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Link(NamedTuple):
    """An entry of the map.

    If ``producer`` is None, ``tenants`` has the tenant that gets the account's findings. Otherwise, ``producer`` is an
    event source in the account, and ``tenants`` has the tenants for which it may report alerts.
    """

    account_id: str
    producer: str | None
    tenants: tuple[str, ...]


class AccountMap:
    """The account map in the table."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def tenant_of(self, account_id: str) -> str | None:
        """Return the tenant of an AWS account's findings, or None if the map has none. There is no default tenant."""
        return next(iter(self._tenants(keys.account(account_id))), None)

    def tenants_of(self, account_id: str, producer: str) -> list[str]:
        """Return the tenants for which an event source in an AWS account may escalate alerts."""
        return self._tenants(keys.producer(account_id, producer))

    def link(self, account_id: str, tenant_id: str) -> None:
        """Give an AWS account to a tenant. A previous tenant loses the account. Raises ValueError for an invalid id."""
        _require_ids(account_id, tenant_id)
        item = stored_form.key(keys.account(account_id)) | {"tenants": {"SS": [tenant_id]}}
        with guard.serving_system(), refusals_as_busy():
            self._client.put_item(TableName=self._table, Item=item)

    def allow(self, account_id: str, producer: str, tenant_id: str) -> None:
        """Let a producer escalate alerts for one more tenant. Raises ValueError for an invalid id or producer."""
        _require_ids(account_id, tenant_id)
        is_reserved = producer.startswith(("aws.", "grc.incidents")) and not producer.startswith("aws.partner/")
        if not model.EVENT_SOURCE.fullmatch(producer) or is_reserved:
            raise ValueError(
                f"a producer must be an event source: {model.EVENT_SOURCE_RULE}. It must not begin with "
                "grc.incidents. It may begin with aws. only as aws.partner/"
            )
        with guard.serving_system(), refusals_as_busy():
            self._client.update_item(
                TableName=self._table,
                Key=stored_form.key(keys.producer(account_id, producer)),
                UpdateExpression="ADD tenants :tenant",
                ExpressionAttributeValues={":tenant": {"SS": [tenant_id]}},
            )

    def unlink(self, account_id: str) -> None:
        """Remove an AWS account from the map. Then the account's findings belong to no tenant."""
        self._delete(keys.account(account_id))

    def disallow(self, account_id: str, producer: str) -> None:
        """Remove a producer from the map. Then the producer cannot escalate alerts for any tenant."""
        self._delete(keys.producer(account_id, producer))

    def links(self) -> list[Link]:
        """Return all entries of the map, sorted by account."""
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
        raise ValueError(f"a tenant id must be {model.TENANT_ID_RULE}")

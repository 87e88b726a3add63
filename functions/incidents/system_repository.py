"""What belongs to no tenant: which tenant an AWS account belongs to. The guard keeps it from every tenant's items.

Whoever finds a tenant here goes on as that tenant's identity, with a repository of its own.
"""

from typing import TYPE_CHECKING

from . import guard, items, keys
from .dynamodb import refusals_as_busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class SystemRepository:
    """The account map."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name

    def tenant_of(self, account_id: str) -> str | None:
        """Return the tenant that owns an AWS account, or None: there is no default."""
        with guard.serving_system(), refusals_as_busy():
            answer = self._client.get_item(
                TableName=self._table, Key=items.key(keys.account(account_id)), ConsistentRead=True
            )
        return answer["Item"]["tenant_id"]["S"] if "Item" in answer else None

    def link(self, account_id: str, tenant_id: str) -> None:
        """Give an AWS account (12 digits) to a tenant, whoever had it. Raises ValueError for what cannot be either."""
        if not keys.ACCOUNT_ID.fullmatch(account_id):
            raise ValueError("an AWS account id must be 12 digits")
        if not keys.TENANT_ID.fullmatch(tenant_id):
            raise ValueError("a tenant id must be 2 to 63 of a-z, 0-9 and -, not beginning with -")
        item = items.key(keys.account(account_id)) | {"tenant_id": {"S": tenant_id}}
        with guard.serving_system(), refusals_as_busy():
            self._client.put_item(TableName=self._table, Item=item)

    def unlink(self, account_id: str) -> None:
        """Take an AWS account from its tenant; its findings then belong to nobody."""
        with guard.serving_system(), refusals_as_busy():
            self._client.delete_item(TableName=self._table, Key=items.key(keys.account(account_id)))

    def links(self) -> dict[str, str]:
        """Return the tenant of every AWS account, by account id."""
        found: dict[str, str] = {}
        with guard.serving_system(), refusals_as_busy():
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": keys.account("").pk}},
            ):
                found |= {item["sk"]["S"]: item["tenant_id"]["S"] for item in page["Items"]}
        return found

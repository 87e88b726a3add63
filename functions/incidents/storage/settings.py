"""A tenant's settings in the table. Settings have a name, such as ``intake``, and one JSON value.

Each write keeps its own version, with its author and its time. The module that uses settings also checks the settings.
These modules are ``domain.intake_policy`` for ``intake``, ``domain.deadlines.rules`` for ``deadlines``, and
``findings.mapping`` for ``mappings``.
"""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ..domain.identity import Identity
from . import keys, stored_form
from .dynamodb import ConditionFailed, refusals_as_busy, transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INTAKE = "intake"
DEADLINES = "deadlines"
MAPPINGS = "mappings"


class Settings(NamedTuple):
    """One version of a tenant's settings. ``value`` is a JSON value. ``changed_at`` is a text of ``timestamps``."""

    value: Any
    version: int
    changed_at: str
    changed_by: str


class SettingsMoved(Exception):
    """Somebody else has written the settings after they were read. Nothing was written."""


def settings_of_caller(identity: Identity, client: "DynamoDBClient", table_name: str) -> "TenantSettings":
    """Return the settings of a caller's tenant."""
    return TenantSettings(identity.tenant_id, client, table_name)


class TenantSettings:
    """The settings of one tenant."""

    def __init__(self, tenant_id: str, client: "DynamoDBClient", table_name: str) -> None:
        self._tenant_id = tenant_id
        self._client = client
        self._table = table_name

    def read(self, name: str, version: int | None = None) -> Settings | None:
        """Return the current settings with a name, or one of their versions, or None if missing. Raises Busy."""
        at = keys.settings(self._tenant_id, name)
        if version is not None:
            at = keys.settings_version(self._tenant_id, name, version)
        with refusals_as_busy():
            answer = self._client.get_item(TableName=self._table, Key=stored_form.key(at), ConsistentRead=True)
        return to_settings(answer["Item"]) if "Item" in answer else None

    def write(self, name: str, settings: Settings) -> None:
        """Write the next version of settings: the current item, and the item of the version, in one transaction.

        ``settings.version`` is one more than the version that was read. Raises SettingsMoved or Busy.
        """
        values = {
            "value": {"S": json.dumps(settings.value, ensure_ascii=False, separators=(",", ":"))},
            "version": {"N": str(settings.version)},
            "changed_at": {"S": settings.changed_at},
            "changed_by": {"S": settings.changed_by},
        }
        never_written, still_as_read = "attribute_not_exists(pk)", "#version = :read"
        current: dict[str, Any] = {
            "TableName": self._table,
            "Item": stored_form.key(keys.settings(self._tenant_id, name)) | values,
            "ConditionExpression": never_written,
        }
        if settings.version > 1:
            current |= {
                "ConditionExpression": still_as_read,
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":read": {"N": str(settings.version - 1)}},
            }
        kept = {
            "TableName": self._table,
            "Item": stored_form.key(keys.settings_version(self._tenant_id, name, settings.version)) | values,
            "ConditionExpression": never_written,
        }
        try:
            transact(self._client, [{"Put": current}, {"Put": kept}])
        except ConditionFailed as failed:
            raise SettingsMoved from failed


def to_settings(item: stored_form.Item) -> Settings:
    """Return the settings in an item. Raises KeyError or ValueError for an item of another form."""
    version, value = int(item["version"]["N"]), json.loads(item["value"]["S"])
    return Settings(value, version, item["changed_at"]["S"], item["changed_by"]["S"])

"""The API without a framework, with boto3.client and json, and with one function for all routes."""

import json
import os
from decimal import Decimal

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from stamps import stamped, stamped_patch

client = boto3.client("dynamodb")
TABLE = os.environ["TABLE_NAME"]
to_attribute, to_value = TypeSerializer().serialize, TypeDeserializer().deserialize


def create_incident(event: dict, claims: dict) -> dict:
    given = json.loads(event["body"], parse_float=Decimal)
    if not isinstance(given.get("title"), str):
        return answer(422, {"message": "title must be a text"})
    incident = {"source": "edm", "source_type": "api", "status": "new"} | given | stamped(claims)
    item = {"pk": partition(claims), "sk": incident["id"]} | incident
    client.put_item(TableName=TABLE, Item=attributes(item), ConditionExpression="attribute_not_exists(pk)")
    return answer(201, incident)


def get_incident(event: dict, claims: dict) -> dict:
    found = client.get_item(TableName=TABLE, Key=key(event, claims), ConsistentRead=True)
    return answer(200, shown(found["Item"])) if "Item" in found else answer(404, {"message": "not found"})


def update_incident(event: dict, claims: dict) -> dict:
    values = json.loads(event["body"], parse_float=Decimal) | stamped_patch(claims)
    done = client.update_item(
        TableName=TABLE,
        Key=key(event, claims),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": to_attribute(value) for name, value in values.items()},
        ReturnValues="ALL_NEW",
    )
    return answer(200, shown(done["Attributes"]))


def list_incidents(event: dict, claims: dict) -> dict:
    limit = int((event.get("queryStringParameters") or {}).get("limit", "50"))
    found = client.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": to_attribute(partition(claims))},
        Limit=limit,
        ScanIndexForward=False,
    )
    items = [shown(item) for item in found["Items"]]
    return answer(200, {"items": items, "next_cursor": items[-1]["id"] if "LastEvaluatedKey" in found else None})


def partition(claims: dict) -> str:
    return f"TENANT#{claims['tenant_id']}"


def key(event: dict, claims: dict) -> dict:
    return attributes({"pk": partition(claims), "sk": event["pathParameters"]["incident_id"]})


def attributes(item: dict) -> dict:
    return {name: to_attribute(value) for name, value in item.items()}


def shown(item: dict) -> dict:
    return {name: to_value(attribute) for name, attribute in item.items() if name not in ("pk", "sk")}


def answer(status: int, body: object) -> dict:
    def number(value: object) -> object:
        if isinstance(value, Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        raise TypeError(type(value).__name__)

    text = json.dumps(body, default=number)
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": text}


ROUTES = {
    "POST /api/v1/grc/incidents": create_incident,
    "GET /api/v1/grc/incidents/{incident_id}": get_incident,
    "PATCH /api/v1/grc/incidents/{incident_id}": update_incident,
    "GET /api/v1/grc/incidents": list_incidents,
}


def handler(event: dict, context: object) -> dict:
    return ROUTES[event["routeKey"]](event, event["requestContext"]["authorizer"]["jwt"]["claims"])

"""The API without any library for DynamoDB: a lower limit for the cost, and not a proposal.

The code speaks DynamoDB's protocol itself. It has no retries, no error handling, no renewal of credentials and no
checks.
"""

import hashlib
import hmac
import http.client
import json
import os
from datetime import UTC, datetime
from urllib.parse import urlsplit

from stamps import stamped, stamped_patch

HOST = urlsplit(os.environ["AWS_ENDPOINT_URL_DYNAMODB"]).netloc
REGION, TABLE = os.environ["AWS_REGION"], os.environ["TABLE_NAME"]
connection = http.client.HTTPConnection(HOST)


def call(operation: str, **parameters: object) -> dict:
    body = json.dumps({"TableName": TABLE} | parameters).encode()
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = f"DynamoDB_20120810.{operation}"
    scope = f"{at[:8]}/{REGION}/dynamodb/aws4_request"
    names = "content-type;host;x-amz-date;x-amz-target"
    request = (
        f"POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{HOST}\nx-amz-date:{at}\nx-amz-target:{target}\n\n"
        f"{names}\n{hashlib.sha256(body).hexdigest()}"
    )
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (at[:8], REGION, "dynamodb", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    headers = {
        "content-type": "application/x-amz-json-1.0", "x-amz-date": at, "x-amz-target": target,
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }  # fmt: skip
    connection.request("POST", "/", body, headers)
    return json.loads(connection.getresponse().read())


def create_incident(event: dict, claims: dict) -> dict:
    incident = {"source": "edm", "source_type": "api", "status": "new"} | json.loads(event["body"]) | stamped(claims)
    item = {"pk": partition(claims), "sk": {"S": incident["id"]}} | {n: typed(v) for n, v in incident.items()}
    call("PutItem", Item=item, ConditionExpression="attribute_not_exists(pk)")
    return answer(201, incident)


def get_incident(event: dict, claims: dict) -> dict:
    return answer(200, plain(call("GetItem", Key=key(event, claims), ConsistentRead=True)["Item"]))


def update_incident(event: dict, claims: dict) -> dict:
    values = json.loads(event["body"]) | stamped_patch(claims)
    done = call(
        "UpdateItem", Key=key(event, claims), ReturnValues="ALL_NEW", ConditionExpression="attribute_exists(pk)",
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": typed(value) for name, value in values.items()},
    )  # fmt: skip
    return answer(200, plain(done["Attributes"]))


def list_incidents(event: dict, claims: dict) -> dict:
    limit = int((event.get("queryStringParameters") or {}).get("limit", "50"))
    found = call(
        "Query", KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": partition(claims)}, Limit=limit,
        ScanIndexForward=False,
    )  # fmt: skip
    items = [plain(item) for item in found["Items"]]
    return answer(200, {"items": items, "next_cursor": items[-1]["id"] if "LastEvaluatedKey" in found else None})


def partition(claims: dict) -> dict:
    return {"S": f"TENANT#{claims['tenant_id']}"}


def key(event: dict, claims: dict) -> dict:
    return {"pk": partition(claims), "sk": {"S": event["pathParameters"]["incident_id"]}}


def typed(value: object) -> dict:
    if isinstance(value, list):
        return {"L": [{"S": one} for one in value]}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def plain(item: dict) -> dict:
    return {name: one(value) for name, value in item.items() if name not in ("pk", "sk")}


def one(attribute: dict) -> object:
    ((kind, value),) = attribute.items()
    if kind == "L":
        return [one(each) for each in value]
    return json.loads(value) if kind == "N" else value


def answer(status: int, body: object) -> dict:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


ROUTES = {
    "POST /api/v1/grc/incidents": create_incident,
    "GET /api/v1/grc/incidents/{incident_id}": get_incident,
    "PATCH /api/v1/grc/incidents/{incident_id}": update_incident,
    "GET /api/v1/grc/incidents": list_incidents,
}


def handler(event: dict, context: object) -> dict:
    return ROUTES[event["routeKey"]](event, event["requestContext"]["authorizer"]["jwt"]["claims"])

"""The API with PynamoDB, as in the documentation of PynamoDB: a model of attributes, and json."""

import json
import os

from pynamodb.attributes import BooleanAttribute, ListAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model
from stamps import stamped, stamped_patch


class Incident(Model):
    class Meta:
        table_name = os.environ["TABLE_NAME"]
        region = os.environ["AWS_REGION"]
        host = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    app_id = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    source = UnicodeAttribute(default="edm")
    source_type = UnicodeAttribute(default="api")
    is_deleted = BooleanAttribute(default=False)
    deleted_at = UnicodeAttribute(null=True)
    deleted_by = UnicodeAttribute(null=True)
    schema_version = NumberAttribute()
    incident_number = UnicodeAttribute()
    title = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    root_cause = UnicodeAttribute(null=True)
    category = UnicodeAttribute(null=True)
    severity = UnicodeAttribute(null=True)
    status = UnicodeAttribute(default="new")
    occurred_at = UnicodeAttribute(null=True)
    detected_at = UnicodeAttribute(null=True)
    reported_at = UnicodeAttribute(null=True)
    contained_at = UnicodeAttribute(null=True)
    closed_at = UnicodeAttribute(null=True)
    realized_risk_ids = ListAttribute(of=UnicodeAttribute, default=list)
    affected_asset_ids = ListAttribute(of=UnicodeAttribute, default=list)
    affected_account_ids = ListAttribute(of=UnicodeAttribute, default=list)
    consolidated_investigation_ids = ListAttribute(of=UnicodeAttribute, default=list)
    triggered_by_alert_ids = ListAttribute(of=UnicodeAttribute, default=list)
    commander_ids = ListAttribute(of=UnicodeAttribute, default=list)
    corrective_action_ids = ListAttribute(of=UnicodeAttribute, default=list)
    reportable_to = ListAttribute(of=UnicodeAttribute, default=list)
    owner_id = UnicodeAttribute(null=True)
    tags = ListAttribute(of=UnicodeAttribute, default=list)
    reported_to_regulators_at = UnicodeAttribute(null=True)
    customer_notified_at = UnicodeAttribute(null=True)
    mttd_minutes = NumberAttribute(null=True)
    mttr_minutes = NumberAttribute(null=True)
    financial_impact = NumberAttribute(null=True)
    lessons_learned = UnicodeAttribute(null=True)


def create_incident(event: dict, claims: dict) -> dict:
    stamps = stamped(claims)
    incident = Incident(partition(claims), stamps["id"], **json.loads(event["body"]), **stamps)
    incident.save(condition=Incident.pk.does_not_exist())
    return answer(201, shown(incident))


def get_incident(event: dict, claims: dict) -> dict:
    try:
        incident = Incident.get(partition(claims), event["pathParameters"]["incident_id"], consistent_read=True)
    except Incident.DoesNotExist:
        return answer(404, {"message": "not found"})
    return answer(200, shown(incident))


def update_incident(event: dict, claims: dict) -> dict:
    values = json.loads(event["body"]) | stamped_patch(claims)
    incident = Incident(partition(claims), event["pathParameters"]["incident_id"])
    incident.update(
        actions=[getattr(Incident, name).set(value) for name, value in values.items()], condition=Incident.pk.exists()
    )
    return answer(200, shown(incident))


def list_incidents(event: dict, claims: dict) -> dict:
    limit = int((event.get("queryStringParameters") or {}).get("limit", "50"))
    found = Incident.query(partition(claims), limit=limit, scan_index_forward=False)
    items = [shown(incident) for incident in found]
    return answer(200, {"items": items, "next_cursor": items[-1]["id"] if found.last_evaluated_key else None})


def partition(claims: dict) -> str:
    return f"TENANT#{claims['tenant_id']}"


def shown(incident: Incident) -> dict:
    document = incident.to_simple_dict()
    del document["pk"], document["sk"]
    return document


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

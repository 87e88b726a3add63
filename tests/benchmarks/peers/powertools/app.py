"""The API in the usual way, as in the documentation of Powertools for AWS Lambda: resolver, validation and Tracer."""

import os
from decimal import Decimal
from typing import Annotated

import boto3
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.logging import correlation_paths
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError
from pydantic import BaseModel
from stamps import stamped, stamped_patch

tracer = Tracer()
logger = Logger()
app = APIGatewayHttpResolver(enable_validation=True)
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


class IncidentPatch(BaseModel):
    title: str | None = None
    description: str | None = None
    root_cause: str | None = None
    category: str | None = None
    severity: str | None = None
    status: str | None = None
    source: str | None = None
    source_type: str | None = None
    occurred_at: str | None = None
    detected_at: str | None = None
    reported_at: str | None = None
    contained_at: str | None = None
    closed_at: str | None = None
    realized_risk_ids: list[str] = []
    affected_asset_ids: list[str] = []
    affected_account_ids: list[str] = []
    consolidated_investigation_ids: list[str] = []
    triggered_by_alert_ids: list[str] = []
    commander_ids: list[str] = []
    corrective_action_ids: list[str] = []
    reportable_to: list[str] = []
    owner_id: str | None = None
    tags: list[str] = []
    reported_to_regulators_at: str | None = None
    customer_notified_at: str | None = None
    mttd_minutes: int | None = None
    mttr_minutes: int | None = None
    financial_impact: Decimal | None = None
    lessons_learned: str | None = None


class NewIncident(IncidentPatch):
    title: str
    source: str = "edm"
    source_type: str = "api"
    status: str = "new"


class Incident(NewIncident):
    id: str
    tenant_id: str
    app_id: str | None = None
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str
    is_deleted: bool = False
    deleted_at: str | None = None
    deleted_by: str | None = None
    schema_version: int
    incident_number: str


class Page(BaseModel):
    items: list[Incident]
    next_cursor: str | None


def claims() -> dict[str, str]:
    return app.current_event.request_context.authorizer.jwt_claim


def partition() -> str:
    return f"TENANT#{claims()['tenant_id']}"


@app.post("/api/v1/grc/incidents")
@tracer.capture_method
def create_incident(new: NewIncident) -> Response[Incident]:
    incident = Incident(**new.model_dump(), **stamped(claims()))
    item = incident.model_dump(exclude_none=True)
    table.put_item(Item={"pk": partition(), "sk": incident.id} | item, ConditionExpression=Attr("pk").not_exists())
    return Response(status_code=201, content_type=content_types.APPLICATION_JSON, body=incident)


@app.get("/api/v1/grc/incidents/<incident_id>")
@tracer.capture_method
def get_incident(incident_id: str) -> Incident:
    answer = table.get_item(Key={"pk": partition(), "sk": incident_id}, ConsistentRead=True)
    if "Item" not in answer:
        raise NotFoundError
    return Incident.model_validate(answer["Item"])


@app.patch("/api/v1/grc/incidents/<incident_id>")
@tracer.capture_method
def update_incident(incident_id: str, patch: IncidentPatch) -> Incident:
    values = patch.model_dump(exclude_unset=True) | stamped_patch(claims())
    try:
        answer = table.update_item(
            Key={"pk": partition(), "sk": incident_id},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise NotFoundError from error
        raise
    return Incident.model_validate(answer["Attributes"])


@app.get("/api/v1/grc/incidents")
@tracer.capture_method
def list_incidents(limit: Annotated[int, Query(ge=1, le=100)] = 50) -> Page:
    answer = table.query(KeyConditionExpression=Key("pk").eq(partition()), Limit=limit, ScanIndexForward=False)
    incidents = [Incident.model_validate(item) for item in answer["Items"]]
    return Page(items=incidents, next_cursor=incidents[-1].id if "LastEvaluatedKey" in answer else None)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler
def handler(event: dict, context: object) -> dict:
    return app.resolve(event, context)

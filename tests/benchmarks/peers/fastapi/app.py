"""The API with FastAPI and Mangum, as their documentation shows it: pydantic models and boto3.resource."""

import os
from decimal import Decimal
from typing import Annotated

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from mangum import Mangum
from pydantic import BaseModel
from stamps import stamped, stamped_patch

app = FastAPI()
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


def claims(request: Request) -> dict[str, str]:
    return request.scope["aws.event"]["requestContext"]["authorizer"]["jwt"]["claims"]


Claims = Annotated[dict[str, str], Depends(claims)]


def partition(claims: dict[str, str]) -> str:
    return f"TENANT#{claims['tenant_id']}"


@app.post("/api/v1/grc/incidents", status_code=201)
def create_incident(new: NewIncident, claims: Claims) -> Incident:
    incident = Incident(**new.model_dump(), **stamped(claims))
    item = incident.model_dump(exclude_none=True)
    table.put_item(
        Item={"pk": partition(claims), "sk": incident.id} | item, ConditionExpression=Attr("pk").not_exists()
    )
    return incident


@app.get("/api/v1/grc/incidents/{incident_id}")
def get_incident(incident_id: str, claims: Claims) -> Incident:
    answer = table.get_item(Key={"pk": partition(claims), "sk": incident_id}, ConsistentRead=True)
    if "Item" not in answer:
        raise HTTPException(404)
    return Incident.model_validate(answer["Item"])


@app.patch("/api/v1/grc/incidents/{incident_id}")
def update_incident(incident_id: str, patch: IncidentPatch, claims: Claims) -> Incident:
    values = patch.model_dump(exclude_unset=True) | stamped_patch(claims)
    try:
        answer = table.update_item(
            Key={"pk": partition(claims), "sk": incident_id},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            ReturnValues="ALL_NEW",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise HTTPException(404) from error
        raise
    return Incident.model_validate(answer["Attributes"])


@app.get("/api/v1/grc/incidents")
def list_incidents(claims: Claims, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> Page:
    answer = table.query(KeyConditionExpression=Key("pk").eq(partition(claims)), Limit=limit, ScanIndexForward=False)
    incidents = [Incident.model_validate(item) for item in answer["Items"]]
    return Page(items=incidents, next_cursor=incidents[-1].id if "LastEvaluatedKey" in answer else None)


handler = Mangum(app, lifespan="off")

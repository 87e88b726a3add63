"""PATCH /api/v1/grc/incidents/{incident_id}: change an incident by a JSON Merge Patch, or restore it."""

from incidents import commands, http_api


@http_api.operation(scope="incidents:write")
def handler(request: http_api.Request) -> http_api.Response:
    return http_api.incident(
        commands.update_incident(request.incident_id, request.merge_patch, request.if_match, request.incidents)
    )

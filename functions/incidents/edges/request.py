"""An HTTP request from an event of the API Gateway (payload 2.0): caller, parameters, headers, body."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from ..domain import json_text
from ..domain.errors import IncidentTooLarge, MalformedRequest, UnsupportedContent
from ..domain.identity import Identity
from ..domain.model import DOCUMENT_BYTES
from ..storage import dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BODY_BYTES = 6 * DOCUMENT_BYTES  # the largest incident with every character escaped as \uXXXX
PARAMETERS_MAX = 100
KEY_CHARACTERS = 255

_ENTITY_TAGS = re.compile(r'\s*(W/)?"[!#-~]*"(\s*,\s*(W/)?"[!#-~]*")*\s*')  # RFC 9110 8.8.3

Repository = TypeVar("Repository")


class Request:
    """One authenticated request."""

    def __init__(self, event: Mapping[str, Any], identity: Identity) -> None:
        self._event = event
        self.identity = identity

    def reach(self, repository: Callable[[Identity, "DynamoDBClient", str], Repository]) -> Repository:
        """Return a repository that is limited to this caller's identity."""
        return repository(self.identity, dynamodb.client(), dynamodb.table_name())

    @property
    def incident_id(self) -> str:
        """The path's ``{incident_id}``. Its form is not checked."""
        path: Mapping[str, str] = self._event["pathParameters"]
        return path["incident_id"]

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The parameters of the query string. Raises MalformedRequest.

        The method reads the raw query string, because the gateway joins repeated parameters with commas.
        """
        try:
            pairs = parse_qsl(
                self._event.get("rawQueryString", ""),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=PARAMETERS_MAX,
            )
        except UnicodeDecodeError as error:
            raise MalformedRequest("The query string must be percent-encoded UTF-8.") from error
        except ValueError as error:
            raise MalformedRequest(f"The query string must hold at most {PARAMETERS_MAX} parameters.") from error
        parameters: dict[str, list[str]] = {}
        for name, value in pairs:
            parameters.setdefault(name, []).append(value)
        return parameters

    @property
    def json(self) -> Any:
        """The body's JSON value. Raises UnsupportedContent, IncidentTooLarge or MalformedRequest."""
        return self._body("application/json")

    @property
    def merge_patch(self) -> Any:
        """The JSON value of a body that was sent as a merge patch or as plain JSON. Raises the errors of ``json``."""
        return self._body("application/merge-patch+json", "application/json")

    @property
    def idempotency_key(self) -> str | None:
        """The header Idempotency-Key. Raises MalformedRequest."""
        key = self._header("idempotency-key")
        if key is not None and not 1 <= len(key) <= KEY_CHARACTERS:
            raise MalformedRequest(f"The header Idempotency-Key must be 1 to {KEY_CHARACTERS} characters.")
        return key

    @property
    def if_match(self) -> frozenset[int] | None:
        """The versions in the header If-Match; None for any version. Weak tags match none (RFC 9110 13.1.1)."""
        header = self._header("if-match")
        if header is None or header.strip() == "*":
            return None
        return frozenset(version for weak, version in _versions(header) if not weak)

    def caller_has(self, version: int) -> bool:
        """Return whether the caller already has this version, by the header If-None-Match (RFC 9110 13.1.2)."""
        header = self._header("if-none-match") or ""
        return header.strip() == "*" or version in {version for _, version in _versions(header)}

    def _header(self, name: str) -> str | None:
        headers: Mapping[str, str] = self._event.get("headers", {})
        return headers.get(name)

    def _body(self, *media_types: str) -> Any:
        sent_as = (self._header("content-type") or "").partition(";")[0].strip().lower()
        if sent_as not in media_types:
            raise UnsupportedContent(f"The body must be sent as Content-Type: {' or '.join(media_types)}.")
        body: str = self._event.get("body") or ""
        # The gateway may encode a body in Base64. Only the flag ``isBase64Encoded`` shows this, not the media type.
        sent = b64decode(body) if self._event.get("isBase64Encoded") else body.encode(errors="surrogatepass")
        if len(sent) > BODY_BYTES:
            raise IncidentTooLarge(f"The body must be at most {BODY_BYTES // 1024} KiB.")
        try:
            return json_text.loads(sent.decode())
        except UnicodeDecodeError as error:
            raise MalformedRequest("The body must be UTF-8.") from error


def _versions(header: str) -> list[tuple[bool, int]]:
    """Return (is weak, version) of each entity tag of ours in a header; ``[]`` if the header is malformed."""
    if not _ENTITY_TAGS.fullmatch(header):
        return []
    return [(bool(weak), int(digits)) for weak, digits in re.findall(r'(W/)?"([1-9][0-9]{0,9})"', header)]

"""An HTTP request from an event of the API Gateway (payload 2.0): caller, parameters, headers, body."""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from ..domain import json_text
from ..domain.errors import IncidentTooLarge, MalformedRequest, UnsupportedContent
from ..domain.identity import Identity
from ..domain.model import DOCUMENT_BYTES
from ..domain.questions import Expected
from ..storage import dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BODY_BYTES = 6 * DOCUMENT_BYTES  # the largest incident with every character escaped as \uXXXX
PARAMETERS_MAX = 200  # all parameters of a list, each as often as a caller may repeat it
KEY_CHARACTERS = 255

_ENTITY_TAG = re.compile(r'[ \t,]*(W/)?"([!#-~]*)"[ \t]*(?:,|\Z)')  # a tag (RFC 9110 8.8.3) in a list (5.6.1)
_PARAMETER = re.compile(r';\s*([^\s=;"]+?)\*?\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')  # RFC 9110 5.6.6, and RFC 8187's name*
_VERSION = re.compile("[1-9][0-9]{0,9}")

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

    def refuse_parameters(self) -> None:
        """Raise MalformedRequest if the query string has a parameter, because this operation has no parameters."""
        for name in self.parameters:
            raise MalformedRequest(f"The parameter {name[:64]!a} is not known; this operation has no parameters.")

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
    def if_match(self) -> Expected | None:
        """The versions in the header If-Match, or None for any version. Raises MalformedRequest.

        A weak tag matches no version, because the comparison is strong (RFC 9110 13.1.1).
        """
        tags = self._entity_tags("If-Match")
        if tags is None:
            return None
        strong = _versions(tag for is_weak, tag in tags if not is_weak)
        return Expected(strong, has_weak=any(is_weak for is_weak, _ in tags))

    @property
    def known_versions(self) -> frozenset[int] | None:
        """The versions in the header If-None-Match, or None for any version. Raises MalformedRequest.

        A weak tag counts like a strong one, because the comparison is weak (RFC 9110 13.1.2).
        """
        if self._header("if-none-match") is None:
            return frozenset()
        tags = self._entity_tags("If-None-Match")
        return None if tags is None else _versions(tag for _, tag in tags)

    def _entity_tags(self, name: str) -> list[tuple[bool, str]] | None:
        """Return (is weak, text) of each entity tag in a header. Return None for ``*`` and for a missing header."""
        header = self._header(name.lower())
        if header is None or header.strip() == "*":
            return None
        tags, place = [], 0
        while match := _ENTITY_TAG.match(header, place):
            tags.append((bool(match[1]), match[2]))
            place = match.end()
        if not tags or header[place:].strip(" \t,"):
            raise MalformedRequest(
                f'The header {name} must be one or more ETags with quotes, like "3", separated by commas, or *.'
            )
        return tags

    def _header(self, name: str) -> str | None:
        headers: Mapping[str, str] = self._event.get("headers", {})
        return headers.get(name)

    def _body(self, *media_types: str) -> Any:
        sent_as, _, _ = (content_type := self._header("content-type") or "").partition(";")
        if sent_as.strip().lower() not in media_types:
            raise UnsupportedContent(f"The body must be sent as Content-Type: {' or '.join(media_types)}.")
        if _charsets(content_type) - {"utf-8", "utf8"}:
            raise UnsupportedContent("The body must be UTF-8: leave the charset out of Content-Type, or send utf-8.")
        body: str = self._event.get("body") or ""
        # The gateway may encode a body in Base64. Only the flag ``isBase64Encoded`` shows this, not the media type.
        sent = b64decode(body) if self._event.get("isBase64Encoded") else body.encode(errors="surrogatepass")
        if len(sent) > BODY_BYTES:
            raise IncidentTooLarge(f"The body must be at most {BODY_BYTES // 1024} KiB.")
        try:
            return json_text.loads(sent.decode().removeprefix("\ufeff"))  # RFC 8259 8.1: a reader may ignore a BOM
        except UnicodeDecodeError as error:
            raise MalformedRequest("The body must be UTF-8.") from error


def _versions(tags: Iterable[str]) -> frozenset[int]:
    """Return the versions among entity tags. A tag of another form is ignored, because this service did not make it."""
    return frozenset(int(tag) for tag in tags if _VERSION.fullmatch(tag))


def _charsets(content_type: str) -> set[str]:
    """Return the charsets that a Content-Type declares, in lower case."""
    declared = (value.strip().lower() for name, value in _PARAMETER.findall(content_type) if name.lower() == "charset")
    return {value[1:-1] if re.fullmatch('"[^"]*"', value) else value for value in declared}

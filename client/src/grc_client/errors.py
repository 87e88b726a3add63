"""What can go wrong with a call, as one tree.

GrcError
├── ConnectionFailed        no answer came: the API was not reached, or the connection was cut, or timed out
├── UnexpectedAnswer        what came is not an answer of this API: a proxy's page, or a newer API's
└── ApiError                the API refused: status, title, detail, request_id, errors
    ├── BadRequest          400   a parameter or the JSON cannot be read
    ├── NotAuthenticated    401   the token is missing, expired or not of this API's issuer
    ├── NotPermitted        403   the token lacks the scope
    ├── NotFound            404   there is no such incident, for this token
    ├── Conflict            409   the number is taken, the status cannot move that way, the incident is deleted
    ├── PreconditionFailed  412   somebody changed the incident: its etag is no longer the given one
    ├── TooLarge            413   the incident is over its bound
    ├── UnsupportedContent  415   the body is of another media type
    ├── ValidationError     422   values break a rule: errors names each
    ├── RateLimited         429   too many requests
    └── ServerError         5xx   the API failed; also Busy, 503, which says when to try again

What the API or its gateway says carries the request id, by which their operators find what happened. No token is in
any message. An argument that no API could take is a ValueError or a TypeError, before anything is sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """One broken rule: the JSON pointer (RFC 6901) of the value, like ``/title``, and what would be right."""

    pointer: str
    detail: str


class GrcError(Exception):
    """Base of everything that goes wrong once a request is sent."""


class ConnectionFailed(GrcError):
    """No answer came. A write may have been done all the same, unless it was never sent."""


class UnexpectedAnswer(GrcError):
    """What came is not an answer of this API."""


class ApiError(GrcError):
    """The API refused. ``members`` is the whole problem document (RFC 9457), or what the gateway said."""

    def __init__(self, status: int, request_id: str | None, members: Mapping[str, Any]) -> None:
        self.status = status
        self.request_id = request_id
        self.members = dict(members)
        self.type: str | None = members.get("type")
        self.title: str = members.get("title") or type(self).__name__
        self.detail: str = members.get("detail") or members.get("message") or "No reason was given."
        self.errors = tuple(_field_errors(members.get("errors")))
        super().__init__(status, request_id, members)  # what it is made of, so that it can be copied and sent

    def __str__(self) -> str:
        rules = "".join(f"\n  {error.pointer or '(the body)'}: {error.detail}" for error in self.errors)
        return f"{self.status} {self.title}: {self.detail}{rules} [request {self.request_id or 'without id'}]"


def _field_errors(listed: object) -> Iterator[FieldError]:
    """What stands between this client and the API may have errors of other forms."""
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and {"pointer", "detail"} <= set(entry):
            yield FieldError(str(entry["pointer"]), str(entry["detail"]))


class BadRequest(ApiError):
    """400: a parameter or the JSON cannot be read; ``detail`` names it and says what would be right."""


class NotAuthenticated(ApiError):
    """401: the token is missing, expired, or not of this API's issuer."""


class NotPermitted(ApiError):
    """403: the token lacks the scope of the operation."""


class NotFound(ApiError):
    """404: there is no such incident, for this token."""


class Conflict(ApiError):
    """409: the number is taken, the status cannot move that way, or the incident is deleted."""

    @property
    def allowed_transitions(self) -> tuple[str, ...]:
        """The statuses that the incident can take, where its status stood in the way."""
        allowed = self.members.get("allowed_transitions")
        return tuple(map(str, allowed)) if isinstance(allowed, list) else ()


class PreconditionFailed(ApiError):
    """412: the incident's etag is no longer the one given as ``if_match``; nothing was changed."""


class TooLarge(ApiError):
    """413: the incident is over its bound."""


class UnsupportedContent(ApiError):
    """415: the body is of another media type. This client sends none of these."""


class ValidationError(ApiError):
    """422: values break a rule; ``errors`` names each by its JSON pointer and says what would be right."""


class RateLimited(ApiError):
    """429: too many requests, for as long as this client was told to try."""


class ServerError(ApiError):
    """5xx: the API failed, for as long as this client was told to try. A write may have been done all the same."""


class Busy(ServerError):
    """503: the API cannot serve the request now; later it may."""


OF_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    415: UnsupportedContent,
    422: ValidationError,
    429: RateLimited,
    503: Busy,
}

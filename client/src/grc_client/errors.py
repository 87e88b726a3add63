"""The errors of a call, as one tree.

GrcError
├── ConnectionFailed        no answer: the API was unreachable, or the connection broke or timed out
├── UnexpectedAnswer        the answer is not one of this API: for example a proxy's page or a newer API's answer
└── ApiError                the API refused: status, title, detail, request_id, errors
    ├── BadRequest          400   a parameter or the JSON cannot be read
    ├── NotAuthenticated    401   the token is missing, expired or not of this API's issuer
    ├── NotPermitted        403   the token lacks the scope
    ├── NotFound            404   there is no such incident that this token may read
    ├── Conflict            409   the number is taken, the status cannot move that way, or the incident is deleted
    ├── PreconditionFailed  412   somebody changed the incident: its etag is no longer the given one
    ├── TooLarge            413   the incident is too large
    ├── UnsupportedContent  415   the body is of another media type
    ├── ValidationError     422   values break a rule: errors names each
    ├── RateLimited         429   too many requests
    └── ServerError         5xx   the API failed; its subclass Busy is 503: the same call may succeed later

The text of an ApiError has the request id, with which operators find the request in their logs. No error text has a
token. An argument that the API could never accept raises ValueError or TypeError before anything is sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """One broken rule: the value's JSON pointer (RFC 6901), like ``/title``, and a text with what would be right."""

    pointer: str
    detail: str


class GrcError(Exception):
    """The base class of all errors after a request was sent."""


class ConnectionFailed(GrcError):
    """There was no answer. If the request was sent, a write may still have been stored."""


class UnexpectedAnswer(GrcError):
    """The answer is not one of this API."""


class ApiError(GrcError):
    """The API refused. ``members`` is the complete problem document (RFC 9457), or the gateway's JSON answer."""

    def __init__(self, status: int, request_id: str | None, members: Mapping[str, Any]) -> None:
        self.status = status
        self.request_id = request_id
        self.members = dict(members)
        self.type: str | None = members.get("type")
        self.title: str = members.get("title") or type(self).__name__
        self.detail: str = members.get("detail") or members.get("message") or "No reason was given."
        self.errors = tuple(_field_errors(members.get("errors")))
        super().__init__(status, request_id, members)  # the arguments, so that the error can be copied and pickled

    def __str__(self) -> str:
        rules = "".join(f"\n  {error.pointer or '(the body)'}: {error.detail}" for error in self.errors)
        return f"{self.status} {self.title}: {self.detail}{rules} [request {self.request_id or 'without id'}]"


def _field_errors(listed: object) -> Iterator[FieldError]:
    """Yield the entries that have the API's form: a proxy's answer may have an ``errors`` member of another form."""
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
    """404: there is no such incident that this token may read."""


class Conflict(ApiError):
    """409: the number is taken, the status cannot move that way, or the incident is deleted."""

    @property
    def allowed_transitions(self) -> tuple[str, ...]:
        """The statuses to which the incident can move; empty if the status was not the conflict."""
        allowed = self.members.get("allowed_transitions")
        return tuple(map(str, allowed)) if isinstance(allowed, list) else ()


class PreconditionFailed(ApiError):
    """412: the incident's etag is no longer the one given as ``if_match``; nothing was changed."""


class TooLarge(ApiError):
    """413: the incident is too large."""


class UnsupportedContent(ApiError):
    """415: the body has an unsupported media type. This client never sends one."""


class ValidationError(ApiError):
    """422: values break a rule; ``errors`` names each by its JSON pointer and says what would be right."""


class RateLimited(ApiError):
    """429: too many requests, also after any retries."""


class ServerError(ApiError):
    """5xx: the API failed, also after any retries. A write may still have been stored."""


class Busy(ServerError):
    """503: the API cannot serve the request now. The same request may succeed later."""


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

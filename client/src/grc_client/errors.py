"""The errors that a call of the API can raise, as a tree of classes.

GrcError
├── ConnectionFailed        no answer: the API was unreachable, or the connection broke or timed out
├── UnexpectedAnswer        the client cannot read the answer, for example a proxy's page or a newer API's answer
└── ApiError                the API refused the request; the attributes are status, title, detail, request_id, errors
    ├── BadRequest          400   a parameter or the JSON cannot be read
    ├── NotAuthenticated    401   the token is missing, has expired, or is from another issuer
    ├── NotPermitted        403   the token lacks the scope
    ├── NotFound            404   the incident does not exist, or the token may not read it
    ├── Conflict            409   the number is taken, the status cannot move that way, or the incident is deleted
    ├── CursorGone          410   the data was restored, so a cursor of its updates is of no use; start again
    ├── PreconditionFailed  412   somebody has changed the incident, so its etag differs from if_match
    ├── TooLarge            413   the incident is too large
    ├── UnsupportedContent  415   the API does not accept the body's media type
    ├── ValidationError     422   values break rules; errors names each value
    ├── RateLimited         429   there were too many requests
    └── ServerError         5xx   the API failed
        └── Busy            503   the API cannot serve the request now; the same call may succeed later

The text of an ApiError has the request id. With it, operators find the request in their logs. No error text has the
token. For an argument that the API could never accept, a method raises ValueError or TypeError and sends nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """A value that breaks a rule: its JSON pointer (RFC 6901), like ``/title``, and the text of the rule."""

    pointer: str
    detail: str


class GrcError(Exception):
    """The base class of all errors that a call can raise after the client has tried to send its request."""


class ConnectionFailed(GrcError):
    """The client received no answer. If the request was sent, the API may have stored the write."""


class UnexpectedAnswer(GrcError):
    """The client cannot read the answer. The answer may come from a proxy or from a newer API."""


class ApiError(GrcError):
    """The API refused the request. ``members`` is the problem document (RFC 9457), or the gateway's JSON answer."""

    def __init__(self, status: int, request_id: str | None, members: Mapping[str, Any]) -> None:
        self.status = status
        self.request_id = request_id
        self.members = dict(members)
        self.type: str | None = members.get("type")
        self.title: str = members.get("title") or type(self).__name__
        self.detail: str = members.get("detail") or members.get("message") or "No reason was given."
        self.errors = tuple(_field_errors(members.get("errors")))
        super().__init__(status, request_id, members)  # copying and pickling an error need its arguments here

    def __str__(self) -> str:
        rules = "".join(f"\n  {error.pointer or '(the body)'}: {error.detail}" for error in self.errors)
        return f"{self.status} {self.title}: {self.detail}{rules} [request {self.request_id or 'without id'}]"


def _field_errors(listed: object) -> Iterator[FieldError]:
    """Yield the entries of ``errors`` that have the API's form. Entries of a proxy may have another form."""
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and {"pointer", "detail"} <= set(entry):
            yield FieldError(str(entry["pointer"]), str(entry["detail"]))


class BadRequest(ApiError):
    """400: a parameter or the JSON cannot be read. ``detail`` names the fault and gives the right form."""


class NotAuthenticated(ApiError):
    """401: the token is missing, has expired, or is from another issuer than the API's."""


class NotPermitted(ApiError):
    """403: the token lacks the scope of the operation."""


class NotFound(ApiError):
    """404: the token may not read an incident with this id, or the incident does not exist."""


class Conflict(ApiError):
    """409: the number is taken, the status cannot move that way, or the incident is deleted."""

    @property
    def allowed_transitions(self) -> tuple[str, ...]:
        """The statuses to which the incident can move. Empty if the conflict is not about the status."""
        allowed = self.members.get("allowed_transitions")
        return tuple(map(str, allowed)) if isinstance(allowed, list) else ()


class CursorGone(ApiError):
    """410: the cursor of ``follow`` belongs to earlier data, which the operators have replaced with a backup.

    Follow again without the cursor. Store each incident that comes, even if your copy has its version, because the
    restored data uses versions again. Incidents that do not come again no longer exist.
    """


class PreconditionFailed(ApiError):
    """412: somebody has changed the incident, so its etag differs from ``if_match``. The request changed nothing."""


class TooLarge(ApiError):
    """413: the incident is too large."""


class UnsupportedContent(ApiError):
    """415: the API does not accept the body's media type. This client never sends such a body."""


class ValidationError(ApiError):
    """422: values break rules. ``errors`` has the JSON pointer of each value, and what would be right."""


class RateLimited(ApiError):
    """429: there were too many requests, even after the retries."""


class ServerError(ApiError):
    """5xx: the API failed, even after any retries. The API may have stored the write nevertheless."""


class Busy(ServerError):
    """503: the API cannot serve the request now. The same request may succeed later."""


OF_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    410: CursorGone,
    412: PreconditionFailed,
    413: TooLarge,
    415: UnsupportedContent,
    422: ValidationError,
    429: RateLimited,
    503: Busy,
}

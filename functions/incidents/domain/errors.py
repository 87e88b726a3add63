"""All errors that a caller can get, as one tree.

The HTTP edge maps each error to a status. This module does not depend on HTTP.

IncidentError
├── NotAuthenticated        the request has no verified claims of a valid access token
├── NotPermitted            the claims do not allow this operation
├── NotFound                the caller cannot reach an incident with this id
├── MalformedRequest        the request cannot be parsed: syntax, parameters, cursor
├── UnsupportedContent      the body has a media type or a charset that the operation does not accept
├── InvalidIncident         the request can be parsed, but some values break a rule
├── IncidentTooLarge        the incident or the body exceeds its size limit
├── NumberTaken             the given incident number belongs to another incident
├── IllegalTransition       the incident's status cannot change to the given status
├── IncidentDeleted         the incident is deleted; only restoring it is allowed
├── PreconditionFailed      the incident is not at the version that the caller expects
├── KeyReused               the idempotency key belongs to another request
├── CursorGone              the cursor belongs to a table that the service no longer uses
└── Busy                    the table refused the request or cannot be reached; a later attempt may succeed
"""

from typing import Any, NamedTuple


class Violation(NamedTuple):
    """A broken rule. ``pointer`` is the JSON pointer (RFC 6901) of the value. ``detail`` describes a correct value."""

    pointer: str
    detail: str


class IncidentError(Exception):
    """The base class of all errors whose text is written for the caller."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def members(self) -> dict[str, Any]:
        """The additional members of the problem document, by name."""
        return {}


class NotAuthenticated(IncidentError):
    """The request has no verified claims of a valid access token."""


class NotPermitted(IncidentError):
    """The claims do not allow this operation, or are ambiguous."""


class NotFound(IncidentError):
    """The caller cannot reach an incident with this id.

    The answer is the same for an unknown incident, another tenant's incident and another application's incident.
    """

    def __init__(self) -> None:
        super().__init__("There is no such incident.")


class MalformedRequest(IncidentError):
    """The request cannot be parsed: invalid JSON, an unknown parameter, an invalid header or cursor."""


class UnsupportedContent(IncidentError):
    """The body has a media type or a charset that this operation does not accept."""


class InvalidIncident(IncidentError):
    """Some values break a rule. For each value, the problem's ``errors`` describe what a correct value would be."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"The incident breaks {len(violations)} rule{'s' if len(violations) > 1 else ''}.")
        self.violations = violations

    @property
    def members(self) -> dict[str, Any]:
        return {"errors": [violation._asdict() for violation in self.violations]}


class IncidentTooLarge(IncidentError):
    """The incident or the body exceeds its size limit."""


class NumberTaken(IncidentError):
    """The given incident number belongs to another incident of the tenant, even if the other incident is deleted."""

    def __init__(self) -> None:
        super().__init__("The incident_number is taken; numbers are never used again, even after deletion.")

    @property
    def members(self) -> dict[str, Any]:
        return {"errors": [Violation("/incident_number", "must be a number that was never used")._asdict()]}


class IllegalTransition(IncidentError):
    """The status cannot change to the given status. ``allowed_transitions`` lists the statuses that may follow."""

    def __init__(self, status: str, wanted: str, allowed_transitions: tuple[str, ...]) -> None:
        super().__init__(
            f"status cannot move from {status} to {wanted}, only to {', '.join(allowed_transitions) or 'itself'}."
        )
        self.allowed_transitions = allowed_transitions

    @property
    def members(self) -> dict[str, Any]:
        violation = Violation("/status", f"must be one of {', '.join(self.allowed_transitions)}, or stay the same")
        return {"errors": [violation._asdict()], "allowed_transitions": list(self.allowed_transitions)}


class IncidentDeleted(IncidentError):
    """The incident is deleted. A patch must restore the incident before, or together with, other changes."""

    def __init__(self) -> None:
        super().__init__("The incident is deleted. Send is_deleted: false to restore it, alone or with other changes.")


class PreconditionFailed(IncidentError):
    """The incident is not at the version that the caller expects. Nothing was changed."""

    def __init__(self, version: int, *, weak: bool = False) -> None:
        detail = f'The incident is at version "{version}". Read it again, then decide.'
        if weak:
            detail += (
                ' If-Match compares strongly (RFC 9110), so a weak tag like W/"1" never matches. '
                "A proxy that compresses makes tags weak: send the tag without W/."
            )
        super().__init__(detail)


class KeyReused(IncidentError):
    """The idempotency key belongs to another request of the last 24 hours."""

    def __init__(self) -> None:
        super().__init__("The Idempotency-Key was sent with another body; a new request needs a new key.")


class CursorGone(IncidentError):
    """The cursor belongs to a table that is no longer in use. This happens after the table was restored."""

    def __init__(self) -> None:
        super().__init__(
            "The cursor belongs to a table that the service no longer uses, because the data was restored. Start again "
            "without a cursor. Store each incident from the new updates, even if you have its version. An incident "
            "that is not in the new updates no longer exists."
        )


class Busy(IncidentError):
    """The table refused the request or could not be reached, even after retries. A later attempt may succeed.

    A write may have been stored although its answer was lost. With an Idempotency-Key or If-Match, it is safe to send
    the same request again.
    """

    def __init__(self, detail: str = "The service is busy. Try again in a moment.") -> None:
        super().__init__(detail)

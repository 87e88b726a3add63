"""What can go wrong, as one tree. The HTTP edge gives each leaf its status; nothing here knows of HTTP.

IncidentError
├── NotAuthenticated        no verified claims came with the request
├── NotPermitted            the claims do not allow this operation
├── NotFound                no such incident, for this caller
├── MalformedRequest        the request cannot be read: syntax, parameters, cursor
├── UnsupportedContent      the body is of another media type
├── InvalidIncident         the request can be read, and names values that break a rule
├── IncidentTooLarge        the document or the body is over its bound
├── NumberTaken             the given incident number belongs to another incident
├── IllegalTransition       the status cannot move that way
├── IncidentDeleted         a deleted incident takes no change but its restoration
├── PreconditionFailed      the incident is not at the version that the caller expects
├── KeyReused               the idempotency key belongs to another request
└── Busy                    the table refused for now; the same request may succeed later
"""

from typing import Any, NamedTuple


class Violation(NamedTuple):
    """One broken rule: the JSON pointer (RFC 6901) of the value, and what would be right."""

    pointer: str
    detail: str


class IncidentError(Exception):
    """Base of everything that this package raises on purpose. Its text is meant for the caller."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def members(self) -> dict[str, Any]:
        """What the caller is told beside the text, by name."""
        return {}


class NotAuthenticated(IncidentError):
    """No verified claims came with the request."""


class NotPermitted(IncidentError):
    """The claims do not allow this operation, or cannot be read beyond doubt."""


class NotFound(IncidentError):
    """No such incident, for this caller: one answer for unknown, another tenant's and another application's."""

    def __init__(self) -> None:
        super().__init__("There is no such incident.")


class MalformedRequest(IncidentError):
    """The request cannot be read: broken JSON, an unknown parameter, a bad cursor."""


class UnsupportedContent(IncidentError):
    """The body is of a media type that this operation does not read."""


class InvalidIncident(IncidentError):
    """Values break a rule; ``violations`` names each of them and says what would be right."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"The incident breaks {len(violations)} rule{'s' if len(violations) > 1 else ''}.")
        self.violations = violations

    @property
    def members(self) -> dict[str, Any]:
        return {"errors": [violation._asdict() for violation in self.violations]}


class IncidentTooLarge(IncidentError):
    """The document or the body is over its bound."""


class NumberTaken(IncidentError):
    """The given incident number belongs to another incident of the tenant, perhaps a deleted one."""

    def __init__(self) -> None:
        super().__init__("The incident_number is taken; numbers are never used again, even after deletion.")

    @property
    def members(self) -> dict[str, Any]:
        return {"errors": [Violation("/incident_number", "must be one that was never used")._asdict()]}


class IllegalTransition(IncidentError):
    """The status cannot move that way; ``allowed_transitions`` are those that it can take from where it is."""

    def __init__(self, status: str, wanted: str, allowed_transitions: tuple[str, ...]) -> None:
        super().__init__(
            f"status cannot move from {status} to {wanted}, only to {', '.join(allowed_transitions) or 'itself'}."
        )
        self.allowed_transitions = allowed_transitions

    @property
    def members(self) -> dict[str, Any]:
        violation = Violation("/status", f"must be one of {', '.join(self.allowed_transitions)}, or stay")
        return {"errors": [violation._asdict()], "allowed_transitions": list(self.allowed_transitions)}


class IncidentDeleted(IncidentError):
    """A deleted incident takes no change but its restoration."""

    def __init__(self) -> None:
        super().__init__("The incident is deleted; is_deleted: false restores it, alone or with other changes.")


class PreconditionFailed(IncidentError):
    """The incident is not at the version that the caller expects; nothing was changed."""

    def __init__(self, version: int) -> None:
        super().__init__(f'The incident is at "{version}". Read it again, then decide.')


class KeyReused(IncidentError):
    """The idempotency key belongs to another request of the last 24 hours."""

    def __init__(self) -> None:
        super().__init__("The Idempotency-Key was sent with another body; a new request needs a new key.")


class Busy(IncidentError):
    """The table refused, or could not be reached, for now and after every retry; the same request may succeed later.

    A write whose answer was lost on the way may have been stored all the same: with an Idempotency-Key or If-Match, the
    same request again is safe.
    """

    def __init__(self) -> None:
        super().__init__("The service is busy. Try again in a moment.")

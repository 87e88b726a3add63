"""A Python client for the incidents of a governance, risk and compliance platform: ``Client().grc.incidents``.

``client``     ``Client``, whose calls block, and ``AsyncClient`` for asyncio
``incidents``  the methods of both clients, such as ``create``
``raw``        the same methods, which return the API's answers before they are parsed
``bearer``     adds the token to each request
``calls``      describes each operation: its request, and how to read its answer
``exchange``   runs one call, with its retries and their log
``answer``     an answer before it is parsed
``fields``     the types of the methods' keyword arguments
``models``     the API's answers
``pages``      one page of a list, or all its items
``following``  the incidents that change, without end
``history``    checks the hashes in the history of an incident
``errors``     the tree of errors
"""

from .answer import RawResponse
from .calls import Updates
from .client import AsyncClient, Client, __version__
from .errors import (
    ApiError,
    BadRequest,
    Busy,
    Conflict,
    ConnectionFailed,
    CursorGone,
    FieldError,
    GrcError,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    PreconditionFailed,
    RateLimited,
    ServerError,
    TooLarge,
    UnexpectedAnswer,
    UnsupportedContent,
    ValidationError,
)
from .fields import Add, BoardFilters, IncidentFilters, IncidentPatch, ListEdit, MetricsWindow, NewIncident, Remove
from .following import AsyncFollower, Follower
from .history import history_faults
from .models import BoardEntry, Change, Deadlines, FieldChange, Finding, FindingSummary, Incident, Metrics
from .pages import AsyncPage, Listing, Page

__all__ = [
    "Add", "ApiError", "AsyncClient", "AsyncFollower", "AsyncPage", "BadRequest", "BoardEntry", "BoardFilters", "Busy",
    "Change", "Client", "Conflict", "ConnectionFailed", "CursorGone", "Deadlines", "FieldChange", "FieldError",
    "Finding", "FindingSummary", "Follower", "GrcError", "Incident", "IncidentFilters", "IncidentPatch", "ListEdit",
    "Listing", "Metrics", "MetricsWindow", "NewIncident", "NotAuthenticated", "NotFound", "NotPermitted", "Page",
    "PreconditionFailed", "RateLimited", "RawResponse", "Remove", "ServerError", "TooLarge", "UnexpectedAnswer",
    "UnsupportedContent", "Updates", "ValidationError", "__version__", "history_faults",
]  # fmt: skip

"""``client.grc.incidents``: the incidents of a governance, risk and compliance platform.

``client``     Client and AsyncClient: how each of them waits
``incidents``  the methods, once for each
``bearer``     the token
``calls``      every operation as a value: what to send, and how to read the answer
``exchange``   one call from the first request to its result: when to send it again
``fields``     the keyword arguments
``models``     what the API answers
``pages``      lists, page by page or all of it
``errors``     what can go wrong, as one tree
"""

from .client import AsyncClient, Client, __version__
from .errors import (
    ApiError,
    BadRequest,
    Busy,
    Conflict,
    ConnectionFailed,
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
from .fields import IncidentFilters, IncidentPatch, MetricsWindow, NewIncident
from .models import Change, FieldChange, Incident, Metrics
from .pages import AsyncPage, Listing, Page

__all__ = [
    "ApiError", "AsyncClient", "AsyncPage", "BadRequest", "Busy", "Change", "Client", "Conflict", "ConnectionFailed",
    "FieldChange", "FieldError", "GrcError", "Incident", "IncidentFilters", "IncidentPatch", "Listing", "Metrics",
    "MetricsWindow", "NewIncident", "NotAuthenticated", "NotFound", "NotPermitted", "Page", "PreconditionFailed",
    "RateLimited", "ServerError", "TooLarge", "UnexpectedAnswer", "UnsupportedContent", "ValidationError",
    "__version__",
]  # fmt: skip

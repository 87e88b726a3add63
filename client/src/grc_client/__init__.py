"""``client.grc.incidents``: the incidents of a governance, risk and compliance platform.

``client``     Client and AsyncClient, which differ in how they wait
``incidents``  the methods of both clients
``bearer``     adds the token to each request
``calls``      each operation as a value: the request, and how to read the answer
``exchange``   one call from its first request to its result, with the retries
``fields``     the keyword arguments
``models``     the API's answers
``pages``      lists: one page, or all items
``errors``     the errors, as one tree
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

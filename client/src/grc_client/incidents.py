"""``client.grc.incidents``, blocking and asynchronous: each method makes a call and lets the client run it."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar, Unpack

from . import calls
from .calls import Call, Slice
from .fields import IncidentFilters, IncidentPatch, MetricsWindow, NewIncident
from .models import Change, Incident, Metrics
from .pages import AsyncPage, Listing, Page

T = TypeVar("T")


class Run(Protocol):
    def __call__(self, call: Call[T], /) -> T: ...


class AsyncRun(Protocol):
    def __call__(self, call: Call[T], /) -> Awaitable[T]: ...


class Incidents:
    """The incidents that the token may access. Every method can raise the errors in ``grc_client.errors``."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]) -> Incident:
        """Create an incident and return it. Raises ValidationError or Conflict.

        The request has an Idempotency-Key, so a retry never makes a second incident. The API keeps a key for 24 hours:
        pass your own key to be as safe when your program runs again.
        """
        return self._run(calls.create_incident(idempotency_key, fields))

    def get(self, incident_id: str) -> Incident:
        """Return an incident, which may be a deleted one. Raises NotFound."""
        return self._run(calls.get_incident(incident_id))

    def list(self, **filters: Unpack[IncidentFilters]) -> Page[Incident]:
        """Return a page of incidents, newest first. Iterate over the page for all incidents. Raises BadRequest.

        ``limit`` is the size of a page: 1 to 100, by default 50. ``cursor`` is the ``next_cursor`` of an earlier page.
        """
        return self._page(calls.list_incidents(filters))

    def update(self, incident_id: str, *, if_match: str | None = None, **changes: Unpack[IncidentPatch]) -> Incident:
        """Change the given fields and return the changed incident. None clears a field.

        ``if_match=incident.etag`` changes the incident only if nobody has changed it since. If somebody has, it raises
        PreconditionFailed. With ``if_match``, the client does not retry after a broken connection or a server error.
        Raises NotFound, ValidationError or Conflict.
        """
        return self._run(calls.update_incident(incident_id, if_match, changes))

    def delete(self, incident_id: str, *, if_match: str | None = None) -> None:
        """Delete an incident softly. A second delete changes nothing. Raises NotFound or PreconditionFailed."""
        return self._run(calls.delete_incident(incident_id, if_match))

    def restore(self, incident_id: str, *, if_match: str | None = None) -> Incident:
        """Restore a deleted incident and return it. Raises NotFound or PreconditionFailed."""
        return self._run(calls.restore_incident(incident_id, if_match))

    def changes(self, incident_id: str, *, limit: int | None = None, cursor: str | None = None) -> Page[Change]:
        """Return a page of an incident's changes, oldest first. Iterate over the page for all. Raises NotFound."""
        return self._page(calls.list_incident_changes(incident_id, limit, cursor))

    def metrics(self, **window: Unpack[MetricsWindow]) -> Metrics:
        """Return MTTD, MTTR and time to contain for a window of UTC days, by default the last 30. Raises BadRequest."""
        return self._run(calls.get_incident_metrics(window))

    def _page(self, call: Call[Slice[T]]) -> Page[T]:
        return Page(self._run(call), lambda cursor: self._page(calls.further(call, cursor)))


class AsyncIncidents:
    """``Incidents`` for asyncio. ``list`` and ``changes`` return a Listing: ``await`` a page, or ``async for`` all."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]) -> Incident:
        """As ``Incidents.create``."""
        return await self._run(calls.create_incident(idempotency_key, fields))

    async def get(self, incident_id: str) -> Incident:
        """As ``Incidents.get``."""
        return await self._run(calls.get_incident(incident_id))

    def list(self, **filters: Unpack[IncidentFilters]) -> Listing[Incident]:
        """As ``Incidents.list``: ``await`` returns a page, and ``async for`` yields all incidents."""
        return self._listing(calls.list_incidents(filters))

    async def update(
        self, incident_id: str, *, if_match: str | None = None, **changes: Unpack[IncidentPatch]
    ) -> Incident:
        """As ``Incidents.update``."""
        return await self._run(calls.update_incident(incident_id, if_match, changes))

    async def delete(self, incident_id: str, *, if_match: str | None = None) -> None:
        """As ``Incidents.delete``."""
        await self._run(calls.delete_incident(incident_id, if_match))

    async def restore(self, incident_id: str, *, if_match: str | None = None) -> Incident:
        """As ``Incidents.restore``."""
        return await self._run(calls.restore_incident(incident_id, if_match))

    def changes(self, incident_id: str, *, limit: int | None = None, cursor: str | None = None) -> Listing[Change]:
        """As ``Incidents.changes``: ``await`` returns a page, and ``async for`` yields all changes."""
        return self._listing(calls.list_incident_changes(incident_id, limit, cursor))

    async def metrics(self, **window: Unpack[MetricsWindow]) -> Metrics:
        """As ``Incidents.metrics``."""
        return await self._run(calls.get_incident_metrics(window))

    def _listing(self, call: Call[Slice[T]]) -> Listing[T]:
        async def fetch() -> AsyncPage[T]:
            return AsyncPage(await self._run(call), lambda cursor: self._listing(calls.further(call, cursor)))

        return Listing(fetch)

"""``client.grc.incidents``, blocking and asynchronous: each method makes a call and hands it on."""

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
    """The incidents that the token may reach. Every method raises errors of the tree in ``grc_client.errors``."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]) -> Incident:
        """Store a new incident.

        It is sent with an Idempotency-Key, so that a retry can never make two; give a key of your own, kept for 24
        hours, to be as safe when your program itself is run again. Raises ValidationError or Conflict.
        """
        return self._run(calls.create_incident(idempotency_key, fields))

    def get(self, incident_id: str) -> Incident:
        """Return one incident, also a deleted one. Raises NotFound."""
        return self._run(calls.get_incident(incident_id))

    def list(self, **filters: Unpack[IncidentFilters]) -> Page[Incident]:
        """Return a page of incidents, newest first; iterate over it for all of them. Raises BadRequest.

        ``limit``, 1 to 100 and 50 by default, is the size of a page; ``cursor`` goes on behind an earlier one.
        """
        return self._page(calls.list_incidents(filters))

    def update(self, incident_id: str, *, if_match: str | None = None, **changes: Unpack[IncidentPatch]) -> Incident:
        """Change the fields that are given, None clears one, and return the incident as it then is.

        With ``if_match=incident.etag`` only if nobody has changed it since: else raises PreconditionFailed, and a
        connection that breaks is not tried again. Raises NotFound, ValidationError or Conflict.
        """
        return self._run(calls.update_incident(incident_id, if_match, changes))

    def delete(self, incident_id: str, *, if_match: str | None = None) -> None:
        """Delete softly; again is the same as once. Raises NotFound or PreconditionFailed."""
        return self._run(calls.delete_incident(incident_id, if_match))

    def restore(self, incident_id: str, *, if_match: str | None = None) -> Incident:
        """Take a deletion back. Raises NotFound or PreconditionFailed."""
        return self._run(calls.restore_incident(incident_id, if_match))

    def changes(self, incident_id: str, *, limit: int | None = None, cursor: str | None = None) -> Page[Change]:
        """Return a page of the audit trail, oldest first; iterate over it for all. Raises NotFound."""
        return self._page(calls.list_incident_changes(incident_id, limit, cursor))

    def metrics(self, **window: Unpack[MetricsWindow]) -> Metrics:
        """Return MTTD, MTTR and time to contain of a window of UTC days, by default the last 30. Raises BadRequest."""
        return self._run(calls.get_incident_metrics(window))

    def _page(self, call: Call[Slice[T]]) -> Page[T]:
        return Page(self._run(call), lambda cursor: self._page(calls.further(call, cursor)))


class AsyncIncidents:
    """``Incidents`` for asyncio. ``list`` and ``changes`` are no coroutines: ``await`` a page, or ``async for`` all."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run

    async def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]) -> Incident:
        """As ``Incidents.create``."""
        return await self._run(calls.create_incident(idempotency_key, fields))

    async def get(self, incident_id: str) -> Incident:
        """As ``Incidents.get``."""
        return await self._run(calls.get_incident(incident_id))

    def list(self, **filters: Unpack[IncidentFilters]) -> Listing[Incident]:
        """As ``Incidents.list``: ``await`` gives a page, ``async for`` all incidents."""
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
        """As ``Incidents.changes``: ``await`` gives a page, ``async for`` all changes."""
        return self._listing(calls.list_incident_changes(incident_id, limit, cursor))

    async def metrics(self, **window: Unpack[MetricsWindow]) -> Metrics:
        """As ``Incidents.metrics``."""
        return await self._run(calls.get_incident_metrics(window))

    def _listing(self, call: Call[Slice[T]]) -> Listing[T]:
        async def fetch() -> AsyncPage[T]:
            return AsyncPage(await self._run(call), lambda cursor: self._listing(calls.further(call, cursor)))

        return Listing(fetch)

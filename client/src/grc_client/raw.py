"""The methods of ``client.grc.incidents.with_raw_response``, blocking and asynchronous.

Each method returns the API's answer as a ``RawResponse``. The methods of ``incidents`` also parse this answer.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Protocol, TypeVar, Unpack

from . import calls, following
from .answer import RawResponse
from .calls import Call, Slice, Updates
from .fields import BoardFilters, IncidentFilters, IncidentPatch, MetricsWindow, Moment, NewIncident
from .models import BoardEntry, Change, Deadlines, Finding, Incident, Metrics
from .pages import AsyncPage, Listing, Page

T = TypeVar("T")


class Send(Protocol):
    def __call__(self, call: Call[T], /) -> RawResponse[T]: ...


class AsyncSend(Protocol):
    def __call__(self, call: Call[T], /) -> Awaitable[RawResponse[T]]: ...


class RawIncidents:
    """The methods of ``Incidents``. Each returns the answer with its status, headers and body, before it is parsed.

    Errors are raised as by ``Incidents``. But a method raises no UnexpectedAnswer for the body of a success.
    """

    def __init__(self, send: Send) -> None:
        self._send = send

    def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]) -> RawResponse[Incident]:
        """Like ``Incidents.create``, but return the API's answer before it is parsed."""
        return self._send(calls.create_incident(idempotency_key, fields))

    def get(self, incident_id: str) -> RawResponse[Incident]:
        """Like ``Incidents.get``, but return the API's answer before it is parsed."""
        return self._send(calls.get_incident(incident_id))

    def list(self, **filters: Unpack[IncidentFilters]) -> RawResponse[Page[Incident]]:
        """Like ``Incidents.list``, but return the API's answer before it is parsed."""
        return self._page(calls.list_incidents(filters))

    def update(
        self, incident_id: str, *, if_match: str | None = None, **changes: Unpack[IncidentPatch]
    ) -> RawResponse[Incident]:
        """Like ``Incidents.update``, but return the API's answer before it is parsed."""
        return self._send(calls.update_incident(incident_id, if_match, changes))

    def delete(self, incident_id: str, *, if_match: str | None = None) -> RawResponse[None]:
        """Like ``Incidents.delete``, but return the API's answer before it is parsed."""
        return self._send(calls.delete_incident(incident_id, if_match))

    def restore(self, incident_id: str, *, if_match: str | None = None) -> RawResponse[Incident]:
        """Like ``Incidents.restore``, but return the API's answer before it is parsed."""
        return self._send(calls.restore_incident(incident_id, if_match))

    def changes(
        self, incident_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> RawResponse[Page[Change]]:
        """Like ``Incidents.changes``, but return the API's answer before it is parsed."""
        return self._page(calls.list_incident_changes(incident_id, limit, cursor))

    def findings(
        self, incident_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> RawResponse[Page[Finding]]:
        """Like ``Incidents.findings``, but return the API's answer before it is parsed."""
        return self._page(calls.list_incident_findings(incident_id, limit, cursor))

    def follow(
        self, *, since: Moment | None = None, cursor: str | None = None, every: float | None = following.EVERY
    ) -> Iterator[RawResponse[Updates]]:
        """Like ``Incidents.follow``, but yield the answers: one for each page, also for a page without incidents."""
        following.check(since, cursor, every)
        return self._follow(calls.list_incident_updates(since, cursor), every)

    def _follow(self, call: Call[Updates], every: float | None) -> Iterator[RawResponse[Updates]]:
        while True:
            answer = self._send(call)
            yield answer
            cursor, caught_up = answer._read_as(calls.place_of)
            if caught_up:
                if every is None:
                    return
                time.sleep(every)
            call = calls.list_incident_updates(None, cursor)

    def deadlines(self, incident_id: str, *, history: bool = False) -> RawResponse[Deadlines]:
        """Like ``Incidents.deadlines``, but return the API's answer before it is parsed."""
        return self._send(calls.get_incident_deadlines(incident_id, history))

    def deadline_board(self, **filters: Unpack[BoardFilters]) -> RawResponse[Page[BoardEntry]]:
        """Like ``Incidents.deadline_board``, but return the API's answer before it is parsed."""
        return self._page(calls.list_deadlines(filters))

    def metrics(self, **window: Unpack[MetricsWindow]) -> RawResponse[Metrics]:
        """Like ``Incidents.metrics``, but return the API's answer before it is parsed."""
        return self._send(calls.get_incident_metrics(window))

    def _page(self, call: Call[Slice[T]]) -> RawResponse[Page[T]]:
        def more(cursor: str) -> Page[T]:
            return self._page(calls.further(call, cursor)).parse()

        return self._send(call)._then(lambda items: Page(items, more))


class AsyncRawIncidents:
    """The methods of ``RawIncidents`` for asyncio. ``await`` each method."""

    def __init__(self, send: AsyncSend) -> None:
        self._send = send

    async def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]
    ) -> RawResponse[Incident]:
        """Like ``Incidents.create``, but return the API's answer before it is parsed."""
        return await self._send(calls.create_incident(idempotency_key, fields))

    async def get(self, incident_id: str) -> RawResponse[Incident]:
        """Like ``Incidents.get``, but return the API's answer before it is parsed."""
        return await self._send(calls.get_incident(incident_id))

    async def list(self, **filters: Unpack[IncidentFilters]) -> RawResponse[AsyncPage[Incident]]:
        """Like ``Incidents.list``, but return the API's answer before it is parsed."""
        return await self._page(calls.list_incidents(filters))

    async def update(
        self, incident_id: str, *, if_match: str | None = None, **changes: Unpack[IncidentPatch]
    ) -> RawResponse[Incident]:
        """Like ``Incidents.update``, but return the API's answer before it is parsed."""
        return await self._send(calls.update_incident(incident_id, if_match, changes))

    async def delete(self, incident_id: str, *, if_match: str | None = None) -> RawResponse[None]:
        """Like ``Incidents.delete``, but return the API's answer before it is parsed."""
        return await self._send(calls.delete_incident(incident_id, if_match))

    async def restore(self, incident_id: str, *, if_match: str | None = None) -> RawResponse[Incident]:
        """Like ``Incidents.restore``, but return the API's answer before it is parsed."""
        return await self._send(calls.restore_incident(incident_id, if_match))

    async def changes(
        self, incident_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> RawResponse[AsyncPage[Change]]:
        """Like ``Incidents.changes``, but return the API's answer before it is parsed."""
        return await self._page(calls.list_incident_changes(incident_id, limit, cursor))

    async def findings(
        self, incident_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> RawResponse[AsyncPage[Finding]]:
        """Like ``Incidents.findings``, but return the API's answer before it is parsed."""
        return await self._page(calls.list_incident_findings(incident_id, limit, cursor))

    def follow(
        self, *, since: Moment | None = None, cursor: str | None = None, every: float | None = following.EVERY
    ) -> AsyncIterator[RawResponse[Updates]]:
        """Like ``Incidents.follow``, but yield the answers: one for each page, also for a page without incidents."""
        following.check(since, cursor, every)
        return self._follow(calls.list_incident_updates(since, cursor), every)

    async def _follow(self, call: Call[Updates], every: float | None) -> AsyncIterator[RawResponse[Updates]]:
        while True:
            answer = await self._send(call)
            yield answer
            cursor, caught_up = answer._read_as(calls.place_of)
            if caught_up:
                if every is None:
                    return
                await asyncio.sleep(every)
            call = calls.list_incident_updates(None, cursor)

    async def deadlines(self, incident_id: str, *, history: bool = False) -> RawResponse[Deadlines]:
        """Like ``AsyncIncidents.deadlines``, but return the API's answer before it is parsed."""
        return await self._send(calls.get_incident_deadlines(incident_id, history))

    async def deadline_board(self, **filters: Unpack[BoardFilters]) -> RawResponse[AsyncPage[BoardEntry]]:
        """Like ``Incidents.deadline_board``, but return the API's answer before it is parsed."""
        return await self._page(calls.list_deadlines(filters))

    async def metrics(self, **window: Unpack[MetricsWindow]) -> RawResponse[Metrics]:
        """Like ``Incidents.metrics``, but return the API's answer before it is parsed."""
        return await self._send(calls.get_incident_metrics(window))

    async def _page(self, call: Call[Slice[T]]) -> RawResponse[AsyncPage[T]]:
        def more(cursor: str) -> Listing[T]:
            return self._listing(calls.further(call, cursor))

        return (await self._send(call))._then(lambda items: AsyncPage(items, more))

    def _listing(self, call: Call[Slice[T]]) -> Listing[T]:
        async def fetch() -> AsyncPage[T]:
            return (await self._page(call)).parse()

        return Listing(fetch)

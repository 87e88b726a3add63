"""The methods of ``client.grc.incidents``, blocking and asynchronous.

Each method calls the same method of ``with_raw_response``, and parses the answer.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Unpack

from . import calls, following
from .answer import RawResponse
from .calls import Updates
from .fields import BoardFilters, IncidentFilters, IncidentPatch, MetricsWindow, Moment, NewIncident
from .following import AsyncFollower, Follower
from .models import BoardEntry, Change, Deadlines, Finding, Incident, Metrics
from .pages import Listing, Page
from .raw import AsyncRawIncidents, AsyncSend, RawIncidents, Send


class Incidents:
    """The methods for the incidents that the token may access. Each can raise the errors in ``grc_client.errors``."""

    def __init__(self, send: Send) -> None:
        self.with_raw_response = RawIncidents(send)

    def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]) -> Incident:
        """Create an incident and return it. Raises ValidationError or Conflict.

        The request has an Idempotency-Key, so a retry never creates a second incident. The API keeps the key for 24
        hours. If your program may run again within that time, pass your own key, and pass the same key again.
        """
        return self.with_raw_response.create(idempotency_key=idempotency_key, **fields).parse()

    def get(self, incident_id: str) -> Incident:
        """Return an incident, even if it is deleted. Raises NotFound."""
        return self.with_raw_response.get(incident_id).parse()

    def list(self, **filters: Unpack[IncidentFilters]) -> Page[Incident]:
        """Return a page of incidents, newest first. Iterate over the page to get all incidents. Raises BadRequest.

        ``limit`` is the largest size of a page, from 1 to 100. The default is 50. ``cursor`` is the ``next_cursor`` of
        an earlier page.
        """
        return self.with_raw_response.list(**filters).parse()

    def update(self, incident_id: str, *, if_match: str | None = None, **changes: Unpack[IncidentPatch]) -> Incident:
        """Change the given fields and return the changed incident. None clears a field.

        A list replaces the stored list. ``tags=Add("x")`` adds to the stored list, ``Remove("x")`` removes from it, and
        ``Add("x") | Remove("y")`` does both. Items that somebody else adds at the same time stay.

        Pass ``if_match=incident.etag`` to change the incident only if nobody has changed it after you read it. If
        somebody has, this method raises PreconditionFailed. With ``if_match``, the client does not retry after a broken
        connection or a server error. Raises NotFound, ValidationError or Conflict.
        """
        return self.with_raw_response.update(incident_id, if_match=if_match, **changes).parse()

    def delete(self, incident_id: str, *, if_match: str | None = None) -> None:
        """Delete an incident softly. A second delete changes nothing. Raises NotFound or PreconditionFailed."""
        self.with_raw_response.delete(incident_id, if_match=if_match).parse()

    def restore(self, incident_id: str, *, if_match: str | None = None) -> Incident:
        """Restore a deleted incident and return it. Raises NotFound or PreconditionFailed."""
        return self.with_raw_response.restore(incident_id, if_match=if_match).parse()

    def changes(self, incident_id: str, *, limit: int | None = None, cursor: str | None = None) -> Page[Change]:
        """Return a page of an incident's changes, oldest first. Iterate over the page to get all. Raises NotFound."""
        return self.with_raw_response.changes(incident_id, limit=limit, cursor=cursor).parse()

    def findings(self, incident_id: str, *, limit: int | None = None, cursor: str | None = None) -> Page[Finding]:
        """Return a page of an incident's findings, newest last. Iterate over the page to get all. Raises NotFound.

        Each finding has a summary, and the event as the service received it. Do not trust the texts of an event.
        """
        return self.with_raw_response.findings(incident_id, limit=limit, cursor=cursor).parse()

    def follow(
        self, *, since: Moment | None = None, cursor: str | None = None, every: float | None = following.EVERY
    ) -> Follower:
        """Return the incidents that change, without end. Iterate over the result to receive them, deleted ones too.

        Begin at the moment ``since``, at a stored ``cursor``, or without both with all incidents. When no update waits,
        the client asks again after ``every`` seconds. With ``every=None``, the iteration ends then. The API shows a
        change after about two minutes. The iteration raises BadRequest, or CursorGone after a restore.
        """
        following.check(since, cursor, every)
        raw = self.with_raw_response

        def answers(place: str | None) -> Iterator[RawResponse[Updates]]:
            return raw.follow(since=since if place is None else None, cursor=place, every=every)

        return Follower(answers, cursor)

    def deadlines(self, incident_id: str, *, history: bool = False) -> Deadlines:
        """Return the due dates of the reports about an incident, by regime and stage.

        With ``history``, the answer also lists the due dates that each of the newest 100 changes moved.
        """
        return self.with_raw_response.deadlines(incident_id, history=history).parse()

    def deadline_board(self, **filters: Unpack[BoardFilters]) -> Page[BoardEntry]:
        """Return a page of the incidents with open deadlines, in the order of their dates. Iterate over the page to get
        all.

        Incidents without a date are last. If ``incident_id`` is given, the page has only these incidents. Raises
        BadRequest.
        """
        return self.with_raw_response.deadline_board(**filters).parse()

    def metrics(self, **window: Unpack[MetricsWindow]) -> Metrics:
        """Return MTTD, MTTR and time to contain for a window of UTC days. The default is the last 30 days.

        Raises BadRequest.
        """
        return self.with_raw_response.metrics(**window).parse()


class AsyncIncidents:
    """The methods of ``Incidents`` for asyncio.

    ``list``, ``changes``, ``findings`` and ``deadline_board`` return a ``Listing``. ``await`` it to get a page, or use
    ``async for`` to get all items.
    """

    def __init__(self, send: AsyncSend) -> None:
        self.with_raw_response = AsyncRawIncidents(send)

    async def create(self, *, idempotency_key: str | None = None, **fields: Unpack[NewIncident]) -> Incident:
        """Like ``Incidents.create``: create an incident and return it."""
        return (await self.with_raw_response.create(idempotency_key=idempotency_key, **fields)).parse()

    async def get(self, incident_id: str) -> Incident:
        """Like ``Incidents.get``: return an incident."""
        return (await self.with_raw_response.get(incident_id)).parse()

    def list(self, **filters: Unpack[IncidentFilters]) -> Listing[Incident]:
        """Like ``Incidents.list``, but ``await`` returns a page, and ``async for`` yields all incidents."""
        return self.with_raw_response._listing(calls.list_incidents(filters))

    async def update(
        self, incident_id: str, *, if_match: str | None = None, **changes: Unpack[IncidentPatch]
    ) -> Incident:
        """Like ``Incidents.update``: change the given fields and return the changed incident."""
        return (await self.with_raw_response.update(incident_id, if_match=if_match, **changes)).parse()

    async def delete(self, incident_id: str, *, if_match: str | None = None) -> None:
        """Like ``Incidents.delete``: delete an incident softly."""
        (await self.with_raw_response.delete(incident_id, if_match=if_match)).parse()

    async def restore(self, incident_id: str, *, if_match: str | None = None) -> Incident:
        """Like ``Incidents.restore``: restore a deleted incident and return it."""
        return (await self.with_raw_response.restore(incident_id, if_match=if_match)).parse()

    def changes(self, incident_id: str, *, limit: int | None = None, cursor: str | None = None) -> Listing[Change]:
        """Like ``Incidents.changes``, but ``await`` returns a page, and ``async for`` yields all changes."""
        return self.with_raw_response._listing(calls.list_incident_changes(incident_id, limit, cursor))

    def findings(self, incident_id: str, *, limit: int | None = None, cursor: str | None = None) -> Listing[Finding]:
        """Like ``Incidents.findings``, but return a ``Listing``."""
        return self.with_raw_response._listing(calls.list_incident_findings(incident_id, limit, cursor))

    def follow(
        self, *, since: Moment | None = None, cursor: str | None = None, every: float | None = following.EVERY
    ) -> AsyncFollower:
        """Like ``Incidents.follow``, but ``async for`` receives the incidents."""
        following.check(since, cursor, every)
        raw = self.with_raw_response

        def answers(place: str | None) -> AsyncIterator[RawResponse[Updates]]:
            return raw.follow(since=since if place is None else None, cursor=place, every=every)

        return AsyncFollower(answers, cursor)

    async def deadlines(self, incident_id: str, *, history: bool = False) -> Deadlines:
        """Like ``Incidents.deadlines``: return the due dates of the reports about an incident."""
        return (await self.with_raw_response.deadlines(incident_id, history=history)).parse()

    def deadline_board(self, **filters: Unpack[BoardFilters]) -> Listing[BoardEntry]:
        """Like ``Incidents.deadline_board``, but return a ``Listing``."""
        return self.with_raw_response._listing(calls.list_deadlines(filters))

    async def metrics(self, **window: Unpack[MetricsWindow]) -> Metrics:
        """Like ``Incidents.metrics``: return the metrics of a window of days."""
        return (await self.with_raw_response.metrics(**window)).parse()

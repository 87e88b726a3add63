"""Follow the incidents: receive each incident that changes, for as long as the program runs."""

from collections.abc import AsyncIterator, Callable, Iterator

from .answer import RawResponse
from .calls import Updates
from .models import Incident

EVERY = 60.0
"""The default of ``every``: the seconds between two requests when no update waits."""


class Follower:
    """The incidents that change, in the order of their changes. Iterate over it to receive them.

    ``cursor`` is the place after the last page that the program has received completely. Store it after you have
    processed an incident, and pass it to ``follow`` after a restart. Then some incidents may come again, and none is
    lost. It is None before the first page. After an error, you can iterate again: the follower continues at its cursor.
    """

    def __init__(self, answers: "Callable[[str | None], Iterator[RawResponse[Updates]]]", cursor: str | None) -> None:
        self.cursor = cursor
        self._answers = answers

    def __iter__(self) -> Iterator[Incident]:
        for answer in self._answers(self.cursor):
            page = answer.parse()
            yield from page.items
            self.cursor = page.next_cursor


class AsyncFollower:
    """A ``Follower`` for ``async for``."""

    def __init__(
        self, answers: "Callable[[str | None], AsyncIterator[RawResponse[Updates]]]", cursor: str | None
    ) -> None:
        self.cursor = cursor
        self._answers = answers

    async def __aiter__(self) -> AsyncIterator[Incident]:
        async for answer in self._answers(self.cursor):
            page = answer.parse()
            for incident in page.items:
                yield incident
            self.cursor = page.next_cursor


def check(since: object, cursor: object, every: float | None) -> None:
    """Raise ValueError for arguments that the API would refuse, or that would send requests without a pause."""
    if since is not None and cursor is not None:
        raise ValueError("give `since` or `cursor`, not both; a cursor continues where it was stored")
    if every is not None and not every > 0:
        raise ValueError("`every` must be more than 0 seconds; give None to stop when there are no more updates")

"""The lists that the API returns page by page. Iteration yields all items, and fetches a page when it is needed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, Generic, TypeVar

from .calls import Slice
from .errors import UnexpectedAnswer

T = TypeVar("T")


def _check_that_it_goes_on(cursor: str, next_cursor: str | None) -> None:
    if next_cursor == cursor:
        raise UnexpectedAnswer("a page returned its own cursor as `next_cursor`, so the list would never end")


class Page(Generic[T]):
    """A page of a list. ``items`` has only this page's items. Iteration also yields all later items of the list."""

    def __init__(self, page: Slice[T], more: "Callable[[str], Page[T]]") -> None:
        self.items = page.items
        self.next_cursor = page.next_cursor
        self.request_id = page.request_id
        self._more = more

    def __iter__(self) -> Iterator[T]:
        page: Page[T] = self
        while True:
            yield from page.items
            if page.next_cursor is None:
                return
            cursor = page.next_cursor
            page = self._more(cursor)
            _check_that_it_goes_on(cursor, page.next_cursor)

    def __repr__(self) -> str:
        return f"Page({len(self.items)} items, next_cursor={self.next_cursor!r})"


class AsyncPage(Generic[T]):
    """A page of a list. ``items`` has only this page's items. ``async for`` also yields all later items of the list."""

    def __init__(self, page: Slice[T], more: "Callable[[str], Listing[T]]") -> None:
        self.items = page.items
        self.next_cursor = page.next_cursor
        self.request_id = page.request_id
        self._more = more

    async def __aiter__(self) -> AsyncIterator[T]:
        page: AsyncPage[T] = self
        while True:
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            cursor = page.next_cursor
            page = await self._more(cursor)
            _check_that_it_goes_on(cursor, page.next_cursor)

    def __repr__(self) -> str:
        return f"AsyncPage({len(self.items)} items, next_cursor={self.next_cursor!r})"


class Listing(Generic[T]):
    """A list that is not fetched yet. ``await`` returns the first page, and ``async for`` yields all items.

    If the list was requested with a cursor, the first page and the first item are those at the cursor.
    """

    def __init__(self, fetch: Callable[[], Awaitable[AsyncPage[T]]]) -> None:
        self._fetch = fetch

    def __await__(self) -> Generator[Any, None, AsyncPage[T]]:
        return self._fetch().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        async for item in await self:
            yield item

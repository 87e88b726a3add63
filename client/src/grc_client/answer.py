"""The API's answer to a request that succeeded, before it is parsed."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from .errors import UnexpectedAnswer

T = TypeVar("T")
U = TypeVar("U")


class RawResponse(Generic[T]):
    """An answer with its ``status``, its ``headers`` and its ``body``. ``parse`` returns the method's usual result.

    ``request_id`` is the API's id of the request, or None if the answer has no id. The names of ``headers`` are
    case-insensitive.
    """

    def __init__(
        self,
        request: str,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        read: "Callable[[RawResponse[Any]], T]",
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._request = request
        self._read = read

    @property
    def request_id(self) -> str | None:
        return request_id_of(self.headers)

    def parse(self) -> T:
        """Return the result that the method without ``with_raw_response`` returns. Raises UnexpectedAnswer."""
        try:
            return self._read(self)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"  # ``repr`` would show the body, which may echo the token
            raise UnexpectedAnswer(
                f"{described(self._request, self.status, self.headers)} cannot be read: {reason}. "
                "Check whether a newer grc-client exists."
            ) from error

    def _then(self, convert: Callable[[T], U]) -> "RawResponse[U]":
        """Return the same answer, whose ``parse`` also converts the result."""
        return RawResponse(self._request, self.status, self.headers, self.body, lambda raw: convert(self._read(raw)))

    def _read_as(self, read: "Callable[[RawResponse[Any]], U]") -> U:
        """Return another function's result for the same answer. Raises UnexpectedAnswer."""
        return RawResponse(self._request, self.status, self.headers, self.body, read).parse()

    def __repr__(self) -> str:
        return f"RawResponse({self.status}, request_id={self.request_id!r})"


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the API's id of a request from the headers of its answer."""
    return headers.get("apigw-requestid")


def described(request: str, status: int, headers: Mapping[str, str]) -> str:
    """Return a text that names a request and its answer. The text has nothing of the answer's body."""
    kind = headers.get("content-type", "no content type")
    request_id = request_id_of(headers)
    return f"{request}: {status} with {kind}" + (f" [request {request_id}]" if request_id else "")

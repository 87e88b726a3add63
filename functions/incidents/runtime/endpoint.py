"""Sign and send the requests of a botocore client, at a third of botocore's cost. botocore does everything else.

botocore chooses the URL and the credentials, emits its events, retries, and raises errors. The timeline shows one call:

    botocore's client       Endpoint           botocore            HttpSession     botocore
    params -> body, URL     signs              emits before-send   sends           emits before-parse, needs-retry
    ────────●─────────────────●──────────────────────●────────────────●─────────────────────●─────────────────────▶
                              ◀─────────────────── again, for each attempt ─────────────────▶

- Each attempt has a new signature, with the time and the credentials of the attempt.
- A request whose URL, body or kind of signature is unusual takes botocore's own way. If a proxy is set, botocore sends
  every request. So this module has no second copy of these rules.
- botocore no longer emits ``request-created``, ``choose-signer`` and ``before-sign`` for the other requests.
- botocore has no public way to replace the two classes, so ``replace`` sets private attributes. The lock file pins the
  version of botocore, and ``tests/unit/test_endpoint.py`` compares the signatures with botocore's own.

The cost was measured in millions of instructions of a warm call (``tests.benchmarks``, Python 3.13). With this module,
a get costs 2.3 instead of 4.0, a create 5.3 instead of 8.6, and an update 4.9 instead of 8.2.
"""

import hmac
import http.client
import ssl
import weakref
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from hashlib import sha256
from select import POLLIN, poll
from socket import create_connection, socket
from time import gmtime, strftime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import botocore.endpoint
from botocore.auth import SIGNED_HEADERS_BLACKLIST
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import create_urllib3_context, get_cert_path
from botocore.utils import normalize_url_path

_NEVER_SIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)


def replace(client: Any) -> None:
    """Make a client of botocore sign and send its requests with this module."""
    botocores = client._endpoint
    client._endpoint = Endpoint(botocores, client)
    if not botocores.http_session._proxy_config.proxy_url_for(botocores.host):
        client._endpoint.http_session = HttpSession(botocores.http_session, client.meta.config)


class Place(NamedTuple):
    """The place that a URL names. ``server`` begins with the scheme, and ``host`` is the value of the header Host."""

    server: str
    address: tuple[str, int]
    host: str
    path: str


@lru_cache(maxsize=16)
def place_of(url: str) -> Place | None:
    """Return the place of a URL. If the URL has a query or an unusual path, return None."""
    parts = urlsplit(url)
    path, name = parts.path or "/", parts.hostname
    if not name or parts.query or parts.username or quote(normalize_url_path(path), safe="/~") != path:
        return None
    usual = 443 if parts.scheme == "https" else 80
    port = parts.port or usual
    host = (f"[{name}]" if ":" in name else name) + (f":{port}" if port != usual else "")
    return Place(f"{parts.scheme}://{host}", (name, port), host, path)


class Endpoint(botocore.endpoint.Endpoint):
    """botocore's endpoint, with its own signatures."""

    def __init__(self, botocores: Any, client: Any) -> None:
        vars(self).update(vars(botocores))
        self._signer = client._request_signer
        self._most_attempts = client.meta.config.retries["total_max_attempts"]

    def create_request(self, params: Any, operation_model: Any = None) -> Any:
        """Return a request for one attempt at a call, with its signature. Raises NoCredentialsError."""
        context, body = params["context"], params["body"]
        place = place_of(params["url"])
        kinds = {self._signer.signature_version, context.get("auth_type") or "v4"}
        if place is None or kinds != {"v4"} or type(body) is not bytes:
            return super().create_request(params, operation_model)
        signing = context.get("signing", {})
        region = signing.get("region") or self._signer.region_name
        service = signing.get("signing_name") or self._signer.signing_name
        credentials = self._signer.get_auth_instance(service, region).credentials
        if credentials is None:
            raise NoCredentialsError
        timestamp, headers = strftime("%Y%m%dT%H%M%SZ", gmtime()), params["headers"]
        signed: Any = HeadersDict(sign(params["method"], place, headers, body, credentials, region, service, timestamp))
        retries = context["retries"] | {"max": self._most_attempts}
        signed["amz-sdk-invocation-id"] = retries["invocation-id"]
        signed["amz-sdk-request"] = "; ".join(
            f"{name}={retries[name]}" for name in ("ttl", "attempt", "max") if name in retries
        )
        if params["method"] != "GET":
            signed["Content-Length"] = str(len(body))
        request: Any = AWSPreparedRequest(
            params["method"], params["url"], signed, body, stream_output=False, context=context
        )
        request.place = place
        return request


def sign(
    method: str, place: Place, headers: Mapping[str, str], body: bytes, credentials: Any, region: str, service: str,
    timestamp: str,
) -> dict[str, str]:  # fmt: skip
    """Return the headers with AWS's signature, version 4. ``timestamp`` looks like "20261127T221435Z"."""
    complete = {**headers, "Host": place.host, "X-Amz-Date": timestamp}
    if credentials.token:
        complete["X-Amz-Security-Token"] = credentials.token
    complete = {name: " ".join(value.split()) for name, value in complete.items()}
    to_sign = sorted((name.lower(), value) for name, value in complete.items() if name.lower() not in _NEVER_SIGNED)
    names = ";".join(name for name, _ in to_sign)
    lines = (method, place.path, "", *(f"{name}:{value}" for name, value in to_sign), "", names)
    request = "\n".join((*lines, sha256(body).hexdigest()))
    day = timestamp[:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret_key, day, region, service), text.encode(), "sha256").hex()
    complete["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return complete


@lru_cache(maxsize=4)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    """Return the key for the signatures of one day. A client uses the same key all day."""
    key = f"AWS4{secret}".encode()
    for text in (day, region, service, "aws4_request"):
        key = hmac.digest(key, text.encode(), "sha256")
    return key


class HttpSession:
    """Sends requests over connections that stay open.

    The certificates, time limits and socket options are those of botocore's session, and the errors are botocore's
    errors, which botocore retries.
    """

    def __init__(self, botocores: Any, config: Any) -> None:
        self._botocores = botocores
        self._connect_seconds, self._read_seconds = config.connect_timeout, config.read_timeout
        self._idle: defaultdict[str, list[socket]] = defaultdict(list)
        weakref.finalize(self, _close, self._idle)

    def close(self) -> None:
        """Close all connections. A later request opens a new connection."""
        _close(self._idle)
        self._botocores.close()

    def send(self, request: Any) -> Any:
        """Send a request and return the answer. Raises botocore's errors for a connection that fails."""
        place: Place | None = getattr(request, "place", None)
        if place is None:  # botocore signed the request
            return self._botocores.send(request)
        url = request.url
        lines = [f"{request.method} {place.path} HTTP/1.1", "Accept-Encoding: identity"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        connection = self._idle_connection(place) or self._new_connection(place, url)
        try:
            connection.sendall("\r\n".join((*lines, "", "")).encode() + request.body)
            with http.client.HTTPResponse(connection, method=request.method) as response:
                response.begin()
                headers: Any = response.getheaders()
                answer = AWSResponse(url, response.status, headers, Content(response.read()))
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=url, error=error, request=request) from error
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle[place.server].append(connection)
        return answer

    def _idle_connection(self, place: Place) -> socket | None:
        """Return an open connection, or None. The service may have closed a connection in the meantime."""
        idle = self._idle[place.server]
        while idle:
            connection = idle.pop()
            watch = poll()
            watch.register(connection, POLLIN)
            if not watch.poll(0):
                return connection
            connection.close()
        return None

    def _new_connection(self, place: Place, url: str) -> socket:
        try:
            connection = create_connection(place.address, self._connect_seconds)
            for option in self._botocores._socket_options:
                connection.setsockopt(*option)
            if place.server.startswith("https:"):
                connection = self._tls.wrap_socket(connection, server_hostname=place.address[0])
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=url, error=error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        connection.settimeout(self._read_seconds)
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context: ssl.SSLContext = create_urllib3_context()
        context.check_hostname = True
        context.load_verify_locations(get_cert_path(self._botocores._verify))
        return context


def _close(idle: dict[str, list[socket]]) -> None:
    for connections in idle.values():
        while connections:
            connections.pop().close()


class Content:
    """The body of an answer, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content

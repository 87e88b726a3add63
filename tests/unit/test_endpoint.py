"""Tests that this service's own signing and sending does what botocore's does, for every setting of botocore."""

import datetime
import ipaddress
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from incidents.runtime import deadline, endpoint, sdk

from tests.support.checkout import free_port

KEY = {"pk": {"S": "x"}, "sk": {"S": "y"}}
CALLS: dict[str, Callable[[Any], object]] = {
    "dynamodb": lambda client: client.get_item(TableName="incidents", Key=KEY),
    "sqs": lambda client: client.send_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/1/q", MessageBody="x"),
    "s3": lambda client: client.get_object(Bucket="manifests", Key="key"),
    "kms": lambda client: client.sign(KeyId="x", Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
    "events": lambda client: client.put_events(Entries=[{"Source": "x", "DetailType": "y", "Detail": "{}"}]),
}
REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1")
TRACE = {"AWS_LAMBDA_FUNCTION_NAME": "x", "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"}


def test_10_000_random_requests_have_the_signatures_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(31)

    def text(letters: str, most: int) -> str:
        return "".join(random.choices(letters, k=random.randint(1, most)))

    for _ in range(10_000):
        moment = datetime.datetime.fromtimestamp(random.randrange(4_000_000_000), datetime.UTC)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda moment=moment: moment)
        credentials = Credentials(
            text("ABCDEFGHIJ", 20), text("abc+/=XYZ12", 40), random.choice((None, text("aB/+=", 400)))
        )
        region, service = random.choice(REGIONS), random.choice(("dynamodb", "sqs", "events"))
        host = random.choice((f"{service}.{region}.amazonaws.com", "127.0.0.1", "localhost", "[::1]", "Some.Example"))
        scheme, port = random.choice(("http", "https")), random.choice(("", ":80", ":443", ":8000"))
        url = f"{scheme}://{host}{port}{random.choice(('', '/', '/ping', '/a/b~c'))}"
        method, body = random.choice(("POST", "GET")), random.randbytes(random.choice((0, 1, 60, 3_000)))
        headers = {
            random.choice(("X-Amz-Target", "Content-Type", "User-Agent", "X-Amzn-Trace-Id", "x-amz-meta", "A", "b")):
            text("ab; =/\t ,.é", 30) + "."
            for _ in range(random.randrange(6))
        }  # fmt: skip
        request = AWSRequest(method, url, headers, body)
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)

        place = endpoint.place_of(url)
        assert place is not None
        timestamp = moment.strftime("%Y%m%dT%H%M%SZ")
        signed = endpoint.sign(method, place, headers, body, credentials, region, service, timestamp)

        assert signed["Authorization"] == request.headers["Authorization"], (url, headers)
        assert signed["X-Amz-Date"] == request.headers["X-Amz-Date"]
        assert signed.get("X-Amz-Security-Token") == request.headers["X-Amz-Security-Token"]


@pytest.mark.parametrize(
    ("service", "settings"),
    [
        ("dynamodb", {}), ("sqs", {}), ("events", {}), ("kms", {}), ("s3", {}),
        ("dynamodb", {"AWS_SESSION_TOKEN": "a token"}),
        ("dynamodb", {"AWS_USE_FIPS_ENDPOINT": "true"}),
        ("dynamodb", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
        ("events", {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}),
        ("sqs", {"AWS_DEFAULT_REGION": "cn-north-1", **TRACE}),
        ("dynamodb", {"AWS_ENDPOINT_URL": "http://127.0.0.1:8000"}),
        ("dynamodb", {"AWS_ENDPOINT_URL": "http://[::1]:8000/path"}),
        ("dynamodb", {"AWS_ENDPOINT_URL": "http://localhost/an unusual//path"}),
    ],
)  # fmt: skip
def test_a_call_sends_the_request_of_botocore(
    service: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    moment = datetime.datetime(2026, 11, 27, 22, 14, 35, tzinfo=datetime.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
    monkeypatch.setattr(endpoint, "gmtime", moment.timetuple)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=31))
    ours = request_of(service)
    monkeypatch.setattr(endpoint, "replace", lambda client: None)
    botocores = request_of(service)

    host = ours[2].pop("host", None)  # the connection of botocore adds this header
    assert ours == botocores
    assert host is None or ("host" in ours[2]["authorization"] and host in ours[1])


def request_of(service: str) -> tuple[str, str, dict[str, str], object]:
    """Return the method, the URL, the headers and the body of the request that a client would send."""
    sent: list[Any] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, HTTPHeaders(), endpoint.Content(b"" if service == "s3" else b"{}"))

    client = sdk.make_client(service)
    client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", answer)
    CALLS[service](client)
    (request,) = sent
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
    }
    headers["user-agent"] = headers["user-agent"].partition(" PT/")[0]  # Powertools adds its version to botocore's
    return request.method, request.url, headers, request.body


class Server(ThreadingHTTPServer):
    """A server in the place of DynamoDB. It keeps each request, and answers with the next of ``answers``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: list[Callable[[Answer], None]] = []
        self.lines: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.ports: list[int] = []

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield self
        self.shutdown()
        thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        pass  # a client may refuse the certificate, or leave


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:  # http.server requires this name
        self.rfile.read(int(self.headers["content-length"]))
        self.server.lines.append(self.requestline)
        self.server.headers.append(dict(self.headers.items()))
        self.server.ports.append(self.client_address[1])
        (self.server.answers.pop(0) if self.server.answers else answers())(self)

    def log_message(self, *_: object) -> None:
        pass


def answers(status: int = 200, body: bytes = b"{}", **headers: str) -> Callable[[Answer], None]:
    def answer(handler: Answer) -> None:
        handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def ends(handler: Answer) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def ends_later(handler: Answer) -> None:
    """Answer, then close the connection without an announcement."""
    answers()(handler)
    handler.close_connection = True


def ends_in_its_answer(handler: Answer) -> None:
    answers(200, b"{", content_length="2")(handler)
    handler.close_connection = True


def says_nothing(handler: Answer) -> None:
    assert not handler.connection.recv(1), "the client closes the connection first"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server().running() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield server


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make one attempt at each call, and wait a fifth of a second for the answer."""
    monkeypatch.setenv("DYNAMODB_ATTEMPTS", "1")
    monkeypatch.setenv("DYNAMODB_READ_SECONDS", "0.2")
    deadline.bounds.cache_clear()
    yield
    deadline.bounds.cache_clear()


def get() -> Any:
    return CALLS["dynamodb"](sdk.make_client("dynamodb"))


def test_each_attempt_is_signed_anew_with_its_time_and_credentials(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(1_800_000_000, 1_900_000_000, 60))
    monkeypatch.setattr(endpoint, "gmtime", lambda: time.gmtime(next(moments)))
    names = map("KEY{}".format, count())

    def refresh() -> dict[str, str]:
        name = next(names)
        # botocore refreshes credentials that end within ten minutes, so it refreshes these at each attempt.
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
        return {"access_key": name, "secret_key": name, "token": f"token of {name}", "expiry_time": soon.isoformat()}

    session: Any = sdk.session()
    session._credentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "of the tests")
    fails = answers(500, b'{"__type": "com.amazonaws#InternalServerError"}')
    server.answers = [fails, fails]

    get()

    assert [one["X-Amz-Date"] for one in server.headers] == ["20270115T080000Z", "20270115T080100Z", "20270115T080200Z"]
    used = [one["Authorization"].split("Credential=")[1].partition("/")[0] for one in server.headers]
    assert len(set(used)) == 3
    assert [one["X-Amz-Security-Token"] for one in server.headers] == [f"token of {name}" for name in used]
    assert len({one["Authorization"] for one in server.headers}) == 3
    assert len({one["amz-sdk-invocation-id"] for one in server.headers}) == 1


def test_another_attempt_tells_its_end_on_the_clock_of_the_service(server: Server) -> None:
    """botocore computes the end. It does not correct the time of a signature, and neither does this service."""
    server.answers = [answers(500, b"{}", Date="Thu, 01 Jan 2037 00:00:00 GMT")]
    get()
    first, second = (dict(part.split("=") for part in one["amz-sdk-request"].split("; ")) for one in server.headers)
    assert first == {"attempt": "1", "max": "3"}
    assert second.pop("ttl")[:8] in ("20361231", "20370101")
    assert second == {"attempt": "2", "max": "3"}
    assert server.headers[1]["X-Amz-Date"] < "2037"


def test_calls_share_a_connection_and_a_closed_connection_is_replaced(server: Server) -> None:
    client = sdk.make_client("dynamodb")
    server.answers = [answers(), ends_later, answers(), answers(connection="close"), answers(), answers()]
    for _ in range(5):
        CALLS["dynamodb"](client)
    first, second, third, fourth, fifth = server.ports
    assert first == second
    assert third == fourth
    assert len({first, third, fifth}) == 3
    client.close()
    CALLS["dynamodb"](client)
    assert server.ports[-1] != fifth


def test_an_answer_in_chunks_is_read(server: Server) -> None:
    def in_chunks(handler: Answer) -> None:
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b'b\r\n{"Item": {}\r\n1\r\n}\r\n0\r\n\r\n')

    server.answers = [in_chunks]
    client = sdk.make_client("dynamodb")
    assert CALLS["dynamodb"](client)["Item"] == {}  # type: ignore[index]
    CALLS["dynamodb"](client)
    assert server.ports[0] == server.ports[1]


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (ends, ConnectionClosedError),
        (says_nothing, ReadTimeoutError),
        (ends_in_its_answer, ConnectionClosedError),
        (lambda handler: handler.wfile.write(b"SMTP hello\r\n\r\n"), ConnectionClosedError),
        (answers(400, b'{"__type": "com.amazonaws#ResourceNotFoundException"}'), ClientError),
    ],
)
@pytest.mark.usefixtures("once")
def test_a_failure_raises_the_error_of_botocore(
    server: Server, behave: Callable[[Answer], None], error: type[Exception]
) -> None:
    server.answers = [behave]
    with pytest.raises(error):
        get()


@pytest.mark.usefixtures("once")
def test_an_unreachable_service_raises_the_error_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(EndpointConnectionError):
        get()


def test_a_failed_attempt_is_repeated_over_a_new_connection(server: Server) -> None:
    server.answers = [ends, answers(200, b'{"Item": {"a": {"N": "1"}}}')]
    assert get()["Item"] == {"a": {"N": "1"}}
    assert len(set(server.ports)) == 2


def test_a_call_without_credentials_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoCredentialsError):
        get()
    assert server.lines == []


def test_a_proxy_gets_the_requests(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb.example")
    get()
    assert server.lines == ["POST http://dynamodb.example/ HTTP/1.1"]
    assert server.headers[0]["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/")


@pytest.mark.usefixtures("once")
def test_a_call_over_https_checks_the_certificate_and_the_name(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = tmp_path / "certificate.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    write_certificate(certificate)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"https://127.0.0.1:{port}")
    with pytest.raises(SSLError, match="self-signed certificate"):
        get()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    get()
    assert server.headers[0]["Host"] == f"127.0.0.1:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"https://localhost:{port}")
    with pytest.raises(SSLError, match="Hostname mismatch"):
        get()
    assert len(server.lines) == 1


def write_certificate(path: Path) -> None:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))

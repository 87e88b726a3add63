"""Tests of the documentation's function.

It returns two public texts, and a page that can load and run only its own content.
"""

import base64
import gzip
import json
import subprocess
import sys
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import get_documentation
import pytest
from get_documentation import PATH, handler

from tests.support import templates

DOCUMENT, PAGE = f"GET {PATH}/openapi.json", f"GET {PATH}/docs"
ANSWER_MAX = 6_000_000  # Lambda's limit for a response, in bytes


def get(route: str, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return handler({"routeKey": route, "headers": named}, None)


class ReadPage(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.links: list[str] = []
        self.handlers: list[str] = []
        self._inside: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in self.inline else None
        if self._inside:
            self.inline[tag].append("")
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]
        self.handlers += [name for name, _ in attributes if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline[self._inside][-1] += data


@pytest.fixture(scope="module")
def page() -> ReadPage:
    parsed = ReadPage()
    parsed.feed(get(PAGE)["body"])
    return parsed


def test_the_documentation_answers_the_routes_of_the_template() -> None:
    events = templates.functions()[templates.DOCUMENTATION]["Events"].values()
    assert set(get_documentation.ANSWERS) == {
        f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in events
    }


def test_the_served_document_is_the_committed_file() -> None:
    answer = get(DOCUMENT)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "application/json")
    assert answer["body"] == (templates.CHECKOUT / "infra" / "functions" / "documentation" / "openapi.json").read_text()


@pytest.mark.parametrize("route", [DOCUMENT, PAGE])
def test_the_documentation_is_compressed_on_request(route: str) -> None:
    plain, compressed = get(route), get(route, accept_encoding="gzip, br")
    assert compressed["isBase64Encoded"]
    assert compressed["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(compressed["body"])).decode() == plain["body"]
    assert len(compressed["body"]) < len(plain["body"]) / 2 < ANSWER_MAX / 2


@pytest.mark.parametrize("header", ["gzip", "GZIP", "br, gzip;q=0.1", "gzip ; q=1.0 , br", "deflate,gzip"])
def test_an_accept_encoding_with_gzip_gives_gzip(header: str) -> None:
    assert "content-encoding" in get(DOCUMENT, accept_encoding=header)["headers"]


@pytest.mark.parametrize(
    "header", ["", "identity", "gzip;q=0", "identity, gzip;q=0.0", "gzipped", "x-gzip", "gzip;q=x"]
)
def test_an_accept_encoding_without_gzip_gives_plain_text(header: str) -> None:
    assert "content-encoding" not in get(DOCUMENT, accept_encoding=header)["headers"]


@pytest.mark.parametrize("route", [DOCUMENT, PAGE])
def test_a_known_etag_gives_304(route: str) -> None:
    etag = get(route)["headers"]["etag"]
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*", " * "):
        again = get(route, if_none_match=known)
        assert (again["statusCode"], again["body"]) == (304, "")
    for unknown in ('W/"other"', "", f"x{etag}y", etag.removeprefix("W/").strip('"')):
        assert get(route, if_none_match=unknown)["statusCode"] == 200


@pytest.mark.parametrize("route", [DOCUMENT, PAGE])
@pytest.mark.parametrize("status", ["200", "304"])
def test_every_header_of_the_documentation_is_documented(route: str, status: str) -> None:
    method, _, path = route.partition(" ")
    document = json.loads(get(DOCUMENT)["body"])
    documented = document["paths"][path][method.lower()]["responses"][status]["headers"]
    answer = get(route) if status == "200" else get(route, if_none_match="*")
    assert {name.lower() for name in documented} == set(answer["headers"]) - {"content-type"}


def test_the_content_security_policy_allows_only_the_page_s_own_content(page: ReadPage) -> None:
    policy = dict(
        directive.strip().split(" ", 1) for directive in get(PAGE)["headers"]["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": " ".join(map(hash_of, page.inline["script"])),
        "style-src": " ".join(map(hash_of, page.inline["style"])),
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert len(page.inline["script"]) == 2
    assert page.handlers == [], "a policy with hashes allows no event handlers"


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_page_requests_no_other_host(page: ReadPage) -> None:
    assert set(page.links) == {"data:,", "openapi.json"}


def test_the_documentation_does_not_import_the_packages_of_the_other_functions() -> None:
    code = "import sys, get_documentation; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    folder = templates.CHECKOUT / "infra" / "functions" / "documentation"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"aws_lambda_powertools", "botocore", "pydantic", "incidents"}

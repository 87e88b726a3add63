"""Serve the API's documentation, for programs and for people. Both routes are public and need no token.

GET /api/v1/grc/incidents/openapi.json: the OpenAPI document.
GET /api/v1/grc/incidents/docs: a page to read the documentation and to try the API.

The page shows the document with Swagger UI, which is a part of the installed package Powertools. This module reads only
Swagger UI's files and the files in its own folder. The page contains all its scripts and styles. So the page's
Content-Security-Policy can allow each script and style by its hash, and forbid all others and all other hosts.
"""

import gzip
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PATH = "/api/v1/grc/incidents"
HERE = Path(__file__).parent
_WEIGHT = re.compile(r"\s*q=(0?\.[0-9]{0,9}|0|1(?:\.0{0,9})?)\s*")
_ENTITY_TAGS = re.compile(r'(W/)?"[!#-~]*"(\s*,\s*(W/)?"[!#-~]*")*')
SECONDS_FRESH = 300  # for this time, a browser uses its copy; then it asks again, with the copy's ETag


class Text:
    """A constant text with its response headers, such as the documentation page."""

    def __init__(self, text: str, media_type: str, **headers: str) -> None:
        self._bytes = text.encode()
        self._headers = {
            "content-type": media_type,
            "cache-control": f"public, max-age={SECONDS_FRESH}",
            "etag": f'W/"{sha256(self._bytes).hexdigest()[:32]}"',  # weak, because both encodings have the same ETag
            "vary": "accept-encoding",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            **headers,
        }

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self._bytes, mtime=0)

    def answer(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return the answer for the gateway: the text, or a 304 if the caller's copy is current.

        The text is compressed if the caller accepts gzip.
        """
        if self._is_known(headers.get("if-none-match", "")):
            return {"statusCode": 304, "headers": self._headers, "body": ""}
        if not _accepts_gzip(headers.get("accept-encoding", "")):
            return {"statusCode": 200, "headers": self._headers, "body": self._bytes.decode()}
        return {
            "statusCode": 200,
            "headers": self._headers | {"content-encoding": "gzip"},
            "body": b64encode(self._compressed).decode(),
            "isBase64Encoded": True,
        }

    def _is_known(self, if_none_match: str) -> bool:
        """Return whether the header If-None-Match names this text's ETag, by weak comparison (RFC 9110 13.1.2)."""
        known = if_none_match.strip()
        return known == "*" or (
            _ENTITY_TAGS.fullmatch(known) is not None
            and self._headers["etag"].removeprefix("W/") in re.findall(r'"[!#-~]*"', known)
        )


def _accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the header Accept-Encoding names gzip with a weight above 0 (RFC 9110 12.5.3)."""
    for coding in accept_encoding.lower().split(","):
        name, has_weight, parameter = coding.partition(";")
        if name.strip() == "gzip":
            weight = _WEIGHT.fullmatch(parameter)
            return not has_weight or (weight is not None and weight[1].strip("0.") != "")
    return False


def _viewer(name: str) -> str:
    """Return the text of a file of Swagger UI, without importing Powertools. Raises RuntimeError without Powertools."""
    powertools = find_spec("aws_lambda_powertools")
    if powertools is None or powertools.origin is None:
        raise RuntimeError("the artifact lacks Swagger UI; build it with aws-lambda-powertools, as in requirements.txt")
    folder = Path(powertools.origin).parent / "event_handler" / "openapi" / "swagger_ui"
    return (folder / name).read_text(encoding="utf-8").strip()


def _page() -> Text:
    styles = [_viewer("swagger-ui.min.css"), (HERE / "page.css").read_text(encoding="utf-8").strip()]
    scripts = [_viewer("swagger-ui-bundle.min.js"), (HERE / "page.js").read_text(encoding="utf-8").strip()]
    elements = [f"<style>{style}</style>" for style in styles], [f"<script>{script}</script>" for script in scripts]
    html = (HERE / "page.html").read_text(encoding="utf-8")
    for place, element in zip(("STYLES", "SCRIPTS"), elements, strict=True):
        html = html.replace(f"<!--{place}-->", "\n".join(element))
    return Text(html, "text/html; charset=utf-8", **{"content-security-policy": _policy(styles, scripts)})


def _policy(styles: list[str], scripts: list[str]) -> str:
    return "; ".join((
        "default-src 'none'",
        f"script-src {' '.join(map(_hash, scripts))}",
        f"style-src {' '.join(map(_hash, styles))}",
        "img-src data:",  # Swagger UI's icons
        "connect-src 'self'",  # to load the OpenAPI document, and to try the API
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ))  # fmt: skip


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


ANSWERS = {
    f"GET {PATH}/openapi.json": Text((HERE / "openapi.json").read_text(encoding="utf-8"), "application/json"),
    f"GET {PATH}/docs": _page(),
}


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    return ANSWERS[event["routeKey"]].answer(event.get("headers", {}))

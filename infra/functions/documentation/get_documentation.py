"""Serve the API's documentation, for programs and for people. Both routes are public and need no token.

GET /api/v1/grc/incidents/openapi.json: the OpenAPI document.
GET /api/v1/grc/incidents/docs: a page to read the documentation and to try the API.

The module reads only the files in its own folder and the viewer, which is Swagger UI as Powertools ships it. The page
is one document with the viewer inside. So its Content-Security-Policy can name each script and style by its hash, and
allow nothing else and no other host.
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
_GZIP = re.compile(r"(^|,)\s*gzip\s*(;\s*q=(1(\.0*)?|0?\.\d*[1-9]\d*)\s*)?(,|$)", re.IGNORECASE | re.ASCII)
_ENTITY_TAGS = re.compile(r'(W/)?"[!#-~]*"(\s*,\s*(W/)?"[!#-~]*")*')
SECONDS_FRESH = 300  # after this time, a browser asks again, with the ETag of its copy


class Text:
    """A constant text with its headers, ready to be sent."""

    def __init__(self, text: str, media_type: str, **headers: str) -> None:
        self._bytes = text.encode()
        self._headers = {
            "content-type": media_type,
            "cache-control": f"public, max-age={SECONDS_FRESH}",
            "etag": f'W/"{sha256(self._bytes).hexdigest()[:32]}"',  # weak: the same for both encodings
            "vary": "accept-encoding",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            **headers,
        }

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self._bytes, mtime=0)

    def answer(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return the gateway's answer: the text, compressed if the caller accepts gzip, or a 304 for a current copy."""
        if self._is_known(headers.get("if-none-match", "")):
            return {"statusCode": 304, "headers": self._headers, "body": ""}
        if not _GZIP.search(headers.get("accept-encoding", "")):
            return {"statusCode": 200, "headers": self._headers, "body": self._bytes.decode()}
        return {
            "statusCode": 200,
            "headers": self._headers | {"content-encoding": "gzip"},
            "body": b64encode(self._compressed).decode(),
            "isBase64Encoded": True,
        }

    def _is_known(self, if_none_match: str) -> bool:
        """Return whether If-None-Match names this text's ETag, by weak comparison (RFC 9110 13.1.2)."""
        known = if_none_match.strip()
        return known == "*" or (
            _ENTITY_TAGS.fullmatch(known) is not None
            and self._headers["etag"].removeprefix("W/") in re.findall(r'"[!#-~]*"', known)
        )


def _viewer(name: str) -> str:
    """Return the text of a file of the viewer, found without importing Powertools. Raises RuntimeError without one."""
    powertools = find_spec("aws_lambda_powertools")
    if powertools is None or powertools.origin is None:
        raise RuntimeError("the artifact has no viewer: build it with aws-lambda-powertools, as requirements.txt says")
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
        "img-src data:",  # the viewer's icons
        "connect-src 'self'",  # for the document and for the calls that a reader tries
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

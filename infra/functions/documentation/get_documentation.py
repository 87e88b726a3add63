"""Serve the API's documentation, for programs and for people. Both routes are public and need no token.

GET /api/v1/grc/incidents/openapi.json: the OpenAPI document.
GET /api/v1/grc/incidents/docs: a page to read the documentation and to try the API.

The page shows the document with Swagger UI, which is a part of the installed package Powertools. This module reads only
Swagger UI's files and the files in its own folder. The page contains all its scripts and styles. So the page's
Content-Security-Policy can allow each script and style by its hash, and forbid all others and all other hosts.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from constant_text import Text

PATH = "/api/v1/grc/incidents"
HERE = Path(__file__).parent
FRESH = "public, max-age=300"  # in seconds; then a browser asks again, and sends the copy's ETag


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
    return Text(html, "text/html; charset=utf-8", FRESH, **{"content-security-policy": _policy(styles, scripts)})


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
    f"GET {PATH}/openapi.json": Text((HERE / "openapi.json").read_text(encoding="utf-8"), "application/json", FRESH),
    f"GET {PATH}/docs": _page(),
}


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    return ANSWERS[event["routeKey"]].answer(event.get("headers", {}))

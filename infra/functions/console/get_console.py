"""Serve the console: a page for people who work with incidents. All routes are public and need no token.

GET /api/v1/grc/incidents/console: the page.
GET /api/v1/grc/incidents/console/{file}: the page's script and stylesheet, their licenses, and `config`.

The page reads the API with the token of the person who signed in. So the page itself contains no data. `config` says
where people sign in: the client and the addresses at the token issuer, from the parameters of the stack.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from constant_text import Text

PATH = "/api/v1/grc/incidents/console"
HERE = Path(__file__).parent
_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".txt": "text/plain"}
_ASK_AGAIN = "no-cache"  # a browser sends its copy's ETag each time, so that an update reaches everybody at once
_FOR_EVER = "public, max-age=31536000, immutable"  # the file's name contains the hash of its content


def config(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the addresses and settings of the sign-in. A value that is not set is an empty text.

    The issuer and the endpoints have the same names as in an OIDC discovery document.
    """
    tenant, app, _, scopes = environment.get("TOKEN_CLAIMS", "tenant_id app_id  scope,scp").split(" ")
    return {
        "issuer": environment.get("JWT_ISSUER", ""),
        "authorization_endpoint": environment.get("AUTHORIZE_URL", ""),
        "token_endpoint": environment.get("TOKEN_URL", ""),
        "end_session_endpoint": environment.get("SIGN_OUT_URL", ""),
        "client_id": environment.get("CLIENT_ID", ""),
        "scope": environment.get("SCOPES", ""),
        "claims": {"tenant": tenant, "app": app, "scopes": scopes.split(",")},
    }


def policy(token_url: str) -> str:
    """Return the page's Content-Security-Policy.

    The page loads only its own files, and sends requests only to the API and to the token endpoint's origin. With
    Trusted Types, no script can turn a text into markup.
    """
    issuer = urlsplit(token_url)
    origin = f" {issuer.scheme}://{issuer.netloc}" if issuer.netloc else ""
    return "; ".join((
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src data:",
        f"connect-src 'self'{origin}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ))  # fmt: skip


def texts(environment: Mapping[str, str]) -> dict[str, Text]:
    """Return the page under "", and each file by its name."""
    settings = config(environment)
    page = {
        "content-security-policy": policy(settings["token_endpoint"]),
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
    files = {
        path.name: Text(path.read_text(encoding="utf-8"), _MEDIA_TYPES[path.suffix], _FOR_EVER)
        for path in sorted(HERE.glob("console-*"))
    }
    return files | {
        "": Text((HERE / "page.html").read_text(encoding="utf-8"), "text/html; charset=utf-8", _ASK_AGAIN, **page),
        "config": Text(json.dumps(settings), "application/json", _ASK_AGAIN),
        "licenses.txt": Text((HERE / "licenses.txt").read_text(encoding="utf-8"), _MEDIA_TYPES[".txt"], _ASK_AGAIN),
    }


TEXTS = texts(os.environ)
_NO_FILE = {
    "statusCode": 404,
    "headers": {"content-type": "text/plain", "cache-control": "no-store", "x-content-type-options": "nosniff"},
    "body": "There is no such file. The console was perhaps updated: load its page again.",
}


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    text = TEXTS.get((event.get("pathParameters") or {}).get("file", ""))
    return _NO_FILE if text is None else text.answer(event.get("headers", {}))

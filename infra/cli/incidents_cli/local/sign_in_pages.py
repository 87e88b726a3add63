"""The pages of the local stack's sign-in.

Two pages run a script. One stores the browser's proof, and the other sends it. So only pages of the stack's own origin
get the proof. The emulator's own interpreter imports this file. So the file imports only the standard library.
"""

import hashlib
import html
import json
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

SCOPES = ("incidents:read", "incidents:write")

Answer = tuple[int, dict[str, str], str]
"""The status, the headers and the body of an answer."""

_STYLE = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:26rem;margin:4rem auto;"
    "padding:0 1rem}label{display:block;margin:1rem 0}input{font:inherit;padding:.25rem .5rem}"
    "input:not([type=checkbox]){display:block;width:100%;box-sizing:border-box}button{font:inherit;padding:.25rem 1rem}"
    "fieldset{border:0;padding:0;margin:0}[role=alert]{font-weight:600}"
)
_STORE = (
    "const{proof,then}=document.currentScript.dataset;"
    'localStorage.setItem("incidents.browser",proof);location.replace(then)'
)
_PROVE = (
    'const form=document.forms[0];form.elements.proof.value=localStorage.getItem("incidents.browser")??"";form.submit()'
)
_WAITING = (
    "<p>This page continues by itself. If it does not continue, allow JavaScript and storage for this address. "
    "Then load the page again.</p>"
)


@dataclass(frozen=True)
class Identity:
    """The tenant, the application, the person and the scopes that a developer chose for a sign-in."""

    tenant: str = "acme"
    app: str = ""
    subject: str = "developer"
    scope: str = " ".join(SCOPES)


def storing(proof: str, then: str) -> Answer:
    """Return the page that stores the browser's proof, and continues at the address ``then``."""
    data = f'data-proof="{html.escape(proof)}" data-then="{html.escape(then)}"'
    return page("One moment", f"{_WAITING}<script {data}>{_STORE}</script>", script=_STORE)


def proving(target: str) -> Answer:
    """Return the page that sends the browser's proof to the address ``target`` as a form."""
    form = f'<form method="post" action="{html.escape(target)}"><input type="hidden" name="proof"></form>'
    return page("One moment", f"{_WAITING}{form}<script>{_PROVE}</script>", script=_PROVE)


def form(target: str, proof: str, identity: Identity, wrong: str, scopes: Collection[str]) -> Answer:
    """Return the page of the sign-in. Its form sends the proof and the choice to ``target``. ``wrong`` is an error."""

    def line(label: str, name: str, value: str, more: str) -> str:
        return f'<label>{label}<input name="{name}" value="{html.escape(value)}" autocomplete="off" {more}></label>'

    boxes = "".join(
        f'<label><input type="checkbox" name="scope" value="{scope}"{" checked" if scope in identity.scope else ""}> '
        f"{scope}</label>"
        for scope in SCOPES
        if scope in scopes
    )
    alert = f'<p role="alert">{html.escape(wrong)}</p>' if wrong else ""
    return page(
        "Sign in to the local stack",
        f'{alert}<form method="post" action="{html.escape(target)}">'
        + f'<input type="hidden" name="proof" value="{html.escape(proof)}">'
        + line("Tenant", "tenant", identity.tenant, 'required maxlength="63"')
        + line("Application (empty for a person)", "app", identity.app, 'maxlength="128"')
        + line("Person", "subject", identity.subject, 'required maxlength="255"')
        + f"<fieldset><legend>Scopes</legend>{boxes}</fieldset><button>Sign in</button></form>",
    )


def page(title: str, content: str, status: int = 200, script: str = "") -> Answer:
    """Return a page. Its policy permits this style and this script, and nothing else."""
    permitted = _hash_of(script) if script else "'none'"
    policy = (
        f"default-src 'none'; style-src {_hash_of(_STYLE)}; script-src {permitted}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",  # with no-referrer, a form would send the origin `null`
        "cache-control": "no-store",
    }
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>{content}</main></body></html>"
    )
    return status, headers, body


def json_answer(status: int, value: dict[str, Any]) -> Answer:
    return status, {"content-type": "application/json", "cache-control": "no-store"}, json.dumps(value)


def redirect(url: str) -> Answer:
    return 303, {"location": url, "cache-control": "no-store", "referrer-policy": "no-referrer"}, ""


def _hash_of(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

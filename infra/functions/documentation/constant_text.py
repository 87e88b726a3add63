"""A constant text with its response headers, such as a page. Every answer is complete, compressed, or a 304.

The functions in infra/functions/documentation and infra/functions/console share this file. The console's is a link.
"""

import gzip
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

_WEIGHT = re.compile(r"\s*q=(0?\.[0-9]{0,9}|0|1(?:\.0{0,9})?)\s*")
_ENTITY_TAGS = re.compile(r'(W/)?"[!#-~]*"(\s*,\s*(W/)?"[!#-~]*")*')


class Text:
    """A constant text with its response headers. ``cache_control`` says for how long a browser may use its copy."""

    def __init__(self, text: str, media_type: str, cache_control: str, **headers: str) -> None:
        self._bytes = text.encode()
        self._headers = {
            "content-type": media_type,
            "cache-control": cache_control,
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

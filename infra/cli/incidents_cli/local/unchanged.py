"""Recognize a build or a deployment that would change nothing, so that `incidents up` can skip it.

A fingerprint is the SHA-256 of all inputs of a build or a deployment. The fingerprint of a finished build is in a file.
The fingerprint of a finished deployment is in a tag of the API. The tag is a part of the emulator's state. So if a
crash of the emulator loses a deployment, the deployment's tag is lost, too.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from .local_stack import CHECKOUT, REGION, Stack

_TAG = "deployed-from"
_SOURCES = ("functions", "infra", "samconfig.toml", "template.yaml")
_NOT_SOURCES = {"__pycache__", "node_modules"}


def fingerprint_of_build(parameters: Mapping[str, str]) -> str:
    """Return the fingerprint of a build of the checkout's present files."""
    digest = hashlib.sha256(json.dumps([sys.version, sys.executable, dict(parameters)]).encode())
    for path in _sources():
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(CHECKOUT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def fingerprint_of_deployment(build: Path, parameters: Mapping[str, str]) -> str:
    """Return the fingerprint of a deployment of a finished build."""
    return hashlib.sha256(json.dumps([fingerprint_in(build), dict(parameters)]).encode()).hexdigest()


def fingerprint_in(build: Path) -> str | None:
    """Return the fingerprint of a finished build, or None if the build is missing or unfinished."""
    mark = _mark(build)
    return mark.read_text() if mark.exists() else None


def mark_build(build: Path, fingerprint: str) -> None:
    """Mark a build as finished."""
    _mark(build).write_text(fingerprint)


def unmark_build(build: Path) -> None:
    """Mark a build as unfinished."""
    _mark(build).unlink(missing_ok=True)


def is_deployed(stack: Stack, fingerprint: str) -> bool:
    """Return whether a finished deployment in the running emulator has this fingerprint."""
    api = stack.client("apigatewayv2")
    try:
        return bool(stack.api_id) and api.get_tags(ResourceArn=_arn(stack))["Tags"].get(_TAG) == fingerprint
    except api.exceptions.NotFoundException:  # the emulator has lost the recorded API
        return False


def mark_deployment(stack: Stack, fingerprint: str) -> None:
    """Mark the deployment as finished."""
    stack.client("apigatewayv2").tag_resource(ResourceArn=_arn(stack), Tags={_TAG: fingerprint})


def unmark_deployment(stack: Stack) -> None:
    """Mark the deployment as unfinished."""
    api = stack.client("apigatewayv2")
    if stack.api_id:
        with suppress(api.exceptions.NotFoundException):
            api.untag_resource(ResourceArn=_arn(stack), TagKeys=[_TAG])


def _arn(stack: Stack) -> str:
    return f"arn:aws:apigateway:{REGION}::/apis/{stack.api_id}"


def _mark(build: Path) -> Path:
    return build / "built-from"


def _sources() -> Iterator[Path]:
    for name in _SOURCES:
        if (CHECKOUT / name).is_file():
            yield CHECKOUT / name
        for folder, below, files in os.walk(CHECKOUT / name):
            below[:] = sorted(set(below) - _NOT_SOURCES)
            yield from (Path(folder, file) for file in sorted(files))

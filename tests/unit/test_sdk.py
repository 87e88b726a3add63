"""Tests that the session of the SDK's clients lacks only handlers that no client of this service needs."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore import handlers
from incidents.runtime import sdk
from incidents_cli.local import artifact


def test_the_session_has_every_handler_of_botocore_for_the_called_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each handler of botocore is replaced by one that notes its place in botocore's list."""
    called: list[int] = []

    def noting(place: int) -> Any:
        return lambda **_: called.append(place)

    specifications = [
        (event, noting(place), *order) for place, (event, _, *order) in enumerate(handlers.BUILTIN_HANDLERS)
    ]
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", specifications)
    monkeypatch.setattr(sdk, "BUILTIN_HANDLERS", specifications)
    complete: Any = botocore.session.Session()
    kinds = {event.partition(".")[0] for event, *_ in specifications} - {"docs"}
    request = SimpleNamespace(headers={"User-Agent": ""})  # Powertools adds its version to it

    def calls(session: Any, service: str) -> dict[str, list[int]]:
        model = session.get_service_model(service)
        made = {}
        for kind, name in product(sorted(kinds), {service, model.service_id.hyphenize()}):
            for event in (kind, f"{kind}.{name}", *(f"{kind}.{name}.{each}" for each in model.operation_names)):
                called.clear()
                session.get_component("event_emitter").emit(event, request=request)
                made[event] = list(called)
        return made

    for service in artifact.services_called():
        sdk.session.cache_clear()
        for _ in range(2):
            sdk.register_handlers(service)
        wanted = calls(complete, service)
        assert calls(sdk.session(), service) == wanted
        assert len({place for places in wanted.values() for place in places}) >= 8
    sdk.session.cache_clear()

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
    sdk.session.cache_clear()
    complete: Any = botocore.session.Session()
    kinds = {event.partition(".")[0] for event, *_ in specifications} - {"docs"}
    operations = {
        service: complete.get_service_model(service).operation_names for service in artifact.services_called()
    }
    ids = {service: complete.get_service_model(service).service_id.hyphenize() for service in operations}

    request = SimpleNamespace(headers={"User-Agent": ""})  # Powertools adds its version to it

    def calls(session: Any) -> dict[str, list[int]]:
        made = {}
        for kind, (service, names) in product(sorted(kinds), operations.items()):
            for name in (service, ids[service]):
                for event in (kind, f"{kind}.{name}", *(f"{kind}.{name}.{operation}" for operation in names)):
                    called.clear()
                    session.get_component("event_emitter").emit(event, request=request)
                    made[event] = list(called)
        return made

    wanted, ours = calls(complete), calls(sdk.session())
    sdk.session.cache_clear()
    assert ours == wanted
    assert len({place for places in wanted.values() for place in places}) >= 8

"""Create clients for AWS services, with the time limits of ``deadline``.

- The clients come from botocore. boto3 would add a layer above the same clients, which makes a start slower.
- The user agent is fixed. Otherwise botocore builds it twice per request, and a get costs 1.18 times as much.
- botocore does not validate parameters, because our code builds them and the AWS service validates them anyway.
- All clients share one session, because each new session loads botocore's data again.
- The session has only those of botocore's handlers that concern its clients. With all handlers, a start costs 1.07
  times as much.
"""

from functools import cache
from typing import Any

import botocore
import botocore.session
from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST

from . import deadline, endpoint


def make_client(service: str) -> Any:
    """Return a new client. Before each attempt at a call, the client raises Busy if too little time is left."""
    bounds = deadline.bounds()
    config = Config(
        connect_timeout=bounds.connect_seconds,
        read_timeout=bounds.read_seconds,
        retries={"mode": "standard", "total_max_attempts": bounds.attempts},
        user_agent=f"grc-incidents Botocore/{botocore.__version__}",
        parameter_validation=False,
    )
    register_handlers(service)
    client: Any = session().create_client(service, config=config)
    endpoint.replace(client)
    events = client.meta.events
    name = client.meta.service_model.service_id.hyphenize()
    events.register_first(f"before-send.{name}", lambda **_: deadline.require_time())
    events.register_first(f"needs-retry.{name}", _forget_retry_after)
    return client


@cache
def session() -> botocore.session.Session:
    """Return this process's botocore session, which is created on first use."""
    return botocore.session.Session(include_builtin_handlers=False)


def register_handlers(service: str) -> None:
    """Register botocore's own handlers for a service. A handler that is already registered is not registered again."""
    events: Any = session().get_component("event_emitter")
    names = (service, session().get_service_model(service).service_id.hyphenize())
    orders = {(REGISTER_FIRST,): events.register_first, (REGISTER_LAST,): events.register_last}
    for place, (event, handler, *order) in enumerate(BUILTIN_HANDLERS):
        concerned = event.split(".")[1:2]
        if not concerned or concerned[0] in names:
            orders.get(tuple(order), events.register)(event, handler, unique_id=f"builtin {place}")


def _forget_retry_after(response: Any, **_: object) -> None:
    """Remove an answer's header that asks for a pause of up to five seconds. The deadline allows no such pause."""
    if response is not None:
        response[0].headers.pop("x-amz-retry-after", None)

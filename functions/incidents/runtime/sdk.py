"""Create clients for AWS services, with the time limits of ``deadline``.

- The clients come from botocore. boto3 would add a layer above the same clients, which makes a start slower.
- The user agent is fixed. Otherwise botocore builds it twice per request, and a get costs 1.18 times as much.
- botocore does not validate parameters, because our code builds them and the AWS service validates them anyway.
- All clients share one session, because each new session loads botocore's data again.
- The session has only the third of botocore's handlers that concern these services. With all handlers, a start costs
  1.07 times as much.
"""

from functools import cache
from typing import Any

import botocore
import botocore.session
from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST

from . import deadline, endpoint

_SERVICES = ("dynamodb", "events", "eventbridge", "kms", "s3", "sqs")
"""The services of the clients, as botocore names them in its events."""


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
    made = botocore.session.Session(include_builtin_handlers=False)
    events: Any = made.get_component("event_emitter")
    register = {None: events.register, REGISTER_FIRST: events.register_first, REGISTER_LAST: events.register_last}
    for event, handler, *order in BUILTIN_HANDLERS:
        service = event.split(".")[1:2]
        if not service or service[0] in _SERVICES:
            register[order[0] if order else None](event, handler)
    return made


def _forget_retry_after(response: Any, **_: object) -> None:
    """Remove an answer's header that asks for a pause of up to five seconds. The deadline allows no such pause."""
    if response is not None:
        response[0].headers.pop("x-amz-retry-after", None)

"""Clients for AWS services, each within the bounds of ``deadline``.

- botocore instead of boto3: the clients are the same, and a function starts faster without boto3's layer above them.
- The user agent is fixed. Otherwise botocore builds it twice per request, and a get costs 1.18 times as much.
- botocore does not validate the parameters: they come from our code, and the service validates them anyway.
- All clients share one session, because each new session loads botocore's data again.
"""

from functools import cache
from typing import Any

import botocore
import botocore.session
from botocore.config import Config

from . import deadline


def make_client(service: str) -> Any:
    """Return a new client. Before each attempt at a call, it raises Busy if the deadline leaves too little time."""
    bounds = deadline.bounds()
    config = Config(
        connect_timeout=bounds.connect_seconds,
        read_timeout=bounds.read_seconds,
        retries={"mode": "standard", "total_max_attempts": bounds.attempts},
        user_agent=f"grc-incidents Botocore/{botocore.__version__}",
        parameter_validation=False,
    )
    client: Any = session().create_client(service, config=config)
    events = client.meta.events
    name = client.meta.service_model.service_id.hyphenize()
    events.register_first(f"before-send.{name}", lambda **_: deadline.require_time())
    events.register_first(f"needs-retry.{name}", _forget_retry_after)
    return client


@cache
def session() -> botocore.session.Session:
    """Return the session of this process, made on first use."""
    return botocore.session.get_session()


def _forget_retry_after(response: Any, **_: object) -> None:
    """Remove an answer's request for a pause of up to five seconds, for which the deadline leaves no time."""
    if response is not None:
        response[0].headers.pop("x-amz-retry-after", None)

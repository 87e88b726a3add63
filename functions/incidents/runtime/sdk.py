"""Clients of AWS's services, each within the bounds of ``deadline``.

botocore and not boto3: the clients are the same, and a function that does not load the layer above starts faster. The
user agent is fixed: botocore would put it together anew, twice a request, and a get would cost 1.18 times as much. It
does not look at the parameters, which are ours and which the service looks at anyway. All clients are of one session:
another one loads botocore's data again.
"""

from functools import cache
from typing import Any

import botocore
import botocore.session
from botocore.config import Config

from . import deadline


def make_client(service: str) -> Any:
    """Return a new client; before each attempt at a call it checks that the deadline leaves time for one."""
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
    """Keep botocore to its own pauses: an answer may ask it for five seconds, which the deadline does not have."""
    if response is not None:
        response[0].headers.pop("x-amz-retry-after", None)

"""What a function does once, while Lambda starts it. The edges call ``prepare`` when they make a handler.

During a start, a function has a full CPU core; during a request, it has a share that depends on its memory. So the
start creates what the process needs anyway, and the first request does not pay for it. The settings of the log make a
line a third cheaper.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress


def is_on_lambda() -> bool:
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


def prepare(*clients: Callable[[], object]) -> None:
    """Set up the process and, on Lambda, make the clients that its requests will use. Never raises."""
    # The log lines contain no source line, thread or process, so do not look these up (logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if is_on_lambda():
        for make_client in clients:
            with suppress(Exception):  # the first request will report the error
                make_client()

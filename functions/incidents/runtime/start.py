"""Prepare a function once, while Lambda starts it. The edges call ``prepare`` when they create a handler.

During a start, a function has a full CPU core. During a request, the CPU share depends on the function's memory. So the
clients are created during the start, and the first request does not wait for them. The logging settings make a log line
a third cheaper.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress


def is_on_lambda() -> bool:
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


def prepare(*clients: Callable[[], object]) -> None:
    """Set up logging and, on Lambda, create the clients that later requests use. Never raises."""
    # The log lines contain no source line, thread or process, so logging need not determine them (logging
    # HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if is_on_lambda():
        for make_client in clients:
            with suppress(Exception):  # the first request will report the error
                make_client()

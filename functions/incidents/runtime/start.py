"""What a function does once, while Lambda starts it: the edges call ``prepare`` as they make a handler.

A start has a whole core, whatever the function's memory, and a request a part of one. So what a process needs anyway is
made here, and the first request does not pay for it. The log's settings take a third off the price of a line.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress


def is_on_lambda() -> bool:
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


def prepare(*clients: Callable[[], object]) -> None:
    """Set the process up, and on Lambda make the clients that its requests will use. Never raises."""
    # A line of the log names no place in the code, no thread and no process, so nothing looks for them: the logging
    # HOWTO, "Optimization".
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if is_on_lambda():
        for make_client in clients:
            with suppress(Exception):  # the first request will say what is wrong
                make_client()

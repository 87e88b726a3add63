"""What a function does once, while Lambda starts it: the edges call ``prepare`` as they make a handler.

A start has a whole core, whatever the function's memory, and a request a part of one. So what a process needs anyway is
made here. Measured in instructions (``tests.benchmarks``, Python 3.11): a client costs 60 million, which the first
request would pay otherwise, and the log's settings take a third off the price of a line.
"""

import gc
import logging
import os
from collections.abc import Callable
from contextlib import suppress

GC_THRESHOLD = 20_000
"""A start makes much that stays, and a list much that dies with its request: at the usual 700 the collector would look
through both again and again."""


def is_on_lambda() -> bool:
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


def prepare(*clients: Callable[[], object]) -> None:
    """Settle the process, and on Lambda make the clients that its requests will use. Never raises."""
    gc.set_threshold(GC_THRESHOLD)
    # A line of the log names no place in the code, no thread and no process, so nothing looks for them: the logging
    # HOWTO, "Optimization".
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if is_on_lambda():
        for make_client in clients:
            with suppress(Exception):  # the first request will say what is wrong
                make_client()

"""The measured process: an interpreter, Lambda's bootstrap and one artifact.

This module uses only the standard library. Run `python -P -s -S worker.py ARTIFACT RUNTIME`, then write one request a
line to standard input. The process answers each request with one line:

``{"start": MODULE, "event": EVENT}``   import the module and call it once: the cost of both together
``{"load": MODULE}``                    import the module for the calls that follow
``{"calls": N, "event": EVENT}``        call the module N times: the CPU seconds and wall-clock seconds of one call
``{"profile": N, "event": EVENT}``      call the module N times: the share of each file in the CPU time
"""

import json
import sys
import time

ARTIFACT, RUNTIME = sys.argv[1], sys.argv[2]
sys.path[:0] = [ARTIFACT, RUNTIME]


class LambdaContext:
    """The context object that Lambda passes to a handler with the event."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    function_name = "incidents"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:111122223333:function:incidents"

    @staticmethod
    def get_remaining_time_in_millis():
        return 15_000


def start(module, event):
    opened = compiled = 0

    def note(name, arguments):
        nonlocal opened, compiled
        opened += name == "open"
        compiled += name == "compile" and str(arguments[1]).endswith(".py")

    if "--audit" in sys.argv:
        sys.addaudithook(note)
    wall, cpu = time.perf_counter(), time.process_time()
    answer = __import__(module).handler(event, LambdaContext)
    spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    counted = {"opened": opened, "compiled": compiled, "modules": len(sys.modules), "resident": resident()}
    return spent | counted | {"status": answer["statusCode"]}


def resident():
    """Return the resident bytes of this process, or None if the system does not report them.

    getrusage is not used, because it would include the parent's memory at the fork.
    """
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
    except OSError:
        return None


def calls(handler, count, event):
    text = json.dumps(event)
    events = [json.loads(text.replace("%N%", str(n))) for n in range(count)]
    wall, cpu = time.perf_counter(), time.process_time()
    for one in events:
        answer = handler(one, LambdaContext)
    spent = {"cpu": (time.process_time() - cpu) / count, "wall": (time.perf_counter() - wall) / count}
    assert not answer.get("batchItemFailures"), answer
    return spent | {"status": answer.get("statusCode", 200), "body": answer.get("body", "")}


def profile(handler, count, event):
    import cProfile
    import pstats

    profiler = cProfile.Profile(time.process_time)  # without the time of waiting for an answer
    profiler.runcall(calls, handler, count, event)
    seconds = {}
    for (file, *_), (_, _, own, _, callers) in pstats.Stats(profiler).stats.items():
        # The time of a function in C counts for the file that calls the function.
        parts = [(caller[0], times[2]) for caller, times in callers.items()] if file == "~" else [(file, own)]
        for name, spent in parts:
            seconds[name] = seconds.get(name, 0) + spent
    del seconds[__file__]  # this module makes the events
    return {"shares": {file: spent / sum(seconds.values()) for file, spent in seconds.items()}}


def main():
    import awslambdaric.bootstrap  # noqa: F401  # Lambda loads it before any function

    handler, out = None, sys.stdout
    sys.stdout = open("/dev/null", "w")  # noqa: SIM115, PTH123  # the functions log there
    for line in sys.stdin:
        asked = json.loads(line)
        said = {}
        if "start" in asked:
            said = start(asked["start"], asked["event"])
        elif "load" in asked:
            handler = __import__(asked["load"]).handler
        elif "profile" in asked:
            said = profile(handler, asked["profile"], asked["event"])
        else:
            said = calls(handler, asked["calls"], asked["event"])
        print(json.dumps(said), file=out, flush=True)


main()

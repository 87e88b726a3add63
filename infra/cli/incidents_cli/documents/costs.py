"""Compute what the service costs on AWS. `incidents costs` prints the result: the tables of docs/runbooks/costs.md.

For your own costs, change the prices in ``PRICES`` and the traffic in ``LIFE``. The DynamoDB units in ``REQUESTS`` are
measured, and a test compares them with the units that the functions use. The functions' run times are assumptions.
"""

from typing import NamedTuple

PRICES: dict[str, tuple[float, str]] = {
    "write unit": (0.625e-6, "DynamoDB, on demand: $0.625 per million write request units"),
    "read unit": (0.125e-6, "DynamoDB, on demand: $0.125 per million read request units"),
    "stored GB": (0.25, "DynamoDB, standard: $0.25 per GB and month, indexes included"),
    "recoverable GB": (0.20, "DynamoDB, point-in-time recovery: $0.20 per GB and month of the table, without indexes"),
    "API request": (1.00e-6, "HTTP API: $1.00 per million requests, in steps of 512 KB"),
    "call": (0.20e-6, "Lambda: $0.20 per million calls"),
    "GB-second": (13.3334e-6, "Lambda, arm64: $0.0000133334 per GB and second"),
    "event": (1.00e-6, "EventBridge: $1.00 per million events put on the bus"),
    "queue request": (0.40e-6, "SQS: $0.40 per million requests"),
    "logged GB": (0.50, "CloudWatch Logs: $0.50 per GB ingested"),
    "kept log GB": (0.03, "CloudWatch Logs: $0.03 per GB and month stored, compressed to about a seventh"),
    "sent GB": (0.09, "Data out to the internet: $0.09 per GB"),
    "trace": (5.00e-6, "X-Ray: $5.00 per million recorded traces"),
    "alarm metric": (0.10, "CloudWatch: $0.10 per month for each metric that an alarm watches"),
    "own metric": (0.30, "CloudWatch: $0.30 per month for each custom metric"),
    "dashboard": (3.00, "CloudWatch: $3.00 per month for a dashboard"),
    "secret": (0.40, "Secrets Manager: $0.40 per month for a secret"),
    "KMS key": (1.00, "KMS: $1.00 per month for a key"),
}
REGION, DATE = "us-east-1", "November 2026"


class Request(NamedTuple):
    """The resources that one request uses.

    The DynamoDB units (``writes``, ``reads``) are measured with incidents of 2 KB. The other values are assumptions.
    """

    writes: float
    reads: float
    milliseconds: float  # run time of a function with 512 MB, including a share of the cold starts
    sent_kb: float
    changes: bool = False  # whether the request changes an incident; each change causes an event and a day mark
    queued: bool = False  # whether the request comes through EventBridge and a queue instead of the API


REQUESTS = {
    "create": Request(15, 0, 60, 3, changes=True),
    "finding, new": Request(21, 3, 60, 0, changes=True, queued=True),
    "get": Request(0, 1, 20, 3),
    "list of 50": Request(0, 14, 60, 110),
    "50 updates": Request(0, 52, 60, 110),
    "10 events": Request(0, 5, 60, 30),
    "no update": Request(0, 0.5, 20, 1),
    "deadlines": Request(0, 2, 60, 20),
    "board of 50": Request(0, 5, 30, 35),
    "update": Request(12, 1, 60, 3, changes=True),
    "update of the status": Request(15, 1, 60, 3, changes=True),
    "closing": Request(16, 1, 60, 3, changes=True),
    "deletion": Request(13, 1, 60, 1, changes=True),
}
MEMORY_GB, LOGGED_KB = 0.5, 1.0  # a request has one log line of the function, two of Lambda and one of the gateway
BATCH = 5  # the number of changes that a reader of the table's stream processes at once, on average
READER_MS = 60  # the run time of each of the stream's two readers, per batch
MARKED = 1.0  # day marks per change, each with one write unit; if a change affects no metric, no day gets a mark
RECOMPUTED = 2.0  # read units per change, to compute the metrics of the marked day again
QUEUE_REQUESTS = 3  # one send by EventBridge, one receive and one delete by Lambda; AWS's events on the bus are free
TRACED = 0.05  # the fraction of the calls that X-Ray traces by default

LIFE = {"create": 1, "get": 20, "list of 50": 4, "update": 3, "update of the status": 2, "closing": 1, "deletion": 0.1}
"""The average number of requests in the life of one incident, by kind of request."""

STORED_KB = {"incident, number and history": 4.9, "its entries in indexes": 5.2}
"""The measured KB that an incident occupies after the requests in ``LIFE``.

DynamoDB's overhead of 100 bytes for each item and each index entry is included.
"""

FIXED = {"alarm metric": 58, "own metric": 49, "dashboard": 1, "secret": 2, "queue request": 1_300_000, "KMS key": 1,
         "read unit": 520_000, "call": 44_000}  # fmt: skip
"""The monthly quantities that are used even without any request.

The queue requests are Lambda's: five pollers for each of two queues, and each polls three times a minute. The read
units and the calls are from the scheduled functions. `announce_deadlines` runs each minute, and each run uses 12 read
units.
"""
INDEXES = 6  # each index has its own limit, which equals the table's limit
SIZES = (10**3, 10**6, 10**8)
_GB_OF_KB = 1 / 1024**2


def of_request(request: Request) -> dict[str, float]:
    """Return the cost of one request and of the work that it causes behind the API, in dollars, by cost type."""
    calls, seconds = 1.0, request.milliseconds / 1000 * MEMORY_GB
    writes, reads, events = request.writes, request.reads, 0.0
    if request.changes:
        calls += 2 / BATCH
        seconds += 2 * READER_MS / BATCH / 1000 * MEMORY_GB
        writes, reads, events = writes + MARKED, reads + RECOMPUTED, 1.0
    logged = LOGGED_KB * (1 + (2 / BATCH if request.changes else 0)) * _GB_OF_KB
    return {
        "table": writes * _price("write unit") + reads * _price("read unit"),
        "API": 0.0 if request.queued else _price("API request"),
        "functions": calls * _price("call") + seconds * _price("GB-second"),
        "events": events * _price("event") + (QUEUE_REQUESTS * _price("queue request") if request.queued else 0.0),
        "logs": logged * (_price("logged GB") + 3 * _price("kept log GB") / 7),
        "traces": TRACED * calls * _price("trace"),
        "data out": request.sent_kb * _GB_OF_KB * _price("sent GB"),
    }


def of_life() -> dict[str, float]:
    """Return the cost of all requests in the life of one incident, in dollars, by cost type."""
    parts = dict.fromkeys(of_request(REQUESTS["get"]), 0.0)
    for name, times in LIFE.items():
        for part, dollars in of_request(REQUESTS[name]).items():
            parts[part] += times * dollars
    return parts


def of_keeping() -> dict[str, float]:
    """Return the cost of storing one incident for a month, in dollars, by cost type."""
    table, indexes = STORED_KB.values()
    return {
        "table": table * _GB_OF_KB * _price("stored GB"),
        "indexes": indexes * _GB_OF_KB * _price("stored GB"),
        "point-in-time recovery": table * _GB_OF_KB * _price("recoverable GB"),
    }


def of_hour(units: int, kind: str) -> float:
    """Return the highest cost of the table and its indexes in an hour, in dollars, for a limit of ``units`` per second.

    ``kind`` is ``read unit`` or ``write unit``.
    """
    return (1 + INDEXES) * units * 3600 * _price(kind)


def tables() -> dict[str, str]:
    """Return the tables of docs/runbooks/costs.md as Markdown, by name."""
    parts = list(of_life())
    by_request = [
        [name, f"{request.writes:g}", f"{request.reads:g}",
         *(f"{1e6 * of_request(request)[part]:.2f}" for part in parts),
         f"**{1e6 * sum(of_request(request).values()):.2f}**"]
        for name, request in REQUESTS.items()
    ]  # fmt: skip
    life, keeping = of_life(), of_keeping()
    by_size = [
        [_grouped(size), *(_dollars(size * life[part]) for part in parts), f"**{_dollars(size * sum(life.values()))}**"]
        for size in SIZES
    ]
    kept = [
        [_grouped(size), f"{size * sum(STORED_KB.values()) * _GB_OF_KB:,.2f}",
         *(_dollars(size * dollars) for dollars in keeping.values()), f"**{_dollars(size * sum(keeping.values()))}**"]
        for size in SIZES
    ]  # fmt: skip
    fixed = [[name, _grouped(n), _dollars(n * _price(name))] for name, n in FIXED.items()]
    fixed.append(["**total**", "", f"**{_dollars(sum(n * _price(name) for name, n in FIXED.items()))}**"])
    bounds = [
        [f"{units:,}", _dollars(of_hour(units, "read unit")), _dollars(of_hour(units, "write unit"))]
        for units in (200, 500, 1_000, 4_000, 40_000)
    ]
    return {
        "prices": _table(["unit", "price"], [[name, text] for name, (_, text) in PRICES.items()]),
        "requests": _table(["a million of", "write units", "read units", *parts, "total"], by_request),
        "lives": _table(["incidents", *parts, "total"], by_size),
        "keeping": _table(["incidents", "GB", *keeping, "total per month"], kept),
        "fixed": _table(["unit", "quantity", "per month"], fixed),
        "bounds": _table(["units per second", "reads, per hour", "writes, per hour"], bounds),
    }


def _price(name: str) -> float:
    return PRICES[name][0]


def _dollars(value: float) -> str:
    return f"${value:,.2f}"


def _grouped(value: int) -> str:
    return f"{value:,}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

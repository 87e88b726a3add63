"""What the service costs: `incidents costs` prints the tables of docs/runbooks/costs.md.

Put your region's prices in ``PRICES`` and your own traffic in ``LIFE``. What a request uses of the table is measured: a
test compares ``REQUESTS`` with what the functions write and read. How long a function runs is assumed, and says so.
"""

from typing import NamedTuple

PRICES: dict[str, tuple[float, str]] = {
    "write unit": (0.625e-6, "DynamoDB, on demand: $0.625 a million write request units"),
    "read unit": (0.125e-6, "DynamoDB, on demand: $0.125 a million read request units"),
    "stored GB": (0.25, "DynamoDB, standard: $0.25 a GB and month, indexes included"),
    "recoverable GB": (0.20, "DynamoDB, point-in-time recovery: $0.20 a GB and month of the table, without indexes"),
    "API request": (1.00e-6, "HTTP API: $1.00 a million, in steps of 512 KB"),
    "call": (0.20e-6, "Lambda: $0.20 a million calls"),
    "GB-second": (13.3334e-6, "Lambda, arm64: $0.0000133334 a GB and second"),
    "event": (1.00e-6, "EventBridge: $1.00 a million events that are put on the bus"),
    "queue request": (0.40e-6, "SQS: $0.40 a million requests"),
    "logged GB": (0.50, "CloudWatch Logs: $0.50 a GB taken in"),
    "kept log GB": (0.03, "CloudWatch Logs: $0.03 a GB and month kept, compressed to about a seventh"),
    "sent GB": (0.09, "Data out to the internet: $0.09 a GB"),
    "trace": (5.00e-6, "X-Ray: $5.00 a million traces recorded"),
    "alarm metric": (0.10, "CloudWatch: $0.10 a month for each metric that an alarm looks at"),
    "own metric": (0.30, "CloudWatch: $0.30 a month for each metric of our own"),
    "dashboard": (3.00, "CloudWatch: $3.00 a month for a dashboard"),
    "secret": (0.40, "Secrets Manager: $0.40 a month for a secret"),
    "KMS key": (1.00, "KMS: $1.00 a month for a key"),
}
REGION, DATE = "us-east-1", "November 2026"


class Request(NamedTuple):
    """What one request uses: of the table, measured at 2 KB an incident; of the rest, assumed."""

    writes: float
    reads: float
    milliseconds: float  # of a function with 512 MB, cold starts spread over all
    sent_kb: float
    changes: bool = False  # announced, and its day marked
    queued: bool = False  # by way of EventBridge and a queue, not of the API


REQUESTS = {
    "create": Request(14, 0, 60, 3, changes=True),
    "finding, new": Request(16, 2, 60, 0, changes=True, queued=True),
    "get": Request(0, 1, 20, 3),
    "list of 50": Request(0, 14, 60, 110),
    "update": Request(10, 1, 60, 3, changes=True),
    "update of the status": Request(13, 1, 60, 3, changes=True),
    "closing": Request(14, 1, 60, 3, changes=True),
    "deletion": Request(11, 1, 60, 1, changes=True),
}
MEMORY_GB, LOGGED_KB = 0.5, 1.0  # a request's own line, Lambda's two, the gateway's
BATCH = 5  # changes that a reader of the stream takes at once, on average
READER_MS = 60  # of each of the two readers, a batch
MARKED = 1.0  # marks of days a change, of one write unit each; a change that moves no metric marks none
RECOMPUTED = 2.0  # read units a change, for the day that is computed again
QUEUE_REQUESTS = 3  # EventBridge sends, Lambda receives and deletes; what AWS itself puts on the bus costs nothing
TRACED = 0.05  # of the calls, by X-Ray's own rule

LIFE = {"create": 1, "get": 20, "list of 50": 4, "update": 3, "update of the status": 2, "closing": 1, "deletion": 0.1}
"""What happens to an incident, on average, from its finding to its end."""

STORED_KB = {"incident, number and history": 4.1, "its entries in indexes": 4.7}
"""After that life, with the 100 bytes that DynamoDB adds to each item and entry; measured, like ``REQUESTS``."""

FIXED = {"alarm metric": 42, "own metric": 39, "dashboard": 1, "secret": 2, "queue request": 1_300_000, "KMS key": 1}
"""What there is whether anybody calls or not: Lambda asks two queues three times a minute by five pollers each."""
INDEXES = 5  # each has the table's bound for itself
SIZES = (10**3, 10**6, 10**8)
_GB_OF_KB = 1 / 1024**2


def of_request(request: Request) -> dict[str, float]:
    """Return the dollars of one request, by what is paid for, with what it sets off behind the API."""
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
    """Return the dollars of everything that happens to one incident, by what is paid for."""
    parts = dict.fromkeys(of_request(REQUESTS["get"]), 0.0)
    for name, times in LIFE.items():
        for part, dollars in of_request(REQUESTS[name]).items():
            parts[part] += times * dollars
    return parts


def of_keeping() -> dict[str, float]:
    """Return the dollars of keeping one incident for a month."""
    table, indexes = STORED_KB.values()
    return {
        "table": table * _GB_OF_KB * _price("stored GB"),
        "indexes": indexes * _GB_OF_KB * _price("stored GB"),
        "point-in-time recovery": table * _GB_OF_KB * _price("recoverable GB"),
    }


def of_hour(units: int, kind: str) -> float:
    """Return the dollars that a bound of so many units a second allows the table and its indexes in an hour."""
    return (1 + INDEXES) * units * 3600 * _price(kind)


def tables() -> dict[str, str]:
    """Return the tables of the page, by name."""
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
    fixed.append(["**together**", "", f"**{_dollars(sum(n * _price(name) for name, n in FIXED.items()))}**"])
    bounds = [
        [f"{units:,}", _dollars(of_hour(units, "read unit")), _dollars(of_hour(units, "write unit"))]
        for units in (200, 500, 1_000, 4_000, 40_000)
    ]
    return {
        "prices": _table(["of", "price"], [[name, text] for name, (_, text) in PRICES.items()]),
        "requests": _table(["a million of", "write units", "read units", *parts, "together"], by_request),
        "lives": _table(["incidents", *parts, "together"], by_size),
        "keeping": _table(["incidents", "GB", *keeping, "together, a month"], kept),
        "fixed": _table(["of", "how many", "a month"], fixed),
        "bounds": _table(["units a second", "reads, an hour", "writes, an hour"], bounds),
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

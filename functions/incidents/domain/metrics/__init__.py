"""How long incidents take: what is measured, and what days add up to. Pure.

Each day (UTC) has a bucket of two kinds, ``detected`` and ``closed``, that holds every value and every count of that
day. A bucket is always computed whole from the day's incidents, never added to: to do it again changes nothing.

``definitions``  the metrics, and in words what each of them is
``tally``        what one incident, a day, a window add up to
``window``       a caller's question; ``answer`` is its answer, from buckets
"""

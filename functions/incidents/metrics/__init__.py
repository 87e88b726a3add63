"""How long incidents take: what is measured, and how it is kept true.

Each day (UTC) has a bucket of two kinds, ``detected`` and ``closed``, that holds every value and every count of that
day. A bucket is always computed whole from the day's incidents, never added to: to do it again changes nothing.
The table's stream marks the days that an incident touched, a schedule has the marked days of each tenant computed.

- ``definitions``: the metrics, and in words what each of them is.
- ``tally``: what one incident, a day, a window add up to. Pure.
- ``window``: a question of a caller, and its answer from buckets. Pure.
- ``repository``: one tenant's buckets and days. ``marked_days``: which days are due, of all tenants.
- ``jobs``: the three jobs. ``edge``: how Lambda calls them.
"""

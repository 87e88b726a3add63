"""All of a tenant: to check it, to take it away, to erase it. For tenants of any size: a few pages are held at once.

- ``commands``: `incidents verify`, `incidents tenant export` and `incidents tenant erase`.
- ``reading``: a tenant's partitions, page by page, consistently. Nothing here scans the table.
- ``invariants``: what must hold of stored items, and what is wrong where it does not. Pure.
- ``verify``: a walk through a tenant that holds everything to them.
- ``metric_days``: whether a tenant's metrics are what its incidents add up to.
- ``export``: every incident and its trail, one JSON object a line.
- ``erase``: every item of a tenant, for good, and the proof.
- ``checkpoint``: where such a walk stood when it was cut off.
"""

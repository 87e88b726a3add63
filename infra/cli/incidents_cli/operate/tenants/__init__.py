"""Verify, export or erase all items of a tenant of any size: only a few pages are in memory at once.

``commands``     `incidents verify`, `incidents tenant export` and `incidents tenant erase`
``reading``      strongly consistent reads of a tenant's partitions, page by page, without a scan of the table
``invariants``   the rules for stored items, and the violations of these rules; pure functions
``verify``       a walk through a tenant that checks every item against the rules
``metric_days``  checks a tenant's day buckets against its incidents
``export``       writes every incident and its trail, one JSON object per line
``erase``        deletes every item of a tenant permanently, and writes the proof
``counter``      shows the counters of incident numbers, and lowers a counter
``checkpoint``   the position at which an interrupted walk continues
"""

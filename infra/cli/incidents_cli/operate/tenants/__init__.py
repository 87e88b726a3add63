"""Verify, export or erase all items of a tenant.

The tenant may have any size, because only a few pages of items are in memory at once.

``commands``     `incidents verify`, `incidents tenant export` and `incidents tenant erase`
``reading``      reads a tenant's partitions page by page, strongly consistent, without a scan of the table
``invariants``   the rules for stored items, as pure functions that return violations
``trails``       the rules for the trail of an incident and for its chains of hashes
``violations``   a stored item that breaks a rule
``verify``       checks every item of a tenant against the rules
``metric_days``  checks a tenant's day buckets against its incidents
``deadline_items``  checks a tenant's heads, board rows and alerts against its incidents
``export``       writes every incident and its trail to a file, one JSON object per line
``erase``        deletes every item of a tenant permanently, and writes a proof of the deletion
``counter``      shows the counters of incident numbers, and lowers a counter
``checkpoint``   saves the position at which an interrupted command continues
"""

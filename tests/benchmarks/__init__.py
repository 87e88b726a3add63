"""Measure the cost of a start, of a call and of a growing table, next to other ways of doing the same work.

One run measures everything. No time makes a benchmark fail: tests check the exactly repeatable figures (modules, bytes,
units), and the benchmarks show all others as ratios with their spread. Each module says how it measures:

``artifacts``      the subjects: this service as `incidents build` makes it, the peers as `sam build` leaves them
``canned``         a table with recorded answers of DynamoDB Local, to exclude the noise of DynamoDB Local itself
``worker``         the measured process, which runs as on Lambda
``starts``, ``calls``, ``instructions``   the cost of a start and of a call
``units``, ``growth``, ``packages``       the cost of the table and of the deployment
``targets``, ``report``                   the targets, and the table, the JSON file and the picture
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "functions"))  # the folder of the handlers, as at /var/task

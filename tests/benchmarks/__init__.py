"""Measure the cost of a start, of a call and of a growing table, and compare the service with other implementations.

One run measures everything. No benchmark fails because of a time. Tests check the figures that are exactly repeatable
(modules, bytes, units). The benchmarks show all other figures as ratios with their spread. The docstring of each module
describes its method:

``artifacts``      the subjects: this service as `incidents build` makes it, and the peers as `sam build` leaves them
``canned``         a server that replays recorded answers, to exclude the noise of DynamoDB Local itself
``worker``         the measured process, which runs as on Lambda
``starts``, ``calls``, ``instructions``   the cost of a start and of a call
``units``, ``growth``, ``packages``       the cost of the table and of the deployment
``targets``, ``report``                   the targets; and the table, the JSON file and the picture of the results
"""

import sys
from pathlib import Path

# The benchmarks import the handlers from the folder functions, as Lambda does from /var/task.
sys.path.append(str(Path(__file__).parents[2] / "functions"))

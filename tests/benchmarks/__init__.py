"""What a start, a call and a growing table cost, beside other ways of doing the same work, all in one run.

Nothing here fails because of a time: what can be repeated exactly (modules, bytes, units) is held by tests, and what
cannot is measured here and shown as ratios, with its spread. How each figure is taken stands in its module:

``artifacts``      what is measured: this service as `incidents build` makes it, the peers as `sam build` leaves them
``canned``         a table that answers what DynamoDB Local once answered, so that its own noise is out
``worker``         the process that is measured, as Lambda would run it
``starts``, ``calls``, ``instructions``   what a start and a call cost
``units``, ``growth``, ``packages``       what the table and the deployment cost
``targets``, ``report``                   what was promised, and the table, the JSON file and the picture
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "functions"))  # where the handlers lie, as at /var/task

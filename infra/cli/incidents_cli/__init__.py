"""The command ``incidents``: the local stack and the operator's commands. Never shipped to Lambda.

``main``       the commands and their options
``local``      what ``up`` and ``down`` do, step by step
``sam``        `sam build` and `sam deploy`, in a tool environment of their own
``artifact``   what `sam build` leaves undone: byte code, and less of botocore
``for_emulator``  what the built templates are changed for, where they are deployed onto the emulator
``emulator``   the process that stands in for AWS
``routes``     the HTTP API's routes, which the emulator leaves out
``issuer``     the development token issuer
``stack``      where this checkout's stack lives, and what it is made of
``target``     the deployment that an operator's command works on: this checkout's stack, or one on AWS
``openapi``    the OpenAPI document, made from the functions' own code
``accounts``, ``dead_letters``, ``explain``   the operator's commands
``tenant``     all of a tenant: verified, exported, erased; ``tenants`` does it
``importing``  incidents of a file, through the API
``console``    progress on stderr, and failures that say what to do
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "functions"))  # the commands share the functions' package

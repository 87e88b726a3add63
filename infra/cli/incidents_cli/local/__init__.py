"""The stack on this machine.

``up_down``      what ``up`` and ``down`` do, step by step
``sam``          `sam build` and `sam deploy`, in a tool environment of their own
``for_emulator``  the built templates, changed for the emulator
``artifact``     what `sam build` leaves undone: byte code, and less of botocore
``routes``       the HTTP API's routes, which the emulator leaves out
``emulator``     the process that stands in for AWS
``issuer``       the development token issuer
``local_stack``  the stack's record, its folder, its environment

``samples.json`` and ``sample_findings.json`` are what ``up`` fills an empty table with.
"""

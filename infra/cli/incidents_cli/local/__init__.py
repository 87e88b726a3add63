"""The stack on this machine.

``up_down``       the steps of `incidents up` and `incidents down`
``sam``           `sam build` and `sam deploy`, in their own tool environment
``for_emulator``  the built templates, changed for the emulator
``artifact``      finishes what `sam build` builds: adds byte code and removes unused files
``routes``        the HTTP API's routes, which the emulator does not create
``emulator``      the process that emulates AWS
``issuer``        the development token issuer
``local_stack``   the stack's record, its folder and its environment

`incidents up` loads ``samples.json`` and ``sample_findings.json`` into an empty table.
"""

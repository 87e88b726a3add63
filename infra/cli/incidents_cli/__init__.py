"""The command ``incidents``: the local stack and the operator's commands. It is never shipped to Lambda.

``main``       the commands and their options
``operate``    the operator's commands, for the local stack or a stack on AWS
``documents``  documents generated from the code: the OpenAPI document and the cost tables
``local``      the stack on this machine: the emulator, the build and the token issuer
``console``    progress on stderr, and failures with advice

Imports point down. A test checks this:

    main  >  operate, documents  >  local  >  console
"""

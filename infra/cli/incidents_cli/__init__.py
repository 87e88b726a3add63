"""The command ``incidents``, which runs the local stack and has the operator's commands. It is not deployed to Lambda.

``main``       the entry point; has the commands of the local stack, and adds the commands of ``operate``
``operate``    the operator's commands, for the local stack or a stack on AWS
``documents``  documents generated from the code: the OpenAPI document and the cost tables
``local``      the stack on this machine: the emulator, the build and the token issuer
``console``    prints progress, and failures with advice, to stderr

A room imports only from the rooms to its right. A test checks this rule:

    main  >  operate, documents  >  local  >  console
"""

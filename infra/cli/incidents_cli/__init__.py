"""The command ``incidents``: the local stack and the operator's commands. Never shipped to Lambda.

``main``       the commands and their options
``operate``    an operator's commands, on the local stack or on one on AWS
``documents``  what is made from the code: the OpenAPI document, the tables of costs
``local``      the stack on this machine: the emulator, the build, the token issuer
``console``    progress on stderr, and failures that say what to do

Imports point down, and a test holds it:

    main  >  operate, documents  >  local  >  console
"""

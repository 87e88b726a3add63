"""The local stack: the complete service on this machine, with an emulator of AWS.

``up_down``          the steps of `incidents up` and `incidents down`
``sam``              runs `sam build` and `sam deploy` in a tool environment for SAM
``unchanged``        recognizes a build or a deployment that would change nothing
``for_emulator``     changes copies of the built templates for the emulator
``artifact``         adds byte code to the built functions, and removes their unused files
``routes``           creates the HTTP API's routes, because the emulator does not create them
``emulator``         starts and stops the process that emulates AWS
``ministack_guard``  runs in the emulator's process: refuses requests without the stack's key
``waiting_calls``    runs in the emulator's process: lets calls of functions wait above the limit
``state_files``      runs in the emulator's process: writes the state while the emulator runs
``listener``         checks that the stack's emulator listens at the stack's port
``stream_records``   runs in the emulator's process: keeps the records of the streams over a stop
``queue_urls``       runs in the emulator's process: finds the queues after a change of the port
``kept_port``        runs in the emulator's process: keeps the port until the process ends
``sign_in``          runs in the emulator's process: lets a person sign in to the console
``sign_in_pages``    runs in the emulator's process: the pages of the sign-in
``issuer``           publishes the keys of the development token issuer, and signs its tokens
``log_events``       reads the functions' log events
``local_stack``      the stack's record, its folder, and the environment of its processes

If the table is empty, `incidents up` loads the samples in ``samples.json`` and ``sample_findings.json``.
"""

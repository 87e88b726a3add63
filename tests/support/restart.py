"""Restarts a stack's emulator with a new key of its issuer. Nothing is built or deployed, and the data stays.

`python -m tests.support.restart` is a separate process, so that the emulator is not a child of the test process.
"""

from dataclasses import replace

from incidents_cli.local import emulator, issuer
from incidents_cli.local.local_stack import StackFolder


def main() -> None:
    folder = StackFolder()
    stack = emulator.running_stack(folder)
    emulator.stop(stack, folder)
    folder.issuer_key.unlink()  # the issuer makes a new key when it publishes its documents
    stack = emulator.start(emulator.install(), stack, folder)
    issuer.publish(stack, folder)
    replace(stack, ready=True).save(folder)


if __name__ == "__main__":
    main()

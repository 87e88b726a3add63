"""Start a stack's emulator anew, with another key of its issuer. Nothing is built and deployed: the data is kept.

`python -m tests.support.restart`, in a process of its own, so that nobody waits for the emulator as for a child.
"""

from dataclasses import replace

from incidents_cli.local import emulator, issuer
from incidents_cli.local.local_stack import StackFolder


def main() -> None:
    folder = StackFolder()
    stack = emulator.running_stack(folder)
    emulator.stop(stack, folder)
    folder.issuer_key.unlink()  # who publishes the issuer's documents makes another one
    stack = emulator.start(emulator.install(), stack, folder)
    issuer.publish(stack, folder)
    replace(stack, ready=True).save(folder)


if __name__ == "__main__":
    main()

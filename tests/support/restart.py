"""Start a stack's emulator anew, with another key of its issuer. Nothing is built and deployed: the data is kept.

`python -m tests.support.restart`, in a process of its own, so that nobody waits for the emulator as for a child.
"""

from dataclasses import replace

from incidents_cli import emulator, issuer
from incidents_cli.local import running_stack
from incidents_cli.stack import Home


def main() -> None:
    home = Home()
    stack = running_stack(home)
    emulator.stop(stack, home)
    home.issuer_key.unlink()  # who publishes the issuer's documents makes another one
    stack = emulator.start(emulator.install(), stack, home)
    issuer.publish(stack, home)
    replace(stack, ready=True).save(home)


if __name__ == "__main__":
    main()

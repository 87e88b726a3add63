"""Tests that the gateway refuses a token of a retired key as soon as it has read the key set again.

The emulator keeps a key set for two hours, as AWS does. The test does not wait, but restarts the emulator.
"""

from tests.support.checkout import Checkout


def test_a_token_of_a_retired_key_is_refused(stack: Checkout) -> None:
    old = stack.caller(stack.token("acme"))
    seen = old.get()
    assert seen.status_code == 200

    stack.restart_with_another_key()

    for answer in (old.get(), old.post(json={"title": "Written with a key that was rotated away"})):
        assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert stack.caller(stack.token("acme")).get().json() == seen.json()

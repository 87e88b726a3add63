"""The tables that each release left and its answers from them, and the program that records both."""

import incidents_cli  # noqa: F401  # puts functions/ on the path

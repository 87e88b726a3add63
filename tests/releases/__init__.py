"""The recorded tables and answers of each release, and the program that records them."""

import incidents_cli  # noqa: F401  # puts functions/ on the path

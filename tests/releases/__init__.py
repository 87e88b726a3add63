"""What each release left in a table and answered from it, and the program that records both."""

import incidents_cli  # noqa: F401  # puts functions/ on the path

"""The one error of this package."""


class Refusal(Exception):  # noqa: N818 - what a person is told, not a failure of the program
    """A bundle that cannot be accepted; the message says exactly why."""

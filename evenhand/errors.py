"""The errors a user can cause, each with its exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_OWN_VALIDATOR = "Value error, "
"""What pydantic puts before the message of a ValueError."""


class EvenhandError(Exception):
    """Base of every error that is told in one sentence, without a traceback.

    Attributes:
      exit_code: what the command line returns for it.
    """

    exit_code = 1


class UserError(EvenhandError):
    """Wrong input or config: names the place, what was expected and what to do.

    Args:
      where: the file, folder or config field, e.g. `data.path` or `images.npz`.
      problem: what is wrong there, including what was expected.
      remedy: what the user can do about it.
    """

    exit_code = 2

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        self.where, self.problem, self.remedy = str(where), problem, remedy
        super().__init__(_printable(f"{where}: {problem}; {remedy}."))


def _printable(text: str) -> str:
    # Names of files and keys come from others: a line break or an escape sequence in them must not reach a terminal.
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy for a name that is not known: the nearest one that is, or `otherwise` where none is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}" if close else otherwise


def plain_words(message: str) -> str:
    """A message of pydantic as part of a sentence: `should be …`, or what a validator of ours says as it stands."""
    if message.startswith(_OWN_VALIDATOR):
        return message.removeprefix(_OWN_VALIDATOR)
    problem = message.partition(", unable to ")[0].replace("Input should", "should")
    # Fields of the config are tuples, as it is frozen, but YAML and JSON know lists.
    problem = problem.replace("a valid tuple", "a list").replace("Tuple should", "List should")
    return problem[:1].lower() + problem[1:]


class GateFailed(EvenhandError):
    """A threshold that the user asked for was not met; the run itself is complete."""

    exit_code = 3

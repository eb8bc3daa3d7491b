"""The words of a command line; what is wrong with them is told as JSON, like every other failure."""

import argparse
import re
from typing import NoReturn

from _envelope import read_date
from _failure import USAGE, Failure


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failure(USAGE, "usage", message)


def parser(about: str) -> argparse.ArgumentParser:
    return _Parser(description=about, allow_abbrev=False)


def code(text: str) -> str:
    """A code such as 600519.SH; a name must be resolved first, so that nobody guesses."""
    if not re.fullmatch(r"[A-Za-z0-9^][A-Za-z0-9.=^-]{0,31}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no code: find it with resolve.py --name first")
    return text


def day(text: str) -> str:
    if read_date(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 20260430")
    return text.replace("-", "")


def one_to_ten(text: str) -> str:
    if not re.fullmatch(r"[1-9]|10", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10")
    return text

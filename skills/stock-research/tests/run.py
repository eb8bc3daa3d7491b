"""Runs the tests and says what became of each, one JSON object per line: {"id", "outcome", "detail"}.

    python3 run.py          run all
    python3 run.py --list   only name them
"""

import json
import sys
import unittest
from pathlib import Path
from typing import Any, Iterator

HERE = Path(__file__).resolve().parent


def tests_of(suite: Any) -> Iterator[unittest.TestCase]:
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from tests_of(entry)
        else:
            yield entry


class Reporter(unittest.TestResult):
    def tell(self, test: Any, outcome: str, detail: str = "") -> None:
        print(json.dumps({"id": test.id(), "outcome": outcome, "detail": detail[-4000:]}), flush=True)

    def addSuccess(self, test: Any) -> None:
        self.tell(test, "passed")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.tell(test, "failed", f"{subtest}\n{(self.failures + self.errors)[-1][1]}")

    def addSkip(self, test: Any, reason: str) -> None:
        self.tell(test, "skipped", reason)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.tell(test, "failed", self.failures[-1][1])

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.tell(test, "failed", self.errors[-1][1])


def main() -> int:
    suite = unittest.defaultTestLoader.discover(str(HERE), top_level_dir=str(HERE))
    if "--list" in sys.argv[1:]:
        for test in tests_of(suite):
            print(json.dumps({"id": test.id()}))
        return 0
    result = suite.run(Reporter())
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

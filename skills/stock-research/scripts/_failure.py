"""The ways a script can end, for whoever runs it."""

from __future__ import annotations

from typing import Any, Dict, Optional

OK, USAGE, AUTH, NOT_AVAILABLE, BAD_ENVELOPE, UPSTREAM, RATE_LIMITED = 0, 2, 3, 4, 5, 6, 7


class Failure(Exception):
    """What goes wrong, as the caller of a script sees it."""

    def __init__(
        self, exit_code: int, code: str, message: str, retry_after: Optional[float] = None
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def to_json(self) -> Dict[str, Any]:
        error: Dict[str, Any] = {"code": self.code, "message": self.message}
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return {"ok": False, "error": error}

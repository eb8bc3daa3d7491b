"""What the tests share: the scripts on the path, a service that misbehaves on demand, scripts run as processes."""

import json
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

TOKEN = "td_" + "A1b2C3d4E5f6" * 4 + "x"


def a_claim(**changes: Any) -> Dict[str, Any]:
    """A complete claim; `cite__field` changes a field of the cite, `...` leaves one out."""
    now = datetime.now(timezone.utc)
    claim: Dict[str, Any] = {
        "value": 1466.0,
        "value_text": "1466.00",
        "unit": "CNY",
        "metric": "close",
        "code": "600519.SH",
        "as_of": (now - timedelta(days=1)).strftime("%Y-%m-%d"),
        "cite": {
            "kind": "tool",
            "source": "tushare",
            "served_by": ["tushare"],
            "service": "twilight-drive-backend",
            "served_version": "0.2.0",
            "table": "daily",
            "fetched_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "cache_age_seconds": 0,
            "tool_call_id": "tc_01KAGN3V8QF4X2M7Z9W0T5RCDE",
        },
    }
    for name, value in changes.items():
        place, field = (claim["cite"], name[6:]) if name.startswith("cite__") else (claim, name)
        if value is ...:
            del place[field]
        else:
            place[field] = value
    return claim


class Faulty:
    """A local service that answers each request with the next of its answers, the last one for ever."""

    def __init__(self, *answers: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.seen: List[Dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.seen.append({"path": self.path, "headers": dict(self.headers)})
                answers[min(len(outer.seen), len(answers)) - 1](self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "Faulty":
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def answer(
    status: int,
    body: Any = None,
    headers: Optional[Dict[str, str]] = None,
    content_type: str = "application/json",
    declared: Optional[int] = None,
) -> Callable[[BaseHTTPRequestHandler], None]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(raw) if declared is None else declared))
        handler.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            handler.wfile.write(raw)
        except OSError:
            pass  # The client has read enough and left.
        handler.close_connection = True

    return write


def problem(status: int, code: str, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    body = {"type": "about:blank", "status": status, "code": code, "title": "no", "detail": f"{code} it is"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(status, body, named, "application/problem+json")


def silence(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    def wait(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return wait


class Run:
    """What a script printed and how it ended."""

    def __init__(self, completed: "subprocess.CompletedProcess[bytes]") -> None:
        self.code = completed.returncode
        self.stdout = completed.stdout.decode("utf-8")
        self.stderr = completed.stderr.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


def run_script(
    name: str, *words: str, environment: Optional[Dict[str, str]] = None, draft: str = ""
) -> Run:
    """In an environment of nothing but what is given."""
    return Run(
        subprocess.run(
            [sys.executable, "-B", str(SCRIPTS / name), *words],
            env=environment or {},
            input=draft.encode("utf-8"),
            capture_output=True,
            timeout=60,
            check=False,
        )
    )


def settings(url: str, token: str = TOKEN, timeout: str = "5") -> Dict[str, str]:
    return {"TWILIGHT_SERVICE_URL": url, "TWILIGHT_API_TOKEN": token, "TWILIGHT_TIMEOUT": timeout}

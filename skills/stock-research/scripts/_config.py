"""Where the service is and the key for it, from the environment and from nowhere else."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from typing import Dict, NamedTuple, Optional

from _failure import USAGE, Failure


class Config(NamedTuple):
    url: str
    token: str
    timeout_s: float

    def __repr__(self) -> str:
        # A traceback or a debug print must not show the token.
        return f"Config(url={self.url!r}, token='[secret]', timeout_s={self.timeout_s})"


def read_config(environment: Optional[Dict[str, str]] = None) -> Config:
    """From TWILIGHT_SERVICE_URL, TWILIGHT_API_TOKEN and TWILIGHT_TIMEOUT; an empty text counts as missing."""
    env = os.environ if environment is None else environment
    url = (env.get("TWILIGHT_SERVICE_URL") or "").strip().rstrip("/")
    token = (env.get("TWILIGHT_API_TOKEN") or "").strip()
    for name, value in (("TWILIGHT_SERVICE_URL", url), ("TWILIGHT_API_TOKEN", token)):
        if not value:
            raise Failure(USAGE, "config", f"{name} is not set. Ask the operator of the service for it.")
    if not re.fullmatch(r"[\x21-\x7e]{1,256}", token):
        raise Failure(USAGE, "config", "TWILIGHT_API_TOKEN holds characters that no key has.")
    return Config(_check_url(url), token, _read_timeout(env.get("TWILIGHT_TIMEOUT") or "10"))


def _check_url(url: str) -> str:
    # Never repeated in the message: a URL may hold a password.
    wrong = Failure(USAGE, "config", "TWILIGHT_SERVICE_URL must look like https://api.example.com.")
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    bare = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not host or not bare or re.search(r"[\s\x00-\x1f]", url):
        raise wrong
    if parts.scheme == "http" and not is_private(host):
        raise Failure(USAGE, "config", "TWILIGHT_SERVICE_URL must be https: the key would be readable on the way.")
    return url


def is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_private
    except ValueError:
        name = host.lower().rstrip(".")
        return "." not in name or name.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))


def _read_timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds <= 120:
        raise Failure(USAGE, "config", "TWILIGHT_TIMEOUT takes seconds, more than 0 and at most 120.")
    return seconds

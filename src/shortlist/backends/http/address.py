"""Where requests go: the URL, the key by the name of its variable, and what of a URL may be shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from ...core.errors import ConfigError


@dataclass(frozen=True)
class Address:
    """Where requests go, and by what key. api_key_env: the variable that holds it; read when a request is sent."""

    url: str
    api_key_env: str | None = None
    api_key_header: str = "Authorization"
    headers: Mapping[str, str] = field(default_factory=dict)

    def route(self, path: str) -> str:
        """The URL with ``path`` appended to its own; a query string stays at the end."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))

    @property
    def shown(self) -> str:
        """The URL without its query string, which may hold a key."""
        return shown(self.url)

    @property
    def local(self) -> bool:
        """Whether it is a port of this machine, which a proxy cannot reach."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def key_headers(self) -> dict[str, str]:
        key = os.environ.get(self.api_key_env, "") if self.api_key_env else ""
        if not key:
            return {}
        return {self.api_key_header: f"Bearer {key}" if self.api_key_header == "Authorization" else key}

    def key_advice(self) -> str:
        """What to do when the server wants a key, or another one. Never holds the key."""
        if not self.api_key_env:
            return "no key was sent: name the environment variable that holds it in api_key_env"
        if not os.environ.get(self.api_key_env):
            return f"no key was sent: the environment variable {self.api_key_env} is not set"
        return f"the key in the environment variable {self.api_key_env} is not accepted"


def checked(name: str, url: str) -> None:
    """Raise ConfigError for a URL that requests cannot be sent to, or that holds a secret."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{name}={url!r}: expected http://... or https://...")
    if parts.username or parts.password:
        raise ConfigError(f"{name} holds a password, which would stand in logs; name its variable in api_key_env")


def shown(url: str) -> str:
    """The URL without its query string, which may hold a key."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))

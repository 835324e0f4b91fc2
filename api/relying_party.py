"""The site passkeys belong to: its name, and the one address its page is opened under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

NAME: Final = "Aiqyn"
"""What authenticators show their users."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """A site, in WebAuthn's sense.

    Attributes:
        origin: scheme, host and port of the page, as a browser writes them.
    """

    origin: str = "http://localhost:8750"

    @property
    def rp_id(self) -> str:
        """The host: passkeys made under one name are good under no other."""
        return urlsplit(self.origin).hostname or ""

    @property
    def secure(self) -> bool:
        """Whether the page comes over TLS."""
        return self.origin.startswith("https://")

"""Reads a report as a browser would, and says what it would fetch or run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

FETCHING = frozenset({
    "action", "background", "cite", "codebase", "data", "formaction", "href", "icon", "longdesc", "manifest", "ping",
    "poster", "src", "srcset", "xlink:href",
})  # fmt: skip
SPOKEN = frozenset({"alt", "aria-label", "aria-roledescription", "content", "title"})
RUNNING = frozenset(
    {"applet", "base", "embed", "form", "iframe", "link", "object", "script", "foreignobject"}
)


class Reading(HTMLParser):
    """What is in a page.

    Attributes:
        faults: what would be fetched or run.
        text: all that is read.
        tags: how often each element stands there.
        policy: the content security policy.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.pictures: list[str] = []
        self.tags: dict[str, int] = {}
        self.policy = ""
        self._words: list[str] = []
        self._inside = ""
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        """All that is read, in order."""
        return " ".join(self._words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Judges an element and its attributes."""
        self._inside = tag
        self.tags[tag] = self.tags.get(tag, 0) + 1
        if tag in RUNNING:
            self.faults.append(f"<{tag}>")
        values = {name: value or "" for name, value in attrs}
        if values.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = values["content"]
        elif "http-equiv" in values:
            self.faults.append(f"meta {values['http-equiv']}")
        for name, value in values.items():
            self._judge(tag, name, value)

    def _judge(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self.faults.append(f"{tag} {name}")
        if name in FETCHING:
            if tag == "img" and value.startswith("data:image/jpeg;base64,"):
                self.pictures.append(value)
            else:
                self.faults.append(f"{tag} {name}={value[:60]}")
        if name not in SPOKEN and re.search(r"url\((?!#)|@import|javascript:", value, re.I):
            self.faults.append(f"{tag} {name}={value[:60]}")

    def handle_data(self, data: str) -> None:
        """Keeps what is read; style sheets are judged."""
        if self._inside == "style" and re.search(r"url\(|@import|expression\(", data, re.I):
            self.faults.append("a style that fetches")
        self._words.append(data)

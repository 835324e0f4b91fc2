"""The page's files: every word in every language, nothing inline, nothing from elsewhere, nothing stored."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

import api
from api.headers import CONSOLE_POLICY
from api.review.cases import Answer
from api.schemas import EndState

STATIC = Path(api.__file__).parent / "console" / "static"
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
LANGUAGES = ("kk", "ru", "en")


def _words(language: str) -> dict[str, str]:
    loaded = json.loads((STATIC / "locales" / f"{language}.json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def _source() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_words_in_the_same_order(language: str) -> None:
    english, other = _words("en"), _words(language)
    assert list(other) == list(english)
    assert all(text.strip() for text in other.values())
    assert {key: _placeholders(text) for key, text in other.items()} == {
        key: _placeholders(text) for key, text in english.items()
    }


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_nothing_was_left_in_english(language: str) -> None:
    words = {key: re.sub(r"\{\w+\}", "", text) for key, text in _words(language).items()}
    assert [key for key, text in words.items() if re.search("[A-Za-z]", text)] == []


def test_kazakh_is_written_with_its_own_letters() -> None:
    text = " ".join(_words("kk").values())
    assert all(letter in text for letter in "әғқңөұүі")


def test_every_key_the_scripts_name_has_words() -> None:
    words = _words("en")
    named = set(re.findall(r'"((?:[a-z_]+\.)+[a-z_]+)"', _source())) - {"aiqyn.language", "section.queue"}
    assert sorted(named - words.keys() - {path.name for path in SCRIPTS}) == []
    assert len(named) > 50


def test_every_answer_and_outcome_has_words() -> None:
    words = _words("en")
    assert [answer for answer in Answer if f"answer.{answer}" not in words] == []
    ended = [*get_args(EndState), "control", "awaited"]
    assert {key for key in words if key.startswith("outcome.")} == {f"outcome.{state}" for state in ended}


def test_no_words_are_left_over() -> None:
    source = _source()
    built = re.compile(r"^(answer|outcome|error|undo|reveal\.margin_\w+)\b")
    unused = [key for key in _words("en") if f'"{key}"' not in source and not built.match(key)]
    assert unused == []


def test_no_script_or_style_is_inline_and_nothing_comes_from_elsewhere() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    everything = page + _source() + (STATIC / "console.css").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"')]+", everything))
    assert addresses == {"http://www.w3.org/2000/svg"}, "only the name of the SVG namespace"
    assert "'unsafe-inline'" not in CONSOLE_POLICY
    assert "'unsafe-eval'" not in CONSOLE_POLICY


@pytest.mark.parametrize(
    "forbidden",
    [
        r"\binnerHTML\b",
        r"\bouterHTML\b",
        r"\binsertAdjacentHTML\b",
        r"document\.write\b",
        r"\beval\(",
        r"new Function\b",
        r"\bindexedDB\b",
        r"document\.cookie\b",
        r"\bpushState\b",
        r"location\.hash\b",
        r"\bconsole\.",
        r"serviceWorker\b",
    ],
)
def test_scripts_do_without(forbidden: str) -> None:
    assert re.findall(forbidden, _source()) == []


def test_only_the_language_is_ever_stored() -> None:
    stored = re.findall(r"localStorage\.\w+\(([^)]*)\)", _source())
    assert stored
    assert {arguments.split(",")[0] for arguments in stored} == {"STORED_AS"}


def test_only_that_a_login_began_here_is_kept_while_she_is_away() -> None:
    kept = re.findall(r"sessionStorage\.\w+\(([^)]*)\)", _source())
    assert {arguments.split(",")[0] for arguments in kept} == {"BINDING"}
    assert len(re.findall(r"\bsessionStorage\b", _source())) == len(kept)


def test_no_picture_gets_a_text_drawn_into_it() -> None:
    pictures = (STATIC / "js" / "pictures.js").read_text(encoding="utf-8")
    assert re.findall(r'svg\("(\w+)"', pictures)
    assert set(re.findall(r'svg\(\s*"(\w+)"', pictures)) == {"svg", "rect"}
    assert "canvas" not in _source()


def test_no_name_stands_as_a_fact() -> None:
    assert "esembles the reference" in _words("en")["reveal.resembles"]
    assert "ұқсайды" in _words("kk")["reveal.resembles"]
    assert "Похоже" in _words("ru")["reveal.resembles"]
    for language, match in (("en", "match"), ("ru", "совпад"), ("kk", "сәйкес")):
        shown = {key: text for key, text in _words(language).items() if not key.startswith("password.")}
        assert [key for key, text in shown.items() if match in text.casefold()] == []

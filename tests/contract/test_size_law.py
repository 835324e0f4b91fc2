"""Files and functions stay small enough to be read at once; the numbers come from the house's size law.

A function's lines run from `def` to its end, without its docstring: what explains is not counted
against what is explained.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import pytest

from tests.contract.project import SHIPPED, SourceFile, source_files

FILE_MEDIAN, FILE_SOFT, FILE_HARD = 180, 300, 400
SHARE_OVER_SOFT = 0.05
FUNCTION_MEDIAN, FUNCTION_HARD, MAX_PARAMETERS = 15, 80, 7

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """One function's size."""

    place: str
    line_count: int
    parameter_count: int


def functions_of(file: SourceFile) -> Iterator[Function]:
    """Every function of a file, nested ones and methods included."""
    for node in ast.walk(file.tree()):
        if isinstance(node, FunctionNode):
            yield Function(f"{file.path}:{node.lineno} {node.name}", _lines(node), _parameters(node))


def _lines(node: FunctionNode) -> int:
    count = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None and len(node.body) > 1:
        count -= (first.end_lineno or first.lineno) - first.lineno + 1
    return count


def _parameters(node: FunctionNode) -> int:
    """A command's options and a route's fields are the user's, not a caller's: they do not count."""
    if any(
        re.search(r"\.(get|post|put|delete)$", ast.unparse(call).partition("(")[0])
        for call in node.decorator_list
    ):
        return 0
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    defaults = dict(
        zip(reversed([argument.arg for argument in given]), reversed(node.args.defaults), strict=False)
    )
    said = {
        argument.arg: f"{ast.unparse(argument.annotation) if argument.annotation else ''} "
        f"{ast.unparse(defaults[argument.arg]) if argument.arg in defaults else ''}"
        for argument in given
    }
    return len([name for name, text in said.items() if name not in {"self", "cls"} and "typer." not in text])


def too_large(functions: Sequence[Function]) -> list[str]:
    """The functions that break a hard limit."""
    return [
        f"{function.place}: {function.line_count} lines, {function.parameter_count} parameters"
        for function in functions
        if function.line_count > FUNCTION_HARD or function.parameter_count > MAX_PARAMETERS
    ]


@pytest.fixture(scope="module")
def functions() -> list[Function]:
    return [function for file in source_files(*SHIPPED) for function in functions_of(file)]


def test_no_file_is_too_long() -> None:
    long = {
        file.path: file.line_count for file in source_files(*SHIPPED, "tests") if file.line_count > FILE_HARD
    }
    assert long == {}


def test_few_files_are_longer_than_they_should_be() -> None:
    files = source_files(*SHIPPED)
    long = {file.path: file.line_count for file in files if file.line_count > FILE_SOFT}
    assert len(long) <= SHARE_OVER_SOFT * len(files), long


def test_the_usual_file_is_short() -> None:
    assert median(file.line_count for file in source_files(*SHIPPED)) <= FILE_MEDIAN


def test_no_function_is_too_long_or_takes_too_much(functions: list[Function]) -> None:
    tested = [function for file in source_files("tests") for function in functions_of(file)]
    assert too_large(functions) == []
    assert [function.place for function in tested if function.line_count > FUNCTION_HARD] == []


def test_the_usual_function_is_short(functions: list[Function]) -> None:
    assert median(function.line_count for function in functions) <= FUNCTION_MEDIAN


def test_what_breaks_the_law_is_caught() -> None:
    body = "\n".join(f"    x = {n}" for n in range(FUNCTION_HARD))
    text = f"def long():\n{body}\ndef wide(a, b, c, d, *, e, f, g, h):\n    return a\n"
    found = too_large(list(functions_of(SourceFile("sample.py", text))))
    assert [line.split()[1] for line in found] == ["long:", "wide:"]


def test_options_of_a_command_are_not_counted() -> None:
    options = ", ".join(f"{name}: Annotated[int, typer.Option()] = 0" for name in "abcdefghi")
    (found,) = functions_of(
        SourceFile("sample.py", f"def command({options}, quick: bool = False):\n    pass\n")
    )
    assert found.parameter_count == 1


def test_docstrings_are_not_counted() -> None:
    text = 'def told():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert [function.line_count for function in functions_of(SourceFile("sample.py", text))] == [2]

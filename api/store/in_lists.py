"""Lists of keys in statements."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, Boolean, ColumnElement, Dialect, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Keys(TypeDecorator[Collection[str]]):
    """Keys as one value: an array, or JSON where there are none."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(String()) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> Any:
        keys = list(value or ())
        return keys if dialect.name == "postgresql" else json.dumps(keys)


class _OneOf(FunctionElement[bool]):
    """A column and the keys it is looked for among."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> _OneOf:  # noqa: ARG002
        # As it is: compared with 1, as what a function gives is where there are no booleans, no index serves it.
        return self


def one_of(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether a column is one of the keys in the parameter `name`, a collection of strings of any length.

    As `IN`, but one value and not one for each key: a list of each length would make a statement of its own, which
    takes longer to write than to run, and which a database has to understand and plan anew.
    """
    return _OneOf(column, bindparam(name, type_=_Keys()))


@compiles(_OneOf, "postgresql")  # type: ignore[no-untyped-call, untyped-decorator, unused-ignore]
def _in_array(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({keys})"


@compiles(_OneOf, "sqlite")  # type: ignore[no-untyped-call, untyped-decorator, unused-ignore]
def _in_json(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608 - a parameter, no value

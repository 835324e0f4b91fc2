"""What every section of the settings file is made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from pipelines.config_secrets import refuse_inline_secret

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Address = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(refuse_inline_secret)]
"""A URL or path; secrets in it only as `{name}`."""


def anchored(value: Path, info: ValidationInfo) -> Path:
    """Relative paths start at the settings file's folder, so that they mean the same from everywhere."""
    base = (info.context or {}).get("base_dir", Path.cwd())
    return Path(os.path.normpath(base / value.expanduser()))


Folder = Annotated[Path, AfterValidator(anchored)]


class Settings(BaseModel):
    """Frozen, refuses what it does not know, and keeps values out of its errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )

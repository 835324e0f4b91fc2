"""Settings of a worker: its keys, and how it uses the machine."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from pipelines.config_base import Folder
from pipelines.config_metrics import MetricsSettings
from pipelines.events import Identifier

SecretName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]


def _host_or_network(host: str) -> str:
    if "/" in host:
        ipaddress.ip_network(host)  # a ValueError: the settings file's reader gives it its line
    return host


Host = Annotated[
    str,
    Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9._:/-]+$"),
    AfterValidator(_host_or_network),
]


class WorkerConfig(MetricsSettings):
    """The processes that decode, infer and match."""

    id: Identifier = "worker-1"
    keys_dir: Folder | None = Field(
        default=None, description="all keys this worker is given; null: paths.keys_dir/workers/<id>"
    )
    providers: tuple[str, ...] = Field(
        default=(),
        max_length=8,
        description="ONNX Runtime execution providers in order; empty: the best present",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="of ONNX Runtime, OpenCV and BLAS together; null: the CPUs this process may use, by affinity "
        "and quota",
    )
    intra_op_threads: int = Field(
        default=1,
        ge=1,
        le=256,
        description="threads of one inference; many cameras are served best by one thread each",
    )
    inference_threads: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="frames looked at at the same time; null: threads / intra_op_threads, on a GPU max_batch where "
        "that is more",
    )
    max_batch: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="frames of several cameras joined into one call of a model; null: 8 on a GPU, 1 on the CPU, "
        "where joining saves nothing",
    )
    batch_wait_ms: float = Field(
        default=2.0, ge=0, le=1000, description="how long a call waits for others to join it; 0: not at all"
    )

    standby: bool = Field(
        default=False,
        description="a second matching process waits with its models loaded, so that after a revocation or a crash "
        "cameras are searched again sooner; costs the memory of the models once more",
    )

    camera_secrets: dict[SecretName, tuple[Host, ...]] = Field(
        default_factory=dict,
        description="which secrets the addresses of cameras given by the service may name, each with the hosts it is "
        "sent to: names, addresses, or networks as 10.1.0.0/16",
    )

    @model_validator(mode="after")
    def _threads_fit_the_budget(self) -> Self:
        if self.threads is None:
            return self
        wanted = self.intra_op_threads * (self.inference_threads or 1)
        if wanted > self.threads and not (self.max_batch or 1) > 1:
            raise ValueError(
                f"inference_threads × intra_op_threads is {wanted}, more than threads ({self.threads}): raise threads, "
                "or lower one of the two"
            )
        return self

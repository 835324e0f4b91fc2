# The service without weights, settings or keys: those are mounted, or pulled by `aiqyn weights pull`.
#
# Base: python:3.11.16-slim-bookworm. The digest is of its multi-platform index, as recorded by the
# publisher in github.com/docker-library/repo-info, repos/python/remote/3.11-slim-bookworm.md,
# commit bc9bbb47fc70 (image of 2026-08-25). Renew both together.
FROM python:3.11.16-slim-bookworm@sha256:fe556eaffd0d96abd8685b83bb8a69addd0dc730fa193669a7df0d49ddcfac02 AS build

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /src
RUN python -m venv /opt/aiqyn
# The lock first: as long as it does not change, neither does this layer.
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/aiqyn/bin/python -m pip install --no-deps --require-hashes --only-binary :all: -r requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY vision vision
COPY weights weights
COPY pipelines pipelines
COPY api api
COPY aiqyn aiqyn
COPY bench bench
RUN /opt/aiqyn/bin/python -m pip install --no-deps --no-build-isolation .


FROM python:3.11.16-slim-bookworm@sha256:fe556eaffd0d96abd8685b83bb8a69addd0dc730fa193669a7df0d49ddcfac02

# Numbers, so that an orchestrator can see that this is not root without looking into the image.
RUN groupadd --system --gid 10001 aiqyn \
    && useradd --system --uid 10001 --gid aiqyn --home-dir /var/lib/aiqyn --create-home --shell /usr/sbin/nologin aiqyn \
    && install --directory --owner aiqyn --group aiqyn --mode 0700 /var/lib/aiqyn/data /var/lib/aiqyn/evidence \
        /var/lib/aiqyn/keys /var/lib/aiqyn/keys/workers /var/cache/aiqyn

COPY --from=build /opt/aiqyn /opt/aiqyn
COPY LICENSE THIRD_PARTY.md /usr/share/doc/aiqyn/

ENV PATH=/opt/aiqyn/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AIQYN_DATA_DIR=/var/lib/aiqyn/data \
    AIQYN_KEYS_DIR=/var/lib/aiqyn/keys \
    AIQYN_WEIGHTS_DIR=/var/cache/aiqyn/weights \
    AIQYN_API__HOST=0.0.0.0 \
    AIQYN_WORKER__METRICS_PORT=9108 \
    AIQYN_LOG_FORMAT=json

USER 10001:10001
WORKDIR /var/lib/aiqyn
VOLUME ["/var/lib/aiqyn/data", "/var/lib/aiqyn/keys", "/var/cache/aiqyn"]
# 8750: `serve`. 9108: a worker's /metrics, /health and /ready, within the container unless the settings say otherwise.
EXPOSE 8750 9108

# For `serve` and `work` alike; a worker answers once its models are loaded.
HEALTHCHECK --interval=15s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "-m", "aiqyn.health"]

ENTRYPOINT ["aiqyn"]
CMD ["serve"]

# The built-in algorithms with torch, transformers and DeepSpeed: what runs on the GPUs.
# jobkit is here too: its launcher starts the algorithm and reports how it ended.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG UV_VERSION=0.13.9
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=docker/install-python.sh,target=/tmp/install-python.sh \
    --mount=type=bind,source=locks/algorithms.txt,target=/tmp/lock.txt \
    sh /tmp/install-python.sh /tmp/lock.txt
# From its source, after torch, which its build imports. No CUDA ops are built: torch's own are used,
# and DeepSpeed compiles what else it needs on the GPU node itself.
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=docker/install-python.sh,target=/tmp/install-python.sh \
    --mount=type=bind,source=locks/deepspeed.txt,target=/tmp/lock.txt \
    DS_BUILD_OPS=0 PATH="/opt/venv/bin:$PATH" sh /tmp/install-python.sh /tmp/lock.txt --no-build-isolation
# USER: kopf and torch ask who runs them, and a uid without a name has no other answer.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/posthuman/operator:/opt/posthuman \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    USER=posthuman
COPY operator/jobkit /opt/posthuman/operator/jobkit
COPY algorithms /opt/posthuman/algorithms
USER 65532:65532
WORKDIR /opt/posthuman
ENTRYPOINT ["python", "-m", "jobkit"]

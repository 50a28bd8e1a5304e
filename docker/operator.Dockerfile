# The operator, its gateway and its command line. No torch, no shell tools, no root. Of the algorithms
# only names, needs and digests are read here, and shared/preflight is run: it needs no torch.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG UV_VERSION=0.13.9
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=docker/install-python.sh,target=/tmp/install-python.sh \
    --mount=type=bind,source=locks/operator.txt,target=/tmp/lock.txt \
    sh /tmp/install-python.sh /tmp/lock.txt
# USER: kopf and torch ask who runs them, and a uid without a name has no other answer.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/posthuman/operator:/opt/posthuman \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    USER=posthuman
COPY crds /opt/posthuman/crds
COPY algorithms /opt/posthuman/algorithms
COPY operator /opt/posthuman/operator
USER 65532:65532
WORKDIR /opt/posthuman
ENTRYPOINT ["python", "-m", "posthuman.cli"]

# What runs beside an algorithm: fetch (which asks algorithms/shared/preflight whether a model fits),
# seal, export. nft and ip are for the seal, whose init container alone runs as root (with NET_ADMIN
# and nothing else); all other programs run as 65532.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
ARG UV_VERSION=0.13.9
RUN apt-get update -q \
    && apt-get install -qy --no-install-recommends nftables iproute2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=docker/install-python.sh,target=/tmp/install-python.sh \
    --mount=type=bind,source=locks/jobkit.txt,target=/tmp/lock.txt \
    sh /tmp/install-python.sh /tmp/lock.txt
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
    PYTHONPATH=/opt/posthuman/operator:/opt/posthuman \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
COPY operator/jobkit /opt/posthuman/operator/jobkit
COPY algorithms/__init__.py /opt/posthuman/algorithms/__init__.py
COPY algorithms/shared/__init__.py /opt/posthuman/algorithms/shared/__init__.py
COPY algorithms/shared/preflight /opt/posthuman/algorithms/shared/preflight
USER 65532:65532
WORKDIR /opt/posthuman
ENTRYPOINT ["python", "-m", "jobkit"]

# syntax=docker/dockerfile:1
# The serving image: no TensorFlow, no torch.  With --build-arg EXTRAS="train s3 sign" it is the image for training, and for a
# worker that learns by itself (`tocsin-train` in the chart).  For amd64 and arm64: docker buildx build --platform …
FROM python:3.11.15-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba AS build
# hadolint ignore=DL3042
RUN --mount=type=cache,target=/cache/pip pip install --cache-dir /cache/pip uv==0.13.9
WORKDIR /src
# Bundles from a bucket, their signatures, and IAM on Amazon MSK.
ARG EXTRAS="s3 sign msk oidc"
ENV UV_PROJECT_ENVIRONMENT=/opt/tocsin UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_CACHE_DIR=/cache/uv UV_PYTHON_DOWNLOADS=never
COPY pyproject.toml uv.lock README.md LICENSE ./
# The libraries first: a change of our own sources leaves this layer as it is.
# hadolint ignore=SC2046,SC2086
RUN --mount=type=cache,target=/cache/uv \
    uv sync --frozen --no-default-groups --no-install-project $(printf -- '--extra %s ' $EXTRAS)
COPY models models
COPY training training
COPY index index
COPY alerts alerts
COPY stream stream
# hadolint ignore=SC2046,SC2086
RUN --mount=type=cache,target=/cache/uv \
    uv sync --frozen --no-default-groups --no-editable $(printf -- '--extra %s ' $EXTRAS)
# Tests of the libraries: 50 MB.
RUN find /opt/tocsin -type d -name tests -prune -exec rm -r {} +

FROM python:3.11.15-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="Tocsin" \
      org.opencontainers.image.description="Streaming anomaly detector for the logs of OpenStack-like clouds" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"
COPY --from=build /opt/tocsin /opt/tocsin
# A number, which Kubernetes can tell from root; the root file system may be read-only, all that is written goes to these two.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp tocsin && install -d -o 10001 -g 10001 /var/lib/tocsin
ENV PATH=/opt/tocsin/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/tmp
USER 10001:10001
WORKDIR /tmp
EXPOSE 9464 9465 9466
ENTRYPOINT ["tocsin"]
CMD ["run"]

# The serving image: no TensorFlow, no torch; built with --build-arg EXTRAS=train it can learn by itself.
FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv
WORKDIR /src
ARG EXTRAS=
COPY pyproject.toml uv.lock README.md LICENSE ./
ENV UV_PROJECT_ENVIRONMENT=/opt/tocsin UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN uv sync --frozen --no-default-groups --no-install-project ${EXTRAS:+--extra $EXTRAS}
COPY models models
COPY training training
COPY index index
COPY alerts alerts
COPY stream stream
RUN uv sync --frozen --no-default-groups --no-editable ${EXTRAS:+--extra $EXTRAS}

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 tocsin && install -d -o tocsin /memory
COPY --from=build /opt/tocsin /opt/tocsin
ENV PATH=/opt/tocsin/bin:$PATH PYTHONUNBUFFERED=1
USER tocsin
EXPOSE 9464 9465
ENTRYPOINT ["tocsin"]
CMD ["run"]

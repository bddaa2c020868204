# syntax=docker/dockerfile:1
# The program with its locked packages; nothing that built them. Runs as nobody special.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The locks first: changing the code alone keeps these layers.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --quiet --require-hashes -r requirements-build.lock \
 && python -m venv /opt/distributor \
 && /opt/distributor/bin/pip install --quiet --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE worker.py ./
COPY distributor distributor
COPY subscribers subscribers
COPY templates templates
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/distributor/bin/pip install --quiet --no-deps --no-index /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 distributor \
 && useradd --system --uid 10001 --gid distributor --home-dir /workspace --no-create-home distributor \
 && install -d -o distributor -g distributor /workspace
COPY --from=build /opt/distributor /opt/distributor
ENV PATH=/opt/distributor/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DISTRIBUTOR_WORKSPACE=/workspace
WORKDIR /workspace
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["distributor"]
CMD ["--help"]

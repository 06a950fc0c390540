# The images of productive-mcp. Targets:
#
#   gateway, operator   what is released: a program, Python and what it needs, without a distribution, so without a shell
#   dev                 all sources, writable and reloaded, with dev IdP, simulator and unit tests; never released
#
# Where TLS to the package index passes through a proxy of your own, give its authorities:
#   docker build --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt …
# BASE is any Debian with Python 3.13, its venv module and ca-certificates.
ARG BASE=python:3.13-slim-trixie


FROM ${BASE} AS build
# As in bin/bootstrap.
ARG UV=0.13.9
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_FROZEN=1 \
    UV_LINK_MODE=copy \
    UV_NO_DEV=1 \
    UV_PROJECT_ENVIRONMENT=/app \
    UV_PYTHON_DOWNLOADS=never \
    PATH=/opt/uv/bin:$PATH
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet "uv==${UV}"
WORKDIR /src
COPY bin/archive.py bin/strip.py /opt/
# Dependencies are a layer of their own in each of the next stages: a changed source leaves it as it is.
COPY pyproject.toml uv.lock ./
COPY contract/pyproject.toml contract/
COPY kube/pyproject.toml kube/
COPY operator/pyproject.toml operator/
COPY gateway/pyproject.toml gateway/
COPY dev/pyproject.toml dev/


FROM build AS build-gateway
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --package productive-gateway --no-install-workspace
# The Kubernetes client is 126 MB, most of it classes for each kind of object, which nothing imports, since the programs speak JSON. As an
# archive it is 8 MB, and the same package. 29 MB of the wheels is for debuggers.
RUN python3 /opt/archive.py /app kubernetes client/api client/models aio/client/api aio/client/models \
    && python3 /opt/strip.py /app
COPY contract contract
COPY kube kube
COPY gateway gateway
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --package productive-gateway --no-editable


FROM build AS build-operator
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --package productive-operator --no-install-workspace
# As for the gateway.
RUN python3 /opt/archive.py /app kubernetes client/api client/models aio/client/api aio/client/models \
    && python3 /opt/strip.py /app
COPY contract contract
COPY kube kube
COPY operator operator
# The operator's package links to it: what the doctor compares the rights with.
COPY charts/productive-mcp/files/rbac charts/productive-mcp/files/rbac
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --package productive-operator --no-editable


FROM ${BASE} AS python
# Byte code of the standard library, which some bases leave out: with a read-only root none can be kept later.
RUN python3 -m compileall -q -x site-packages "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"


FROM python AS runtime
# See docs/decisions/0023-images-without-a-distribution.md
COPY bin/runtime.py /opt/
RUN python3 /opt/runtime.py /runtime


FROM scratch AS program
COPY --from=runtime /runtime /
ENV PATH=/app/bin
USER 10001:10001
LABEL org.opencontainers.image.licenses=Apache-2.0


FROM program AS gateway
COPY --from=build-gateway /app /app
CMD ["productive-gateway", "serve"]
LABEL org.opencontainers.image.title=productive-mcp-gateway


FROM program AS operator
COPY --from=build-operator /app /app
CMD ["productive-operator", "run"]
LABEL org.opencontainers.image.title=productive-mcp-operator


FROM build AS build-dev
# All members are installed from /src as it stands there. The browser's driver has no browser here.
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --all-packages --group test --no-install-package playwright --no-install-workspace
COPY contract contract
COPY kube kube
COPY operator operator
COPY gateway gateway
COPY dev dev
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    uv sync --all-packages --group test --no-install-package playwright


FROM python AS dev
# Files are copied into its pods, and people look around in them: it keeps the distribution.
RUN useradd --uid 10001 --no-log-init --no-create-home --home-dir /tmp --shell /usr/sbin/nologin productive
ENV PATH=/app/bin:$PATH
USER 10001:10001
LABEL org.opencontainers.image.licenses=Apache-2.0
COPY --from=build-dev /app /app
COPY --chown=10001:10001 . /src
WORKDIR /src
# A file that changes twice within a second must not be run from the first one's byte code.
ENV PYTHONDONTWRITEBYTECODE=1
CMD ["productive-dev", "--help"]
LABEL org.opencontainers.image.title=productive-mcp-dev

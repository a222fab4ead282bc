# Images of the programs, one target for each:
#
#     docker build --target shortener --tag urlshortener/shortener .
#     docker build --target operator --tag urlshortener/operator .
#
# Each holds one program, the libraries that it is linked with and certificates, and no shell: `docker debug`, or `kubectl debug`,
# bring their own. From the same program and the same Debian the same layer comes out, to the byte.
#
# No `# syntax=` line: it would ask an image registry for a frontend, and the build needs nothing that the engine's own lacks.

# `compiled` builds the binaries here; `prebuilt` takes those that lie in deploy/prebuilt/, built on a Debian 12 by
# whoever has no Rust image at hand.
ARG BINARIES=compiled

FROM rust:1.95.0-slim-bookworm AS compiled
WORKDIR /src
COPY . .
# Without rust-toolchain.toml, which .dockerignore leaves out, the image's own toolchain is used: the same version.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin shortener \
    && install -D --target-directory=/binaries target/release/shortener

FROM scratch AS prebuilt
COPY deploy/prebuilt/ /binaries/

FROM ${BINARIES} AS binaries

# Where the file systems of the images are laid out. Nothing else of it is in them.
FROM debian:12-slim AS debian
RUN test -s /etc/ssl/certs/ca-certificates.crt \
    || (apt-get update -qq && apt-get install -qq -y --no-install-recommends ca-certificates >/dev/null)
COPY deploy/image/root.sh /

FROM debian AS shortener-root
COPY --from=binaries /binaries/shortener /
# /data is for the journal of clicks, which must outlive the container. Everything else may be read-only.
# The times of the files would else be those of the build.
RUN ./root.sh /shortener /image \
    && install --directory --owner=10001 --group=10001 --mode=0700 /image/data \
    && find /image -exec touch --no-dereference --date=@0 {} +

FROM scratch AS shortener
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shortener" \
    org.opencontainers.image.description="A URL shortener: redirects, clicks and their API, on SQLite or Postgres" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=shortener-root /image/ /
VOLUME /data
# The API is then either behind keys or declared open: the service refuses to guess.
ENV PATH=/usr/local/bin \
    SHORTENER_LISTEN=0.0.0.0:8080 \
    SHORTENER_MANAGEMENT_LISTEN=0.0.0.0:8081 \
    SHORTENER_DATA_DIR=/data
EXPOSE 8080 8081
USER 10001:10001
# Asks the management listener whether it can serve. A first start may have a database to wait for, and to migrate.
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s --retries=4 CMD ["shortener", "healthcheck"]
ENTRYPOINT ["shortener"]

# The operator, after everything of the service: a builder that works from the top compiles it only for who asks for it.
FROM rust:1.95.0-slim-bookworm AS compiled-operator
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin shortener-operator \
    && install -D --target-directory=/binaries target/release/shortener-operator

FROM scratch AS prebuilt-operator
COPY deploy/prebuilt/ /binaries/

FROM ${BINARIES}-operator AS operator-binaries

FROM debian AS operator-root
COPY --from=operator-binaries /binaries/shortener-operator /
RUN ./root.sh /shortener-operator /image \
    && find /image -exec touch --no-dereference --date=@0 {} +

FROM scratch AS operator
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="shortener-operator" \
    org.opencontainers.image.description="Looks after UrlShortener resources of a Kubernetes cluster" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=operator-root /image/ /
ENV PATH=/usr/local/bin
EXPOSE 8080
USER 65532:65532
ENTRYPOINT ["shortener-operator"]

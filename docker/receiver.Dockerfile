# The receiver: takes images by C-STORE, has the API score them, sends results by C-STORE. Computes nothing, and needs no broker.
FROM python:3.11-slim-bookworm AS build

# Without pip of its own: nothing can be installed into the finished image's environment.
RUN python -m venv --without-pip /opt/venv
COPY constraints/build.txt constraints/base.txt constraints/receiver.txt /build/
# All that is needed is pinned; wheels only, so no compiler is needed.
RUN pip install --no-cache-dir --only-binary :all: -r /build/build.txt \
    && pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: \
        -r /build/base.txt -r /build/receiver.txt

COPY disyre /opt/disyre/disyre
COPY receiver /opt/disyre/receiver
# Byte code is made here, since the root is read-only later.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/disyre


FROM python:3.11-slim-bookworm

RUN groupadd --gid 10001 disyre \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin disyre \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/disyre /opt/disyre
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/disyre \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DISYRE_RECEIVER_HOST=0.0.0.0 \
    DISYRE_RECEIVER_SPOOL=/data
WORKDIR /opt/disyre
USER 10001:10001
EXPOSE 11112
# Whether it takes connections.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from socket import create_connection; create_connection(('127.0.0.1', 11112), 4).close()"]
CMD ["python", "-m", "receiver"]

# The API: takes scans, serves results. Holds neither torch nor ONNX Runtime, nor the worker's code.
FROM python:3.11-slim-bookworm AS build

# Without pip of its own: nothing can be installed into the finished image's environment.
RUN python -m venv --without-pip /opt/venv
COPY constraints/build.txt constraints/base.txt constraints/service.txt constraints/oidc.txt constraints/s3.txt /build/
# All that is needed is pinned; wheels only, so no compiler is needed.
RUN pip install --no-cache-dir --only-binary :all: -r /build/build.txt \
    && pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: \
        -r /build/base.txt -r /build/service.txt -r /build/oidc.txt -r /build/s3.txt

COPY disyre /opt/disyre/disyre
COPY service /opt/disyre/service
COPY models /opt/disyre/models
# The API needs to know the models, not to run them. Byte code is made here, since the root is read-only later.
RUN find /opt/disyre/models -name '*.onnx' -delete \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/disyre


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
    DISYRE_LISTEN_HOST=0.0.0.0 \
    DISYRE_DATA_DIR=/data \
    DISYRE_MODELS_DIR=/opt/disyre/models
WORKDIR /opt/disyre
USER 10001:10001
EXPOSE 8000
# Whether this process answers. Whether a scan can be scored is /readyz: starting the API anew would not help there.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["python", "-m", "service"]

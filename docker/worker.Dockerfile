# The worker: runs the network. Holds neither torch nor FastAPI, nor the API's code.
#   RUNTIME=cpu   ONNX Runtime for processors
#   RUNTIME=gpu   ONNX Runtime for NVIDIA GPUs, with CUDA and cuDNN; the host needs its driver only
ARG RUNTIME=cpu

FROM python:3.11-slim-bookworm AS build
ARG RUNTIME

# Without pip of its own: nothing can be installed into the finished image's environment.
RUN python -m venv --without-pip /opt/venv
COPY constraints/build.txt constraints/base.txt constraints/worker-${RUNTIME}.txt constraints/s3.txt docker/cuda.txt /build/
# All that is needed is pinned; wheels only, so no compiler is needed.
RUN pip install --no-cache-dir --only-binary :all: -r /build/build.txt \
    && if [ "$RUNTIME" = cpu ]; then : > /build/cuda.txt; fi \
    && pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: \
        -r /build/base.txt -r "/build/worker-$RUNTIME.txt" -r /build/s3.txt -r /build/cuda.txt

COPY disyre /opt/disyre/disyre
COPY worker /opt/disyre/worker
# For `python -m cli score`, without a broker.
COPY cli /opt/disyre/cli
COPY models /opt/disyre/models
# Byte code is made here, since the root is read-only later.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/disyre


FROM python:3.11-slim-bookworm
ARG RUNTIME

RUN groupadd --gid 10001 disyre \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin disyre \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/disyre /opt/disyre
# ONNX Runtime reports to its makers if it is not told otherwise.
ENV ORT_DISABLE_TELEMETRY=1 \
    PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/disyre \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    DISYRE_DATA_DIR=/data \
    DISYRE_MODELS_DIR=/opt/disyre/models
LABEL org.disyre.runtime=$RUNTIME
WORKDIR /opt/disyre
USER 10001:10001
# A network may take long to load the first time.
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-m", "worker.health"]
CMD ["python", "-m", "worker"]

# Training: `disyre train` and `disyre export`, from healthy scans to a model package. Holds no Celery worker, no API.
FROM python:3.11-slim-bookworm AS build

RUN python -m venv --without-pip /opt/venv
COPY constraints/build.txt constraints/base.txt constraints/export.txt /build/
# All that is needed is pinned, but for the CUDA libraries: torch brings those of its build, pinned by itself.
RUN pip install --no-cache-dir --only-binary :all: -r /build/build.txt \
    && pip --python /opt/venv/bin/python install --no-cache-dir --only-binary :all: \
        -r /build/base.txt -r /build/export.txt

COPY disyre /opt/disyre/disyre
COPY model_export /opt/disyre/model_export
COPY cli /opt/disyre/cli
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/disyre


FROM python:3.11-slim-bookworm

RUN groupadd --gid 10001 disyre \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin disyre \
    && install --directory --owner 10001 --group 10001 --mode 0700 /runs
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/disyre /opt/disyre
# ONNX Runtime reports to its makers if it is not told otherwise.
ENV ORT_DISABLE_TELEMETRY=1 \
    PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/disyre \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /runs
USER 10001:10001
ENTRYPOINT ["python", "-m", "cli.main"]
CMD ["train", "--help"]

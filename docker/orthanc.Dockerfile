# Orthanc with its DICOMweb and Python plugins and the script that has disyre score what arrives. To try it, on loopback only:
# Debian's Orthanc has holes that newer ones have not (docs/pacs.md). Holds nothing else of this project.
FROM python:3.11-slim-bookworm

# Debian's stable repairs packages in place: a version that is pinned is gone once it was repaired.
# As its package is installed, Orthanc would be started; what Debian configures makes way for what ships here.
# hadolint ignore=DL3008
RUN groupadd --gid 10001 disyre \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin disyre \
    && printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d \
    && chmod 0755 /usr/sbin/policy-rc.d \
    && apt-get update \
    && apt-get install -y --no-install-recommends orthanc orthanc-dicomweb orthanc-python \
    && rm -rf /var/lib/apt/lists/* /etc/orthanc \
    && install --directory --mode 0755 /etc/orthanc /var/lib/orthanc \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/orthanc/db \
    && ln -s /run/secrets/orthanc-users.json /etc/orthanc/users.json
COPY docker/orthanc /etc/orthanc
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8042 4242
# Whether it answers, be it that a password is needed.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8042, timeout=4); c.request('GET', '/system'); assert c.getresponse().status in (200, 401)"]
CMD ["Orthanc", "/etc/orthanc"]

"""The settings of the receiver. Read once in the composition root, then passed as they are."""

from ipaddress import ip_address
from pathlib import Path
from typing import Self

from pydantic import Field, IPvAnyAddress, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from disyre.adapters.settings import SharedSettings
from disyre.eligibility import AeTitle


class ReceiverSettings(SharedSettings):
    """Settings of the receiver; environment variables `DISYRE_<NAME>`."""

    url: str = "http://127.0.0.1:8000"
    """Where the API is."""
    key_file: Path | None = None
    """A file with an API key that may submit and read."""
    receiver_rules: Path
    """The rules, see docs/pacs.md."""
    receiver_ae_title: AeTitle = "DISYRE"
    """What the receiver is called; what is sent to another title is refused."""
    receiver_host: IPvAnyAddress = ip_address("127.0.0.1")
    """Where it listens."""
    receiver_port: int = Field(default=11112, gt=0, lt=2**16)
    """And on which port."""
    receiver_callers: str | None = None
    """AE titles that may send, with commas; None is any, on this machine alone or with certificates."""
    receiver_tls_cert_file: Path | None = None
    """Its certificate; with it, nothing but TLS is spoken."""
    receiver_tls_key_file: Path | None = None
    """The key of that certificate."""
    receiver_tls_ca_file: Path | None = None
    """Certificates by which callers have to identify themselves; None asks for none."""
    receiver_spool: Path = Path("data/receiver")
    """Where series are until they are done with."""
    receiver_quiet_s: PositiveFloat = 30.0
    """A series of which nothing has come for so long is judged."""
    receiver_keep_s: NonNegativeFloat = 86_400.0
    """Images are kept for so long after the last one, so that a series that comes in parts becomes whole."""
    receiver_keep_rejected_s: NonNegativeFloat = 3_600.0
    """The same for a series that no rule takes."""
    receiver_max_bytes: PositiveInt = 50 * 2**30
    """Of all that is kept; beyond, images are refused for now."""
    receiver_max_instance_bytes: PositiveInt = 2 * 2**30
    """Of one image; the connection that sends more is cut."""
    receiver_max_instances: PositiveInt = 5000
    """Of one series."""
    receiver_max_associations: PositiveInt = 10
    """Connections at a time."""

    @property
    def callers(self) -> list[str]:
        """The AE titles that may send."""
        return [each.strip() for each in (self.receiver_callers or "").split(",") if each.strip()]

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if (self.receiver_tls_cert_file is None) != (self.receiver_tls_key_file is None):
            raise ValueError("expected a certificate and its key together, got one")
        if self.receiver_tls_ca_file is not None and self.receiver_tls_cert_file is None:
            raise ValueError("expected a certificate where callers have to have one, got none")
        is_open = not self.callers and self.receiver_tls_ca_file is None
        if is_open and not self.receiver_host.is_loopback:
            raise ValueError("expected DISYRE_RECEIVER_CALLERS, or certificates of callers, beyond loopback")
        return self

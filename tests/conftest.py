"""Settings of all tests."""

from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does; no test may fail because of it.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

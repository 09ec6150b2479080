"""The keys of an identity provider: when it is asked for them, and what counts as no answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key

from disyre.errors import Unavailable
from service.errors import ProviderAway
from service.oidc import SigningKeys
from tests.live import wait_for
from tests.service.oidc.provider import NO_HTTP, NO_KEYS, Provider


class Clock:
    """Seconds that a test lets pass."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_new_key_is_found_and_the_provider_is_not_asked_all_the_time(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    assert keys.find("first") is not None

    second: RSAPrivateKey = new_rsa_key(65537, 2048)
    provider.keys = {"second": second}
    assert [keys.find("second") for _ in range(9)] == [None] * 9
    assert provider.n_asked == 1
    clock.now_s = 31.0
    assert keys.find("second") is not None
    assert keys.find("first") is None
    assert provider.n_asked == 2
    clock.now_s = 4000.0
    assert keys.find("second") is not None
    assert provider.n_asked == 3


@pytest.mark.parametrize(
    ("answer", "speaks_http"), [*((a, True) for a in NO_KEYS), *((a, False) for a in (b"", *NO_HTTP))]
)
def test_a_provider_that_gives_no_keys_is_away(provider: Provider, answer: bytes, speaks_http: bool) -> None:
    clock = Clock()
    known, keys = (SigningKeys(provider.url, clock_s=clock) for _ in range(2))
    assert known.find("first") is not None

    provider.answer, provider.speaks_http = answer, speaks_http
    clock.now_s = 4000.0

    assert known.find("first") is not None
    with pytest.raises(Unavailable):
        keys.find("first")
    provider.answer, provider.speaks_http = None, True
    clock.now_s += 31.0
    assert keys.find("first") is not None


def test_a_provider_that_has_never_given_keys_is_not_asked_all_the_time(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    provider.answer = b"down"

    for n_asked, clock.now_s, left_s in ((1, 0, 30), (1, 1, 29), (1, 29.5, 1), (2, 31, 30), (2, 60, 1)):
        with pytest.raises(ProviderAway) as error:
            keys.find("first")
        assert (provider.n_asked, error.value.retry_after_s) == (n_asked, left_s)


def test_keys_that_are_old_are_asked_for_again_soon_after_that_has_failed(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    assert keys.find("first") is not None

    provider.answer = b"down"
    clock.now_s = 4000.0
    assert [keys.find("first") is not None for _ in range(9)] == [True] * 9
    assert provider.n_asked == 2
    provider.answer, provider.keys = None, {"second": provider.key}
    clock.now_s += 31.0
    assert keys.find("first") is None
    assert provider.n_asked == 3


def test_who_comes_while_the_provider_is_asked_gets_what_comes_of_it(provider: Provider) -> None:
    keys = SigningKeys(provider.url)
    provider.may_answer.clear()

    with ThreadPoolExecutor(9) as threads:
        finds = [threads.submit(keys.find, "first") for _ in range(9)]
        wait_for(lambda: provider.n_asked > 0, "the provider is asked")
        provider.may_answer.set()
        assert all(find.result() is not None for find in finds)
    assert provider.n_asked == 1


def test_a_key_that_is_known_is_found_while_the_provider_is_asked(provider: Provider) -> None:
    clock = Clock()
    keys = SigningKeys(provider.url, clock_s=clock)
    keys.find("first")
    clock.now_s = 4000.0
    assert keys.has_to_wait("first")

    provider.may_answer.clear()
    with ThreadPoolExecutor(1) as threads:
        unknown = threads.submit(keys.find, "second")
        wait_for(lambda: provider.n_asked > 1, "the provider is asked")
        assert keys.has_to_wait("second")
        assert not keys.has_to_wait("first")
        assert keys.find("first") is not None
        provider.may_answer.set()
        assert unknown.result() is None


def test_a_provider_that_is_not_there_is_away() -> None:
    with pytest.raises(Unavailable):
        SigningKeys("http://127.0.0.1:1/keys").find("first")

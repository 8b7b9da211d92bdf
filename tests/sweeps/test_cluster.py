"""The cluster of this machine starts, whatever becomes of its first workers."""

import distributed
import pytest

from gr_jscc.errors import UserError
from gr_jscc.sweeps.cluster import STARTS, local_client

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def faltering(monkeypatch):
    """Has Dask's clusters fail to start so many times, as they do where a worker is killed meanwhile."""
    real, tried = distributed.LocalCluster, []

    def falter(times):
        def start(*arguments, **named):
            tried.append(1)
            if len(tried) <= times:
                raise RuntimeError("Nanny failed to start.")
            return real(*arguments, **named)

        monkeypatch.setattr(distributed, "LocalCluster", start)
        return tried

    return falter


def test_a_cluster_that_fails_to_start_is_started_again(faltering):
    tried = faltering(STARTS - 1)
    with local_client(1) as client:
        assert client.submit(sum, (1, 2)).result() == 3
    assert len(tried) == STARTS


def test_one_that_never_starts_is_told_in_a_line(faltering):
    tried = faltering(STARTS)
    with (
        pytest.raises(UserError, match="workers exit during start-up: .*Nanny failed to start") as told,
        local_client(1),
    ):
        pass
    assert len(tried) == STARTS and "\n" not in str(told.value)

"""What a job store asks of the broker in one step: the scripts (Lua), and the names of their keys."""

from typing import Final

from disyre.adapters.job_store import BEGUN
from disyre.job import JobState

ALL_KEY: Final = "disyre:jobs"
WAITING_KEY: Final = "disyre:jobs:waiting"
RUNNING_KEY: Final = "disyre:jobs:running"

# The id goes into the index of its state in the same step as the job. All scores are 0, so that ids, which
# sort by time of submission, are in order.
STORE: Final = f"""
local job, id = KEYS[1], ARGV[1]
if (redis.call('HGET', job, 'revision') or '0') ~= ARGV[2] then return 0 end
redis.call('HSET', job, 'doc', ARGV[3], 'revision', ARGV[4], 'state', ARGV[5])
redis.call('ZADD', KEYS[2], 0, id)
redis.call('ZREM', KEYS[3], id)
redis.call('ZREM', KEYS[4], id)
if ARGV[5] == '{JobState.QUEUED}' then redis.call('ZADD', KEYS[3], 0, id) end
if ARGV[5] == '{BEGUN[0]}' or ARGV[5] == '{BEGUN[1]}' then redis.call('ZADD', KEYS[4], 0, id) end
return 1
"""
RENEW: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
RELEASE: Final = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""


def job_key(job_id: str) -> str:
    """Of a job's record."""
    return f"disyre:job:{job_id}"


def lease_key(job_id: str) -> str:
    """Of the lease on a job."""
    return f"disyre:lease:{job_id}"

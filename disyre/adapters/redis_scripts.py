"""What a job store asks of the broker in one step: the scripts (Lua), and the names of their keys."""

from typing import Final

from disyre.adapters.due_calls import TRIES_KEY
from disyre.adapters.job_store import BEGUN, N_DURATIONS
from disyre.adapters.queue_names import QUEUE_PREFIX, QUEUES_KEY
from disyre.job_state import JobState
from disyre.receipt import KEPT_S
from disyre.tally import BEGUN_AT_S

ALL_KEY: Final = "disyre:jobs"
WAITING_KEY: Final = "disyre:jobs:waiting"
RUNNING_KEY: Final = "disyre:jobs:running"
DURATIONS_KEY: Final = "disyre:durations"
"""Model and seconds of the jobs that succeeded lately, the last one first."""
RANK: Final = 2**42
"""The score of a job that waits: the rank of its priority times this, and a number that grows with every job
that comes. Programs from before there were priorities give 0, which goes first."""
_SEQUENCE_KEY: Final = "disyre:sequence"
_JOB_PREFIX: Final = "disyre:job:"
EXPIRY_KEY: Final = "disyre:jobs:expiry"
"""Ids of finished jobs that are not kept for ever, by the second at which they expire."""
EVENTS_KEY: Final = "disyre:events"
"""The stream of what happens to all jobs."""
EXPORTS_DUE_KEY: Final = "disyre:exports"
"""Ids of jobs and names of servers with a blank between, by the ms since 1970 when an export is due."""
COUNTS_KEY: Final = "disyre:metrics"
"""What was counted of jobs, in a hash."""
MARK_KEY: Final = "disyre:store"
# Adds pairs of a name and a number, from one place in ARGV on, to what was counted.
_COUNT: Final = f"""
local function count(counts, first)
    for k = first, #ARGV, 2 do
        if ARGV[k] == '{BEGUN_AT_S}' then redis.call('HSET', counts, ARGV[k], ARGV[k + 1])
        else redis.call('HINCRBYFLOAT', counts, ARGV[k], ARGV[k + 1]) end
    end
end
"""
INDEX_KEYS: Final = (ALL_KEY, WAITING_KEY, RUNNING_KEY)
"""The first keys of every script that stores or removes jobs."""
_MOST_EVENTS: Final = 10_000
_MOST_EVENTS_OF_A_JOB: Final = 500

# A job that waits is in an index of all of these, and in that of its queue, in the order in which they begin.
# It keeps its number until it ends: one that is begun anew stands before all that came after it.
_LEAVE: Final = f"""
local function leave(job, id)
    redis.call('ZREM', KEYS[2], id)
    local queue = redis.call('HGET', job, 'queue')
    if queue then redis.call('ZREM', '{QUEUE_PREFIX}' .. queue, id) end
end
"""
_ENTER: Final = f"""
local function enter(job, id, rank, queue)
    if redis.call('ZSCORE', KEYS[2], id) then return end
    local number = redis.call('HGET', job, 'number') or redis.call('INCR', '{_SEQUENCE_KEY}')
    local score = rank * {RANK} + number
    redis.call('HSET', job, 'queue', queue, 'number', number)
    redis.call('SADD', '{QUEUES_KEY}', queue)
    redis.call('ZADD', KEYS[2], score, id)
    redis.call('ZADD', '{QUEUE_PREFIX}' .. queue, score, id)
end
"""
# The id goes into the index of its state in the same step as the job. In the index of all, all scores are 0,
# so that ids, which sort by time of submission, are in order. What is told of the job goes into two streams
# in that step, too; in its own one, the revision is the id. Keys may be made here, as a broker is one server.
_PUT: Final = f"""{_LEAVE}{_ENTER}
local function put(job, id, doc, revision, state, event, rank, queue)
    redis.call('HSET', job, 'doc', doc, 'revision', revision, 'state', state)
    redis.call('ZADD', KEYS[1], 0, id)
    redis.call('ZREM', KEYS[3], id)
    if state == '{JobState.QUEUED}' then enter(job, id, rank, queue) else leave(job, id) end
    if state == '{BEGUN[0]}' or state == '{BEGUN[1]}' then redis.call('ZADD', KEYS[3], 0, id)
    elseif state ~= '{JobState.QUEUED}' then redis.call('HDEL', job, 'number') end
    local own = job .. ':events'
    redis.call('XADD', own, 'MAXLEN', '~', {_MOST_EVENTS_OF_A_JOB}, revision .. '-0', 'event', event)
    redis.call('XADD', '{EVENTS_KEY}', 'MAXLEN', '~', {_MOST_EVENTS}, '*', 'event', event)
end
"""
# Of the scans of all jobs in some indices.
_VOXELS: Final = """
local function voxels_in(indices)
    local total = 0
    for _, index in ipairs(indices) do
        for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
            total = total + (tonumber(redis.call('HGET', 'disyre:job:' .. id, 'voxels')) or 0)
        end
    end
    return total
end
"""
ADDED: Final = "added"
LATE: Final = "late"
FULL: Final = "full"
CROWDED: Final = "crowded"
TAKEN: Final = "taken"
"""What ADD answers: it is there, once; or it is not, as the time is over, there is no room for jobs, or for
voxels (behind that, how many there are), or another has one of its ids."""
# KEYS: those of the indices, the jobs', and that of counts. ARGV: the last microsecond at which jobs are
# taken, how many jobs may wait and how many voxels wait and run, each or -1, a name for this call, then id,
# document, revision, state, event, rank and queue of each job, and what is counted. Voxels are found in the
# document: within text, the quotes of a name are escaped. A call that was carried out before is known by its
# name.
ADD: Final = f"""{_PUT}{_COUNT}{_VOXELS}
local last_us, most, most_voxels = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local call, n = ARGV[4], #KEYS - 4
local known, taken = 0, 0
for k = 1, n do
    local before = redis.call('HGET', KEYS[3 + k], 'added')
    if before == call then known = known + 1
    elseif redis.call('EXISTS', KEYS[3 + k]) == 1 then taken = taken + 1 end
end
if taken > 0 then return '{TAKEN}' end
if known > 0 then return '{ADDED}' end
local now = redis.call('TIME')
if tonumber(now[1]) * 1000000 + tonumber(now[2]) > last_us then return '{LATE}' end
if most >= 0 and redis.call('ZCARD', KEYS[2]) + n > most then return '{FULL}' end
local voxels, more = {{}}, 0
for k = 1, n do
    voxels[k] = string.match(ARGV[7 * k - 1], '"n_voxels":(%d+)') or '0'
    more = more + tonumber(voxels[k])
end
if most_voxels >= 0 then
    local there = voxels_in({{KEYS[2], KEYS[3]}})
    if there > 0 and there + more > most_voxels then return string.format('{CROWDED} %.0f', there) end
end
for k = 1, n do
    put(KEYS[3 + k], unpack(ARGV, 7 * k - 2, 7 * k + 4))
    redis.call('HSET', KEYS[3 + k], 'added', call, 'voxels', voxels[k])
end
count(KEYS[#KEYS], 7 * n + 5)
return '{ADDED}'
"""
RECEIVED: Final = "received"
"""What ADD_ONCE answers where another request has the key."""
# ADD, and the receipt of an idempotency key in the same step. Last of KEYS: the idempotency key's. Last of
# ARGV: who holds it, and the receipt.
ADD_ONCE: Final = f"""
local once, receipt, holder = table.remove(KEYS), table.remove(ARGV), table.remove(ARGV)
local function add() {ADD} end
local other = redis.call('HGET', once, 'holder')
if other and other ~= holder then return '{RECEIVED}' end
local answer = add()
if answer == '{ADDED}' then
    redis.call('HSET', once, 'holder', holder, 'receipt', receipt)
    redis.call('PEXPIRE', once, {round(KEPT_S * 1000)})
end
return answer
"""
# KEYS: those of the indices, the job's, those of durations, counts, calls and exports. ARGV: id, the
# revision that is replaced, document, revision, state, event, rank and queue, a name for this call, the
# duration to be kept,
# or nothing, whether somebody is to be called, the server that results are sent to, or nothing, and what is
# counted. A call that was carried out before, with none since, is known by its name.
STORE: Final = f"""{_PUT}{_COUNT}
local stored = redis.call('HMGET', KEYS[4], 'revision', 'changed')
if stored[2] == ARGV[9] then return 1 end
if stored[1] ~= ARGV[2] then return 0 end
put(KEYS[4], ARGV[1], unpack(ARGV, 3, 8))
redis.call('HSET', KEYS[4], 'changed', ARGV[9])
if ARGV[10] ~= '' then
    redis.call('LPUSH', KEYS[5], ARGV[10])
    redis.call('LTRIM', KEYS[5], 0, {N_DURATIONS - 1})
end
if ARGV[11] ~= '' then
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[7], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
    redis.call('HDEL', '{TRIES_KEY}', ARGV[1])
end
if ARGV[12] ~= '' then
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[8], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1] .. ' ' .. ARGV[12])
end
count(KEYS[6], 13)
return 1
"""
# STORE, and when the job expires, in the same step. Last of KEYS: the index of that. Last of ARGV: the second
# since 1970, or nothing.
STORE_UNTIL: Final = f"""
local expiry, expires_s, id = table.remove(KEYS), table.remove(ARGV), ARGV[1]
local function store() {STORE} end
local is_stored = store()
if is_stored == 1 then
    if expires_s == '' then redis.call('ZREM', expiry, id) else redis.call('ZADD', expiry, expires_s, id) end
end
return is_stored
"""
# KEYS: the indices of jobs that wait, and that run.
N_VOXELS: Final = f"{_VOXELS}return voxels_in(KEYS)"
# KEYS: those of the indices of what waits and runs, and of the names of queues. ARGV: as JSON, by the name of
# a queue those that take turns with it; then ids. Answers how many jobs wait and run, how many wait in each
# queue, and how many of each begin before these; nothing for one that does not wait. Queues take turns, one
# job of a priority each, so a job comes after all of a higher priority, after those before it in its queue,
# and in each other queue after as many. Those that are in no queue are of a model that is not known.
PLACES: Final = f"""
local together, all = cjson.decode(ARGV[1]), redis.call('SMEMBERS', KEYS[3])
local seen = {{}}
local function count(index, rank)
    local key = rank .. index
    if not seen[key] then
        local first = string.format('%.0f', rank * {RANK})
        local n_higher = rank > 0 and redis.call('ZCOUNT', index, '-inf', '(' .. first) or 0
        local next = string.format('(%.0f', (rank + 1) * {RANK})
        seen[key] = {{n_higher, redis.call('ZCOUNT', index, first, next)}}
    end
    return unpack(seen[key])
end
local function tell(list, queue, n)
    if n > 0 then
        list[#list + 1] = queue
        list[#list + 1] = n
    end
end
local function ahead(id, score, queue)
    local found, rank, own = {{}}, math.floor(score / {RANK}), '{QUEUE_PREFIX}' .. queue
    local n_ahead = redis.call('ZRANK', own, id)
    local n_before = n_ahead - count(own, rank)
    tell(found, queue, n_ahead)
    for _, other in ipairs(together[queue] or all) do
        if other ~= queue then
            local index = '{QUEUE_PREFIX}' .. other
            local n_higher, n_alike = count(index, rank)
            local n = n_higher + math.min(n_alike, n_before)
            if n_alike > n_before then
                local rival = redis.call('ZRANGE', index, n, n, 'WITHSCORES')
                if tonumber(rival[2]) < score then n = n + 1 end
            end
            tell(found, other, n)
        end
    end
    return found
end
local waiting = {{}}
for _, queue in ipairs(all) do tell(waiting, queue, redis.call('ZCARD', '{QUEUE_PREFIX}' .. queue)) end
local answer = {{redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), waiting}}
for k = 2, #ARGV do
    local score = redis.call('ZSCORE', KEYS[1], ARGV[k])
    local queue = score and redis.call('HGET', '{_JOB_PREFIX}' .. ARGV[k], 'queue')
    local own = queue and redis.call('ZSCORE', '{QUEUE_PREFIX}' .. queue, ARGV[k])
    if not score then answer[k + 2] = false
    elseif own then answer[k + 2] = ahead(ARGV[k], tonumber(own), queue)
    else
        answer[k + 2] = {{}}
        tell(answer[k + 2], '', redis.call('ZRANK', KEYS[1], ARGV[k]))
    end
end
return answer
"""
# KEYS: those of the index of what waits, and of the names of queues. Programs of before there were queues
# take jobs out of the first only.
TIDY: Final = f"""
for _, queue in ipairs(redis.call('SMEMBERS', KEYS[2])) do
    for _, id in ipairs(redis.call('ZRANGE', '{QUEUE_PREFIX}' .. queue, 0, -1)) do
        if not redis.call('ZSCORE', KEYS[1], id) then redis.call('ZREM', '{QUEUE_PREFIX}' .. queue, id) end
    end
end
"""
# ARGV: id. Answers whether there is no such job afterwards.
WITHDRAW: Final = f"""{_LEAVE}
local revision = redis.call('HGET', KEYS[4], 'revision')
if revision and revision ~= '1' then return 0 end
leave(KEYS[4], ARGV[1])
redis.call('DEL', KEYS[4], KEYS[4] .. ':events')
for k = 1, 3 do redis.call('ZREM', KEYS[k], ARGV[1]) end
return 1
"""
# KEYS: those of the indices, the job's, and of when jobs expire. ARGV: id, and the keys that go with it.
REMOVE: Final = f"""{_LEAVE}
leave(KEYS[4], ARGV[1])
for k = 1, 3 do redis.call('ZREM', KEYS[k], ARGV[1]) end
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('DEL', KEYS[4], unpack(ARGV, 2))
"""


def job_key(job_id: str) -> str:
    """Of a job's record."""
    return f"{_JOB_PREFIX}{job_id}"


def tombstone_key(job_id: str) -> str:
    """Of what is left of an expired job: its owner."""
    return f"disyre:expired:{job_id}"


def once_key(name: str) -> str:
    """Of an idempotency key."""
    return f"disyre:once:{name}"


def events_key(job_id: str) -> str:
    """Of the stream of what happens to a job."""
    return f"{job_key(job_id)}:events"


def exports_key(job_id: str) -> str:
    """Of the hash of a job's exports, by the names of their servers."""
    return f"{job_key(job_id)}:exports"

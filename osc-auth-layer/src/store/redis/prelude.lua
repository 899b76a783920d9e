-- Precedes every script but members.lua: the entry, and the server's time in milliseconds.
local key = KEYS[1]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local held = redis.call('HMGET', key, 'version', 'value', 'group')
local version, group = held[1], held[3]

-- The expiry is in milliseconds from now.
local function found()
    return {now, version, held[2], redis.call('PTTL', key)}
end

-- A group is a sorted set of keys with the times at which they expire. It expires with its last key.
local function join(group)
    redis.call('ZADD', group, string.format('%.0f', now + redis.call('PTTL', key)), key)
    redis.call('ZREMRANGEBYSCORE', group, '-inf', now)
    redis.call('PEXPIREAT', group, redis.call('ZRANGE', group, -1, -1, 'WITHSCORES')[2])
end


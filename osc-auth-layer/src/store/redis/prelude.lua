-- Precedes every script: the entry, and the server's time in milliseconds.
local key = KEYS[1]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local held = redis.call('HMGET', key, 'version', 'value')
local version = held[1]

-- The expiry is in milliseconds from now.
local function found()
    return {now, version, held[2], redis.call('PTTL', key)}
end


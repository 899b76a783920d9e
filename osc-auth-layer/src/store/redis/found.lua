-- Goes before every script: what the key holds, and the time of the server, by which everything is reckoned.
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- tostring() would write so large a number with an exponent.
local function ms(number)
    return string.format('%.0f', number)
end

local found = redis.call('HMGET', key, 'ended', 'version', 'sealed', 'refused', 'written', 'touched', 'ends')
local ended, version, ends = found[1], found[2], found[7]
table.insert(found, 1, ms(now))


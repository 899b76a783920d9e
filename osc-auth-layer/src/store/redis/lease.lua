-- ARGV: owner, duration. Answers how long somebody else still has it (nil when it is the owner's), and what is there.
if not version then
    return {false, found}
end
local lease = redis.call('HMGET', key, 'owner', 'until')
if lease[1] and lease[1] ~= ARGV[1] and now < tonumber(lease[2]) then
    return {ms(tonumber(lease[2]) - now), found}
end
redis.call('HSET', key, 'owner', ARGV[1], 'until', ms(now + tonumber(ARGV[2])))
return {false, found}

-- ARGV: owner, duration. Answers how long somebody else still has it (0 when theirs ran out and the record is as it was
-- then, nil when it was free or the owner's), and what is there.
if not version then
    return {false, found}
end
local lease = redis.call('HMGET', key, 'owner', 'until', 'leased')
if lease[1] and lease[1] ~= ARGV[1] and now < tonumber(lease[2]) then
    return {ms(tonumber(lease[2]) - now), found}
end
redis.call('HSET', key, 'owner', ARGV[1], 'until', ms(now + tonumber(ARGV[2])), 'leased', version)
if lease[1] and lease[1] ~= ARGV[1] and lease[3] == version then
    return {'0', found}
end
return {false, found}

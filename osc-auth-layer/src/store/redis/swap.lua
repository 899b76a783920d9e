-- ARGV: expected version or '', new version, value, expiry or '', key of the group or ''. Returns the time alone if it wrote, else
-- what is there.
if (version or '') ~= ARGV[1] then
    return found()
end
if version then
    -- A server without memory refuses HSET, but not in a script that has already written. So sessions can end.
    redis.call('HDEL', key, 'value', 'group')
end
redis.call('HSET', key, 'version', ARGV[2], 'value', ARGV[3])
if ARGV[4] ~= '' then
    redis.call('PEXPIRE', key, ARGV[4])
end
if group and group ~= ARGV[5] then
    redis.call('ZREM', group, key)
end
if ARGV[5] ~= '' then
    redis.call('HSET', key, 'group', ARGV[5])
    join(ARGV[5])
end
return {now}

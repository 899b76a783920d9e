-- ARGV: expected version, expiry. The answer has no meaning.
if version == ARGV[1] and redis.call('PTTL', key) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', key, ARGV[2])
    if group then
        join(group)
    end
end
return 1

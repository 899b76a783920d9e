-- ARGV: expected version, new version, sealed. Answers nil when it was done, else what is there.
if version ~= ARGV[1] then
    return found
end
redis.call('HSET', key, 'version', ARGV[2], 'sealed', ARGV[3], 'written', ms(now))
redis.call('HDEL', key, 'refused')
return false

-- ARGV: expected version. The answer has no meaning.
if version == ARGV[1] then
    redis.call('DEL', key)
    if group then
        redis.call('ZREM', group, key)
    end
end
return 1

-- ARGV: the version that was refused.
if version == ARGV[1] then
    redis.call('HSET', key, 'refused', '1')
end
return 1

-- ARGV: owner.
if redis.call('HGET', key, 'owner') == ARGV[1] then
    redis.call('HDEL', key, 'owner', 'until', 'leased')
end
return 1

-- ARGV: sealed, idle, absolute. Answers whether the name was free.
if version or ended then
    return 0
end
local idle = tonumber(ARGV[2])
ends = now + tonumber(ARGV[3])
redis.call('HSET', key, 'version', '1', 'sealed', ARGV[1], 'written', ms(now), 'touched', ms(now),
    'idle', ms(idle), 'ends', ms(ends))
redis.call('PEXPIREAT', key, ms(math.min(now + idle, ends)))
return 1

if version then
    local idle = redis.call('HGET', key, 'idle')
    redis.call('HSET', key, 'touched', ms(now))
    redis.call('PEXPIREAT', key, ms(math.min(now + tonumber(idle), tonumber(ends))))
end
return 1

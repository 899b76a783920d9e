-- ARGV: the mark, and how long it stays. Answers what was there.
if version then
    -- DEL comes first: a server without memory refuses HSET, but not in a script that has already written.
    redis.call('DEL', key)
    redis.call('HSET', key, 'ended', ARGV[1])
    redis.call('PEXPIRE', key, ARGV[2])
end
return found

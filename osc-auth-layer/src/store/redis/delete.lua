-- ARGV: expected version. The answer has no meaning.
if version == ARGV[1] then
    redis.call('DEL', key)
end
return 1

-- Begins a blob under a name that expires.
--
-- KEYS   1 the unfinished blob
-- ARGV   1 its length   2 which state of the blob this is   3 how long it may take, s

redis.call('HSET', KEYS[1], 'len', ARGV[1], 'version', ARGV[2])
return redis.call('EXPIRE', KEYS[1], ARGV[3])

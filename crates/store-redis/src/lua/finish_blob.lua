-- Gives a blob that is written whole its name, in one step: what expires before it is named leaves nothing behind.
--
-- KEYS   1 the unfinished blob   2 the blob   3 the owner's blobs
-- ARGV   1 the blob's id   2 its length   3 which state of the blob this is
-- Reply  1 named, or named before   0 it has expired meanwhile; what was written after that is removed

if redis.call('HGET', KEYS[2], 'version') == ARGV[3] then return 1 end
if redis.call('PERSIST', KEYS[1]) == 0 then
  redis.call('UNLINK', KEYS[1])
  return 0
end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return 1

-- Makes an account exist whose parts are loaded.
--
-- KEYS   1 account   2 checkpoint      (both of one account: one slot)
-- ARGV   1 its value, which starts with its version   2 number of the first entry the checkpoint does not cover, empty for
--        no checkpoint   3 the checkpoint's document
-- Reply  1 it exists at this version      0 it exists already at another

local current = redis.call('GETRANGE', KEYS[1], 0, 23)
if current ~= '' then
  if current == string.sub(ARGV[1], 1, 24) then return 1 end
  return 0
end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], 'next', ARGV[2], 'd', ARGV[3]) end
redis.call('SET', KEYS[1], ARGV[1])
return 1

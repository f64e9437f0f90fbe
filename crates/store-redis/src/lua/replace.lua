-- Writes a value if it is still what it was read as.
--
-- KEYS   1 a string, or a hash
-- ARGV   1 the hash's field, empty for a string   2 what was read, empty for nothing   3 what to write
-- Reply  1 written   0 it is something else by now

local is_string = ARGV[1] == ''
local present = is_string and redis.call('GET', KEYS[1]) or not is_string and redis.call('HGET', KEYS[1], ARGV[1])
if (present or '') ~= ARGV[2] then return 0 end
if is_string then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1

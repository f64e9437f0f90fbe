-- Writes one account's commit, if the account is still at the version that was read.
--
-- KEYS   1 account   2 tabs   3 names   4 jobs   5 entries   6 due tabs   7 due jobs      (all of one account: one slot)
-- ARGV   1 expected version, 24 bytes; empty: the account must not exist
--        2 next version, 24 bytes
--        3 the node's clock when the batch was applied, ms
--        4 the most it may be before ours, ms; what is late was perhaps long on its way     5 the most it may be after ours
--        6 the account's value, which starts with the next version
--        7 channel that is told of a rise; empty: nothing rose  8 what it is told
--        9.. seven lists, each a count of strings and then the strings:
--           entries: stream id, document      tabs: session, document       forgotten tabs: session
--           due tabs: bucket, session         names: name, document         jobs: job, document
--           due jobs: instant, job, an empty instant for a job that is over
-- Reply  1 written, or written before      0 the account is at another version      -1 there is no such account
--        {-2, ms} the node's clock is so far away from ours
--
-- Nothing is rolled back when a script fails: everything is checked before anything is written.

local current = redis.call('GETRANGE', KEYS[1], 0, 23)
if current == ARGV[2] then return 1 end
if current ~= ARGV[1] then
  if current == '' then return -1 end
  return 0
end
local time = redis.call('TIME')
local skew = tonumber(ARGV[3]) - (time[1] * 1000 + math.floor(time[2] / 1000))
if -skew > tonumber(ARGV[4]) or skew > tonumber(ARGV[5]) then return { -2, skew } end

local at = 9
-- The bounds of the next list.
local function list()
  local first = at + 1
  at = first + tonumber(ARGV[at])
  return first, at - 1
end
-- Runs a command on a list, in parts that fit Lua's stack. Parts are even, so that pairs stay together.
local function call(command, key, first, last)
  for from = first, last, 4000 do
    redis.call(command, key, unpack(ARGV, from, math.min(from + 3999, last)))
  end
end

local first, last = list()
for i = first, last, 2 do redis.call('XADD', KEYS[5], ARGV[i], 'd', ARGV[i + 1]) end
redis.call('SET', KEYS[1], ARGV[6])
first, last = list()
call('HSET', KEYS[2], first, last)
first, last = list()
call('HDEL', KEYS[2], first, last)
call('ZREM', KEYS[6], first, last)
first, last = list()
call('ZADD', KEYS[6], first, last)
first, last = list()
call('HSET', KEYS[3], first, last)
first, last = list()
call('HSET', KEYS[4], first, last)
first, last = list()
for i = first, last, 2 do
  if ARGV[i] == '' then
    redis.call('ZREM', KEYS[7], ARGV[i + 1])
  else
    redis.call('ZADD', KEYS[7], ARGV[i], ARGV[i + 1])
  end
end
if ARGV[7] ~= '' then redis.call('PUBLISH', ARGV[7], ARGV[8]) end
return 1

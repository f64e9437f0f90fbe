-- Reads an account with some of its tabs, names and jobs, as of one moment.
--
-- KEYS   1 account   2 tabs   3 names   4 jobs      (all of one account: one slot)
-- ARGV   three lists, each a count and then the fields: sessions, names, jobs
-- Reply  nil: there is no such account
--        {value, tabs, names, jobs}; each list has a document, or nil, for every field that was asked for

local value = redis.call('GET', KEYS[1])
if not value then return nil end
local at = 1
local function read(key)
  local found = {}
  local first = at + 1
  at = first + tonumber(ARGV[at])
  for from = first, at - 1, 4000 do
    local part = redis.call('HMGET', key, unpack(ARGV, from, math.min(from + 3999, at - 1)))
    for i = 1, #part do found[#found + 1] = part[i] end
  end
  return found
end
return { value, read(KEYS[2]), read(KEYS[3]), read(KEYS[4]) }

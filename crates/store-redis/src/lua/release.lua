-- What scripts about reservations begin with.

-- Takes a session's reservation away, and what it counts for at its node. Answers whether there was one.
local function release(nodes, reservations, ends, session)
  local reservation = redis.call('HGET', reservations, session)
  if not reservation then return false end
  local weight, boot = string.match(reservation, '^(%d+) (.*)$')
  redis.call('HDEL', reservations, session)
  redis.call('ZREM', ends, session)
  local node = nodes .. boot
  -- A node that is gone must not come back as an empty one.
  if redis.call('EXISTS', node) == 1 then
    redis.call('HINCRBY', node, 'rs', -1)
    redis.call('HINCRBY', node, 'rm', -weight)
  end
  return true
end

-- What scripts about reservations begin with.

-- Takes a session's reservation away, and what it counts for at its node. Answers whether there was one.
local function release(nodes, reservations, ends, session)
  local reservation = redis.call('HGET', reservations, session)
  if not reservation then return false end
  local weight, boot = string.match(reservation, '^(%d+) (.*)$')
  local node = nodes .. boot
  -- A node that is gone must not come back as an empty one. Looked at before anything is written: it is no declared key.
  local is_there = redis.call('EXISTS', node) == 1
  redis.call('HDEL', reservations, session)
  redis.call('ZREM', ends, session)
  if is_there then
    redis.call('HINCRBY', node, 'rs', -1)
    redis.call('HINCRBY', node, 'rm', -weight)
  end
  return true
end

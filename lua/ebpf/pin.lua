--- ebpf.pin: what is pinned in a BPF file system.
local core = require "ebpf.core"

local pin = {}

local openers = { map = core.map_open, program = core.program_open, link = core.link_open }

-- Descriptors of objects that nobody holds any more are collected when there are too many.
local function with_descriptors(fn, argument)
  local result, err, errno = fn(argument)
  if result or err.code ~= "EMFILE" then return result, err, errno end
  collectgarbage()
  return fn(argument)
end

--- pin.kind(path): "map", "program" or "link".
pin.kind = core.pin_kind

--- pin.load(path) -> the map, program or link that is pinned there, and which of them it is.
function pin.load(path)
  local kind, err, errno = with_descriptors(core.pin_kind, path)
  if not kind then return nil, err, errno end
  local object
  object, err, errno = with_descriptors(openers[kind], { pinned = path })
  if not object then return nil, err, errno end
  return object, kind
end

--- pin.unpin(path): takes the name away; also an empty folder. The object goes when nobody holds it any more.
pin.unpin = core.pin_remove

--- for path, object, kind in pin.walk(folder) do ... end: all that is pinned below a folder, by name, folders within it
-- included. `object` is the caller's, as by pin.load; it is nil, and `kind` the error, for one that cannot be opened. What has
-- gone meanwhile is left out, and so are the kernel's own files in the root (maps.debug, progs.debug) where they are no
-- objects. Raises when the folder cannot be read.
function pin.walk(folder)
  local walk, err = core.pin_walk(folder)
  if not walk then error(err, 0) end
  local function next_path()
    local path, failure = walk:next()
    if failure then error(failure, 0) end
    return path
  end
  local function next_pin()
    for path in next_path do
      local object, kind = pin.load(path)
      if object or kind.code ~= "ENOENT" then return path, object, kind end
    end
  end
  return next_pin, nil, nil, walk
end

return pin

--- require "ebpf": load, assemble, attach and read eBPF on Linux.
-- The work is done by the C module ebpf.core; here is the sugar. Submodules are loaded when they are first used.
local core = require "ebpf.core"
local blame = require "ebpf.blame"

---@class ebpf # what an editor knows of it is in ebpf/meta.lua
local ebpf = {
  version = core.version,
  kernel = core.kernel,   -- ebpf.kernel() -> what is known of the running kernel
  token = core.token,     -- ebpf.token([path]) -> a BPF token; ebpf.use_token(token | path | true | nil): for all that is made
  use_token = core.use_token,
  ringbuf = core.ringbuf, -- ebpf.ringbuf(map or maps [, options]) -> a reader of records
  perf = core.perf,       -- ebpf.perf(map or maps [, options]) -> the same of a perf event array
  events = core.events,   -- ebpf.events(map or maps [, options]) -> the one of them that the map calls for
  user_ringbuf = core.user_ringbuf, -- ebpf.user_ringbuf(map [, options]) -> a writer of records for a program
  loop = core.loop,       -- ebpf.loop() -> waits and calls back
  usdt = core.usdt,       -- ebpf.usdt(path [, { provider =, name = }]) -> a list of the probes that a program or library has
}

local function check_options(options, known)
  for name in pairs(options) do
    if not known[name] then
      local names = {}
      for each in pairs(known) do names[#names + 1] = each end
      table.sort(names)
      error(("unknown option '%s' (known: %s)"):format(name, table.concat(names, ", ")), 3)
    end
  end
end

local spec_options = { path = true, bytes = true, name = true }

--- ebpf.spec(path), ebpf.spec { bytes = s [, name = "x"] }, or ebpf.spec {} (empty): what an object says, without the kernel.
function ebpf.spec(source)
  if type(source) == "string" then return core.spec_file(source) end
  if type(source) ~= "table" then error("a path or a table { bytes = s } expected, got " .. type(source), 2) end
  check_options(source, spec_options)
  if source.bytes then return core.spec_bytes(source.bytes, source.name) end
  if source.path then return core.spec_file(source.path) end
  return core.spec_new(source.name)
end

--- ebpf.load(path or spec or { bytes = s } [, options]) -> collection. Options: variables, maps (name -> map to use instead),
-- programs (names of those to load), optional (true, or names of those that may fail), alternatives (lists of names), pin_dir,
-- btf (path of the target's types), log_level, log, log_size, kconfig (text), token.
function ebpf.load(source, options)
  if type(source) == "userdata" then return source:load(options) end
  local spec <close>, err, errno = ebpf.spec(source)
  if not spec then return nil, err, errno end
  return spec:load(options)
end

--- ebpf.map { type = "hash", key = "u32", value = "u64", max_entries = n, ... } -> a new map;
-- ebpf.map { pinned = path } or { id = n } -> one that exists, its types given by key and value.
function ebpf.map(options)
  if type(options) ~= "table" then error("a table of options expected, got " .. type(options), 2) end
  if options.pinned or options.id then return core.map_open(options) end
  return core.map(options)
end

local program_options = {
  type = true, name = true, license = true, instructions = true, attach_type = true, section = true, attach_to = true,
  attach_target = true, flags = true, log_level = true, maps = true, btf = true, kconfig = true,
  ifindex = true, log = true, log_size = true, token = true,
}

-- A Spec with one program, and with a map for each that the instructions name.
local function program_spec(options)
  local spec, err, errno = core.spec_new(options.name or "program")
  if not spec then return nil, err, errno end
  for map_name, map in pairs(options.maps or {}) do
    local part = assert(spec:add_map(map_name))
    for _, field in ipairs { "type", "key_size", "value_size", "max_entries", "flags", "map_extra" } do part[field] = map[field] end
  end
  if options.license then spec.license = options.license end
  local block
  block, err, errno = core.asm_block(options.instructions)
  if not block then return nil, err, errno end
  local program
  program, err, errno = spec:add_program(options.name, options.type or "unspec", block)
  if not program then return nil, err, errno end
  for _, field in ipairs { "section", "type", "attach_type", "attach_to", "attach_target", "flags", "ifindex", "log_level" } do
    if options[field] ~= nil then program[field] = options[field] end
  end
  return spec, program.name
end

--- ebpf.program { type = "xdp", license = "GPL", instructions = { ... }, maps = { name = map }, ... } -> a loaded program;
-- ebpf.program { pinned = path }, { id = n } or { fd = n } (which it takes over) -> one that exists.
function ebpf.program(options)
  if type(options) ~= "table" then error("a table of options expected, got " .. type(options), 2) end
  if options.pinned or options.id or options.fd then return core.program_open(options) end
  check_options(options, program_options)
  if not (options.type or options.section) then error("a program needs a type or a section", 2) end
  if options.instructions == nil then error("a program needs instructions", 2) end
  local spec, name, errno = program_spec(options)
  if not spec then return nil, name, errno end
  local coll, err
  coll, err, errno = spec:load { maps = options.maps, btf = options.btf, kconfig = options.kconfig, log = options.log,
    log_size = options.log_size, token = options.token }
  spec:close()
  if not coll then return nil, err, errno end
  local program = coll:take(name)
  coll:close() -- the kernel keeps the maps that the program uses
  return program
end

-- Iterates over all objects of a kind in the whole kernel, as of now; what is gone when its turn comes is left out. Each handle
-- is the caller's. When there are too many open ones, those that nobody holds any more are collected.
local function each(kind, open)
  local kernel = core.kernel()
  local ids, err = kernel:ids(kind)
  if not ids then error(err, 0) end
  local at = 0
  return function()
    while at < #ids do
      at = at + 1
      local object, why = open { id = ids[at] }
      if not object and why.code == "EMFILE" then
        collectgarbage()
        object, why = open { id = ids[at] }
      end
      if object then return ids[at], object end
      if why.code ~= "ENOENT" then error(why, 0) end
    end
  end
end

--- for id, program in ebpf.programs() do ... end: all programs, maps and links in the kernel (CAP_SYS_ADMIN; links 5.8). Raise
-- what the kernel refuses.
function ebpf.programs() return each("program", core.program_open) end
function ebpf.maps() return each("map", core.map_open) end
function ebpf.links() return each("link", core.link_open) end

--- ebpf.enable_stats() -> a handle: as long as it is open (5.8), the kernel counts and times the runs of all programs, which
-- program:info() tells.
ebpf.enable_stats = core.enable_stats

for _, name in ipairs { "spec", "load", "map", "program" } do ebpf[name] = blame(ebpf[name]) end

local submodules = {
  asm = "ebpf.asm", btf = "ebpf.btf", features = "ebpf.features", format = "ebpf.format", gen = "ebpf.gen", link = "ebpf.link",
  pin = "ebpf.pin", rlimit = "ebpf.rlimit",
}

return setmetatable(ebpf, {
  __index = function(self, name)
    if not submodules[name] then return nil end
    self[name] = require(submodules[name])
    return self[name]
  end,
})

--- ebpf.link.<kind>(program, ... [, options]) -> link. Which kinds there are, and what each takes by position and by name, is the
-- core's to say: ebpf.link.kinds() lists it.
local core = require "ebpf.core"
local blame = require "ebpf.blame"

local link = {}

--- All kinds: { { name =, since = "5.9", options = { "interface", ... } }, ... }
link.kinds = core.link_kinds

--- ebpf.link.open { pinned = path } or { id = n } -> a link that exists. Closing it leaves it attached as long as it is pinned
-- or held by somebody else; detach() takes it apart.
function link.open(options)
  if type(options) ~= "table" or not (options.pinned or options.id) then
    error("a table { pinned = path } or { id = n } expected", 2)
  end
  return core.link_open(options)
end

--- Of any link in the kernel by its id (ebpf.kernel():ids "link"): { type =, id =, program_id =, attach_type = }.
function link.info(id)
  local opened <close>, err, errno = core.link_open { id = id }
  if not opened then return nil, err, errno end
  return opened:info()
end

--- What is attached somewhere, by whomever: ebpf.link.query { attach_type = "tcx_ingress", interface = "lo" } (or ifindex, cgroup,
-- netns, target_fd; effective = true: also what a cgroup's parents pass on)
-- -> { { program_id =, link_id =, attach_flags = }, ..., revision =, attach_flags = }. Of an interface's tcx_ingress and tcx_egress
-- also the filters of clsact and ingress, which run after those of tcx, with priority, handle and chain; of XDP with its mode.
function link.query(options)
  if type(options) ~= "table" then error("a table { attach_type =, interface = ... } expected, got " .. type(options), 2) end
  return core.link_query(options)
end

--- By the program's section, as collection:attach() does; options fill in what a section cannot say (interface, path, pid, ...).
function link.auto(program, options)
  local result, err, errno = core.link_auto(program, options)
  if result == false then return nil, err, err.errno end
  return result, err, errno
end

--- ebpf.link.tracepoint(program, "syscalls", "sys_enter_openat") or (program, "syscalls:sys_enter_openat").
function link.tracepoint(program, category, ...)
  if type(category) == "string" then
    local before, name = category:match "^([^:/]+)[:/]([^:/]+)$"
    if before then return core.link("tracepoint", program, before, name, ...) end
  end
  return core.link("tracepoint", program, category, ...)
end

for _, name in ipairs { "open", "info", "auto", "tracepoint" } do link[name] = blame(link[name]) end

return setmetatable(link, {
  __index = function(self, kind)
    if type(kind) ~= "string" or not core.link_known(kind) then
      local names = {}
      for _, row in ipairs(core.link_kinds()) do names[#names + 1] = row.name end
      error(("unknown kind of link '%s' (known: %s)"):format(tostring(kind), table.concat(names, ", ")), 2)
    end
    self[kind] = blame(function(...) return core.link(kind, ...) end)
    return self[kind]
  end,
})

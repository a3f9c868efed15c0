-- need { kernel = "5.15", "perf_link", ... } at the head of an `it` says what the test stands on: the oldest kernel, and
-- features by the names of the feature table. It skips when the running kernel is older, or when it lacks a feature that is
-- a matter of configuration. It never skips for a feature that a complete kernel of this version must have: then the test
-- runs, and may fail. EBPF_COMPLETE_KERNEL=1 (set in the kernel matrix) says that nothing is configured away.
local ebpf = require "ebpf"
local need = {}

-- The `pending` that ends a running test; the global of that name is seen by spec files alone.
local skip = require "busted.core"().pending

local complete = os.getenv "EBPF_COMPLETE_KERNEL" == "1"

function need.version(text)
  local major, minor = text:match "^(%d+)%.(%d+)"
  return tonumber(major) * 65536 + tonumber(minor) * 256
end

local function running() return ebpf.kernel().version & ~0xff end

--- Skips unless the process is root: specs of the kernel cannot run otherwise.
function need.root()
  local status = assert(io.open "/proc/self/status"):read "a"
  if status:match "\nUid:%s+%d+%s+(%d+)" ~= "0" then skip "needs root" end
end

--- Skips unless a command is installed. Only for oracles that not every system has.
function need.command(name)
  if not os.execute("command -v " .. name .. " >/dev/null 2>&1") then skip("needs the command " .. name) end
end

--- Skips where the kernel interprets all programs: it has no callbacks, arenas, kernel functions, trampolines and struct_ops then.
function need.jit()
  local file = io.open "/proc/sys/net/core/bpf_jit_enable"
  if not file then skip "needs CONFIG_BPF_JIT" end
  file:close()
end

--- Whether the running kernel is configured so ("CONFIG_FPROBE"): built in or as a module; nil where it cannot be told.
function need.is_configured(option)
  local release = assert(io.open "/proc/sys/kernel/osrelease"):read "l"
  local file <close> = io.open("/boot/config-" .. release)
  if not file then return nil end
  return ("\n" .. file:read "a"):find("\n" .. option .. "=[ym]") ~= nil
end

--- Skips unless a file is there, which the kernel has when it is configured so. Never where it is known to be.
function need.configured(option, path)
  local file = io.open(path)
  if file then file:close() return end
  if not (complete and need.is_configured(option)) then skip("needs " .. option) end
end

function need.file(path)
  local file = io.open(path)
  if not file then skip("needs the file " .. path) end
  file:close()
end

--- need { kernel = "5.8", "ringbuf", "kprobe" }
function need.need(wants)
  need.root()
  if wants.kernel and running() < need.version(wants.kernel) then skip("needs Linux " .. wants.kernel) end
  local since = {}
  for _, row in ipairs(ebpf.kernel():features()) do since[row.name] = row.since end
  for _, name in ipairs(wants) do
    assert(since[name], "no such feature: " .. name)
    if not ebpf.kernel():has(name) then
      local old = running() < need.version(since[name])
      if old then skip(("needs Linux %s (feature %s)"):format(since[name], name)) end
      if not complete then skip(("needs the feature %s, which this kernel lacks"):format(name)) end
    end
  end
end

return setmetatable(need, { __call = function(_, wants) return need.need(wants) end })

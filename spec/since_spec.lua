-- The oldest kernel that each kind of link is said to need, against the running one: none works before, and where nothing is
-- configured away all work since. (Of features, program types and map types: features_spec.lua.) And the guide says the same.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

local complete = os.getenv "EBPF_COMPLETE_KERNEL" == "1"

local function attach(kind, options, ...)
  options.license = "GPL"
  options.instructions = options.instructions or { ebpf.asm.mov(ebpf.asm.r0, options.returns or 0), ebpf.asm.exit() }
  options.returns = nil
  local program, err = ebpf.program(options)
  if not program then return nil, err end
  return ebpf.link[kind](program, ...)
end

-- How one of each kind is attached, in the simplest way.
local ways = {
  tracepoint = function() return attach("tracepoint", { type = "tracepoint" }, "syscalls:sys_enter_openat") end,
  raw_tracepoint = function() return attach("raw_tracepoint", { type = "raw_tracepoint" }, "sys_enter") end,
  kprobe = function() return attach("kprobe", { type = "kprobe" }, "vfs_read") end,
  kprobe_multi = function() return attach("kprobe_multi", { type = "kprobe" }, "vfs_rea*") end,
  uprobe = function() return attach("uprobe", { type = "kprobe" }, "libc.so.6", "getenv") end,
  uprobe_multi = function() return attach("uprobe_multi", { type = "kprobe" }, "libc.so.6", "*getenv") end,
  perf_event = function() return attach("perf_event", { type = "perf_event" }, "cpu-clock", { frequency = 9 }) end,
  xdp = function() return attach("xdp", { type = "xdp", returns = 2 }, "lo", { mode = "generic" }) end,
  netns = function() return attach("netns", { type = "sk_lookup", attach_type = "sk_lookup", returns = 1 }) end,
  netfilter = function()
    return attach("netfilter", { type = "netfilter", attach_type = "netfilter", returns = 1 }, "ipv4", "output", { priority = -9 })
  end,
  cgroup = function()
    local folder, remove = process.cgroup "ebpf-since"
    if not folder then return nil, "no cgroup2 is mounted" end
    finally(remove)
    return attach("cgroup", { type = "cgroup_skb", attach_type = "cgroup_inet_egress", returns = 1 }, folder)
  end,
  sockmap = function()
    local map = assert(ebpf.map { type = "sockmap", key = "u32", value = "u32", max_entries = 1 })
    return attach("sockmap", { type = "sk_msg", attach_type = "sk_msg_verdict", returns = 1 }, map)
  end,
  iter = function()
    local coll, err = ebpf.load("build/spec/bpf/link_iter.bpf.o", { programs = { "tasks" } })
    if not coll then return nil, err end
    return ebpf.link.iter(coll.programs.tasks)
  end,
  struct_ops = function()
    local coll, err = ebpf.load "build/spec/bpf/load_link_ops.bpf.o"
    if not coll then return nil, err end
    return ebpf.link.struct_ops(coll.maps.first)
  end,
}

-- Attached only to a device of their own, or by an object of their own: what the kernel knows of the place says the same.
local places = { netkit = "netkit_primary", lirc = "lirc_mode2", tracing_multi = "trace_fentry_multi" }

describe("a kind of link", function()
  it("works since the kernel that it is said to need, and not before", function()
    need { kernel = "5.10", "vmlinux_btf" }
    local running, wrong = ebpf.kernel().version & ~0xff, {}
    local jit = io.open "/proc/sys/net/core/bpf_jit_enable"
    local places_since = {}
    for _, row in ipairs(ebpf.features.rows "attach_type") do places_since[row.name] = row.since end
    for _, kind in ipairs(ebpf.link.kinds()) do
      local way, place, old = ways[kind.name], places[kind.name], need.version(kind.since) <= running
      if way then
        local link, err = way()
        if link then link:close() end
        if link and not old then
          wrong[#wrong + 1] = ("%s is said to need %s, but works"):format(kind.name, kind.since)
        elseif not link and old and complete and (jit or kind.name ~= "struct_ops") then
          wrong[#wrong + 1] = ("%s is said to work since %s: %s"):format(kind.name, kind.since, tostring(err))
        end
      elseif place then
        assert.equal(places_since[place], kind.since, kind.name)
      elseif need.version(kind.since) > need.version "5.10" then
        -- What is older than all kernels that are tried is tried by its own spec alone.
        wrong[#wrong + 1] = kind.name .. ": this spec does not know how one is attached"
      end
    end
    if jit then jit:close() end
    assert.same({}, wrong)
  end)

  it("has the same kernel in the guide", function()
    local guide = io.open "docs/guide.md"
    if not guide then pending "needs docs/guide.md" end
    local column = {} -- the last one of the rows of links, by all the names in the first
    for line in guide:lines() do
      local names, last = line:match "^| (`[^|]+) | .* | ([^|]+) |$"
      if names then for name in names:gmatch "`([%w_]+)`" do column[name] = column[name] or last end end
    end
    guide:close()
    for _, kind in ipairs(ebpf.link.kinds()) do
      local told = column[kind.name]
      for name, text in pairs(column) do -- or the names that it answers to
        if not told and name:sub(1, #kind.name + 1) == kind.name .. "_" then told = text end
      end
      assert(told, kind.name .. " is not in the guide")
      assert.matches("%f[%d.]" .. kind.since:gsub("%.", "%%.") .. "%f[^%d.]", told, kind.name)
    end
  end)
end)

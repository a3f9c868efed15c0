-- What link:info() and link:places() tell of a link of each kind, beside what bpftool does: as much of it as its version knows.
local ebpf = require "ebpf"
local json = require "dkjson"
local links = require "spec.support.links"
local need = require "spec.support.need"
local process = require "spec.support.process"

-- bpftool's fields by ours. What it has no word for it gives as a number.
local fields = {
  prog_id = "program_id", tp_name = "name", target_name = "name", path = "name", file = "name", tracepoint = "name",
  map_id = "map_id", target_obj_id = "target_object_id", target_btf_id = "target_btf_id", cgroup_id = "cgroup_id",
  netns_ino = "netns_ino",
  ifindex = "ifindex", pf = "family", hook = "hook", prio = "priority", func_cnt = "count", missed = "missed", cookie = "cookie",
  pid = "pid", tid = "tid", offset = "offset", addr = "address", event_config = "config", attach_type = "attach_type",
  type = "type",
}
local place_fields = { addr = "address", offset = "offset", ref_ctr_offset = "ref_counter_offset", cookie = "cookie" }

local function compare(theirs, ours, names)
  local compared = 0
  for their_name, value in pairs(theirs) do
    local our_name = names[their_name]
    local named = our_name and type(value) == "number" and type(ours[our_name]) == "string"
    if our_name and type(value) ~= "table" and not named then
      assert.equal(value, ours[our_name] or 0, their_name)
      compared = compared + 1
    end
  end
  return compared
end

local function by_place(a, b) return (a.address or a.offset) < (b.address or b.offset) end

local function check(link)
  local info = assert(link:info())
  local output, status = process.run(("bpftool -j link show id %d"):format(info.id))
  assert.equal(0, status, output)
  local theirs = json.decode(output)
  assert.is_table(theirs, output)
  assert.equal(info.id, theirs.id)
  assert.is_true(compare(theirs, info, fields) >= 1, output)
  if theirs.retprobe ~= nil then
    local returns = info.event and info.event:match "ret" ~= nil or (info.flags or 0) & 1 == 1
    assert.equal(theirs.retprobe, returns)
  end
  if not theirs.funcs then return end
  local places = {}
  for i, place in ipairs(assert(link:places())) do places[i] = place end
  table.sort(places, by_place)
  table.sort(theirs.funcs, function(a, b) return (a.addr or a.offset) < (b.addr or b.offset) end)
  assert.equal(#theirs.funcs, #places)
  for i, place in ipairs(places) do compare(theirs.funcs[i], place, place_fields) end
end

local function load(object, program)
  local coll = assert(ebpf.load("build/spec/bpf/" .. object .. ".bpf.o", { programs = { program } }))
  return coll.programs[program]
end

local function counter(type, options)
  local full = { type = type }
  for name, value in pairs(options or {}) do full[name] = value end
  return (links.counter(full))
end

-- For each kind what it needs, and how it is attached.
local kinds = {}
local function kind(name, needs, attach) kinds[#kinds + 1] = { name = name, needs = needs, attach = attach } end

kind("raw_tracepoint", { kernel = "5.8" }, function() return ebpf.link.raw_tracepoint(counter "raw_tracepoint", "sys_enter") end)
kind("tracepoint", { kernel = "5.15" }, function()
  return ebpf.link.tracepoint(counter "tracepoint", "syscalls:sys_enter_getppid", { cookie = 77 })
end)
kind("perf_event", { kernel = "5.15" }, function()
  return ebpf.link.perf_event(counter "perf_event", "page-faults", { pid = -1, cookie = 5 })
end)
kind("kprobe", { kernel = "5.15", "kprobe" }, function() return ebpf.link.kprobe(counter "kprobe", "vfs_read", { cookie = 9 }) end)
kind("kretprobe", { kernel = "5.15", "kprobe" }, function() return ebpf.link.kretprobe(counter "kprobe", "vfs_read") end)
kind("uprobe", { kernel = "5.15" }, function() return ebpf.link.uprobe(counter "kprobe", "libc.so.6", "getenv", { pid = -1 }) end)
kind("uretprobe", { kernel = "5.15" }, function()
  return ebpf.link.uretprobe(counter "kprobe", "libc.so.6", "getenv", { pid = -1, cookie = 3 })
end)
kind("kprobe_multi", { kernel = "5.18", "kprobe" }, function()
  local program = counter("kprobe", { attach_type = "trace_kprobe_multi" })
  return ebpf.link.kprobe_multi(program, { symbols = { "vfs_read", "vfs_write" }, cookies = { 1, 2 } })
end)
kind("kretprobe_multi", { kernel = "5.18", "kprobe" }, function()
  return ebpf.link.kretprobe_multi(counter("kprobe", { attach_type = "trace_kprobe_multi" }), { symbols = { "vfs_read" } })
end)
kind("uprobe_multi", { kernel = "6.10", "uprobe_multi" }, function()
  local program = counter("kprobe", { attach_type = "trace_uprobe_multi" })
  return ebpf.link.uprobe_multi(program, "libc.so.6", { symbols = { "getenv", "secure_getenv" }, cookies = { 4, 5 }, pid = -1 })
end)
kind("fentry", { kernel = "5.8", "trampoline" }, function()
  return ebpf.link.fentry(counter("tracing", { attach_type = "trace_fentry", attach_to = "vfs_read", section = "fentry/vfs_read" }))
end)
kind("iter over the elements of a map", { kernel = "5.9", "iter" }, function()
  local map = assert(ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 4 })
  return ebpf.link.iter(load("link_iter", "elements"), { map = map })
end)
kind("iter over tasks", { kernel = "6.1", "iter" }, function() return ebpf.link.iter(load("link_iter", "tasks"), { pid = -1 }) end)
kind("iter over cgroups", { kernel = "6.1", "iter" }, function(cgroup)
  return ebpf.link.iter(load("link_iter", "cgroups"), { path = cgroup, order = "preorder" })
end)
kind("cgroup", { kernel = "5.8", "cgroup_link" }, function(cgroup)
  return ebpf.link.cgroup(counter("cgroup_skb", { attach_type = "cgroup_inet_egress", returns = 1 }), cgroup)
end)
kind("netns", { kernel = "5.9", "netns_link" }, function()
  return ebpf.link.netns(counter("sk_lookup", { attach_type = "sk_lookup", returns = 1 }))
end)
kind("xdp", { kernel = "5.9", "xdp_link" }, function()
  return ebpf.link.xdp(counter("xdp", { returns = 2 }), "lo", { mode = "generic" })
end)
kind("tcx", { kernel = "6.6", "tcx" }, function() return ebpf.link.tcx(counter("sched_cls", { returns = -1 }), "lo", "ingress") end)
kind("netfilter", { kernel = "6.4", "netfilter_link" }, function()
  local program = counter("netfilter", { attach_type = "netfilter", returns = 1 })
  return ebpf.link.netfilter(program, "ipv6", "forward", { priority = -7 })
end)
kind("sockmap", { kernel = "6.10", "sockmap_link" }, function()
  local map = assert(ebpf.map { type = "sockmap", key = "u32", value = "u32", max_entries = 1 })
  return ebpf.link.sockmap(counter("sk_skb", { attach_type = "sk_skb_stream_verdict", returns = 1 }), map)
end)
kind("struct_ops", { kernel = "6.4", "struct_ops_link" }, function()
  local spec = assert(ebpf.spec "build/spec/bpf/load_link_ops.bpf.o")
  spec.maps.first.fields.name, spec.maps.second.fields.name = "ebpf_tool", "ebpf_tool_2"
  return ebpf.link.struct_ops(assert(spec:load()).maps.first)
end)

describe("link:info beside bpftool:", function()
  for _, row in ipairs(kinds) do
    it(row.name, function()
      need(row.needs)
      need.command "bpftool"
      local cgroup, remove = process.cgroup "ebpf-bpftool"
      if row.name:match "cgroup" and not cgroup then pending "needs a mounted cgroup2" end
      finally(function() if remove then remove() end end)
      local link <close> = assert(row.attach(cgroup))
      if link:fd() < 0 then pending "this kernel is built without such links (kprobe_multi: CONFIG_FPROBE)" end
      check(link)
    end)
  end
end)

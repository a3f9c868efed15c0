-- What only a whole kernel has, with its modules: devices of the netkit kind, schedulers, HID devices, modules with their own types
-- and functions. The row "full" of the kernel matrix has all of it; elsewhere a test is skipped for what is not there.
local bpftool = require "spec.support.bpftool"
local ebpf = require "ebpf"
local links = require "spec.support.links"
local need = require "spec.support.need"
local process = require "spec.support.process"

local function object(name) return "build/spec/bpf/full_" .. name .. ".bpf.o" end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

-- Waits until something is true: the kernel makes devices by itself, in its own time.
local function wait(what, condition)
  for _ = 1, 100 do
    local value = condition()
    if value then return value end
    process.run "sleep 0.1"
  end
  error("no " .. what .. " after 10 seconds", 2)
end

describe("ebpf.link.netkit", function()
  it("sees, and drops, what a netkit device sends", function()
    need { kernel = "6.7" }
    if not ebpf.features.attach_type "netkit_primary" then pending "needs CONFIG_NETKIT" end
    local function received() return tonumber(read "/sys/class/net/nk0/statistics/rx_packets") end
    local output, status = process.run "ip link add ebpf0 type netkit" -- its peer is nk0, by the kernel's choice
    assert.equal(0, status, output)
    finally(function() process.run "ip link del ebpf0" end)
    process.run "ip addr add 10.99.0.1/24 dev ebpf0; ip link set ebpf0 up; ip link set nk0 up"
    local function ping() process.run "ping -c 1 -W 1 10.99.0.2" end
    local drops, dropped = links.counter { type = "sched_cls", attach_type = "netkit_primary", returns = 2 }
    local link = assert(ebpf.link.netkit(drops, "ebpf0"))
    assert.equal("link", link.interface)
    local info = assert(link:info())
    assert.equal("netkit", info.type)
    assert.equal("netkit_primary", info.attach_type)
    local before = received()
    ping()
    assert.is_true(dropped[0] > 0)
    assert.equal(before, received())
    local passes, passed = links.counter { type = "sched_cls", attach_type = "netkit_primary", returns = 0 }
    assert.is_true(link:update(passes))
    ping()
    assert.is_true(passed[0] > 0 and received() > before)
    links.behaves(link, passes, passed, "netkit", ping)
    local other = links.counter { type = "sched_cls", attach_type = "netkit_primary" }
    local none, err = ebpf.link.netkit(other, "lo")
    assert.is_nil(none)
    assert.matches("must be a netkit device", tostring(err))
  end)
end)

describe("a scheduler (sched_ext)", function()
  local function state() return (read "/sys/kernel/sched_ext/state":gsub("\n", "")) end

  it("runs the tasks while it is attached", function()
    need { kernel = "6.12", "vmlinux_btf" }
    need.configured("CONFIG_SCHED_CLASS_EXT", "/sys/kernel/sched_ext/state")
    assert.equal("disabled", state())
    local coll <close> = assert(ebpf.load(object "scheduler"))
    local count = coll.variables
    local link <close> = assert(ebpf.link.struct_ops(coll.maps.scheduler))
    assert.equal("enabled", state())
    assert.equal("ebpf_counts\n", read "/sys/kernel/sched_ext/root/ops")
    assert.equal(1, count.starts:get())
    process.run "for i in 1 2 3 4 5; do true | cat; done"
    assert.is_true(count.runs:get() > 10)
    assert.equal(0, count.ends:get())
    assert.is_true(link:detach())
    wait("end of the scheduler", function() return state() == "disabled" end)
    assert.equal(1, count.ends:get())
    local runs = count.runs:get()
    assert.equal("alive\n", process.run "echo alive | cat")
    assert.equal(runs, count.runs:get())
  end)

  it("is refused when it is none, and the tasks run on", function()
    need { kernel = "6.12", "vmlinux_btf" }
    need.configured("CONFIG_SCHED_CLASS_EXT", "/sys/kernel/sched_ext/state")
    local spec = assert(ebpf.spec(object "scheduler"))
    spec.maps.scheduler.fields.name = ""
    local coll, err = spec:load()
    assert.is_nil(coll)
    assert.equal("EINVAL", err.code)
    assert.matches("map 'scheduler'", tostring(err))
    assert.equal("disabled", state())
  end)
end)

describe("a HID device", function()
  local CREATE, INPUT = 11, 12
  -- One report of four bytes, without a meaning.
  local description = "\x06\x00\xff\x09\x01\xa1\x01\x15\x00\x26\xff\x00\x75\x08\x95\x04\x09\x01\x81\x02\xc0"

  it("has its reports changed", function()
    need { kernel = "6.11", "vmlinux_btf" }
    need.configured("CONFIG_UHID", "/dev/uhid")
    if not ebpf.btf.vmlinux():find "struct hid_bpf_ops" then pending "needs CONFIG_HID_BPF" end
    local before = process.run "ls /sys/bus/hid/devices"
    local uhid <close> = assert(io.open("/dev/uhid", "r+b")) -- the device goes with it
    assert(uhid:setvbuf "no") -- an event is one write
    local function event(...) assert(uhid:write(string.pack(...))) end
    event("=I4 c128 c64 c64 I2 I2 I4 I4 I4 I4 c4096", CREATE, "ebpf", "", "", #description, 3, 0x1209, 0x0001, 0, 0, description)
    local name = wait("device", function()
      for found in process.run "ls /sys/bus/hid/devices":gmatch "%S+" do
        if not before:find(found, 1, true) then return found end
      end
    end)
    local id = tonumber(name:match "%.(%x+)$", 16)
    local folder = "/sys/bus/hid/devices/" .. name .. "/hidraw"
    local node = wait("hidraw", function() return process.run("ls " .. folder):match "^hidraw%d+" end)
    local hidraw <close> = assert(io.open("/dev/" .. node, "rb"))
    hidraw:setvbuf "no"
    local function report(bytes)
      event("=I4 s2", INPUT, bytes)
      return hidraw:read(#bytes)
    end
    assert.equal("\1\2\3\4", report "\1\2\3\4")

    local spec = assert(ebpf.spec(object "hid"))
    spec.maps.device.fields.hid_id = id
    spec.variables.replacement:set(0x77)
    local coll <close> = assert(spec:load())
    local link <close> = assert(ebpf.link.struct_ops(coll.maps.device))
    assert.equal("\1\x77\3\4", report "\1\2\3\4")
    coll.variables.replacement:set(0x55)
    assert.equal("\5\x55\7\8", report "\5\6\7\8")
    assert.equal(2, coll.variables.seen:get())
    assert.is_true(link:detach())
    assert.equal("\1\2\3\4", report "\1\2\3\4")
    assert.equal(2, coll.variables.seen:get())
  end)
end)

describe("a module", function()
  before_each(function()
    need { kernel = "5.18", "vmlinux_btf" }
    need.configured("CONFIG_NF_CONNTRACK", "/sys/kernel/btf/nf_conntrack")
  end)

  -- Calls the module's function, by its kfunc.
  local function look_up()
    local coll <close> = assert(ebpf.load "build/spec/bpf/load_module.bpf.o")
    assert.equal(1, assert(coll.programs.frame:run { data = ("\0"):rep(14) }).retval)
  end

  it("has types of its own, and as C", function()
    local types <close> = assert(ebpf.btf.module "nf_conntrack")
    local own = assert(types:find "struct bpf_ct_opts___init" or types:find "struct bpf_ct_opts")
    assert.is_true(own.id >= types.first_id)
    assert.is_nil((ebpf.btf.vmlinux():find(tostring(own))))
    local text = process.run("build/ebpf btf dump nf_conntrack --type 'struct bpf_ct_opts'")
    assert.matches("struct bpf_ct_opts %b{};", text)
    assert.matches("[su]32 error;", text)
    local all = process.run "build/ebpf btf dump nf_conntrack"
    assert.is_true(#all > 10000)
    -- what is the module's own, or that of what it needs, once
    local _, times = all:gsub("\nstruct nf_conn {", "")
    assert.equal(1, times)
  end)

  it("is as C what bpftool prints", function()
    need.command "bpftool"
    local types <close> = assert(ebpf.btf.module "nf_conntrack")
    bpftool.prints_the_same(types, "/sys/kernel/btf/nf_conntrack", "-B /sys/kernel/btf/vmlinux")
  end)

  it("has functions that programs call", function()
    need { kernel = "6.4" } -- to be asked for by a program (weak): 5.18 without
    look_up()
  end)

  it("has its functions' entries and exits followed", function()
    need { kernel = "6.4", "trampoline" }
    local coll <close> = assert(ebpf.load(object "module", { programs = { "enters", "leaves" } }))
    local list, failed = assert(coll:attach { programs = { "enters", "leaves" } })
    assert.same({}, failed)
    assert.equal(2, #list)
    look_up()
    assert.equal(1, coll.variables.entered:get())
    assert.equal(1, coll.variables.left:get())
    for _, link in ipairs(list) do link:close() end
    look_up()
    assert.equal(1, coll.variables.entered:get())
  end)

  it("has its functions probed, one by name and many by a pattern", function()
    need { kernel = "6.4", "kprobe" }
    local coll <close> = assert(ebpf.load(object "module", { programs = { "probes", "all" } }))
    local list, failed = assert(coll:attach { programs = { "probes", "all" } })
    assert.same({}, failed)
    assert.equal(2, #list)
    look_up()
    assert.equal(1, coll.variables.probed:get())
    assert.is_true(coll.variables.many:get() >= 1)
    local none, err = ebpf.link.kprobe(coll.programs.probes, "nf_conntrack:no_such_function")
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
    local other
    other, err = ebpf.link.kprobe(coll.programs.probes, "no_such_module:nf_conntrack_find_get")
    assert.is_nil(other)
    assert.equal("ENOENT", err.code)
  end)

  it("has types that CO-RE finds", function()
    local coll <close> = assert(ebpf.load(object "module", { programs = { "size_of_hash" } }))
    local types <close> = assert(ebpf.btf.module "nf_conntrack")
    assert.equal(types:sizeof "struct nf_conntrack_tuple_hash", assert(coll.programs.size_of_hash:run {}).retval)
  end)
end)

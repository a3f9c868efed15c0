-- Programs: running them on demand, what they write, what belongs to them, how they are loaded, and what the kernel tells of them.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

local asm = ebpf.asm
local complete = os.getenv "EBPF_COMPLETE_KERNEL" == "1"
local zeros = ("\0"):rep(64)

local function new(type, instructions, options)
  options = options or {}
  options.type, options.license, options.instructions = type, "GPL", instructions
  return assert(ebpf.program(options))
end

local function counter()
  return assert(ebpf.map { type = "array", key = "u32", value = "u64", max_entries = 1, name = "counter" })
end

-- Instructions that count in the map `counter`, and return.
local function counting(result)
  return {
    asm.ld_map_value(asm.r1, "counter", 0), asm.mov(asm.r2, 1), asm.atomic_add("u64", asm.r1, asm.r2, 0),
    asm.mov(asm.r0, result or 0), asm.exit(),
  }
end

-- Ethernet and IPv4 with a wrong checksum: who gets it counts an error in its header.
local function broken_packet()
  local ip = (">I1I1I2I2I2I1I1I2c4c4"):pack(0x45, 0, 20 + 30, 0, 0, 64, 17, 0xdead, "\127\0\0\1", "\127\0\0\1")
  return ("\0"):rep(12) .. "\8\0" .. ip .. ("x"):rep(30)
end

-- Packets with errors in their IP headers that have come to this network namespace.
local function broken_packets()
  local file = assert(io.open "/proc/net/snmp")
  local names, values = file:read "a":match "Ip: ([%a ]+)\nIp: ([%d ]+)"
  file:close()
  local next_value = values:gmatch "%d+"
  for name in names:gmatch "%S+" do
    local value = next_value()
    if name == "InHdrErrors" then return tonumber(value) end
  end
end

local function ifindex(name)
  local file = assert(io.open("/sys/class/net/" .. name .. "/ifindex"))
  local index = file:read "n"
  file:close()
  return index
end

describe("running a program", function()
  it("on a packet gives its result, the packet, its context and the time of a run", function()
    need { kernel = "5.10" }
    local program <close> = new("sched_cls", {
      asm.mov(asm.r6, asm.r1),
      asm.load("u32", asm.r0, asm.r6, 0),          -- len
      asm.load("u32", asm.r1, asm.r6, 8),          -- mark
      asm.add(asm.r1, 1),
      asm.store("u32", asm.r6, asm.r1, 8),
      asm.exit(),
    })
    local context = ("I4I4I4"):pack(0, 0, 41) .. ("\0"):rep(180)
    local result = assert(program:run { data = zeros, context = context })
    assert.equal(64, result.retval) -- `len` of this type is that of the frame
    assert.equal(42, (("I4"):unpack(result.context, 9)))
    assert.equal(zeros, result.data)
    local many = assert(program:run { data = zeros, ["repeat"] = 10000 })
    assert.is_true(many.duration < 100000, many.duration)
    local small, err = program:run { data = "short" }
    assert.is_nil(small)
    assert.equal("EINVAL", err.code)
    assert.matches("may want at least 14 bytes of data", err.hint)
  end)

  it("on an XDP frame takes and gives its metadata", function()
    need { kernel = "6.1" }
    local program <close> = new("xdp", {
      asm.mov(asm.r6, asm.r1), asm.mov(asm.r2, 4), asm.call "xdp_adjust_head",   -- 4 bytes less at its head
      asm.load("u32", asm.r0, asm.r6, 12), asm.exit(),                             -- ingress_ifindex
    })
    local context = ("I4I4I4I4I4I4"):pack(0, 64, 0, ifindex "lo", 0, 0)
    local result = assert(program:run { data = ("ab"):rep(32), context = context })
    assert.equal(ifindex "lo", result.retval)
    assert.equal(("ab"):rep(30), result.data)
    assert.equal(60, (("I4"):unpack(result.context, 5)))
  end)

  it("on live XDP frames hands them to the stack", function()
    need { kernel = "6.1" }
    local map <close> = counter()
    local program <close> = new("xdp", counting(2), { maps = { counter = map } }) -- XDP_PASS
    local before = broken_packets()
    local result = assert(program:run { data = broken_packet(), ["repeat"] = 200, live_frames = true, batch_size = 16 })
    assert.is_nil(result.data)
    assert.equal(200, map[0])
    assert.is_true(broken_packets() - before >= 200, "packets that came: " .. broken_packets() - before)
    local none, err = program:run { data = broken_packet(), batch_size = 16 } -- says nothing without live frames
    assert.is_nil(none)
    assert.equal("EINVAL", err.code)
  end)

  it("on live XDP frames sends them through a pair of devices", function()
    need { kernel = "6.1" }
    need.command "ip"
    local near, far = ("eb%dn"):format(math.random(1 << 20)), ("eb%df"):format(math.random(1 << 20))
    if not os.execute(("ip link add %s type veth peer name %s 2>/dev/null"):format(near, far)) then
      pending "needs veth devices"
    end
    local _ <close> = setmetatable({}, { __close = function() os.execute("ip link del " .. near) end })
    assert(os.execute(("ip link set %s up; ip link set %s up"):format(near, far)))
    local map <close> = counter()
    local arrived <close> = new("xdp", counting(1), { maps = { counter = map } }) -- XDP_DROP
    local drops <close> = assert(ebpf.link.xdp(arrived, far))
    local send <close> = new("xdp", { asm.mov(asm.r0, 3), asm.exit() }) -- XDP_TX: out where it came in
    local receiving <close> = assert(ebpf.link.xdp(send, near)) -- only so has the device a queue for frames
    local data = broken_packet()
    local context = ("I4I4I4I4I4I4"):pack(0, #data, 0, ifindex(near), 0, 0)
    assert(send:run { data = data, context = context, ["repeat"] = 64, live_frames = true })
    for _ = 1, 50 do
      if map[0] >= 64 then break end
      os.execute "sleep 0.1"
    end
    assert.equal(drops.kind, receiving.kind)
    assert.is_true(map[0] >= 64, "frames that came: " .. map[0])
  end)

  it("of a raw tracepoint, on a CPU", function()
    need { kernel = "5.10" }
    local program <close> = new("raw_tracepoint", { asm.call "get_smp_processor_id", asm.exit() })
    for cpu = 0, 1 do
      local result, err = program:run { cpu = cpu }
      if not result and cpu == 1 and err.code == "ENXIO" then break end -- there is but one
      assert.equal(cpu, assert(result, err).retval)
    end
    local argument <close> = new("raw_tracepoint", { asm.load("u64", asm.r0, asm.r1, 8), asm.exit() })
    local result = assert(argument:run { context = ("I8I8"):pack(7, 8) })
    assert.equal(8, result.retval)
    assert.is_nil(result.context)
    local none, err = program:run { cpu = 100000 }
    assert.is_nil(none)
    assert.equal("ENXIO", err.code)
  end)

  it("of type syscall changes its context", function()
    need { kernel = "6.1" }
    local program <close> = new("syscall", {
      asm.load("u32", asm.r0, asm.r1, 4), asm.add(asm.r0, 1), asm.store("u32", asm.r1, asm.r0, 0), asm.exit(),
    }, { flags = "sleepable" })
    local context = ("I4I4"):pack(0, 41)
    local result = assert(program:run { context = context })
    assert.equal(42, result.retval)
    assert.equal(("I4I4"):pack(42, 41), result.context)
    assert.equal(("I4I4"):pack(0, 41), context) -- a string never changes
  end)

  it("that looks up sockets", function()
    need { kernel = "6.1" }
    local program <close> = new("sk_lookup", {
      asm.load("u32", asm.r2, asm.r1, 12), asm.mov(asm.r0, 1), asm.jeq(asm.r2, 6, "out"), asm.mov(asm.r0, 0),
      asm.label "out", asm.exit(), -- pass TCP alone
    }, { attach_type = "sk_lookup" })
    local function lookup(protocol) return ("I8I4I4"):pack(0, 2, protocol) .. ("\0"):rep(56) end
    assert.equal(1, assert(program:run { context = lookup(6) }).retval)
    assert.equal(0, assert(program:run { context = lookup(17) }).retval)
    local none, err = program:run { data = zeros, context = lookup(6) }
    assert.is_nil(none)
    assert.equal("EINVAL", err.code)
  end)

  it("that dissects flows gives the keys", function()
    need { kernel = "5.10" }
    -- bpf_flow_keys, which the context points to: n_proto (offset 8)
    local program <close> = new("flow_dissector", {
      asm.load("u64", asm.r1, asm.r1, 144), asm.mov(asm.r2, 0x1234), asm.store("u16", asm.r1, asm.r2, 8),
      asm.mov(asm.r0, 0), asm.exit(),
    }, { attach_type = "flow_dissector" })
    local result = assert(program:run { data = broken_packet() })
    assert.equal(56, #result.data) -- its retval became the program's own with 5.19: before, 1 said that all went well
    assert.equal(0x1234, (("I2"):unpack(result.data, 9)))
  end)

  it("of netfilter judges a packet", function()
    need { kernel = "6.4", "netfilter_link" }
    local program <close> = new("netfilter", { asm.mov(asm.r0, 1), asm.exit() }, { attach_type = "netfilter" })
    assert.equal(1, assert(program:run { data = broken_packet() }).retval)
  end)

  it("of tracing calls the functions that it is for", function()
    need { kernel = "5.10", "trampoline" }
    local map <close> = counter()
    local program <close> = new("tracing", counting(), {
      attach_type = "trace_fentry", attach_to = "bpf_fentry_test1", section = "fentry/bpf_fentry_test1", maps = { counter = map },
    })
    local link <close> = assert(ebpf.link.tracing(program))
    assert.equal("tracing", link.kind)
    assert(program:run {})
    assert.equal(1, map[0])
    assert(program:run {})
    assert.equal(2, map[0])
  end)

  it("of struct_ops is called as the kernel would", function()
    need { kernel = "6.1", "trampoline" }
    local coll <close> = assert(ebpf.load "build/spec/bpf/run_ops.bpf.o")
    local result = assert(coll.programs.first:run { context = ("i8"):pack(0) })
    assert.equal(1234, result.retval)
  end)

  it("says which types cannot be run", function()
    need { kernel = "5.10" }
    local program <close> = new("kprobe", { asm.mov(asm.r0, 0), asm.exit() })
    local none, err = program:run {}
    assert.is_nil(none)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("this kernel cannot run programs of type 'kprobe' on demand", err.message)
    assert.error_matches(function() program:run { live_frames = 1 } end, "live_frames: boolean expected, got number")
  end)
end)

describe("the streams of a program", function()
  -- bpf_stream_vprintk(stream, format, arguments, size, program): the verifier fills in the last, and newer kernels hide it.
  local function printer(stream, map)
    local name = ebpf.features.kfunc "bpf_stream_vprintk_impl" and "bpf_stream_vprintk_impl" or "bpf_stream_vprintk"
    return new("syscall", {
      asm.store("u64", asm.r10, 42, -8),
      asm.mov(asm.r1, stream), asm.ld_map_value(asm.r2, "format", 0), asm.mov(asm.r3, asm.r10), asm.add(asm.r3, -8),
      asm.mov(asm.r4, 8), asm.mov(asm.r5, 0), asm.kfunc(name), asm.exit(),
    }, { flags = "sleepable", maps = { format = map } })
  end

  local function need_memory(retval)
    if retval == 0xfffffff4 and not complete then pending "the kernel's allocator has no memory for streams here (ENOMEM)" end
  end

  it("hold what it printed", function()
    need { kernel = "6.17", "prog_stream" }
    local map <close> = assert(ebpf.map { type = "array", key = "u32", value = "char[32]", max_entries = 1, flags = "rdonly_prog" })
    map[0] = "the answer is %d\n"
    assert(map:freeze())
    local program <close> = printer(1, map)
    assert.equal("", program:stream "stdout")
    need_memory(program:run {}.retval)
    assert(program:run {})
    assert.equal("", program:stream "stderr")
    assert.equal("the answer is 42\nthe answer is 42\n", program:stream())
    assert.equal("", program:stream "stdout")
    for _ = 1, 1000 do program:run {} end -- more than one piece
    assert.equal(17 * 1000, #program:stream "stdout")
    local failing <close> = printer(2, map)
    failing:run {}
    assert.equal("the answer is 42\n", failing:stream "stderr")
  end)

  it("hold the kernel's reports of its faults", function()
    need { kernel = "6.17", "prog_stream" }
    local program <close> = new("syscall", { -- a loop that the kernel ends
      asm.label "again", asm.may_goto "out", asm.ja "again", asm.label "out", asm.mov(asm.r0, 0), asm.exit(),
    }, { flags = "sleepable" })
    assert(program:run {})
    local report = assert(program:stream "stderr")
    if report == "" and not complete then pending "the kernel reports nothing here (no memory, or loops are not timed)" end
    assert.matches("Timeout detected for may_goto", report)
  end)

  it("hold the kernel's reports of addresses in an arena where nothing is", function()
    need { kernel = "6.18", "prog_stream" }
    local arena <close> = assert(ebpf.map { type = "arena", max_entries = 1, flags = "mmapable" })
    local program <close> = new("syscall", {
      asm.ld_map(asm.r1, "arena"), asm.mov(asm.r2, 0x10), asm.addr_space_cast(asm.r2, asm.r2, 0, 1),
      asm.load("u64", asm.r0, asm.r2, 0), asm.mov(asm.r0, 7), asm.exit(),
    }, { flags = "sleepable", maps = { arena = arena } })
    assert.equal(7, program:run {}.retval)
    local report = assert(program:stream "stderr")
    if report == "" and not complete then pending "the kernel reports nothing here (it has no memory for streams)" end
    assert.matches("Arena READ access at unmapped address", report)
  end)

  it("are refused with a reason", function()
    need { kernel = "5.10" }
    local program <close> = new("socket_filter", { asm.mov(asm.r0, 0), asm.exit() })
    local _ <close> = setmetatable({}, { __close = function() ebpf.kernel():unmask "prog_stream" end })
    assert(ebpf.kernel():mask "prog_stream")
    local none, err = program:stream "stdout"
    assert.is_nil(none)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("before 6.17", err.message)
    assert.error_matches(function() program:stream "stdin" end, "invalid option 'stdin'")
  end)
end)

describe("maps of a program", function()
  it("are bound to it", function()
    need { kernel = "5.10", "prog_bind_map" }
    local map = counter()
    local id = map:info().id
    local program = new("socket_filter", { asm.mov(asm.r0, 0), asm.exit() })
    assert.same({}, program:code().map_ids)
    assert.is_true(program:bind(map))
    assert.is_true(program:bind(map)) -- again: nothing new
    assert.same({ id }, program:code().map_ids)
    map:close()
    assert(ebpf.map { id = id }):close() -- the program keeps it
    program:close()
    local function exists()
      for _, each in ipairs(assert(ebpf.kernel():ids "map")) do
        if each == id then return true end
      end
      return false
    end
    for _ = 1, 50 do
      if not exists() then break end
      os.execute "sleep 0.1"
    end
    assert.is_false(exists())
  end)

  it("are bound where they are constants", function()
    need { kernel = "5.10", "prog_bind_map" }
    local coll <close> = assert(ebpf.load "build/spec/bpf/load_data.bpf.o")
    local constants
    for name, map in pairs(coll.maps) do if name:match "%.rodata$" then constants = map:info().id end end
    for _, program in pairs(coll.programs) do
      local bound = false
      for _, id in ipairs(program:code().map_ids) do bound = bound or id == constants end
      assert.is_true(bound, program.name)
    end
  end)

  it("are struct_ops maps that it works for", function()
    need { kernel = "7.0", "prog_assoc_struct_ops", "trampoline" }
    local coll <close> = assert(ebpf.load "build/spec/bpf/run_ops.bpf.o")
    local program <close> = new("syscall", { asm.mov(asm.r0, 0), asm.exit() }, { flags = "sleepable" })
    assert(program:associate(coll.maps.dummy))
    local none, err = coll.programs.first:associate(coll.maps.dummy)
    assert.is_nil(none)
    assert.is_string(err.hint)
    local plain <close> = counter()
    none, err = program:associate(plain)
    assert.is_nil(none)
    assert.equal("EINVAL", err.code)
    assert.matches("must be a struct_ops map", err.hint)
  end)

  it("are refused with a reason", function()
    need { kernel = "5.10" }
    local program <close> = new("socket_filter", { asm.mov(asm.r0, 0), asm.exit() })
    local map <close> = counter()
    local kernel = ebpf.kernel()
    local _ <close> = setmetatable({}, { __close = function()
      kernel:unmask "prog_bind_map"
      kernel:unmask "prog_assoc_struct_ops"
    end })
    kernel:mask "prog_bind_map"
    kernel:mask "prog_assoc_struct_ops"
    local none, err = program:bind(map)
    assert.is_nil(none)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("bind a map: this kernel %(before 5.10%) cannot do it", err.message)
    none, err = program:associate(map)
    assert.is_nil(none)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("associate with a struct_ops map: this kernel %(before 7.0%)", err.message)
    assert.error_matches(function() program:bind(1) end, "ebpf.map expected")
  end)
end)

describe("loading a program", function()
  local wrong = { asm.load("u64", asm.r0, asm.r1, 4000), asm.exit() } -- not in the context

  it("keeps a log of what is asked for", function()
    need { kernel = "5.10" }
    local function log_of(level)
      local program <close> = new("socket_filter", { asm.mov(asm.r0, 0), asm.exit() }, { log_level = level })
      return program.log
    end
    assert.is_nil(log_of(nil))
    assert.matches("processed 2 insns", log_of "stats")
    assert.matches("r0 = 0", log_of { "instruction", "stats" })
    assert.matches("r0 = 0", log_of(2))
    assert.error_matches(function() log_of "loud" end, "log_level: there is none of the name 'loud'")
  end)

  it("leaves the log out, or begins small", function()
    need { kernel = "5.10" }
    local options = { type = "socket_filter", license = "GPL", instructions = wrong, log = false }
    local none, err = ebpf.program(options)
    assert.is_nil(none)
    assert.is_nil(err.log)
    options.log, options.log_size = nil, 1
    none, err = ebpf.program(options)
    assert.is_nil(none)
    assert.matches("invalid bpf_context access", err.message)
    assert.matches("\nprocessed %d+ insns", err.log)
  end)

  it("names a flag that the kernel does not know", function()
    need { kernel = "5.10" }
    local known = ebpf.features.program_flag "test_reg_invariants"
    local program, err = ebpf.program { type = "socket_filter", license = "GPL", flags = "test_reg_invariants",
      instructions = { asm.mov(asm.r0, 0), asm.exit() } }
    assert.equal(known, program ~= nil)
    if not known then
      assert.equal("program 'program': load: this kernel (before 6.8) does not know the flag 'test_reg_invariants' " ..
        "[object 'program']", err.message)
    end
  end)

  it("takes flags by their names", function()
    need { kernel = "6.1" }
    local spec <close> = assert(ebpf.spec {})
    local program = assert(spec:add_program("main", "xdp", asm.block { asm.mov(asm.r0, 2), asm.exit() }))
    program.flags = { "xdp_has_frags", "test_state_freq" }
    assert.equal(0x28, program.flags)
    local coll <close> = assert(spec:load())
    assert.equal("xdp", coll.programs.main.type)
    assert.error_matches(function() program.flags = "fast" end, "flags: there is none of the name 'fast'")
    -- bound to a device that cannot take it (the loopback has no XDP metadata)
    program.flags, program.ifindex = "xdp_dev_bound_only", ifindex "lo"
    local none, err = spec:load()
    if need.version "6.3" <= ebpf.kernel().version then
      assert.is_truthy(none or err.code == "EOPNOTSUPP" or err.code == "EINVAL", err)
    end
    if none then
      assert.equal(ifindex "lo", none.programs.main:info().ifindex)
      none:close()
    end
  end)
end)

-- Sets a sysctl, of the whole machine: its value before.
local function sysctl(path, value)
  local file = assert(io.open("/proc/sys/" .. path, "r+"))
  local before = file:read "l"
  file:close()
  file = assert(io.open("/proc/sys/" .. path, "w"))
  file:write(value)
  file:close()
  return before
end

describe("what the kernel tells of a program", function()
  it("has the whole of a long name", function()
    need { kernel = "5.10" }
    local spec <close> = assert(ebpf.spec {})
    assert(spec:add_program(nil, "socket_filter", asm.block {
      asm.func "int a_name_of_more_than_fifteen(struct __sk_buff *skb)", asm.mov(asm.r0, 0), asm.exit(),
    }))
    local coll <close> = assert(spec:load())
    local _, program = next { coll.programs.a_name_of_more_than_fifteen }
    assert.equal("a_name_of_more_than_fifteen", program:info().name)
    local again <close> = assert(ebpf.program { id = program:info().id })
    assert.equal("a_name_of_more_than_fifteen", again.name)
    assert.equal("a_name_of_more_than_fifteen", again:info().name)
  end)

  it("is what bpftool tells", function()
    need { kernel = "5.10" }
    need.command "bpftool"
    local dkjson = require "dkjson"
    local map <close> = counter()
    local program <close> = new("xdp", counting(2), { name = "as_bpftool", maps = { counter = map } })
    local stats <close> = ebpf.enable_stats()
    for _ = 1, 3 do program:run { data = zeros } end
    local info, code = assert(program:info()), assert(program:code())
    local theirs = dkjson.decode(process.run("bpftool -j prog show id " .. info.id))
    local pairs_of = { id = "id", type = "type", name = "name", tag = "tag", xlated_size = "bytes_xlated",
      jited_size = "bytes_jited", memlock = "bytes_memlock", uid = "uid", run_count = "run_cnt", run_time_ns = "run_time_ns" }
    for mine, their in pairs(pairs_of) do assert.equal(theirs[their], info[mine], mine) end
    assert.equal(theirs.gpl_compatible, info.gpl)
    assert.same(theirs.map_ids, code.map_ids)
    if stats then assert.equal(3, info.run_count) end
    if need.version "5.16" <= ebpf.kernel().version then assert.is_true(info.verified_insns >= 5) end
    local uptime = tonumber(assert(io.open "/proc/uptime"):read "n")
    assert.is_true(info.load_time_ns / 1e9 <= uptime + 1 and info.load_time_ns / 1e9 > uptime - 600)
    local lines = dkjson.decode(process.run("bpftool -j prog dump xlated id " .. info.id))
    local count = 0
    for _, instruction in ipairs(code.instructions) do
      if not instruction.func and not instruction.label then count = count + 1 end
    end
    assert.equal(#lines, count)
    assert.same({}, code.hidden)
  end)

  it("leaves out addresses and blinded code where they are restricted", function()
    need { kernel = "5.10" }
    if not complete then pending "sets sysctls of the whole machine: only in a guest" end
    local restrict, harden = sysctl("kernel/kptr_restrict", 2), sysctl("net/core/bpf_jit_harden", 2)
    local _ <close> = setmetatable({}, { __close = function()
      sysctl("kernel/kptr_restrict", restrict)
      sysctl("net/core/bpf_jit_harden", harden)
    end })
    local program <close> = new("socket_filter", { asm.mov(asm.r0, 0x12345678), asm.exit() })
    local code, info = assert(program:code()), assert(program:info())
    assert.is_true(code.hidden.jited)
    assert.is_true(code.hidden.instructions)
    assert.is_nil(code.instructions)
    assert.is_nil(code.functions[1].address)
    assert.is_true(info.jited_size > 0) -- what comes after in the kernel's answer is there
    assert.same({}, code.map_ids)
    assert.is_true(info.load_time_ns > 0)
  end)

  it("leaves out what it hides, and says so", function()
    need { kernel = "5.10" }
    need.command "/usr/bin/setpriv"
    local program <close> = new("socket_filter", { asm.mov(asm.r0, 0), asm.exit() })
    assert.same({}, program:code().hidden)
    -- Older kernels let such a process do nothing at all where this is set (5.10); in a guest it may be changed.
    local disabled = complete and sysctl("kernel/unprivileged_bpf_disabled", 0)
    local _ <close> = setmetatable({}, { __close = function()
      if disabled then sysctl("kernel/unprivileged_bpf_disabled", disabled) end
    end })
    -- a process without capabilities that was given the descriptor by its parent
    local folder = ("/tmp/ebpf-program-%d"):format(math.random(1 << 30))
    assert(os.execute(("mkdir -m 755 %s && mount -t bpf -o mode=755 bpf %s"):format(folder, folder)))
    local _ <close> = setmetatable({}, { __close = function() os.execute(("umount %s; rmdir %s"):format(folder, folder)) end })
    assert(program:pin(folder .. "/p"))
    assert(os.execute(("chmod 666 %s/p"):format(folder)))
    local output = process.run(([[/usr/bin/setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all lua5.4 -e '
      local program, err = require "ebpf".program { pinned = "%s/p" }
      if not program then print(err.code) os.exit() end
      local code, info = program:code(), program:info()
      print(code.hidden.instructions, code.hidden.jited, code.instructions, info.type, info.tag ~= "")
    ' 2>&1]]):format(folder))
    if output:match "^EPERM" then pending "this kernel lets no unprivileged process open a pin (unprivileged_bpf_disabled)" end
    assert.equal("true\ttrue\tnil\tsocket_filter\ttrue\n", output)
  end)
end)

describe("a program that exists", function()
  it("is opened by a descriptor, which the handle takes over", function()
    need { kernel = "5.10" }
    local program = new("xdp", { asm.mov(asm.r0, 2), asm.exit() }, { name = "by_fd" })
    local fd = program:fd()
    local output = process.run(([[lua5.4 -e '
      local ebpf = require "ebpf"
      local id = %d
      local first = assert(ebpf.program { id = id })
      local second, err = ebpf.program { fd = first:fd() }
      print(second.name, second.type, second:info().id == id)
      print(select(2, ebpf.program { fd = 4000 }).code:match "^EBADF")
      local map = assert(ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 1 })
      print(select(2, ebpf.program { fd = map:fd() }).message:match "open descriptor %%d+: (.*)")
      os.exit(0, false) -- two handles on one descriptor
    ' 2>&1]]):format(program:info().id))
    assert.equal("by_fd\txdp\ttrue\nEBADF\nnot a program\n", output)
    assert.is_true(fd > 2)
    program:close()
  end)

  it("knows where it is pinned, and its pin moves", function()
    need { kernel = "5.10" }
    local folder = ("/tmp/ebpf-program-%d"):format(math.random(1 << 30))
    assert(os.execute(("mkdir %s && mount -t bpf bpf %s"):format(folder, folder)))
    local _ <close> = setmetatable({}, { __close = function() os.execute(("umount %s; rmdir %s"):format(folder, folder)) end })
    local program <close> = new("xdp", { asm.mov(asm.r0, 2), asm.exit() })
    assert.is_nil(program.pinned)
    assert(program:pin(folder .. "/one"))
    assert(program:pin(folder .. "/two"))
    assert.equal(folder .. "/two", program.pinned)
    assert.is_nil((ebpf.program { pinned = folder .. "/one" }))
    local other <close> = assert(ebpf.program { pinned = folder .. "/two" })
    assert.equal(folder .. "/two", other.pinned)
    local again <close> = assert(ebpf.program { id = program:info().id })
    assert(again:pin(folder .. "/one"))
    local none, err = program:pin(folder .. "/one")
    assert.is_nil(none)
    assert.equal("EEXIST", err.code)
    assert.equal(folder .. "/two", program.pinned)
    none, err = program:pin "/tmp/not_a_pin"
    assert.is_nil(none)
    assert.matches("is not on a BPF file system", err.message)
    assert(program:unpin())
    assert.is_nil(program.pinned)
  end)
end)

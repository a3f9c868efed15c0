-- Every type of map that the kernel has: made, written and read from here, and seen by a program. One row for each of enum
-- bpf_map_type; types whose ways fill a spec of their own are named with it.
local ebpf = require "ebpf"
local asm = ebpf.asm
local need = require "spec.support.need"
local process = require "spec.support.process"

local r0, r1, r2, r3, r4, r5, r6, r10 = asm.r0, asm.r1, asm.r2, asm.r3, asm.r4, asm.r5, asm.r6, asm.r10
local XDP_PASS, XDP_REDIRECT = 2, 4

local function new(options) return assert(ebpf.map(options)) end

local function load(type, instructions)
  return assert(ebpf.program { type = type, license = "GPL", instructions = instructions })
end

-- Runs instructions as a program of that type; returns what it returned.
local function run(type, instructions)
  local program <close> = load(type, instructions)
  return assert(program:run(type == "raw_tracepoint" and {} or { data = ("\0"):rep(64) })).retval
end

-- Adds one to the value of the key whose words these are, and returns it; -1 when there is none.
local function incrementing(m, words)
  local list = { asm.mov(r2, r10), asm.add(r2, -4 * #words), asm.ld_map(r1, m) }
  for i, word in ipairs(words) do table.insert(list, i, asm.store("u32", r10, word, -4 * (#words - i + 1))) end
  for _, insn in ipairs {
    asm.call "map_lookup_elem", asm.jne(r0, 0, "found"), asm.mov(r0, -1), asm.exit(), asm.label "found",
    asm.load("u64", r1, r0, 0), asm.add(r1, 1), asm.store("u64", r0, r1, 0), asm.mov(r0, r1), asm.exit(),
  } do list[#list + 1] = insn end
  return list
end
local function increment(m, words) return run("socket_filter", incrementing(m, words)) end

-- A keyed map of u64: both sides see what the other wrote; what is deleted is gone for both.
local function keyed(options, key, words, other)
  return function()
    options.value, options.max_entries = "u64", options.max_entries or 4
    local m <close> = new(options)
    local array = options.type:find "array"
    m:set(key, 41)
    assert.equal(42, increment(m, words))
    local value = m:get(key)
    if type(value) == "table" then -- the program ran on one CPU, the others have what was set for all
      local sum = 0
      for _, each in ipairs(value) do sum = sum + each end
      assert.equal(#value * 41 + 1, sum)
    else
      assert.equal(42, value)
    end
    assert.is_nil(m:get(other))
    if array then
      assert.is_nil((m:delete(key)))
    else
      assert.is_true(m:delete(key))
      assert.equal(0xffffffff, increment(m, words))
    end
    assert.is_nil(select(2, m:get(other)))
  end
end

-- A map of maps: the program goes through the outer to the inner, which can be exchanged.
local function nested(type)
  return function()
    local inner <close> = new { type = "array", value = "u64", max_entries = 1, name = "first" }
    local second <close> = new { type = "array", value = "u64", max_entries = 1, name = "second" }
    local outer <close> = new { type = type, key = "u32", max_entries = 2,
      inner = { type = "array", key = "u32", value = "u64", max_entries = 1 } }
    local function through()
      return run("socket_filter", {
        asm.store("u32", r10, 1, -4), asm.mov(r2, r10), asm.add(r2, -4), asm.ld_map(r1, outer), asm.call "map_lookup_elem",
        asm.jne(r0, 0, "outer"), asm.mov(r0, -1), asm.exit(), asm.label "outer",
        asm.store("u32", r10, 0, -4), asm.mov(r2, r10), asm.add(r2, -4), asm.mov(r1, r0), asm.call "map_lookup_elem",
        asm.jne(r0, 0, "inner"), asm.mov(r0, -2), asm.exit(), asm.label "inner",
        asm.load("u64", r1, r0, 0), asm.add(r1, 1), asm.store("u64", r0, r1, 0), asm.mov(r0, r1), asm.exit(),
      })
    end
    assert.equal(0xffffffff, through())
    outer[1] = inner
    assert.equal(1, through())
    assert.equal(1, inner[0])
    outer[1] = second
    assert.equal(1, through())
    assert.equal(second:info().id, outer[1])
    assert.equal(1, inner[0])
    outer[1] = nil
    assert.equal(0xffffffff, through())
    local wrong <close> = new { type = "hash", key = "u32", value = "u32", max_entries = 1 }
    local ok, err = outer:set(0, wrong)
    assert.is_nil(ok)
    assert.equal("EINVAL", err.code)
  end
end

-- What redirects packets: an element that is there makes bpf_redirect_map say so.
local function redirects(options, value, with_program)
  return function()
    local m <close> = new(options)
    local function redirect(map)
      return run("xdp", {
        asm.ld_map(r1, map), asm.mov(r2, 0), asm.mov(r3, XDP_PASS), asm.call "redirect_map", asm.exit(),
      })
    end
    assert.equal(XDP_PASS, redirect(m))
    assert.is_true(m:set(0, value))
    assert.equal(value, m:get(0))
    assert.equal(XDP_REDIRECT, redirect(m))
    assert.is_true(m:delete(0))
    assert.equal(XDP_PASS, redirect(m))
    if not with_program then return end
    local program <close> = assert(ebpf.program { type = "xdp", attach_type = with_program, license = "GPL",
      instructions = "r0 = 2\nexit" })
    local with <close> = new { type = options.type, value = "u32[2]", max_entries = 1 }
    assert.is_true(with:set(0, { value, program }))
    assert.same({ value, program:info().id }, with:get(0))
    assert.equal(XDP_REDIRECT, redirect(with))
  end
end

-- Queues and the like: pushed by a program, popped here, and the other way round.
local function pushed(type, order)
  return function()
    local m <close> = new { type = type, value = "u64", max_entries = 2 }
    assert.is_true(m:push(1))
    assert.equal(0, run("socket_filter", {
      asm.store("u64", r10, 2, -8), asm.mov(r2, r10), asm.add(r2, -8), asm.ld_map(r1, m), asm.mov(r3, 0),
      asm.call "map_push_elem", asm.exit(),
    }))
    assert.equal(order[1], m:peek())
    assert.equal(order[1], m:pop())
    assert.equal(order[2], run("socket_filter", {
      asm.store("u64", r10, 0, -8), asm.mov(r2, r10), asm.add(r2, -8), asm.ld_map(r1, m), asm.call "map_pop_elem",
      asm.load("u64", r0, r10, -8), asm.exit(),
    }))
    assert.is_nil(m:pop())
  end
end

-- A deprecated storage of cgroups: made with the attachment, counted by a program there, read here.
local function cgroup_storage(type)
  return function()
    local m <close> = new { type = type, key_size = 16, value = "u64" }
    local program <close> = assert(ebpf.program { type = "cgroup_skb", attach_type = "cgroup_inet_egress", license = "GPL",
      instructions = {
      asm.ld_map(r1, m), asm.mov(r2, 0), asm.call "get_local_storage",
      asm.load("u64", r1, r0, 0), asm.add(r1, 1), asm.store("u64", r0, r1, 0), asm.mov(r0, 1), asm.exit(),
    } })
    local path, remove = process.cgroup "storage"
    if not path then pending "needs a cgroup2 file system" end
    local link = assert(ebpf.link.cgroup(program, path))
    process.run(("sh -c 'echo $$ > %s/cgroup.procs; build/spec/support/send 1'"):format(path))
    local key, value
    for k, v in pairs(m) do
      assert.is_nil(key, "one attachment, one storage")
      key, value = k, v
    end
    assert.equal(16, #key)
    local count = type == "cgroup_storage" and value or 0
    for _, each in ipairs(type == "cgroup_storage" and {} or value) do count = count + each end
    assert.equal(1, count)
    link:close()
    remove()
  end
end

-- The storage of whoever runs the program, found from here by name. The other way round: what is set here is counted on.
local function owned(type, name, owner, nobody)
  return function()
    need { "vmlinux_btf" }
    local spec = assert(ebpf.spec "build/spec/bpf/map_owners.bpf.o")
    local other = type == "task_storage" and "cgroups" or "tasks"
    spec.maps[other].autocreate = false
    local coll <close> = assert(spec:load { programs = { "count_" .. name } })
    local m = coll.maps[name .. "s"]
    assert.is_nil(m:get(owner))
    assert.is_true(m:set(owner, 1000, "noexist"))
    assert.is_nil((m:set(owner, 1000, "noexist")))
    local link <close> = assert(ebpf.link.tracing(coll.programs["count_" .. name]))
    assert.is_true(m:get(owner) > 1000)
    link:close()
    assert.is_true(m:contains(owner))
    assert.is_true(m:delete(owner))
    assert.is_false(m:delete(owner))
    local value, err = m:get(nobody)
    assert.is_nil(value)
    assert.matches("cannot open", err.message)
  end
end

-- Where this process is: cgroups of version 2 hang everything below one root when there is nothing else.
local function cgroup_root()
  local own = assert(io.open "/proc/self/cgroup"):read "a":match "0::([^\n]*)"
  local unified = io.open "/sys/fs/cgroup/unified/cgroup.controllers"
  if unified then unified:close() end
  return (unified and "/sys/fs/cgroup/unified" or "/sys/fs/cgroup") .. (own or "")
end

local function own_pid() return tonumber(io.open("/proc/self/stat"):read "a":match "^%d+") end

local rows = {
  hash = { since = "3.19", keyed({ type = "hash", key = "u32" }, 7, { 7 }, 8) },
  array = { since = "3.19", keyed({ type = "array" }, 2, { 2 }, 8) },
  percpu_hash = { since = "4.6", keyed({ type = "percpu_hash", key = "u32" }, 7, { 7 }, 8) },
  percpu_array = { since = "4.6", keyed({ type = "percpu_array" }, 2, { 2 }, 8) },
  lru_hash = { since = "4.10", keyed({ type = "lru_hash", key = "u32" }, 7, { 7 }, 8) },
  lru_percpu_hash = { since = "4.10", keyed({ type = "lru_percpu_hash", key = "u32" }, 7, { 7 }, 8) },
  rhash = { since = "7.2", keyed({ type = "rhash", key = "u32" }, 7, { 7 }, 8) },
  lpm_trie = { since = "4.11", keyed({ type = "lpm_trie", key_size = 8 }, "10.1.2.3/32",
    { 32, string.unpack("I4", "\10\1\2\3") }, "10.1.2.4") },
  array_of_maps = { since = "4.12", nested "array_of_maps" },
  hash_of_maps = { since = "4.12", nested "hash_of_maps" },
  devmap = { since = "5.8", redirects({ type = "devmap", max_entries = 1 }, 1, "xdp_devmap") },
  devmap_hash = { since = "5.8", redirects({ type = "devmap_hash", max_entries = 1 }, 1, "xdp_devmap") },
  cpumap = { since = "5.9", redirects({ type = "cpumap" }, 192, "xdp_cpumap") },
  queue = { since = "4.20", pushed("queue", { 1, 2 }) },
  stack = { since = "4.20", pushed("stack", { 2, 1 }) },
  cgroup_storage = { since = "4.19", cgroup_storage "cgroup_storage" },
  percpu_cgroup_storage = { since = "4.20", cgroup_storage "percpu_cgroup_storage" },
  task_storage = { since = "5.12", owned("task_storage", "task", { pid = own_pid() }, { pid = 0x3fffff }) },
  cgrp_storage = { since = "6.2", owned("cgrp_storage", "cgroup", { path = cgroup_root() }, { path = "/sys/fs/cgroup/none" }) },

  bloom_filter = { since = "5.16", function()
    local m <close> = new { type = "bloom_filter", value = "u64", max_entries = 100, map_extra = 3 }
    local function peek(value)
      return run("socket_filter", {
        asm.store("u64", r10, value, -8), asm.mov(r2, r10), asm.add(r2, -8), asm.ld_map(r1, m),
        asm.call "map_peek_elem", asm.exit(),
      })
    end
    assert.is_true(m:push(5))
    assert.equal(0, peek(5))
    assert.equal(0xfffffffe, peek(6)) -- -ENOENT
    assert.equal(3, m:info().map_extra)
  end },
  prog_array = { since = "4.2", function()
    local m <close> = new { type = "prog_array", max_entries = 2 }
    local called <close> = assert(ebpf.program { type = "socket_filter", license = "GPL", instructions = "r0 = 77\nexit" })
    local function call()
      return run("socket_filter", { asm.ld_map(r2, m), asm.mov(r3, 1), asm.call "tail_call", asm.mov(r0, 1), asm.exit() })
    end
    assert.equal(1, call())
    m[1] = called
    assert.equal(77, call())
    assert.equal(called:info().id, m[1])
    assert.equal(called:info().id, assert(ebpf.program { id = m[1] }):info().id)
    m[1] = nil
    assert.equal(1, call())
    local xdp <close> = assert(ebpf.program { type = "xdp", license = "GPL", instructions = "r0 = 2\nexit" })
    local ok, err = m:set(0, xdp) -- it belongs to socket filters by now
    assert.is_nil(ok)
    assert.equal("EINVAL", err.code)
  end },
  perf_event_array = { since = "4.4", function()
    local m <close> = new { type = "perf_event_array", value = "u64" }
    local reader <close> = assert(ebpf.perf(m))
    assert.equal(0, run("sched_cls", {
      asm.store("u64", r10, 1234, -8), asm.ld_map(r2, m), asm.ld_imm64(r3, 0xffffffff),
      asm.mov(r4, r10), asm.add(r4, -8), asm.mov(r5, 8),
      asm.call "perf_event_output", asm.exit(),
    }))
    local got
    reader:consume(function(value) got = value end)
    assert.equal(1234, got)
    local value, err = m:get(0) -- the kernel shows nobody a perf event
    assert.is_nil(value)
    assert.equal("EOPNOTSUPP", err.code)
  end },
  stack_trace = { since = "5.10", function()
    local m <close> = new { type = "stack_trace", max_entries = 16 }
    assert.equal(127 * 8, m.value_size)
    local id = run("raw_tracepoint", { asm.ld_map(r2, m), asm.mov(r3, 0), asm.call "get_stackid", asm.exit() })
    local stack = assert(m:stack(id))
    assert.is_true(#stack >= 1 and #stack < 127)
    for _, address in ipairs(stack) do assert.is_true(address < 0) end -- the kernel's half
    assert.is_nil(m:stack(id ~ 1))
    assert.is_true(m:delete(id))
    assert.is_nil(m:stack(id))
    local other <close> = new { type = "array", value = "u64", max_entries = 1 }
    local none, err = other:stack(0)
    assert.is_nil(none)
    assert.matches("holds no stacks", err.message)
  end },
  cgroup_array = { since = "5.10", function()
    local root = process.cgroup "array"
    if not root then pending "needs a cgroup2 file system" end
    finally(function() os.execute("rmdir " .. root) end)
    local m <close> = new { type = "cgroup_array", max_entries = 2 }
    local function under()
      return run("raw_tracepoint", { asm.ld_map(r1, m), asm.mov(r2, 1), asm.call "current_task_under_cgroup", asm.exit() })
    end
    assert.equal(0xfffffff5, under()) -- -EAGAIN: nothing is there
    assert.is_true(m:set(1, { path = root:match "^(.*)/" }))
    assert.equal(1, under())
    assert.is_true(m:set(1, { path = root }))
    assert.equal(0, under())
    assert.is_true(m:delete(1))
    local ok, err = m:set(1, { path = "/proc" })
    assert.is_nil(ok)
    assert.equal("EBADF", err.code)
    ok, err = m:set(1, { path = "/nowhere" })
    assert.is_nil(ok)
    assert.matches("cannot open /nowhere", err.message)
    local value
    value, err = m:get(1)
    assert.is_nil(value)
    assert.equal("EOPNOTSUPP", err.code)
  end },
  inode_storage = { since = "5.10", function()
    need { "trampoline" }
    local m <close> = new { type = "inode_storage", value = "u64" }
    local file = os.tmpname()
    finally(function() os.remove(file) end)
    assert.is_true(m:set({ path = file }, 1000))
    local program <close> = assert(ebpf.program { section = "lsm/file_open",
      license = "GPL", instructions = {
      asm.load("u64", r6, r1, 0), -- struct file *
      asm.load("u64", r2, r6, (assert(ebpf.btf.vmlinux()):offsetof("struct file", "f_inode"))),
      asm.ld_map(r1, m), asm.mov(r3, 0), asm.mov(r4, 0), asm.call "inode_storage_get",
      asm.jeq(r0, 0, "out"), asm.load("u64", r1, r0, 0), asm.add(r1, 1), asm.store("u64", r0, r1, 0),
      asm.label "out", asm.mov(r0, 0), asm.exit(),
    } })
    local link <close> = assert(ebpf.link.tracing(program))
    assert(io.open(file)):close()
    assert(io.open(file)):close()
    link:close()
    assert.equal(1002, m:get { path = file })
    assert.is_true(m:delete { path = file })
    local value, err = m:get { path = file .. ".none" }
    assert.is_nil(value)
    assert.equal("ENOENT", err.code)
  end },
  ringbuf = { since = "5.8", function()
    local m <close> = new { type = "ringbuf", max_entries = 4096, value = "u64" }
    local reader <close> = assert(ebpf.ringbuf(m))
    assert.equal(0, run("socket_filter", {
      asm.store("u64", r10, 1234, -8), asm.ld_map(r1, m), asm.mov(r2, r10), asm.add(r2, -8), asm.mov(r3, 8), asm.mov(r4, 0),
      asm.call "ringbuf_output", asm.exit(),
    }))
    local got
    reader:consume(function(value) got = value end)
    assert.equal(1234, got)
  end },
  insn_array = { since = "6.19", function() -- programs with jump tables: objects_spec.lua
    local m <close> = new { type = "insn_array", max_entries = 2 }
    assert.is_true(m:set(0, string.pack("I4I4I4I4", 1, 0, 0, 0)))
    assert.is_true(m:freeze())
    assert.equal(1, (string.unpack("I4", m:get(0))))
  end },
  user_ringbuf = "user_ring_spec.lua", arena = "arena_spec.lua", struct_ops = "struct_ops_spec.lua",
  sk_storage = "c/map_socket_test.c", sockmap = "c/map_socket_test.c", sockhash = "c/map_socket_test.c",
  reuseport_sockarray = "c/map_socket_test.c", xskmap = "c/map_socket_test.c",
}

describe("maps of type", function()
  before_each(need.root)

  for type, row in pairs(rows) do
    if row[1] and row.since then
      it(type, function()
        need { kernel = row.since }
        row[1]()
      end)
    end
  end

  it("each have a test", function()
    for _, row in ipairs(ebpf.features.rows "map_type") do
      local test = rows[row.name]
      assert.is_truthy(test, "no test of " .. row.name)
      if _G.type(test) == "string" then need.file("spec/" .. test) end
    end
  end)
end)

describe("flags of maps", function()
  before_each(need.root)

  local function hash(flags, options)
    local full = { type = "hash", key = "u32", value = "u64", max_entries = 64, flags = flags }
    for name, value in pairs(options or {}) do full[name] = value end
    return ebpf.map(full)
  end

  it("rdonly and wronly are for this side", function()
    local read <close> = assert(hash "rdonly")
    local ok, err = read:set(1, 1)
    assert.is_nil(ok)
    assert.matches("created read%-only", err.hint)
    local write <close> = assert(hash "wronly")
    assert.is_true(write:set(1, 1))
    ok, err = write:get(1)
    assert.is_nil(ok)
    assert.matches("created write%-only", err.hint)
    assert.equal(2, increment(write, { 1 }))
  end)

  it("rdonly_prog and wronly_prog are for programs", function()
    need { kernel = "5.2" }
    local read <close> = assert(hash "rdonly_prog")
    assert.is_true(read:set(1, 1))
    local ok, err = pcall(increment, read, { 1 })
    assert.is_false(ok)
    assert.matches("write into map forbidden", err.log or tostring(err))
  end)

  it("noexist and exist tell what is to be there, lock keeps a program out meanwhile", function()
    need { kernel = "5.1" }
    local types = ebpf.btf.new()
    types:add_struct { name = "bpf_spin_lock", members = { { "val", "u32" } } }
    types:add_struct { name = "locked", members = { { "lock", "struct bpf_spin_lock" }, { "a", "u32" }, { "b", "u64" } } }
    local m <close> = assert(hash(nil, { value = "struct locked", btf = assert(types:finish()) }))
    assert.is_true(m:set(1, { a = 1, b = 2 }, "noexist"))
    assert.is_true(m:set(1, { a = 3, b = 4 }, "lock"))
    local got = m:get(1, "lock")
    assert.same({ 3, 4 }, { got.a, got.b })
    local plain <close> = assert(hash())
    local ok, err = plain:set(1, 1, "lock")
    assert.is_nil(ok)
    assert.matches("bpf_spin_lock", err.hint)
  end)

  it("no_prealloc, zero_seed and numa_node are the kernel's affair, and told again", function()
    need { kernel = "5.0" }
    local m <close> = assert(hash({ "no_prealloc", "zero_seed" }, { numa_node = 0 }))
    assert.equal(1 | 1 << 6, m:info().flags)
    assert.equal(m:info().flags, m.flags)
    local node <close> = assert(hash { "numa_node" })
    assert.equal(1 << 2, node.flags)
  end)

  it("lru maps let go of what was not used, with lists of their own for CPUs too", function()
    for _, flags in ipairs { 0, 1 << 1 } do -- no_common_lru
      local m <close> = assert(hash(flags, { type = "lru_hash", max_entries = 256 }))
      local program <close> = load("socket_filter", incrementing(m, { 0 }))
      m[0] = 1
      for i = 1, 2000 do
        m[i] = i
        if i % 100 == 0 then assert(program:run { data = ("\0"):rep(64) }) end -- used by a program
      end
      local count = 0
      for _ in pairs(m) do count = count + 1 end
      assert.is_true(count <= 256 and count > 0, count)
      assert.equal(2000, m[2000])
      assert.is_nil(m[1])
    end
  end)

  it("preserve_elems keeps perf events when their maker closes the map", function()
    need { kernel = "5.10" }
    local m <close> = new { type = "perf_event_array", flags = "preserve_elems", value = "u64" }
    assert.equal(1 << 11, m:info().flags)
  end)

  it("inner_map lets arrays of other lengths in", function()
    need { kernel = "5.10" }
    local outer <close> = new { type = "array_of_maps", max_entries = 1,
      inner = { type = "array", key = "u32", value = "u64", max_entries = 1, flags = "inner_map" } }
    local long <close> = new { type = "array", value = "u64", max_entries = 100, flags = "inner_map" }
    assert.is_true(outer:set(0, long))
    local strict <close> = new { type = "array_of_maps", max_entries = 1,
      inner = { type = "array", key = "u32", value = "u64", max_entries = 1 } }
    local plain <close> = new { type = "array", value = "u64", max_entries = 100 }
    assert.is_nil((strict:set(0, plain)))
  end)

  it("stack_build_id names user frames by their file", function()
    need { kernel = "5.10" }
    local m <close> = new { type = "stack_trace", max_entries = 16, flags = "stack_build_id" }
    assert.equal(127 * 32, m.value_size)
    local id = run("raw_tracepoint", { asm.ld_map(r2, m), asm.mov(r3, 1 << 8), asm.call "get_stackid", asm.exit() })
    local stack = assert(m:stack(id))
    local named = 0
    for _, frame in ipairs(stack) do
      if type(frame) == "table" then
        named = named + 1
        assert.equal(40, #frame.build_id)
        assert.equal("integer", math.type(frame.offset))
      end
    end
    assert.is_true(named >= 1, "no frame has a build id")
  end)
end)

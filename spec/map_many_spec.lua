-- Maps beyond single elements of hashes: batches, draining, memory, per-CPU pieces, prefixes, queues and filters, maps of maps.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

local function new(options)
  local full = { type = "hash", key = "u32", value = "u64", max_entries = 1024 }
  for name, value in pairs(options or {}) do full[name] = value or nil end
  return assert(ebpf.map(full))
end

local function numbers(first, last, factor)
  local list = {}
  for i = first, last do list[#list + 1] = i * (factor or 1) end
  return list
end

local function count(m)
  local n = 0
  for _ in pairs(m) do n = n + 1 end
  return n
end

-- The same with the kernel's batches and without, as on a kernel before 5.6.
local function each_way(fn)
  fn()
  local kernel = ebpf.kernel()
  assert(kernel:mask "map_batch")
  local ok, err = xpcall(fn, debug.traceback)
  kernel:unmask "map_batch"
  if not ok then error(err, 0) end
end

describe("many elements", function()
  before_each(need.root)

  it("are written and deleted in batches", function()
    each_way(function()
      for _, type in ipairs { "hash", "lru_hash" } do
        local m <close> = new { type = type, max_entries = 5000 }
        assert.equal(1000, m:set_batch(numbers(1, 1000), numbers(1, 1000, 3)))
        assert.equal(3000, m[1000])
        assert.equal(1000, count(m))
        assert.equal(3, m:delete_batch { 1, 5000, 2, 6000, 3, 7000 })
        assert.is_nil(m[2])
        assert.equal(997, count(m))
        assert.equal(0, m:set_batch({}, {}))
        assert.equal(0, m:delete_batch {})
      end
    end)
  end)

  it("are written as far as the kernel takes them, and it says why not further", function()
    each_way(function()
      local m <close> = new { max_entries = 100 }
      local done, err, errno, written = m:set_batch(numbers(1, 150), numbers(1, 150))
      assert.is_nil(done)
      assert.equal("E2BIG", err.code)
      assert.equal(7, errno)
      assert.matches("the map is full %(max_entries is 100%)", err.message)
      assert.equal(100, written)
      assert.equal(100, count(m))
      done, err, errno, written = m:set_batch({ 200, 1 }, { 1, 1 }, "noexist")
      assert.is_nil(done)
      assert.matches("E", err.code)
      assert.equal(err.errno, errno)
      assert.equal(0, written)
      assert.equal(1, m[1])
    end)
  end)

  it("are per-CPU values too", function()
    each_way(function()
      for _, type in ipairs { "percpu_hash", "percpu_array" } do
        local m <close> = new { type = type, max_entries = 8, value = "u32" }
        assert.equal(2, m:set_batch({ 1, 2 }, { 7, { 1, 2 } }))
        assert.equal(7, m[1][1])
        assert.same(2, m[2][2] or 2) -- one CPU has no second
        assert.equal(1, m[2][1])
      end
    end)
  end)

  it("raise for lists that do not belong together, and for wrong elements, and write nothing then", function()
    local m <close> = new()
    assert.error_matches(function() m:set_batch({ 1, 2 }, { 1 }) end, "as many keys as values expected, got 2 and 1")
    assert.error_matches(function() m:set_batch({ 1, 2 }, { 1, "x" }) end, "value: integer expected, got string")
    assert.error_matches(function() m:delete_batch { 1, {} } end, "key: integer expected, got table")
    assert.error_matches(function() m:set_batch(1, { 1 }) end, "table expected")
    assert.equal(0, count(m))
  end)

  it("are drained: read and gone", function()
    each_way(function()
      for _, type in ipairs { "hash", "percpu_hash", "lpm_trie" } do
        local key = type == "lpm_trie" and "u64" or "u32"
        local m <close> = new { type = type, key = key }
        if type == "lpm_trie" then
          for i = 1, 100 do m[string.unpack("=I8", string.pack("=I4 I4", 32, i))] = i end
        else
          for i = 1, 100 do m[i] = i end
        end
        local seen, sum = 0, 0
        for _, v in m:drain() do
          seen, sum = seen + 1, sum + (type == "percpu_hash" and v[1] or v)
        end
        assert.equal(100, seen)
        assert.equal(5050, sum)
        assert.equal(0, count(m))
      end
    end)
  end)

  it("are cleared, whatever the type", function()
    need { kernel = "4.20" }
    each_way(function()
      for _, type in ipairs { "hash", "lru_hash", "percpu_hash", "array", "percpu_array" } do
        local m <close> = new { type = type, max_entries = 300 }
        for i = 0, 99 do m[i] = 7 end
        assert.is_true(m:clear())
        if type:match "array" then
          local v = m[3]
          assert.equal(0, v == 0 and 0 or v[1])
        else
          assert.equal(0, count(m))
        end
      end
      local programs <close> = assert(ebpf.map { type = "prog_array", max_entries = 4 })
      programs[2] = assert(ebpf.program { type = "socket_filter", license = "GPL", instructions = "r0 = 0\nexit" })
      assert.is_truthy(programs[2])
      assert.is_true(programs:clear())
      assert.is_nil(programs[2])
      local queue <close> = assert(ebpf.map { type = "queue", value = "u32", max_entries = 4 })
      queue:push(1)
      assert.is_true(queue:clear())
      assert.is_nil(queue:pop())
    end)
    local ring <close> = assert(ebpf.map { type = "perf_event_array" })
    local ok, err = ring:clear()
    assert.is_nil(ok)
    assert.equal("EOPNOTSUPP", err.code)
  end)
end)

describe("a map that another process writes", function()
  before_each(need.root)

  -- Runs fn while another process inserts and deletes as fast as it can: keys from 100001 to 101000, those of ours below stay.
  local function beside_writer(m, fn)
    local script = ([[
      local ebpf = require 'ebpf'
      local m = assert(ebpf.map { id = %d, key = 'u32', value = 'u64' })
      io.stdout:write 'ready\n' io.stdout:flush()
      while true do
        for i = 100001, 101000 do m[i] = i end
        for i = 100001, 101000 do m:delete(i) end
      end]]):format(m:info().id)
    local pipe = assert(io.popen(("echo $$; exec lua5.4 -e \"%s\" 2>&1"):format(script)))
    local pid, ready = pipe:read "n", pipe:read "L" and pipe:read "L"
    local ok, err = xpcall(fn, debug.traceback)
    os.execute("kill " .. pid)
    pipe:close()
    assert.equal("ready\n", ready)
    if not ok then error(err, 0) end
  end

  for _, type in ipairs { "hash", "percpu_hash", "lru_hash" } do
    it(("is walked without an error, and what stays is seen: %s"):format(type), function()
      each_way(function()
        local m <close> = new { type = type, max_entries = 20000 }
        m:set_batch(numbers(1, 500), numbers(1, 500, 2))
        beside_writer(m, function()
          local walked, complete = 0, 0
          local batches = ebpf.kernel():has "map_batch"
          for _ = 1, 8 do
            local seen, twice = {}, 0
            local ok, err = pcall(function()
              for k, v in pairs(m) do
                if k <= 500 and seen[k] then twice = twice + 1 end
                seen[k] = k <= 500 or nil
                local value, expected = type == "percpu_hash" and v[1] or v, k <= 500 and k * 2 or k
                if value ~= expected then error(("key %d has %d"):format(k, value)) end
              end
            end)
            -- key by key the kernel starts again when others delete; then the walk is given up with EAGAIN, never endless or wrong
            if not ok then assert.equal("EAGAIN", err.code, tostring(err)) end
            walked = walked + 1
            if ok and #seen == 500 and twice == 0 then complete = complete + 1 end
          end
          assert.equal(8, walked)
          if batches then assert.is_true(complete >= 7, complete) end
        end)
      end)
    end)
  end

  it("is drained to what is there, and cleared or told that it cannot be", function()
    local m <close> = new { max_entries = 20000 }
    m:set_batch(numbers(1, 500), numbers(1, 500))
    beside_writer(m, function()
      local sum = 0
      for k, v in m:drain() do if k <= 500 then sum = sum + v end end
      assert.equal(500 * 501 // 2, sum)
      local ok, err = m:clear()
      assert.is_true(ok or err.code == "EAGAIN", tostring(err))
    end)
  end)

  it("has buckets that are larger than a batch", function()
    need { kernel = "5.6" }
    -- a map that is nearly full has such buckets by chance: the batch grows until one fits
    local m <close> = new { max_entries = 8, value = "char[60000]" }
    for i = 1, 8 do m[i] = tostring(i) end
    local seen = 0
    for k, v in pairs(m) do
      assert.equal(tostring(k), v)
      seen = seen + 1
    end
    assert.equal(8, seen)
  end)
end)

describe("queues, stacks and filters", function()
  before_each(need.root)

  it("push, peek and pop in their order", function()
    need { kernel = "4.20" }
    for type, expected in pairs { queue = { 1, 2, 3 }, stack = { 3, 2, 1 } } do
      local m <close> = assert(ebpf.map { type = type, value = "u32", max_entries = 3 })
      assert.is_nil(m:peek())
      assert.is_nil(m:pop())
      assert.equal(3, m:set_batch({}, { 1, 2, 3 }))
      local ok, err = m:push(4)
      assert.is_nil(ok)
      assert.equal("E2BIG", err.code)
      for _, value in ipairs(expected) do
        assert.equal(value, m:peek())
        assert.equal(value, m:pop())
      end
      assert.is_nil(m:pop())
    end
  end)

  it("tell whether a bloom filter may contain a value", function()
    need { kernel = "5.16" }
    local m <close> = assert(ebpf.map { type = "bloom_filter", value = "u64", max_entries = 1000, map_extra = 5 })
    for i = 1, 100 do assert(m:push(i)) end
    for i = 1, 100 do assert.is_true(m:contains(i)) end
    local wrong = 0
    for i = 1000, 1999 do if m:contains(i) then wrong = wrong + 1 end end
    assert.is_true(wrong < 100, "false positives of 1000: " .. wrong)
  end)

  it("tell whether a map has a key", function()
    local m <close> = new()
    m[7] = 0
    assert.is_true(m:contains(7))
    assert.is_false(m:contains(8))
  end)
end)

describe("a trie of prefixes", function()
  before_each(need.root)

  it("takes and gives addresses as text", function()
    local m <close> = assert(ebpf.map { type = "lpm_trie", key_size = 8, value = "u32", max_entries = 16 })
    assert(m:set("10.0.0.0/8", 8))
    assert(m:set("10.1.0.0/16", 16))
    assert(m:set("10.1.2.3", 32))
    assert.equal(32, m:get "10.1.2.3")
    assert.equal(16, m:get "10.1.9.9")
    assert.equal(8, m:get "10.200.0.1")
    assert.is_nil(m:get "11.0.0.1")
    local keys = {}
    for key, value in pairs(m) do keys[key] = value end
    assert.same({ ["10.0.0.0/8"] = 8, ["10.1.0.0/16"] = 16, ["10.1.2.3/32"] = 32 }, keys)
    assert.is_true(m:delete "10.1.0.0/16")
    assert.equal(8, m:get "10.1.9.9")
    assert.equal(8, m:get(string.pack("I4BBBB", 32, 10, 9, 9, 9))) -- a key's bytes are fine as well
    local v6 <close> = assert(ebpf.map { type = "lpm_trie", key_size = 20, value = "u32", max_entries = 16 })
    v6:view()["2001:db8::/32"] = 1
    assert.equal(1, v6:get "2001:db8:1::1")
    assert.is_nil(v6:get "2001:db9::")
    for key in pairs(v6) do assert.equal("2001:db8::/32", key) end
  end)

  it("says what is wrong with one", function()
    local m <close> = assert(ebpf.map { type = "lpm_trie", key_size = 8, value = "u32", max_entries = 16 })
    assert.error_matches(function() m:get "10.0.0.0/33" end, "key '10.0.0.0/33': the prefix length must be from 0 to 32")
    assert.error_matches(function() m:get "10.0.0.256" end, "key '10.0.0.256': not an IPv4 address")
    assert.error_matches(function() m:get "::1/3" end, "not an IPv4 address")
    assert.error_matches(function() m:get "10.0.0.0/" end, "prefix length")
    assert.error_matches(function() m:get(("1"):rep(100) .. "/8") end, "not an address")
  end)
end)

describe("a per-CPU map", function()
  before_each(need.root)

  it("gives the piece of one CPU, on every kernel", function()
    local kernel = ebpf.kernel()
    for _, masked in ipairs { false, true } do
      if masked then kernel:mask "map_cpu" end
      local m <close> = new { type = "percpu_array", value = "u32", max_entries = 2 }
      m[1] = { 41 }
      local value, err = m:get(1, { cpu = 0 })
      local beyond, beyond_err = m:get(1, { cpu = 4096 })
      if masked then kernel:unmask "map_cpu" end
      assert.equal(41, value, err)
      assert.is_nil(beyond)
      assert.equal("ERANGE", beyond_err.code)
    end
    local plain <close> = new()
    local value, err = plain:get(1, { cpu = 0 })
    assert.is_nil(value)
    assert.equal("EINVAL", err.code)
    assert.error_matches(function() plain:get(1, { core = 0 }) end, "unknown option 'core'")
  end)

  it("has one CPU's piece written alone, or says which kernel can", function()
    local m <close> = new { type = "percpu_hash", value = "u32" }
    m[5] = 1
    local ok, err = m:set(5, 9, { cpu = 0 })
    if ebpf.kernel():has "map_cpu" then
      assert.is_true(ok, err)
      local values = m[5]
      assert.equal(9, values[1])
      for i = 2, #values do assert.equal(1, values[i]) end
      local kernel = ebpf.kernel()
      kernel:mask "map_cpu"
      ok, err = m:set(5, 10, { cpu = 0 })
      kernel:unmask "map_cpu"
    end
    assert.is_nil(ok)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("Linux 7%.0", err.message)
  end)

  it("has that since Linux 7.0", function()
    need { kernel = "7.0", "map_cpu" }
    local m <close> = new { type = "percpu_hash", value = "u32" }
    assert.is_true(m:set(1, 4, { cpu = 0 }))
    assert.equal(4, m:get(1, { cpu = 0 }))
  end)
end)

describe("the memory of a map", function()
  before_each(function() need { "mmap" } end)

  local function array(options)
    local full = { type = "array", max_entries = 100, flags = "mmapable" }
    for name, value in pairs(options or {}) do full[name] = value end
    return new(full)
  end

  it("is that of its elements, without a system call", function()
    local m <close> = array { value = "u32" }
    local memory = assert(m:memory())
    assert.is_true(#memory >= 800)
    memory[3] = 7
    assert.equal(7, m[3])
    m[4] = 0xfffffff0
    assert.equal(0xfffffff0, memory[4])
    assert.error_matches(function() return memory[100] end, "there is no element 100: they are numbered from 0 to 99")
    assert.error_matches(function() memory[-1] = 0 end, "there is no element %-1")
    assert.error_matches(function() memory[1] = "x" end, "value: integer expected")
  end)

  it("is read and written by bytes, by type, and as string.pack does", function()
    local m <close> = array { value = "u64" }
    local memory = assert(m:memory())
    memory:write(8, "abcd\0\0\0\0")
    assert.equal("abcd", memory:read(8, 4))
    assert.equal(string.unpack("I8", "abcd\0\0\0\0"), m[1])
    memory:set("u16", 16, 513)
    assert.equal(513, memory:get("u16", 16))
    memory:set("char[8]", 24, "name")
    assert.equal("name", memory:get("char[8]", 24))
    assert.equal(13, memory:pack("<I4I8", 1, 5, 6))
    local a, b, position = memory:unpack("<I4I8")
    assert.same({ 5, 6, 13 }, { a, b, position })
    assert.same({ "name", 30 }, { memory:unpack("z", 25) })
  end)

  it("ends where it ends", function()
    local m <close> = array { value = "u64" }
    local memory = assert(m:memory())
    local size = #memory
    assert.equal("", memory:read(size, 0))
    for _, fn in ipairs {
      function() memory:read(size - 3, 4) end, function() memory:read(-1, 1) end, function() memory:write(size - 1, "ab") end,
      function() memory:get("u64", size - 7) end, function() memory:set("u64", math.maxinteger, 1) end,
      function() memory:unpack("I8", size - 6) end, function() memory:unpack("z", size + 2) end,
      function() memory:pack("I8", size, 1) end,
    } do assert.error_matches(fn, "outside of the memory") end
    assert.error_matches(function() memory:read(0, -1) end, "negative size")
    assert.error_matches(function() memory:get("struct nothing", 0) end, "struct nothing")
  end)

  it("is gone with the map, and only read when it is frozen", function()
    local m <close> = array()
    local memory = assert(m:memory())
    memory[0] = 5
    assert(m:freeze())
    assert.equal(5, memory[0])
    assert.error_matches(function() memory[0] = 6 end, "can only be read")
    m:close()
    assert.error_matches(function() return memory[0] end, "map is closed")
    assert.error_matches(function() return #memory end, "map is closed")
  end)

  it("is not had of other maps", function()
    local m <close> = new()
    local memory, err = m:memory()
    assert.is_nil(memory)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("BPF_F_MMAPABLE", err.message)
  end)
end)

describe("maps of maps", function()
  before_each(need.root)

  it("open what they hold", function()
    local outer <close> = assert(ebpf.map {
      type = "array_of_maps", max_entries = 2, inner = { type = "array", key = "u32", value = "u64", max_entries = 1 },
    })
    local inner <close> = assert(ebpf.map { type = "array", key = "u32", value = "u64", max_entries = 1, name = "within" })
    outer[1] = inner
    local opened <close> = assert(outer:open(1))
    assert.equal(inner:info().id, opened:info().id)
    assert.equal("within", opened.name)
    assert.is_nil(outer:open(0))
    local none, err = inner:open(0)
    assert.is_nil(none)
    assert.equal("EINVAL", err.code)
    assert.matches("holds no maps", err.message)
  end)
end)

describe("the flags of a map", function()
  before_each(need.root)

  it("have names", function()
    need { kernel = "5.2" }
    local m <close> = new { flags = { "no_prealloc", "rdonly_prog" } }
    assert.equal(1 | 1 << 7, m:info().flags)
    local one <close> = new { flags = "no_prealloc" }
    assert.equal(1, one:info().flags)
    assert.error_matches(function() new { flags = { "fast" } } end, "flags: there is none of the name 'fast'")
    assert.error_matches(function() new { flags = { 1 << 20 } } end, "flags")
  end)

  it("are filled in where a type cannot be without", function()
    local m <close> = assert(ebpf.map { type = "lpm_trie", key_size = 8, value = "u32", max_entries = 1 })
    assert.equal(1, m:info().flags)
  end)
end)

describe("maps", function()
  it("leak nothing by all this", function()
    need { kernel = "5.5" }
    assert.equal(0, handles.leaked(function()
      local m = new { type = "array", flags = "mmapable" }
      if ebpf.kernel():has "mmap" then m:memory()[1] = 2 end
      m:clear()
      new():drain() -- begun, and given up
      m:open(0)
    end))
  end)
end)

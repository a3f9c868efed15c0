-- Maps as tables, through the real kernel.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

local function hash(options)
  local full = { type = "hash", key = "u32", value = "u64", max_entries = 1024 }
  for name, value in pairs(options or {}) do full[name] = value end
  return assert(ebpf.map(full))
end

describe("a map", function()
  before_each(need.root)

  it("is a table of integers", function()
    local m <close> = hash()
    assert.is_nil(m[1])
    m[1] = 42
    m[2] = -1 -- all ones: two's complement
    assert.equal(42, m[1])
    assert.equal(-1, m[2])
    assert.equal("18446744073709551615", ("%u"):format(m[2]))
    m[1] = 43
    assert.equal(43, m[1])
    m[1] = nil
    assert.is_nil(m[1])
    m[1] = nil -- what is not there may be deleted
    m[3.0] = 7 -- a float with an integer's value is that integer
    assert.equal(7, m[3])
    assert.equal("integer", math.type(m[3]))
  end)

  it("tells what it is", function()
    local m <close> = hash { name = "shown", flags = 1 }
    assert.equal("hash", m.type)
    assert.equal("shown", m.name)
    assert.equal(1024, m.max_entries)
    assert.equal(4, m.key_size)
    assert.equal(8, m.value_size)
    assert.equal("u32", m.key)
    assert.equal("u64", m.value)
    assert.equal("ebpf.map: shown", tostring(m))
    local info = assert(m:info())
    assert.equal("hash", info.type)
    assert.equal(1, info.flags)
    assert.is_true(info.id > 0)
    assert.is_false(info.frozen)
    assert.is_true(math.type(m:fd()) == "integer")
  end)

  it("gives and takes elements by methods, with flags", function()
    local m <close> = hash()
    assert.is_true(m:set(1, 10, "noexist"))
    local ok, err, errno = m:set(1, 11, "noexist")
    assert.is_nil(ok)
    assert.equal("EEXIST", err.code)
    assert.equal(17, errno)
    ok, err = m:set(2, 11, "exist")
    assert.is_nil(ok)
    assert.equal("ENOENT", err.code)
    assert.is_true(m:set(1, 12, "exist"))
    assert.equal(12, m:get(1))
    assert.is_nil(m:get(2))
    assert.is_true(m:delete(1))
    assert.is_false(m:delete(1))
    assert.error_matches(function() m:set(1, 1, "sometimes") end, "invalid option 'sometimes'")
    assert.error_matches(function() m:set(1) end, "value expected")
  end)

  it("is walked by pairs, also while it is written", function()
    local m <close> = hash { max_entries = 5000 }
    for i = 1, 3000 do m[i] = i * 2 end
    local count, sum = 0, 0
    for k, v in pairs(m) do
      assert.equal(k * 2, v)
      count, sum = count + 1, sum + k
      if k % 3 == 0 then m[k] = nil end
    end
    assert.equal(3000, count)
    assert.equal(3000 * 3001 // 2, sum)
    local left = 0
    for _ in pairs(m) do left = left + 1 end
    assert.equal(2000, left)
    local iterate, state, control, walk = m:entries()
    assert.is_number((iterate(state, control)))
    getmetatable(walk).__close(walk) -- what a `for` does when it is left early
  end)

  it("is walked key by key", function()
    local m <close> = hash()
    assert.is_nil(m:next())
    m[5], m[6] = 1, 2
    local first = m:next()
    local second = m:next(first)
    assert.same({ [5] = true, [6] = true }, { [first] = true, [second] = true })
    assert.is_nil(m:next(second))
  end)

  it("takes and deletes an element at once", function()
    need { kernel = "5.14" }
    local m <close> = hash()
    m[1] = 5
    assert.equal(5, m:pop(1))
    assert.is_nil(m:pop(1))
    assert.is_nil(m[1])
  end)

  it("with string keys has a view that is a plain table", function()
    local m <close> = hash { key = "char[16]", value = "u32" }
    assert.is_true(m:set("close", 1))
    assert.equal(1, m:get "close")
    local view = m:view()
    view.close, view.get = 2, 3
    assert.equal(2, view.close)
    assert.is_nil(view.nothing)
    local seen = {}
    for k, v in pairs(view) do seen[k] = v end
    assert.same({ close = 2, get = 3 }, seen)
    view.get = nil
    assert.is_nil(m:get "get")
    assert.error_matches(function() return m.nothing end, "no method or property 'nothing'.*view")
    assert.error_matches(function() m.name = 1 end, "view")
  end)

  it("refuses what does not fit, by name", function()
    local m <close> = hash { value = "s16" }
    assert.error_matches(function() m[1] = 32768 end, "value: 32768 is out of range for s16 %(%-32768 to 32767%)")
    assert.error_matches(function() m[1] = "x" end, "value: integer expected, got string")
    assert.error_matches(function() m[1] = 1.5 end, "value: 1.5 is not a 64%-bit integer")
    assert.error_matches(function() m[-1] = 1 end, "key: %-1 is out of range for u32 %(0 to 4294967295%)")
    assert.error_matches(function() m[true] = 1 end, "key: integer expected, got boolean")
    assert.error_matches(function() return m[{}] end, "key: integer expected, got table")
    m[1] = -32768
    assert.equal(-32768, m[1])
    local names <close> = hash { key = "char[4]" }
    assert.is_true(names:set("abcd", 1))
    assert.error_matches(function() names:set("abcde", 1) end, "key: the string has 5 bytes, not at most 4")
    assert.error_matches(function() names:set({}, 1) end, "key: string expected, got table")
  end)

  it("raises an error object from an operator that the kernel refuses", function()
    local m <close> = hash { max_entries = 1 }
    m[1] = 1
    local ok, err = pcall(function() m[2] = 2 end)
    assert.is_false(ok)
    assert.equal("E2BIG", err.code)
    local set, set_err, errno = m:set(2, 2)
    assert.is_nil(set)
    assert.equal(7, errno)
    assert.equal("E2BIG", set_err.code)
  end)

  it("holds raw strings where the types are not known", function()
    local m <close> = assert(ebpf.map { type = "hash", key_size = 3, value_size = 8, max_entries = 4 })
    assert.is_true(m:set("abc", "12345678"))
    assert.equal("12345678", m:get "abc")
    assert.error_matches(function() m:set("ab", "12345678") end, "key: the string has 2 bytes, not 3")
    m:set("abc", 258) -- an integer where the size is one's
    assert.equal(string.pack("=I8", 258), m:get "abc")
  end)

  it("of arrays has u32 keys by itself", function()
    local m <close> = assert(ebpf.map { type = "array", value = "u32[3]", max_entries = 2 })
    assert.same({ 0, 0, 0 }, m[0])
    m[1] = { 1, 2, 3 }
    assert.same({ 1, 2, 3 }, m[1])
    m[1] = { 9 }
    assert.same({ 9, 0, 0 }, m[1])
    assert.is_nil(m[2])
    assert.error_matches(function() m[1] = { 1, 2, 3, 4 } end, "value: no element %[4%]: there are 3, from 1")
    assert.error_matches(function() m[1] = { 1, "x" } end, "value%[2%]: integer expected, got string")
  end)

  it("per CPU has a list of values, one for each CPU", function()
    local m <close> = assert(ebpf.map { type = "percpu_array", value = "u64", max_entries = 2 })
    local zero = m[0]
    assert.is_true(#zero >= 1)
    for _, value in ipairs(zero) do assert.equal(0, value) end
    m[0] = 5 -- each CPU's
    for _, value in ipairs(m[0]) do assert.equal(5, value) end
    local list = {}
    for i = 1, #zero do list[i] = i * 10 end
    m[1] = list
    assert.same(list, m[1])
    list[#list + 1] = 1
    assert.error_matches(function() m[1] = list end, "CPUs, but the list has")
    local rows = 0
    for _, values in pairs(m) do
      assert.equal(#zero, #values)
      rows = rows + 1
    end
    assert.equal(2, rows)
  end)

  it("that is a queue or a stack is pushed to and popped from", function()
    need { kernel = "4.20" }
    local queue <close> = assert(ebpf.map { type = "queue", value = "u32", max_entries = 4 })
    assert.is_true(queue:push(1))
    assert.is_true(queue:push(2))
    assert.equal(1, queue:get())
    assert.equal(1, queue:pop())
    assert.equal(2, queue:pop())
    assert.is_nil(queue:pop())
  end)

  it("of maps takes maps as values, and gives their ids", function()
    local inner <close> = assert(ebpf.map { type = "array", value = "u32", max_entries = 1 })
    local outer <close> = assert(ebpf.map { type = "array_of_maps", max_entries = 2,
      inner = { type = "array", key = "u32", value = "u32", max_entries = 1 } })
    outer[0] = inner
    assert.equal(inner:info().id, outer[0])
    local again <close> = assert(ebpf.map { id = outer[0], key = "u32", value = "u32" })
    inner[0] = 99
    assert.equal(99, again[0])
    inner:close()
    assert.error_matches(function() outer[1] = inner end, "map is closed")
  end)

  it("is opened again by its pin", function()
    local directory = os.tmpname()
    os.remove(directory)
    if not os.execute("mkdir " .. directory .. " && mount -t bpf bpf " .. directory) then pending "cannot mount a bpffs" end
    finally(function() os.execute("umount " .. directory .. "; rmdir " .. directory) end)
    local m <close> = hash()
    m[1] = 5
    assert.is_true(m:pin(directory .. "/numbers"))
    local again <close> = assert(ebpf.map { pinned = directory .. "/numbers", key = "u32", value = "u64" })
    assert.equal(5, again[1])
    assert.is_true(m:unpin())
    local gone, err = ebpf.map { pinned = directory .. "/numbers" }
    assert.is_nil(gone)
    assert.equal("ENOENT", err.code)
    local wrong
    wrong, err = ebpf.map { id = m:info().id, key = "u64" }
    assert.is_nil(wrong)
    assert.equal("EINVAL", err.code)
  end)

  it("can be frozen", function()
    need { kernel = "5.2" }
    local m <close> = assert(ebpf.map { type = "array", value = "u32", max_entries = 1 })
    m[0] = 1
    assert.is_true(m:freeze())
    assert.is_true(m:info().frozen)
    local ok, err = m:set(0, 2)
    assert.is_nil(ok)
    assert.equal("EPERM", err.code)
    assert.equal(1, m[0])
  end)

  it("allocates nothing for a lookup of scalars", function()
    local m <close> = hash()
    local function count_up()
      for _ = 1, 1000 do
        local value = m[1]
        m[1] = value + 1
      end
    end
    m[1] = 42
    count_up()
    collectgarbage()
    collectgarbage "stop"
    finally(function() collectgarbage "restart" end)
    local before = collectgarbage "count"
    count_up()
    local after = collectgarbage "count"
    assert.equal(before, after)
    assert.equal(2042, m[1])
  end)

  it("leaves no descriptor behind, closed or collected, also when it could not be made", function()
    assert.equal(0, handles.leaked(function()
      hash():close()
      hash() -- collected
      do local _ <close> = hash() end
      assert.is_nil((ebpf.map { type = "hash", key = "u32", value = "u32", max_entries = 0 }))
      assert.is_false((pcall(ebpf.map, { type = "hash", key = "u32", value = "no such type", max_entries = 1 })))
      assert.is_nil((ebpf.map { id = 0x7fffffff }))
    end))
  end)
end)

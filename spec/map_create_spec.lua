-- What is said when the kernel does not create a map: the field, why, and what to change. One row for each rule.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

local page = tonumber(io.popen("getconf PAGESIZE"):read "a") or 4096
local long = ("char[%d]"):format(100000)

-- options, what the message says, and the hint's words; `since` is the kernel that has the type
local rows = {
  { { type = "hash", key = "u32", value = "u32" }, "max_entries is 0", "how many" },
  { { type = "hash", value = "u32", max_entries = 1 }, "key_size is 0, but must be at least 1" },
  { { type = "hash", key = "u32", max_entries = 1 }, "value_size is 0, but must be at least 1" },
  { { type = "array", key = "u64", value = "u32", max_entries = 1 }, "key_size is 8, but must be 4" },
  { { type = "array", value = "u32", max_entries = 1, flags = "no_prealloc" }, "flag BPF_F_NO_PREALLOC.*for this type", "hashes" },
  { { type = "array", value = "u32", max_entries = 0xffffffff }, "max_entries 4294967295 is more than this kernel takes" },
  { { type = "lru_hash", key = "u32", value = "u32", max_entries = 1, flags = "no_prealloc" },
    "NO_PREALLOC is not possible", "leave it" },
  { { type = "hash", key = "u32", value = "u32", max_entries = 1, flags = "mmapable" },
    "BPF_F_MMAPABLE.*for this type", "array and arena" },
  { { type = "hash", key = "u32", value = "u32", max_entries = 1, flags = "rb_overwrite" }, "BPF_F_RB_OVERWRITE", "ringbuf" },
  { { type = "hash", key = "u32", value = "u32", max_entries = 1, flags = 1 << 30 }, "the flag 0x40000000" },
  { { type = "hash", key = "u32", value = "u32", max_entries = 1, numa_node = 77 }, "there is no NUMA node 77" },
  { { type = "hash", key = "u32", value = "u32", max_entries = 1, map_extra = 7 }, "map_extra is 0x7", since = "5.16" },
  { { type = "lpm_trie", key_size = 4, value = "u32", max_entries = 1 },
    "key_size is 4, but must be from 5 to 260", "prefix length" },
  { { type = "lpm_trie", key_size = 300, value = "u32", max_entries = 1 }, "key_size is 300" },
  { { type = "array_of_maps", max_entries = 1 }, "nothing says what its inner maps are", "inner map" },
  { { type = "array_of_maps", max_entries = 1, inner = { type = "array_of_maps", max_entries = 1 } }, "maps of maps of maps" },
  { { type = "array_of_maps", max_entries = 1, inner = { type = "hash", key = "u32", value = "u32" } },
    "template of its inner maps.*max_entries is 0" },
  { { type = "ringbuf" }, "max_entries is 0, but must be a power of two and a multiple of " .. page, "bytes" },
  { { type = "ringbuf", max_entries = page, key_size = 4 }, "key_size is 4, but must be 0" },
  { { type = "queue", key = "u32", value = "u64", max_entries = 1 }, "key_size is 4, but must be 0" },
  { { type = "stack", max_entries = 1 }, "value_size is 0" },
  { { type = "percpu_array", value = "char[40000]", max_entries = 1 }, "value_size 40000 is more than this kernel takes", "CPU" },
  { { type = "stack_trace", value = "char[12]", max_entries = 1 }, "value_size is 12, but must be a multiple of 8" },
  { { type = "stack_trace", value = "char[80000]", max_entries = 1 },
    "value_size 80000 is more than this kernel takes", "perf_event_max_stack" },
  { { type = "devmap", value = "u16", max_entries = 1 }, "value_size is 2, but must be 4 or 8" },
  { { type = "devmap_hash", value = "u16", max_entries = 1 }, "value_size is 2, but must be 4 or 8" },
  { { type = "sockhash", key = "char[600]", max_entries = 1 }, "key_size is 600, but must be from 1 to 512" },
  { { type = "xskmap", value = "u64", max_entries = 1 }, "value_size is 8, but must be 4" },
  { { type = "cgroup_storage", key_size = 16, value = "u64", max_entries = 3 }, "max_entries is 3, but must be 0" },
  { { type = "sk_storage", value = "u32", max_entries = 5 }, "max_entries is 5, but must be 0" },
  { { type = "sk_storage", value = "u32", key = "u64" }, "key_size is 8, but must be 4" },
  { { type = "sk_storage", value = long }, "value_size 100000 is more than this kernel takes", "64 KiB", since = "5.2" },
  { { type = "bloom_filter", value = "u32", max_entries = 3, map_extra = 99 },
    "map_extra is 0x63", "hash functions", since = "5.16" },
  { { type = "struct_ops", max_entries = 1 }, "value_size is 0" },
  { { type = "arena", max_entries = 3, value = "u32" }, "value_size is 4, but must be 0" },
  { { type = "unspec" }, "no type is given" },
}

-- Types that came after 5.10, made as they should be.
local new_types = {
  task_storage = { since = "5.11", value = "u32" }, bloom_filter = { since = "5.16", value = "u32", max_entries = 1 },
  user_ringbuf = { since = "6.1", max_entries = page }, cgrp_storage = { since = "6.2", value = "u32" },
  arena = { since = "6.9", max_entries = 1 }, insn_array = { since = "6.19", max_entries = 1 },
  rhash = { since = "7.2", key = "u32", value = "u32", max_entries = 1 },
}

describe("a map that cannot be created", function()
  before_each(need.root)

  for _, row in ipairs(rows) do
    it(("says: %s (%s)"):format(row[2], row[1].type), function()
      need { kernel = row.since or "5.10" }
      row[1].name = "wrong"
      local map, err, errno = ebpf.map(row[1])
      assert.is_nil(map)
      assert.is_true(errno > 0)
      assert.matches("^map 'wrong': ", err.message)
      assert.matches(row[2], err.message)
      if row[3] then assert.matches(row[3], err.hint) end
    end)
  end

  it("says which kernel has its type", function()
    for type, row in pairs(new_types) do
      local map, err = ebpf.map { type = type, key = row.key, value = row.value, max_entries = row.max_entries }
      if map then
        map:close()
      else
        assert.matches("this kernel has no maps of this type %(Linux " .. row.since:gsub("%.", "%%.") .. "%)", err.message)
        assert.is_true(ebpf.kernel().version < need.version(row.since), type .. " should be there")
      end
    end
  end)

  it("leaves nothing behind", function()
    assert.equal(0, handles.leaked(function()
      for _, row in ipairs(rows) do ebpf.map(row[1]) end
    end))
  end)
end)

describe("what a description leaves open", function()
  before_each(need.root)

  it("is filled in where there is one right answer", function()
    need { kernel = "5.8" }
    local cpus = #assert(ebpf.map { type = "percpu_array", value = "u32", max_entries = 1 })[0]
    for _, type in ipairs { "cpumap", "perf_event_array" } do
      local m <close> = assert(ebpf.map { type = type })
      assert.equal(cpus, m.max_entries)
    end
    local many <close> = assert(ebpf.map { type = "cpumap", max_entries = 100000 })
    assert.equal(cpus, many.max_entries)
    local ring <close> = assert(ebpf.map { type = "ringbuf", max_entries = page + 1, value = "u64" })
    assert.equal(2 * page, ring.max_entries)
    assert.equal(0, ring.value_size)
    local trie <close> = assert(ebpf.map { type = "lpm_trie", key_size = 8, value = "u32", max_entries = 1 })
    assert.equal(1, trie.flags)
  end)
end)

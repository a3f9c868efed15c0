-- ebpf prog, ebpf map and ebpf link: what the kernel has.
local ebpf = require "ebpf"
local json = require "dkjson"
local need = require "spec.support.need"
local process = require "spec.support.process"

local function document(arguments)
  local text, status = process.run("build/ebpf " .. arguments .. " --json")
  local value = json.decode(text)
  assert.is_table(value, text)
  return value, status
end

describe("ebpf prog", function()
  it("lists and shows the programs in the kernel", function()
    need { kernel = "5.10" }
    local program <close> = assert(ebpf.program {
      type = "socket_filter", name = "show_me", license = "GPL", instructions = "r0 = 7\nexit",
    })
    local info = program:info()
    local found
    for _, row in ipairs(document "prog list".programs) do
      if row.id == info.id then found = row end
    end
    assert.equal("show_me", found.name)
    assert.equal("socket_filter", found.type)
    assert.equal(info.tag, found.tag)
    assert.is_true(found.gpl)
    assert.same({}, found.map_ids)
    assert.equal(16, found.xlated_size)
    assert.is_true(found.memlock > 0)
    assert.same(found, document("prog show " .. info.id).program)
    local line = ("%d: socket_filter  name show_me  tag %s  gpl\n"):format(info.id, info.tag)
    assert.matches(line, (process.run "build/ebpf prog list"))
    if info.verified_insns > 0 then assert.matches("verified 2 insns", (process.run("build/ebpf prog show " .. info.id))) end
    assert.equal(2, #document("prog dump " .. info.id).functions[1].instructions)
    local ids = ebpf.kernel():ids "program"
    local seen = false
    for _, id in ipairs(ids) do seen = seen or id == info.id end
    assert.is_true(seen)
    assert.has_error(function() ebpf.kernel():ids "nothing" end)
    local out, status = process.run "build/ebpf prog show"
    assert.matches("is missing", out)
    assert.equal(1, status)
    local failed, code = document "prog show 4294967295"
    assert.equal("ENOENT", failed.error.code)
    assert.equal(1, code)
  end)
end)

describe("ebpf map", function()
  it("lists and shows the maps in the kernel", function()
    need { kernel = "5.10" }
    local map <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u64", max_entries = 4, name = "show_me" })
    local id, found = map:info().id, nil
    for _, row in ipairs(document "map list".maps) do
      if row.id == id then found = row end
    end
    assert.equal("show_me", found.name)
    assert.equal("hash", found.type)
    assert.equal(8, found.value_size)
    assert.same(found, document("map show " .. id).map)
    local line = ("%d: hash  name show_me  flags 0x0\n\tkey 4B  value 8B  max_entries 4  %%(u32 %%-> u64%%)\n"):format(id)
    assert.matches(line, (process.run "build/ebpf map list"))
    local failed, code = document "map show 4294967295"
    assert.equal("ENOENT", failed.error.code)
    assert.equal(1, code)
    local out, status = process.run "build/ebpf map dump"
    assert.matches("is missing", out)
    assert.equal(1, status)
  end)

  it("dumps elements by their types, or as bytes", function()
    need { kernel = "5.10", "btf" }
    local bytes <close> = assert(ebpf.map { type = "hash", key_size = 4, value_size = 8, max_entries = 4 })
    local id = bytes:info().id
    assert.same({}, document("map dump " .. id).entries)
    local key = string.pack("=I4", 258)
    bytes:set(key, ("\255"):rep(8))
    local hex = key:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    assert.same({ { key = hex, value = ("ff"):rep(8) } }, document("map dump " .. id).entries)
    local map <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u64", max_entries = 4 })
    map[258] = 5
    assert.same({ { key = 258, value = 5 } }, document("map dump " .. map:info().id).entries)
    bytes:set(key, string.pack("=I8", 5))
    assert.same({ { key = 258, value = 5 } }, document("map dump --key u32 --value u64 " .. id).entries)
    local _, status = document("map dump --key nonsense " .. id)
    assert.equal(1, status)
    local coll <close> = assert(ebpf.load "build/spec/bpf/lua_types.bpf.o")
    coll.maps.names:set("caf\xe9", 7)
    coll.maps.names:set("tea", 8)
    local values = {}
    for _, row in ipairs(document("map dump " .. coll.maps.names:info().id).entries) do values[row.key] = row.value end
    assert.same({ ["caf\u{e9}"] = 7, tea = 8 }, values) -- a document is UTF-8
    local text = process.run("build/ebpf map dump " .. coll.maps.names:info().id)
    assert.matches('\n"tea": 8\n', text)
    local cpus = document("map dump " .. coll.maps.cpus:info().id).entries
    assert.equal(4, #cpus)
    assert.is_table(cpus[1].value[1]) -- one for each CPU
  end)
end)

describe("ebpf link", function()
  it("lists and shows the links in the kernel", function()
    need { kernel = "5.9", "xdp_link" }
    local program <close> = assert(ebpf.program { type = "xdp", license = "GPL", instructions = "r0 = 2\nexit" })
    local link <close> = assert(ebpf.link.xdp(program, "lo", { mode = "generic" }))
    local id, found = link:info().id, nil
    for _, row in ipairs(document "link list".links) do
      if row.id == id then found = row end
    end
    assert.same({
      id = id, type = "xdp", program_id = program:info().id, attach_type = "xdp", kind = "xdp", target = "xdp lo", ifindex = 1,
    }, found)
    assert.same(found, document("link show " .. id).link)
    local line = ("%d: xdp  prog %d  attach_type xdp\n\txdp lo\n"):format(id, found.program_id)
    assert.matches(line, (process.run "build/ebpf link list"))
    local opened <close> = assert(ebpf.link.open { id = id })
    assert.same(link:info(), opened:info())
    assert.same(link:info(), ebpf.link.info(id))
    local failed, code = document "link show 2147483646"
    assert.equal("ENOENT", failed.error.code)
    assert.equal(1, code)
    local out, status = process.run "build/ebpf link show"
    assert.matches("is missing", out)
    assert.equal(1, status)
  end)
end)

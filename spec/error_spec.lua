-- How failures reach Lua: nil, err, errno for the world; an error for a mistake in a call.
local ebpf = require "ebpf"
local need = require "spec.support.need"

describe("an error", function()
  it("comes as nil, err, errno, with code, message and a text of its own", function()
    local spec, err, errno = ebpf.spec "/no/such/object.o"
    assert.is_nil(spec)
    assert.equal("ENOENT", err.code)
    assert.equal(2, err.errno)
    assert.equal(2, errno)
    assert.matches("/no/such/object.o", err.message, 1, true)
    assert.is_nil(err.log)
    assert.matches(err.message, tostring(err), 1, true)
    assert.equal("x: " .. tostring(err), "x: " .. err)
    assert.equal(tostring(err) .. "!", err .. "!")
  end)

  it("works with Lua's assert", function()
    local ok, err = pcall(rawget(_G, "assert"), ebpf.spec "/no/such/object.o")
    assert.is_false(ok)
    assert.equal("ENOENT", err.code)
  end)

  it("has the verifier's whole log, and the cause in the message", function()
    need { kernel = "5.10" }
    local program, err, errno = ebpf.program {
      type = "socket_filter", license = "GPL", name = "faulty",
      instructions = { ebpf.asm.mov(ebpf.asm.r0, ebpf.asm.r5), ebpf.asm.exit() },
    }
    assert.is_nil(program)
    assert.equal(errno, err.errno)
    assert.matches("program 'faulty': load: ", err.message, 1, true)
    assert.matches("R5 !read_ok", err.message, 1, true)
    assert.matches("processed %d+ insns", err.log)
    assert.is_nil(tostring(err):match "processed %d+ insns", "the log is not part of the summary")
  end)

  it("puts the hint behind the message", function()
    local _, err = ebpf.spec { bytes = "not ELF" }
    err.hint = "compile it with clang -target bpf"
    assert.equal(err.message .. " (compile it with clang -target bpf)", tostring(err))
  end)
end)

describe("a mistake in a call", function()
  it("raises for an unknown option, naming the known ones", function()
    local coll_options = { pinn_dir = "/x" }
    local ok, err = pcall(function() return ebpf.spec {}:load(coll_options) end)
    assert.is_false(ok)
    assert.matches("unknown option 'pinn_dir' %(known: pin_dir, ", err)
    ok, err = pcall(ebpf.map, { type = "hash", key = "u32", value = "u32", max_entris = 1 })
    assert.is_false(ok)
    assert.matches("unknown option 'max_entris' (known: ", err, 1, true)
    ok, err = pcall(ebpf.program, { typ = "xdp" })
    assert.is_false(ok)
    assert.matches("unknown option 'typ'", err)
    ok, err = pcall(ebpf.spec, { byte = "" })
    assert.is_false(ok)
    assert.matches("unknown option 'byte'", err)
  end)

  it("raises for a wrong type or name", function()
    assert.error_matches(function() ebpf.spec(12) end, "path or a table")
    assert.error_matches(function() ebpf.map(12) end, "table of options expected")
    assert.error_matches(function() ebpf.map { type = "hsh", key = "u32", value = "u32" } end, "no map type of the name 'hsh'")
    assert.error_matches(function() ebpf.link.xpd() end, "unknown kind of link 'xpd'.*xdp")
    assert.error_matches(function() ebpf.link.xdp(12, "lo") end, "ebpf.program expected, got number")
    assert.error_matches(function() ebpf.ringbuf({}) end, "a list of maps has none")
    assert.error_matches(function() ebpf.ringbuf({ {} }) end, "a map expected at 1 of the list, got table")
    assert.is_nil(ebpf.no_such_function)
  end)

  it("is reported at the line of the caller", function()
    need.root()
    local program = "no program"
    local function mistakes(at)
      return {
        function() at() ebpf.map(12) return 1 end,
        function() at() ebpf.map { type = "hsh", key = "u32", value = "u32" } return 1 end,
        function() at() ebpf.map { id = "x" } return 1 end,
        function() at() ebpf.spec(12) return 1 end,
        function() at() ebpf.spec { byte = "" } return 1 end,
        function() at() ebpf.load(12) return 1 end,
        function() at() ebpf.load({}, { pinn_dir = "" }) return 1 end,
        function() at() ebpf.load({}, { maps = { x = 5 } }) return 1 end,
        function() at() ebpf.program(12) return 1 end,
        function() at() ebpf.program { typ = "xdp" } return 1 end,
        function() at() ebpf.program { type = "xpd", instructions = { ebpf.asm.exit() } } return 1 end,
        function() at() ebpf.program { type = "xdp", instructions = { ebpf.asm.exit() }, maps = { x = 1 } } return 1 end,
        function() at() ebpf.link.xpd() return 1 end,
        function() at() ebpf.link.xdp(program, "lo") return 1 end,
        function() at() ebpf.link.tracepoint(program, "a:b") return 1 end,
        function() at() ebpf.link.auto(program) return 1 end,
        function() at() ebpf.link.open {} return 1 end,
        function() at() ebpf.link.open { id = "x" } return 1 end,
        function() at() ebpf.link.info "x" return 1 end,
      }
    end
    local line
    for i, mistake in ipairs(mistakes(function() line = debug.getinfo(2, "l").currentline end)) do
      local ok, err = pcall(mistake)
      assert.is_false(ok)
      assert.matches(("^[^\n]*error_spec.lua:%d: [^\n]"):format(line), tostring(err), 1, false, "mistake " .. i)
      assert.is_nil(tostring(err):match "init%.lua:" or tostring(err):match "link%.lua:", tostring(err))
    end
  end)

  it("raises for an unknown name of a type", function()
    need.root()
    local ok, err, _ = pcall(ebpf.map, { type = "hash", key = "u33", value = "u32", max_entries = 1 })
    assert.is_false(ok)
    assert.matches("u33", tostring(err), 1, true)
  end)
end)

describe("ebpf.kernel()", function()
  it("tells the version and the features", function()
    local kernel = assert(ebpf.kernel())
    local major, minor = kernel.release:match "^(%d+)%.(%d+)%.%d+$"
    assert.equal(kernel.version >> 8, math.tointeger(major) << 8 | math.tointeger(minor))
    local features = kernel:features()
    assert.is_true(#features > 10)
    assert.is_string(features[1].name)
    assert.matches("^%d+%.%d+$", features[1].since)
    local has, err, errno = kernel:has "no such feature"
    assert.is_nil(has)
    assert.equal("ENOENT", err.code)
    assert.equal(2, errno)
  end)

  it("pretends that a feature is missing", function()
    need.root()
    local kernel = ebpf.kernel()
    local before = kernel:has "map_batch"
    assert(kernel:mask "map_batch")
    finally(function() kernel:unmask "map_batch" end)
    assert.is_false(ebpf.kernel():has "map_batch") -- the same context
    local m <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u32", max_entries = 100 })
    for i = 1, 50 do m[i] = i end
    local sum = 0
    for k, v in pairs(m) do sum = sum + k + v end
    assert.equal(50 * 51, sum)
    assert(kernel:unmask "map_batch")
    assert.equal(before, kernel:has "map_batch")
  end)
end)

describe("the kernel's own words", function()
  it("are in the error of a map that it refuses", function()
    need { kernel = "7.2", "common_attrs" }
    local wrong = { type = "hash", key = "u32", value = "u32", max_entries = 1, map_extra = 7 }
    local none, err = ebpf.map(wrong)
    assert.is_nil(none)
    assert.equal("Invalid map_extra.\n", err.log)
    none, err = ebpf.map { type = 77, key = "u32", value = "u32", max_entries = 1 } -- no row of ours tells what is wrong
    assert.is_nil(none)
    assert.equal("map 'map': create unknown: type number 77: Invalid map_type: invalid argument", err.message)
    local _ <close> = setmetatable({}, { __close = function() ebpf.kernel():unmask "common_attrs" end })
    ebpf.kernel():mask "common_attrs"
    none, err = ebpf.map(wrong)
    assert.is_nil(none)
    assert.is_nil(err.log)
    assert.matches("map_extra is 0x7", err.message)
  end)
end)

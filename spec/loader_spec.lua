-- What objects can hold beside maps and programs, and that it does what it says when loaded.
local ebpf = require "ebpf"
local need = require "spec.support.need"

local packet = { data = ("x"):rep(64) }
local function object(name) return "build/spec/bpf/" .. name .. ".bpf.o" end
local function run(coll, name) return assert(coll.programs[name]:run(packet)).retval end

describe("declaration tags", function()
  it("are there on maps, programs and variables", function()
    local spec = assert(ebpf.spec(object "load_throw"))
    assert.same({ "a map", "second" }, spec.maps.tagged_map.tags)
    assert.same({ "exception_callback:caught", "a program" }, spec.programs.throw.tags)
    assert.same({}, spec.programs.throw_by_default.tags)
    assert.same({ "a variable" }, spec.variables.limit.tags)
  end)

  it("say where an exception goes on", function()
    need { kernel = "6.7" }
    need.jit()
    local spec = assert(ebpf.spec(object "load_throw"))
    local coll <close> = assert(spec:load())
    assert.equal(1007, run(coll, "throw"))
    assert.equal(3, run(coll, "throw_by_default"))
    spec.variables.limit:set(1000)
    local calm <close> = assert(spec:load { programs = { "throw" } })
    assert.equal(2, run(calm, "throw"))
  end)

  it("name an exception callback that there must be", function()
    need.root()
    local spec = assert(ebpf.spec(object "load_throw"))
    local none, err = spec:load { programs = { "lost" } }
    assert.is_nil(none)
    assert.equal("program 'lost': load: its exception callback 'nowhere' is not in this object [object 'load_throw']", err.message)
    none, err = spec:load { programs = { "secret" } }
    assert.is_nil(none)
    assert.matches("its exception callback 'hidden' is a static or hidden function", err.message)
  end)

  -- before 6.8 the function's type is rewritten, for each type of program that calls it
  for _, missing in ipairs { "nothing", "arg_ctx_tag", "btf_decl_tag" } do
    it("tell a global function's context, where the kernel lacks " .. missing, function()
      need { kernel = "5.6" }
      local masked = { nothing = {}, arg_ctx_tag = { "arg_ctx_tag" }, btf_decl_tag = { "arg_ctx_tag", "btf_decl_tag" } }
      for _, name in ipairs(masked[missing]) do ebpf.kernel():mask(name) end
      local coll, err = ebpf.load(object "load_tags")
      for _, name in ipairs(masked[missing]) do ebpf.kernel():unmask(name) end
      assert(coll, err)
      assert.equal(("x"):byte() + 1, run(coll, "filter"))
      assert.equal(("x"):byte() + 2, run(coll, "classify"))
      coll:close()
    end)
  end

  it("promise that an argument is not null", function()
    need { kernel = "6.8" }
    local coll <close> = assert(ebpf.load(object "load_tags", { programs = { "nonnull" } }))
    assert.equal(40, run(coll, "nonnull"))
  end)
end)

describe("maps in the old form", function()
  it("are those of libbpf before 1.0", function()
    local spec = assert(ebpf.spec(object "spec_legacy"))
    local counts, total = spec.maps.counts, spec.maps.total
    assert.same({ "hash", 4, 8, 16, 1 }, { counts.type, counts.key_size, counts.value_size, counts.max_entries, counts.flags })
    assert.equal("struct value", counts.value)
    assert.equal("maps/second", total.section)
    need { kernel = "5.2" }
    local coll <close> = assert(spec:load())
    run(coll, "count")
    assert.same({ hits = 1, bytes = 50 }, coll.maps.counts[5])
  end)

  it("are those of iproute2, with its tail calls and inner maps", function()
    local spec = assert(ebpf.spec(object "spec_iproute2"))
    assert.is_true(spec.maps.shared.pin_by_name)
    assert.equal("sched_cls", spec.programs.second.type)
    assert.equal("inner", spec.maps.outer.inner.name)
    assert.is_true(spec.maps.old.pin_by_name)
    assert.equal(7, spec.maps.old.max_entries)
    spec.maps.shared.pin_by_name, spec.maps.old.pin_by_name = false, false
    need { kernel = "5.2" }
    assert.error_matches(function() spec.maps.outer.inner = spec.maps.outer end, "another map of the same spec")
    spec.maps.outer.inner = nil
    local none, err = spec:load { programs = { "start", "first", "second" }, maps = {}, pin_dir = "/sys/fs/bpf/not/there" }
    assert.is_nil(none)
    assert.matches("map 'outer': create: nothing says what its inner maps are", err.message)
    spec.maps.outer.inner = spec.maps.inner
    local coll <close> = assert(spec:load())
    assert.equal(22, run(coll, "start"))
    assert.equal(string.pack("=I8", 1), coll.maps.inner[0])
  end)
end)

describe("jump tables", function()
  local path = "build/spec/bpf/new/load_jumps.bpf.o"
  before_each(function() need.file(path) end)

  local function with_length(coll, name, length)
    return assert(coll.programs[name]:run { data = ("x"):rep(length) }).retval
  end

  it("lead where the source says", function()
    need { kernel = "6.19" }
    local coll <close> = assert(ebpf.load(path))
    for length, value in pairs { [50] = 17, [51] = 17 + 5, [52] = 5 + 9, [53] = 9 + 100, [64] = 12 + 13, [100] = 2000 } do
      assert.equal(value, with_length(coll, "choose", length))
    end
    assert.equal(18, with_length(coll, "choose_later", 51))
  end)

  it("say what they need where the kernel does not have them", function()
    need { kernel = "5.2" } -- where nothing else is missing
    if ebpf.kernel().version >= need.version "6.19" then return end
    local none, err = ebpf.load(path, { programs = { "choose" } })
    assert.is_nil(none)
    assert.matches("function 'by_switch': instruction %d+: jump table '[%w.]+': .*Linux 6.19", err.message)
  end)
end)

describe("kernel functions", function()
  it("may be a module's", function()
    need { kernel = "5.18", "vmlinux_btf" }
    local module = io.open "/sys/kernel/btf/nf_conntrack"
    if module then
      module:close()
      need { kernel = "6.4" } -- older ones refuse to be asked whether they have one that they have
      need.jit()
    end
    local coll <close> = assert(ebpf.load(object "load_module"))
    local frame, other = run(coll, "frame"), run(coll, "packet")
    assert.equal(frame, other)
    if module then assert.equal(1, frame) end -- else they are built in, or missing, which weak ones may be
  end)
end)

describe("constants", function()
  it("stay with a program that does not use them, for who reads metadata there", function()
    need { kernel = "5.10", "prog_bind_map" }
    local coll <close> = assert(ebpf.load(object "load_kinds"))
    assert.equal(1, assert(coll.programs.nothing:info()).map_count)
  end)

  -- Without global data (before 5.2) they are part of the code.
  describe("without a map to read them from", function()
    before_each(function()
      need { kernel = "4.15" }
      if ebpf.kernel():has "global_data" then ebpf.kernel():mask "global_data" end -- else it is true
    end)
    after_each(function() ebpf.kernel():unmask "global_data" end)

    local function load(program) return ebpf.load(object "load_constants", { programs = { program } }) end

    it("are of every size, and those that are set before loading", function()
      local spec <close> = assert(ebpf.spec(object "load_constants"))
      spec.variables.word:set(0x80000000)
      local coll <close> = assert(spec:load { programs = { "sizes" } })
      assert.equal(1, run(coll, "sizes"))
      assert.same({
        small = 0xfe, half = 0xfedc, word = 0x80000000, wide = 0xfedcba98,
        small_signed = -2, half_signed = -3, word_signed = -4, wide_signed = -5, first = 10, second = 20,
      }, coll.maps.values[0])
      assert.is_nil(coll.variables.word)
    end)

    it("keep code away that the kernel does not know", function()
      local coll <close> = assert(load "guarded")
      assert.equal(7, run(coll, "guarded"))
    end)

    it("are followed through registers, branches and loops", function()
      local coll <close> = assert(ebpf.load(object "load_constants", { programs = { "same" } }))
      assert.equal(10, run(coll, "same"))
      need { kernel = "5.3" } -- loops
      local looped <close> = assert(load "kept")
      assert.equal(60, run(looped, "kept"))
    end)

    it("are the kernel's configuration, too", function()
      local coll <close> = assert(ebpf.load(object "load_kconfig"))
      assert.equal(ebpf.kernel().version, run(coll, "version"))
    end)

    it("are refused where an instruction cannot have them", function()
      for program, why in pairs {
        too_large = "a constant does not fit an instruction of 32 bits",
        indexed = "it needs the address of a constant",
        passed = "it needs the address of a constant",
        beyond = "a read beyond its constants",
      } do
        local none, err = load(program)
        assert.is_nil(none, program)
        assert.equal("EOPNOTSUPP", err.code)
        assert.matches("program '" .. program .. "': load: .*uses global variables %(load_con%.rodata%), which this kernel "
          .. "does not have: " .. why, err.message)
        assert.matches("5%.2.*constants can be read", err.hint)
      end
      local none, err = load "other" -- one of two: the verifier refuses what is left
      assert.is_nil(none)
      assert.matches("program 'other'", err.message)
      none, err = load "changing"
      assert.is_nil(none)
      assert.matches("uses global variables %(load_con%.data%), which this kernel does not have %[", err.message)
    end)
  end)

  it("are read from their map elsewhere, where they are more than immediates", function()
    need { kernel = "5.2", "global_data" }
    local programs = { "sizes", "other", "too_large", "indexed", "passed", "changing" }
    local coll <close> = assert(ebpf.load(object "load_constants", { programs = programs }))
    assert.equal(1, run(coll, "too_large"))
    assert.equal(10, run(coll, "other"))
    assert.equal(3, run(coll, "indexed"))
  end)
end)

-- What the kernel does not know of types is replaced by what it knows. Each kind alone, and as kernels of an age lack them.
describe("an object's types", function()
  local kinds = { "btf_enum64", "btf_type_tag", "btf_decl_tag", "btf_float", "btf_global_func", "btf_datasec", "btf_func", "btf" }

  local function load_without(names)
    for _, name in ipairs(names) do ebpf.kernel():mask(name) end
    local coll, err = ebpf.load(object "load_kinds")
    for _, name in ipairs(names) do ebpf.kernel():unmask(name) end
    assert(coll, err)
    assert.equal(15 + 7 + 5, run(coll, "filter"), table.concat(names, " "))
    assert.equal(7, coll.variables.result:get())
    assert.equal(5, coll.maps.table:get(1).number)
    local info = assert(coll.maps.table:info())
    coll:close()
    return info.btf_id
  end

  before_each(function() need { kernel = "5.2" } end)

  it("are loaded with it", function()
    local id = load_without {}
    if ebpf.kernel():has "btf_func" then assert.is_true(id > 0) end
  end)

  for i, kind in ipairs(kinds) do
    it("can do without " .. kind, function()
      local id = load_without { kind }
      if kind ~= "btf" and kind ~= "btf_func" and ebpf.kernel():has "btf_decl_tag" then
        assert.is_true(id > 0, "the map has no types")
      end
      load_without(table.move(kinds, 1, i, 1, {}))
    end)
  end
end)

describe("what cannot be loaded", function()
  local function refused(program, change)
    local spec = assert(ebpf.spec(object "load_wrong"))
    if change then change(spec) end
    local none, err = spec:load { programs = { program }, kconfig = "CONFIG_OTHER=y\n" } -- not every kernel shows its own
    assert.is_nil(none)
    assert.matches("object 'load_wrong'", err.message)
    return err.message, err.hint
  end

  before_each(function() need { kernel = "5.6", "vmlinux_btf" } end)

  it("names the kernel's symbols that are missing, and where they are used", function()
    local message, hint = refused "symbols"
    assert.matches("not found: no_such_symbol %(in 'symbols', load_wrong.bpf.c:%d+%)", message)
    assert.matches("no_such_variable %(in 'symbols', load_wrong.bpf.c:22%)", message)
    assert.matches("no_such_function%(%) %(in 'symbols', load_wrong.bpf.c:23%)", message)
    assert.matches("__weak", hint)
  end)

  it("names the weak function that is called all the same", function()
    local message, hint = refused "weak"
    assert.matches("program 'weak': load: .*kernel function 'no_weak_function' was not found", message)
    assert.matches("load_wrong.bpf.c:28", message)
    assert.matches("bpf_ksym_exists", hint)
  end)

  it("names the function that is declared with another type", function()
    need { kernel = "6.2" }
    assert.matches("kernel function 'bpf_task_acquire' is declared with another type than this kernel's", (refused "prototype"))
  end)

  it("names the option that is not set", function()
    local message, hint = refused "option"
    assert.matches("'CONFIG_NO_SUCH_OPTION' %(in 'option', load_wrong.bpf.c:%d+%)", message)
    assert.matches("__weak", hint)
  end)

  it("names the member that this kernel does not have", function()
    local message, hint = refused "member"
    assert.matches("struct task_struct.no_such_member %(0:0%)", message)
    assert.matches("section \"raw_tp/sys_enter\"", message)
    assert.matches("bpf_core_field_exists", hint)
  end)

  it("names the line that the verifier minds", function()
    local message, hint = refused "pointer"
    assert.matches("return %(int%)%*value;", message)
    assert.matches("load_wrong.bpf.c:55", message)
    assert.matches("NULL", hint)
  end)

  it("names the map that was not created", function()
    local message, hint = refused("pointer", function(spec) spec.maps.table.autocreate = false end)
    assert.matches("map 'table' was not created", message)
    assert.matches("autocreate", hint)
  end)

  it("names what it is to be attached to", function()
    local message = refused "target"
    assert.matches("no kernel function 'no_such_target'", message)
    local other, hint = refused "replace"
    assert.matches("the program whose function 'replaced' it replaces is not known", other)
    assert.matches("attach_target", hint)
  end)

  it("names the map and its member", function()
    local message = refused("pointer", function(spec) spec.maps.table.max_entries = 0 end)
    assert.matches("map 'table': create hash: max_entries", message)
  end)
end)

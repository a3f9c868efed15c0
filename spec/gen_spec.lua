-- `ebpf gen`: what it makes, loads and runs without a compiler; and what it says when something is wrong.
local annotations = require "spec.support.annotations"
local ebpf = require "ebpf"
local json = require "dkjson"
local need = require "spec.support.need"
local process = require "spec.support.process"

local types = "build/spec/bpf/gen_types.bpf.o"
local foreign = "build/spec/bpf/big/gen_types.bpf.o" -- of the byte order that the host has not

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

-- A folder that is gone after the test.
local function folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir -p " .. path))
  finally(function() os.execute("rm -rf " .. path) end)
  return path
end

-- Runs `ebpf gen`: standard output, standard error, exit status.
local function gen(arguments, from)
  local out, err = os.tmpname(), os.tmpname()
  local tree = process.run "pwd":gsub("\n", "")
  local _, _, status = os.execute(("%s env -u LD_PRELOAD %s/build/ebpf gen %s >%s 2>%s")
    :format(from and "cd " .. from .. " &&" or "", tree, arguments, out, err))
  local said, complaint = read(out), read(err)
  os.remove(out)
  os.remove(err)
  return said, complaint, status
end

-- Makes a module and loads it here; also its text.
local function module(arguments, name)
  local path = folder() .. "/" .. (name or "gen_types") .. ".lua"
  local _, err, status = gen(("%s -o %s"):format(arguments, path))
  assert.equal("", err)
  assert.equal(0, status)
  return dofile(path), read(path), path
end

local function little() return string.pack("=I2", 1) == "\1\0" end

describe("a generated module", function()
  it("has the names, types and enums of its object", function()
    local probe = module(types)
    assert.same({ run = "run", other = "other" }, probe.programs)
    assert.same({ runs = "runs", events = "events", plain = "plain", totals = "totals", waiting = "waiting" }, probe.maps)
    assert.same({ step = "step", label = "label", extra = "extra", sum = "sum", origin = "origin", table = "table",
      last_kind = "last_kind" }, probe.variables)
    assert.equal("struct event", probe.types.event)
    assert.equal("range_t", probe.types.range_t)
    assert.same({ OPEN = 1, CLOSE = 2, LAST = 0x7fffffff }, probe.enums.kind)
    assert.error_matches(function() return probe.maps.evenst end,
      "gen_types: there is no 'evenst' among its maps %(events, plain, ")
  end)

  it("gives the object's Spec, to be edited", function()
    local probe = module(types)
    local spec <close> = assert(probe.spec())
    local original <close> = assert(ebpf.spec(types))
    assert.equal("gen_types", spec.name)
    assert.equal(original.programs.run.instructions, spec.programs.run.instructions)
    for name, map in pairs(original.maps) do assert.equal(map.value_size, spec.maps[name].value_size) end
    assert.equal(3, spec.variables.step:get())
  end)

  it("loads and runs", function()
    need { kernel = "5.8", "ringbuf" }
    local probe = module(types)
    local coll <close> = assert(probe.load { variables = { step = 5, last_kind = "OPEN" } })
    local program = coll.programs[probe.programs.run]
    assert.equal(5, program:run { data = ("\0"):rep(64) }.retval)
    assert.equal(10, program:run { data = ("\0"):rep(64) }.retval)
    local records = {}
    for e in ebpf.ringbuf(coll.maps.events):records { timeout = 1 } do
      records[#records + 1] = e
      if #records == 2 then break end
    end
    assert.equal(5, records[2].number)
    assert.equal(probe.enums.kind.OPEN, records[1].kind)
    assert.same({ { x = 1, y = -2 }, { x = 0, y = 0 } }, records[1].points)
    assert.equal("run", records[1].name)
    assert.is_true(records[1]["end"])
    assert.equal(5, records[1].few)
    assert.same({ string.pack("=I4", 0x04030201):byte(1, 4) }, records[1].bytes)
  end)

  it("knows the records of a ring whose definition says nothing of them", function()
    need { kernel = "5.8", "ringbuf" }
    local probe, text = module(types .. " --record 'plain=struct point'")
    assert.matches("\n%-%-%- ringbuf of struct point, 4096 bytes\n", text)
    local coll <close> = assert(probe.load())
    coll.programs.run:run { data = ("\0"):rep(64) }
    local ring <close> = assert(ebpf.ringbuf(coll.maps.plain))
    local record
    ring:consume(function(e) record = e end)
    assert.same({ x = 1, y = -2 }, record)
  end)

  it("is loaded by a fresh interpreter, without a compiler and without files, and a record arrives", function()
    need { kernel = "5.8", "ringbuf" }
    local path = folder()
    local _, err = gen("build/examples/execsnoop.bpf.o -o " .. path .. "/execsnoop.lua")
    assert.equal("", err)
    write(path .. "/main.lua", [[
      package.path = arg[1] .. "/?.lua;" .. package.path
      local execsnoop, ebpf = require "execsnoop", require "ebpf"
      local coll <close> = assert(execsnoop.load())
      assert(coll:attach())
      local loop <close> = ebpf.loop()
      loop:on(coll.maps[execsnoop.maps.events], function(e)
        if e.args:match "^/bin/sh .*mark%-of%-gen" then print(e.comm, e.args, e.ppid > 0) loop:stop() end
      end)
      loop:after(0.1, function() os.execute "/bin/sh -c ': mark-of-gen'" end)
      loop:after(20, function() loop:stop() end)
      loop:run()
    ]])
    local lua = process.run "command -v lua5.4":gsub("\n", "")
    assert.equal("sh\t/bin/sh -c : mark-of-gen\ttrue\n",
      process.run(("cd / && PATH=/nowhere %s %s/main.lua %s"):format(lua, path, path)))
  end)

  it("carries an object without debug information, or with it when asked to", function()
    local path = folder()
    local out = gen(("%s -o %s/a.lua --json"):format(types, path))
    local small = json.decode(out).objects[1].size
    local original = #read(types)
    assert.is_true(small < original * 0.7, small .. " of " .. original)
    out = gen(("%s -o %s/b.lua --json --no-strip"):format(types, path))
    assert.equal(original, json.decode(out).objects[1].size)
    assert.is_true(require "ebpf.embedded" ~= nil)
    assert.is_truthy(dofile(path .. "/b.lua").spec())
  end)

  it("takes the object of this machine's byte order", function()
    local probe, text = module(types .. " " .. foreign)
    assert.matches('byteorder = "little"', text, 1, true)
    assert.matches('byteorder = "big"', text, 1, true)
    assert.equal(little() and "little" or "big", assert(probe.spec()).byteorder)
    local other = module(foreign)
    local spec, err, errno = other.spec()
    assert.is_nil(spec)
    assert.equal("EOPNOTSUPP", err.code)
    assert.equal(err.errno, errno)
    assert.matches("no object for this machine", err.message)
    assert.matches("only for " .. (little() and "bpfeb" or "bpfel"), err.message)
    spec, err = other.load()
    assert.is_nil(spec)
    assert.matches("no object for this machine", err.message)
  end)

  it("is the same from equal input, however often and whatever the module is called", function()
    local _, first = module(types)
    local _, second = module(types .. " --name gen_types", "other")
    assert.equal(first, second)
    local _, third = module(types .. " --name probe")
    assert.matches('\nlocal probe = { enums', third)
    assert.is_nil(third:match "gen_types[^.]")
  end)
end)

describe("what an editor is told", function()
  local meta = annotations.read(read "lua/ebpf/meta.lua")

  it("is well formed and complete, for every object of the specs and examples #host", function()
    local count = 0
    for path in process.run "ls build/spec/bpf/*.bpf.o build/spec/bpf/big/*.bpf.o build/examples/*.bpf.o":gmatch "[^\n]+" do
      local out = folder() .. "/x.lua"
      assert(ebpf.gen.generate({ path }, { output = out }))
      assert(loadfile(out))
      assert.same({}, annotations.undefined(annotations.read(read(out)), meta), path)
      count = count + 1
    end
    assert.is_true(count > 40)
    assert.same({}, annotations.undefined(meta, meta))
  end)

  it("names the fields that values have", function()
    local _, text = module(types)
    local told = annotations.read(text)
    local spec <close> = assert(ebpf.spec(types))
    for _, row in ipairs {
      { "event", "struct event" }, { "point", "struct point" }, { "range_t", "range_t" },
    } do
      local value = spec.btf:decode(row[2], ("\0"):rep(spec.btf:sizeof(row[2])))
      local class = told.classes["gen_types." .. row[1]]
      for name, field in pairs(value) do
        local type = assert(class.by_name[name], name).type
        if math.type(field) == "integer" then assert.is_true(type == "integer" or told.enums[type], name .. " " .. type) end
        if _G.type(field) == "string" then assert.equal("string", type) end
        if _G.type(field) == "boolean" then assert.equal("boolean", type) end
      end
      for _, field in ipairs(class.fields) do assert.is_not_nil(value[field.name], field.name) end
    end
    assert.equal("gen_types.point[]", told.classes["gen_types.event"].by_name.points.type)
    assert.equal("gen_types.kind", told.classes["gen_types.event"].by_name.kind.type)
    assert.equal("gen_types.event.inner", told.classes["gen_types.event"].by_name.inner.type)
    assert.equal("fun(self: ebpf.Loop, map: gen_types.map.events, fn: fun(record: gen_types.event), options?: table): "
      .. "ebpf.Source?, ebpf.Error?, integer?", told.classes["ebpf.Loop"].by_name.on.type)
    assert.equal("fun(map: gen_types.map.events, options?: table): gen_types.ring.events?, ebpf.Error?, integer?",
      told.classes.ebpf.by_name.ringbuf.type)
    assert.matches("fn: fun%(record: gen_types.event%)", told.classes["gen_types.ring.events"].by_name.consume.type)
    assert.equal("gen_types.totals_value", told.classes["gen_types.map.totals"].by_name.get.type:match "%): ([%w_%.]+)%?")
    assert.equal("gen_types.Collection?, ebpf.Error?, integer?", told.classes["gen_types.Spec"].by_name.load.type:match "%): (.*)$")
  end)

  it("has what the source says in decl tags", function()
    local _, text = module(types)
    local told = annotations.read(text)
    assert.equal("u64: counts up", told.classes["gen_types.event"].by_name.number.doc)
    assert.equal("struct event, 64 bytes: what a run writes", told.classes["gen_types.event"].doc)
    assert.equal("ringbuf of struct event, 4096 bytes: one for each run", told.classes["gen_types.map.events"].doc)
    assert.equal("u32 in .rodata = 3: how much is added in a run", told.classes["gen_types.variable.step"].doc)
    assert.matches('run = "run", -- SEC("socket"): writes an event\n', text, 1, true)
    assert.matches('other = "other", -- SEC("socket"), loaded when it is asked for\n', text, 1, true)
  end)

  it("is true of the handles", function()
    need { kernel = "5.8", "ringbuf" }
    local coll <close> = assert(ebpf.load(types))
    local spec <close> = assert(ebpf.spec(types))
    local loop <close> = ebpf.loop()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    for _, field in ipairs(meta.classes.ebpf.fields) do assert.is_not_nil(ebpf[field.name], field.name) end
    for class, handle in pairs {
      Map = coll.maps.runs, Program = coll.programs.run, Variable = coll.variables.sum, Collection = coll, MapSpec = spec.maps.runs,
      ProgramSpec = spec.programs.run, Spec = spec, Loop = loop, Ring = ring,
    } do
      for _, field in ipairs(meta.classes["ebpf." .. class].fields) do
        local ok, value
        if class == "Map" then
          ok, value = true, debug.getmetatable(handle).__index
          local _, methods = debug.getupvalue(value, 1)
          local _, properties = debug.getupvalue(value, 2)
          value = methods[field.name] or properties[field.name]
        else
          ok, value = pcall(function() return handle[field.name] end)
        end
        assert.is_true(ok, class .. "." .. field.name)
        if field.type:match "^fun%(" then assert.is_function(value, class .. "." .. field.name) end
      end
    end
  end)

  it("covers types that are asked for by name", function()
    local _, text = module("build/spec/bpf/lua_records.bpf.o --type 'struct sample' --type nested", "lua_records")
    local told = annotations.read(text)
    assert.equal("integer", told.classes["lua_records.sample"].by_name.cpu.type)
    assert.equal("lua_records.sample", told.classes["lua_records.nested"].by_name.sample.type)
  end)
end)

local source = [[
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "own.h"
const volatile int answer = 42;
SEC("socket") int look(struct __sk_buff *skb) { return own(answer); }
char LICENSE[] SEC("license") = "GPL";
]]

-- A source and a header of its own, in a folder below `path`.
local function project(path)
  assert(os.execute("mkdir -p " .. path .. "/include"))
  write(path .. "/look.bpf.c", source)
  write(path .. "/include/own.h", [[
    static inline __attribute__((always_inline)) int own(int x) { bpf_printk("%s", __FILE__); return x; }
  ]])
end

describe("ebpf gen of a source #host", function()
  before_each(function() need.command "clang" end)

  it("compiles it, and the module needs no compiler", function()
    local path = folder()
    project(path)
    local out, err, status = gen(("%s/look.bpf.c -I %s/include -o %s/look.lua --json"):format(path, path, path))
    assert.equal("", err)
    assert.equal(0, status)
    local document = json.decode(out)
    assert.equal("look", document.name)
    assert.same({ "look" }, document.programs)
    assert.same({ "answer" }, document.variables)
    local look = dofile(path .. "/look.lua")
    local coll = look.load { variables = { answer = 7 } }
    if coll then
      assert.equal(7, coll.programs.look:run { data = ("\0"):rep(64) }.retval)
      coll:close()
    else
      need.root()
    end
  end)

  it("makes the same bytes in any folder", function()
    local path = folder()
    local texts = {}
    for i, place in ipairs { path .. "/one", path .. "/another/deeper" } do
      project(place)
      local _, err = gen("look.bpf.c -I include -o look.lua", place)
      assert.equal("", err)
      texts[i] = read(place .. "/look.lua")
      assert.is_nil(texts[i]:find(path, 1, true))
      assert.is_nil(texts[i]:find "clang")
      assert.is_truthy(texts[i]:find "SEC%(\\\"socket\\\"%)") -- lines of the source, for the verifier's log
    end
    gen(("%s/one/look.bpf.c -I %s/one/include -o %s/third.lua"):format(path, path, path), "/")
    texts[3] = read(path .. "/third.lua")
    assert.equal(texts[1], texts[2])
    assert.equal(texts[1], texts[3])
  end)

  it("writes a rule for make with all that was read", function()
    local path = folder()
    project(path)
    local _, err = gen("look.bpf.c -I include -o look.lua --deps look.d", path)
    assert.equal("", err)
    local rule = read(path .. "/look.d")
    assert.matches("^look%.lua: look%.bpf%.c ", rule)
    assert.matches(" include/own%.h", rule)
    assert.matches("\ninclude/own%.h:\n", rule)
    write(path .. "/Makefile", "look.lua:\n\ttouch $@\n-include look.d\n")
    assert.matches("up to date", process.run("make -C " .. path .. " look.lua"))
    process.run(("touch -d '+1 minute' %s/include/own.h"):format(path))
    assert.matches("touch look.lua", process.run("make -C " .. path .. " look.lua"))
    os.remove(path .. "/include/own.h") -- a header that is gone is no error
    assert.matches("touch look.lua", process.run("make -C " .. path .. " look.lua"))
  end)

  it("takes flags, definitions and a processor", function()
    local path = folder()
    write(path .. "/flag.bpf.c", [[
      #ifdef WANTED
      int wanted = WANTED;
      #endif
      __attribute__((section("socket"), used)) int f(void *c) { return *(volatile int *)c < 5 ? 1 : 2; }
    ]])
    local _, err = gen("flag.bpf.c -o a.lua --cflags '-DWANTED=\"1 + 1\"' --mcpu v3 -- -Wall -UNOTHING", path)
    assert.equal("", err)
    assert.equal(2, dofile(path .. "/a.lua").spec().variables.wanted:get())
    _, err = gen("flag.bpf.c -o b.lua", path)
    assert.equal("", err)
    assert.has_error(function() return dofile(path .. "/b.lua").variables.wanted end)
  end)

  it("compiles for both byte orders and for machines", function()
    local path = folder()
    project(path)
    local out, err = gen("look.bpf.c -I include -o look.lua --json --target bpfel,bpfeb,x86,arm64,s390", path)
    assert.equal("", err)
    local list = {}
    for i, object in ipairs(json.decode(out).objects) do
      list[i] = ("%s %s %s"):format(object.target, object.byteorder, object.arch or "any")
    end
    assert.same({ "bpfel little any", "bpfeb big any", "x86 little x86", "arm64 little arm64", "s390 big s390" }, list)
    assert.equal(42, dofile(path .. "/look.lua").spec().variables.answer:get())
  end)

  it("defines the machine for bpf_tracing.h, and says so where there is none", function()
    local path = folder()
    local text = [[
      #include <linux/bpf.h>
      #include <linux/ptrace.h>
      #include <bpf/bpf_helpers.h>
      #include <bpf/bpf_tracing.h>
      SEC("kprobe/vfs_read") int BPF_KPROBE(probe, void *file) { return file != 0; }
      char LICENSE[] SEC("license") = "GPL";
    ]]
    write(path .. "/probe.bpf.c", text)
    local _, err, status = gen("probe.bpf.c -o probe.lua", path)
    assert.equal("", err)
    assert.equal(0, status)
    _, err, status = gen("probe.bpf.c -o none.lua --target bpfel", path)
    assert.equal(1, status)
    assert.matches("this source needs a machine: ask for %-%-target", err)
    assert.is_nil(io.open(path .. "/none.lua"))
  end)

  it("passes on what the compiler says, and leaves the old module as it was", function()
    local path = folder()
    write(path .. "/bad.bpf.c", "int f(void) { return missing; }\n")
    write(path .. "/bad.lua", "old\n")
    local out, err, status = gen(path .. "/bad.bpf.c -o " .. path .. "/bad.lua --json")
    assert.equal(1, status)
    assert.matches("^ebpf: source '.*/bad.bpf.c': clang ended with status 1:\n", err)
    assert.matches("bad.bpf.c:1:22: error: use of undeclared identifier 'missing'", err)
    assert.matches("undeclared identifier", json.decode(out).error.message)
    assert.equal("old\n", read(path .. "/bad.lua"))
    assert.equal("bad.bpf.c\nbad.lua\n", process.run("ls " .. path))
    write(path .. "/warn.bpf.c", "#warning be careful\nint x;\n")
    out, err, status = gen(path .. "/warn.bpf.c -o " .. path .. "/warn.lua")
    assert.equal("", out)
    assert.equal(0, status)
    assert.matches("be careful", err)
  end)
end)

describe("a generated C header", function()
  -- Runs a program that `make tests` has compiled with the header of an object (the one that is made now): what it printed.
  local function run(object, name, program)
    local path = folder()
    local _, err, status = gen(("%s --c %s/%s.h"):format(object, path, name))
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal(read(("build/spec/skeleton/%s.h"):format(name)), read(("%s/%s.h"):format(path, name)))
    local output
    output, status = process.run("env -u LD_PRELOAD build/spec/skeleton/" .. program)
    assert.equal(0, status, output)
    return output
  end

  it("opens an object, and has its variables before it is loaded", function()
    local output = run(types, "gen_types", "gen_types_opened")
    assert.equal("3 1 -2 4 start 2\n9 gen_types: it is not loaded\n", output)
  end)

  it("loads it, and has maps and variables by name and type", function()
    need { kernel = "5.8", "ringbuf" }
    local output = run(types, "gen_types", "gen_types_loaded")
    assert.matches("^5 5 %(nil%)\n64: 0 1 run %-2\n64: 100 1 run %-2\n2 1\n7 1\n0\n$", output)
  end)

  it("attaches, and a record arrives", function()
    need { kernel = "5.8", "ringbuf" }
    local output = run("build/examples/killsnoop.bpf.o", "killsnoop", "killsnoop_attached")
    assert.equal("1 0 kill\ntracepoint\n", output)
  end)

  it("attaches struct_ops maps after the programs, and a socket has what they are", function()
    need { kernel = "6.4", "struct_ops_link" }
    need.jit()
    local output = run("build/spec/bpf/load_link_ops.bpf.o", "load_link_ops", "load_link_ops_attached")
    assert.equal("-1 struct_ops (nil) 0 (nil)\n", output)
  end)

  it("compiles for every object of the specs and examples, as C and as C++ #host", function()
    need.command "cc"
    local path = folder()
    for object in process.run "ls build/spec/bpf/*.bpf.o build/examples/*.bpf.o":gmatch "[^\n]+" do
      assert(ebpf.gen.generate({ object }, { c = path .. "/x.h", name = "x" }))
      write(path .. "/x.c", '#include "x.h"\nint main(void) { struct x *x = x_open_and_load(NULL); x_destroy(x); return !x; }\n')
      -- btf_shapes has what compilers warn of wherever it stands: bit fields too narrow for their enum, a struct among parameters
      local strict = object:find "btf_shapes" and "" or "-Wall -Wextra -Werror"
      local said, status = process.run(("unset LD_PRELOAD; cc -std=c11 %s -fsyntax-only -Isrc %s/x.c"):format(strict, path))
      assert.equal(0, status, object .. "\n" .. said)
      if strict ~= "" and os.execute "command -v c++ >/dev/null" then
        said, status = process.run(("unset LD_PRELOAD; c++ -x c++ -Wall -fsyntax-only -Isrc %s/x.c"):format(path))
        assert.equal(0, status, object .. "\n" .. said)
      end
    end
  end)

  it("has an object for each machine, and the types of a ring's records", function()
    local path = folder()
    local _, err = gen(("%s %s --c %s/x.h --record 'plain=struct point'"):format(types, foreign, path))
    assert.equal("", err)
    local text = read(path .. "/x.h")
    assert.matches("#if __BYTE_ORDER__ == __ORDER_%u+_ENDIAN__\n.*#elif __BYTE_ORDER__ == __ORDER_%u+_ENDIAN__\n.*#else\n#error",
      text)
    assert.matches('ebpf_map_spec_set_value_type(ebpf_spec_find_map(skel->spec, "plain")', text, 1, true)
    gen(("%s %s --c %s/y.h --record 'plain=struct point'"):format(types, foreign, path))
    assert.equal(text, read(path .. "/y.h"))
  end)
end)

describe("what an object says", function()
  it("stays out of the code that is made of it #host", function()
    need.command "clang"
    local path = folder()
    write(path .. "/odd.bpf.c", [[
      __attribute__((section("socket\nerror(1) --[[ ] */ #error"), used)) int f(void *c) { return 0; }
      int v __attribute__((btf_decl_tag("doc: a\nerror(2) */ #error")));
      struct { int value; } odd __asm__("odd\nerror(3) \" */") __attribute__((section(".data"))) = {};
    ]])
    local _, err, status = gen("odd.bpf.c -o odd.lua --c odd.h", path)
    assert.equal("", err)
    assert.equal(0, status)
    local odd = dofile(path .. "/odd.lua")
    assert.equal('odd\nerror(3) " */', odd.variables['odd\nerror(3) " */'])
    assert.is_truthy(odd.spec().variables['odd\nerror(3) " */'])
    annotations.read(read(path .. "/odd.lua"):gsub('%-%-%-@field %["[^\n]*\n', ""))
    need.command "cc"
    write(path .. "/odd.c", '#include "odd.h"\nint main(void) { return 0; }\n')
    local said, failed = process.run("unset LD_PRELOAD; cc -Wall -Wextra -Werror -fsyntax-only -Isrc " .. path .. "/odd.c")
    assert.equal(0, failed, said)
  end)

  it("may be little: no types, no maps, no variables #host", function()
    need.command "clang"
    local path = folder()
    write(path .. "/bare.c", "__attribute__((section(\"socket\"), used)) int f(void *c) { return 0; } int x = 3;\n")
    process.run("unset LD_PRELOAD; clang -O2 -target bpf -c " .. path .. "/bare.c -o " .. path .. "/bare.o")
    local _, err = gen("bare.o -o bare.lua --c bare.h", path)
    assert.equal("", err)
    assert.same({ f = "f" }, dofile(path .. "/bare.lua").programs)
    _, err = gen("bare.o -o bare.lua --type 'struct x'", path)
    assert.matches("the object has no BTF %(compile it with clang %-g%)", err)
  end)
end)

describe("ebpf gen says what is wrong", function()
  local function refuses(arguments, pattern)
    local path = folder()
    write(path .. "/x.bpf.c", "int x;\n")
    local out, err, status = gen((arguments:gsub("DIR", path)))
    assert.equal("", out)
    assert.equal(1, status, arguments)
    assert.matches(pattern, err)
    assert.equal("x.bpf.c\n", process.run("ls -A " .. path), arguments)
  end

  it("of the compiler", function()
    refuses("DIR/x.bpf.c -o DIR/x.lua --cc no-such-clang", "compiler 'no%-such%-clang' was not found %(install clang")
    refuses("DIR/x.bpf.c -o DIR/x.lua --target vax", "target 'vax': unknown %(known: arc, arm")
    refuses("DIR/x.bpf.c -o DIR/x.lua -- -MMD", "flag '%-MMD': dependencies are written with %-%-deps")
    refuses("DIR/x.bpf.c -o DIR/x.lua --cflags \"-DX='1\"", "the quote ' is not closed")
    refuses("DIR/y.bpf.c -o DIR/x.lua", "file .*y.bpf.c: No such file")
  end)

  it("of objects", function()
    refuses("spec/gen_spec.lua.o -o DIR/x.lua", "No such file")
    process.run("cp spec/gen_spec.lua build/no_object.o")
    refuses("build/no_object.o -o DIR/x.lua", "object 'build/no_object.o': not an ELF object")
    os.remove "build/no_object.o"
    refuses(types .. " " .. types .. " -o DIR/x.lua", "endian as well %(link them into one first")
    refuses(types .. " DIR/x.bpf.c -o DIR/x.lua", "not beside compiled objects")
    refuses("DIR/x.bpf.c DIR/x.bpf.c -o DIR/x.lua", "one source at a time")
    refuses(types .. " build/spec/bpf/big/spec_code.bpf.o -o DIR/x.lua", "its programs differ from those of the first")
  end)

  it("of names and types", function()
    refuses(types .. " -o DIR/x.lua --name end", "name 'end': it cannot be a module's")
    refuses(types .. " -o DIR/x.lua --name a-b", "name 'a%-b'")
    refuses(types .. " -o DIR/x.lua --name ebpf", "name 'ebpf'")
    refuses(types .. " -o DIR/x.lua --type 'struct nothing'",
      "type 'struct nothing': it is not in the object's BTF %(is it of local")
    refuses(types .. " -o DIR/x.lua --record 'runs=struct event'", "there is no ring or perf buffer 'runs'")
    refuses(types .. " -o DIR/x.lua --record 'plain=struct nothing'", "type 'struct nothing': it is not in the object's BTF")
    refuses(types .. " -o DIR/x.lua --record plain", "MAP=TYPE expected")
  end)

  it("of where to write", function()
    refuses(types, "where to")
    refuses(types .. " -o DIR/no/such/x.lua", "output '.*/no/such/x.lua': No such file or directory")
    refuses(types .. " -o DIR/x.lua --deps DIR/no/such/x.d", "output '.*/no/such/x.d'") -- nor the module that came before
    refuses(types .. " -o DIR", "Is a directory")
    assert.has_error(function() ebpf.gen.generate({ types }, { output = "x", outptu = "y" }) end)
  end)
end)

describe("ebpf gen writes", function()
  it("to where a symbolic link leads, and to what is no plain file", function()
    local path = folder()
    write(path .. "/real.lua", "old")
    assert(os.execute(("ln -s real.lua %s/link.lua"):format(path)))
    local _, err = gen(types .. " -o " .. path .. "/link.lua")
    assert.equal("", err)
    assert.matches("^%-%-%- gen_types: generated", read(path .. "/real.lua"))
    assert.equal("link.lua\nreal.lua\n", process.run("ls " .. path))
    local out = gen(types .. " -o /proc/self/fd/1")
    assert.matches("^%-%-%- gen_types: generated.*\nreturn embedded.module", out)
    gen(types .. " -o /dev/null")
    assert(os.execute "test -c /dev/null")
  end)
end)

describe("ebpf gen of objects that bpftool linked", function()
  it("makes one module of several sources #host", function()
    need.command "clang"
    need.command "bpftool"
    local path = folder()
    write(path .. "/one.bpf.c", [[
      int shared = 0;
      extern int twice(int x);
      __attribute__((section("socket"), used)) int one(void *c) { shared++; return twice(shared); }
      char LICENSE[] __attribute__((section("license"), used)) = "GPL";
    ]])
    write(path .. "/two.bpf.c", [[
      extern int shared;
      __attribute__((noinline)) int twice(int x) { return x * 2 + shared - shared; }
      __attribute__((section("socket"), used)) int two(void *c) { return shared; }
    ]])
    local said, status = process.run(([[unset LD_PRELOAD; cd %s &&
      for f in one two; do clang -O2 -g -target bpf -c $f.bpf.c -o $f.o; done &&
      bpftool gen object all.o one.o two.o]]):format(path))
    assert.equal(0, status, said)
    local all = module(path .. "/all.o", "all")
    assert.same({ one = "one", two = "two" }, all.programs)
    assert.same({ shared = "shared" }, all.variables)
    need { kernel = "5.6" }
    local coll <close> = assert(all.load { variables = { shared = 20 } })
    assert.equal(42, coll.programs.one:run { data = ("\0"):rep(64) }.retval)
    assert.equal(21, coll.programs.two:run { data = ("\0"):rep(64) }.retval)
  end)
end)

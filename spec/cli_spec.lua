-- The command, as a user calls it.
local json = require "dkjson"
local need = require "spec.support.need"
local process = require "spec.support.process"
local _ -- what a test does not look at

-- Standard output, standard error, exit status.
local function ebpf(arguments, wrapper)
  local out, err = os.tmpname(), os.tmpname()
  local _, _, status = os.execute(("%s build/ebpf %s >%s 2>%s"):format(wrapper or "", arguments, out, err))
  local function take(name)
    local file <close> = assert(io.open(name))
    os.remove(name)
    return file:read "a"
  end
  return take(out), take(err), status
end

local function document(text)
  local value, _, err = json.decode(text, 1, json.null)
  assert.is_nil(err, text)
  return value
end

-- Runs a command as a user who may nothing. By its path: a busybox shell would take its own setpriv, which has not these options.
local function unprivileged()
  local wrapper = "/usr/bin/setpriv --reuid 65534 --clear-groups --bounding-set -all"
  if not os.execute(wrapper .. " true 2>/dev/null") then pending "needs a full setpriv" end
  return wrapper
end

local types = "build/spec/bpf/lua_types.bpf.o"

describe("ebpf", function()
  it("tells its version and its help", function()
    local out, err, status = ebpf "--version"
    assert.matches("^ebpf %d+%.%d+%.%d+", out)
    assert.equal("", err)
    assert.equal(0, status)
    out, _, status = ebpf "--help"
    assert.equal(0, status)
    for _, word in ipairs { "run", "inspect", "load", "gen", "%-e" } do assert.matches(word, out) end
    for _, command in ipairs { "run", "inspect", "load", "gen" } do
      out, _, status = ebpf(command .. " --help")
      assert.matches("Usage: ebpf " .. command, out)
      assert.equal(0, status)
    end
  end)

  it("refuses what it does not know, with status 1 or more", function()
    local out, err, status = ebpf ""
    assert.equal("", out)
    assert.matches("command is missing", err)
    assert.equal(1, status)
    _, err, status = ebpf "lode x.o"
    assert.matches("lode", err)
    assert.is_true(status > 0)
    for command, noun in pairs { prog = "program", map = "map", link = "link" } do
      _, err, status = ebpf(command .. " show")
      assert.matches(command .. " show: the id or the path of a " .. noun .. " is missing", err)
      assert.equal(1, status)
    end
    _, err, status = ebpf "inspect --jsno x.o"
    assert.matches("jsno", err)
    assert.is_true(status > 0)
  end)
end)

describe("ebpf -e", function()
  it("prints the values of an expression, and runs statements", function()
    assert.equal("3\ttrue\n", (ebpf "-e '1 + 2, true'"))
    assert.equal("5\n", (ebpf "-e 'local x = 5 print(x)'"))
    assert.equal("", (ebpf "-e 'local x = 5'"))
    assert.equal("a\tb\n", (ebpf "-e 'print(arg[1], ...) ' a b" :gsub("^a\ta\tb", "a\tb")))
  end)

  it("has what the module exports as globals", function()
    assert.equal("function\ttable\tfunction\ttable\n", (ebpf "-e 'type(load), type(link), type(map), type(asm)'"))
    assert.equal("true\n", (ebpf "-e 'ebpf == require \"ebpf\"'"))
    assert.equal("number\n", (ebpf "-e 'type(kernel().version)'"))
    assert.equal("r0 = 2\n", (ebpf "-e 'tostring(asm.parse \"r0 = 2\"[1])'"):gsub("; .*\n", "\n"))
  end)

  it("says what went wrong, on standard error, with status 1", function()
    local out, err, status = ebpf "-e 'error \"mine\"'"
    assert.equal("", out)
    assert.matches("^ebpf: %(%-e%):1: mine\nstack traceback:", err)
    assert.equal(1, status)
    out, err, status = ebpf "-e 'x ='"
    assert.equal("", out)
    assert.matches("^ebpf: %(%-e%):1: ", err)
    assert.equal(1, status)
    _, err, status = ebpf "-e 'assert(load \"/no/such/object.o\")'"
    assert.matches("^ebpf: object '/no/such/object.o': no such file or directory\n$", err)
    assert.equal(1, status)
  end)
end)

describe("ebpf run", function()
  local function script(text)
    local name = os.tmpname()
    local file <close> = assert(io.open(name, "w"))
    file:write(text)
    finally(function() os.remove(name) end)
    return name
  end

  it("gives a script its arguments, options of its own included", function()
    local name = script 'print(arg[0], #arg, arg[1], arg[2], ...) print(require "ebpf" ~= nil)'
    local out, _, status = ebpf("run " .. name .. " --help 'two words'")
    assert.equal(("%s\t2\t--help\ttwo words\t--help\ttwo words\ntrue\n"):format(name), out)
    assert.equal(0, status)
  end)

  it("ends with status 1 and the reason", function()
    local out, err, status = ebpf("run " .. script 'print "before" local x = nil; x.y = 1')
    assert.equal("before\n", out)
    assert.matches("^ebpf: [^\n]*attempt to index a nil value %(local 'x'%)\nstack traceback:", err)
    assert.equal(1, status)
    _, err, status = ebpf "run /no/such/script.lua"
    assert.matches("^ebpf: cannot open /no/such/script.lua", err)
    assert.equal(1, status)
    _, err, status = ebpf("run " .. script "x = = 1")
    assert.matches("^ebpf: .*unexpected symbol", err)
    assert.equal(1, status)
  end)

  it("keeps the status that a script exits with", function()
    local _, _, status = ebpf("run " .. script "os.exit(7)")
    assert.equal(7, status)
  end)

  it("reads a script from the standard input", function()
    assert.equal("hi\n", process.run "echo 'print \"hi\"' | build/ebpf run -")
  end)
end)

describe("ebpf inspect", function()
  it("tells what is in an object, as JSON of a fixed shape", function()
    local out, err, status = ebpf("inspect --json " .. types)
    assert.equal("", err)
    assert.equal(0, status)
    local doc = document(out)
    local keys = {}
    for key in pairs(doc) do keys[#keys + 1] = key end
    table.sort(keys)
    assert.same({ "byteorder", "license", "maps", "programs", "variables" }, keys)
    assert.equal("GPL", doc.license)
    local programs, maps, variables = {}, {}, {}
    for _, program in ipairs(doc.programs) do programs[program.name] = program end
    for _, map in ipairs(doc.maps) do maps[map.name] = map end
    for _, variable in ipairs(doc.variables) do variables[variable.name] = variable end
    local count = programs.count
    assert.is_true(count.instructions > 5)
    count.instructions = nil
    assert.same({ name = "count", section = "socket", type = "socket_filter", attach_type = json.null, attach_to = json.null,
      loaded = false }, count)
    assert.same({ name = "table", type = "hash", key_size = 8, value_size = maps.table.value_size, max_entries = 64, flags = 0 },
      maps.table)
    assert.same({ name = "limit", section = ".rodata", size = 4, type = "__u32" }, variables.limit)
    assert.equal("struct pair", variables.state.type)
  end)

  it("names types and targets", function()
    local doc = document((ebpf "inspect --json build/examples/read_bytes.bpf.o"))
    local program = doc.programs[1]
    assert.equal("tracing", program.type)
    assert.equal("trace_fexit", program.attach_type)
    assert.equal("vfs_read", program.attach_to)
    local out = ebpf "inspect --json build/examples/read_bytes.bpf.o"
    assert.matches('"variables":%[%]', out) -- an empty list is one
  end)

  it("prints the same as text", function()
    local out, _, status = ebpf("inspect " .. types)
    assert.equal(0, status)
    assert.matches("license GPL", out)
    assert.matches("PROGRAM +SECTION +TYPE", out)
    assert.matches("\ncount +socket +socket_filter +%- +%- +%d+ +false\n", out)
    assert.matches("\ntable +hash +8 +%d+ +64 +0\n", out)
  end)

  it("needs no privileges", function()
    local out, err, status = ebpf("inspect " .. types, unprivileged())
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("count", out)
  end)

  it("ends with status 1 for what is no object, in JSON too", function()
    local out, err, status = ebpf "inspect --json spec/cli_spec.lua"
    assert.equal(1, status)
    assert.matches("^ebpf: object 'spec/cli_spec.lua': not an ELF object", err)
    assert.matches("not an ELF object", document(out).error.message)
    assert.is_string(document(out).error.code)
    out, err, status = ebpf "inspect /no/such/object.o"
    assert.equal("", out)
    assert.matches("no such file", err)
    assert.equal(1, status)
  end)
end)

describe("ebpf load", function()
  it("loads an object and lets go", function()
    need { kernel = "5.2" }
    local out, err, status = ebpf("load --json " .. types)
    assert.equal("", err)
    assert.equal(0, status)
    local doc = document(out)
    local loaded = {}
    for _, program in ipairs(doc.programs) do loaded[program.name] = program.loaded end
    assert.same({ count = true, jump = true, optional = false }, loaded)
    assert.is_nil(doc.links)
    assert.is_nil(doc.error)
    out = ebpf("load " .. types)
    assert.matches("\ncount +socket +.*true\n", out)
  end)

  it("ends with status 1 and the verifier's reason", function()
    need { kernel = "5.2" }
    local name = "build/spec/bpf/lua_refused.bpf.o"
    local out, err, status = ebpf("load --json " .. name)
    assert.equal(1, status)
    assert.matches("^ebpf: program 'bad': load: ", err)
    local doc = document(out)
    assert.equal("EACCES", doc.error.code)
    assert.matches("program 'bad': load: ", doc.error.message, 1, true)
    assert.matches("processed %d+ insns", doc.error.log)
    assert.is_false(doc.programs[1].loaded)
    out, err, status = ebpf("load " .. name)
    assert.equal(1, status)
    assert.equal("", out)
    assert.matches("processed %d+ insns", err)
  end)

  it("attaches until it is told to end", function()
    need { kernel = "5.8", "ringbuf" }
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local output = process.run(([[build/ebpf load --attach --json build/examples/execsnoop.bpf.o >%s &
      for i in $(seq 600); do [ -s %s ] && break; sleep 0.1; done
      kill $!; wait $!; x=$?; cat %s; echo status $x]]):format(name, name, name))
    assert.matches("\nstatus 0\n$", output)
    output = output:gsub("status 0\n$", "")
    local doc = document(output)
    assert.same({ { program = "handle_exec", kind = "tracepoint", interface = doc.links[1].interface,
      target = "tracepoint sched:sched_process_exec" } }, doc.links)
    assert.same({}, doc.failed)
  end)

  it("says so when nothing attaches", function()
    need { kernel = "5.2" }
    local _, err, status = ebpf("load --attach " .. types)
    assert.equal(1, status)
    assert.matches("^ebpf: ", err)
  end)

  it("pins what it loaded, all or nothing", function()
    need { kernel = "5.2" }
    local directory = os.tmpname()
    os.remove(directory)
    if not os.execute("mkdir " .. directory .. " && mount -t bpf bpf " .. directory) then pending "cannot mount a bpffs" end
    finally(function() os.execute("umount " .. directory .. "; rmdir " .. directory) end)
    local target = directory .. "/deep/er"
    local out, err, status = ebpf(("load --json --pin %s %s"):format(target, types))
    assert.equal("", err)
    assert.equal(0, status)
    local listing = process.run("ls " .. target)
    for _, name in ipairs { "count", "jump", "names", "table", "lua_type_rodata" } do
      assert.matches("%f[%w_]" .. name .. "\n", listing)
    end
    assert.is_true(#document(out).pinned >= 7)
    local pinned = assert(require "ebpf".program { pinned = target .. "/count" })
    assert.equal("socket_filter", pinned.type)
    pinned:close()
    -- a name that is taken: what had been pinned by then goes again
    process.run(("cd %s && for f in *; do [ $f = jump ] || rm $f; done"):format(target))
    _, err, status = ebpf(("load --pin %s %s"):format(target, types))
    assert.equal(1, status)
    assert.matches("jump", err)
    assert.equal("jump\n", process.run("ls " .. target))
    _, _, status = ebpf(("load --pin /proc/no/such %s"):format(types))
    assert.equal(1, status)
  end)

  it("without privileges says so in one sentence, and what to do", function()
    need { kernel = "5.8" }
    local wrapper = unprivileged()
    local out, err, status = ebpf("load build/examples/execsnoop.bpf.o", wrapper)
    assert.equal("", out)
    assert.equal(1, status)
    assert.matches("^ebpf: [^\n]+\n$", err)
    assert.matches("not permitted", err)
    assert.matches("root", err)
    out, _, status = ebpf("load --json build/examples/execsnoop.bpf.o", wrapper)
    assert.equal(1, status)
    assert.equal("EPERM", document(out).error.code)
  end)
end)

-- Where a uprobe is put: by names of every kind, in files of every kind, and for whom.
local ebpf = require "ebpf"
local links = require "spec.support.links"
local need = require "spec.support.need"
local process = require "spec.support.process"

local probed = "build/spec/support/probed"

-- What is to be undone after each test, last first.
local undo = {}
local function later(what) undo[#undo + 1] = what end

local function folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir -p " .. path))
  later(function() process.run("rm -rf " .. path) end)
  return path
end

local function run(command, ...)
  local output, status = process.run(command:format(...))
  assert.equal(0, status, output)
  return output
end

-- How often the link's program runs in one turn of the process. The link is closed.
local function fired(link, counts, child)
  local before = counts[0]
  local line = child.step()
  link:close()
  return counts[0] - before, line
end

describe("ebpf.link.uprobe", function()
  local program, counts
  before_each(function()
    need { kernel = "5.10" }
    program, counts = links.counter { type = "kprobe" }
  end)

  after_each(function()
    while #undo > 0 do table.remove(undo)() end
  end)

  local function start(command)
    local child = process.steps(command)
    later(child.close)
    return child
  end

  it("finds functions that are in the full table alone, by name and by pattern", function()
    local child = start(probed)
    assert.equal(1, fired(assert(ebpf.link.uprobe(program, probed, "probed_inner")), counts, child))
    assert.equal(1, fired(assert(ebpf.link.uprobe(program, probed, "probed_inner", { ret = true })), counts, child))
    assert.equal(2, fired(assert(ebpf.link.uprobe_multi(program, probed, "_ZN4demo*")), counts, child))
    assert.equal(1, fired(assert(ebpf.link.uprobe(program, probed, "_ZN4demo4stopEv")), counts, child))
  end)

  it("refuses what it cannot know, and says why", function()
    local function refused(text, hint, path, symbol, options)
      local link, err = ebpf.link.uprobe(program, path, symbol, options)
      assert.is_nil(link)
      assert.matches(text, err.message)
      assert.matches(hint, err.hint or "")
    end
    refused("no function 'probed_iner'", "nearest is 'probed_inner'", probed, "probed_iner")
    refused("function 'printf' is not defined in this file, only used by it", "the library that defines it", probed, "printf")
    refused("a return probe takes no offset", "", probed, "probed_inner", { ret = true, offset = 1 })
    refused("offset 0x1000 is beyond the end of 'probed_inner'", "", probed, "probed_inner", { offset = 0x1000 })
    refused("'libnone.so.1': no such library", "ld.so.cache", "libnone.so.1", "f")
    refused("'no_such_command': no such program", "PATH", "no_such_command", "f")
    refused("there is no process 4194303", "", probed, "probed_inner", { pid = 4194303 })
    refused("has no version 'GLIBC_1.0'", "", "libc.so.6", "getenv@GLIBC_1.0")
  end)

  it("is for one process, and one only", function()
    local one, other = start(probed), start(probed)
    local link = assert(ebpf.link.uprobe(program, probed, "probed_inner", { pid = one.pid }))
    one.step()
    other.step()
    assert.equal(1, counts[0])
    link:close()
    link = assert(ebpf.link.uprobe_multi(program, probed, "_ZN4demo*", { pid = other.pid }))
    one.step()
    other.step()
    assert.equal(3, counts[0])
    link:close()
    link = assert(ebpf.link.uprobe(program, probed, "probed_inner", { pid = -1 })) -- ourselves
    one.step()
    assert.equal(3, counts[0])
    link:close()
  end)

  it("counts up the reference counter while it is there", function()
    need.command "nm"
    local address = tonumber(run("nm %s | sed -n 's/ .* probed_counter$//p'", probed), 16)
    local delta, flags = 0, "readelf -lW " .. probed
    for from, at, size in run(flags):gmatch "LOAD%s+(0x%x+) (0x%x+) 0x%x+ (0x%x+)" do
      if address >= tonumber(at) and address < tonumber(at) + tonumber(size) then delta = tonumber(at) - tonumber(from) end
    end
    local child = start(probed)
    assert.equal("0", child.step())
    for _, mode in ipairs { "auto", "legacy" } do
      local link = assert(ebpf.link.uprobe(program, probed, "probed_inner",
        { ref_counter_offset = address - delta, attach_mode = mode ~= "auto" and mode or nil }))
      local count, line = fired(link, counts, child)
      assert.equal(1, count)
      assert.equal("1", line, mode)
      assert.equal("0", child.step())
    end
    local link = assert(ebpf.link.uprobe_multi(program, probed, { symbols = { "probed_inner", "_ZN4demo3runEi" },
      ref_counter_offsets = { address - delta, address - delta } }))
    local count, line = fired(link, counts, child)
    assert.equal(2, count)
    assert.equal("2", line)
  end)

  it("finds programs by PATH, and files of a process by their bare names", function()
    local here = folder()
    run("cp %s %s/probed_copy", probed, here)
    local child = start(here .. "/probed_copy")
    assert.is_nil((ebpf.link.uprobe(program, "probed_copy", "probed_inner")))
    local link = assert(ebpf.link.uprobe(program, "probed_copy", "probed_inner", { pid = child.pid }))
    assert.equal(("uprobe %s/probed_copy:probed_inner"):format(here), link.target)
    assert.equal(1, fired(link, counts, child))
    link = assert(ebpf.link.uprobe(program, ("/proc/%d/root%s/probed_copy"):format(child.pid, here), "probed_inner"))
    assert.equal(1, fired(link, counts, child))
    link = assert(ebpf.link.uprobe(program, "sh", "main", { offset = 0 }) or ebpf.link.uprobe(program, "libc", "getenv"))
    link:close()
    os.remove(here .. "/probed_copy") -- it is gone, and still there
    link = assert(ebpf.link.uprobe(program, "probed_copy", "probed_inner", { pid = child.pid }))
    assert.matches("^uprobe /proc/%d+/map_files/", link.target)
    assert.equal(1, fired(link, counts, child))
  end)

  it("finds the files of a process that has a root of its own", function()
    need.command "chroot"
    local root = folder()
    run("mkdir %s/bin && cp %s %s/bin/", root, probed, root)
    for library in run("LD_TRACE_LOADED_OBJECTS=1 " .. probed):gmatch "(/%S+)" do
      run("mkdir -p $(dirname %s%s) && cp -L %s %s%s", root, library, library, root, library)
    end
    local child = start(("chroot %s /bin/probed"):format(root))
    local link = assert(ebpf.link.uprobe(program, ("/proc/%d/root/bin/probed"):format(child.pid), "probed_inner"))
    assert.equal(1, fired(link, counts, child))
    -- its C library is not ours
    link = assert(ebpf.link.uprobe(program, "libc.so.6", "write", { pid = child.pid }))
    assert.equal("uprobe " .. root, link.target:sub(1, #root + 7))
    assert.equal(1, fired(link, counts, child))
  end)

  it("finds the files of a process that has mounts of its own", function()
    need.command "unshare"
    local here = folder()
    local child = start(("unshare -m sh -c 'mount -t tmpfs none %s && cp %s %s && exec %s/probed'")
      :format(here, probed, here, here))
    local link = assert(ebpf.link.uprobe(program, "probed", "probed_inner", { pid = child.pid }))
    assert.equal(("uprobe /proc/%d/root%s/probed:probed_inner"):format(child.pid, here), link.target)
    assert.equal(1, fired(link, counts, child))
    link = assert(ebpf.link.uprobe_multi(program, "probed", "probed_inn*", { pid = child.pid }))
    assert.equal(1, fired(link, counts, child))
  end)

  it("tells versions of a function apart", function()
    local library = os.getenv "PWD" .. "/build/spec/support/libversions.so"
    local child = start(("env VERSIONS=%s build/spec/support/versions"):format(library))
    local function count(symbol)
      return (fired(assert(ebpf.link.uprobe(program, "libversions.so", symbol, { pid = child.pid })), counts, child))
    end
    assert.equal(1, count "greet@V1")
    assert.equal(2, count "greet@V2")
    assert.equal(2, count "greet@@V2")
    assert.equal(2, count "greet")
    assert.equal(3, fired(assert(ebpf.link.uprobe_multi(program, library, "gr?et")), counts, child))
  end)

  describe("of a stripped file", function()
    local function stripped(here, debug)
      need.command "objcopy"
      run("cd %s && cp %s/%s full && objcopy --only-keep-debug full %s && cp full stripped && strip stripped",
        here, os.getenv "PWD", probed, debug)
      return here .. "/stripped"
    end

    local function check(path)
      local child = start(path)
      assert.equal(1, fired(assert(ebpf.link.uprobe(program, path, "probed_inner")), counts, child))
      assert.equal(1, fired(assert(ebpf.link.uprobe_multi(program, path, { symbols = { "probed_inner" } })), counts, child))
      assert.is_nil((ebpf.link.uprobe_multi(program, path, "probed_inn*"))) -- patterns are for what the file itself has
    end

    it("knows dynamic symbols alone", function()
      local path = stripped(folder(), "elsewhere")
      local link, err = ebpf.link.uprobe(program, path, "probed_inner")
      assert.is_nil(link)
      assert.matches("the file was stripped", err.hint)
      link, err = ebpf.link.uprobe_multi(program, path, "probed_inn*")
      assert.is_nil(link)
      assert.matches("only its dynamic symbols are known", err.hint)
    end)

    it("reads the file that it names, beside it and in .debug", function()
      local here = folder()
      local path = stripped(here, "stripped.debug")
      run("cd %s && objcopy --add-gnu-debuglink=stripped.debug stripped", here)
      check(path)
      run("cd %s && mkdir .debug && mv stripped.debug .debug/", here)
      check(path)
      -- of one that is not of this build nothing is taken
      run("cd %s/.debug && objcopy --remove-section=.note.gnu.build-id stripped.debug", here)
      local link, err = ebpf.link.uprobe(program, path, "probed_inner")
      assert.is_nil(link)
      assert.matches("the file was stripped", err.hint)
    end)

    it("compares checksums where there is no build id", function()
      local here = folder()
      local path = stripped(here, "stripped.debug")
      run("cd %s && objcopy --remove-section=.note.gnu.build-id stripped && "
        .. "objcopy --remove-section=.note.gnu.build-id stripped.debug && "
        .. "objcopy --add-gnu-debuglink=stripped.debug stripped", here)
      check(path)
      run("printf x >>%s/stripped.debug", here)
      assert.is_nil((ebpf.link.uprobe(program, path, "probed_inner")))
    end)

    it("finds it by the build id", function()
      local here = folder()
      local path = stripped(here, "kept")
      local id = run("readelf -n " .. path):match "Build ID: (%x+)"
      local place = "/usr/lib/debug/.build-id/" .. id:sub(1, 2)
      local existed = os.execute(("test -d %s"):format(place))
      local file = ("%s/%s.debug"):format(place, id:sub(3))
      later(function() process.run(("rm -f %s; %s"):format(file, existed and "true" or "rmdir " .. place)) end)
      run("mkdir -p %s && cp %s/kept %s", place, here, file)
      check(path)
    end)
  end)
end)

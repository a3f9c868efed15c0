-- The tools of `make test-corpus` (spec/corpus): a difference is told, one that is known is not, and objects are found
-- inside of programs.
local process = require "spec.support.process"

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

describe("the corpus", function()
  local folder

  before_each(function() folder = process.run "mktemp -d":match "[^\n]+" end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  local object = '{"object": "x.o", "programs": [{"name": "p", "section": "xdp", "type": "xdp", "attach_type": "xdp", '
    .. '"autoload": true, "instructions": %d}], "maps": [], "load_errno": %d%s}\n'

  -- What compare.lua says of an object, and its status.
  local function compare(theirs, ours, report, known)
    write(folder .. "/x.libbpf", theirs)
    write(folder .. "/x.ours", ours)
    if report then write(folder .. "/x.load", report) end
    write(folder .. "/known", known or "# nothing\n")
    return process.run(("lua5.4 spec/corpus/compare.lua %s/known set=%s"):format(folder, folder))
  end

  local report = '{"programs": [{"name": "p", "type": "xdp", "loaded": %s}], "maps": []}'

  it("has nothing to say of two that are the same", function()
    local output, status = compare(object:format(2, 0, ""), object:format(2, 0, ""), report:format "true")
    assert.equal(0, status)
    assert.matches("1 objects: 1 the same", output, 1, true)
  end)

  it("tells what differs in reading, loading and in the report of ebpf load", function()
    local output, status = compare(object:format(2, 0, ""), object:format(3, 22, ', "load_error": "no"'), report:format "false")
    assert.equal(1, status)
    assert.matches("different: set/x: program 'p': instructions is 3, in libbpf 2", output, 1, true)
    assert.matches("different: set/x: does not load: no", output, 1, true)
    output, status = compare(object:format(2, 0, ""), object:format(2, 0, ""), report:format "false")
    assert.equal(1, status)
    assert.matches("different: set/x: ebpf load: program 'p' is not loaded", output, 1, true)
  end)

  it("does not take a side that broke down for one that refuses", function()
    local broken = '{"object": "x.o", "error": "it ended with status 139", "errno": 0}'
    local output, status = compare(broken, broken)
    assert.equal(1, status)
    assert.matches("it ended with status 139", output, 1, true)
  end)

  it("leaves out what is known, and nothing beside it", function()
    local known = "set/* | program 'p': instructions | for a reason\n"
    local output, status = compare(object:format(2, 0, ""), object:format(3, 0, ""), report:format "true", known)
    assert.equal(0, status)
    assert.matches("1 differences known, 0 not", output, 1, true)
    output, status = compare(object:format(2, 0, ""), object:format(3, 22, ', "load_error": "no"'), nil, known)
    assert.equal(1, status)
    assert.matches("1 differences known, 1 not", output, 1, true)
  end)

  it("finds the objects that a program carries", function()
    local first, second = read "build/spec/bpf/load_tiny.bpf.o", read "build/spec/bpf/load_maps.bpf.o"
    write(folder .. "/tool", "\127ELF is not all of it" .. first .. ("\0"):rep(7) .. second .. "\127ELF")
    local output, status = process.run(("lua5.4 spec/corpus/extract.lua %s %s/tool"):format(folder, folder))
    assert.equal(0, status, output)
    assert.is_true(read(folder .. "/tool.o") == first)
    assert.is_true(read(folder .. "/tool-2.o") == second)
  end)
end)

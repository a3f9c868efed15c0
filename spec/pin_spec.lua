-- ebpf.pin, the objects of the whole kernel, and the counting of runs.
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local need = require "spec.support.need"
local process = require "spec.support.process"

local asm = ebpf.asm

local function new_map(options)
  options = options or {}
  return assert(ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 1, name = options.name or "pin_spec" })
end

local function new_program(type)
  return assert(ebpf.program { type = type or "socket_filter", name = "pin_spec", license = "GPL",
    instructions = { asm.mov(asm.r0, 0), asm.exit() } })
end

-- A folder in a BPF file system of our own (whose root has files of the kernel's), and what takes both away.
local function bpffs()
  local root = ("/tmp/ebpf-pin-%d"):format(math.random(1 << 30))
  assert(os.execute(("mkdir %s && mount -t bpf bpf %s && mkdir %s/pins"):format(root, root, root)))
  return root .. "/pins", function() os.execute(("umount %s; rmdir %s"):format(root, root)) end
end

describe("ebpf.pin", function()
  it("walks over all that is pinned, folders included", function()
    need { kernel = "5.10" }
    local folder, remove = bpffs()
    local _ <close> = setmetatable({}, { __close = remove })
    assert(os.execute(("mkdir -p %s/b/deep %s/empty && ln -s %s/b %s/round"):format(folder, folder, folder, folder)))
    local map <close> = new_map()
    local program <close> = new_program()
    assert(map:pin(folder .. "/a_map"))
    assert(program:pin(folder .. "/b/program"))
    local again <close> = assert(ebpf.map { id = map:info().id }) -- a handle knows but one pin
    assert(again:pin(folder .. "/b/deep/again"))
    local seen = {}
    for path, object, kind in ebpf.pin.walk(folder) do
      seen[#seen + 1] = path:sub(#folder + 2) .. " " .. kind .. " " .. object.name
    end
    assert.same({ "a_map map pin_spec", "b/deep/again map pin_spec", "b/program program pin_spec" }, seen)
    for path, object in ebpf.pin.walk(folder:match "^(.*)/pins$") do assert.truthy(object, path) end
    seen = {}
    for path in ebpf.pin.walk(folder .. "/b/") do seen[#seen + 1] = path end
    assert.same({ folder .. "/b/deep/again", folder .. "/b/program" }, seen)
  end)

  it("tells what a pin is, opens it, and takes it away", function()
    need { kernel = "5.10" }
    local folder, remove = bpffs()
    local _ <close> = setmetatable({}, { __close = remove })
    local map <close> = new_map()
    map[0] = 42
    assert(map:pin(folder .. "/map"))
    assert.equal("map", ebpf.pin.kind(folder .. "/map"))
    local object <close>, kind = ebpf.pin.load(folder .. "/map")
    assert.equal("map", kind)
    assert.equal(map:info().id, object:info().id)
    assert.is_true(ebpf.pin.unpin(folder .. "/map"))
    local none, err = ebpf.pin.load(folder .. "/map")
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
    none, err = ebpf.pin.unpin(folder .. "/map")
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
    assert(os.execute("mkdir " .. folder .. "/folder"))
    assert.is_true(ebpf.pin.unpin(folder .. "/folder"))
  end)

  it("touches nothing that is not on a BPF file system", function()
    need { kernel = "5.10" }
    local path = os.tmpname()
    local none, err = ebpf.pin.unpin(path)
    assert.is_nil(none)
    assert.matches("not on a BPF file system", err.message)
    assert(io.open(path)):close()
    os.remove(path)
    local ok, raised = pcall(ebpf.pin.walk, "/tmp")
    assert.is_false(ok)
    assert.equal("EINVAL", raised.code)
    none, err = ebpf.pin.load "/proc/self/status"
    assert.is_nil(none)
    assert.is_string(err.code)
  end)

  it("leaves no descriptor behind, and walks over more pins than descriptors", function()
    need { kernel = "5.10" }
    local folder, remove = bpffs()
    local _ <close> = setmetatable({}, { __close = remove })
    for i = 1, 40 do
      local map <close> = new_map()
      assert(map:pin(("%s/map%d"):format(folder, i)))
    end
    assert.equal(0, handles.leaked(function()
      for _, object in ebpf.pin.walk(folder) do object:close() end
      local first = ebpf.pin.walk(folder)
      first()
      pcall(ebpf.pin.walk, "/no/such/folder")
    end))
    local script = ([[
      local count = 0
      for path, object in require "ebpf".pin.walk "%s" do
        assert(object, path)
        count = count + 1
      end
      print(count)
    ]]):format(folder)
    assert.equal("40\n", process.run(("ulimit -n 24; lua5.4 -e '%s'"):format(script)))
  end)
end)

describe("links that exist", function()
  -- XDP on the loopback is the attachment that needs least of a kernel.
  local function attach()
    local program = new_program "xdp"
    return assert(ebpf.link.xdp(program, "lo", { mode = "generic" })), program
  end

  it("are opened from their pins, and by id", function()
    need { kernel = "5.10", "xdp_link" }
    local folder, remove = bpffs()
    local _ <close> = setmetatable({}, { __close = remove })
    local link, program <close> = attach()
    assert(link:pin(folder .. "/link"))
    local id = link:info().id
    link:close()
    local opened <close>, kind = ebpf.pin.load(folder .. "/link")
    assert.equal("link", kind)
    assert.equal("xdp", opened.kind)
    assert.equal("xdp lo", opened.target)
    assert.equal(id, opened:info().id)
    assert.equal(program:info().id, opened:info().program_id)
    local by_id <close> = assert(ebpf.link.open { id = id })
    assert.equal("xdp lo", by_id.target)
    local again <close> = assert(ebpf.link.open { pinned = folder .. "/link" })
    assert.is_true(again:detach()) -- and the pin goes
    assert.equal(id, by_id:info().id)
    assert.is_nil((ebpf.link.open { pinned = folder .. "/link" }))
    -- nothing is on the device any more: another program may be attached
    local other <close> = new_program "xdp"
    assert(ebpf.link.xdp(other, "lo", { mode = "generic" })):close()
  end)

  it("are taken apart by id", function()
    need { kernel = "5.10", "xdp_link" }
    local link <close> = attach()
    local opened <close> = assert(ebpf.link.open { id = link:info().id })
    assert.is_true(opened:detach())
    local other <close> = new_program "xdp"
    assert(ebpf.link.xdp(other, "lo", { mode = "generic" })):close()
  end)

  it("take another program", function()
    need { kernel = "5.10", "xdp_link" }
    local link <close> = attach()
    local opened <close> = assert(ebpf.link.open { id = link:info().id })
    local other <close> = new_program "xdp"
    assert(opened:update(other))
    assert.equal(other:info().id, link:info().program_id)
  end)

  it("say what they are attached to", function()
    need { kernel = "5.15", "perf_link" }
    local program <close> = new_program "tracepoint"
    local link <close> = assert(ebpf.link.tracepoint(program, "sched:sched_process_exec"))
    local opened <close> = assert(ebpf.link.open { id = link:info().id })
    if need.version "6.6" <= ebpf.kernel().version then
      assert.equal("tracepoint", opened.kind)
      assert.equal("tracepoint sched_process_exec", opened.target)
    end
    local raw <close> = new_program "raw_tracepoint"
    local raw_link <close> = assert(ebpf.link.raw_tracepoint(raw, "sched_process_exec"))
    local raw_opened <close> = assert(ebpf.link.open { id = raw_link:info().id })
    assert.equal("raw_tracepoint sched_process_exec", raw_opened.target)
  end)

  it("are nothing else", function()
    need { kernel = "5.10" }
    local folder, remove = bpffs()
    local _ <close> = setmetatable({}, { __close = remove })
    local map <close> = new_map()
    assert(map:pin(folder .. "/map"))
    local none, err = ebpf.link.open { pinned = folder .. "/map" }
    assert.is_nil(none)
    assert.matches("it is a map", err.message)
    none, err = ebpf.link.open { id = 0x7fffffff }
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
    assert.has_error(function() ebpf.link.open {} end)
  end)
end)

describe("everything in the kernel", function()
  it("is walked over: programs, maps and links", function()
    need { kernel = "5.10", "xdp_link" }
    local map <close> = new_map()
    local program <close> = new_program "xdp"
    local attached <close> = assert(ebpf.link.xdp(program, "lo", { mode = "generic" }))
    for all, mine in pairs {
      [ebpf.maps] = map:info().id, [ebpf.programs] = program:info().id, [ebpf.links] = attached:info().id,
    } do
      local found
      local last = 0
      for id, object in all() do
        assert.is_true(id > last)
        last = id
        if id == mine then found = object:info().id end
        object:close()
      end
      assert.equal(mine, found)
    end
  end)

  it("leaves out what has gone meanwhile", function()
    need { kernel = "5.10" }
    local first = new_map()
    local second <close> = new_map()
    local ids = { first:info().id, second:info().id }
    local seen = {}
    for id, map in ebpf.maps() do
      if first then first = first:close() end
      map:close()
      seen[id] = true
    end
    assert.is_true(seen[ids[2]])
  end)

  it("raises what the kernel refuses", function()
    need { kernel = "5.10" }
    local script = [[
      local ok, err = pcall(require "ebpf".programs)
      assert(not ok and err.code == "EPERM", tostring(err))
      print "refused"
    ]]
    local command = "/usr/bin/setpriv --reuid 65534 --clear-groups lua5.4 -e '%s'"
    assert.equal("refused\n", process.run(command:format(script)))
  end)
end)

describe("ebpf.enable_stats", function()
  it("counts and times runs while it is open", function()
    need { kernel = "5.10" }
    local program <close> = new_program()
    local data = ("\0"):rep(64)
    local stats = assert(ebpf.enable_stats())
    local before = program:info().run_count
    -- A run by the kernel's test is counted as any other since 5.18; a socket filter on a live socket always was.
    assert(program:run { data = data, ["repeat"] = 10 })
    local counted = program:info().run_count - before
    stats:close()
    stats:close() -- twice is once
    assert.is_true(counted == 0 or counted == 10, tostring(counted))
    assert.equal("number", type(program:info().recursion_misses))
    local tracepoint <close> = new_program "raw_tracepoint"
    local _ <close> = assert(ebpf.link.raw_tracepoint(tracepoint, "sys_enter"))
    local open <close> = assert(ebpf.enable_stats())
    for _ = 1, 50 do assert(io.open "/dev/null"):close() end
    local info = tracepoint:info()
    assert.is_true(info.run_count >= 50)
    assert.is_true(info.run_time_ns > 0)
    open:close()
    local after = tracepoint:info().run_count
    for _ = 1, 50 do assert(io.open "/dev/null"):close() end
    assert.is_true(tracepoint:info().run_count - after < 50)
  end)
end)

describe("a descriptor of a process", function()
  it("tells what runs there, where there is no link", function()
    need { kernel = "5.10" }
    local kernel = ebpf.kernel()
    local _ <close> = setmetatable({}, { __close = function() kernel:unmask "perf_link" end })
    assert(kernel:mask "perf_link")
    local program <close> = new_program "tracepoint"
    local link <close> = assert(ebpf.link.tracepoint(program, "syscalls:sys_enter_getuid"))
    assert.equal("perf", link.interface)
    local pid = assert(io.open "/proc/self/stat"):read "n"
    local found, others = nil, 0
    for fd in process.run(("ls /proc/%d/fd"):format(pid)):gmatch "%d+" do
      local info, err = kernel:task_fd(pid, tonumber(fd))
      if info then found = info else others = others + ((err.code == "ENOENT" or err.code == "EBADF") and 1 or 0) end
    end
    assert.equal("tracepoint", found.kind)
    assert.equal("sys_enter_getuid", found.name)
    assert.equal(program:info().id, found.program_id)
    assert.is_true(others > 0)
    local none, err = kernel:task_fd(2147483647, 0)
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
  end)
end)

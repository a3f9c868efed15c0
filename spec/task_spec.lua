-- Coroutines in the loop, child processes, what happens to errors, and who gets a turn when there is more to do than time.
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local need = require "spec.support.need"
local process = require "spec.support.process"
local rings = require "spec.support.rings"

local function now()
  local file <close> = assert(io.open "/proc/uptime")
  return file:read "n"
end

-- Starts a shell command in the background: its process number, which is no child of ours, and its output.
local function background(command)
  local pipe = assert(io.popen("echo $$; exec " .. command, "r"))
  return pipe:read "n", pipe
end

describe("a task", function()
  it("sleeps while others run, and ends the loop with its function", function()
    local loop <close> = ebpf.loop()
    local order = {}
    local function walk(name, pause)
      for i = 1, 3 do
        order[#order + 1] = name .. i
        assert.equal(0, select("#", loop:sleep(pause)) - 1)
      end
    end
    loop:spawn(walk, "slow", 0.05)
    loop:spawn(walk, "quick", 0.01)
    assert.same({}, order)
    local start = now()
    assert.is_true(loop:run())
    assert.is_true(now() - start >= 0.13)
    table.sort(order)
    assert.same({ "quick1", "quick2", "quick3", "slow1", "slow2", "slow3" }, order)
  end)

  it("lets the others have their turn when it yields", function()
    local loop <close> = ebpf.loop()
    local order = {}
    for _, name in ipairs { "a", "b" } do
      loop:spawn(function(...)
        for i = 1, 3 do
          order[#order + 1] = name .. i
          coroutine.yield("whatever", ...)
        end
      end, 1, 2, 3)
    end
    local first = true
    loop:after(0.2, function() first = false end)
    loop:run()
    assert.is_false(first)
    assert.equal(6, #order)
    for i = 1, 6, 2 do assert.not_equal(order[i]:sub(1, 1), order[i + 1]:sub(1, 1)) end
  end)

  it("waits for a descriptor, at most so long", function()
    local loop <close> = ebpf.loop()
    local pipe <close> = assert(io.popen("sleep 0.1; echo hello", "r"))
    local events, line, early
    loop:spawn(function()
      early = loop:wait(pipe, "r", 0.01)
      events = loop:wait(pipe, "r", 10)
      line = pipe:read()
    end)
    loop:run()
    assert.is_false(early)
    assert.equal("r", events:sub(1, 1))
    assert.equal("hello", line)
  end)

  it("waits for a process, and so does a callback", function()
    need { kernel = "5.3" }
    local loop <close> = ebpf.loop()
    local pid, pipe = background "sleep 0.05"
    local in_task, in_callback
    -- io.popen's process is our child: it is reaped by the loop, and the pipe's close finds none
    loop:spawn(function() in_task = table.pack(loop:child(pid)) end)
    loop:run()
    pipe:close()
    assert.same({ "exit", 0, n = 2 }, in_task)
    pid, pipe = background "sh -c 'kill -TERM $$'"
    loop:child(pid, function(...) in_callback = table.pack(...) end)
    loop:run()
    pipe:close()
    assert.same({ "signal", 15, n = 2 }, in_callback)
    local none, err = loop:child(pid, print)
    assert.is_nil(none)
    assert.equal("ESRCH", err.code)
    loop:spawn(function() loop:child(pid) end)
    assert.error_matches(function() loop:run() end, "there is no process " .. pid)
    -- somebody else's child: that it is gone is all that can be known
    local grandchild = assert(io.popen "sleep 0.1 >&2 & echo $!")
    local other = grandchild:read "n"
    grandchild:close()
    local what
    loop:child(other, function(...) what = table.pack(...) end)
    loop:run()
    assert.same({ "gone", n = 1 }, what)
  end)

  it("says what went wrong, and where in the task", function()
    local loop <close> = ebpf.loop()
    local closed = false
    loop:spawn(function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      loop:sleep(0)
      local function guilty() error "on purpose" end
      guilty()
    end)
    local ok, err = pcall(loop.run, loop)
    assert.is_false(ok)
    assert.matches("task_spec.lua:%d+: on purpose\nstack traceback:\n.*guilty", err)
    assert.is_true(closed)
    assert.is_true(loop:run())
    loop:spawn(function() error(select(2, ebpf.spec "/no/such/file")) end)
    ok, err = pcall(loop.run, loop)
    assert.is_false(ok)
    assert.equal("ENOENT", err.code)
    assert.matches("stack traceback", err.traceback)
    -- inside, errors can be caught, also across waits
    local caught
    loop:spawn(function()
      caught = table.pack(pcall(function()
        loop:sleep(0.01)
        error { mine = true }
      end))
    end)
    loop:run()
    assert.is_false(caught[1])
    assert.is_true(caught[2].mine)
  end)

  it("can be closed while it waits", function()
    local loop <close> = ebpf.loop()
    local closed, went_on = false, false
    local task = loop:spawn(function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      loop:sleep(0.05)
      went_on = true
    end)
    loop:step()
    assert.equal("ebpf.task: waiting", tostring(task))
    task:close()
    task:close()
    assert.is_true(closed)
    assert.is_true(loop:run())
    assert.is_false(went_on)
    assert.equal("ebpf.task (closed)", tostring(task))
    local mine
    mine = loop:spawn(function() mine:close() end)
    assert.error_matches(function() loop:run() end, "cannot be closed while it runs")
  end)

  it("is the only one that waits: outside it is a mistake", function()
    local loop <close> = ebpf.loop()
    local other <close> = ebpf.loop()
    assert.error_matches(function() loop:sleep(1) end, "loop:sleep waits, which only a task of this loop can")
    assert.error_matches(function() loop:wait(0, "r") end, "loop:wait waits")
    assert.error_matches(function() loop:child(1) end, "loop:child without a function waits")
    assert.error_matches(function() loop:spawn(1) end, "function expected")
    assert.error_matches(function() coroutine.wrap(function() loop:sleep(1) end)() end, "loop:spawn")
    loop:spawn(function() other:sleep(1) end)
    assert.error_matches(function() loop:run() end, "only a task of this loop")
    loop:spawn(function() table.sort({ 1, 2 }, function() loop:sleep(1) end) end)
    assert.error_matches(function() loop:run() end, "only a task of this loop")
    loop:spawn(function() loop:wait(999, "r") end)
    assert.error_matches(function() loop:run() end, "descriptor 999 is not open")
  end)

  it("leaves nothing behind, finished or abandoned, also when the collector never rests", function()
    assert.equal(0, handles.leaked(function()
      local loop = ebpf.loop()
      loop:spawn(function() loop:sleep(100) end)
      loop:step()
      local weak = setmetatable({}, { __mode = "k" })
      do
        local big = {}
        weak[big] = true
        loop:spawn(function()
          loop:wait(loop:fd(), "r", 0.01)
          return big
        end)
      end
      pcall(loop.step, loop, 0.1)
      loop:close()
      loop = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(weak))
    end))
    handles.without_rest(function()
      local loop <close> = ebpf.loop()
      local count = 0
      for i = 1, 5 do
        loop:spawn(function()
          for _ = 1, 5 do
            loop:sleep(0.001)
            count = count + 1
            local _ = { i }
          end
        end)
      end
      loop:run()
      assert.equal(25, count)
    end)
  end)
end)

describe("a reader in a task", function()
  local coll, loop, run
  before_each(function() coll, loop, run = rings.open() end)
  after_each(function() rings.close(coll, loop) end)

  it("waits without keeping the others from running", function()
    local numbers, ticks = {}, 0
    loop:spawn(function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
      for e in ring:records { timeout = 0.3 } do numbers[#numbers + 1] = e.number end
      numbers[#numbers + 1] = "end"
    end)
    local every
    every = loop:every(0.02, function()
      ticks = ticks + 1
      if ticks <= 3 then run("fill", 2) end
      if ticks == 5 then every:close() end
    end)
    loop:run()
    assert.same({ 0, 1, 2, 3, 4, 5, "end" }, numbers)
    assert.equal(5, ticks)
  end)

  it("polls, and hears that its reader was closed", function()
    local ring = assert(ebpf.ringbuf(coll.maps.events))
    local answers = {}
    loop:spawn(function()
      answers[#answers + 1] = ring:poll(0.01)
      answers[#answers + 1] = ring:poll(10)
      ring:consume(function() end)
      answers[#answers + 1] = ring:poll()
      answers[#answers + 1] = select(2, pcall(ring.poll, ring))
    end)
    loop:after(0.05, function() run("fill", 1) end)
    loop:after(0.1, function() ring:close() end)
    loop:run()
    assert.same({ false, true, false }, { table.unpack(answers, 1, 3) })
    assert.matches("ring is closed", answers[4])
    ring = assert(ebpf.ringbuf(coll.maps.events))
    loop:spawn(function() for _ in ring:records() do end end)
    loop:after(0.02, function() ring:close() end)
    assert.error_matches(function() loop:run() end, "ring is closed")
  end)

  it("is refused when its ring is in the loop by itself", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    loop:on(ring, print)
    loop:spawn(function() ring:poll(1) end)
    assert.error_matches(function() loop:run() end, "in a loop already")
  end)
end)

describe("a loop's policy for errors", function()
  it("calls a function, and goes on", function()
    local errors = {}
    local loop <close> = ebpf.loop { on_error = function(err) errors[#errors + 1] = err end }
    local ticks = 0
    loop:every(0.01, function()
      ticks = ticks + 1
      if ticks == 3 then return loop:stop() end
      error("tick " .. ticks)
    end)
    loop:spawn(function()
      loop:sleep(0.001)
      error { mine = true }
    end)
    assert.is_true(loop:run())
    assert.equal(3, #errors)
    local texts = {}
    for _, err in ipairs(errors) do texts[#texts + 1] = err.mine and "mine" or err:match "tick %d\nstack traceback" end
    table.sort(texts)
    assert.same({ "mine", "tick 1\nstack traceback", "tick 2\nstack traceback" }, texts)
    -- the function's own error, or one that it raises again, comes out of run()
    local strict <close> = ebpf.loop { on_error = function(err) error("again: " .. tostring(err), 0) end }
    strict:after(0, function() error("first", 0) end)
    assert.matches("^again: first\n", select(2, pcall(strict.run, strict)))
  end)

  it("logs them, not more than a few each second, and counts the others", function()
    local script = os.tmpname()
    finally(function() os.remove(script) end)
    local file <close> = assert(io.open(script, "w"))
    file:write [[local ebpf = require "ebpf"
      local loop, count = ebpf.loop { on_error = "log" }, 0
      local fast = loop:every(0.001, function() count = count + 1 error("mistake " .. count) end)
      loop:after(0.5, function() fast:close() end)
      loop:after(1.7, function() error(select(2, ebpf.spec "/no/such")) end)
      loop:run()
      print("count", count)]]
    file:flush()
    local output = process.run("lua5.4 " .. script)
    local _, logged = output:gsub("mistake %d+\nstack traceback", "")
    local left_out, count = 0, tonumber(output:match "\ncount\t(%d+)\n")
    for number in output:gmatch "(%d+) more errors were left out\n" do left_out = left_out + tonumber(number) end
    assert.is_true(logged >= 5 and logged < count, output)
    assert.equal(count, logged + left_out)
    assert.matches("/no/such", output)
  end)

  it("is checked", function()
    assert.error_matches(function() ebpf.loop { on_error = "ignore" } end, "invalid option 'ignore'")
    assert.error_matches(function() ebpf.loop { error = "log" } end, "unknown option 'error'")
  end)
end)

describe("a flooded ring", function()
  it("keeps neither timers nor signals nor other rings waiting", function()
    need { kernel = "5.8", "ringbuf" }
    local coll <close> = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
    local loop <close> = ebpf.loop()
    local function fill(count)
      assert(coll.variables.wanted:set(count))
      coll.programs.fill:run { data = ("\0"):rep(14) }
    end
    local records, ticks, signalled, start = 0, 0, false, now()
    local function done()
      if ticks >= 5 and signalled then loop:stop() end
    end
    loop:on(coll.maps.events, function()
      records = records + 1
      if records % 100 > 0 then return end
      fill(100) -- never becomes empty
      if now() - start > 30 then loop:stop() end
    end)
    loop:every(0.02, function()
      ticks = ticks + 1
      done()
    end)
    loop:signal("USR2", function()
      signalled = true
      done()
    end)
    local killer = assert(io.popen "sleep 0.3; kill -USR2 $PPID") -- its collection would wait for it
    fill(200)
    loop:run()
    killer:close()
    assert.is_true(records > 3000, records)
    assert.is_true(ticks >= 5, ticks)
    assert.is_true(signalled)
    assert.is_true(now() - start < 30)
  end)
end)

-- A busted output handler: one line per spec file, the failures and skips with their reasons, and last of all
-- "N passed, N failed, N skipped" alone on a line. EBPF_NAME_TESTS=1 names each test as it starts (where a machine stops, the last
-- line tells in which), and tells the seconds of those that take some.
local busted = require "busted"
local base = require "busted.outputHandlers.base"

return function()
  local handler = base()
  local function count() return handler.successesCount, handler.failuresCount + handler.errorsCount, handler.pendingsCount end
  local before, started, test_started

  local function text(message)
    if type(message) == "table" and not getmetatable(message) then return (require "pl.pretty".write(message)) end
    return tostring(message)
  end

  function handler.file_start()
    before, started = { count() }, os.time()
    return nil, true
  end

  function handler.test_start(test)
    if os.getenv "EBPF_NAME_TESTS" == "1" then
      print("  " .. handler.getFullName(test))
      io.stdout:flush()
    end
    test_started = os.time()
    return nil, true
  end

  function handler.test_end()
    local seconds = os.time() - test_started
    if os.getenv "EBPF_NAME_TESTS" == "1" and seconds >= 2 then print(("    %d s"):format(seconds)) end
    return nil, true
  end

  function handler.file_end(file)
    local passed, failed, skipped = count()
    print(("%-28s %4d passed %3d failed %3d skipped  %ds"):format(tostring(file.name):match "[^/]*$", passed - before[1],
      failed - before[2], skipped - before[3], os.time() - started))
    io.stdout:flush()
    return nil, true
  end

  -- A skip in a before_each, which busted's own handlers do not expect: it stands for the test that it came before.
  local pending_in_test = handler.basePending
  function handler.basePending(element, parent, message, debug)
    if handler.inProgress[tostring(element)] then return pending_in_test(element, parent, message, debug) end
    handler.pendingsCount = handler.pendingsCount + 1
    table.insert(handler.pendings, { name = handler.getFullName(parent), message = message })
    return nil, true
  end

  function handler.suite_end()
    local skips, order = {}, {}
    for _, pending in ipairs(handler.pendings) do
      local reason = text(pending.message or "no reason given"):gsub("^[^:]+:%d+: ", "")
      if not skips[reason] then skips[reason] = {}; order[#order + 1] = reason end
      table.insert(skips[reason], pending.name)
    end
    for _, reason in ipairs(order) do
      print(("skipped: %s"):format(reason))
      local last, times = nil, 0
      for index, name in ipairs(skips[reason]) do
        times = name == last and times + 1 or 1
        if name ~= skips[reason][index + 1] then print("  " .. name .. (times > 1 and (" (%d tests)"):format(times) or "")) end
        last = name
      end
    end
    for _, list in ipairs { handler.failures, handler.errors } do
      for _, failure in ipairs(list) do
        print(("FAILED: %s\n  %s"):format(failure.name, text(failure.message):gsub("\n", "\n  ")))
        local trace = failure.trace and failure.trace.traceback
        if trace and list == handler.errors then print("  " .. trace:gsub("\n", "\n  ")) end
      end
    end
    print(("%d passed, %d failed, %d skipped"):format(count()))
    io.stdout:flush()
    return nil, true
  end

  busted.subscribe({ "file", "start" }, handler.file_start)
  busted.subscribe({ "test", "start" }, handler.test_start)
  busted.subscribe({ "test", "end" }, handler.test_end)
  busted.subscribe({ "file", "end" }, handler.file_end)
  busted.subscribe({ "suite", "end" }, handler.suite_end)
  return handler
end

-- Runs the C tests of the core (spec/c), each plain and under AddressSanitizer and UndefinedBehaviorSanitizer.
local need = require "spec.support.need"

local without_kernel = { asm = true, base = true, btf = true, core = true, spec = true } -- rooms that make no system call

local function tests(folder)
  local list = {}
  local pipe = assert(io.popen("ls -d " .. folder .. "/* 2>/dev/null"))
  for path in pipe:lines() do if not path:match "%.[od]$" then list[#list + 1] = path end end
  pipe:close()
  return list
end

local function run(path)
  local environment = "ASAN_OPTIONS=detect_leaks=1 EBPF_TEST_OBJECTS=build/spec/bpf"
  local pipe = assert(io.popen(("%s timeout 600 %s 2>&1"):format(environment, path)))
  local output = pipe:read "a"
  local _, how, status = pipe:close()
  if status == 77 then pending(output:match "skip: ([^\n]*)" or "no reason given") end
  if status ~= 0 then error(("%s: %s %d\n%s"):format(path, how, status, output:sub(-6000)), 0) end
end

describe("the core in C", function()
  for _, variant in ipairs { { "build/spec/c", "" }, { "build/asan/spec/c", " with sanitizers" } } do
    for _, path in ipairs(tests(variant[1])) do
      it(path:match "[^/]*$" .. variant[2], function()
        local room = path:match "([^/_]*)[^/]*$"
        if not without_kernel[room] then need.root() end
        run(path)
      end)
    end
  end
end)

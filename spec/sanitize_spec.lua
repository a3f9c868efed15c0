-- The specs of the Lua module once more, with the module and the core built for AddressSanitizer and UndefinedBehaviorSanitizer.
-- The sanitized build is made by `make tests`; it is not carried into the kernel matrix.
local process = require "spec.support.process"

local not_again = {
  c_spec = true, house_spec = true, examples_spec = true, host_spec = true, sanitize_spec = true, fuzz_spec = true,
}

local module = io.open "build/asan/lua/ebpf/core.so"
if module and not os.getenv "EBPF_BUILD" then
  module:close()
  describe("the Lua module under sanitizers", function()
    for path in process.run "ls spec/*_spec.lua":gmatch "[^\n]+" do
      if not not_again[path:match "([^/]*)%.lua$"] then
        it("passes " .. path, function()
          -- Lua itself is not instrumented: what it leaves to the process's end is no leak of ours; leaks are looked for by
          -- the C tests.
          local output, status = process.run(
            "LD_PRELOAD=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so) ASAN_OPTIONS=detect_leaks=0 "
            .. "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 EBPF_BUILD=build/asan spec/support/run " .. path)
          if status ~= 0 then error(output:sub(-6000), 0) end
        end)
      end
    end
  end)
end

-- The fuzz targets (spec/fuzz) once over their seeds and over all inputs that are kept, findings of the past among them,
-- under sanitizers. `make fuzz` looks for new ones. The sanitized build is made by `make tests`; it is not carried into
-- the kernel matrix.
local process = require "spec.support.process"

local function lines(command)
  local list = {}
  for line in process.run(command):gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

local built = io.open "build/asan/spec/fuzz/spec"
if built and not os.getenv "EBPF_BUILD" then
  built:close()
  describe("any bytes are safe:", function()
    for _, source in ipairs(lines "ls spec/fuzz/*_fuzz.c") do
      local target = source:match "([^/]*)_fuzz%.c$"
      it("what the " .. target .. " target is kept busy with", function()
        local folder = process.run "mktemp -d":match "[^\n]+"
        local made, made_status = process.run(("lua5.4 spec/fuzz/seeds.lua %s %s build/spec/bpf/*.o build/spec/bpf/big/*.o")
          :format(target, folder))
        local output, status = process.run(("ls -d %s/* spec/fuzz/corpus/%s/* 2>/dev/null | UBSAN_OPTIONS=print_stacktrace=1 "
          .. "xargs -r timeout 600 build/asan/spec/fuzz/%s"):format(folder, target, target))
        local seeds = #lines("ls " .. folder)
        os.execute("rm -rf " .. folder)
        if made_status ~= 0 then error(made, 0) end
        assert.is_true(seeds > 0)
        if status ~= 0 then error(output:sub(-6000), 0) end
      end)
    end
  end)
end

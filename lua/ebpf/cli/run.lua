--- ebpf run SCRIPT.lua [ARG...] and ebpf -e 'LUA': scripts in this very Lua state. `ebpf run --sandbox` is done by
-- bindings/command.c, in a state of its own: a plain interpreter that runs the command's Lua part cannot.
local core = require "ebpf.core"
local run = {}

function run.describe(parser)
  local command = parser:command("run", "Run a Lua script: require \"ebpf\" works in it.")
  command:flag("--sandbox", "Without files and processes: the script registers with ebpf.loop(), the command runs it.")
  command:option("--memory", "Of a sandbox: how much Lua memory it may have (256M)."):argname "SIZE"
  command:option("--instructions", "Of a sandbox: how many a callback may execute (1000000000)."):argname "N"
  command:argument("script", "Its file; - is the standard input.")
  command:argument("args", "Its own arguments: arg[1], ... and `...` in the script."):args "*"
end

-- An error object says all by itself; another error is followed by where it happened.
local function explain(err)
  if type(err) == "table" and getmetatable(err) then return err end
  return debug.traceback(tostring(err), 2)
end

local function call(chunk, name, rest)
  _G.arg = { [0] = name, table.unpack(rest) }
  local ok, err = xpcall(chunk, explain, table.unpack(rest))
  if not ok then return nil, err end
  return {}
end

function run.run(arguments)
  if arguments.sandbox then
    return core.fail(95, "run --sandbox: not in a plain Lua interpreter", "it needs the command that `make` builds")
  end
  if arguments.memory or arguments.instructions then return core.fail(22, "run: limits are those of a sandbox", "add --sandbox") end
  return run.file(arguments.script, arguments.args)
end

function run.file(path, rest)
  local chunk, err = loadfile(path ~= "-" and path or nil)
  if not chunk then return nil, err end
  return call(chunk, path, rest)
end

-- What the module exports is global, before Lua's own: `load` is ebpf.load.
local function environment()
  local ebpf = require "ebpf"
  return setmetatable({ ebpf = ebpf }, {
    __index = function(_, name)
      local value = ebpf[name]
      if value == nil then return _G[name] end
      return value
    end,
  })
end

--- A statement, or an expression whose values are printed.
function run.line(text, rest)
  local globals = environment()
  local expression = load("return " .. text, "=(-e)", "t", globals)
  if expression then
    return call(function(...)
      local values = table.pack(expression(...))
      if values.n > 0 then print(table.unpack(values, 1, values.n)) end
    end, "-e", rest)
  end
  local chunk, err = load(text, "=(-e)", "t", globals)
  if not chunk then return nil, err end
  return call(chunk, "-e", rest)
end

return run

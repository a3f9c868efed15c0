--- ebpf btf dump: types as C, one by one as they are stored, or as annotations for an editor.
local report = require "ebpf.cli.report"

local dump = {}

function dump.describe(command)
  command:description "Print types: those of a file, of the kernel, of one of its modules, or of a BTF object by its id."
  command:argument("source", "A BTF or ELF file, 'vmlinux', a module's name, or an id.")
  command:argument("names", "More names for --type."):args "*"
  command:option("--format", "c: a header that compiles (default); raw: a line for each type and each of its parts; "
    .. "lua: annotations for an editor (LuaCATS)."):choices { "c", "raw", "lua" }
  command:option("--type", "Only these ('struct event', a bare name, or an id); as C and Lua with what they need.")
    :argname "NAME":count "*"
  command:option("--base", "What a split BTF stands on: a file (for a module's: the kernel's types)."):argname "FILE"
  command:flag("--sort", "As C: by name, not by number, so that two builds of a kernel can be compared.")
  command:flag("--kfuncs", "As C: with the prototypes of the kernel's functions for BPF programs.")
end

local function is_file(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function open(arguments)
  local btf, source = require "ebpf".btf, arguments.source
  local base, err
  if arguments.base then
    base, err = btf.read(arguments.base)
    if not base then return nil, err end
  end
  local module = source:match "^/sys/kernel/btf/([^/]+)$"
  if base then return btf.read(source, base) end
  if source == "vmlinux" or module == "vmlinux" then return btf.vmlinux() end
  if math.tointeger(source) then return btf.open(math.tointeger(source)) end
  if not module and (source:find("/", 1, true) or is_file(source)) then return btf.read(source) end
  return btf.module(module or source)
end

-- Names or ids -> types; false for none.
local function chosen(btf, names)
  local types = {}
  for i, name in ipairs(names) do
    local err
    if math.tointeger(name) then types[i], err = btf:type(math.tointeger(name)) else types[i], err = btf:find(name) end
    if not types[i] then return nil, err or ("there is no type %s"):format(name) end
  end
  return #types > 0 and types
end

local function text_of(btf, types, arguments, format)
  if format == "lua" then return require "ebpf.btf_classes".text(btf, types or nil) end
  local options = { format = format, types = types or nil }
  if format == "c" then options.header, options.sort, options.functions = true, arguments.sort, arguments.kfuncs end
  if not arguments.json then options.to = io.stdout end
  return btf:dump(options)
end

-- A full disk shows when the rest is written at last.
local function finish_output(text)
  local ok, err = io.write(text)
  if ok then ok, err = io.stdout:flush() end
  if not ok then return nil, "standard output: " .. err end
  return {}
end

function dump.run(arguments)
  local format = arguments.format or (arguments.json and "raw" or "c")
  if format == "raw" and arguments.json then format = "json" end
  if format ~= "c" and (arguments.sort or arguments.kfuncs) then return nil, "--sort and --kfuncs are for --format c" end
  if #arguments.type == 0 and arguments.names[1] then
    return nil, ("one source at a time, not also '%s' (types are named with --type)"):format(arguments.names[1])
  end
  local btf <close>, err = open(arguments)
  if not btf then return nil, err end
  local types
  types, err = chosen(btf, table.move(arguments.names, 1, #arguments.names, #arguments.type + 1, arguments.type))
  if types == nil then return nil, err end
  local text
  text, err = text_of(btf, types, arguments, format)
  if not text then return nil, err end
  if not arguments.json then
    return finish_output(text ~= true and text or "")
  end
  if format ~= "json" then return report.object({ "format", "text" }, { format = format, text = text }) end
  arguments.json = nil -- this is the whole document; encoding such a list once more would take its time
  return finish_output(text)
end

return dump

--- ebpf gen SOURCE.bpf.c -o module.lua: a Lua module that carries the compiled object, or a C header.
local report = require "ebpf.cli.report"

local gen = {}

function gen.describe(parser)
  local command = parser:command("gen",
    "Make a Lua module (or a C header) that carries a compiled object, with its names and types. Flags for clang may follow --.")
  command:argument("file", "A C source, or a compiled object (two, for both byte orders)."):args "+"
  command:option("-o --output", "The module to write."):argname "MODULE.lua"
  command:option("--c", "A C header to write: a skeleton on <ebpf.h>."):argname "HEADER.h"
  command:option("--name", "What it is called; else as the source is."):argname "NAME"
  command:option("--target", "bpf (this machine), bpfel, bpfeb, or machines (x86, arm64, ...), separated by commas. Default: bpf.")
    :argname "LIST"
  command:option("--cc", "The compiler. Default: clang."):argname "CC"
  command:option("--cflags", "Flags for the compiler, in one word; those after -- come later."):argname "FLAGS"
  command:option("--mcpu", "The instruction set: v1 (every kernel) to v4. Default: v1."):argname "CPU"
  command:option("--include -I", "A folder with headers."):argname "DIR":count "*"
  command:option("--deps", "A file to write, with a rule for make."):argname "FILE.d"
  command:option("--type", "A C type that is to be described though no map or variable has it."):argname "TYPE":count "*"
  command:option("--record", "The C type of the records in a ring or perf buffer whose definition leaves it open.")
    :argname "MAP=TYPE":count "*"
  command:flag("--no-strip", "Keep debug information.")
  command:flag("--json", "Print one JSON document.")
end

--- Makes a command line ready for the parser, which takes what begins with a dash for an option: the word behind --cflags becomes a
-- part of it, and what follows "--" is taken off. That is the compiler's, and comes back as a second list.
function gen.split(words)
  local own = {}
  for i, word in ipairs(words) do
    if word == "--" then return own, { table.unpack(words, i + 1) } end
    if words[i - 1] == "--cflags" then
      own[#own] = "--cflags=" .. word
    else
      own[#own + 1] = word
    end
  end
  return own, {}
end

local function targets(text)
  local list = {}
  for name in (text or "bpf"):gmatch "[^,%s]+" do list[#list + 1] = name end
  return list
end

local function records(list)
  local types = {}
  for _, text in ipairs(list or {}) do
    local map, type = text:match "^([^=]+)=(.+)$"
    if not map then return nil, ("record '%s': MAP=TYPE expected"):format(text) end
    types[map] = type
  end
  return types
end

local function options_of(arguments)
  local types, reason = records(arguments.record)
  if not types then return nil, reason end
  local flags, err = require("ebpf.gen.compile").split(arguments.cflags or "")
  if not flags then return nil, err end
  for _, flag in ipairs(arguments.flags or {}) do flags[#flags + 1] = flag end
  return {
    output = arguments.output, c = arguments.c, name = arguments.name, targets = targets(arguments.target), cc = arguments.cc,
    mcpu = arguments.mcpu, include = arguments.include, flags = flags, deps = arguments.deps, types = arguments.type,
    records = types, strip = not arguments.no_strip,
  }
end

local function names(list)
  local found = {}
  for i, row in ipairs(list) do found[i] = row.name end
  return report.list(found)
end

local function document(arguments, result)
  local objects = {}
  for i, object in ipairs(result.objects) do
    objects[i] = report.object({ "target", "byteorder", "arch", "size" }, {
      target = object.target, byteorder = object.byteorder, arch = object.arch or report.null, size = #object.bytes,
    })
  end
  local model = result.model
  return report.object({ "name", "output", "header", "objects", "programs", "maps", "variables", "types", "warnings" }, {
    name = model.name, output = arguments.output or report.null, header = arguments.c or report.null,
    objects = report.list(objects),
    programs = names(model.programs), maps = names(model.maps), variables = names(model.variables), types = names(model.types),
    warnings = result.warnings or report.null,
  })
end

function gen.run(arguments)
  if not (arguments.output or arguments.c) then return nil, "gen: where to? Name a module with -o, or a header with --c" end
  local options, err = options_of(arguments)
  if not options then return nil, err end
  local result
  result, err = require("ebpf.gen").generate(arguments.file, options)
  if not result then return nil, err end
  if result.warnings and not arguments.json then io.stderr:write(result.warnings) end
  return document(arguments, result)
end

return gen

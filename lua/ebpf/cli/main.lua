#!/usr/bin/env lua5.4
--- The command `ebpf`. Each subcommand is a file beside this one with describe(parser) and run(arguments), which returns a document
-- (printed with --json), or nil, an error, and what there is of the document.
local report = require "ebpf.cli.report"
local commands = { "run", "inspect", "load", "disasm", "prog", "map", "link", "features" }

local function build_parser()
  local parser = require "argparse"("ebpf", "Loads, attaches, reads and scripts eBPF programs on Linux.",
    "All but 'inspect' and 'disasm FILE' needs root. The exit status is 0, or 1 with the reason on stderr.")
  parser:help_max_width(100)
  parser:flag("--version", "Print the version and exit."):action(function()
    print("ebpf " .. require "ebpf".version .. " (" .. _VERSION .. ")")
    os.exit(0, true)
  end)
  parser:option("-e", "Run a line of Lua, in which what the module exports is global (load, map, link, loop, ...)."):argname "LUA"
  parser:command_target "command":require_command(false)
  for _, name in ipairs(commands) do require("ebpf.cli." .. name).describe(parser) end
  return parser
end

local function main(words)
  local scripts = require "ebpf.cli.run"
  local rest = { table.unpack(words, 3) } -- a script's own arguments: "--help" among them is the script's
  if words[1] == "-e" and words[2] then return report.finish({}, scripts.line(words[2], rest)) end
  if words[1] == "run" and words[2] and not words[2]:match "^%-." then return report.finish({}, scripts.file(words[2], rest)) end
  local parser = build_parser()
  local arguments = parser:parse(words)
  if not arguments.command then
    io.stderr:write(parser:get_usage(), "\n\nebpf: a command is missing; 'ebpf --help' lists them\n")
    return 1
  end
  return report.finish(arguments, require("ebpf.cli." .. arguments.command).run(arguments))
end

os.exit(main(arg), true)

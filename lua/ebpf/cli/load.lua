--- ebpf load FILE.o: loads an object into the kernel, tells about it, and lets go again, unless it is to be kept.
local object = require "ebpf.cli.object"
local report = require "ebpf.cli.report"

local load = {}

function load.describe(parser)
  local command = parser:command("load", "Load an object into the kernel, tell about it, and let go again.")
  command:argument("file", "A compiled BPF object.")
  command:flag("--attach", "Attach its programs by their sections, and stay until Ctrl-C.")
  command:option("--pin", "Keep it for good: pin maps and programs, with --attach the links too, in this directory of a bpffs.")
    :argname "DIR"
  command:flag("--json", "Print one JSON document.")
end

-- Objects that pin their maps by themselves do so below the same directory; without --pin they leave nothing behind.
local function read(arguments)
  local spec, err = require "ebpf".spec(arguments.file)
  if not spec then return nil, err end
  if not arguments.pin then
    for _, map in pairs(spec.maps) do map.pin_by_name = false end
  end
  return spec
end

local function attach(coll, document)
  local links, err, _, failed = coll:attach()
  failed = links and err or failed
  document.links, document.failed = report.list {}, report.list {}
  for i, link in ipairs(links or {}) do
    document.links[i] = report.object({ "program", "kind", "interface", "target" },
      { program = link.program.name, kind = link.kind, interface = link.interface, target = link.target })
  end
  for i, failure in ipairs(failed) do
    document.failed[i] = report.object({ "program", "error" }, { program = failure.program, error = report.error(failure.error) })
  end
  if not links then return nil, err end
  return true
end

-- A bpffs has no dots in names.
local function pin_path(directory, name) return directory:gsub("/+$", "") .. "/" .. name:gsub("%.", "_") end

-- Pins all, or nothing. The directory may be new.
local function pin(spec, coll, directory, document)
  os.execute(("mkdir -p -- '%s' 2>/dev/null"):format(directory:gsub("'", "'\\''")))
  local things, pinned = {}, report.list {}
  for name, map in pairs(coll.maps) do
    local part = spec.maps[name]
    if not (part and part.pin_by_name) then things[#things + 1] = { map, name } end
  end
  for name, program in pairs(coll.programs) do things[#things + 1] = { program, name } end
  for _, link in ipairs(coll.links) do things[#things + 1] = { link, "link_" .. link.program.name } end
  for i, thing in ipairs(things) do
    local path = pin_path(directory, thing[2])
    local ok, err = thing[1]:pin(path)
    if not ok then
      for j = i - 1, 1, -1 do things[j][1]:unpin() end
      return nil, err
    end
    pinned[i] = path
  end
  document.pinned = pinned
  return true
end

local function print_report(document, path)
  object.print(document, path)
  for _, link in ipairs(document.links or {}) do
    print(("attached %s: %s (%s)"):format(link.program, link.target, link.interface))
  end
  for _, failure in ipairs(document.failed or {}) do
    print(("not attached %s: %s"):format(failure.program, failure.error.message))
  end
  for _, pinned in ipairs(document.pinned or {}) do print("pinned " .. pinned) end
end

-- A loop that ends by Ctrl-C.
local function new_loop()
  local loop = assert(require "ebpf".loop())
  for _, signal in ipairs { "INT", "TERM", "HUP" } do assert(loop:signal(signal, function() loop:stop() end)) end
  return loop
end

function load.run(arguments)
  local spec <close>, err = read(arguments)
  if not spec then return nil, err end
  local coll <close>, failure = spec:load { pin_dir = arguments.pin }
  local document = object.document(spec, coll)
  if not coll then return nil, failure, document end
  local ok = true
  if arguments.attach then ok, err = attach(coll, document) end
  if ok and arguments.pin then ok, err = pin(spec, coll, arguments.pin, document) end
  if not ok then return nil, err, document end
  local stays = arguments.attach and not arguments.pin
  local loop <close> = stays and new_loop() or nil -- who sees the report may send the signal at once
  if not arguments.json then
    print_report(document, arguments.file)
  elseif stays then
    report.print(document)
    arguments.json = false -- it has been printed
  end
  io.stdout:flush()
  if loop then loop:run() end
  return document
end

return load

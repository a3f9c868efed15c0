--- lua5.4 compare.lua KNOWN SET=FOLDER... : where libbpf's documents about objects (FOLDER/NAME.libbpf) and ours
-- (NAME.ours, NAME.load) differ, a line each, and a line of totals. Status 1 when there is a difference that KNOWN does
-- not explain.
--
-- A line of KNOWN: SET/OBJECT | beginning of the difference | why it is there. "*" stands for anything in the first two.
-- What libbpf decides by the running machine (its page size) and what it has not always had are taken out.
local json = require "dkjson"

local function read(path)
  local file = io.open(path)
  local text = file and file:read "a"
  if file then file:close() end
  return text and text ~= "" and json.decode(text) or text and {}
end

-- -- what is known --

local function glob(text)
  return "^" .. text:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*")
end

local function read_known(path)
  local known = {}
  for line in io.lines(path) do
    local object, what, why = line:match "^([^#|]-)%s*|%s*(.-)%s*|%s*(.+)$"
    if object then known[#known + 1] = { object = glob(object) .. "$", what = glob(what), why = why, line = line, count = 0 } end
    assert(object or line == "" or line:match "^#", "not a line of what is known: " .. line)
  end
  return known
end

local known = read_known(arg[1])
local totals = { objects = 0, same = 0, refused = 0, lenient = 0, slow = 0, known = 0, different = 0, loaded = 0, alone = 0 }

local function differ(object, text, ...)
  local what = text:format(...):gsub("\n.*", "")
  for _, row in ipairs(known) do
    if object:match(row.object) and what:match(row.what) then
      row.count = row.count + 1
      totals.known = totals.known + 1
      return
    end
  end
  totals.different = totals.different + 1
  print(("different: %s: %s"):format(object, what))
end

-- -- one object --

-- libbpf rounds a ring's size up to a page times a power of two when it opens the object; a Spec keeps what was written
local function ring_size(size)
  local pages = 4096
  if size == 0 then return 0 end
  while pages < size do pages = pages * 2 end
  return pages
end

local function normal_map(map)
  if map.type == "ringbuf" or map.type == "user_ringbuf" then map.max_entries = ring_size(map.max_entries) end
  return map
end

local function by_name(list, change)
  local items = {}
  for place, item in ipairs(list) do
    item = change and change(item) or item
    item.place = place
    items[item.name] = item
  end
  return items
end

local function compare_fields(object, what, left, right, fields)
  for _, field in ipairs(fields) do
    if left[field] ~= right[field] then
      differ(object, "%s: %s is %s, in libbpf %s", what, field, tostring(right[field]), tostring(left[field]))
    end
  end
end

local size_fields = { "type", "key_size", "value_size", "max_entries", "flags" }
local program_fields = { "place", "section", "type", "attach_type", "autoload", "instructions" }
local map_fields = {
  "place", "type", "key_size", "value_size", "max_entries", "flags", "map_extra", "numa_node", "pin", "autocreate", "key_type",
  "value_type",
}

local function compare_lists(object, what, theirs, ours, fields, change)
  local left, right = by_name(theirs, change), by_name(ours, change)
  for name, item in pairs(left) do
    local other = right[name]
    local title = ("%s '%s'"):format(what, name)
    if not other then
      differ(object, "%s is missing", title)
    else
      compare_fields(object, title, item, other, fields)
      if item.inner and other.inner then
        compare_fields(object, title .. ": inner map", normal_map(item.inner), normal_map(other.inner), size_fields)
      elseif item.inner or other.inner then
        differ(object, "%s: %s inner map", title, item.inner and "lacks its" or "has an")
      end
    end
  end
  for name in pairs(right) do
    if not left[name] then differ(object, "%s '%s' is not in libbpf's list", what, name) end
  end
end

-- `ebpf load --json` of what loaded as a whole: the same programs, loaded, and the same maps.
local function compare_report(object, theirs, report)
  local programs, maps = by_name(report.programs or {}), by_name(report.maps or {})
  for _, program in ipairs(theirs.programs) do
    local row = programs[program.name]
    -- of a struct_ops map that is optional, libbpf's flag says nothing
    local loads = program.autoload or program.type == "struct_ops"
    if not row then
      differ(object, "ebpf load: program '%s' is missing", program.name)
    elseif program.autoload and not row.loaded or row.loaded and not loads then
      differ(object, "ebpf load: program '%s' is %sloaded", program.name, row.loaded and "" or "not ")
    elseif row.type ~= program.type then
      differ(object, "ebpf load: program '%s': type is %s, in libbpf %s", program.name, row.type, program.type)
    end
  end
  for _, map in ipairs(theirs.maps) do
    if not maps[map.name] then differ(object, "ebpf load: map '%s' is missing", map.name)
    elseif maps[map.name].type ~= map.type then
      differ(object, "ebpf load: map '%s': type is %s, in libbpf %s", map.name, maps[map.name].type, map.type)
    end
  end
end

local function compare_loads(object, theirs, ours, report)
  if theirs.load_errno == 0 then
    totals.loaded = totals.loaded + 1
    if ours.load_errno ~= 0 then differ(object, "does not load: %s", ours.load_error)
    elseif not report then differ(object, "ebpf load: no report")
    elseif report.error then differ(object, "ebpf load: %s", report.error.message)
    else compare_report(object, theirs, report) end
  elseif ours.load_errno == 0 then
    totals.lenient = totals.lenient + 1
  end
  for name, errno in pairs(theirs.alone or {}) do
    if errno == 0 then
      totals.alone = totals.alone + 1
      local why = ours.alone and ours.alone[name]
      if ours.alone and why ~= 0 then differ(object, "program '%s' alone does not load: %s", name, why or "it is not there") end
    end
  end
end

local function compare(object, theirs, ours, report)
  local before = totals.different + totals.known
  if not ours then
    differ(object, "not read at all")
  elseif (theirs.error or ""):match "^it ended with" then
    differ(object, "libbpf's side: %s", theirs.error)
  elseif (ours.error or ""):match "^it ended with" then
    differ(object, "our side: %s", ours.error)
  elseif theirs.error and ours.error then
    totals.refused = totals.refused + 1
    if os.getenv "VERBOSE" then print(("both refuse %s\n  libbpf: %s\n  ours: %s"):format(object, theirs.error, ours.error)) end
    return
  elseif theirs.error then
    totals.lenient = totals.lenient + 1
    if os.getenv "VERBOSE" then print(("only we read %s\n  libbpf: %s"):format(object, theirs.error)) end
    return
  elseif ours.error then
    differ(object, "refused: %s", ours.error)
  else
    compare_lists(object, "program", theirs.programs, ours.programs, program_fields)
    compare_lists(object, "map", theirs.maps, ours.maps, map_fields, normal_map)
    if theirs.load_errno and ours.load_errno then
      compare_loads(object, theirs, ours, report)
    elseif theirs.load_errno then
      differ(object, "loading took too long, in libbpf not")
    elseif report then
      totals.slow = totals.slow + 1
    end
  end
  if totals.different + totals.known == before then totals.same = totals.same + 1 end
end

for i = 2, #arg do
  local set, folder = arg[i]:match "^(.-)=(.*)$"
  local pipe = assert(io.popen(("ls '%s'"):format(folder)))
  for file in pipe:lines() do
    local name = file:match "^(.*)%.libbpf$"
    if name then
      totals.objects = totals.objects + 1
      local path = folder .. "/" .. name
      compare(set .. "/" .. name, read(path .. ".libbpf"), read(path .. ".ours"), read(path .. ".load"))
    end
  end
  pipe:close()
end

if os.getenv "VERBOSE" then
  for _, row in ipairs(known) do print(("known, %d times: %s"):format(row.count, row.line)) end
end
print(("%d objects: %d the same, %d refused by both, %d more than libbpf's, %d loaded whole and %d programs alone, "
  .. "%d too slow to load; %d differences known, %d not"):format(totals.objects, totals.same, totals.refused, totals.lenient,
  totals.loaded, totals.alone, totals.slow, totals.known, totals.different))
os.exit(totals.different == 0)

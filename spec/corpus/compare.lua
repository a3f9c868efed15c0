-- lua5.4 compare.lua LIBBPF.jsonl OURS.jsonl : where two lists of objects differ, and a summary; status 1 when they do.
-- Lines are those of list_libbpf and list_spec. What libbpf decides by the running machine (its page size) is taken out.
local json = require "dkjson"

local STRUCT_OPS_MAP, RINGBUF, USER_RINGBUF, STRUCT_OPS_PROGRAM = 26, 27, 31, 27

local function read(path)
  local objects, order = {}, {}
  for line in io.lines(path) do
    local object = assert(json.decode(line), "not JSON: " .. line)
    local name = object.object:match "[^/]*$"
    objects[name], order[#order + 1] = object, name
  end
  return objects, order
end

-- libbpf rounds a ring's size up to a page times a power of two when it opens the object; a Spec keeps what was written
local function ring_size(size)
  local pages = 4096
  if size == 0 then return 0 end
  while pages < size do pages = pages * 2 end
  return pages
end

local function normal_map(map)
  if map.type == RINGBUF or map.type == USER_RINGBUF then map.max_entries = ring_size(map.max_entries) end
  if map.type == STRUCT_OPS_MAP then map.value_type = 0 end -- older versions of libbpf do not tell
  return map
end

local function normal_program(program)
  if program.type == STRUCT_OPS_PROGRAM then program.attach_type = 0 end -- older versions put the number of the member there
  return program.section ~= ".text" and program or nil -- older versions make a lonely function a program
end

local function by_name(list, change)
  local items, place = {}, 0
  for _, item in ipairs(list) do
    item = change(item)
    if item then
      place = place + 1
      item.place = place
      items[item.name] = item
    end
  end
  return items
end

local differences, same, refused, lenient, loaded = {}, 0, 0, {}, { [true] = 0, [false] = 0 }
local function differ(...) differences[#differences + 1] = string.format(...) end

local function compare_lists(name, what, theirs, ours, change, fields)
  local left, right = by_name(theirs, change), by_name(ours, change)
  for item_name, item in pairs(left) do
    local other = right[item_name]
    if not other then
      differ("%s: %s '%s' is missing", name, what, item_name)
    else
      for _, field in ipairs(fields) do
        if item[field] ~= other[field] then
          differ("%s: %s '%s': %s is %s, in libbpf %s", name, what, item_name, field, other[field], item[field])
        end
      end
    end
  end
  for item_name in pairs(right) do
    if not left[item_name] then differ("%s: %s '%s' is not in libbpf's list", name, what, item_name) end
  end
end

local program_fields = { "place", "section", "type", "attach_type", "autoload", "instructions" }
local map_fields = {
  "place", "type", "key_size", "value_size", "max_entries", "flags", "map_extra", "numa_node", "pin", "key_type", "value_type",
}

local theirs, order = read(arg[1])
local ours = read(arg[2])
for _, name in ipairs(order) do
  local left, right, before = theirs[name], ours[name], #differences
  if not right then
    differ("%s: not read at all", name)
  elseif left.error and right.error then
    refused = refused + 1
    print(("both refuse %s:\n    libbpf: %s (%d)"):format(name, left.error, left.errno))
    print(("    ours:   %s (%d)"):format(right.error, right.errno))
  elseif left.error then
    lenient[#lenient + 1] = ("%s is read (libbpf: %s)"):format(name, left.error)
  elseif right.error then
    differ("%s: refused: %s", name, right.error)
  else
    compare_lists(name, "program", left.programs, right.programs, normal_program, program_fields)
    compare_lists(name, "map", left.maps, right.maps, normal_map, map_fields)
    if left.load_errno and right.load_errno then
      if left.load_errno == 0 and right.load_errno ~= 0 then
        differ("%s: does not load: %s", name, right.load_error)
      elseif left.load_errno ~= 0 and right.load_errno == 0 then
        lenient[#lenient + 1] = ("%s loads (libbpf: %s)"):format(name, left.load_error)
      end
      loaded[right.load_errno == 0] = loaded[right.load_errno == 0] + 1
    end
    if #differences == before then same = same + 1 end
  end
end
table.sort(differences)
for _, line in ipairs(differences) do print("different: " .. line) end
for _, line in ipairs(lenient) do print("more than libbpf: " .. line) end
print(("%d objects: %d the same, %d refused by both, %d more than libbpf, %d differences"):format(
  #order, same, refused, #lenient, #differences))
if loaded[true] + loaded[false] > 0 then print(("%d load, %d do not"):format(loaded[true], loaded[false])) end
os.exit(#differences == 0)

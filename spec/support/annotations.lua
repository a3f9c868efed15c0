--- Reads LuaCATS annotations, as far as the generator writes them: classes with their fields, enums. A line that it does not
-- understand is an error, as is a type that nobody defines.
local annotations = {}

local builtin = {}
for name in ([[any nil boolean string integer number function table true false]]):gmatch "%a+" do builtin[name] = true end

-- The type at the start of `text`: its end, with the names in it added to `names`.
local parse_type

local function parse_atom(text, at, names)
  local stop = text:match("^fun()%(", at)
  if stop then
    local depth = text:match("^%b()()", stop)
    assert(depth, "parentheses of " .. text)
    for parameter in text:sub(stop + 1, depth - 2):gmatch "[^,]+" do
      local type = parameter:match "^%s*[%w_]+%??:%s*(.*)$"
      if type then assert(parse_type(type, 1, names) == #type + 1, "type " .. type) end
    end
    local returns = text:match("^: ()", depth)
    if not returns then return depth end
    stop = parse_type(text, returns, names)
    while text:match("^, ", stop) do stop = parse_type(text, stop + 2, names) end
    return stop
  end
  if text:match("^%(", at) then
    stop = parse_type(text, at + 1, names)
    return assert(text:match("^%)()", stop), "parenthesis of " .. text)
  end
  stop = text:match('^"[^"]*"()', at)
  if stop then return stop end
  stop = text:match("^table<()", at)
  if stop then
    stop = parse_type(text, stop, names)
    stop = parse_type(text, assert(text:match("^, ()", stop), text), names)
    return assert(text:match("^>()", stop), text)
  end
  local name
  name, stop = text:match("^([%a_][%w_%.]*)()", at)
  assert(name, ("no type at %d of '%s'"):format(at, text))
  names[name] = true
  return stop
end

function parse_type(text, at, names)
  local stop = parse_atom(text, at, names)
  while true do
    local after = text:match("^%[%]()", stop) or text:match("^%?()", stop)
    if after then
      stop = after
    elseif text:match("^|", stop) then
      stop = parse_atom(text, stop + 1, names)
    else
      return stop
    end
  end
end

local function parse_field(line, class, used)
  local name, rest = line:match "^([%a_][%w_]*%??) (.*)$"
  if not name then name, rest = line:match '^%["([^"]+)"%] (.*)$' end
  local index
  if not name then
    index, rest = line:match "^%[([%w_%.]+)[%[%]]*%] (.*)$"
    assert(index, "a field: " .. line)
    used[index] = true
  end
  local stop = parse_type(rest, 1, used)
  assert(rest:sub(stop) == "" or rest:match("^ # .", stop), "what follows a type: " .. line)
  if name then
    local list = class.fields
    list[#list + 1] = { name = name:gsub("%?$", ""), type = rest:sub(1, stop - 1), doc = rest:match("^ # (.*)$", stop) }
    class.by_name[name:gsub("%?$", "")] = list[#list]
  end
end

--- { classes = { name -> { parent =, doc =, fields = { { name =, type =, doc = } }, by_name = } }, enums = { name -> true }, used =
-- { name -> true } }
function annotations.read(text)
  local found = { classes = {}, enums = {}, used = {} }
  local class, doc
  for line in text:gmatch "([^\n]*)\n" do
    local tag, rest = line:match "^%-%-%-@(%l+) (.*)$"
    if tag == "class" then
      local name, parent = rest:match "^([%w_%.]+): ([%w_%.]+)"
      name = name or assert(rest:match "^([%w_%.]+)", line)
      class = found.classes[name] or { fields = {}, by_name = {}, parent = parent, doc = doc }
      found.classes[name] = class
      if parent then found.used[parent] = true end
    elseif tag == "field" then
      parse_field(rest, assert(class, line), found.used)
    elseif tag == "enum" then
      found.enums[assert(rest:match "^[%w_%.]+$", line)] = true
    elseif tag == "param" then
      local type = assert(rest:match "^[%w_]+%?? (.*)$", line)
      assert(parse_type(type, 1, found.used) == #type + 1, line)
    elseif tag == "return" then
      assert(rest:match("^ [%w_]+$", parse_type(rest, 1, found.used)), line)
    elseif tag and tag ~= "meta" then
      error("unknown tag: " .. line)
    end
    doc = line:match "^%-%-%- (.*)$"
    if not line:match "^%-%-%-@" then class = nil end
  end
  return found
end

--- The names that `found` uses and neither it nor `others` define, as a sorted list.
function annotations.undefined(found, others)
  local names = {}
  for name in pairs(found.used) do
    if not (builtin[name] or found.classes[name] or found.enums[name] or others.classes[name]) then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

return annotations

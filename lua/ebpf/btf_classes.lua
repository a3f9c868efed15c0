--- Types as annotations for an editor (LuaCATS): what maps and records of these types look like in Lua. A class for each struct and
-- union, members of anonymous ones lifted into it, and an `---@enum` with the table of its values for each enum. The text is a Lua
-- module, too: required, it gives the tables of the enums.
local classes = {}

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until while]])
  :gmatch "%l+" do keywords[word] = true end

local function is_identifier(name) return name:match "^[%a_][%w_]*$" and not keywords[name] end
local function key(name) return is_identifier(name) and name or ("[%q]"):format(name) end

local Writer = {}
Writer.__index = Writer

local function is_struct(type) return type.kind == "struct" or type.kind == "union" end
local function is_enum(type) return type.kind == "enum" or type.kind == "enum64" end

-- What a type is called: "struct event" is the class types.event. A name that is taken, or none, gets something behind.
function Writer:name(type, place)
  local name = self.names[type.id]
  if name then return name end
  local wanted = type.name ~= "" and type.name or place
  name = wanted
  local version = 1
  while self.taken[name] do
    version = version + 1
    name = ("%s___%d"):format(wanted, version)
  end
  self.taken[name], self.names[type.id] = true, name
  self.queue[#self.queue + 1] = type
  return name
end

local function is_char(type) return type.kind == "int" and type.size == 1 and type.name == "char" end

-- What a value of this type is in Lua.
function Writer:value(type, place)
  type = type:resolve()
  local kind = type.kind
  if kind == "array" then
    local element = type.type:resolve()
    return is_char(element) and "string" or self:value(element, place) .. "[]"
  elseif is_struct(type) or is_enum(type) then
    return "types." .. self:name(type, place)
  elseif kind == "int" then
    return type.encoding == "bool" and "boolean" or type.size <= 8 and "integer" or "string"
  elseif kind == "float" then
    return type.size <= 8 and "number" or "string"
  end
  return kind == "ptr" and "integer" or "string"
end

local function describe(btf, type)
  local text = btf:declare(type) or ""
  return text:find "[\n{]" and "" or " # " .. text
end

function Writer:fields(type, place, seen, depth)
  for _, member in ipairs(type.members) do
    local inner = member.type:resolve()
    if member.name == "" then
      if is_struct(inner) and depth < 32 then self:fields(inner, place, seen, depth + 1) end
    elseif not seen[member.name] then
      seen[member.name] = true
      local comment = describe(self.btf, member.type)
      if member.bit_size then comment = ("%s: %d"):format(comment ~= "" and comment or " #", member.bit_size) end
      self:add("---@field ", key(member.name), " ", self:value(member.type, place .. "." .. member.name), comment)
    end
  end
end

function Writer:add(...)
  self.lines[#self.lines + 1] = table.concat { ... }
end

function Writer:struct(type, name)
  self:add("")
  self:add(("--- %s, %d bytes"):format(type.name ~= "" and type.kind .. " " .. type.name or type.kind .. " of " .. name, type.size))
  self:add("---@class types.", name)
  self:fields(type, name, {}, 0)
end

function Writer:enum(type, name)
  if type.count == 0 then return end
  self:add("")
  self:add("---@enum types.", name)
  self:add(is_identifier(name) and "types." .. name or ("types[%q]"):format(name), " = {")
  for _, each in ipairs(type.enumerators) do self:add(("  %s = %d,"):format(key(each.name), each.value)) end
  self:add "}"
end

-- Writes what was named, and what that names, until nothing is left.
function Writer:drain()
  local at = 1
  while self.queue[at] do
    local type = self.queue[at]
    if is_struct(type) then self:struct(type, self.names[type.id]) else self:enum(type, self.names[type.id]) end
    at = at + 1
  end
  self.queue = {}
end

--- The text for the types of a list (and those that they contain), or for all that have a name.
function classes.text(btf, types)
  local writer = setmetatable({ btf = btf, names = {}, taken = {}, queue = {}, lines = {} }, Writer)
  writer:add "---@meta"
  writer:add "local types = {}"
  if types then
    for _, type in ipairs(types) do writer:value(type, "type" .. type.id) end
    writer:drain()
  else
    for _, type in pairs(btf) do
      if type.name ~= "" and (is_struct(type) or is_enum(type)) then
        writer:name(type, "")
        writer:drain()
      end
    end
  end
  writer:add ""
  writer:add "return types"
  return table.concat(writer.lines, "\n") .. "\n"
end

return classes

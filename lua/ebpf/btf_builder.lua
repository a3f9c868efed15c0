--- ebpf.btf.new(): types in the making.
--
--   local b = ebpf.btf.new()
--   b:add_struct { name = "event", members = { { "pid", "u32" }, { "comm", "char[16]" }, { "next", "struct event *" } } }
--   local btf = assert(b:finish())
--
-- Each add_... returns the new type's id. Where a type is wanted, it may be an id, a type object (of another BTF: it is copied
-- with all that it needs), nil for void, or a text: a name, with const and volatile before it, stars and [N] behind it. The usual
-- C integers and the kernel's (u32, __be16, ...) need not be added first. "struct x" and "union x" may be used before they are
-- added; those that never are become forward declarations.
local core = require "ebpf.core"

local builder = {}
builder.__index = builder
builder.__name = "ebpf.btf_builder"

-- name -> { size, encoding } as compilers write them; of a typedef, { of = name }
local SIGNED, CHAR, BOOL = 1, 2, 4
local builtins = {
  char = { 1, SIGNED }, ["signed char"] = { 1, SIGNED }, ["unsigned char"] = { 1, 0 }, short = { 2, SIGNED },
  ["unsigned short"] = { 2, 0 }, int = { 4, SIGNED }, ["unsigned int"] = { 4, 0 }, long = { 8, SIGNED },
  ["unsigned long"] = { 8, 0 }, ["long long"] = { 8, SIGNED }, ["unsigned long long"] = { 8, 0 },
  ["__int128"] = { 16, SIGNED }, ["unsigned __int128"] = { 16, 0 }, _Bool = { 1, BOOL }, bool = { of = "_Bool" },
  float = { 4, float = true }, double = { 8, float = true }, unsigned = { same = "unsigned int" },
  size_t = { of = "unsigned long" }, ssize_t = { of = "long" },
}
for bits, name in pairs { [8] = "char", [16] = "short", [32] = "int", [64] = "long long" } do
  local plain = bits == 8 and "signed char" or name
  for _, form in ipairs { "u%d", "__u%d", "uint%d_t" } do builtins[form:format(bits)] = { of = "unsigned " .. name } end
  for _, form in ipairs { "s%d", "__s%d", "int%d_t" } do builtins[form:format(bits)] = { of = plain } end
  for _, form in ipairs { "__be%d", "__le%d" } do builtins[form:format(bits)] = { of = "unsigned " .. name } end
end

--- ebpf.btf.new { base = btf, pointer_size = 8 }
function builder.new(options)
  options = options or {}
  for name in pairs(options) do
    if name ~= "base" and name ~= "pointer_size" then
      error(("unknown option '%s' (known: base, pointer_size)"):format(tostring(name)), 3)
    end
  end
  local pointer = options.pointer_size or options.base and options.base.pointer_size or 8
  return setmetatable({
    core = core.btf_builder(options.base), base = options.base, pointer_size = pointer,
    ids = {},      -- "struct x", "int" -> id
    sizes = {},    -- id -> { size, alignment }
    made = {},     -- what a text made: "const int" -> id
    awaited = {},  -- "struct x" -> id that is reserved for it
  }, builder)
end

function builder:close() self.core:close() end
builder.__close = builder.close
function builder:__tostring() return tostring(self.core) end

-- == sizes

-- Size and alignment of a type object, as compilers lay it out; nil when it has none.
local function measure_object(type, pointer_size, depth)
  type = type:resolve()
  local kind, align = type.kind, 1
  if not type.size or (depth or 0) > 32 then return nil end
  if kind == "array" then
    align = select(2, measure_object(type.type, pointer_size, (depth or 0) + 1))
  elseif kind == "struct" or kind == "union" then
    for _, member in ipairs(type.members) do
      local _, each = measure_object(member.type, pointer_size, (depth or 0) + 1)
      if each and each > align and member.offset % each == 0 then align = each end
    end
  else
    align = kind == "ptr" and pointer_size or type.size
  end
  return type.size, align or 1
end

function builder:measure(id)
  local known = self.sizes[id]
  if known then return known[1], known[2] end
  if self.base and id < #self.base + 1 and id > 0 then return measure_object(self.base:type(id), self.pointer_size) end
end

-- == references

local function add(self, description, level)
  local id, err = self.core:add_type(description)
  if not id then error(tostring(err), (level or 1) + 2) end
  return id
end

local function text_of(text) return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")) end

-- Each of these takes a text and gives an id, or nil when the text is none of its kind.

function builder:named(name)
  if self.ids[name] then return self.ids[name] end
  if self.base then
    local type = self.base:find(name)
    if type then return type.id end
  end
  local row = builtins[name]
  if row and row.same then return self:named(row.same) end
  if row and row.of then return self:add_typedef { name = name, type = row.of } end
  if row and row.float then return self:add_float { name = name, size = row[1] } end
  if row then
    local size = name:match "long$" and not name:match "long long$" and self.pointer_size or row[1]
    return self:add_int { name = name, size = size, encoding = row[2] }
  end
  if not name:match "^struct [%w_]+$" and not name:match "^union [%w_]+$" then return nil end
  local id, err = self.core:reserve()
  if not id then error(tostring(err), 0) end
  self.awaited[name], self.ids[name] = id, id
  return id
end

function builder:parse(text)
  local inner, count = text:match "^(.-) ?%[ ?(%w+) ?%]$"
  if inner then
    -- "int[2][3]" is an array of 2 arrays of 3: the first brackets are the outermost
    local before, first = inner:match "^([^%[]-) ?%[ ?(%w+) ?%]"
    if before then
      local rest = text:sub(#text:match "^[^%[]*%[[^%]]*%]" + 1)
      return self:add_array { type = before .. rest, count = math.tointeger(tonumber(first)) }
    end
    return self:add_array { type = inner, count = math.tointeger(tonumber(count)) }
  end
  inner = text:match "^(.-) ?%*$"
  if inner then return self:add_ptr(inner) end
  inner = text:match "^(.*%*) ?const$"
  if inner then return self:add_const(inner) end
  inner = text:match "^const (.*)$"
  if inner and not inner:match "%*" then return self:add_const(inner) end
  inner = text:match "^volatile (.*)$"
  if inner then return self:add_volatile(inner) end
  if text == "void" then return 0 end
  return self:named(text)
end

--- The id of what stands where a type is wanted.
function builder:ref(what)
  if what == nil then return 0 end
  if math.type(what) == "integer" then return what end
  if type(what) == "userdata" then
    local btf = what.btf
    if self.base and btf == self.base then return what.id end
    local id, err = self.core:copy(btf, what)
    if not id then error(tostring(err), 3) end
    self.sizes[id] = { measure_object(what, self.pointer_size) }
    return id
  end
  if type(what) ~= "string" then error(("a type expected (an id, a name or a type object), got %s"):format(type(what)), 3) end
  local text = text_of(what)
  local id = self.made[text] or self:parse(text)
  if not id then error(("unknown type '%s'"):format(what), 3) end
  if text:match "[%*%[]" or text:match "^const " or text:match "^volatile " then self.made[text] = id end
  return id
end

-- == kinds

-- Adds, and remembers name, size and alignment.
function builder:remember(description, prefix, size, align)
  local name = description.name and description.name ~= "" and (prefix or "") .. description.name
  if name and self.awaited[name] then
    description.id, self.awaited[name] = self.awaited[name], nil
  end
  local id = add(self, description, 2)
  if name then self.ids[name] = self.ids[name] or id end
  if size then self.sizes[id] = { size, align } end
  return id
end

local encodings = { [""] = 0, unsigned = 0, signed = SIGNED, char = CHAR, bool = BOOL }

--- { name =, size =, encoding = "signed"|"char"|"bool"|"unsigned", bits =, bit_offset = }
function builder:add_int(t)
  local encoding = t.encoding or t.signed and SIGNED or 0
  if type(encoding) == "string" then
    encoding = encodings[encoding] or error(("encoding: unknown '%s' (known: bool, char, signed, unsigned)"):format(t.encoding), 2)
  end
  return self:remember({
    kind = "int", name = t.name, size = t.size, encoding = encoding, bits = t.bits, bit_offset = t.bit_offset,
  }, nil, t.size, t.size)
end

--- { name =, size = }
function builder:add_float(t) return self:remember({ kind = "float", name = t.name, size = t.size }, nil, t.size, t.size) end

--- (type), for each of these
function builder:add_ptr(type)
  return self:remember({ kind = "ptr", type = self:ref(type) }, nil, self.pointer_size, self.pointer_size)
end

local function qualifier(kind)
  return function(self, type)
    local of = self:ref(type)
    return self:remember({ kind = kind, type = of }, nil, self:measure(of))
  end
end
builder.add_const, builder.add_volatile, builder.add_restrict = qualifier "const", qualifier "volatile", qualifier "restrict"

--- { type =, count =, index = } (index: "unsigned int")
function builder:add_array(t)
  local of, index = self:ref(t.type), self:ref(t.index or "unsigned int")
  local count, size, align = t.count or 0, self:measure(of)
  return self:remember({ kind = "array", type = of, index = index, count = count }, nil, size and size * count, align)
end

-- Members with their offsets (in bits), those that are not given as a C compiler places them; and size and alignment of the whole.
function builder:place(t, is_union)
  local parts, at, size, align = {}, 0, 0, 1
  for i, member in ipairs(t.members or {}) do
    local of = self:ref(member.type or member[2])
    local bytes, each = self:measure(of)
    local bits = member.bit_size or member[3]
    local offset = member.bit_offset or member.offset and 8 * member.offset
    each = each or 1
    if not offset and is_union then offset = 0 end
    if not offset then
      if not bytes then
        error(("member '%s': its type has no size, so say where it lies (offset)"):format(member.name or member[1] or i), 3)
      end
      local fits = bits and at // (8 * bytes) == (at + bits - 1) // (8 * bytes)
      offset = fits and at or (at + 8 * each - 1) // (8 * each) * 8 * each
    end
    at = offset + (bits or 8 * (bytes or 0))
    size, align = math.max(size, at), math.max(align, each)
    parts[i] = { name = member.name or member[1], type = of, offset = offset, size = bits }
  end
  return parts, t.size or (size + 8 * align - 1) // (8 * align) * align, align
end

--- { name =, size =, members = { member, ... } }, a member being { name =, type =, offset = bytes or bit_offset = bits,
-- bit_size = } or { name, type [, bit_size] }.
function builder:add_struct(t)
  local parts, size, align = self:place(t)
  return self:remember({ kind = "struct", name = t.name, size = size, parts = parts }, "struct ", size, align)
end

function builder:add_union(t)
  local parts, size, align = self:place(t, true)
  return self:remember({ kind = "union", name = t.name, size = size, parts = parts }, "union ", size, align)
end

-- A list of { name =, value = } or names, which count on; or a table name = value.
local function enumerators(t)
  local parts, next_value, negative = {}, 0, false
  local list = t.enumerators or {}
  if #list == 0 and next(list) ~= nil then
    list = {}
    for name, value in pairs(t.enumerators) do list[#list + 1] = { name = name, value = value } end
    table.sort(list, function(a, b) return a.value < b.value or a.value == b.value and a.name < b.name end)
  end
  for i, each in ipairs(list) do
    if type(each) == "string" then each = { name = each } end
    local value = each.value or each[2] or next_value
    parts[i] = { name = each.name or each[1], value = value }
    next_value, negative = value + 1, negative or value < 0
  end
  return parts, negative
end

local function enum(kind, bytes)
  return function(self, t)
    local parts, negative = enumerators(t)
    local signed = t.signed
    if signed == nil then signed = negative end
    local size = t.size or bytes
    return self:remember({ kind = kind, name = t.name, size = size, flag = signed, parts = parts }, "enum ", size, size)
  end
end
--- { name =, size =, signed =, enumerators = { { name =, value = }, ... } or { "A", "B" } or { A = 1 } }; with values of 64 bits:
-- add_enum64.
builder.add_enum, builder.add_enum64 = enum("enum", 4), enum("enum64", 8)

--- { name =, of = "struct" or "union" }
function builder:add_fwd(t)
  local of = t.of or "struct"
  if of ~= "struct" and of ~= "union" then error("of: 'struct' or 'union' expected", 2) end
  return self:remember({ kind = "fwd", name = t.name, flag = of == "union" }, of .. " ")
end

--- { name =, type = }
function builder:add_typedef(t)
  local of = self:ref(t.type)
  return self:remember({ kind = "typedef", name = t.name, type = of }, nil, self:measure(of))
end

--- { type = what it returns, params = { { name =, type = } or { name, type }, ... } }
function builder:add_func_proto(t)
  local parts = {}
  for i, param in ipairs(t.params or {}) do
    parts[i] = { name = param.name or param[1], type = self:ref(param.type or param[2]) }
  end
  return self:remember { kind = "func_proto", type = self:ref(t.type), parts = parts }
end

local linkages = { static = 0, global = 1, extern = 2 }
local function linkage(t, default)
  local value = t.linkage == nil and default or linkages[t.linkage] or t.linkage
  if math.type(value) ~= "integer" then
    error(("linkage: unknown '%s' (known: extern, global, static)"):format(tostring(t.linkage)), 3)
  end
  return value
end

--- { name =, type = its prototype, or params = and returns = of one that is made, linkage = "static"|"global"|"extern" }
function builder:add_func(t)
  local proto = t.type and self:ref(t.type) or self:add_func_proto { type = t.returns, params = t.params }
  return self:remember({ kind = "func", name = t.name, type = proto, linkage = linkage(t, 0) }, "func ")
end

--- { name =, type =, linkage = "global" }
function builder:add_var(t)
  local of = self:ref(t.type)
  return self:remember({ kind = "var", name = t.name, type = of, linkage = linkage(t, 1) }, "var ", self:measure(of))
end

--- { name =, size =, variables = { { type = the variable, offset =, size = }, ... } }
function builder:add_datasec(t)
  local parts, size = {}, 0
  for i, entry in ipairs(t.variables or {}) do
    local of = self:ref(entry.type)
    local bytes = entry.size or self:measure(of) or 0
    local offset = entry.offset or 0
    parts[i] = { type = of, offset = offset, size = bytes }
    size = math.max(size, offset + bytes)
  end
  return self:remember({ kind = "datasec", name = t.name, size = t.size or size, parts = parts }, "section ")
end

--- { name =, type =, component = number of a member or parameter from 0, or -1 }
function builder:add_decl_tag(t)
  local of = self:ref(t.type)
  return self:remember({ kind = "decl_tag", name = t.name, type = of, component = t.component or -1, flag = t.attribute }, "tag ")
end

--- { name =, type = }
function builder:add_type_tag(t)
  local of = self:ref(t.type)
  return self:remember({ kind = "type_tag", name = t.name, type = of, flag = t.attribute }, "tag ", self:measure(of))
end

--- A type of another BTF with all that it needs, or all of a BTF's types (which then keep their order); returns the (first) new id.
function builder:add(type) return self:ref(type) end
function builder:add_all(btf) return self.core:copy_all(btf) end

--- The BTF; or nil, err. The builder can be used on.
function builder:finish()
  for name, id in pairs(self.awaited) do
    local of, tag = name:match "^(%w+) (.*)$"
    add(self, { kind = "fwd", name = tag, flag = of == "union", id = id })
  end
  self.awaited = {}
  return self.core:read()
end

return builder

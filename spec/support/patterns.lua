-- Prints what string.find, match, gmatch and gsub make of many patterns that nobody would write, and of some that somebody
-- would: run by Lua itself and in a sandbox, it prints the same.
local seed = 1
local function random(most)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % most + 1
end
local function pick(list) return list[random(#list)] end

local atoms = { "a", "b", ".", "%a", "%d", "%A", "%s", "%w", "%x", "%p", "%%", "%.", "[ab]", "[^a]", "[a-c]", "[%d_]",
  "[^%s]", "[]]", "[]a]", "[^]]", "[a-]", "[%a-z]", "[-a]", "[+--]", "%z", "%k", "\0", "é", "[\0-\31]", "[a-%%]", "[%]]" }
local singles = { "^", "$", "(", ")", "()", "(a", "a)", "%1", "%2", "%b()", "%bab", "%baa", "%f[a]", "%f[^a]", "%f[%z]",
  "%f[%W]", "-", "*", "+", "?" }
local broken = { "[", "[a", "[^", "[^]", "%", "%b", "%bx", "%f", "%fa", "%f[", "%0", "%9", "[%", "[a-", "(()", "[%]" }
local repeats = { "", "", "", "*", "+", "-", "?" }
local letters = { "a", "b", "c", "(", ")", "1", "_", " ", ".", "%", "]", "-", "\0", "é", "A" }
local replacements = { "x", "%0", "<%1>", "%2", "%%", "%", "%x", 7, "", "[%1%0%%]" }

local function some_pattern()
  local parts, open = {}, 0
  if random(8) == 1 then parts[1] = "^" end
  for _ = 1, random(5) do
    local kind = random(12)
    if kind <= 7 then
      parts[#parts + 1] = pick(atoms) .. pick(repeats)
    elseif kind == 8 and open < 3 then
      parts[#parts + 1], open = "(", open + 1
    elseif kind == 9 and open > 0 then
      parts[#parts + 1], open = ")", open - 1
    elseif kind == 12 and random(3) == 1 then
      parts[#parts + 1] = pick(broken)
    else
      parts[#parts + 1] = pick(singles)
    end
  end
  if random(4) > 1 then parts[#parts + 1] = (")"):rep(open) end
  if random(8) == 1 then parts[#parts + 1] = "$" end
  return table.concat(parts)
end

local function some_text()
  local parts = {}
  for i = 1, random(12) - 1 do parts[i] = pick(letters) end
  return table.concat(parts)
end

-- Lua's words for a mistake, without the place; where the capture is missing, some versions say and some do not.
local function show(ok, ...)
  if not ok then
    return "!" .. tostring((...)):gsub("^[^:]*:%d+: ", ""):gsub("(capture index %%%d+) in .*", "%1")
  end
  local values = table.pack(...)
  for i = 1, values.n do
    local value = values[i]
    values[i] = (math.type(value) == "integer" or value == nil) and tostring(value) or ("%q"):format(tostring(value))
  end
  return table.concat(values, ",")
end

local function all(text, pattern, from)
  local list = {}
  for a, b, c in text:gmatch(pattern, from) do list[#list + 1] = show(true, a, b, c) end
  return table.concat(list, ";")
end

local function try(text, pattern, from, replacement, most)
  print(("%q %q %d: %s | %s | %s | %s | %s | %s"):format(pattern, text, from,
    show(pcall(string.find, text, pattern, from)), show(pcall(string.match, text, pattern, from)),
    show(pcall(all, text, pattern, from)),
    show(pcall(string.gsub, text, pattern, replacement, most)),
    show(pcall(string.gsub, text, pattern, function(a, b) return b or a and a == "a" and 1 end)),
    show(pcall(string.gsub, text, pattern, { a = "A", b = false, [1] = "one" }))))
end

local last = tonumber(arg and arg[1]) or 20000
for i = 1, last do
  local text, pattern, from = some_text(), some_pattern(), random(3) == 1 and random(20) - 8 or 1
  try(text, pattern, from, pick(replacements), random(4) == 1 and random(4) - 1 or nil)
  if i % 1000 == 0 then print(i) end
end
local many = ("(a)"):rep(32)
local pairs_of = {
  { ("a"):rep(40), many }, { ("a"):rep(40), many .. "()" }, { ("a"):rep(40), many .. "%32" },
  { "hello world from Lua", "(%w+) (%w+)" }, { "key = value", "^(%w+)%s*=%s*(%w+)$" }, { "THE (quick) fox", "%f[%a]%a+%f[%A]" },
  { "x^2 + (a(b)c)", "%b()" }, { "", "" }, { "", ".*" }, { "abc", "" }, { "abc", "b*" }, { "aaa", "^a" }, { "a,b,,c", "([^,]*)" },
  { ("ab"):rep(50), ("(ab)-"):rep(20) }, { ("x"):rep(300), ("x?"):rep(80) .. ("x"):rep(80) },
  { ("[" .. ("a"):rep(90) .. "]"):rep(2), "%[" .. ("a"):rep(90) .. "%]" },
  { ("z"):rep(70), ("[x-z]"):rep(70) }, { ("z"):rep(70), ("[x-z]"):rep(71) },
}
for _, pair in ipairs(pairs_of) do try(pair[1], pair[2], 1, "<%0>") end
print(("abc"):find("b", 1, true), ("a.c"):find(".", 1, true), ("abc"):find("", 10), ("abc"):find("", 4), ("abc"):find("c", -1))
print(("abc"):find("", math.mininteger), ("abc"):find("", math.maxinteger), ("a\0b"):find("\0b", 1, true), ("a"):find("x", 1, true))
for _, call in ipairs {
  function() return ("x"):find() end, function() return string.find() end, function() return ("x"):gsub("x") end,
  function() return ("x"):gsub("x", true) end, function() return ("x"):gsub("x", function() return {} end) end,
  function() return ("x"):gsub("x", { x = print }) end, function() return ("x"):gmatch({}) end,
  function() return ("x"):match("x", "y") end, function() return string.gsub(12, 1, 3) end,
  function() return ("x"):gsub(".", "y", "z") end,
} do print(show(pcall(call))) end

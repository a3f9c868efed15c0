-- bpftool as oracle for types.
local process = require "spec.support.process"
local bpftool = {}

--- Its version, 705 for 7.5: since then types are sorted, and prototypes and macros for kernel functions are printed.
function bpftool.version()
  local major, minor = process.run("bpftool version"):match "bpftool v(%d+)%.(%d+)"
  return tonumber(major) * 100 + tonumber(minor)
end

-- Where ours differs on purpose: enums of one byte, which bpftool before 7.2 did not say; and a member that makes a union as wide
-- as it is.
local function common(text, new)
  text = text:gsub(" __attribute__%(%(mode%(%a+%)%)%)", ""):gsub("\n\t*struct {\n[\t long:64;\n]*};", "")
  -- 7.1 leaves it out of members (s390x)
  if not new then text = text:gsub("(\n\t+}) __attribute__%(%(packed%)%)", "%1") end
  return text
end

local function same(ours, theirs, what)
  if ours == theirs then return end
  local at = 1
  while ours:byte(at) == theirs:byte(at) do at = at + 1 end
  error(("%s: at byte %d\nours:    %q\nbpftool: %q"):format(what, at, ours:sub(at - 80, at + 80), theirs:sub(at - 80, at + 80)), 0)
end

--- Raises unless bpftool prints the types of a file as `btf` is printed, raw and as C. `options`: bpftool's, for the file's base.
function bpftool.prints_the_same(btf, path, options)
  local new = bpftool.version() >= 705
  local command = "bpftool " .. (options or "") .. " btf dump file " .. path
  same(btf:dump { format = "raw" }, process.run(command .. " format raw"), path .. ", raw")
  local header = btf:dump { header = true, functions = new }
  local theirs = process.run(command .. " format c" .. (new and " unsorted 2>/dev/null" or ""))
  same(common(header, new), common(theirs, new), path .. ", c")
end

return bpftool

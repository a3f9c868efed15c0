-- What the specs of links share: a program that counts, and what every link can do.
local assert = require "luassert"
local ebpf = require "ebpf"
local asm = ebpf.asm
local links = {}

--- A program that counts its runs in an array's first element.
function links.counter(options)
  local counts = assert(ebpf.map { type = "array", key = "u32", value = "u64", max_entries = 1, name = "counts" })
  local full = {
    license = "GPL", name = "counter", instructions = {
      asm.store_imm("u32", asm.r10, 0, -4),
      asm.mov(asm.r2, asm.r10), asm.add(asm.r2, -4),
      asm.ld_map(asm.r1, counts),
      asm.call "map_lookup_elem",
      asm.jeq(asm.r0, 0, "out"),
      asm.mov(asm.r1, 1),
      asm.atomic_add("u64", asm.r0, asm.r1, 0),
      asm.label "out",
      asm.mov(asm.r0, options.returns or 0), asm.exit(),
    },
  }
  for name, value in pairs(options) do if name ~= "returns" then full[name] = value end end
  return assert(ebpf.program(full)), counts
end

--- What every link can do. `effect` makes the program run.
function links.behaves(link, program, counts, kind, effect)
  local before = counts[0]
  effect()
  assert.is_true(counts[0] > before, kind .. " has no effect")
  assert.equal(kind, link.kind)
  assert.equal(program, link.program)
  assert.is_string(link.interface)
  assert.is_string(link.target)
  assert.equal("ebpf.link: " .. link.target, tostring(link))
  if link:fd() >= 0 then
    local info = link:info()
    if info then assert.equal(program:info().id, info.program_id) end
  end
  assert.is_true(link:detach())
  assert.is_true(link:detach())
  before = counts[0]
  effect()
  assert.equal(before, counts[0])
  link:close()
  link:close()
  assert.equal("ebpf.link (closed)", tostring(link))
  assert.error_matches(function() return link.kind end, "link is closed")
  assert.error_matches(function() link:info() end, "link is closed")
end

return links

-- What spec/support/sweep.c runs with too little memory: something of everything.
local ebpf = require "ebpf"
local asm = ebpf.asm

local spec = assert(ebpf.spec "build/spec/bpf/lua_records.bpf.o")
spec.maps.events.max_entries = 8192
spec.variables.wanted:set(2)
local coll = assert(spec:load { programs = { "fill" }, variables = { written = 5 } })

local loop = assert(ebpf.loop())
local sum = 0
assert(loop:on(coll.maps.events, function(e) sum = sum + e.pid end))
local ring = assert(ebpf.ringbuf(coll.maps.plain, { type = "struct nested", view = true }))
assert(loop:on(ring, function(e) sum = sum + e.id end))
loop:every(0.5, function() end)
coll.programs.fill:run { data = ("\0"):rep(14) }
loop:step(0)

local m = assert(ebpf.map { type = "hash", key = "char[8]", value = "u32[4]", max_entries = 4 })
m:set("x", { 1, 2 })
for _, value in pairs(m) do sum = sum + value[1] end
sum = sum + m:view().x[2]

local program, err = ebpf.program { type = "socket_filter", license = "GPL", instructions = { asm.exit() } }
if not program then sum = sum + #(err.log or "") + #tostring(err) end
ebpf.spec "/no/such/object.o"
local builder = ebpf.btf.new { base = spec.btf }
builder:add_struct { name = "swept", members = { { "pid", "u32" }, { "next", "struct swept *" }, { "other", "struct nested" } } }
local types = assert(builder:finish())
for _, type in pairs(types) do sum = sum + #(type.members or {}) + #tostring(type) end
sum = sum + #types:dedup() + types:offsetof("struct swept", "other") + #types:bytes { byteorder = "big" }
sum = sum + types:decode("struct swept", types:encode("struct swept", { pid = 1 })).pid + #types:layout("struct swept").fields
local base, small = assert(types:distill())
sum = sum + #base + #assert(small:relocate(spec.btf)) + #ebpf.btf.minimize(spec.btf, { spec })
coll:attach()
coll.variables.wanted:set(1)
sum = sum + coll.variables.wanted:get()
pcall(function() m:set("x", { a = 1 }) end)
loop:close()

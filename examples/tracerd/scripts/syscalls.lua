-- System calls by the name of the process: counted in the kernel, read when somebody asks.
local ebpf = require "ebpf"
local asm = ebpf.asm

local calls = assert(ebpf.map { type = "hash", name = "calls", key = "char[16]", value = "u64", max_entries = 4096 })

local program = assert(ebpf.program { type = "raw_tracepoint", name = "count_calls", license = "GPL", instructions = {
  asm.store_imm("u64", asm.r10, 0, -16), asm.store_imm("u64", asm.r10, 0, -8), -- Linux 6.1 leaves what is after the name as it was
  asm.mov(asm.r1, asm.r10), asm.add(asm.r1, -16),         -- the key: comm, on the stack
  asm.mov(asm.r2, 16),
  asm.call "get_current_comm",
  asm.ld_map(asm.r1, calls),
  asm.mov(asm.r2, asm.r10), asm.add(asm.r2, -16),
  asm.call "map_lookup_elem",
  asm.jeq(asm.r0, 0, "new"),
  asm.mov(asm.r1, 1), asm.atomic_add("u64", asm.r0, asm.r1, 0),
  asm.mov(asm.r0, 0), asm.exit(),
  asm.label "new",
  asm.store("u64", asm.r10, 1, -24),
  asm.ld_map(asm.r1, calls),
  asm.mov(asm.r2, asm.r10), asm.add(asm.r2, -16),
  asm.mov(asm.r3, asm.r10), asm.add(asm.r3, -24),
  asm.mov(asm.r4, 1),                                     -- BPF_NOEXIST: whoever comes second loses one call
  asm.call "map_update_elem",
  asm.mov(asm.r0, 0), asm.exit(),
} })
link = assert(ebpf.link.raw_tracepoint(program, "sys_enter")) -- luacheck: ignore (global: it lives as long as the script)

-- The daemon calls this at each scrape.
function metrics(metric) -- luacheck: ignore
  for comm, count in pairs(calls) do
    metric("tracerd_syscalls_total", "counter", "System calls, by the name of the process.", { comm = comm }, count)
  end
end

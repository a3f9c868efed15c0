-- Programs that start: a record for each comes by a ring buffer to the loop that the daemon runs.
local ebpf = require "ebpf"
local asm = ebpf.asm

local events = assert(ebpf.map { type = "ringbuf", name = "events", max_entries = 64 * 1024 })

local program = assert(ebpf.program { type = "tracepoint", name = "on_exec", license = "GPL", instructions = {
  asm.store_imm("u64", asm.r10, 0, -16), asm.store_imm("u64", asm.r10, 0, -8), -- Linux 6.1 leaves what is after the name as it was
  asm.mov(asm.r1, asm.r10), asm.add(asm.r1, -16),
  asm.mov(asm.r2, 16),
  asm.call "get_current_comm",
  asm.ld_map(asm.r1, events),
  asm.mov(asm.r2, asm.r10), asm.add(asm.r2, -16),
  asm.mov(asm.r3, 16),
  asm.mov(asm.r4, 0),
  asm.call "ringbuf_output",
  asm.mov(asm.r0, 0), asm.exit(),
} })
link = assert(ebpf.link.tracepoint(program, "sched:sched_process_exec")) -- luacheck: ignore

local execs = {}
ebpf.loop():on(events, function(record)
  local comm = string.unpack("z", record)
  execs[comm] = (execs[comm] or 0) + 1
end, { raw = true })

function metrics(metric) -- luacheck: ignore
  for comm, count in pairs(execs) do
    metric("tracerd_execs_total", "counter", "Programs started, by name.", { comm = comm }, count)
  end
end

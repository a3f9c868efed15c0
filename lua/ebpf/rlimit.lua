--- ebpf.rlimit: the limit on locked memory.
local core = require "ebpf.core"

local rlimit = {}

--- Takes RLIMIT_MEMLOCK away, against which kernels before 5.11 count the memory of maps and programs: true when it was raised,
-- false when there was no need; nil, err when it stays. Loading a program and making a map do it by themselves, where it is
-- needed.
rlimit.remove_memlock = core.remove_memlock

return rlimit

-- The same as load_ebpf.c with the Lua module.
assert(require "ebpf".load(arg[1])):close()

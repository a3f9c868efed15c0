rockspec_format = "3.0"
package = "ebpf"
version = "scm-1"
source = { url = "git+file://." } -- built in place, by `luarocks make`
description = {
  summary = "An eBPF engine for Lua: load, assemble, attach, read and script eBPF on Linux",
  detailed = "What cilium/ebpf is for Go, for Lua 5.4, in C on its own loader (libelf; no libbpf, no LLVM at run time).",
  license = "MIT",
  labels = { "ebpf", "linux", "tracing", "networking" },
}
supported_platforms = { "linux" }
-- `require "ebpf"` needs no Lua library; the command `ebpf` needs argparse and dkjson, and says so when they are not there.
dependencies = { "lua >= 5.4, < 5.5" }
external_dependencies = { ELF = { header = "libelf.h", library = "elf" }, MNL = { header = "libmnl/libmnl.h", library = "mnl" },
  ZLIB = { header = "zlib.h", library = "z" } }
build = {
  type = "make",
  build_target = "build/lua/ebpf/core.so",
  build_variables = { LUA_CFLAGS = "-I$(LUA_INCDIR)", CFLAGS = "$(CFLAGS)" },
  install_target = "install-lua",
  install_variables = { LUA_CFLAGS = "-I$(LUA_INCDIR)", CFLAGS = "$(CFLAGS)", LUA_LIBDIR = "$(LIBDIR)", LUA_SHAREDIR = "$(LUADIR)" },
  install = { bin = { ebpf = "lua/ebpf/cli/main.lua" } },
}

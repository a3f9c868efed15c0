--- ebpf.btf: types. Reading needs no kernel; ebpf.btf(path) is ebpf.btf.read(path).
local core = require "ebpf.core"

local btf = {}

--- ebpf.btf.read(path [, base]), { path = p, base = btf } or { bytes = s, base = btf }: raw BTF, or the .BTF of an ELF file. Split
-- BTF, such as a kernel module's, is read with its base.
function btf.read(source, base)
  if type(source) == "string" then return core.btf_file(source, base) end
  if type(source) ~= "table" then error("a path or a table { bytes = s } expected, got " .. type(source), 2) end
  for name in pairs(source) do
    if name ~= "path" and name ~= "bytes" and name ~= "base" then
      error(("unknown option '%s' (known: base, bytes, path)"):format(tostring(name)), 2)
    end
  end
  if source.bytes then return core.btf_bytes(source.bytes, source.base) end
  if source.path then return core.btf_file(source.path, source.base) end
  error("path or bytes expected", 2)
end

--- The running kernel's types, and those of one of its modules.
btf.vmlinux = core.btf_vmlinux
btf.module = core.btf_module

--- What the kernel has loaded: { { id =, size =, kernel = true or false, name = "vmlinux" }, ... }; the types of one by its id.
btf.list = core.btf_list
btf.open = core.btf_open

--- ebpf.btf.minimize(target, { spec, ... }): the types of a target kernel that the CO-RE relocations of these objects look at,
-- and no others: saved to a file, they are the `btf` option of loading where a kernel has none.
function btf.minimize(target, specs) return core.btf_minimize(target, type(specs) == "userdata" and { specs } or specs) end

--- ebpf.btf.new { base = btf }: a builder (btf_builder.lua).
function btf.new(options) return require "ebpf.btf_builder".new(options) end

return setmetatable(btf, { __call = function(_, ...) return btf.read(...) end })

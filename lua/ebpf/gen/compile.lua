--- C sources -> BPF objects, by clang. Only here a compiler is run; what is generated needs none.
--
-- The same source gives the same bytes in any folder: paths are mapped to what they are as seen from the source, and clang's
-- version is left out. A compiler may still write other code than the one before it.
local core = require "ebpf.core"
local file = require "ebpf.gen.file"

local compile = {}

-- What a target says: bytes in which order, and for which machine's registers and system calls (__TARGET_ARCH_x of bpf_tracing.h).
local machines = {
  x86 = { "x86", "x86_64", "amd64", "386", "i386" }, arm64 = { "arm64", "aarch64" }, arm = { "arm" },
  riscv = { "riscv", "riscv64" },
  s390 = { "s390", "s390x" }, powerpc = { "powerpc", "ppc64", "ppc64le", "ppc" }, mips = { "mips", "mips64", "mips64le", "mipsle" },
  loongarch = { "loongarch", "loong64", "loongarch64" }, sparc = { "sparc", "sparc64" }, arc = { "arc" },
}
local big_machines = {
  s390 = true, s390x = true, sparc = true, sparc64 = true, ppc64 = true, ppc = true, mips = true, mips64 = true,
}

local function machine_of(name)
  for machine, names in pairs(machines) do
    for _, each in ipairs(names) do
      if each == name then return machine end
    end
  end
end

--- The byte order of the machine that this runs on.
local function host_order() return string.pack("=I2", 1) == "\1\0" and "little" or "big" end

-- The running machine's name, as a target.
local function host_machine()
  local pipe <close> = io.popen "uname -m"
  return pipe and machine_of((pipe:read "l" or ""):gsub("^i.86$", "i386"))
end

--- "bpf" (this machine), "bpfel", "bpfeb" (no machine: sources that look at registers say so), or a machine ("x86", "arm64", Go's
-- and uname's names too) -> { name =, byteorder =, arch = or nil }
function compile.target(name)
  if name == "bpf" then return { name = name, byteorder = host_order(), define = host_machine() } end
  if name == "bpfel" then return { name = name, byteorder = "little" } end
  if name == "bpfeb" then return { name = name, byteorder = "big" } end
  local machine = machine_of(name)
  if machine then
    return { name = name, byteorder = big_machines[name] and "big" or "little", define = machine, arch = machine }
  end
  local known = { "bpf", "bpfeb", "bpfel" }
  for each in pairs(machines) do known[#known + 1] = each end
  table.sort(known)
  return core.fail(22, ("target '%s': unknown"):format(name), "known: " .. table.concat(known, ", "))
end

--- Words as a shell would take them apart: spaces, quotes and backslashes.
function compile.split(text)
  local words, word, quote = {}, nil, nil
  local i = 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == "\\" and quote ~= "'" and i < #text then
      i = i + 1
      word = (word or "") .. text:sub(i, i)
    elseif quote then
      if c == quote then quote = nil else word = word .. c end
    elseif c == "'" or c == '"' then
      quote, word = c, word or ""
    elseif c:match "%s" then
      if word then words[#words + 1], word = word, nil end
    else
      word = (word or "") .. c
    end
    i = i + 1
  end
  words[#words + 1] = word
  if quote then return core.fail(22, ("flags '%s': the quote %s is not closed"):format(text, quote)) end
  return words
end

-- Where the system's headers are: clang looks for <asm/types.h> among a machine's own headers only when it compiles for that
-- machine.
local function system_folders(compiler)
  local output = file.run(compiler .. " -E -v -x c /dev/null")
  local folders = {}
  for folder in (output:match "#include <%.%.%.> search starts here:\n(.-)End of search list" or ""):gmatch " ([^\n]+)\n" do
    folders[#folders + 1] = "-idirafter " .. file.quote(folder)
  end
  return table.concat(folders, " ")
end

-- How folders are called in the output: as seen from the source, unless they are the system's.
local function path_maps(options, folder)
  local maps = { file.quote(("-ffile-prefix-map=%s/="):format(folder)) }
  local here = file.working_folder()
  for _, include in ipairs(options.include or {}) do
    local absolute = file.absolute(include)
    if not include:match "^/" or file.is_below(absolute, here) or file.is_below(absolute, folder) then
      maps[#maps + 1] = file.quote(("-ffile-prefix-map=%s/=%s/"):format(absolute, file.relative(absolute, folder)))
    end
  end
  return table.concat(maps, " ")
end

-- What bpf_tracing.h of libbpf hands to _Pragma when it does not know the machine's registers.
local missing = [["GCC error \"this source needs a machine: ask for --target x86, arm64, ...\""]]

-- -gembed-source: clang writes the source's lines into .BTF, and would not find them by their mapped paths.
local function command(compiler, source, options, target, object, dependencies)
  local folder = file.folder(file.absolute(source))
  local words = {
    compiler, "-target", target.byteorder == "big" and "bpfeb" or "bpfel", "-O2 -g -gdwarf-5 -gembed-source",
    file.quote("-mcpu=" .. (options.mcpu or "v1")), "-fno-ident", path_maps(options, folder), "-fdebug-compilation-dir .",
  }
  if target.define then
    words[#words + 1] = "-D__TARGET_ARCH_" .. target.define
  else
    words[#words + 1] = file.quote("-D__BPF_TARGET_MISSING=" .. missing)
  end
  for _, include in ipairs(options.include or {}) do words[#words + 1] = "-I" .. file.quote(file.absolute(include)) end
  words[#words + 1] = options.system_folders
  for _, flag in ipairs(options.flags or {}) do words[#words + 1] = file.quote(flag) end
  words[#words + 1] = ("-MD -MP -MF %s -MT target"):format(file.quote(dependencies))
  words[#words + 1] = ("-x c -c %s -o %s"):format(file.quote(file.absolute(source)), file.quote(object))
  return table.concat(words, " ")
end

local function refuse(options)
  for _, flag in ipairs(options.flags or {}) do
    if flag:match "^%-M" then
      return core.fail(22, ("flag '%s': dependencies are written with --deps FILE"):format(flag))
    end
  end
  return true
end

local function explain(status, source, compiler, output)
  if status == 127 then
    return core.fail(2, ("source '%s': the compiler '%s' was not found"):format(source, compiler),
      "install clang, name another with --cc, or give a compiled object (.o) instead")
  end
  local hint = output:match "unknown target triple" and "this compiler has no BPF target: clang has one" or nil
  output = output:gsub("\n+$", "")
  return core.fail(22, ("source '%s': %s ended with status %d:\n%s"):format(source, compiler, status, output), hint)
end

-- The files that a source was made of, as the user would call them, out of what clang wrote for make.
local function read_dependencies(path, source)
  local text = file.read(path) or ""
  local absolute, given = file.folder(file.absolute(source)), file.folder(source)
  local here = file.working_folder()
  local list = {}
  text = text:gsub("\\\n", " "):match "^target:([^\n]*)" or ""
  for name in text:gsub("\\ ", "\0"):gmatch "%S+" do
    name = name:gsub("%z", " ")
    if name:sub(1, #absolute + 1) == absolute .. "/" then
      name = (given == "." and "" or given .. "/") .. name:sub(#absolute + 2)
    elseif name:sub(1, #here + 1) == here .. "/" then
      name = name:sub(#here + 2)
    end
    list[#list + 1] = name
  end
  return list
end

--- Compiles a source for one target (of compile.target). options: cc ("clang"), mcpu ("v1"), include (folders), flags (words).
-- Returns the object's bytes, what the compiler said, and the files that it read; or nil, err, errno, its message in err.message.
function compile.run(source, target, options)
  local ok, err, errno = refuse(options)
  if not ok then return nil, err, errno end
  local text, words
  text, err, errno = file.read(source)
  if not text then return nil, err, errno end
  words, err, errno = compile.split(options.cc or "clang")
  if not words then return nil, err, errno end
  for i, word in ipairs(words) do words[i] = file.quote(word) end
  local compiler = table.concat(words, " ")
  local object <close> = file.temporary()
  local dependencies <close> = file.temporary()
  options.system_folders = options.system_folders or system_folders(compiler)
  local output, status = file.run(command(compiler, source, options, target, object.path, dependencies.path))
  if status ~= 0 then return explain(status, source, options.cc or "clang", output) end
  local bytes
  bytes, err, errno = file.read(object.path)
  if not bytes then return nil, err, errno end
  return bytes, output, read_dependencies(dependencies.path, source)
end

return compile

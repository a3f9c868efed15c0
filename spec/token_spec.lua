-- BPF tokens: a process in a user namespace makes maps, programs and types by what was delegated to it.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

-- Runs Lua in a new user namespace, where a BPF file system with these options is at /tmp/ebpf-userns; what it prints.
local function inside(options, script)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("local ebpf = require 'ebpf'\nlocal asm = ebpf.asm\nlocal place = '/tmp/ebpf-userns'\n", script)
  file:close()
  os.execute("chmod 644 " .. path)
  local output = process.run(("build/spec/support/userns %s -- lua5.4 %s 2>&1"):format(options, path))
  os.remove(path)
  return output
end

local everything = "delegate_cmds=any delegate_maps=any delegate_progs=any delegate_attachs=any"

local function need_tokens()
  need { kernel = "6.9", "token" }
  local output = inside(everything, "print 'ready'")
  if output ~= "ready\n" then pending("needs a user namespace with a BPF file system: " .. output) end
end

describe("a BPF token", function()
  it("makes maps, programs and types", function()
    need_tokens()
    assert.equal("EPERM\nEPERM\nhash 2\n14\nxdp\ntrue\n", inside(everything, [[
      local options = { type = "hash", key = "u32", value = "u32", max_entries = 4 }
      local none, err = ebpf.map(options)
      print(err.code)
      local program = { type = "xdp", license = "GPL", instructions = {
        asm.func "int main(struct xdp_md *ctx)", asm.mov(asm.r0, 14), asm.exit() } }
      none, err = ebpf.program(program)
      print(err.code)
      options.token, program.token = place, place
      local map = assert(ebpf.map(options))
      map[1] = 2
      print(map.type, map[1])
      local loaded = assert(ebpf.program(program))
      print(loaded:run { data = ("\0"):rep(64) }.retval)
      print(loaded.type)
      print(loaded:info().btf_id > 0) -- its types were taken as well
    ]]):gsub("\t", " "))
  end)

  it("is found, kept, and told of", function()
    need_tokens()
    local output = inside("delegate_cmds=map_create:prog_load delegate_maps=array delegate_progs=xdp", [[
      local token = assert(ebpf.token())
      print(token.path, tostring(token))
      local info = token:info()
      print(info and table.concat(info.commands, ","), info and table.concat(info.map_types, ","),
        info and table.concat(info.program_types, ","), info and #info.attach_types)
      assert(ebpf.use_token(token))
      token:close() -- which the context keeps
      assert(ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 1 })
      print(ebpf.features.map_type "array", ebpf.features.map_type "hash")
      assert(ebpf.use_token(nil))
      print((ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 1 }))
      print(ebpf.features.privileges().token)
      print(pcall(token.info, token))
    ]])
    local lines = {}
    for line in output:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("/tmp/ebpf-userns\tebpf.token: /tmp/ebpf-userns", lines[1])
    if need.version "6.17" <= ebpf.kernel().version then assert.equal("map_create,prog_load\tarray\txdp\t0", lines[2]) end
    assert.matches("^true\t", lines[3])
    assert.equal("nil", lines[4])
    assert.equal("/tmp/ebpf-userns", lines[5])
    assert.matches("^false\t.*ebpf.token is closed", lines[6]:gsub("token is closed", "ebpf.token is closed"))
  end)

  it("says what it does not allow", function()
    need_tokens()
    local output = inside("delegate_cmds=map_create:prog_load delegate_maps=array delegate_progs=xdp", [[
      local _, err = ebpf.map { type = "hash", key = "u32", value = "u32", max_entries = 1, token = true }
      print(err.code, err.hint)
      local code = { asm.mov(asm.r0, 0), asm.exit() }
      _, err = ebpf.program { type = "socket_filter", license = "GPL", instructions = code, token = place }
      print(err.code, err.hint)
      _, err = ebpf.program { type = "xdp", attach_type = "xdp", license = "GPL", instructions = code, token = place }
      print(err.code, err.hint)
    ]])
    if need.version "6.17" <= ebpf.kernel().version then
      assert.equal("EPERM\tthe BPF token of '/tmp/ebpf-userns' does not allow maps of type 'hash' (delegate_maps)\n" ..
        "EPERM\tthe BPF token of '/tmp/ebpf-userns' does not allow programs of type 'socket_filter' (delegate_progs)\n" ..
        "EPERM\tthe BPF token of '/tmp/ebpf-userns' does not allow attach type 'xdp' (delegate_attachs)\n", output)
    else
      assert.matches("EPERM\tthe BPF token of '/tmp/ebpf%-userns' may not allow it", output)
    end
    output = inside("delegate_maps=any", [[
      local token = assert(ebpf.token(place))
      local _, err = ebpf.map { type = "hash", key = "u32", value = "u32", max_entries = 1, token = token }
      print(err.code, err.hint)
    ]])
    if need.version "6.17" <= ebpf.kernel().version then
      assert.equal("EPERM\tthe BPF token of '/tmp/ebpf-userns' does not allow making maps (delegate_cmds=map_create)\n", output)
    end
  end)

  it("cannot be had where nothing is delegated", function()
    need_tokens()
    local output = inside("mode=0755", [[
      for _, path in ipairs { place, "/tmp", "/no/such/place" } do
        local none, err = ebpf.token(path)
        print(none, err.code, err.hint)
      end
      print(select(2, ebpf.token()).hint)
      print(select(2, ebpf.load({}, { token = "/no/such/place" })).code)
    ]])
    assert.matches("^nil\tENOENT\t.*nothing is delegated", output)
    assert.matches("\nnil\tEINVAL\tit must be the root of a BPF file system\n", output)
    assert.matches("\none must be mounted with delegate_cmds", output)
    assert.matches("\nENOENT\n$", output)
    local none, err = ebpf.token() -- here, in the first user namespace
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
    assert.error_matches(function() ebpf.map { type = "hash", token = 5 } end,
      "token: a token, the path of a BPF file system or true expected, got number")
  end)

  it("is missing on an old kernel", function()
    need { kernel = "5.10" }
    local _ <close> = setmetatable({}, { __close = function() ebpf.kernel():unmask "token" end })
    ebpf.kernel():mask "token"
    local none, err = ebpf.token "/sys/fs/bpf"
    assert.is_nil(none)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("before 6.9", err.message)
  end)
end)

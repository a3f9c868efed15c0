-- ebpf.features: what the kernel can do, against bpftool, against itself by another way, and against the releases that brought
-- each feature.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"
local features = ebpf.features

local groups = { "program_type", "program_flag", "map_type", "map_flag", "attach_type", "isa" }
local complete = os.getenv "EBPF_COMPLETE_KERNEL" == "1"

local function running() return ebpf.kernel().version & ~0xff end

-- What a kernel of any version lacks when it is configured so.
local configured = {
  ["program_type.lirc_mode2"] = "CONFIG_BPF_LIRC_MODE2", ["attach_type.lirc_mode2"] = "CONFIG_BPF_LIRC_MODE2",
  ["attach_type.netkit_primary"] = "CONFIG_NETKIT", ["attach_type.netkit_peer"] = "CONFIG_NETKIT",
  kprobe_multi = "CONFIG_FPROBE", kprobe_session = "CONFIG_FPROBE", netkit = "CONFIG_NETKIT",
  trampoline = "CONFIG_BPF_JIT", struct_ops_link = "CONFIG_BPF_JIT",
  ["program_type.ext"] = "CONFIG_BPF_JIT", ["program_type.struct_ops"] = "CONFIG_BPF_JIT", ["program_type.lsm"] = "CONFIG_BPF_LSM",
  ["map_type.struct_ops"] = "CONFIG_BPF_JIT", ["map_type.inode_storage"] = "CONFIG_BPF_LSM",
  ["map_flag.link"] = "CONFIG_BPF_JIT", ["map_flag.vtype_btf_obj_fd"] = "CONFIG_BPF_JIT",
  ["attach_type.trace_fentry"] = "CONFIG_BPF_JIT", ["attach_type.trace_fexit"] = "CONFIG_BPF_JIT",
  ["attach_type.modify_return"] = "CONFIG_BPF_JIT", ["attach_type.struct_ops"] = "CONFIG_BPF_JIT",
  ["attach_type.lsm_mac"] = "CONFIG_BPF_LSM", ["attach_type.lsm_cgroup"] = "CONFIG_BPF_LSM",
  ["attach_type.trace_kprobe_multi"] = "CONFIG_FPROBE", ["attach_type.trace_kprobe_session"] = "CONFIG_FPROBE",
}

local function is_configured(name)
  local option = configured[name]
  if not option then return true end
  return need.is_configured(option) or false
end

describe("ebpf.features", function()
  it("knows each feature's oldest kernel: none is there before, and a complete kernel has all that are older", function()
    need { kernel = "5.10" }
    local wrong = {}
    for _, group in ipairs(groups) do
      for _, row in ipairs(features.rows(group)) do
        local name, old = group .. "." .. row.name, need.version(row.since) <= running()
        local value, err = features[group](row.name)
        if value == nil then
          wrong[#wrong + 1] = tostring(err)
        elseif value and not old then
          wrong[#wrong + 1] = ("%s is said to need %s, but is here"):format(name, row.since)
        elseif complete and not value and old and is_configured(name) then
          wrong[#wrong + 1] = ("%s is said to be there since %s, but is not"):format(name, row.since)
        end
      end
    end
    assert.same({}, wrong)
    assert.is_true(features.bounded_loops())
    assert.equal(1000000, features.instruction_limit())
  end)

  it("tells of plain features the same", function()
    need { kernel = "5.10" }
    local backported = { cgroup_order = "6.12" } -- stable kernels took it back: 6.12.117 has it
    local wrong = {}
    for _, row in ipairs(ebpf.kernel():features()) do
      local value = ebpf.kernel():has(row.name)
      local young = need.version(backported[row.name] or row.since) > running()
      if value and young then wrong[#wrong + 1] = row.name .. " is here, not only since " .. row.since end
      if complete and not value and need.version(row.since) <= running() and is_configured(row.name) then
        wrong[#wrong + 1] = row.name .. " is said to be there since " .. row.since .. ", but is not"
      end
    end
    assert.same({}, wrong)
  end)

  it("asks for helpers one by one as for all at once", function()
    need { kernel = "6.15" }
    local kernel = ebpf.kernel()
    assert.is_true(kernel:has "verifier_registers")
    for _, type in ipairs { "socket_filter", "xdp", "kprobe", "cgroup_sockopt", "syscall" } do
      local at_once = assert(features.helpers(type))
      -- A process of its own, which has asked for nothing yet.
      local script = ([[
        local ebpf = require "ebpf"
        ebpf.kernel():mask "verifier_registers"
        print(table.concat(assert(ebpf.features.helpers "%s"), " "))
      ]]):format(type)
      assert.equal(table.concat(at_once, " "), (process.run(("lua5.4 -e '%s'"):format(script)):gsub("\n$", "")))
    end
  end)

  it("knows who may call a helper", function()
    need { kernel = "5.10" }
    assert.is_true(features.helper("xdp", "map_lookup_elem"))
    assert.is_true(features.helper("xdp", "bpf_redirect_map"))
    assert.is_true(features.helper("xdp", "fib_lookup"))
    assert.is_false(features.helper("xdp", "skb_load_bytes"))
    assert.is_false(features.helper("socket_filter", "sys_close"))
    assert.is_true(features.helper("kprobe", "perf_event_output"))
    assert.is_false(features.helper("kprobe", "csum_diff"))
    assert.is_true(features.helper("tracing", "seq_printf")) -- iterators alone
    assert.is_true(features.helper("cgroup_sockopt", "map_lookup_elem"))
    assert.is_true(features.helper("cgroup_sock_addr", "bind"))
    local list = assert(features.helpers "sched_cls")
    local has = {}
    for _, name in ipairs(list) do has[name] = true end
    assert.is_true(has.skb_store_bytes and has.clone_redirect and has.map_lookup_elem)
    assert.is_nil(has.xdp_adjust_head)
    assert.is_nil(has.trace_printk) -- asking switches something on
    assert.is_true(features.helper("kprobe", "trace_printk"))
  end)

  it("loads what it says may be loaded: a program that calls a helper", function()
    need { kernel = "5.10" }
    local asm = ebpf.asm
    local helpers = {
      "ktime_get_ns", "get_prandom_u32", "get_smp_processor_id", "get_current_task", "get_current_ancestor_cgroup_id",
    }
    for _, helper in ipairs(helpers) do
      for _, type in ipairs { "socket_filter", "xdp", "tracepoint", "sock_ops", "sched_cls" } do
        local may = features.helper(type, helper)
        local program <close> = ebpf.program { type = type, license = "GPL",
          instructions = { asm.mov(asm.r1, 0), asm.call(helper), asm.mov(asm.r0, 0), asm.exit() } }
        assert.equal(may, program ~= nil, type .. " calls " .. helper)
      end
    end
  end)

  it("says why it cannot know", function()
    need { kernel = "5.10" }
    local answer, err = features.helper("ext", "map_lookup_elem")
    if features.program_type "ext" then
      assert.is_nil(answer)
      assert.equal("EOPNOTSUPP", err.code)
      assert.matches("extension", err.hint)
    end
    local script = [[
      local ebpf = require "ebpf"
      local function told(answer, err) assert(answer == nil and err.code == "EPERM" and #err.hint > 0, tostring(err)) end
      told(ebpf.features.program_type "xdp")
      told(ebpf.features.map_type "hash")
      told(ebpf.features.helper("xdp", "map_lookup_elem"))
      told(ebpf.features.isa "v1")
      told(ebpf.features.instruction_limit())
      told(ebpf.features.helpers "xdp")
      print "told"
    ]]
    local sysctl = io.open "/proc/sys/kernel/unprivileged_bpf_disabled"
    if not sysctl or sysctl:read "a":match "^0" then return end
    assert.equal("told\n", process.run(("/usr/bin/setpriv --reuid 65534 --clear-groups lua5.4 -e '%s'"):format(script)))
  end)

  it("raises for names that are none", function()
    assert.has_error(function() features.program_type "xpd" end)
    assert.has_error(function() features.map_type(7) end)
    assert.has_error(function() features.helper("xdp", "map_lookup") end)
    assert.has_error(function() features.rows "colours" end)
    local answer, err = ebpf.kernel():has "map_type.hahs"
    assert.is_nil(answer)
    assert.matches("map_type.hash", err.hint)
    answer, err = ebpf.kernel():has "map_types.hash"
    assert.is_nil(answer)
    assert.matches("map_type", err.hint)
  end)

  it("can be told that a feature is missing", function()
    need { kernel = "5.10" }
    local kernel = ebpf.kernel()
    for name, ask in pairs {
      ["map_type.hash"] = function() return features.map_type "hash" end,
      ["program_type.xdp"] = function() return features.program_type "xdp" end,
      ["helper.map_lookup_elem"] = function() return features.helper("socket_filter", "map_lookup_elem") end,
      ["limit.large_programs"] = function() return features.instruction_limit() == 1000000 end,
    } do
      assert.is_true(ask(), name)
      assert(kernel:mask(name))
      assert.is_false(ask(), name)
      assert(kernel:mask(name)) -- twice is once
      assert(kernel:unmask(name))
      assert.is_true(ask(), name)
      assert(kernel:unmask(name))
    end
    assert(kernel:mask "program_type.xdp")
    assert.is_false(features.helper("xdp", "map_lookup_elem"))
    assert.is_false(features.attach_type "xdp_devmap" and features.attach_type "sk_lookup" == nil)
    assert(kernel:unmask "program_type.xdp")
    assert.is_nil((kernel:mask "helper.no_such"))
  end)
end)

describe("kfuncs", function()
  it("are known by name and by who may call them", function()
    need { kernel = "6.1", "vmlinux_btf" }
    need.jit()
    assert.is_false(features.kfunc "no_such_function_at_all")
    assert.is_false(features.kfunc "do_exit") -- a function, but no kfunc
    assert.is_true(features.kfunc "tcp_slow_start") -- 5.13
    assert.is_false(features.kfunc("tcp_slow_start", "xdp"))
  end)

  it("are listed where the kernel marks them", function()
    need { kernel = "6.12", "vmlinux_btf" }
    need.jit()
    local names, err = features.kfuncs()
    if not names then
      assert.equal("EOPNOTSUPP", err.code)
      return
    end
    assert.is_true(#names > 100)
    for i = 2, #names do assert.is_true(names[i - 1] < names[i]) end
    assert.is_true(features.kfunc("bpf_dynptr_from_xdp", "xdp"))
    assert.is_false(features.kfunc("bpf_dynptr_from_xdp", "sched_cls"))
    assert.is_true(features.kfunc("bpf_dynptr_from_skb", "sched_cls"))
    local types = assert(features.kfunc_types "bpf_dynptr_from_xdp")
    assert.same({ "xdp" }, types)
  end)

  it("are asked for one by one as all at once", function()
    need { kernel = "6.15", "vmlinux_btf" }
    local names = features.kfuncs()
    if not names then return end
    local differ = {}
    for i = 1, #names, 7 do
      local may = {}
      for _, type in ipairs(assert(features.kfunc_types(names[i]))) do may[type] = true end
      local script = ([[
        local features = require "ebpf".features
        for _, type in ipairs { "xdp", "sched_cls", "tracing", "syscall" } do
          if features.kfunc("%s", type) then print(type) end
        end
      ]]):format(names[i])
      local alone = {}
      for type in process.run(("lua5.4 -e '%s'"):format(script)):gmatch "%g+" do alone[type] = true end
      for _, type in ipairs { "xdp", "sched_cls", "tracing", "syscall" } do
        if may[type] ~= alone[type] then differ[#differ + 1] = names[i] .. " of " .. type end
      end
    end
    assert.same({}, differ)
  end)
end)

describe("ebpf features --json", function()
  local json = require "dkjson"

  it("is what bpftool finds", function()
    need.root()
    need.command "bpftool"
    local ours = assert(json.decode(process.run "build/ebpf features --json"))
    local theirs = assert(json.decode(process.run "bpftool -j feature probe"))
    local differ = {}
    local function compare(group, suffix, mine)
      for name, value in pairs(theirs[group]) do
        name = name:match("^have_(.*)" .. suffix .. "$")
        -- What it tries needs a trampoline, which a kernel may refuse though it has the type.
        local blind = (name == "tracing" or name == "lsm") and not ebpf.kernel():has "trampoline"
        if mine[name] ~= nil and mine[name] ~= value and not blind then differ[#differ + 1] = suffix .. " " .. name end
        if mine[name] == nil and value then differ[#differ + 1] = suffix .. " " .. name .. " is missing" end
      end
    end
    compare("program_types", "_prog_type", ours.program_types)
    compare("map_types", "_map_type", ours.map_types)
    assert.equal(theirs.misc.have_large_insn_limit, ours.limits.instructions == 1000000)
    assert.equal(theirs.misc.have_bounded_loops, ours.limits.bounded_loops)
    assert.equal(theirs.misc.have_v2_isa_extension, ours.isa.v2)
    assert.equal(theirs.misc.have_v3_isa_extension, ours.isa.v3)
    -- A bpftool that is older than the kernel's words for "no such helper" (6.9) takes every helper for one that may be called: no
    -- socket filter may close descriptors. All it can tell then is what it has heard of.
    local blind = false
    for _, name in ipairs(theirs.helpers.socket_filter_available_helpers) do blind = blind or name == "bpf_sys_close" end
    for key, list in pairs(theirs.helpers) do
      local type = key:match "^(.*)_available_helpers$"
      local mine, known = {}, {}
      for _, name in ipairs(ours.helpers[type] or {}) do mine[name] = true end
      for _, name in ipairs(list) do known[name:gsub("^bpf_", "")] = true end
      for name in pairs(known) do
        if not mine[name] and not blind then differ[#differ + 1] = ("%s: %s is missing"):format(type, name) end
      end
    end
    assert.same({}, differ)
  end)

  it("has the members that it should", function()
    need { kernel = "5.10" }
    local document = assert(json.decode(process.run "build/ebpf features --json"))
    assert.is_true(document.program_types.xdp)
    assert.is_true(document.map_types.percpu_hash)
    local has = {}
    for _, name in ipairs(document.helpers.xdp) do has[name] = true end
    assert.is_true(has.map_lookup_elem)
    assert.equal("table", type(document.kfuncs))
    assert.is_true(document.isa.v3)
    assert.equal(0, document.privileges.uid)
    assert.equal("table", type(document.unknown))
    assert.is_true(#document.privileges.kinds > 5)
    assert.matches("Helpers of xdp: map_lookup_elem", process.run "build/ebpf features")
  end)
end)

describe("privileges", function()
  it("are those of the process, and say what may be done", function()
    need.root()
    local have = assert(features.privileges())
    assert.equal(0, have.uid)
    assert.is_true(#have.capabilities > 10)
    assert.equal("number", type(have.perf_event_paranoid))
    for _, kind in ipairs(have.kinds) do
      assert.is_true(kind.allowed or #kind.why > 0 and #kind.advice > 0, kind.name)
    end
    local accounting = need.version "5.11" <= running() and "cgroup" or "rlimit"
    assert.equal(accounting, have.memlock.accounting)
  end)

  -- The table of kinds against the kernel itself: a process with some capabilities loads each type of program, or not.
  it("say of each kind what the kernel does", function()
    need { kernel = "5.10" }
    need.file "/usr/bin/setpriv"
    local sysctl = assert(io.open "/proc/sys/kernel/unprivileged_bpf_disabled"):read "n"
    if sysctl == 0 then pending "kernel.unprivileged_bpf_disabled is 0: some programs need no privilege" end
    local wanted = {
      general = { "sk_reuseport", "sk_lookup" }, socket_filter = { "socket_filter" },
      network = {
        "xdp", "sched_cls", "cgroup_sock", "cgroup_device", "sock_ops", "sk_msg", "sk_skb", "lwt_in", "flow_dissector",
        "cgroup_sysctl",
      },
      tracing = { "kprobe", "tracepoint", "perf_event", "raw_tracepoint", "tracing", "struct_ops" },
    }
    for _, capabilities in ipairs { "", "bpf", "bpf,net_admin", "bpf,perfmon", "net_admin,perfmon", "bpf,perfmon,net_admin" } do
      local script = [[
        local features = require "ebpf".features
        for _, kind in ipairs(features.privileges().kinds) do print("kind", kind.name, kind.allowed) end
        for _, row in ipairs(features.rows "program_type") do print("type", row.name, (features.program_type(row.name))) end
      ]]
      local set = "-all"
      for name in capabilities:gmatch "[^,]+" do set = set .. ",+" .. name end
      local output = process.run(("/usr/bin/setpriv --reuid 65534 --clear-groups --inh-caps %s --ambient-caps %s" ..
        " --bounding-set %s lua5.4 -e '%s'"):format(set, set, set, script))
      local kinds, types = {}, {}
      for what, name, value in output:gmatch "(%l+)\t(%g+)\t(%l+)" do (what == "kind" and kinds or types)[name] = value end
      for kind, names in pairs(wanted) do
        for _, name in ipairs(names) do
          if features.program_type(name) then
            assert.equal(kinds[kind], types[name] == "nil" and "false" or types[name], ("%s with '%s'"):format(name, capabilities))
          end
        end
      end
    end
  end)

  it("remove the limit on locked memory, where there is one to remove", function()
    need { kernel = "5.10" }
    local raised = assert(ebpf.rlimit.remove_memlock() ~= nil)
    assert.is_true(raised)
    if need.version "5.11" <= running() then
      assert.is_false(ebpf.rlimit.remove_memlock())
    else
      assert.is_nil(features.privileges().memlock.hard)
    end
  end)
end)

-- What is attached somewhere, by whomever.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"
local counter = require("spec.support.links").counter

local function entry(list, program)
  for at, each in ipairs(assert(list)) do
    if each.program_id == program:info().id then return each, at end
  end
end

describe("ebpf.link.query", function()
  before_each(function() need.root() end)

  it("lists the programs of a cgroup, and of those above it", function()
    need { kernel = "5.10" }
    local cgroup, remove = process.cgroup "ebpf-query"
    if not cgroup then pending "needs a mounted cgroup2" end
    local where = { cgroup = cgroup, attach_type = "cgroup_inet_egress" }
    assert.equal(0, #assert(ebpf.link.query(where)))
    local program = counter { type = "cgroup_skb", attach_type = "cgroup_inet_egress", returns = 1 }
    local link = assert(ebpf.link.cgroup(program, cgroup))
    assert.is_truthy(entry(ebpf.link.query(where), program))
    where.effective = true
    assert.is_truthy(entry(ebpf.link.query(where), program))
    link:detach()
    assert.is_nil(entry(ebpf.link.query(where), program))
    remove()
  end)

  it("lists many, each with its link", function()
    need { kernel = "6.6", "tcx" }
    local links, options = {}, { type = "sched_cls", returns = 0 }
    for i = 1, 39 do links[i] = assert(ebpf.link.tcx(counter(options), "lo", { direction = "ingress" })) end
    local first = counter(options)
    links[40] = assert(ebpf.link.tcx(first, "lo", { direction = "ingress" }))
    local list = assert(ebpf.link.query { interface = "lo", attach_type = "tcx_ingress" })
    assert.is_true(#list >= 40)
    local last = entry(list, first)
    assert.equal(links[40]:info().id, last.link_id)
    assert.is_true(list.revision >= 41)
    local again = assert(ebpf.link.query { interface = "lo", attach_type = "tcx_ingress" })
    assert.equal(list.revision, again.revision)
    for _, link in ipairs(links) do link:close() end
    assert.is_nil(entry(ebpf.link.query { ifindex = 1, attach_type = "tcx_ingress" }, first))
  end)

  it("tells the programs of a network namespace", function()
    need { kernel = "5.9" }
    local program = counter { type = "sk_lookup", attach_type = "sk_lookup", returns = 1 }
    local link <close> = assert(ebpf.link.netns(program))
    assert.is_truthy(entry(ebpf.link.query { netns = "/proc/self/ns/net", attach_type = "sk_lookup" }, link.program))
  end)

  it("tells the XDP program of an interface", function()
    local program = counter { type = "xdp", returns = 2 }
    assert.equal(0, #assert(ebpf.link.query { interface = "lo", attach_type = "xdp" }))
    local link <close> = assert(ebpf.link.xdp(program, "lo", { mode = "generic" }))
    assert.is_truthy(entry(ebpf.link.query { ifindex = 1, attach_type = "xdp" }, link.program))
  end)

  it("says what it cannot ask", function()
    local none, err = ebpf.link.query { interface = "no_such0", attach_type = "xdp" }
    assert.is_nil(none)
    assert.equal("ENODEV", err.code)
    none, err = ebpf.link.query { cgroup = "/no/such", attach_type = "cgroup_inet_egress" }
    assert.is_nil(none)
    assert.matches("query: cgroup '/no/such'", err.message, 1, true)
    none, err = ebpf.link.query { attach_type = "xdp" }
    assert.is_nil(none)
    assert.matches("one of cgroup, netns, interface, ifindex and target_fd is needed", err.message, 1, true)
    none, err = ebpf.link.query { ifindex = 1, attach_type = "lirc_mode2" }
    assert.is_nil(none)
    assert.is_string(err.code)
    assert.error_matches(function() ebpf.link.query {} end, "attach_type")
    assert.error_matches(function() ebpf.link.query { attach_type = "xdp", iface = "lo" } end, "unknown option 'iface'")
    local _, message = pcall(function() ebpf.link.query "lo" end)
    assert.matches("link_query_spec.lua:%d+: a table", message)
  end)
end)

local function returns(type, attach_type, value)
  return assert(ebpf.program { type = type, attach_type = attach_type, license = "GPL", name = "q",
    instructions = { ebpf.asm.mov(ebpf.asm.r0, value), ebpf.asm.exit() } })
end

describe("link:update", function()
  it("replaces the program that is named, and no other", function()
    need { kernel = "5.9", "netns_link", "xdp_link" }
    local function check(type, attach_type, attach, mode)
      local one <close> = returns(type, attach_type, 1)
      local two <close> = returns(type, attach_type, 1)
      local link <close> = assert(attach(one))
      local ok, err = link:update(two, { old = two })
      assert.is_nil(ok)
      assert.equal(mode == "legacy" and "EOPNOTSUPP" or "EPERM", err.code)
      if mode == "legacy" then return end
      assert.matches("not the one that was to be replaced", err.message)
      assert.equal(one:info().id, link:info().program_id)
      assert.is_true(link:update(two, { old = one }))
      assert.equal(two:info().id, link:info().program_id)
      assert.error_matches(function() link:update(two, { odl = one }) end, "unknown option 'odl'")
      assert.error_matches(function() link:update(two, { old = 5 }) end, "ebpf.program expected")
      assert(link:detach())
      assert.is_nil((link:update(one, { old = two })))
    end
    for _, mode in ipairs { "link", "legacy" } do
      check("xdp", nil, function(program) return ebpf.link.xdp(program, "lo", { mode = "generic", attach_mode = mode }) end, mode)
    end
    check("flow_dissector", "flow_dissector", function(program) return ebpf.link.flow_dissector(program) end)
    if ebpf.kernel():has "tcx" then
      check("sched_cls", "tcx_ingress", function(program) return ebpf.link.tcx(program, "lo", { direction = "ingress" }) end)
    end
  end)
end)

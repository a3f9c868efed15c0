-- Links of the network through Lua: tc on an interface, netfilter, namespaces. (link_net_test.c has sockets and sockmaps.)
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local links = require "spec.support.links"
local need = require "spec.support.need"
local process = require "spec.support.process"

local NEXT, ACCEPT, PASS = -1, 1, 1

local function send() process.run "build/spec/support/send 1 10" end

local function tc(options)
  options = options or {}
  return links.counter { type = "sched_cls", attach_type = options.attach_type, returns = options.returns or NEXT }
end

describe("ebpf.link.tc", function()
  it("counts what goes in and out by tcx", function()
    need { kernel = "6.6", "tcx" }
    for _, direction in ipairs { "ingress", "egress" } do
      local program, counts = tc()
      local link = assert(ebpf.link.tc(program, "lo", direction))
      assert.equal("link", link.interface)
      local info = assert(link:info())
      assert.equal("tcx", info.type)
      assert.equal("tcx_" .. direction, info.attach_type)
      assert.equal(1, info.ifindex)
      links.behaves(link, program, counts, "tc", send)
    end
  end)

  it("takes the direction of its program, by section too", function()
    need { kernel = "6.6", "tcx" }
    local program, counts = tc { attach_type = "tcx_egress" }
    links.behaves(assert(ebpf.link.tc(program, "lo")), program, counts, "tc", send)
    local coll <close> = assert(ebpf.load "build/examples/tc_talkers.bpf.o")
    local none, err = coll:attach()
    assert.is_nil(none)
    assert.matches("needs to know its interface", err.message)
    local list = assert(coll:attach { interface = "lo" })
    assert.equal(2, #list)
    send()
    local traffic = coll.maps.talkers:get { 127, 0, 0, 1 }
    assert.is_true(traffic.sent > 0 and traffic.sent == traffic.received)
  end)

  it("is placed among others by handles, ids, and at the head", function()
    need { kernel = "6.6", "tcx" }
    local hidden, hidden_counts = tc()
    local link <close> = assert(ebpf.link.tc(hidden, "lo", "egress"))
    for _, place in ipairs { { first = true }, { before = link }, { before = hidden }, { before_id = hidden:info().id } } do
      local ends, counts = tc { returns = 0 } -- no other runs after it
      local other <close> = assert(ebpf.link.tc(ends, "lo", "egress", place))
      local before = hidden_counts[0]
      send()
      assert.is_true(counts[0] > 0)
      assert.equal(before, hidden_counts[0])
      other:close()
    end
    local program = tc()
    local none, err = ebpf.link.tc(program, "lo", "ingress", { after = link })
    assert.is_nil(none)
    assert.matches("is not attached here", err.message)
    none, err = ebpf.link.tc(program, "lo", "egress", { expected_revision = 1 << 40 })
    assert.is_nil(none)
    assert.equal("ESTALE", err.code)
  end)

  it("puts a filter under clsact on older kernels, and takes it off again", function()
    need { kernel = "4.10" }
    local kernel = ebpf.kernel()
    kernel:mask "tcx"
    finally(function() kernel:unmask "tcx" end)
    local program, counts = tc()
    local link, err = ebpf.link.tc(program, "lo", "egress", { priority = 77 })
    if not link and (err.code == "ENOENT" or err.code == "EOPNOTSUPP") then pending(tostring(err)) end
    assert(link, err)
    assert.equal("netlink", link.interface)
    local other, other_counts = tc()
    local refused
    refused, err = ebpf.link.tc(other, "lo", "egress", { before = program })
    assert.is_nil(refused)
    assert.matches("need Linux 6.6", err.message)
    assert.is_true(link:update(other))
    send()
    assert.is_true(other_counts[0] > 0 and counts[0] == 0)
    assert.is_true(link:update(program))
    links.behaves(link, program, counts, "tc", send)
  end)

  it("says what is wrong", function()
    need { kernel = "4.10" }
    local program = tc()
    local function message(...)
      local link, err = ebpf.link.tc(program, ...)
      assert.is_nil(link)
      return tostring(err)
    end
    assert.matches("a direction is needed", message "lo")
    assert.matches("direction 'up'", message("lo", "up"))
    assert.matches("no interface 'no%-such'", message("no-such", "ingress"))
    assert.matches("not several", message("lo", "ingress", { first = true, after_id = 1, attach_mode = "link" }))
    assert.matches("a program of type xdp does not go there", tostring(select(2,
      ebpf.link.tc(links.counter { type = "xdp", returns = 2 }, "lo", "ingress"))))
  end)

  it("leaves no descriptor behind", function()
    need { kernel = "4.10" }
    local program = tc()
    assert.equal(0, handles.leaked(function()
      local link = ebpf.link.tc(program, "lo", "ingress")
      if link then link:close() end
      ebpf.link.tc(program, "no-such", "ingress")
      ebpf.link.tc(program, "lo", "up")
    end))
  end)
end)

describe("ebpf.link.netfilter", function()
  it("sees what passes a hook", function()
    need { kernel = "6.4", "netfilter_link" }
    local program, counts = links.counter { type = "netfilter", attach_type = "netfilter", returns = ACCEPT }
    local link = assert(ebpf.link.netfilter(program, "ipv4", "output", { priority = -10 }))
    assert.equal("netfilter ipv4 output", link.target)
    assert.equal(-10, link:info().priority)
    links.behaves(link, program, counts, "netfilter", send)
    local none, err = ebpf.link.netfilter(program, "ipv4", "outgoing")
    assert.is_nil(none)
    assert.matches("hook 'outgoing': not one of", err.message)
  end)
end)

describe("ebpf.link.netns", function()
  it("chooses sockets in a network namespace", function()
    need { kernel = "5.9" }
    local program, counts = links.counter { type = "sk_lookup", attach_type = "sk_lookup", returns = PASS }
    links.behaves(assert(ebpf.link.netns(program)), program, counts, "netns", send)
    local link <close> = assert(ebpf.link.sk_lookup(program, "/proc/self/ns/net"))
    assert.equal("sk_lookup /proc/self/ns/net", link.target)
    local none, err = ebpf.link.netns(program, "no-such-namespace")
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
  end)
end)

describe("ebpf.link.cgroup", function()
  it("is placed among others", function()
    need { "cgroup_order" }
    local cgroup, remove = process.cgroup "ebpf-order"
    if not cgroup then pending "needs a mounted cgroup2" end
    finally(remove)
    local function egress(returns)
      return links.counter { type = "cgroup_skb", attach_type = "cgroup_inet_egress", returns = returns }
    end
    local one, two = egress(1), egress(1)
    local link <close> = assert(ebpf.link.cgroup(one, cgroup))
    local other <close> = assert(ebpf.link.cgroup(two, cgroup, { before = link }))
    local none, err = ebpf.link.cgroup(egress(1), cgroup, { after = egress(1) })
    assert.is_nil(none)
    assert.matches("is not attached here", err.message)
    assert.equal("link", other.interface)
  end)
end)

describe("ebpf.link.sockmap", function()
  it("takes a map", function()
    need { kernel = "5.10" }
    local sockets = assert(ebpf.map { type = "sockmap", key = "u32", value = "u32", max_entries = 4, name = "sockets" })
    local program = links.counter { type = "sk_msg", attach_type = "sk_msg_verdict", returns = PASS }
    local link = assert(ebpf.link.sk_msg(program, sockets))
    assert.equal("sockmap", link.kind)
    assert.is_true(link:detach())
    local none, err = ebpf.link.sk_msg(program, (assert(ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 1 })))
    assert.is_nil(none)
    assert.matches("must be a sockmap", tostring(err))
  end)
end)

-- Links of the network through Lua: tc on an interface, netfilter, namespaces. (link_net_test.c has sockets and sockmaps.)
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local links = require "spec.support.links"
local need = require "spec.support.need"
local netns = require "spec.support.netns"
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
    assert.is_nil(link:info().flags)
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

-- Routes through lo: what is sent to 10.99.8.2 leaves by it. In a network namespace of its own, which goes with the process.
describe("ebpf.link.lwt", function()
  local function inside(script)
    need { kernel = "5.10" }
    return netns([[
      local DROP, OK = 2, 0
      local function to(address) return function() sh("build/spec/support/send 10 10 " .. address) end end
      local function left() return tonumber((sh "cat /proc/net/dev":match "lo:(.-)\n":gsub("^%s*%d+%s+(%d+).*", "%1"))) end
    ]] .. script)
  end

  it("runs on what is sent on a route, drops it or lets it pass, and is updated", function()
    local output = inside [[
      for _, kind in ipairs { "lwt_out", "lwt_xmit" } do
        local drops, counts = links.counter { type = kind, returns = DROP }
        local passes, passed = links.counter { type = kind, returns = OK }
        local link = assert(ebpf.link[kind](drops, "10.99.8.0/24", "lo"))
        print(link.target, sh "ip route show 10.99.8.0/24":find "10.99.8.0/24" ~= nil)
        local before = left()
        to "10.99.8.2" ()
        print(counts[0], left() - before)
        assert(link:update(passes))
        to "10.99.8.2" ()
        print(passed[0], left() - before)
        local none, err = ebpf.link[kind](drops, "10.99.8.0/24", "lo")
        print(none, err.code, err.hint)
        print(link:update((links.counter { type = kind == "lwt_out" and "lwt_xmit" or "lwt_out" })))
        assert(link:detach())
        print(#sh "ip route show 10.99.8.0/24", link:close())
        links.behaves(assert(ebpf.link.lwt(drops, "10.99.8.0/24", { interface = "lo" })), drops, counts, "lwt", to "10.99.8.2")
      end
    ]]
    for _, kind in ipairs { "lwt_out", "lwt_xmit" } do
      assert.matches(kind .. " 10.99.8.0/24\ttrue\n10\t0\n10\t10\nnil\tEEXIST\tthere is a route for it already", output)
      assert.matches("link '" .. kind .. " 10.99.8.0/24': update: the program is of another type", output, 1, true)
    end
  end)

  it("takes IPv6, and leaves with its process", function()
    -- a route through lo would lead nowhere, says the kernel
    local output = inside [[
      if not os.execute "ip link add a0 type veth peer name b0 2>/dev/null" then print "no veth" print "done" os.exit(0) end
      sh "for i in a0 b0; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; ip link set $i up; done"
      local drops, counts = links.counter { type = "lwt_xmit", returns = DROP }
      links.behaves(assert(ebpf.link.lwt_xmit(drops, "fd99:8::/64", "a0")), drops, counts, "lwt", to "fd99:8::2")
      assert(not sh "ip -6 route show":find "fd99:8::/64")
      do local link <close> = assert(ebpf.link.lwt_xmit(drops, "fd99:8::2", { interface = "a0", table = 77 })) end
    ]]
    if output:find "no veth" then pending "needs veth interfaces" end
  end)

  it("is an action of segment routing", function()
    if not process.run "ip -V":find "iproute2" then pending "needs iproute2" end
    local output = inside [[
      sh "ip link add a0 type veth peer name b0; ip link set b0 address 02:00:00:00:00:0b"
      sh "for i in a0 b0; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; ip link set $i up; done"
      sh "cd /proc/sys/net/ipv6/conf; for i in all a0 b0; do echo 1 > $i/seg6_enabled; echo 1 > $i/forwarding; done"
      sh "ip -6 addr add fd99:1::1/64 dev a0 nodad; ip -6 neigh add fd99:9::1 lladdr 02:00:00:00:00:0b dev a0 nud permanent"
      sh "ip -6 route add fd99:10::/64 encap seg6 mode encap segs fd99:9::1,fd99:9::2 dev a0"
      sh "ip -6 route add fd99:9::1 dev a0 table 9; ip -6 rule add oif a0 table 9; ip -6 rule add iif lo table 9"
      local drops, counts = links.counter { type = "lwt_seg6local", returns = DROP }
      local link <close> = assert(ebpf.link.lwt_seg6local(drops, "fd99:9::1", "b0"))
      print(sh "ip -6 route show fd99:9::1")
      to "fd99:10::5" ()
      print("received", counts[0])
    ]]
    assert.matches("encap seg6local action End.BPF", output)
    assert.matches("received\t10\n", output)
  end)

  it("runs on what is received for a route", function()
    local output = inside [[
      sh "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/lo/accept_local"
      sh "ip addr add 10.99.9.1/24 dev lo"
      sh "echo 1 > /proc/sys/net/ipv4/conf/lo/route_localnet; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter"
      local drops, counts = links.counter { type = "lwt_in", returns = DROP }
      local link <close> = assert(ebpf.link.lwt_in(drops, "10.99.8.0/24", "lo"))
      to "10.99.8.2" ()
      print("received", counts[0])
    ]]
    assert.matches("received\t10\n", output)
  end)

  it("leaves a route alone that another has put in its place", function()
    inside [[
      local link = assert(ebpf.link.lwt_out(links.counter { type = "lwt_out" }, "10.99.8.0/24", "lo"))
      sh "ip route del 10.99.8.0/24; ip route add 10.99.8.0/24 dev lo"
      assert(link:detach())
      assert(sh "ip route show 10.99.8.0/24":find "10.99.8.0/24", "it is gone")
    ]]
  end)

  it("says what is missing or wrong", function()
    need { kernel = "5.10" }
    local program = links.counter { type = "lwt_out" }
    local function refused(pattern, ...)
      local none, err = ebpf.link.lwt_out(program, ...)
      assert.is_nil(none)
      assert.matches(pattern, err.message)
    end
    refused("destination '10.0.0' is no address", "10.0.0", "lo")
    refused("destination '10.0.0.0/33' is no address", "10.0.0.0/33", "lo")
    refused("a destination, and an interface or a gateway are needed", "10.0.0.0/8")
    refused("gateway 'fd00::1' is no address of the kind", "10.0.0.0/8", "lo", { gateway = "fd00::1" })
    refused("no_such_if", "10.0.0.0/8", "no_such_if")
    local none, err = ebpf.link.lwt_in(program, "10.0.0.0/8", "lo")
    assert.is_nil(none)
    assert.matches("lwt_in: the program was loaded for lwt_out", err.message)
    none, err = ebpf.link.lwt_seg6local(links.counter { type = "lwt_seg6local" }, "10.0.0.0/8", "lo")
    assert.is_nil(none)
    assert.matches("segment routing is IPv6 alone", err.message)
    assert.equal(0, handles.leaked(function() ebpf.link.lwt_out(program, "10.0.0.0/8", "no_such_if") end))
  end)
end)

-- What is attached somewhere, by whomever.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local netns = require "spec.support.netns"
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
    assert.equal("generic", entry(ebpf.link.query { ifindex = 1, attach_type = "xdp" }, link.program).mode)
  end)

  -- Also: a name that several kinds have, given to all of them, reaches the one that it is for.
  it("tells the mode of XDP, as a collection was told it", function()
    need { kernel = "4.19" }
    local printed = netns [[
      if not os.execute "ip link add a0 type veth peer name b0 2>/dev/null" then
        print "skip"
        goto done
      end
      for _, mode in ipairs { "driver", "generic" } do
        local coll <close> = assert(ebpf.load "build/examples/xdp_count.bpf.o")
        assert(coll:attach { interface = "a0", mode = mode })
        local list = assert(ebpf.link.query { interface = "a0", attach_type = "xdp" })
        print(#list, list[1].mode, list[1].program_id == coll.links[1].program:info().id)
      end
      ::done::
    ]]
    if printed == "skip\n" then pending "needs veth" end
    assert.equal("1\tdriver\ttrue\n1\tgeneric\ttrue\n", printed)
  end)

  -- Each filter as "id priority handle".
  local filters = [[
    local function list(direction)
      local lines = {}
      for _, each in ipairs(assert(ebpf.link.query { interface = "lo", attach_type = "tcx_" .. direction })) do
        local place = each.handle and (" %d %d"):format(each.priority, each.handle) or ""
        lines[#lines + 1] = each.program_id .. place
      end
      return table.concat(lines, ", ")
    end
    local function filter(direction, options)
      local program = links.counter { type = "sched_cls", returns = -1 }
      options.attach_mode = "legacy"
      local link, err = ebpf.link.tc(program, "lo", direction, options)
      if not link then
        print "skip"
        print "done"
        os.exit(0)
      end
      return ("%d %d %d"):format(program:info().id, options.priority, options.handle), link
    end
  ]]

  it("lists the filters of clsact behind the programs of tcx", function()
    need { kernel = "4.15" }
    local printed = netns(filters .. [[
      local last, a <close> = filter("ingress", { priority = 7, handle = 3 })
      local first, b <close> = filter("ingress", { priority = 5, handle = 0x10000 })
      local out, c <close> = filter("egress", { priority = 1, handle = 9 })
      local expected = first .. ", " .. last
      print(list "ingress" == expected, list "egress" == out)
      if ebpf.kernel():has "tcx" then
        local program = links.counter { type = "sched_cls", returns = -1 }
        local link <close> = assert(ebpf.link.tcx(program, "lo", { direction = "ingress" }))
        print(list "ingress" == program:info().id .. ", " .. expected)
        ebpf.kernel():mask "tcx"
      else
        print(true)
      end
      print(list "ingress" == expected)
      if os.execute "tc -V >/dev/null 2>&1" then
        local ids = {}
        for id in sh "tc filter show dev lo ingress":gmatch "direct%-action[^\n]- id (%d+)" do ids[#ids + 1] = id end
        print(table.concat(ids, " ") == first:match "%d+" .. " " .. last:match "%d+")
      else
        print(true)
      end
      assert(a:detach() and b:detach() and c:detach())
      print(list "ingress" == "" and list "egress" == "")
    ]])
    if printed == "skip\n" then pending "needs clsact and cls_bpf" end
    assert.equal(("true\ttrue\n" .. ("true\n"):rep(4)), printed)
  end)

  it("takes the filters of the qdisc ingress for those of one direction", function()
    need { kernel = "4.15" }
    if not os.execute "tc -V >/dev/null 2>&1" then pending "needs tc" end
    local printed = netns(filters .. [[
      sh "tc qdisc add dev lo ingress"
      local filter, link <close> = filter("ingress", { priority = 2, handle = 1 })
      print(list "ingress" == filter, list "egress" == "")
    ]])
    if printed == "skip\n" then pending "needs the qdisc ingress and cls_bpf" end
    assert.equal("true\ttrue\n", printed)
  end)

  it("lists more filters than one message of the kernel holds", function()
    need { kernel = "4.15" }
    local printed = netns(filters .. [[
      local expected, kept = {}, {}
      for i = 1, 150 do expected[i], kept[i] = filter("egress", { priority = i, handle = 1 }) end
      print(list "egress" == table.concat(expected, ", "))
    ]])
    if printed == "skip\n" then pending "needs clsact and cls_bpf" end
    assert.equal("true\n", printed)
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

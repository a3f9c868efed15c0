-- The host as a C programmer meets it: installed, found by pkg-config, linked both ways, with no file of ours around; the command's
-- sandbox; and the example tracerd, scraped.
local need = require "spec.support.need"
local process = require "spec.support.process"

local function temporary_folder()
  local path = assert(os.tmpname())
  os.remove(path)
  assert(os.execute("mkdir " .. path))
  finally(function() os.execute("rm -rf " .. path) end)
  return path
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local sample = [[
#include <ebpf_host.h>
#include <poll.h>
#include <stdio.h>

static void print(void *context, const char *script, const char *line) { (void)context; (void)script; puts(line); }

int main(void)
{
	struct ebpf_error err = { 0 };
	ebpf_host *h = ebpf_host_new(&(ebpf_host_options){ .size = sizeof(ebpf_host_options), .sandbox = true,
							   .memory_limit = 64 << 20, .print = print }, &err);

	if (!h || ebpf_host_load_file(h, "probe.lua", &err) < 0)
		return printf("%s\n", err.message), 1;
	while (ebpf_host_sources(h) > 0) {
		poll(&(struct pollfd){ .fd = ebpf_host_fd(h), .events = POLLIN }, 1, -1);
		if (ebpf_host_dispatch(h, 0, &err) < 0)
			return printf("%s\n", err.message), 1;
	}
	ebpf_host_free(h);
	return 0;
}
]]

local probe = [[
local ebpf = require "ebpf"
print("version", ebpf.version, #ebpf.asm.parse "r0 = 0\nexit")
local loop = ebpf.loop()
loop:after(0.01, function() print "called back" end)
]]

describe("the host", function()
  it("is installed with a pkg-config file, and is linked dynamically and statically #host", function()
    need.command "cc"
    need.command "pkg-config"
    need.command "make"
    local folder = temporary_folder()
    local output, status = process.run(("make -s install PREFIX=%s/usr LUA_SHAREDIR=%s/lua LUA_LIBDIR=%s/lualib"):format(
      folder, folder, folder))
    assert.equal(0, status, output)
    os.execute(("rm -rf %s/lua %s/lualib"):format(folder, folder)) -- nothing of it is needed
    write(folder .. "/host.c", sample)
    write(folder .. "/probe.lua", probe)
    local flags = ("PKG_CONFIG_PATH=%s/usr/lib/pkgconfig pkg-config"):format(folder)
    local build = ("cd %s && rm -f host && cc -Wall -Werror host.c -o host $(%s --cflags --libs %%s ebpf-host)")
      :format(folder, flags)
    local run = (" && env -i LD_LIBRARY_PATH=%s/usr/lib ./host"):format(folder)
    local said = "^version\t%d+%.%d+%.%d+\t2\ncalled back\n$"
    output, status = process.run(build:format "" .. run)
    assert.equal(0, status, output)
    assert.matches(said, output)
    os.execute(("rm %s/usr/lib/*.so*"):format(folder))
    output, status = process.run(build:format "--static" .. run)
    assert.equal(0, status, output)
    assert.matches(said, output)
  end)

  it("exports what its header declares #host", function()
    need.command "nm"
    local declared, exported = { luaopen_ebpf_core = true }, {}
    for name in read "bindings/ebpf_host.h":gmatch "EBPF_API[^;]-(ebpf_host_[%w_]+)%s*%(" do declared[name] = true end
    for name in process.run "nm -D --defined-only build/libebpf_host.so":gmatch " [TDRB] ([%w_]+)" do exported[name] = true end
    assert.same(declared, exported)
  end)
end)

describe("ebpf run", function()
  it("runs scripts in the host, with no Lua interpreter and none of our files in reach", function()
    local folder = temporary_folder()
    write(folder .. "/s.lua", [[
      print(arg[0], arg[1], (...), #arg, package.loaded["ebpf"] == nil, require "ebpf".version ~= nil)
      print((package.searchpath("ebpf", package.path)), (package.searchpath("ebpf.core", package.cpath)))]])
    local output, status = process.run(("p=$PWD; cd %s && env -i $p/build/ebpf run s.lua one two"):format(folder))
    assert.equal(0, status, output)
    assert.matches("^s%.lua\tone\tone\t2\ttrue\ttrue\nnil\tnil\n$", output)
  end)

  it("runs a script in a sandbox, with limits, and is its loop", function()
    local folder = temporary_folder()
    local function run(options, text)
      write(folder .. "/s.lua", text)
      return process.run(("build/ebpf run --sandbox %s %s/s.lua a b"):format(options, folder))
    end
    local output, status = run("", [[
      assert(io == nil and os.execute == nil)
      local loop, n = require "ebpf".loop(), 0
      loop:every(0.01, function() n = n + 1 print(n, arg[1], arg[2]) if n == 2 then loop:close() end end)]])
    assert.equal(0, status, output)
    assert.equal("1\ta\tb\n2\ta\tb\n", output)
    output, status = run("--instructions 100000", "while true do pcall(function() while true do end end) end")
    assert.equal(1, status)
    assert.matches("^ebpf: .*s%.lua:1: the script is over its budget of 100000 instructions\nstack traceback", output)
    output, status = run("--memory 4M", "local t = {} for i = 1, math.huge do t[i] = {} end")
    assert.equal(1, status)
    assert.matches("not enough memory", output)
    output, status = run("--instructions 100000", "require 'ebpf'.loop():after(0, function() while true do end end)")
    assert.equal(1, status)
    assert.matches("over its budget", output)
    output, status = run("--memory lots", "")
    assert.equal(1, status)
    assert.matches("'%-%-memory lots' is no limit", output)
    output, status = process.run "build/ebpf run --sandbox /no/such.lua"
    assert.equal(1, status)
    assert.matches("^ebpf: script '/no/such.lua': No such file or directory\n$", output)
    output, status = process.run "build/ebpf run --memory 1M /no/such.lua"
    assert.equal(1, status)
    assert.matches("limits are those of a sandbox %(add %-%-sandbox%)", output)
    output, status = process.run "lua5.4 lua/ebpf/cli/main.lua run --sandbox /no/such.lua"
    assert.equal(1, status)
    assert.matches("not in a plain Lua interpreter", output)
    output, status = process.run "build/ebpf run --sandbox"
    assert.equal(1, status)
    assert.matches("a script is missing", output)
  end)

  it("matches patterns in a sandbox as Lua itself does #host", function()
    local command = "spec/support/patterns.lua >%s/%s 2>&1"
    local folder = temporary_folder()
    local output, status = process.run(("lua5.4 " .. command):format(folder, "lua"))
    assert.equal(0, status, output)
    output, status = process.run(("build/ebpf run --sandbox " .. command):format(folder, "ours"))
    assert.equal(0, status, output)
    assert.equal("", (process.run(("diff -a %s/lua %s/ours | head -20"):format(folder, folder))))
    assert.is_true(#read(folder .. "/ours") > 1000000)
  end)

  it("ends a sandboxed script at Ctrl-C", function()
    local folder = temporary_folder()
    write(folder .. "/s.lua", "print 'ready' require 'ebpf'.loop():every(100, print)")
    local child = process.start(("build/ebpf run --sandbox %s/s.lua"):format(folder))
    child.interrupt()
    local _, status = child.wait()
    assert.equal(0, status)
  end)
end)

describe("example tracerd", function()
  local daemon, folder, port

  before_each(function()
    need { kernel = "5.8", "ringbuf" }
    need.file "build/examples/tracerd"
    if process.run "build/examples/tracerd":find("error while loading shared libraries", 1, true) then
      pending "needs libmicrohttpd"
    end
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute(("cp -r examples/tracerd/scripts %s"):format(folder)))
    local log = folder .. "/log"
    write(log, "")
    write(folder .. "/pid", "")
    os.execute(("build/examples/tracerd -p 0 %s >%s 2>&1 & echo $! >%s/pid"):format(folder, log, folder))
    for _ = 1, 100 do
      port = read(log):match "127%.0%.0%.1:(%d+)"
      if port then break end
      os.execute "sleep 0.05"
    end
    daemon = tonumber(read(folder .. "/pid"))
    assert(port, read(log))
  end)
  after_each(function()
    if daemon then
      os.execute("kill " .. daemon)
      for _ = 1, 100 do
        if not os.execute(("kill -0 %d 2>/dev/null"):format(daemon)) then break end
        os.execute "sleep 0.05"
      end
    end
    if folder then os.execute("rm -rf " .. folder) end
    daemon, folder, port = nil, nil, nil
  end)

  -- A page of it: its status, its text.
  local function get(page)
    local command = os.execute "command -v curl >/dev/null" and "curl -s -i -0 http://127.0.0.1:PORT/PAGE"
      or "printf 'GET /PAGE HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 PORT" -- busybox has that
    local answer = process.run((command:gsub("PORT", port):gsub("PAGE", page)))
    return answer:match "^HTTP/1%.%d (%d+)", answer:match "\r\n\r\n(.*)" or ""
  end

  local function scrape() return (select(2, get "metrics")) end
  local function value(text, series) return tonumber(text:match("\n" .. series:gsub("%p", "%%%0") .. " (%d+)")) end

  -- Scrapes until the page is as wanted.
  local function until_true(check)
    local text
    for _ = 1, 60 do
      text = scrape()
      if check(text) then return text end
      os.execute "sleep 0.05"
    end
    error("the page never became so:\n" .. text .. "\n" .. read(folder .. "/log"), 0)
  end

  it("serves what its scripts count, as Prometheus wants it", function()
    process.run "dd if=/dev/zero of=/dev/null bs=1 count=3000"
    process.run "/bin/true; /bin/true; /bin/true"
    local text = until_true(function(text) return (value(text, 'tracerd_execs_total{comm="true"}') or 0) >= 3 end)
    assert.is_true(value(text, 'tracerd_syscalls_total{comm="dd"}') >= 6000, text)
    assert.equal(2, value(text, "tracerd_scripts"))
    assert.equal(0, value(text, "tracerd_script_errors_total"))
    assert.equal("404", (get ""))
  end)

  it("serves what promtool finds no fault with #host", function()
    need.command "promtool"
    local path = folder .. "/page"
    write(path, until_true(function(text) return value(text, "tracerd_scripts") == 2 end))
    local output, status = process.run(("promtool check metrics <%s"):format(path))
    assert.equal(0, status, output)
    assert.equal("", output)
  end)

  it("loads, reloads and ends scripts with their files, and keeps what a script may not do from it", function()
    local syscalls = folder .. "/syscalls.lua"
    -- a mistake ends nothing
    write(syscalls, "this is no Lua")
    local text = until_true(function(text) return value(text, "tracerd_script_errors_total") == 1 end)
    assert.matches("tracerd_syscalls_total{", text)
    assert.matches("syscalls%.lua:1: syntax error", read(folder .. "/log"))
    -- a new version takes over
    write(syscalls, [[function metrics(metric) metric("mine", "gauge", "A \\ back\nslash", { name = 'a"b\n' }, 1.5) end]])
    text = until_true(function(page) return page:find('mine{name="a\\"b\\n"} 1.5', 1, true) end)
    assert.is_nil(text:match "tracerd_syscalls_total")
    assert.matches("# HELP mine A \\\\ back\\nslash\n# TYPE mine gauge\n", text, 1, true)
    -- another comes, another goes
    write(folder .. "/new.lua", [[
      local ebpf = require "ebpf"
      local m = assert(ebpf.map { type = "array", name = "m", key = "u32", value = "u32", max_entries = 1 })
      local ok, err = m:pin "/sys/fs/bpf/tracerd-spec"
      assert(not ok and err.code == "EPERM")
      function metrics(metric) metric("refused", "gauge", tostring(err), {}, 1) end]])
    os.remove(folder .. "/execs.lua")
    text = until_true(function(page) return page:find("\nrefused 1", 1, true) and not page:find("execs_total", 1, true) end)
    assert.equal(2, value(text, "tracerd_scripts"))
    assert.equal(1, value(text, "tracerd_refused_steps_total"))
    assert.matches("the program that runs this script refuses to pin as /sys/fs/bpf/tracerd-spec", text, 1, true)
    assert.is_nil(io.open "/sys/fs/bpf/tracerd-spec")
    -- one that never returns is ended, the others stay
    write(folder .. "/greedy.lua", "function metrics() while true do pcall(function() while true do end end) end end")
    until_true(function(page) return value(page, "tracerd_script_errors_total") == 2 end)
    text = until_true(function(page) return value(page, "tracerd_scripts") == 2 end)
    assert.matches("mine{", text)
  end)

  it("is scraped by Prometheus itself #host", function()
    need.command "prometheus"
    need.command "curl"
    local web = 20000 + math.random(20000)
    write(folder .. "/prometheus.yml", ("global: { scrape_interval: 1s }\nscrape_configs:\n"
      .. "- { job_name: tracerd, static_configs: [ { targets: [ '127.0.0.1:%s' ] } ] }\n"):format(port))
    os.execute(("prometheus --config.file=%s/prometheus.yml --storage.tsdb.path=%s/data --web.listen-address=127.0.0.1:%d "
      .. ">%s/prometheus.log 2>&1 & echo $! >%s/prometheus.pid"):format(folder, folder, web, folder, folder))
    local answer
    for _ = 1, 150 do
      answer = process.run(("curl -s 'http://127.0.0.1:%d/api/v1/query?query=tracerd_scripts'"):format(web))
      if answer:find('"value":%[[^%]]*"2"%]') then break end
      os.execute "sleep 0.2"
    end
    os.execute("kill " .. read(folder .. "/prometheus.pid"))
    assert.matches('"job":"tracerd".*"value":%[[^%]]*"2"%]', answer, nil, read(folder .. "/prometheus.log"))
  end)
end)

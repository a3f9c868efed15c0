--- ebpf features: what the running kernel can do, and what this process may do.
local report = require "ebpf.cli.report"

local features = {}

function features.describe(parser)
  local command = parser:command("features",
    "Tell what the running kernel can do: types of programs and maps, helpers, kfuncs; and what this process may do.")
  command:flag("--full",
    "Ask also for what leaves a trace in the kernel's log (trace_printk, probe_write_user), and who may call each kfunc.")
  command:flag("--json", "Print one JSON document.")
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- -- as JSON --

local document_keys = {
  "program_types", "map_types", "map_flags", "program_flags", "attach_types", "helpers", "kfuncs", "kfunc_types", "isa", "limits",
  "features", "privileges", "unknown",
}
local privilege_keys = {
  "uid", "capabilities", "user_namespace", "unprivileged_bpf_disabled", "perf_event_paranoid", "kptr_restrict", "jit_enable",
  "jit_harden", "lockdown", "memlock", "bpffs", "token", "kinds",
}
local kind_keys = { "name", "what", "allowed", "missing", "why", "advice" }

local function with_nulls(keys, row)
  for _, key in ipairs(keys) do if row[key] == nil then row[key] = report.null end end
  return report.object(keys, row)
end

-- Answers by the order of the table; null for what could not be known.
local function answers(found, group)
  local keys = {}
  for i, row in ipairs(require "ebpf".features.rows(group)) do keys[i] = row.name end
  return with_nulls(keys, found)
end

local function lists(map)
  for _, list in pairs(map) do report.list(list) end
  return report.object(sorted_keys(map), map)
end

local function privileges(have)
  report.list(have.capabilities)
  for i, kind in ipairs(have.kinds) do
    report.list(kind.missing)
    have.kinds[i] = with_nulls(kind_keys, kind)
  end
  report.list(have.kinds)
  with_nulls({ "soft", "hard", "accounting" }, have.memlock)
  return with_nulls(privilege_keys, have)
end

local function document(found)
  for _, group in ipairs { "program_type", "map_type", "map_flag", "program_flag", "attach_type" } do
    found[group .. "s"] = answers(found[group .. "s"], group)
  end
  found.isa = answers(found.isa, "isa")
  found.helpers = lists(found.helpers)
  found.kfuncs = report.list(found.kfuncs)
  found.kfunc_types = found.kfunc_types and lists(found.kfunc_types)
  found.limits = with_nulls({ "instructions", "bounded_loops" }, found.limits)
  found.features = report.object(sorted_keys(found.features), found.features)
  found.privileges = privileges(found.privileges)
  found.unknown = report.object(sorted_keys(found.unknown), found.unknown)
  return report.object(document_keys, found)
end

-- -- as text --

local width = 110

-- Words in lines of at most `width`, behind a title.
local function paragraph(title, words)
  if #words == 0 then words = { "none" } end
  local line = title .. ":"
  for _, word in ipairs(words) do
    if #line + #word + 1 > width then
      print(line)
      line = "   "
    end
    line = line .. " " .. word
  end
  print(line)
end

local function split(found, group)
  local present, absent = {}, {}
  for _, row in ipairs(require "ebpf".features.rows(group)) do
    local value = found[row.name]
    if value then present[#present + 1] = row.name end
    if value == false then absent[#absent + 1] = ("%s (%s)"):format(row.name, row.since) end
  end
  return present, absent
end

local function print_group(title, found, group)
  local present, absent = split(found, group)
  paragraph(title, present)
  if #absent > 0 then paragraph("  not here (oldest kernel that may have it)", absent) end
  print()
end

local function memory_text(memlock)
  local limit = memlock.hard and ("%d KiB"):format(memlock.hard // 1024) or "no limit"
  local accounting = {
    cgroup = "memory counts for the cgroup, not against it", rlimit = "the memory of maps and programs counts against it",
  }
  return ("%s (%s)"):format(limit, accounting[memlock.accounting] or "whether memory counts against it is not known")
end

local function print_privileges(have)
  local function shown(value) return value == nil and "unknown" or tostring(value) end
  local rows = {
    { "user", shown(have.uid) .. (have.user_namespace and ", in a user namespace" or "") },
    { "capabilities", #have.capabilities > 0 and table.concat(have.capabilities, " ") or "none" },
    { "lockdown", shown(have.lockdown) },
    { "unprivileged_bpf_disabled", shown(have.unprivileged_bpf_disabled) },
    { "perf_event_paranoid", shown(have.perf_event_paranoid) }, { "kptr_restrict", shown(have.kptr_restrict) },
    { "jit", ("enable %s, harden %s"):format(shown(have.jit_enable), shown(have.jit_harden)) },
    { "RLIMIT_MEMLOCK", memory_text(have.memlock) },
    { "BPF file system", have.bpffs or "not mounted (mount -t bpf bpf /sys/fs/bpf)" }, { "BPF token", have.token or "none" },
  }
  print "This process:"
  report.rows(rows)
  print()
  for _, kind in ipairs(have.kinds) do
    print(("%s %s: %s"):format(kind.allowed and "may    " or "may not", kind.name, kind.what))
    if kind.why then print("          " .. kind.why) end
    if kind.advice then print("          " .. kind.advice) end
  end
  print()
end

-- What could not be known, by the reasons, of which there are few.
local function print_unknown(unknown)
  local by_reason = {}
  for _, name in ipairs(sorted_keys(unknown)) do
    local reason = unknown[name]:match "^feature '[^']*': could not find out: (.*)$" or unknown[name]
    by_reason[reason] = by_reason[reason] or {}
    table.insert(by_reason[reason], name)
  end
  for _, reason in ipairs(sorted_keys(by_reason)) do
    print("Could not be known: " .. reason)
    paragraph("  of", by_reason[reason])
  end
end

local function print_report(found)
  print_group("Program types", found.program_types, "program_type")
  print_group("Map types", found.map_types, "map_type")
  print_group("Map flags", found.map_flags, "map_flag")
  print_group("Program flags", found.program_flags, "program_flag")
  print_group("Attach types", found.attach_types, "attach_type")
  print_group("Instruction sets", found.isa, "isa")
  print(("Limits: %s instructions, %s\n"):format(found.limits.instructions or "unknown number of",
    found.limits.bounded_loops and "bounded loops" or "no loops"))
  for _, name in ipairs(sorted_keys(found.helpers)) do paragraph("Helpers of " .. name, found.helpers[name]) end
  print()
  paragraph("Kfuncs", found.kfuncs)
  for _, name in ipairs(sorted_keys(found.kfunc_types or {})) do paragraph("  " .. name, found.kfunc_types[name]) end
  print()
  print_privileges(found.privileges)
  print_unknown(found.unknown)
end

function features.run(arguments)
  collectgarbage "stop" -- a report is small, and ends the process
  local found = require "ebpf".features.report { full = arguments.full }
  if arguments.json then return document(found) end
  print_report(found)
  return {}
end

return features

--- ebpf.features: what the running kernel can do. Each answer is true, false, or nil and an error that says why it cannot be
-- known. Nothing is asked before it is wanted, and no question twice.
local core = require "ebpf.core"

local features = {}

-- name -> { name, since } of each group, made when first looked at.
local groups
local function rows_of(group)
  if not groups then
    groups = {}
    for _, each in ipairs(core.feature_groups()) do groups[each.name] = each end
  end
  return groups[group]
end

local function has(feature)
  local kernel, err, errno = core.kernel()
  if not kernel then return nil, err, errno end
  return kernel:has(feature)
end

--- The rows of a group, which is "program_type", "map_type", "map_flag", "attach_type", "program_flag", "isa" or "limit":
-- { { name =, since = }, ... }, `since` the oldest kernel that has it.
function features.rows(group)
  local rows = rows_of(group)
  if not rows then error(("no group of features '%s'"):format(tostring(group)), 2) end
  local copy = {}
  for i, row in ipairs(rows) do copy[i] = { name = row.name, since = row.since } end
  return copy
end

local function in_group(group)
  return function(name)
    if type(name) ~= "string" then error(("%s: a name expected, got %s"):format(group, type(name)), 2) end
    local known
    for _, row in ipairs(rows_of(group)) do known = known or row.name == name end
    if not known then error(("%s: there is none that is called '%s'"):format(group, name), 2) end
    return has(group .. "." .. name)
  end
end

--- features.program_type("xdp"): can such a program be loaded?
features.program_type = in_group "program_type"
--- features.map_type("percpu_hash"): can such a map be made?
features.map_type = in_group "map_type"
--- features.map_flag("mmapable"): the kernel's BPF_F_ flags; "devmap_program" and "cpumap_program" are entries that carry a
-- program.
features.map_flag = in_group "map_flag"
--- features.program_flag("sleepable"): the flags of programs, BPF_F_ as well.
features.program_flag = in_group "program_flag"
--- features.attach_type("tcx_ingress"): does the kernel know the place?
features.attach_type = in_group "attach_type"
--- features.isa("v4"): instruction sets as compilers number them; "atomics", "may_goto", "load_acquire" beside them.
features.isa = in_group "isa"

--- features.bounded_loops(): may a program have loops whose end the verifier sees?
function features.bounded_loops() return has "limit.bounded_loops" end

--- features.instruction_limit(): how many instructions a program of this process may have, 4096 or 1000000.
features.instruction_limit = core.instruction_limit

--- features.helper("xdp", "redirect_map"): may such a program call it?
features.helper = core.helper
--- features.helpers("xdp" [, all]): the names of all that it may call. Without `all` those are left out for which the kernel
-- writes a warning or switches something on when it is asked: trace_printk, trace_vprintk, probe_write_user.
features.helpers = core.helpers

--- features.kfunc("bpf_task_acquire" [, "tracing"]): is there such a function; may programs of the type call it?
features.kfunc = core.kfunc
--- features.kfuncs(): the names of all, where the kernel tells (6.10, built with pahole 1.26).
features.kfuncs = core.kfunc_names
--- features.kfunc_types("bpf_task_acquire"): the types of programs that may call it. Types of which no program could be loaded
-- to try are left out.
features.kfunc_types = core.kfunc_types

--- features.privileges(): what this process may do, and what to do where it may not.
features.privileges = core.privileges

-- -- the report --

-- The answers of a group by name; what is not known is left out and goes into `unknown` with its reason.
local function answers(group, unknown)
  local result = {}
  for _, row in ipairs(rows_of(group)) do
    local value, err = has(group .. "." .. row.name)
    result[row.name] = value
    if value == nil then unknown[group .. "." .. row.name] = tostring(err) end
  end
  return result
end

local function helpers_by_type(program_types, all, unknown)
  local result = {}
  for name, present in pairs(program_types) do
    if present then
      local list, err = core.helpers(name, all)
      result[name] = list
      if not list then unknown["helpers." .. name] = tostring(err) end
    end
  end
  return result
end

local function kfunc_names(unknown)
  local names, err = core.kfunc_names()
  if not names then unknown.kfuncs = tostring(err) end
  return names or {}
end

local function kfunc_types(names, unknown)
  local result = {}
  for _, name in ipairs(names) do
    local types, err = core.kfunc_types(name)
    result[name] = types
    if not types then unknown["kfunc_types." .. name] = tostring(err) end
  end
  return result
end

local function limits(unknown)
  local instructions, err = core.instruction_limit()
  if not instructions then unknown["limits.instructions"] = tostring(err) end
  local loops, why = features.bounded_loops()
  if loops == nil then unknown["limits.bounded_loops"] = tostring(why) end
  return { instructions = instructions, bounded_loops = loops }
end

local function plain_features(unknown)
  local result, kernel = {}, assert(core.kernel())
  for _, row in ipairs(kernel:features()) do
    local value, err = kernel:has(row.name)
    result[row.name] = value
    if value == nil then unknown["features." .. row.name] = tostring(err) end
  end
  return result
end

--- features.report { full = boolean } -> everything: program_types, map_types, map_flags, program_flags, attach_types, isa,
-- features (name -> boolean), helpers (program type -> list of names), kfuncs (list of names), limits, privileges; and unknown:
-- what could not be known -> why. With `full` also kfunc_types (kfunc -> program types), and the helpers that cannot be asked
-- for without an effect on the kernel.
function features.report(options)
  local full = options ~= nil and options.full or false
  local unknown = {}
  local report = { unknown = unknown }
  for _, group in ipairs { "program_type", "map_type", "map_flag", "program_flag", "attach_type" } do
    report[group .. "s"] = answers(group, unknown)
  end
  report.isa = answers("isa", unknown)
  report.limits = limits(unknown)
  report.helpers = helpers_by_type(report.program_types, full, unknown)
  report.kfuncs = kfunc_names(unknown)
  if full then report.kfunc_types = kfunc_types(report.kfuncs, unknown) end
  report.features = plain_features(unknown)
  report.privileges = core.privileges()
  return report
end

return features

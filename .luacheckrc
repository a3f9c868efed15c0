std = "lua54"
max_line_length = 132
exclude_files = { "build" }
files["spec"] = { std = "+busted" }
-- A <close> variable is used by going out of scope.
files["examples"] = { ignore = { "211/link", "211/coll" } }

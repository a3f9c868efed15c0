-- The busted command under Lua 5.4: Debian's own starts Lua 5.1.
require "busted.runner" { standalone = false }

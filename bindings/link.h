/* link.h -- the arguments of links, for those who attach. (What others need of links is in binding.h.) */
#ifndef EBPF_BINDING_LINK_H
#define EBPF_BINDING_LINK_H

#include "binding.h"

/* Fills the options of a known kind from the arguments from `first` on. Strings stay borrowed from the Lua values, and lists leave arrays on the stack:
 * all must stay as long as the options are used. */
void binding_link_arguments(lua_State *L, struct ebpf_link_options *options, const char *kind, int first);

#endif

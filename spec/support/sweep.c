/* sweep.c SCRIPT [STEP] -- runs a Lua script again and again, each time with memory for Lua that runs out one (or STEP) allocations
 * later, until it runs through. After each run the state is closed: then Lua must have given back all memory, and the process must
 * have as many descriptors as before. Prints how far it went; exit status 1 when something was left behind.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static long left = -1; /* allocations that still succeed; -1 = all */
static size_t in_use;

static void *allocate(void *unused, void *block, size_t old_size, size_t size)
{
	(void)unused;
	if (!block)
		old_size = 0;
	if (!size) {
		free(block);
		in_use -= old_size;
		return NULL;
	}
	if (size > old_size && left == 0)
		return NULL;
	void *moved = realloc(block, size);

	if (moved) {
		in_use += size - old_size;
		left -= size > old_size && left > 0;
	}
	return moved;
}

static int descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* True when the script ran through before the memory ran out. */
static int run(const char *script, long allocations)
{
	lua_State *L = lua_newstate(allocate, NULL);

	luaL_openlibs(L);
	if (luaL_loadfile(L, script) != LUA_OK || luaL_dostring(L, "require 'ebpf'") != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		exit(1);
	}
	left = allocations;
	int status = lua_pcall(L, 0, 0, 0), through = status == LUA_OK && left != 0;

	left = -1;
	if (status != LUA_OK) {
		const char *message = luaL_tolstring(L, -1, NULL);

		if (!strstr(message, "not enough memory"))
			fprintf(stderr, "after %ld allocations: %s\n", allocations, message);
	}
	lua_close(L);
	return through;
}

int main(int argc, char **argv)
{
	long step = argc > 2 ? atol(argv[2]) : 1, allocations = 0;

	if (argc < 2 || step < 1)
		return 2;
	run(argv[1], -1);
	for (int before = descriptors(), through = 0; !through; allocations += step) {
		through = run(argv[1], allocations);
		if (descriptors() == before && !in_use)
			continue;
		printf("after %ld allocations: %d descriptors and %zu bytes are left\n", allocations,
		       descriptors() - before, in_use);
		return 1;
	}
	printf("swept %ld allocations\n", allocations);
	return 0;
}

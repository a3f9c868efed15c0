/* host_match.h -- Lua patterns (6.4.1 of its manual), matched in steps that are paid for.
 *
 * Lua's own matcher is one call of C, which takes as long as it takes: "a*" twenty times on a long text is for ever. This one has the same results, and
 * says after every so many steps that it has made them; who is told may longjmp away. It knows nothing of Lua; of memory it has what it is given.
 *
 * A pattern becomes a list of nodes. There are no alternatives in one, so that a match goes along that list: each node is on the way at most once, and what is
 * to be tried when it does not go on can be kept in the node itself. For the same reason captures are known by their places in the list, and
 * mistakes in a pattern are nodes: they are mistakes where the match gets to them, as in Lua. */
#ifndef EBPF_BINDING_HOST_MATCH_H
#define EBPF_BINDING_HOST_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_CAPTURES 32 /* the most that Lua has */
#define HOST_NOT_FOUND SIZE_MAX
#define HOST_MISTAKE (SIZE_MAX - 1)

struct host_node {
	uint8_t kind, repeat, first, second;
	uint32_t set;          /* its number */
	size_t below;          /* the node that is tried after this one, in a match that goes on at this one */
	size_t at, least;      /* there: how far it went, and how far it must */
};

struct host_match {
	struct host_node *nodes;
	uint8_t (*sets)[32];
	bool anchored;
	const uint8_t *text;   /* ends with a NUL, which does not count */
	size_t size;
	unsigned captures;
	struct {
		bool is_open, is_position;
		size_t start, end;
	} capture[HOST_CAPTURES];
	const char *mistake;   /* in the pattern; "%d" stands for mistaken_index */
	int mistaken_index;
	unsigned steps;        /* since the last call of: */
	void (*pay)(void *context, unsigned steps);
	void *context;
};
#define HOST_STEPS 1000 /* between two calls */

/* The most nodes and sets that a pattern of a size has. */
#define HOST_NODES(size) ((size) + 1)
#define HOST_SETS(size) ((size) / 3 + 1)
/* Makes the list, in the room that `nodes` and `sets` have. An anchor is one if `anchors` ('^' has no such meaning for gmatch). */
void host_match_compile(struct host_match *match, const char *pattern, size_t size, bool anchors);
/* Where the match that begins at `start` ends; HOST_NOT_FOUND, HOST_MISTAKE. */
size_t host_match_at(struct host_match *match, size_t start);
/* The first match from *start on, which becomes where that begins. */
size_t host_match_find(struct host_match *match, size_t *start);
/* Tells of the steps that have not been told yet. */
void host_match_pay(struct host_match *match);

#endif

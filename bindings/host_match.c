/* host_match.c -- what host_match.h promises. */
#include <ctype.h>
#include <string.h>

#include "host_match.h"

enum kind { END, CHARACTER, ANY, CLASS, SET, OPEN, CLOSE, POSITION, AGAIN, BALANCE, FRONTIER, TEXT_END, MISTAKE };
enum repeat { ONCE, MAYBE, MANY, SOME, FEW };

#define NOBODY SIZE_MAX

/* -- steps -- */

static void tell(struct host_match *match)
{
	unsigned steps = match->steps;

	match->steps = 0;
	match->pay(match->context, steps);
}

static inline void step(struct host_match *match, size_t count)
{
	while (count >= HOST_STEPS) {
		match->steps += HOST_STEPS;
		count -= HOST_STEPS;
		tell(match);
	}
	match->steps += (unsigned)count;
	if (match->steps >= HOST_STEPS)
		tell(match);
}

void host_match_pay(struct host_match *match)
{
	if (match->steps)
		tell(match);
}

/* -- single characters -- */

static bool is_of_class(uint8_t letter, uint8_t c)
{
	bool is;

	switch (tolower(letter)) {
	case 'a': is = isalpha(c); break;
	case 'c': is = iscntrl(c); break;
	case 'd': is = isdigit(c); break;
	case 'g': is = isgraph(c); break;
	case 'l': is = islower(c); break;
	case 'p': is = ispunct(c); break;
	case 's': is = isspace(c); break;
	case 'u': is = isupper(c); break;
	case 'w': is = isalnum(c); break;
	case 'x': is = isxdigit(c); break;
	case 'z': is = c == 0; break; /* of Lua 5.1; still there */
	default: return letter == c;
	}
	return isupper(letter) ? !is : is;
}

static inline bool has(const uint8_t *set, uint8_t c)
{
	return set[c >> 3] >> (c & 7) & 1;
}

static void put(uint8_t *set, unsigned first, unsigned last)
{
	for (unsigned c = first; c <= last; c++)
		set[c >> 3] |= (uint8_t)(1U << (c & 7));
}

static inline bool fits(const struct host_match *match, const struct host_node *node, uint8_t c)
{
	switch (node->kind) {
	case CHARACTER: return node->first == c;
	case CLASS: return is_of_class(node->first, c);
	case SET: return has(match->sets[node->set], c);
	}
	return true; /* ANY */
}

/* -- from text to nodes -- */

struct reader {
	struct host_match *match;
	const uint8_t *text;
	size_t size, at, count;
	uint32_t sets;
};

static struct host_node *add(struct reader *reader, enum kind kind)
{
	struct host_node *node = &reader->match->nodes[reader->count++];

	*node = (struct host_node){ .kind = (uint8_t)kind };
	return node;
}

/* The rest of the pattern will not be looked at: nobody gets there. */
static void mistake(struct reader *reader, const char *what, int index)
{
	add(reader, MISTAKE);
	reader->match->mistake = what;
	reader->match->mistaken_index = index;
	reader->at = reader->size;
}

/* The ']' that ends the set whose '[' is at `from`: the first character in it is never that. SIZE_MAX: there is none. */
static size_t end_of_set(const struct reader *reader, size_t from)
{
	size_t at = from + 1;

	if (at < reader->size && reader->text[at] == '^')
		at++;
	for (bool first = true; at < reader->size; first = false) {
		if (!first && reader->text[at] == ']')
			return at;
		at += reader->text[at] == '%' && at + 1 < reader->size ? 2 : 1;
	}
	return SIZE_MAX;
}

/* Reads the set at the reader's place. False, with the mistake made, when it does not end. */
static bool read_set(struct reader *reader, uint32_t *number)
{
	size_t end = end_of_set(reader, reader->at), at = reader->at + 1;
	const uint8_t *text = reader->text;
	uint8_t *set;
	bool inverted;

	if (end == SIZE_MAX) {
		mistake(reader, "malformed pattern (missing ']')", 0);
		return false;
	}
	*number = reader->sets++;
	set = reader->match->sets[*number];
	memset(set, 0, 32);
	inverted = text[at] == '^';
	at += inverted;
	while (at < end) {
		if (text[at] == '%') {
			for (unsigned c = 0; c < 256; c++)
				if (is_of_class(text[at + 1], (uint8_t)c))
					put(set, c, c);
			at += 2;
		} else if (at + 2 < end && text[at + 1] == '-') {
			put(set, text[at], text[at + 2]);
			at += 3;
		} else {
			put(set, text[at], text[at]);
			at++;
		}
	}
	for (int i = 0; inverted && i < 32; i++)
		set[i] = (uint8_t)~set[i];
	reader->at = end + 1;
	return true;
}

static void read_repeat(struct reader *reader, struct host_node *node)
{
	static const uint8_t repeats[256] = { ['?'] = MAYBE, ['*'] = MANY, ['+'] = SOME, ['-'] = FEW };

	if (reader->at < reader->size && repeats[reader->text[reader->at]])
		node->repeat = repeats[reader->text[reader->at++]];
}

static void read_open(struct reader *reader)
{
	struct host_match *match = reader->match;
	bool is_position = reader->at + 1 < reader->size && reader->text[reader->at + 1] == ')';

	if (match->captures == HOST_CAPTURES) {
		mistake(reader, "too many captures", 0);
		return;
	}
	match->capture[match->captures].is_position = is_position;
	match->capture[match->captures].is_open = !is_position;
	add(reader, is_position ? POSITION : OPEN)->first = (uint8_t)match->captures++;
	reader->at += is_position ? 2 : 1;
}

static void read_close(struct reader *reader)
{
	struct host_match *match = reader->match;

	for (unsigned i = match->captures; i-- > 0;) {
		if (!match->capture[i].is_open)
			continue;
		match->capture[i].is_open = false;
		add(reader, CLOSE)->first = (uint8_t)i;
		reader->at++;
		return;
	}
	mistake(reader, "invalid pattern capture", 0);
}

static void read_again(struct reader *reader, uint8_t digit)
{
	struct host_match *match = reader->match;
	int index = digit - '1';

	if (index < 0 || index >= (int)match->captures || match->capture[index].is_open) {
		mistake(reader, "invalid capture index %%%d", index + 1);
		return;
	}
	add(reader, AGAIN)->first = (uint8_t)index;
	reader->at += 2;
}

static void read_balance(struct reader *reader)
{
	struct host_node *node;

	if (reader->size - reader->at < 4) {
		mistake(reader, "malformed pattern (missing arguments to '%%b')", 0);
		return;
	}
	node = add(reader, BALANCE);
	node->first = reader->text[reader->at + 2];
	node->second = reader->text[reader->at + 3];
	reader->at += 4;
}

static void read_frontier(struct reader *reader)
{
	uint32_t set;

	if (reader->size - reader->at < 3 || reader->text[reader->at + 2] != '[') {
		mistake(reader, "missing '[' after '%%f' in pattern", 0);
		return;
	}
	reader->at += 2;
	if (read_set(reader, &set))
		add(reader, FRONTIER)->set = set;
}

static void read_escape(struct reader *reader)
{
	struct host_node *node;
	uint8_t letter;

	if (reader->at + 1 == reader->size) {
		mistake(reader, "malformed pattern (ends with '%%')", 0);
		return;
	}
	letter = reader->text[reader->at + 1];
	if (letter == 'b') {
		read_balance(reader);
	} else if (letter == 'f') {
		read_frontier(reader);
	} else if (letter >= '0' && letter <= '9') {
		read_again(reader, letter);
	} else {
		node = add(reader, isalpha(letter) ? CLASS : CHARACTER);
		node->first = letter;
		reader->at += 2;
		read_repeat(reader, node);
	}
}

static void read_single(struct reader *reader)
{
	uint8_t c = reader->text[reader->at];
	struct host_node *node;
	uint32_t set;

	if (c == '[') {
		if (!read_set(reader, &set))
			return;
		node = add(reader, SET);
		node->set = set;
	} else {
		node = add(reader, c == '.' ? ANY : CHARACTER);
		node->first = c;
		reader->at++;
	}
	read_repeat(reader, node);
}

void host_match_compile(struct host_match *match, const char *pattern, size_t size, bool anchors)
{
	struct reader reader = { .match = match, .text = (const uint8_t *)pattern, .size = size };

	match->captures = 0;
	match->anchored = anchors && size && pattern[0] == '^';
	reader.at = match->anchored;
	while (reader.at < size) {
		switch (reader.text[reader.at]) {
		case '(': read_open(&reader); break;
		case ')': read_close(&reader); break;
		case '%': read_escape(&reader); break;
		case '$':
			if (reader.at + 1 == size) {
				add(&reader, TEXT_END);
				reader.at++;
				break;
			}
			/* fallthrough */
		default: read_single(&reader);
		}
	}
	add(&reader, END); /* also behind a mistake: the room for it is there, since a mistake took a character */
	step(match, size);
}

/* -- matching -- */

/* How far a node goes from `from`, at most to `limit`. */
static size_t reach(struct host_match *match, const struct host_node *node, size_t from, size_t limit)
{
	size_t at = from;

	if (node->kind == ANY)
		return limit;
	while (at < limit && fits(match, node, match->text[at])) {
		at++;
		step(match, 1);
	}
	return at;
}

/* The end of the balanced text at `at`, or HOST_NOT_FOUND. */
static size_t balance(struct host_match *match, const struct host_node *node, size_t at)
{
	size_t depth = 1;

	if (at >= match->size || match->text[at] != node->first)
		return HOST_NOT_FOUND;
	while (++at < match->size) {
		step(match, 1);
		if (match->text[at] == node->second) {
			if (!--depth)
				return at + 1;
		} else if (match->text[at] == node->first) {
			depth++;
		}
	}
	return HOST_NOT_FOUND;
}

/* What a capture has, once more; a position is nowhere in a text. */
static size_t again(struct host_match *match, unsigned capture, size_t at)
{
	size_t start = match->capture[capture].start, size = match->capture[capture].end - start;

	if (match->capture[capture].is_position || size > match->size - at)
		return HOST_NOT_FOUND;
	step(match, size / 16);
	return memcmp(match->text + start, match->text + at, size) ? HOST_NOT_FOUND : at + size;
}

static size_t frontier(const struct host_match *match, const struct host_node *node, size_t at)
{
	const uint8_t *set = match->sets[node->set];

	return !has(set, at ? match->text[at - 1] : 0) && has(set, at < match->size ? match->text[at] : 0) ? at : HOST_NOT_FOUND;
}

/* A single character, or its repetition: *top is the node to go back to. */
static size_t single(struct host_match *match, size_t index, size_t at, size_t *top)
{
	struct host_node *node = &match->nodes[index];
	size_t limit = match->size;

	switch (node->repeat) {
	case ONCE: return at < match->size && fits(match, node, match->text[at]) ? at + 1 : HOST_NOT_FOUND;
	case FEW:
		node->at = at;
		node->below = *top;
		*top = index;
		return at;
	case MAYBE: limit = at < match->size ? at + 1 : at; break;
	}
	node->least = at + (node->repeat == SOME);
	node->at = reach(match, node, at, limit);
	if (node->at < node->least)
		return HOST_NOT_FOUND;
	if (node->at > node->least) {
		node->below = *top;
		*top = index;
	}
	return node->at;
}

/* One node at `at`: where the next one begins, or HOST_NOT_FOUND. */
static size_t go(struct host_match *match, size_t index, size_t at, size_t *top)
{
	const struct host_node *node = &match->nodes[index];

	switch (node->kind) {
	case OPEN:
	case POSITION: match->capture[node->first].start = at; return at;
	case CLOSE: match->capture[node->first].end = at; return at;
	case AGAIN: return again(match, node->first, at);
	case BALANCE: return balance(match, node, at);
	case FRONTIER: return frontier(match, node, at);
	case TEXT_END: return at == match->size ? at : HOST_NOT_FOUND;
	}
	return single(match, index, at, top);
}

/* Takes the last repetition that can be otherwise one further: its node is *index, and the place behind it the result. */
static size_t back(struct host_match *match, size_t *index, size_t *top)
{
	while (*top != NOBODY) {
		struct host_node *node = &match->nodes[*top];

		*index = *top;
		step(match, 1);
		if (node->repeat == FEW) {
			if (node->at < match->size && fits(match, node, match->text[node->at]))
				return ++node->at;
			*top = node->below;
			continue;
		}
		if (--node->at == node->least)
			*top = node->below;
		return node->at;
	}
	return HOST_NOT_FOUND;
}

size_t host_match_at(struct host_match *match, size_t at)
{
	size_t top = NOBODY;

	for (size_t index = 0;; index++) {
		if (match->nodes[index].kind == END)
			return at;
		if (match->nodes[index].kind == MISTAKE)
			return HOST_MISTAKE;
		step(match, 1);
		at = go(match, index, at, &top);
		if (at == HOST_NOT_FOUND)
			at = back(match, &index, &top);
		if (at == HOST_NOT_FOUND)
			return at;
	}
}

/* Where the first node can match next. */
static size_t skip(struct host_match *match, size_t at)
{
	const struct host_node *node = &match->nodes[0];
	const uint8_t *found;

	if (node->kind != CHARACTER || (node->repeat != ONCE && node->repeat != SOME))
		return at;
	found = at < match->size ? memchr(match->text + at, node->first, match->size - at) : NULL;
	step(match, ((found ? (size_t)(found - match->text) : match->size) - at) / 16);
	return found ? (size_t)(found - match->text) : SIZE_MAX;
}

size_t host_match_find(struct host_match *match, size_t *start)
{
	size_t end;

	if (match->anchored)
		return host_match_at(match, *start);
	for (;; ++*start) {
		*start = skip(match, *start);
		if (*start > match->size)
			return HOST_NOT_FOUND;
		end = host_match_at(match, *start);
		if (end != HOST_NOT_FOUND)
			return end;
	}
}

/* group.c -- records grouped by key, with counts, sums, extremes and histograms for each group.
 *
 * A group is a run of 64-bit words: its key (an integer or a float takes one, a string as many as its size needs, with zeros behind its NUL), its count, and
 * the cells of the columns. Groups lie in one array in the order of their first record; a table of 32-bit numbers, at most half full, finds them by a hash of
 * the key's words. The hash has a seed of the sink's own, so that nobody who chooses keys can choose which of them collide.
 *
 * Cells begin as what the first value replaces whatever it is (`fresh`): zero for sums, the greatest number for minima. Plans of integers alone (`fast`) are
 * read through windows; everything else, and records that end before a window does, goes the general way.
 */
#include <stdlib.h>

#include "sink/sink.h"

enum { KEY_WORDS_MAX = 512, COLUMNS_MAX = 64, BUCKETS_MAX = 4096, LIMIT_DEFAULT = 65536, LOG_BUCKETS = 66, SLOTS_FIRST = 64 };

#define HASH_FACTOR 0x9e3779b97f4a7c15ULL

struct part { /* a value that is kept as words: of the key, or the last one */
	struct ebpf_place place;
	struct ebpf_window window;
	uint32_t word, words;
};
/* What is done with an integer and its cell. */
enum fast { FAST_SUM, FAST_MIN, FAST_MAX, FAST_MIN_UNSIGNED, FAST_MAX_UNSIGNED, FAST_LAST, FAST_HIST, FAST_LINEAR };
struct column {
	enum ebpf_sink_function function;
	enum fast fast;
	bool same;               /* the field of the column before: it has been loaded */
	struct part part; /* `words` of LAST; a number's one; a histogram's buckets */
	int64_t low, high, step;
};
struct groups {
	struct ebpf_sink sink;
	struct part *keys;
	struct column *columns;
	size_t key_count, column_count;
	size_t counts;          /* columns at the front that need nothing but the group's count */
	uint32_t key_words, stride;
	size_t needed;          /* bytes of a record */
	size_t room;            /* and those that windows look at */
	uint64_t *fresh;        /* the words of a group behind its key, before its first record */
	uint64_t *words;        /* of all groups */
	size_t count, capacity, limit;
	uint32_t *slots;        /* number + 1 */
	size_t slot_count;
	uint64_t seed;
	bool enum_names;
	uint64_t key[];         /* of the record at hand */
};

static const struct groups *groups_of(const struct ebpf_sink *sink)
{
	return (const struct groups *)sink;
}

/* -- making -- */

static size_t words_for(size_t bytes)
{
	return (bytes + 7) / 8;
}

/* A value that fits in words, from `word` on. */
static int set_part(struct groups *groups, struct part *part, const char *path, uint32_t word, struct ebpf_error *err)
{
	int ret = ebpf_place_find(groups->sink.layout, path, &part->place, err);

	if (ret < 0)
		return ret;
	if (part->place.load == LOAD_NONE)
		return ebpf_fail(err, EINVAL, "sink: field '%.200s' is a struct or an array: name a part of it", path);
	if (ebpf_place_is_text(&part->place) && !part->place.size)
		return ebpf_fail(err, EINVAL, "sink: field '%.200s' has no fixed size, so it cannot be kept", path);
	part->word = word;
	part->words = ebpf_place_is_text(&part->place) ? (uint32_t)words_for(part->place.size) : 1;
	if (part->words > KEY_WORDS_MAX)
		return ebpf_fail(err, E2BIG, "sink: field '%.200s' has %u bytes, more than %d", path, part->place.size, KEY_WORDS_MAX * 8);
	if (part->place.end > groups->needed)
		groups->needed = part->place.end;
	return 0;
}

static int set_histogram(struct column *column, const struct ebpf_sink_column *from, struct ebpf_error *err)
{
	uint64_t width = (uint64_t)from->high - (uint64_t)from->low, steps;

	if (!ebpf_place_is_int(&column->part.place))
		return ebpf_fail(err, EINVAL, "sink: field '%.200s' is no integer, so it has no histogram", from->field);
	column->part.words = LOG_BUCKETS;
	if (from->function == EBPF_SINK_HIST)
		return 0;
	if (from->high <= from->low || from->step <= 0)
		return ebpf_fail(err, EINVAL, "sink: histogram of '%.200s': needs low < high and a step above zero", from->field);
	steps = width / (uint64_t)from->step + (width % (uint64_t)from->step != 0);
	if (steps > BUCKETS_MAX)
		return ebpf_fail(err, E2BIG, "sink: histogram of '%.200s': %llu steps, at most %d", from->field, (unsigned long long)steps, BUCKETS_MAX);
	column->low = from->low;
	column->high = from->high;
	column->step = from->step;
	column->part.words = (uint32_t)steps + 2; /* what lies below and above */
	return 0;
}

static int set_column(struct groups *groups, struct column *column, const struct ebpf_sink_column *from, struct ebpf_error *err)
{
	int ret;

	column->function = from->function;
	if (from->function == EBPF_SINK_COUNT) {
		column->part.word = groups->key_words;
		return 0;
	}
	if (from->function > EBPF_SINK_LAST || !from->field)
		return ebpf_fail(err, EINVAL, "sink: a column needs a function and a field");
	ret = set_part(groups, &column->part, from->field, groups->stride, err);
	if (ret < 0)
		return ret;
	if (from->function == EBPF_SINK_HIST || from->function == EBPF_SINK_LINEAR)
		ret = set_histogram(column, from, err);
	else if (from->function != EBPF_SINK_LAST && ebpf_place_is_text(&column->part.place))
		ret = ebpf_fail(err, EINVAL, "sink: field '%.200s' is no number", from->field);
	groups->stride += column->part.words;
	return ret;
}

static int set_plan(struct groups *groups, const struct ebpf_sink_options *options, struct ebpf_error *err)
{
	int ret;

	for (size_t i = 0; i < options->by_count; i++) {
		ret = set_part(groups, &groups->keys[i], options->by[i], groups->key_words, err);
		if (ret < 0)
			return ret;
		groups->key_count++;
		groups->key_words += groups->keys[i].words;
		if (groups->key_words > KEY_WORDS_MAX)
			return ebpf_fail(err, E2BIG, "sink: the key has more than %d bytes", KEY_WORDS_MAX * 8);
	}
	groups->stride = groups->key_words + 1;
	for (size_t i = 0; i < options->column_count; i++) {
		ret = set_column(groups, &groups->columns[i], &options->columns[i], err);
		if (ret < 0)
			return ret;
		groups->column_count++;
	}
	return 0;
}

/* -- finding -- */

/* Multiplies and folds, word by word: the high half of each product, where every bit has had its say, goes into the low one. */
static inline uint64_t hash_key(const struct groups *groups, const uint64_t *key)
{
	uint64_t hash = groups->seed;

	for (uint32_t i = 0; i < groups->key_words; i++) {
		hash = (hash ^ key[i]) * HASH_FACTOR;
		hash ^= hash >> 32;
	}
	return hash;
}

static inline bool is_same(const struct groups *groups, const uint64_t *group, const uint64_t *key)
{
	for (uint32_t i = 0; i < groups->key_words; i++)
		if (group[i] != key[i])
			return false;
	return true;
}

/* The slot of a key: that of its group, or the empty one where it belongs. */
static inline uint32_t *find_slot(const struct groups *groups, const uint64_t *key)
{
	size_t mask = groups->slot_count - 1, at = hash_key(groups, key) & mask;

	while (groups->slots[at] && !is_same(groups, &groups->words[(size_t)(groups->slots[at] - 1) * groups->stride], key))
		at = (at + 1) & mask;
	return &groups->slots[at];
}

static bool grow_slots(struct groups *groups)
{
	uint32_t *old = groups->slots;
	size_t count = groups->slot_count ? groups->slot_count * 2 : SLOTS_FIRST;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	if (!groups->seed)
		groups->seed = ((uint64_t)(uintptr_t)slots >> 4) * 0xd6e8feb86659fd93ULL;
	groups->slots = slots;
	groups->slot_count = count;
	for (size_t i = 0; i < groups->count; i++)
		*find_slot(groups, &groups->words[i * groups->stride]) = (uint32_t)i + 1;
	free(old);
	return true;
}

/* A new group with the key at hand, all its cells zero; NULL when there is no room. */
static uint64_t *add_group(struct groups *groups)
{
	uint64_t *group, *words = groups->words;

	if (groups->count >= groups->limit || (2 * (groups->count + 1) > groups->slot_count && !grow_slots(groups)))
		return NULL;
	if (groups->count == groups->capacity) {
		size_t capacity = groups->capacity ? groups->capacity * 2 : 16, bytes;

		if (__builtin_mul_overflow(capacity, groups->stride * sizeof(*words), &bytes) || !(words = realloc(words, bytes)))
			return NULL;
		groups->words = words;
		groups->capacity = capacity;
	}
	*find_slot(groups, groups->key) = (uint32_t)groups->count + 1;
	group = &words[groups->count++ * groups->stride];
	memcpy(group, groups->key, groups->key_words * sizeof(*group));
	memcpy(group + groups->key_words, groups->fresh, (groups->stride - groups->key_words) * sizeof(*group));
	return group;
}

/* -- feeding -- */

static uint64_t bits_of(double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	return bits;
}

static double real_of(uint64_t bits)
{
	double real;

	memcpy(&real, &bits, sizeof(real));
	return real;
}

static inline void load_part(const struct part *part, uint64_t *words, const uint8_t *record, size_t size)
{
	if (__builtin_expect(ebpf_place_is_int(&part->place), 1)) {
		*words = (uint64_t)ebpf_place_int(&part->place, record);
	} else if (ebpf_place_is_real(&part->place)) {
		*words = bits_of(ebpf_place_real(&part->place, record));
	} else {
		const char *text;
		size_t length = ebpf_place_text(&part->place, record, size, &text);

		words[part->words - 1] = 0;
		memcpy(words, text, length);
		memset((char *)words + length, 0, part->words * sizeof(*words) - length);
	}
}

static inline uint32_t log_bucket(const struct ebpf_place *place, int64_t value)
{
	if (value < 0 && !place->is_unsigned)
		return 0;
	return value ? 65 - (uint32_t)__builtin_clzll((uint64_t)value) : 1;
}

static inline uint32_t linear_bucket(const struct column *column, int64_t value)
{
	if (value >= column->high || (value < 0 && column->part.place.is_unsigned))
		return column->part.words - 1;
	return value < column->low ? 0 : (uint32_t)(((uint64_t)value - (uint64_t)column->low) / (uint64_t)column->step) + 1;
}

static inline void add_real(const struct column *column, uint64_t *cell, double value, bool first)
{
	double old = real_of(*cell);

	if (column->function == EBPF_SINK_SUM || column->function == EBPF_SINK_AVG)
		*cell = bits_of(old + value);
	else if (first || (column->function == EBPF_SINK_MIN ? value < old : value > old))
		*cell = bits_of(value);
}

static inline void add_int(const struct column *column, uint64_t *cell, int64_t value, bool first)
{
	bool below;

	switch (column->function) {
	case EBPF_SINK_SUM:
	case EBPF_SINK_AVG:
		*cell += (uint64_t)value;
		return;
	case EBPF_SINK_HIST:
		cell[log_bucket(&column->part.place, value)]++;
		return;
	case EBPF_SINK_LINEAR:
		cell[linear_bucket(column, value)]++;
		return;
	default:
		below = column->part.place.is_unsigned ? (uint64_t)value < *cell : value < (int64_t)*cell;
		if (first || (below == (column->function == EBPF_SINK_MIN)))
			*cell = (uint64_t)value;
	}
}

static inline void add_column(const struct column *column, uint64_t *group, const uint8_t *record, size_t size, bool first)
{
	const struct ebpf_place *place = &column->part.place;
	uint64_t *cell = group + column->part.word;

	if (column->function == EBPF_SINK_COUNT)
		return;
	if (column->function == EBPF_SINK_LAST)
		load_part(&column->part, cell, record, size);
	else if (__builtin_expect(ebpf_place_is_int(place), 1))
		add_int(column, cell, ebpf_place_int(place, record), first);
	else
		add_real(column, cell, ebpf_place_real(place, record), first);
}

static int feed_groups(void *context, const void *data, size_t size)
{
	struct groups *groups = context;
	uint64_t *group = groups->words;
	bool first;

	if (__builtin_expect(size < groups->needed, 0)) {
		groups->sink.totals.shorter++;
		return 0;
	}
	for (size_t i = 0; i < groups->key_count; i++)
		load_part(&groups->keys[i], groups->key + groups->keys[i].word, data, size);
	if (groups->key_count) {
		uint32_t number = *find_slot(groups, groups->key);

		group = number ? &groups->words[(size_t)(number - 1) * groups->stride] : add_group(groups);
	}
	if (__builtin_expect(!group, 0)) {
		groups->sink.totals.refused++;
		return 0;
	}
	groups->sink.totals.passed++;
	first = group[groups->key_words]++ == 0;
	for (size_t i = groups->counts; i < groups->column_count; i++)
		add_column(&groups->columns[i], group, data, size, first);
	return 0;
}

/* -- feeding integers -- */

static inline __attribute__((always_inline)) void add_fast(const struct column *column, uint64_t *cell, uint64_t value)
{
	switch (column->fast) {
	case FAST_SUM: *cell += value; break;
	case FAST_MIN: *cell = (int64_t)value < (int64_t)*cell ? value : *cell; break;
	case FAST_MAX: *cell = (int64_t)value > (int64_t)*cell ? value : *cell; break;
	case FAST_MIN_UNSIGNED: *cell = value < *cell ? value : *cell; break;
	case FAST_MAX_UNSIGNED: *cell = value > *cell ? value : *cell; break;
	case FAST_LAST: *cell = value; break;
	case FAST_HIST: cell[log_bucket(&column->part.place, (int64_t)value)]++; break;
	case FAST_LINEAR: cell[linear_bucket(column, (int64_t)value)]++; break;
	}
}

/* The group of a key of `words` integers; NULL when there is no room for it. */
static inline __attribute__((always_inline)) uint64_t *find_fast(struct groups *groups, const uint64_t *key, uint32_t words)
{
	size_t mask = groups->slot_count - 1, stride = groups->stride, at;
	uint64_t hash = groups->seed;
	uint32_t number;

	for (uint32_t i = 0; i < words; i++) {
		hash = (hash ^ key[i]) * HASH_FACTOR;
		hash ^= hash >> 32;
	}
	for (at = hash & mask; (number = groups->slots[at]); at = (at + 1) & mask) {
		uint64_t *group = &groups->words[(number - 1) * stride];
		uint32_t same = 0;

		while (same < words && group[same] == key[same])
			same++;
		if (__builtin_expect(same == words, 1))
			return group;
	}
	if (key != groups->key)
		memcpy(groups->key, key, words * sizeof(*key));
	return add_group(groups);
}

/* `key` is where to put it: registers, where the compiler knows how many words it has. */
static inline __attribute__((always_inline)) int feed_fast(struct groups *groups, const uint8_t *record, size_t size, uint64_t *key, uint32_t words)
{
	uint64_t *group = groups->words, value = 0;

	if (__builtin_expect(size < groups->room, 0))
		return feed_groups(groups, record, size);
	for (uint32_t i = 0; i < words; i++)
		key[i] = ebpf_window_load(&groups->keys[i].window, record);
	if (words)
		group = find_fast(groups, key, words);
	if (__builtin_expect(!group, 0)) {
		groups->sink.totals.refused++;
		return 0;
	}
	groups->sink.totals.passed++;
	group[words]++;
	for (const struct column *column = groups->columns + groups->counts, *end = groups->columns + groups->column_count; column < end; column++) {
		if (!column->same)
			value = ebpf_window_load(&column->part.window, record);
		add_fast(column, group + column->part.word, value);
	}
	return 0;
}

static int feed_all(void *context, const void *data, size_t size)
{
	return feed_fast(context, data, size, NULL, 0);
}

static int feed_by_one(void *context, const void *data, size_t size)
{
	uint64_t key;

	return feed_fast(context, data, size, &key, 1);
}

static int feed_by_two(void *context, const void *data, size_t size)
{
	uint64_t key[2];

	return feed_fast(context, data, size, key, 2);
}

static int feed_by_many(void *context, const void *data, size_t size)
{
	struct groups *groups = context;

	return feed_fast(groups, data, size, groups->key, groups->key_words);
}

/* -- the life of it -- */

static int flush_groups(struct ebpf_sink *sink, bool batch, struct ebpf_error *err)
{
	(void)sink;
	(void)batch;
	(void)err;
	return 0;
}

static void clear_groups(struct ebpf_sink *sink)
{
	struct groups *groups = (struct groups *)sink;

	groups->count = 0;
	memset(groups->slots, 0, groups->slot_count * sizeof(*groups->slots));
	if (!groups->key_count)
		add_group(groups); /* which has had its memory */
}

static void free_groups(struct ebpf_sink *sink)
{
	struct groups *groups = (struct groups *)sink;

	free(groups->keys);
	free(groups->columns);
	free(groups->words);
	free(groups->slots);
	free(groups->fresh);
	free(groups);
}

enum { GENERAL, BY_NONE, BY_ONE, BY_TWO, BY_MANY, WAYS };

static const struct ebpf_sink_kind kinds[WAYS] = {
	[GENERAL] = { feed_groups, flush_groups, clear_groups, free_groups },
	[BY_NONE] = { feed_all, flush_groups, clear_groups, free_groups },
	[BY_ONE] = { feed_by_one, flush_groups, clear_groups, free_groups },
	[BY_TWO] = { feed_by_two, flush_groups, clear_groups, free_groups },
	[BY_MANY] = { feed_by_many, flush_groups, clear_groups, free_groups },
};

static bool is_same_window(const struct ebpf_window *a, const struct ebpf_window *b)
{
	return a->base == b->base && a->left == b->left && a->right == b->right && a->is_signed == b->is_signed;
}

/* The windows of all keys and columns; false where one has none. */
static bool set_windows(struct groups *groups, uint32_t room)
{
	for (size_t i = 0; i < groups->key_count; i++)
		if (!ebpf_window_set(&groups->keys[i].window, &groups->keys[i].place, room))
			return false;
	for (size_t i = groups->counts; i < groups->column_count; i++) {
		struct column *column = &groups->columns[i];

		if (column->function == EBPF_SINK_COUNT || !ebpf_window_set(&column->part.window, &column->part.place, room))
			return false;
		column->same = i > groups->counts && is_same_window(&column->part.window, &column[-1].part.window);
	}
	groups->room = room;
	return true;
}

static enum fast fast_of(const struct column *column)
{
	bool is_unsigned = column->part.place.is_unsigned;

	switch (column->function) {
	case EBPF_SINK_MIN: return is_unsigned ? FAST_MIN_UNSIGNED : FAST_MIN;
	case EBPF_SINK_MAX: return is_unsigned ? FAST_MAX_UNSIGNED : FAST_MAX;
	case EBPF_SINK_HIST: return FAST_HIST;
	case EBPF_SINK_LINEAR: return FAST_LINEAR;
	case EBPF_SINK_LAST: return FAST_LAST;
	default: return FAST_SUM;
	}
}

static uint64_t fresh_cell(const struct column *column)
{
	bool is_unsigned = column->part.place.is_unsigned;

	if (!ebpf_place_is_int(&column->part.place))
		return 0;
	if (column->function == EBPF_SINK_MIN)
		return is_unsigned ? UINT64_MAX : (uint64_t)INT64_MAX;
	return column->function == EBPF_SINK_MAX && !is_unsigned ? (uint64_t)INT64_MIN : 0;
}

static int choose_way(struct groups *groups, struct ebpf_error *err)
{
	uint32_t words = groups->key_words;

	groups->fresh = calloc(groups->stride - words, sizeof(*groups->fresh));
	if (!groups->fresh)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < groups->column_count; i++) {
		struct column *column = &groups->columns[i];

		if (column->function == EBPF_SINK_COUNT)
			continue;
		column->fast = fast_of(column);
		if (column->function == EBPF_SINK_MIN || column->function == EBPF_SINK_MAX)
			groups->fresh[column->part.word - words] = fresh_cell(column);
	}
	if (set_windows(groups, groups->needed > 8 ? (uint32_t)groups->needed : 8))
		groups->sink.kind = &kinds[words < 2 ? BY_NONE + words : words == 2 ? BY_TWO : BY_MANY];
	return 0;
}

static int make_plan(struct groups *groups, const struct ebpf_sink_options *options, struct ebpf_error *err)
{
	groups->keys = calloc(options->by_count + 1, sizeof(*groups->keys));
	groups->columns = calloc(options->column_count + 1, sizeof(*groups->columns));
	groups->enum_names = options->enum_names;
	groups->limit = options->limit ? options->limit : LIMIT_DEFAULT;
	if (!groups->keys || !groups->columns || !grow_slots(groups))
		return ebpf_fail_memory(err);
	int ret = set_plan(groups, options, err);

	if (ret < 0)
		return ret;
	while (groups->counts < groups->column_count && groups->columns[groups->counts].function == EBPF_SINK_COUNT)
		groups->counts++;
	ret = choose_way(groups, err);
	if (ret < 0)
		return ret;
	/* What is not grouped has its one group from the start. */
	return groups->key_count || add_group(groups) ? 0 : ebpf_fail_memory(err);
}

int ebpf_sink_new_groups(const struct ebpf_layout *layout, const struct ebpf_sink_options *options, struct ebpf_sink **out, struct ebpf_error *err)
{
	struct ebpf_sink_options all = { 0 };
	struct groups *groups;
	int ret;

	memcpy(&all, options, options->size < sizeof(all) ? options->size : sizeof(all));
	if (all.by_count > KEY_WORDS_MAX || all.column_count > COLUMNS_MAX)
		return ebpf_fail(err, E2BIG, "sink: at most %d keys and %d columns", KEY_WORDS_MAX, COLUMNS_MAX);
	groups = calloc(1, sizeof(*groups) + KEY_WORDS_MAX * sizeof(groups->key[0]));
	if (!groups)
		return ebpf_fail_memory(err);
	ret = ebpf_sink_init(&groups->sink, &kinds[GENERAL], layout, all.where, all.where_count, err);
	if (ret < 0) {
		free(groups);
		return ret;
	}
	ret = make_plan(groups, &all, err);
	if (ret < 0) {
		ebpf_sink_free(&groups->sink);
		return ret;
	}
	*out = &groups->sink;
	return 0;
}

/* -- reading -- */

static void read_part(const struct groups *groups, const struct part *part, const uint64_t *words, struct ebpf_datum *out)
{
	const struct ebpf_place *place = &part->place;
	const char *name;

	*out = (struct ebpf_datum){ .kind = EBPF_DATUM_BYTES, .text = (const char *)words, .size = place->size };
	if (place->load == LOAD_STRING) {
		out->size = strnlen(out->text, place->size);
	} else if (ebpf_place_is_real(place)) {
		out->kind = EBPF_DATUM_REAL;
		out->real = real_of(*words);
	} else if (ebpf_place_is_int(place)) {
		out->kind = place->layout->kind == EBPF_VALUE_BOOL ? EBPF_DATUM_BOOL : place->is_unsigned ? EBPF_DATUM_UINT : EBPF_DATUM_INT;
		out->number = (int64_t)*words;
		name = groups->enum_names ? ebpf_place_enumerator(place, out->number) : NULL;
		if (name)
			*out = (struct ebpf_datum){ .kind = EBPF_DATUM_BYTES, .text = name, .size = strlen(name) };
	}
}

static bool is_groups(const struct ebpf_sink *sink)
{
	return sink->kind >= kinds && sink->kind < kinds + WAYS;
}

size_t ebpf_sink_count(const struct ebpf_sink *sink)
{
	return is_groups(sink) ? groups_of(sink)->count : 0;
}

void ebpf_sink_key(const struct ebpf_sink *sink, size_t group, size_t field, struct ebpf_datum *out)
{
	const struct groups *groups = groups_of(sink);

	*out = (struct ebpf_datum){ 0 };
	if (group < ebpf_sink_count(sink) && field < groups->key_count)
		read_part(groups, &groups->keys[field], &groups->words[group * groups->stride + groups->keys[field].word], out);
}

static void read_average(const struct column *column, uint64_t sum, uint64_t count, struct ebpf_datum *out)
{
	double total = ebpf_place_is_real(&column->part.place) ? real_of(sum) : column->part.place.is_unsigned ? (double)sum : (double)(int64_t)sum;

	*out = (struct ebpf_datum){ .kind = EBPF_DATUM_REAL, .real = total / (double)count };
}

void ebpf_sink_value(const struct ebpf_sink *sink, size_t group, size_t at, struct ebpf_datum *out)
{
	const struct groups *groups = groups_of(sink);

	*out = (struct ebpf_datum){ 0 };
	if (group >= ebpf_sink_count(sink) || at >= groups->column_count)
		return;
	const struct column *column = &groups->columns[at];
	const uint64_t *words = &groups->words[group * groups->stride];
	uint64_t count = words[groups->key_words];

	if (column->function == EBPF_SINK_COUNT || column->function == EBPF_SINK_HIST || column->function == EBPF_SINK_LINEAR)
		*out = (struct ebpf_datum){ .kind = EBPF_DATUM_INT, .number = (int64_t)count };
	else if (column->function == EBPF_SINK_AVG && count)
		read_average(column, words[column->part.word], count, out);
	else if (column->function == EBPF_SINK_SUM && ebpf_place_is_int(&column->part.place))
		*out = (struct ebpf_datum){ .kind = column->part.place.is_unsigned ? EBPF_DATUM_UINT : EBPF_DATUM_INT,
					    .number = (int64_t)words[column->part.word] };
	else if (count || column->function == EBPF_SINK_SUM)
		read_part(groups, &column->part, words + column->part.word, out);
}

const uint64_t *ebpf_sink_buckets(const struct ebpf_sink *sink, size_t group, size_t at, size_t *count)
{
	const struct groups *groups = groups_of(sink);

	if (group >= ebpf_sink_count(sink) || at >= groups->column_count)
		return NULL;
	const struct column *column = &groups->columns[at];

	if (column->function != EBPF_SINK_HIST && column->function != EBPF_SINK_LINEAR)
		return NULL;
	*count = column->part.words;
	return &groups->words[group * groups->stride + column->part.word];
}

static void linear_range(const struct column *column, size_t bucket, int64_t *low, int64_t *high)
{
	if (bucket == 0) {
		*low = INT64_MIN;
		*high = column->low == INT64_MIN ? INT64_MIN : column->low - 1;
	} else if (bucket == column->part.words - 1) {
		*low = column->high;
		*high = INT64_MAX;
	} else {
		*low = (int64_t)((uint64_t)column->low + (uint64_t)(bucket - 1) * (uint64_t)column->step);
		*high = (uint64_t)column->high - (uint64_t)*low > (uint64_t)column->step ? *low + column->step - 1 : column->high - 1;
	}
}

void ebpf_sink_range(const struct ebpf_sink *sink, size_t at, size_t bucket, int64_t *low, int64_t *high)
{
	const struct groups *groups = groups_of(sink);

	*low = *high = 0;
	if (!is_groups(sink) || at >= groups->column_count || bucket >= groups->columns[at].part.words)
		return;
	if (groups->columns[at].function == EBPF_SINK_LINEAR) {
		linear_range(&groups->columns[at], bucket, low, high);
	} else if (bucket == 0) {
		*low = INT64_MIN;
		*high = -1;
	} else if (bucket > 1) {
		*low = (int64_t)(1ULL << (bucket - 2));
		*high = (int64_t)(bucket == LOG_BUCKETS - 1 ? UINT64_MAX : (1ULL << (bucket - 1)) - 1);
	}
}

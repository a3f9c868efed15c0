/* filter.c -- conditions on fields, compiled to a list of tests in prefix order: a group's end stands in it, so that all of it is one walk.
 *
 * Most filters are a few integers that are compared: those are made into checks besides (sink.h), each of a range of 64-bit numbers that wraps around, so that
 * every comparison, signed or not, is one subtraction and one comparison. */
#include <stdlib.h>

#include "sink/sink.h"

enum { DEPTH_MAX = 16, NODES_MAX = 4096 };

struct ebpf_filter_node {
	enum ebpf_test test;
	uint32_t next; /* behind it, and behind all that belongs to it */
	struct ebpf_place place;
	int64_t number;
	double real;
	char *text;
	size_t size;
};
/* -- making -- */

static bool is_group(enum ebpf_test test)
{
	return test >= EBPF_TEST_ALL && test <= EBPF_TEST_NONE;
}

static int fail_test(const struct ebpf_condition *condition, const struct ebpf_filter_node *node, const char *why, struct ebpf_error *err)
{
	return ebpf_fail(err, EINVAL, "filter: field '%.200s' (%.100s): %s", condition->field, node->place.layout->name, why);
}

static int find_enumerator(const struct ebpf_condition *condition, struct ebpf_filter_node *node, struct ebpf_error *err)
{
	const struct ebpf_layout *layout = node->place.layout;

	for (uint32_t i = 0; i < layout->count; i++)
		if (strlen(layout->enumerators[i].name) == condition->value.size &&
		    !memcmp(layout->enumerators[i].name, condition->value.text, condition->value.size)) {
			node->number = layout->enumerators[i].value;
			return 0;
		}
	return ebpf_fail(err, ENOENT, "filter: field '%.200s': %.100s has no enumerator '%.*s'", condition->field, layout->name,
			 condition->value.size > 100 ? 100 : (int)condition->value.size, condition->value.text);
}

static int set_int(const struct ebpf_condition *condition, struct ebpf_filter_node *node, struct ebpf_error *err)
{
	node->number = condition->value.number;
	if (condition->test == EBPF_TEST_PREFIX || condition->test == EBPF_TEST_FIND)
		return fail_test(condition, node, "only strings have a beginning and parts", err);
	if (condition->value.kind == EBPF_DATUM_BYTES && node->place.layout->kind == EBPF_VALUE_ENUM)
		return find_enumerator(condition, node, err);
	if (condition->value.kind != EBPF_DATUM_INT && condition->value.kind != EBPF_DATUM_UINT && condition->value.kind != EBPF_DATUM_BOOL)
		return fail_test(condition, node, "an integer is needed to compare it with", err);
	return 0;
}

static int set_real(const struct ebpf_condition *condition, struct ebpf_filter_node *node, struct ebpf_error *err)
{
	if (condition->test > EBPF_TEST_GE)
		return fail_test(condition, node, "floats can only be compared", err);
	if (condition->value.kind == EBPF_DATUM_INT)
		node->real = (double)condition->value.number;
	else if (condition->value.kind == EBPF_DATUM_REAL)
		node->real = condition->value.real;
	else
		return fail_test(condition, node, "a number is needed to compare it with", err);
	return 0;
}

static int set_text(const struct ebpf_condition *condition, struct ebpf_filter_node *node, struct ebpf_error *err)
{
	if (condition->test == EBPF_TEST_BITS)
		return fail_test(condition, node, "only integers have bits", err);
	if (condition->value.kind != EBPF_DATUM_BYTES)
		return fail_test(condition, node, "a string is needed to compare it with", err);
	node->text = malloc(condition->value.size + 1);
	if (!node->text)
		return ebpf_fail_memory(err);
	if (condition->value.size)
		memcpy(node->text, condition->value.text, condition->value.size);
	node->size = condition->value.size;
	return 0;
}

static int set_test(const struct ebpf_layout *layout, const struct ebpf_condition *condition, struct ebpf_filter_node *node, struct ebpf_error *err)
{
	int ret = ebpf_place_find(layout, condition->field, &node->place, err);

	if (ret < 0)
		return ret;
	if (node->place.load == LOAD_NONE)
		return fail_test(condition, node, "a struct or an array cannot be compared; name a part of it", err);
	if (ebpf_place_is_int(&node->place))
		return set_int(condition, node, err);
	return (ebpf_place_is_real(&node->place) ? set_real : set_text)(condition, node, err);
}

/* Compiles `children` conditions from filter->count on, which is how many there are already. */
static int compile(struct ebpf_filter *filter, const struct ebpf_layout *layout, const struct ebpf_condition *conditions, size_t total, size_t children,
		   unsigned depth, struct ebpf_error *err)
{
	if (depth > DEPTH_MAX)
		return ebpf_fail(err, E2BIG, "filter: conditions are nested more than %d deep", DEPTH_MAX);
	while (children--) {
		uint32_t at = filter->count;
		struct ebpf_filter_node *node = &filter->nodes[at];
		int ret;

		if (at >= total)
			return ebpf_fail(err, EINVAL, "filter: a group has fewer conditions than it says");
		node->test = conditions[at].test;
		filter->count++;
		if (is_group(node->test))
			ret = compile(filter, layout, conditions, total, conditions[at].count, depth + 1, err);
		else if (node->test > EBPF_TEST_NONE)
			ret = ebpf_fail(err, EINVAL, "filter: there is no test %d", (int)node->test);
		else
			ret = set_test(layout, &conditions[at], node, err);
		if (ret < 0)
			return ret;
		node->next = filter->count;
	}
	return 0;
}

/* How many of the conditions stand at the top. */
static size_t count_top(const struct ebpf_condition *conditions, size_t count)
{
	size_t top = count;

	for (size_t i = 0; i < count; i++)
		if (is_group(conditions[i].test))
			top = top > conditions[i].count ? top - conditions[i].count : 0;
	return top;
}

/* The numbers that pass are those from `low` to `high`, both included, in the order of the field's type; `low` behind `high`: none. */
static void set_range(struct ebpf_check *check, bool is_unsigned, int64_t low, int64_t high)
{
	bool none = is_unsigned ? (uint64_t)low > (uint64_t)high : low > high;

	check->negated = none;
	check->low = none ? 0 : (uint64_t)low;
	check->span = none ? UINT64_MAX : (uint64_t)high - (uint64_t)low;
}

static void set_check(struct ebpf_check *check, const struct ebpf_filter_node *node)
{
	bool is_unsigned = node->place.is_unsigned;
	int64_t least = is_unsigned ? 0 : INT64_MIN, most = is_unsigned ? -1 : INT64_MAX, number = node->number;

	check->mask = node->test == EBPF_TEST_BITS ? (uint64_t)number : UINT64_MAX;
	switch (node->test) {
	case EBPF_TEST_LT:
		set_range(check, is_unsigned, number == least ? most : least, number == least ? least : (int64_t)((uint64_t)number - 1));
		break;
	case EBPF_TEST_LE:
		set_range(check, is_unsigned, least, number);
		break;
	case EBPF_TEST_GT:
		set_range(check, is_unsigned, number == most ? most : (int64_t)((uint64_t)number + 1), number == most ? least : most);
		break;
	case EBPF_TEST_GE:
		set_range(check, is_unsigned, number, most);
		break;
	case EBPF_TEST_BITS:
		number = 0; /* other than none of them */
		/* fall through */
	default:
		set_range(check, is_unsigned, number, number);
		check->negated = node->test != EBPF_TEST_EQ;
	}
}

/* Leaves filter->checks NULL where one of the conditions is none of integers. */
static int make_checks(struct ebpf_filter *filter, struct ebpf_error *err)
{
	struct ebpf_check *checks;
	uint32_t room = 8;

	for (uint32_t i = 0; i < filter->count; i++)
		if (filter->nodes[i].place.end > room)
			room = filter->nodes[i].place.end;
	checks = calloc(filter->count + 1, sizeof(*checks));
	if (!checks)
		return ebpf_fail_memory(err);
	for (uint32_t i = 0; i < filter->count; i++) {
		if (is_group(filter->nodes[i].test) || !ebpf_window_set(&checks[i].window, &filter->nodes[i].place, room)) {
			free(checks);
			return 0;
		}
		set_check(&checks[i], &filter->nodes[i]);
	}
	filter->checks = checks;
	filter->check_count = filter->count;
	filter->room = room;
	return 0;
}

int ebpf_filter_new(const struct ebpf_layout *layout, const struct ebpf_condition *conditions, size_t count, struct ebpf_filter **out,
		    struct ebpf_error *err)
{
	struct ebpf_filter *filter;
	int ret;

	if (count > NODES_MAX)
		return ebpf_fail(err, E2BIG, "filter: %zu conditions, at most %d", count, NODES_MAX);
	filter = calloc(1, sizeof(*filter));
	if (!filter)
		return ebpf_fail_memory(err);
	filter->nodes = calloc(count + 1, sizeof(*filter->nodes));
	if (!filter->nodes) {
		ebpf_filter_free(filter);
		return ebpf_fail_memory(err);
	}
	ret = compile(filter, layout, conditions, count, count_top(conditions, count), 0, err);
	if (!ret && filter->count != count)
		ret = ebpf_fail(err, EINVAL, "filter: a group has more conditions than there are");
	if (!ret)
		ret = make_checks(filter, err);
	if (ret < 0) {
		ebpf_filter_free(filter);
		return ret;
	}
	*out = filter;
	return 0;
}

void ebpf_filter_free(struct ebpf_filter *filter)
{
	if (!filter)
		return;
	for (uint32_t i = 0; i < filter->count; i++)
		free(filter->nodes[i].text);
	free(filter->nodes);
	free(filter->checks);
	free(filter);
}

/* -- testing -- */

/* `order`: below, at or above zero as the record's value is below, the same as or above the given one. */
static bool is_order(enum ebpf_test test, int order)
{
	switch (test) {
	case EBPF_TEST_EQ: return order == 0;
	case EBPF_TEST_NE: return order != 0;
	case EBPF_TEST_LT: return order < 0;
	case EBPF_TEST_LE: return order <= 0;
	case EBPF_TEST_GT: return order > 0;
	default: return order >= 0;
	}
}

static bool test_int(const struct ebpf_filter_node *node, const uint8_t *record)
{
	int64_t value = ebpf_place_int(&node->place, record);

	if (node->test == EBPF_TEST_BITS)
		return value & node->number;
	if (node->place.is_unsigned)
		return is_order(node->test, ((uint64_t)value > (uint64_t)node->number) - ((uint64_t)value < (uint64_t)node->number));
	return is_order(node->test, (value > node->number) - (value < node->number));
}

static bool test_real(const struct ebpf_filter_node *node, const uint8_t *record)
{
	double value = ebpf_place_real(&node->place, record);

	if (value != value || node->real != node->real)
		return node->test == EBPF_TEST_NE; /* as in C: NaN is neither less nor equal */
	return is_order(node->test, (value > node->real) - (value < node->real));
}

static bool test_text(const struct ebpf_filter_node *node, const uint8_t *record, size_t record_size)
{
	const char *text;
	size_t size = ebpf_place_text(&node->place, record, record_size, &text);
	int order;

	if (node->test == EBPF_TEST_PREFIX)
		return size >= node->size && !memcmp(text, node->text, node->size);
	if (node->test == EBPF_TEST_FIND)
		return memmem(text, size, node->text, node->size) != NULL;
	order = memcmp(text, node->text, size < node->size ? size : node->size);
	return is_order(node->test, order ? order : (size > node->size) - (size < node->size));
}

static bool test(const struct ebpf_filter_node *node, const uint8_t *record, size_t size)
{
	if (size < node->place.end)
		return false;
	if (ebpf_place_is_int(&node->place))
		return test_int(node, record);
	return ebpf_place_is_real(&node->place) ? test_real(node, record) : test_text(node, record, size);
}

static bool group_holds(const struct ebpf_filter *filter, enum ebpf_test group, uint32_t at, uint32_t end, const uint8_t *record, size_t size)
{
	for (; at < end; at = filter->nodes[at].next) {
		const struct ebpf_filter_node *node = &filter->nodes[at];
		bool holds = is_group(node->test) ? group_holds(filter, node->test, at + 1, node->next, record, size) : test(node, record, size);

		if (holds != (group == EBPF_TEST_ALL))
			return group == EBPF_TEST_ANY;
	}
	return group != EBPF_TEST_ANY;
}

bool ebpf_filter_holds(const struct ebpf_filter *filter, const void *data, size_t size)
{
	if (filter->checks && size >= filter->room)
		return ebpf_filter_passes(filter, data, size);
	return group_holds(filter, EBPF_TEST_ALL, 0, filter->count, data, size);
}

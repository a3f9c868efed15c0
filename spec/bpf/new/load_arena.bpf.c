/* An arena with variables: memory that programs and user space share. Needs a compiler that knows address spaces (clang 19). */
#include "../bpf.h"

#if defined(__BPF_FEATURE_ADDR_SPACE_CAST)
#define ARENA __attribute__((address_space(1)))
#else
#error "needs address space casts"
#endif

struct {
	UINT(type, BPF_MAP_TYPE_ARENA);
	UINT(map_flags, 1 << 10); /* BPF_F_MMAPABLE */
	UINT(max_entries, 100);
} arena SEC(".maps");

struct node { u64 value; struct node ARENA *next; };

int ARENA counter = 40;
struct pair { u32 first, second; };
struct pair ARENA pair = { 1, 2 };
struct node ARENA last = { 7, 0 };
struct node ARENA *head;
u64 sum;

SEC("syscall") int add(void *context)
{
	u64 total = 0;
	int i = 0;

	counter += 2;
	pair.second = pair.first + counter;
	for (struct node ARENA *node = head; node && i < 10; node = node->next, i++)
		total += node->value;
	sum = total;
	return counter;
}

char _license[] SEC("license") = "GPL";

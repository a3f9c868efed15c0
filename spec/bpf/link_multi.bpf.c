// Programs at many places, each counting in its own element.
#include "bpf.h"

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 8);
	TYPE(key, u32);
	TYPE(value, u64);
} counts SEC(".maps");

static ALWAYS_INLINE int count(u32 index)
{
	u64 *value = map_lookup_elem(&counts, &index);

	if (value)
		__sync_fetch_and_add(value, 1);
	return 0;
}

SEC("?uprobe.multi/libc.so.6:*getenv")
int enters(void *ctx)
{
	return count(0);
}

SEC("?uretprobe.multi/libc.so.6:*getenv")
int leaves(void *ctx)
{
	return count(1);
}

SEC("?uprobe.session/libc.so.6:*getenv")
int around(void *ctx)
{
	return count(2);
}

SEC("?kprobe.multi/vfs_rea*")
int reads(void *ctx)
{
	return count(3);
}

SEC("?kretprobe.multi/vfs_rea*")
int has_read(void *ctx)
{
	return count(4);
}

SEC("?kprobe.session/vfs_rea*")
int around_read(void *ctx)
{
	return count(5);
}

SEC("?uprobe.multi")
int anywhere(void *ctx)
{
	return count(6);
}

SEC("?fentry.multi/vfs_rea*")
int enters_read(u64 *ctx)
{
	return count(0);
}

SEC("?fexit.multi/vfs_rea*")
int leaves_read(u64 *ctx)
{
	return count(1);
}

SEC("?fsession.multi/vfs_rea*")
int passes_read(u64 *ctx)
{
	return count(2);
}

SEC("?fentry.multi")
int enters_any(u64 *ctx)
{
	u32 index = 7;
	u64 *value = map_lookup_elem(&counts, &index);

	if (value)
		*value = get_attach_cookie(ctx);
	return count(3);
}

SEC("?fentry.multi/no_such_module:*")
int nowhere(u64 *ctx)
{
	return count(4);
}

char LICENSE[] SEC("license") = "GPL";

/* Variables and functions of the kernel by name. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;
struct rq {
	unsigned int nr_running;
	int cpu;
} __attribute__((preserve_access_index));

extern const void kfree __ksym;
extern const void no_such_symbol_anywhere __ksym __weak;
extern const void strong_missing_symbol __ksym;
extern const struct rq runqueues __ksym;
extern const struct rq no_such_variable __ksym __weak;

extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern void bpf_rcu_read_lock___flavour(void) __ksym __weak;
extern int bpf_no_such_kfunc(int) __ksym __weak;
extern void *bpf_rcu_read_unlock___wrong(int, int) __ksym __weak;
extern int bpf_missing_strong_kfunc(int) __ksym;

__u64 address, missing;

SEC("socket")
int untyped(struct __sk_buff *skb)
{
	address = (__u64)&kfree;
	missing = (__u64)&no_such_symbol_anywhere;
	return address ? 1 : 0;
}

SEC("?socket")
int strong(struct __sk_buff *skb)
{
	return (int)(long)&strong_missing_symbol;
}

SEC("?tc")
int typed(struct __sk_buff *skb)
{
	const struct rq *rq = bpf_per_cpu_ptr(&runqueues, 0);

	if (&no_such_variable)
		return -1;
	return rq ? rq->cpu + 100 : -2;
}

SEC("?tc")
int kfuncs(struct __sk_buff *skb)
{
	int result = 1;

	if (&bpf_no_such_kfunc)
		result += bpf_no_such_kfunc(1);
	if (&bpf_rcu_read_lock && &bpf_rcu_read_unlock) {
		bpf_rcu_read_lock();
		result += 2;
		bpf_rcu_read_unlock();
	}
	if (&bpf_rcu_read_lock___flavour) {
		bpf_rcu_read_lock___flavour();
		result += 4;
		bpf_rcu_read_unlock();
	}
	if (&bpf_rcu_read_unlock___wrong)
		result += 8;
	return result;
}

SEC("?tc")
int unguarded(struct __sk_buff *skb)
{
	return bpf_no_such_kfunc(1);
}

SEC("?tc")
int strong_kfunc(struct __sk_buff *skb)
{
	return bpf_missing_strong_kfunc(1);
}

char LICENSE[] SEC("license") = "GPL";

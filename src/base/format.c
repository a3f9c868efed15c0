/* format.c -- what numbers in records mean to a person: addresses, signals, system calls, times. */
#include <arpa/inet.h>
#include <asm/unistd.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/base.h"
#include "base/syscalls_gen.h"

/* -- names -- */

const char *ebpf_syscall_name(int number)
{
	for (size_t i = 0; i < EBPF_COUNT(syscalls); i++)
		if (syscalls[i].number == number)
			return syscalls[i].name;
	return NULL;
}

int ebpf_syscall_number(const char *name)
{
	for (size_t i = 0; i < EBPF_COUNT(syscalls); i++)
		if (!strcmp(syscalls[i].name, name))
			return syscalls[i].number;
	return -ENOENT;
}

/* The numbers are those of <signal.h>, which differ between architectures. */
#define SIGNAL(name) { SIG##name, "SIG" #name }
static const struct {
	int number;
	const char *name;
} signals[] = {
	SIGNAL(HUP), SIGNAL(INT), SIGNAL(QUIT), SIGNAL(ILL), SIGNAL(TRAP), SIGNAL(ABRT), SIGNAL(BUS), SIGNAL(FPE), SIGNAL(KILL), SIGNAL(USR1),
	SIGNAL(SEGV), SIGNAL(USR2), SIGNAL(PIPE), SIGNAL(ALRM), SIGNAL(TERM), SIGNAL(CHLD), SIGNAL(CONT), SIGNAL(STOP), SIGNAL(TSTP), SIGNAL(TTIN),
	SIGNAL(TTOU), SIGNAL(URG), SIGNAL(XCPU), SIGNAL(XFSZ), SIGNAL(VTALRM), SIGNAL(PROF), SIGNAL(WINCH), SIGNAL(IO), SIGNAL(PWR), SIGNAL(SYS),
#ifdef SIGSTKFLT
	SIGNAL(STKFLT),
#endif
};

/* Real-time signals as the kernel counts them: from 32, of which libc keeps a few for itself. */
enum { KERNEL_RTMIN = 32, KERNEL_RTMAX = 64 };

int ebpf_format_signal(int number, char *out, size_t size)
{
	for (size_t i = 0; i < EBPF_COUNT(signals); i++)
		if (signals[i].number == number)
			return snprintf(out, size, "%s", signals[i].name);
	if (number >= KERNEL_RTMIN && number <= KERNEL_RTMAX)
		return number == KERNEL_RTMIN ? snprintf(out, size, "SIGRTMIN") : snprintf(out, size, "SIGRTMIN+%d", number - KERNEL_RTMIN);
	return -EINVAL;
}

/* -- addresses -- */

int ebpf_format_ip(const void *address, size_t address_size, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if ((address_size != 4 && address_size != 16) || !inet_ntop(address_size == 4 ? AF_INET : AF_INET6, address, text, sizeof(text)))
		return -EINVAL;
	return snprintf(out, size, "%s", text);
}

int ebpf_format_mac(const void *address, size_t address_size, char *out, size_t size)
{
	const uint8_t *a = address;

	if (address_size != 6)
		return -EINVAL;
	return snprintf(out, size, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int format_inet6(const struct sockaddr_in6 *address, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text)))
		return -EINVAL;
	if (address->sin6_scope_id)
		return snprintf(out, size, "[%s%%%u]:%u", text, address->sin6_scope_id, ntohs(address->sin6_port));
	return snprintf(out, size, "[%s]:%u", text, ntohs(address->sin6_port));
}

/* A path ends at its NUL; an abstract name, which begins with one, where the address ends; neither is unnamed. */
static int format_unix(const char *path, size_t length, char *out, size_t size)
{
	if (!length)
		return snprintf(out, size, "unix:");
	if (path[0])
		return snprintf(out, size, "unix:%.*s", (int)length, path);
	while (length > 1 && !path[length - 1]) /* the kernel's buffer is longer than the name */
		length--;
	int written = snprintf(out, size, "unix:@");

	for (size_t i = 1; i < length; i++, written++)
		if ((size_t)written + 1 < size) {
			out[written] = path[i] ? path[i] : '@';
			out[written + 1] = '\0';
		}
	return written;
}

/* The hardware's address has as many bytes as it says, of the eight that there are. */
static int format_packet(const struct sockaddr_ll *address, char *out, size_t size)
{
	size_t length = address->sll_halen < sizeof(address->sll_addr) ? address->sll_halen : sizeof(address->sll_addr);
	char hardware[3 * sizeof(address->sll_addr) + 1] = "";

	for (size_t i = 0; i < length; i++)
		snprintf(hardware + 3 * i, sizeof(hardware) - 3 * i, "%c%02x", i ? ':' : ' ', address->sll_addr[i]);
	return snprintf(out, size, "packet:%d 0x%04x%s", address->sll_ifindex, ntohs(address->sll_protocol), hardware);
}

static int format_vsock(const struct sockaddr_vm *address, char *out, size_t size)
{
	char cid[16] = "any", port[16] = "any";

	if (address->svm_cid != VMADDR_CID_ANY)
		snprintf(cid, sizeof(cid), "%u", address->svm_cid);
	if (address->svm_port != VMADDR_PORT_ANY)
		snprintf(port, sizeof(port), "%u", address->svm_port);
	return snprintf(out, size, "vsock:%s:%s", cid, port);
}

static int format_netlink(const struct sockaddr_nl *address, char *out, size_t size)
{
	if (address->nl_groups)
		return snprintf(out, size, "netlink:%u groups 0x%x", address->nl_pid, address->nl_groups);
	return snprintf(out, size, "netlink:%u", address->nl_pid);
}

int ebpf_format_sockaddr(const void *address, size_t address_size, char *out, size_t size)
{
	union {
		sa_family_t family;
		struct sockaddr_in inet;
		struct sockaddr_in6 inet6;
		struct sockaddr_un local;
		struct sockaddr_nl netlink;
		struct sockaddr_ll packet;
		struct sockaddr_vm vsock;
	} any = { 0 };
	char text[INET_ADDRSTRLEN];

	if (address_size < sizeof(any.family))
		return -EINVAL;
	if (address_size > sizeof(any))
		address_size = sizeof(any);
	memcpy(&any, address, address_size);
	if (any.family == AF_INET && address_size >= offsetof(struct sockaddr_in, sin_zero))
		return inet_ntop(AF_INET, &any.inet.sin_addr, text, sizeof(text))
			       ? snprintf(out, size, "%s:%u", text, ntohs(any.inet.sin_port)) : -EINVAL;
	if (any.family == AF_INET6 && address_size >= offsetof(struct sockaddr_in6, sin6_scope_id))
		return format_inet6(&any.inet6, out, size);
	if (any.family == AF_UNIX)
		return format_unix(any.local.sun_path, address_size - offsetof(struct sockaddr_un, sun_path), out, size);
	if (any.family == AF_NETLINK && address_size >= sizeof(any.netlink))
		return format_netlink(&any.netlink, out, size);
	if (any.family == AF_PACKET && address_size >= offsetof(struct sockaddr_ll, sll_addr))
		return format_packet(&any.packet, out, size);
	if (any.family == AF_VSOCK && address_size >= offsetof(struct sockaddr_vm, svm_zero))
		return format_vsock(&any.vsock, out, size);
	return -EINVAL;
}

/* -- times -- */

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The clock is read on both sides of the wall's, so that neither being interrupted in between counts for more than half of that. */
int64_t ebpf_wall_time(uint64_t ns, bool boot)
{
	clockid_t clock = boot ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
	int64_t best = INT64_MAX, offset = 0;

	for (int i = 0; i < 5; i++) {
		int64_t before = read_clock(clock), wall = read_clock(CLOCK_REALTIME), after = read_clock(clock);

		if (after - before < best) {
			best = after - before;
			offset = wall - (before + best / 2);
		}
	}
	return (int64_t)((uint64_t)offset + ns);
}

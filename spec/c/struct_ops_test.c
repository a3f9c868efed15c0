/* Links of kind struct_ops: a congestion control that sockets use, replaced while it is in use, taken away again. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ebpf.h"
#include "test.h"

static struct ebpf_kernel *kernel;
static char name[16];

static bool has(const char *feature)
{
	return ebpf_kernel_has(kernel, feature, NULL) == 1;
}

/* Opens a socket with the congestion control; -1 when the kernel has none of that name. */
static int use_it(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void check_usable(bool usable)
{
	int fd = use_it();

	CHECK_INT(fd >= 0, usable);
	if (fd >= 0)
		close(fd);
}

static struct ebpf_collection *load(struct ebpf_error *err)
{
	struct ebpf_collection *collection = NULL;
	struct ebpf_spec *spec = NULL;

	CHECK_INT(ebpf_spec_read_file("build/spec/bpf/load_link_ops.bpf.o", &spec, err), 0);
	for (int i = 0; spec && i < 2; i++) {
		struct ebpf_map_spec *map = ebpf_spec_find_map(spec, i ? "second" : "first");

		/* the fields behind the four functions and the flags */
		memset(map->data + 36, 0, sizeof(name));
		memcpy(map->data + 36, name, strlen(name));
	}
	if (spec && ebpf_collection_load(spec, kernel, NULL, &collection, err)) {
		fprintf(stderr, "%s\n%s\n", err->message, err->log ? err->log : "");
		CHECK(!"loads");
	}
	ebpf_spec_free(spec);
	return collection;
}

static uint32_t variable(const struct ebpf_collection *collection, const char *wanted)
{
	uint32_t value = 0;

	for (size_t i = 0; i < collection->variable_count; i++)
		if (!strcmp(collection->variables[i].name, wanted))
			CHECK_INT(ebpf_variable_get(&collection->variables[i], &value, NULL), 0);
	return value;
}

/* A table is initialised when a connection begins. */
static void connect_once(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = use_it();
	socklen_t size = sizeof(address);
	char in_use[16] = "";
	socklen_t length = sizeof(in_use);

	CHECK(fd >= 0);
	CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(listener, 1), 0);
	CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, in_use, &length), 0);
	CHECK_STR(in_use, name);
	close(fd);
	close(listener);
}

static void test_link(struct ebpf_error *err)
{
	struct ebpf_collection *collection = load(err);
	struct ebpf_map *first = collection ? ebpf_collection_map(collection, "first") : NULL;
	struct ebpf_map *second = collection ? ebpf_collection_map(collection, "second") : NULL;
	struct ebpf_link *link = NULL, *again = NULL;
	struct ebpf_map_info map_info;
	struct ebpf_link_info info;

	if (!first || !second)
		return;
	CHECK(ebpf_map_autoattach(first));
	check_usable(false);
	CHECK_INT(ebpf_link_attach_map("struct_ops", first, NULL, &link, err), 0);
	if (link) {
		CHECK_STR(ebpf_link_interface(link), "link");
		CHECK_STR(ebpf_link_target(link), "struct_ops first");
		connect_once();
		CHECK_INT(variable(collection, "first_count"), 1);
		CHECK_INT(ebpf_link_info(link, &info, err), 0);
		CHECK_INT(ebpf_map_info(first, &map_info, err), 0);
		CHECK_INT(info.map_id, map_info.id);
		CHECK_INT(info.program_id, 0);
		/* the name is taken */
		CHECK_INT(ebpf_link_attach_map("struct_ops", second, NULL, &again, err), -EEXIST);
		CHECK(strstr(err->hint, "fields.name"));
		ebpf_error_clear(err);
		CHECK_INT(ebpf_link_update_map(link, second, err), 0);
		connect_once();
		CHECK_INT(variable(collection, "first_count"), 1);
		CHECK_INT(variable(collection, "second_count"), 1);
		CHECK_INT(ebpf_link_update(link, collection->programs[0], err), -EINVAL);
		ebpf_error_clear(err);
		CHECK_INT(ebpf_link_detach(link, err), 0);
		CHECK_INT(ebpf_link_detach(link, err), 0);
		check_usable(false);
		CHECK_INT(ebpf_link_update_map(link, first, err), -EBADF);
		ebpf_error_clear(err);
	}
	ebpf_link_close(link);
	/* the same table once more */
	link = NULL;
	CHECK_INT(ebpf_link_attach_map("struct_ops", first, NULL, &link, err), 0);
	check_usable(true);
	ebpf_collection_free(collection); /* the link has the map */
	check_usable(true);
	ebpf_link_close(link);
	check_usable(false);
}

/* Before 6.4 the table is registered by its element, also where the object asks for a link. */
static void test_element(struct ebpf_error *err)
{
	struct ebpf_collection *collection;
	struct ebpf_link *link = NULL;
	struct ebpf_link_info info;

	CHECK_INT(ebpf_kernel_mask(kernel, "struct_ops_link", true, err), 0);
	collection = load(err);
	CHECK_INT(ebpf_kernel_mask(kernel, "struct_ops_link", false, err), 0);
	if (!collection)
		return;
	CHECK_INT(ebpf_link_attach_map("struct_ops", ebpf_collection_map(collection, "first"), NULL, &link, err), 0);
	if (link) {
		CHECK_STR(ebpf_link_interface(link), "map");
		connect_once();
		CHECK_INT(variable(collection, "first_count"), 1);
		CHECK_INT(ebpf_link_info(link, &info, err), 0);
		CHECK_INT(info.attach_type, 44);
		CHECK(info.map_id);
		CHECK_INT(ebpf_link_pin(link, "/sys/fs/bpf/never", err), -ENOTSUP);
		ebpf_error_clear(err);
		CHECK_INT(ebpf_link_update_map(link, ebpf_collection_map(collection, "second"), err), -ENOTSUP);
		ebpf_error_clear(err);
	}
	ebpf_link_close(link);
	check_usable(false);
	ebpf_collection_free(collection);
}

static void test_mistakes(struct ebpf_error *err)
{
	struct ebpf_collection *collection = load(err);
	struct ebpf_link *link = NULL;
	struct ebpf_map *bss = collection ? ebpf_collection_map(collection, "load_lin.bss") : NULL;

	CHECK(bss && !ebpf_map_autoattach(bss));
	if (!bss)
		return;
	CHECK(!ebpf_program_autoattach(collection->programs[0]));
	CHECK_INT(ebpf_link_attach_map("struct_ops", bss, NULL, &link, err), -EINVAL);
	CHECK(strstr(err->message, "not a struct_ops map"));
	CHECK_INT(ebpf_link_attach_map("xdp", bss, NULL, &link, err), -EINVAL);
	CHECK(strstr(err->message, "takes a program"));
	CHECK_INT(ebpf_link_attach("struct_ops", collection->programs[0], NULL, &link, err), -EINVAL);
	CHECK(strstr(err->message, "takes a map"));
	CHECK_INT(ebpf_link_attach_map("struct_opps", bss, NULL, &link, err), -EINVAL);
	CHECK(strstr(err->hint, "struct_ops"));
	ebpf_collection_free(collection);
}

static void bring_up_lo(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

int main(void)
{
	struct ebpf_error err = { 0 };

	kernel = ebpf_kernel_new(&err);
	if (geteuid() != 0 || !has("vmlinux_btf") || ebpf_kernel_version(kernel) < 0x050600) {
		printf("skip: struct_ops of this object need root, types and Linux 5.6\n");
		ebpf_kernel_free(kernel);
		return 77;
	}
	if (access("/proc/sys/net/core/bpf_jit_enable", F_OK)) {
		printf("skip: struct_ops need CONFIG_BPF_JIT\n");
		ebpf_kernel_free(kernel);
		return 77;
	}
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	bring_up_lo();
	snprintf(name, sizeof(name), "ebpf%d", (int)getpid());
	if (has("struct_ops_link"))
		test_link(&err);
	test_element(&err);
	test_mistakes(&err);
	ebpf_error_clear(&err);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}

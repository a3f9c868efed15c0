/* dedup_libbpf.c FILE [BASE] -- how many types libbpf leaves of raw BTF: the oracle of btf_build_spec. */
#include <bpf/btf.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct btf *base = argc > 2 ? btf__parse(argv[2], NULL) : NULL;
	struct btf *btf = argc > 1 ? btf__parse_split(argv[1], base) : NULL;

	if (!btf || btf__dedup(btf, NULL))
		return 1;
	printf("%d\n", (int)btf__type_cnt(btf) - 1);
	return 0;
}

/* prototype_fuzz.c -- libFuzzer: any text as the declaration of a function. What is one gives types that can be read, and a declaration that, declared
 * again, is the same. */
#include <stdlib.h>
#include <string.h>

#include "btf/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* malloc'ed, or NULL */
static char *declare(const char *text)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(0);
	struct ebpf_btf_declarations *declarations = builder ? ebpf_btf_declarations_new(builder, NULL) : NULL;
	struct ebpf_buffer out = { 0 };
	struct ebpf_btf *btf = NULL;
	void *bytes = NULL;
	size_t count;
	int64_t id;

	if (!declarations)
		abort();
	id = ebpf_btf_declarations_add(declarations, text, NULL, NULL);
	if (id >= 0) {
		if (ebpf_btf_builder_finish(builder, &bytes, &count, NULL) < 0 || ebpf_btf_read(bytes, count, NULL, &btf, NULL) < 0)
			abort();
		ebpf_btf_write_prototype(btf, (uint32_t)id, &out);
		if (!out.data)
			abort();
	}
	free(bytes);
	ebpf_btf_free(btf);
	ebpf_btf_declarations_free(declarations);
	ebpf_btf_builder_free(builder);
	return out.data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = ebpf_strndup((const char *)data, size), *once, *twice;

	if (!text)
		abort();
	once = declare(text);
	if (once && !strchr(text, '[') && !strchr(text, '{')) { /* what is an array, or has a body of its own, is written otherwise */
		twice = declare(once);
		if (!twice || strcmp(once, twice) != 0)
			abort();
		free(twice);
	}
	free(once);
	free(text);
	return 0;
}

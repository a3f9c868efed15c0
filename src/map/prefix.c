/* prefix.c -- keys of an LPM trie as people write them: struct bpf_lpm_trie_key is a prefix length in host order, and the bytes it applies to
 * in network order. */
#include "map/map.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static int family_of(const struct ebpf_map *map)
{
	if (map->type != BPF_MAP_TYPE_LPM_TRIE)
		return 0;
	return map->key_size == 4 + 4 ? AF_INET : map->key_size == 4 + 16 ? AF_INET6 : 0;
}

bool ebpf_map_has_prefix_keys(const struct ebpf_map *map)
{
	return family_of(map) != 0;
}

static int refuse(const struct ebpf_map *map, const char *text, const char *why, struct ebpf_error *err)
{
	return ebpf_fail(err, EINVAL, "map '%s': key '%.64s': %s", map->name, text, why);
}

int ebpf_map_parse_prefix(const struct ebpf_map *map, const char *text, void *key, struct ebpf_error *err)
{
	int family = family_of(map);
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	uint32_t bits = family == AF_INET ? 32 : 128;
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (!family)
		return refuse(map, text, "only an lpm_trie with keys of 8 bytes (IPv4) or 20 (IPv6) takes addresses", err);
	if (length >= sizeof(address))
		return refuse(map, text, "not an address", err);
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(family, address, bytes) != 1)
		return refuse(map, text, family == AF_INET ? "not an IPv4 address" : "not an IPv6 address", err);
	if (slash) {
		char *end;
		unsigned long given = strtoul(slash + 1, &end, 10);

		if (slash[1] < '0' || slash[1] > '9' || *end || given > bits)
			return refuse(map, text, family == AF_INET ? "the prefix length must be from 0 to 32" : "the prefix length must be from 0 to 128",
				      err);
		bits = (uint32_t)given;
	}
	memcpy(key, &bits, sizeof(bits));
	memcpy((uint8_t *)key + sizeof(bits), bytes, map->key_size - sizeof(bits));
	return 0;
}

int ebpf_map_format_prefix(const struct ebpf_map *map, const void *key, char *text, size_t size)
{
	int family = family_of(map);
	char address[INET6_ADDRSTRLEN];
	uint32_t bits;

	if (!family || !inet_ntop(family, (const uint8_t *)key + sizeof(bits), address, sizeof(address)))
		return -EINVAL;
	memcpy(&bits, key, sizeof(bits));
	return snprintf(text, size, "%s/%u", address, bits) < (int)size ? 0 : -ENOSPC;
}

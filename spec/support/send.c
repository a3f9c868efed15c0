/* send COUNT SIZE [ADDRESS] : sends so many UDP datagrams of so many bytes to a port of 127.0.0.1 (or another address, IPv4 or IPv6) where
 * nobody listens: traffic for specs, without tools. To another address a datagram may be refused, which is no failure. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static char bytes[65000];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int count = argc > 1 ? atoi(argv[1]) : 1, size = argc > 2 ? atoi(argv[2]) : 100;
	bool wide = argc > 3 && strchr(argv[3], ':');
	const struct sockaddr *address = wide ? (struct sockaddr *)&to6 : (struct sockaddr *)&to;

	if (size < 0 || (size_t)size > sizeof(bytes))
		return 2;
	if (argc > 3 && inet_pton(wide ? AF_INET6 : AF_INET, argv[3], wide ? (void *)&to6.sin6_addr : &to.sin_addr) != 1)
		return 2;
	for (int i = 0; i < count; i++) {
		/* A socket each: an ICMP error for the last datagram must not fail the next send. */
		int fd = socket(wide ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || (sendto(fd, bytes, (size_t)size, 0, address, wide ? sizeof(to6) : sizeof(to)) != size && argc < 4))
			return 1;
		(void)shutdown(fd, SHUT_RDWR);
	}
	return 0;
}

/* consock - the other end of --console-socket and --pidfd-socket.
 *
 *   consock SOCKET [TEXT]
 *
 * Listens, takes one connection and one message, says what was in it, types
 * TEXT, then prints what the terminal prints until its other side is closed:
 *
 *   message: /dev/pts/0
 *   descriptors: 1
 *   end: yes             the sender closed the socket after the message
 *   terminal: yes 5:2
 *   ...
 *
 * A pidfd is waited for instead:
 *
 *   process: 123
 *   ended
 *
 * Killed by SIGALRM after 10 s.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* The last descriptor of the message, -1 when there is none. */
static int
take(int s, int *nfds, char *text, size_t size)
{
	char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec v = { text, size - 1 };
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control };
	struct cmsghdr *c;
	ssize_t n = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
	int fd = -1;

	if (n < 0)
		die("recvmsg");
	text[n] = 0;
	*nfds = 0;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*nfds += (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	}
	return fd;
}

static void
relay(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	while (poll(&p, 1, -1) > 0) {
		n = read(fd, buf, sizeof buf);
		if (n <= 0)
			return;
		if (write(1, buf, (size_t)n) != n)
			die("write");
	}
}

/* Whose pidfd it is, as our procfs counts; 0 when it is none. */
static int
process_of(int fd)
{
	char path[64], line[128];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && !pid && fgets(line, sizeof line, f))
		sscanf(line, "Pid: %d", &pid);
	if (f)
		fclose(f);
	return pid;
}

int
main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char text[4096], rest;
	int s, c, fd, nfds;
	struct stat st;

	if (argc < 2 || strlen(argv[1]) >= sizeof a.sun_path)
		return 2;
	alarm(10);
	setvbuf(stdout, NULL, _IONBF, 0);
	strcpy(a.sun_path, argv[1]);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) < 0 ||
	    listen(s, 1) < 0)
		die(argv[1]);
	c = accept(s, NULL, NULL);
	if (c < 0)
		die("accept");
	fd = take(c, &nfds, text, sizeof text);
	printf("message: %s\ndescriptors: %d\n", text, nfds);
	printf("end: %s\n", read(c, &rest, 1) == 0 ? "yes" : "no");
	if (fd < 0 || fstat(fd, &st) < 0)
		return 1;
	if (process_of(fd)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		printf("process: %d\n", process_of(fd));
		poll(&p, 1, -1);
		printf("ended\n");
		return 0;
	}
	printf("terminal: %s %u:%u\n", isatty(fd) ? "yes" : "no",
	    major(st.st_rdev), minor(st.st_rdev));
	if (argc > 2 && write(fd, argv[2], strlen(argv[2])) < 0)
		die("type");
	relay(fd);
	return 0;
}

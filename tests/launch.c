/* launch - run a command as a caller would that leaves a mess.
 *
 *   launch [OPTION...] COMMAND ARG...
 *     -f FROM-TO=PATH   open PATH at these descriptors, not close-on-exec
 *     -c N              close descriptor N (0, 1, 2)
 *     -i                ignore SIGCHLD
 *     -b                block every signal
 *     -u MASK           umask, octal
 *     -p                only the first processor
 *     -g N,N,...        additional groups
 *     -k NAME           a session keyring of that name
 *     -U UID:GID        as that user, without other groups
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
die(const char *what)
{
	perror(what);
	exit(99);
}

static void
open_at(char *arg)
{
	char *path = strchr(arg, '=');
	int first, last, n, fd;

	if (!path || sscanf(arg, "%d-%d", &first, &last) != 2)
		exit(99);
	fd = open(path + 1, O_RDONLY);
	if (fd < 0)
		die(path + 1);
	for (n = first; n <= last; n++)
		if (fd != n && dup2(fd, n) < 0)
			die("dup2");
	if (fd < first || fd > last)
		close(fd);
}

static void
set_groups(char *list)
{
	gid_t groups[64];
	size_t n = 0;
	char *word;

	for (word = strtok(list, ","); word && n < 64; word = strtok(NULL, ","))
		groups[n++] = (gid_t)atol(word);
	if (setgroups(n, groups) < 0)
		die("setgroups");
}

static void
become(const char *arg)
{
	unsigned uid, gid;

	if (sscanf(arg, "%u:%u", &uid, &gid) != 2)
		exit(99);
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		die("become user");
}

static void
one_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		die("sched_setaffinity");
}

int
main(int argc, char **argv)
{
	int opt, closed[3] = { 0 }, i;
	sigset_t all;

	while ((opt = getopt(argc, argv, "+f:c:ibu:pg:k:U:")) != -1) {
		switch (opt) {
		case 'f':
			open_at(optarg);
			break;
		case 'c':
			closed[atoi(optarg) % 3] = 1;
			break;
		case 'i':
			signal(SIGCHLD, SIG_IGN);
			break;
		case 'b':
			sigfillset(&all);
			sigprocmask(SIG_BLOCK, &all, NULL);
			break;
		case 'u':
			umask((mode_t)strtoul(optarg, NULL, 8));
			break;
		case 'p':
			one_processor();
			break;
		case 'g':
			set_groups(optarg);
			break;
		case 'k':
			if (syscall(SYS_keyctl, 1, optarg) < 0) /* JOIN */
				die("keyctl");
			break;
		case 'U':
			become(optarg);
			break;
		default:
			return 99;
		}
	}
	for (i = 0; i < 3; i++)
		if (closed[i])
			close(i);
	execvp(argv[optind], argv + optind);
	die(argv[optind]);
}

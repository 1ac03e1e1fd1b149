/* probe - what a shell cannot ask the kernel, from inside a container.
 *
 *   probe fds                   the open descriptors, by fcntl alone
 *   probe keyring               the session keyring's description
 *   probe tiocsti               push a byte into stdin's terminal; /dev/tty
 *   probe syscall NUMBER ARG... make a system call, say what came back
 *   probe exe SECONDS           try to write to every /proc/PID/exe
 *   probe breakout FILE         the classic way out of a chroot
 *   probe sched                 processors, signals, umask, session
 *   probe priority [PID]        scheduler and I/O priority
 *   probe memory                personality and memory policy
 *   probe cpus                  the processors it may run on, as a list
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
probe_fds(void)
{
	int fd;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d ", fd);
	puts("");
	return 0;
}

static int
probe_keyring(void)
{
	char text[256] = "";
	long id = syscall(SYS_keyctl, 0, -3, 0); /* GET_KEYRING_ID, session */

	if (id < 0 || syscall(SYS_keyctl, 6, id, text, sizeof text - 1) < 0) {
		printf("none: %s\n", strerror(errno));
		return 0;
	}
	printf("%s\n", text);
	return 0;
}

static int
probe_tiocsti(void)
{
	char c = '!';
	int fd;

	printf("push: %s\n",
	    ioctl(0, TIOCSTI, &c) == 0 ? "done" : strerror(errno));
	fd = open("/dev/tty", O_RDWR);
	printf("tty: %s\n", fd >= 0 ? "opened" : strerror(errno));
	return 0;
}

static int
probe_syscall(int argc, char **argv)
{
	long a[7] = { 0 };
	int i;

	for (i = 0; i < argc && i < 7; i++)
		a[i] = (long)strtoull(argv[i], NULL, 0);
	if (syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]) == -1)
		printf("errno %d\n", errno);
	else
		printf("ok\n");
	return 0;
}

/* One process's binary, by the handle that CVE-2019-5736 used: opened for
 * nothing first, then through it for writing, until the process has ended
 * and the kernel no longer says that the file is busy. What lies in /bin is
 * the container's own. */
static void
probe_exe_of(int pid)
{
	char name[64], target[256] = "";
	int handle, fd = -1, tries;

	snprintf(name, sizeof name, "/proc/%d/exe", pid);
	handle = open(name, O_PATH);
	if (handle < 0)
		return;
	if (readlink(name, target, sizeof target - 1) < 0)
		strcpy(target, "?");
	if (!strncmp(target, "/bin/", 5)) {
		close(handle);
		return;
	}
	snprintf(name, sizeof name, "/proc/self/fd/%d", handle);
	for (tries = 0; tries < 100; tries++) {
		fd = open(name, O_WRONLY);
		if (fd >= 0 || errno != ETXTBSY)
			break;
		usleep(1000);
	}
	printf("exe %s %s\n", target, fd >= 0 ? "WRITABLE" : strerror(errno));
	if (fd >= 0 && write(fd, "overwritten", 11) == 11)
		printf("exe %s WRITTEN\n", target);
	if (fd >= 0)
		close(fd);
	close(handle);
}

/* Until it is killed, at the latest after so many seconds. */
static void
probe_exe(int seconds)
{
	int pid;

	alarm((unsigned)seconds);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;)
		for (pid = 1; pid < 512; pid++)
			if (pid != getpid())
				probe_exe_of(pid);
}

/* chroot(2) away from the working directory, walk up, look for FILE. */
static int
probe_breakout(const char *file)
{
	int i;

	if (mkdir("/tmp/x", 0755) < 0 && errno != EEXIST)
		return printf("mkdir: %s\n", strerror(errno)), 1;
	if (chroot("/tmp/x") < 0)
		return printf("chroot: %s\n", strerror(errno)), 1;
	for (i = 0; i < 64; i++)
		if (chdir("..") < 0)
			break;
	if (chroot(".") < 0)
		return printf("chroot: %s\n", strerror(errno)), 1;
	printf("found: %s\n", access(file, F_OK) == 0 ? "yes" : "no");
	printf("script: %s\n", access("/script", F_OK) == 0 ? "yes" : "no");
	return 0;
}

static int
probe_sched(void)
{
	int sig, nblocked = 0, nignored = 0;
	mode_t mask = umask(0);
	struct sigaction sa;
	sigset_t blocked;
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof set, &set);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (sig = 1; sig < 32; sig++) {
		nblocked += sigismember(&blocked, sig) == 1;
		if (sigaction(sig, NULL, &sa) == 0)
			nignored += sa.sa_handler == SIG_IGN;
	}
	printf("cpus %d blocked %d ignored %d umask %03o\n", CPU_COUNT(&set),
	    nblocked, nignored, (unsigned)mask);
	printf("leader %s\n",
	    getsid(0) == getpid() && getpgrp() == getpid() ? "yes" : "no");
	return 0;
}

static int
probe_priority(int pid)
{
	struct {
		unsigned size, policy;
		unsigned long long flags;
		int nice;
		unsigned priority;
		unsigned long long runtime, deadline, period;
		unsigned util_min, util_max;
	} a;
	long io = syscall(SYS_ioprio_get, 1, pid);

	memset(&a, 0, sizeof a);
	if (syscall(SYS_sched_getattr, pid, &a, sizeof a, 0) < 0)
		return printf("sched_getattr: %s\n", strerror(errno)), 1;
	printf("policy %u nice %d priority %u flags %#llx\n", a.policy, a.nice,
	    a.priority, a.flags & 0x1f);
	printf("deadline %llu %llu %llu\n", a.runtime, a.deadline, a.period);
	printf("io %ld:%ld\n", io >> 13, io & 7);
	return 0;
}

static int
probe_memory(void)
{
	unsigned long nodes[16] = { 0 };
	int mode = 0;

	printf("personality %#x\n", (unsigned)personality(0xffffffff));
	if (syscall(SYS_get_mempolicy, &mode, nodes, 1024, NULL, 0) < 0)
		return printf("get_mempolicy: %s\n", strerror(errno)), 0;
	printf("policy %#x nodes %#lx\n", (unsigned)mode, nodes[0]);
	return 0;
}

static int
probe_cpus(void)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof set, &set);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			printf("%d ", i);
	puts("");
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "fds"))
		return probe_fds();
	if (!strcmp(what, "keyring"))
		return probe_keyring();
	if (!strcmp(what, "tiocsti"))
		return probe_tiocsti();
	if (!strcmp(what, "syscall"))
		return probe_syscall(argc - 2, argv + 2);
	if (!strcmp(what, "exe") && argc > 2)
		probe_exe(atoi(argv[2]));
	if (!strcmp(what, "breakout") && argc > 2)
		return probe_breakout(argv[2]);
	if (!strcmp(what, "sched"))
		return probe_sched();
	if (!strcmp(what, "priority"))
		return probe_priority(argc > 2 ? atoi(argv[2]) : 0);
	if (!strcmp(what, "memory"))
		return probe_memory();
	if (!strcmp(what, "cpus"))
		return probe_cpus();
	fprintf(stderr, "probe: what is '%s'?\n", what);
	return 2;
}

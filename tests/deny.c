/* deny - run a command on a kernel that lacks system calls.
 *
 *   deny ERROR NAME[,NAME...] [--] COMMAND ARG...
 *
 * ERROR is ENOSYS, EPERM, EINVAL or a number. The filter stays on everything
 * that the command starts, so also in a container.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MAX 64

/* From 424 on the numbers are the same on every CPU. */
/* clang-format off */
static const struct {
	const char *name;
	int nr;
} calls[] = {
	{ "pidfd_send_signal",  424 },
	{ "io_uring_setup",     425 },
	{ "open_tree",          428 },
	{ "move_mount",         429 },
	{ "fsopen",             430 },
	{ "fsconfig",           431 },
	{ "fsmount",            432 },
	{ "fspick",             433 },
	{ "pidfd_open",         434 },
	{ "clone3",             435 },
	{ "close_range",        436 },
	{ "openat2",            437 },
	{ "pidfd_getfd",        438 },
	{ "faccessat2",         439 },
	{ "mount_setattr",      442 },
	{ "statmount",          457 },
	{ "open_tree_attr",     467 },
	{ "memfd_create",       SYS_memfd_create },
	{ "execveat",           SYS_execveat },
	{ "keyctl",             SYS_keyctl },
	{ "bpf",                SYS_bpf },
	{ "seccomp",            SYS_seccomp },
	{ "setns",              SYS_setns },
	{ "unshare",            SYS_unshare },
	{ "mount",              SYS_mount },
	{ "umount2",            SYS_umount2 },
	{ "pivot_root",         SYS_pivot_root },
	{ "mknodat",            SYS_mknodat },
	{ "prlimit64",          SYS_prlimit64 },
	{ "copy_file_range",    SYS_copy_file_range },
	{ "sendfile",           SYS_sendfile },
	{ "statx",              SYS_statx },
	{ "set_mempolicy",      SYS_set_mempolicy },
	{ "sched_setattr",      SYS_sched_setattr },
	{ "ioprio_set",         SYS_ioprio_set },
	{ "personality",        SYS_personality },
};

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "EPERM",      EPERM },
	{ "EACCES",     EACCES },
	{ "EINVAL",     EINVAL },
	{ "ENOSYS",     ENOSYS },
	{ "EOPNOTSUPP", EOPNOTSUPP },
};
/* clang-format on */

static void
die(const char *what)
{
	fprintf(stderr, "deny: %s\n", what);
	exit(99);
}

static int
error_number(const char *word)
{
	size_t i;

	for (i = 0; i < LEN(errors); i++)
		if (!strcmp(word, errors[i].name))
			return errors[i].number;
	if (atoi(word) <= 0)
		die("ERROR must be ENOSYS, EPERM, EINVAL or a number");
	return atoi(word);
}

static int
call_number(const char *word)
{
	size_t i;

	for (i = 0; i < LEN(calls); i++)
		if (!strcmp(word, calls[i].name))
			return calls[i].nr;
	fprintf(stderr, "deny: unknown system call '%s'\n", word);
	exit(99);
}

static void
put(struct sock_fprog *p, struct sock_filter f)
{
	if (p->len == 2 * MAX)
		die("too many system calls");
	p->filter[p->len++] = f;
}

int
main(int argc, char **argv)
{
	struct sock_filter code[2 * MAX];
	struct sock_fprog prog = { .filter = code };
	char *word, *rest = NULL;
	int error, at = 3;

	if (argc < 4)
		die("usage: deny ERROR NAME[,NAME...] [--] COMMAND ARG...");
	error = error_number(argv[1]);
	if (!strcmp(argv[at], "--") && !argv[++at])
		die("no command");
	put(&prog, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		       offsetof(struct seccomp_data, nr)));
	for (word = strtok_r(argv[2], ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest)) {
		put(&prog,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(unsigned)call_number(word), 0, 1));
		put(&prog, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
			       SECCOMP_RET_ERRNO | (unsigned)error));
	}
	put(&prog,
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	/* Without CAP_SYS_ADMIN a filter needs no_new_privs; with it we do not
	 * want that, for the command would inherit it. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0))
		die("seccomp is not in this kernel (CONFIG_SECCOMP_FILTER)");
	execvp(argv[at], argv + at);
	perror(argv[at]);
	return 99;
}

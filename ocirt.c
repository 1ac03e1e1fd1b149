/* ocirt - run OCI containers: one C file, one static binary
 * See LICENSE file for copyright and license details.
 *
 * ocirt reads a bundle (config.json and a root file system), clones a process
 * into new namespaces, gives it the file system, limits and identity that the
 * bundle asks for, and executes the bundle's program. It takes the command
 * line of runc. Everything it does to the machine is computed first, as a
 * plan: "ocirt plan" prints it.
 *
 * One process per command; "create", "run" and "exec" clone one child. Data
 * flows one way, down this file:
 *
 *   argv -> CMD -> config.json -> JSON -> struct spec -> struct plan
 *                                                            | clone
 *       parent:  RUN  ---- SYNC messages ---- INIT  :child   |
 *         |                                    |             v
 *       CGROUP, HOOK, STATE                  FS, CRED, SCMP -> execve
 *         '-> state.json
 *
 * Map. A room may call rooms above it, never below: nothing is declared before
 * it is defined, so a call down the file does not compile.
 *
 *    1 PORT   port_   includes, kernel constants and system calls musl lacks
 *    2 BASE   base_   memory, text, numbers, paths; no system calls but mmap
 *    3 ERR    err_    say what failed, undo, exit
 *    4 SYS    sys_    thin system call wrappers, the safe path resolver, procfs
 *    5 TAB    tab_    words of the runtime spec and their numbers
 *    6 JSON   json_   validate, tokenize, look up, write
 *    7 LEGACY leg_    configs of older specs become 1.3 JSON
 *    8 SPEC   spec_   config.json becomes struct spec
 *    9 LIMIT  limit_  resources become writes to cgroup files
 *   10 PLAN   plan_   struct spec becomes a list of things to do
 *   11 STATE  state_  the container's directory, journal and status
 *   12 CGROUP cg_     hierarchies, the container's own groups, kill
 *   13 RDT    rdt_    the container's group in resctrl
 *   14 NS     ns_     join and leave namespaces, loopback
 *   15 NET    net_    loopback and network devices, by rtnetlink
 *   16 FS     fs_     what the container sees as its file system
 *   17 TTY    tty_    pseudoterminals
 *   18 CRED   cred_   ids, capabilities, limits, labels
 *   19 SCMP   scmp_   the system call filter
 *   20 HOOK   hook_   run hooks
 *   21 SYNC   sync_   messages between parent and child
 *   22 INIT   init_   the child, from clone to execve
 *   23 RUN    run_    the parent: create, run, start, kill, delete
 *   24 EXEC   exec_   one more process in a container
 *   25 CRIU   criu_   checkpoint and restore
 *   26 SHOW   show_   state, list, ps, plan, spec, features, version
 *   27 CMD    cmd_    commands, options, help, man page, completion
 *   28 MAIN   main
 *
 * To read: start at main(), go up. To change: read the banner of the room. Its
 * tags say what is safe: [rows] add a row, no code. [pure] no system calls,
 * rework at will. [order] the order of statements is load-bearing. [wire] both
 * sides of the clone: change SYNC, INIT and RUN together.
 *
 * Files read: BUNDLE/{config,runtime}.json, the file of --process; /proc/self/{exe,
 * mountinfo,cgroup,status,ns,uid_map,setgroups}, /proc/PID/{stat,status,ns,
 * comm,uid_map,gid_map,setgroups}; freezer.{state,self_freezing}, cgroup.
 * {freeze,events,procs} and cpuset.{cpus,mems} of cgroups; /etc/passwd of the
 * container for HOME, of the host for list; namespaces that the config names.
 * checkpoint and restore: /proc/PID/{mountinfo,cgroup,root,fd,fdinfo}, criu's
 * log and descriptors.json beside the images, which checkpoint writes.
 * Files written: STATEROOT/ID/{state.json,config.json,start,report,notify};
 * cgroup.{procs,kill,freeze}, freezer.state, cpuset.{cpus,mems} and devices.{allow,
 * deny} of the container's own cgroups; /proc/PID/{oom_score_adj,uid_map,
 * gid_map,setgroups}, /proc/self/{timens_offsets,attr}, /proc/sys; mount
 * points and device nodes inside the root file system; tasks and schemata of
 * resctrl groups (info/last_cmd_status of it is read); and what the user
 * names with --pid-file and --log.
 */

/* == 1 PORT ============================================ port_ ==== [rows]
 * Owns:   what the C library's headers lack.
 * Calls:  nothing.
 * Runs:   nowhere: numbers and shapes, no code.
 * Change: numbers are the kernel's ABI, written out, so that an old header on
 *         the build host loses nothing. Switches are always 0 or 1 (-Wundef).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "jsmn.h"

#if SECCOMP
#include <seccomp.h>
#endif

#ifndef VERSION
#define VERSION "unknown"
#endif
#ifndef COMMIT
#define COMMIT "unknown"
#endif
#ifndef STATEDIR
#define STATEDIR "/run/ocirt"
#endif
#define SPEC_VERSION "1.3.0"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define CLOSEFD __attribute__((cleanup(sys_close_at)))

/* System calls from 424 up have one number on every architecture we build
 * for. */
/* clang-format off */
#ifndef __NR_pidfd_send_signal
#define __NR_pidfd_send_signal 424
#endif
#ifndef __NR_open_tree
#define __NR_open_tree         428
#define __NR_move_mount        429
#define __NR_fsopen            430
#define __NR_fsconfig          431
#define __NR_fsmount           432
#endif
#ifndef __NR_pidfd_open
#define __NR_pidfd_open        434
#endif
#ifndef __NR_clone3
#define __NR_clone3            435
#endif
#ifndef __NR_close_range
#define __NR_close_range       436
#endif
#ifndef __NR_openat2
#define __NR_openat2           437
#endif
#ifndef __NR_mount_setattr
#define __NR_mount_setattr     442
#endif

/* linux/mount.h, linux/openat2.h, linux/sched.h, linux/close_range.h */
#define PORT_OPEN_TREE_CLONE   0x1
#define PORT_MOVE_F_EMPTY_PATH 0x4
#define PORT_MOVE_T_EMPTY_PATH 0x40
#define PORT_FSOPEN_CLOEXEC    0x1
#define PORT_FSMOUNT_CLOEXEC   0x1
#define PORT_FSCONFIG_CREATE   6
#define PORT_RESOLVE_NO_XDEV       0x01
#define PORT_RESOLVE_NO_MAGICLINKS 0x02
#define PORT_RESOLVE_NO_SYMLINKS   0x04
#define PORT_RESOLVE_BENEATH       0x08
#define PORT_RESOLVE_IN_ROOT       0x10
#define PORT_CLOSE_RANGE_CLOEXEC   0x4
#define PORT_CLONE_INTO_CGROUP 0x200000000ull
#define PORT_CLONE_PIDFD       0x00001000ull
#define PORT_CLONE_NEWTIME     0x00000080
#define PORT_CLONE_NEWCGROUP   0x02000000
#define PORT_MS_NOSYMFOLLOW    256
#define PORT_MFD_EXEC          0x10u
#define PORT_F_SEAL_EXEC       0x20
#define PORT_TIOCGPTPEER       0x5441
#define PORT_PROC_ROOT_INO     1
#define PORT_PROC_MAGIC        0x9fa0
#define PORT_TMPFS_MAGIC       0x01021994
#define PORT_RAMFS_MAGIC       0x858458f6
#define PORT_CGROUP2_MAGIC     0x63677270
#define PORT_DEVPTS_MAGIC      0x1cd1
#define PORT_ATTR_RDONLY       0x00000001ull
#define PORT_ATTR_NOSUID       0x00000002ull
#define PORT_ATTR_NODEV        0x00000004ull
#define PORT_ATTR_NOEXEC       0x00000008ull
#define PORT_ATTR_ATIME        0x00000070ull
#define PORT_ATTR_NOATIME      0x00000010ull
#define PORT_ATTR_STRICTATIME  0x00000020ull
#define PORT_ATTR_NODIRATIME   0x00000080ull
#define PORT_ATTR_IDMAP        0x00100000ull
#define PORT_ATTR_NOSYMFOLLOW  0x00200000ull
#define PORT_NS_GET_PARENT     0xb702
#define PORT_NS_GET_NSTYPE     0xb703
#define PORT_NSFS_MAGIC        0x6e736673
#define PORT_PF_FORKNOEXEC     0x40
#define PORT_KEYCTL_JOIN       1
#define PORT_KEYCTL_SETPERM    5
/* clang-format on */

/* 32-bit CPUs have older calls with 16-bit ids under the plain names. */
#ifdef SYS_setresuid32
#define PORT_SETRESUID SYS_setresuid32
#define PORT_SETRESGID SYS_setresgid32
#define PORT_SETGROUPS SYS_setgroups32
#else
#define PORT_SETRESUID SYS_setresuid
#define PORT_SETRESGID SYS_setresgid
#define PORT_SETGROUPS SYS_setgroups
#endif

/* clone(2) as fork; s390 swaps the first two arguments. */
#ifdef __s390__
#define PORT_CLONE(flags) syscall(SYS_clone, NULL, flags, 0, 0, 0)
#else
#define PORT_CLONE(flags) syscall(SYS_clone, flags, NULL, 0, 0, 0)
#endif

#ifndef SIGSTKFLT /* not on MIPS */
#define SIGSTKFLT -1
#endif

struct port_open_how {
	uint64_t flags, mode, resolve;
};

struct port_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

/* linux/sched/types.h, as Linux 5.3 has it; older kernels take it as long as
 * what they do not know is zero. */
struct port_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

struct port_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
	    stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* == 2 BASE =========================================== base_ ==== [pure]
 * Owns:   the arena and text that grows in it. Nothing is freed one by one.
 * Calls:  nothing but mmap, and err_oom() when the arena is full.
 * Runs:   parent and child; the child inherits a copy of the arena.
 * Change: keep it free of other system calls. Units are bytes throughout.
 */
NORETURN static void err_oom(void); /* the memory cycle */

/* config.json is hostile input: a bound keeps it from eating the machine. */
#define BASE_ARENA_MAX ((size_t)256 << 20)
#define BASE_CHUNK ((size_t)256 << 10)

static char base_first[32 << 10] __attribute__((aligned(16)));
static char *base_at = base_first;
static size_t base_left = sizeof base_first, base_total;

/* Zeroed, 16-aligned memory that lives until exit. Never NULL. */
static void *
base_alloc(size_t n)
{
	size_t chunk;
	char *p;

	if (n > BASE_ARENA_MAX)
		err_oom();
	n = (n + 15) & ~(size_t)15;
	if (n > base_left) {
		chunk = n > BASE_CHUNK ? n : BASE_CHUNK;
		if (base_total + chunk > BASE_ARENA_MAX)
			err_oom();
		p = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			err_oom();
		base_total += chunk;
		/* A big block of its own leaves the current chunk in use. */
		if (n > BASE_CHUNK)
			return p;
		base_at = p;
		base_left = chunk;
	}
	p = base_at;
	base_at += n;
	base_left -= n;
	return p;
}

/* n elements of the given size; an overflow counts as out of memory. */
static void *
base_array(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		err_oom();
	return base_alloc(bytes);
}

static char *
base_dupn(const char *s, size_t n)
{
	return memcpy(base_alloc(n + 1), s, n);
}

static char *
base_dup(const char *s)
{
	return base_dupn(s, strlen(s));
}

/* A string in the arena, formatted as by printf(3). */
PRINTF(1, 2)
static char *
base_fmt(const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		err_oom();
	p = base_alloc((size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p;
}

/* Text under construction. With a buffer given (fixed) it is cut at the end
 * of the buffer; else it grows in the arena. Always NUL-terminated. */
struct text {
	char *p;
	size_t n, cap;
	bool fixed;
};

static void
base_put(struct text *t, const char *s, size_t n)
{
	char *grown;

	if (t->n + n + 1 > t->cap) {
		if (t->fixed) {
			n = t->cap - t->n - 1;
		} else {
			t->cap = (t->n + n + 1) * 2 + 240;
			grown = base_alloc(t->cap);
			if (t->n)
				memcpy(grown, t->p, t->n);
			t->p = grown;
		}
	}
	memcpy(t->p + t->n, s, n);
	t->n += n;
	t->p[t->n] = 0;
}

static void
base_puts(struct text *t, const char *s)
{
	base_put(t, s, strlen(s));
}

PRINTF(2, 0)
static void
base_vputf(struct text *t, const char *fmt, va_list ap)
{
	char small[256], *p = small;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	if (n >= (int)sizeof small) {
		if (t->fixed) {
			n = (int)sizeof small - 1;
			if (t->cap - t->n > 1) {
				n = vsnprintf(
				    t->p + t->n, t->cap - t->n, fmt, again);
				t->n += (size_t)n < t->cap - t->n ?
					    (size_t)n :
					    t->cap - t->n - 1;
			}
			n = 0;
		} else {
			p = base_alloc((size_t)n + 1);
			vsnprintf(p, (size_t)n + 1, fmt, again);
		}
	}
	va_end(again);
	if (n > 0)
		base_put(t, p, (size_t)n);
}

PRINTF(2, 3)
static void
base_putf(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	base_vputf(t, fmt, ap);
	va_end(ap);
}

/* Length of the well-formed UTF-8 sequence at s (at most n bytes), 0 if there
 * is none: no overlong forms, no surrogates, nothing above U+10FFFF
 * (RFC 3629). */
static size_t
base_utf8(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len, i;

	if (n == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		len = 2;
	else if ((u[0] & 0xf0) == 0xe0)
		len = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	for (i = 1; i < len; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return len;
}

/* s as a JSON string with its quotes. Control bytes, DEL and bytes that are
 * no UTF-8 go out escaped, so a log line can carry anything (threat T53). */
static void
base_put_json(struct text *t, const char *s)
{
	size_t n = strlen(s), len;
	const char *esc;

	base_put(t, "\"", 1);
	for (; n; s += len, n -= len) {
		len = base_utf8(s, n);
		esc = len == 1 ? strchr("\"\\\n\t\r", *s) : NULL;
		if (len == 0) {
			len = 1;
			base_puts(t, "\\ufffd");
		} else if (esc && *esc) {
			base_put(t, "\\", 1);
			base_put(t,
			    *s == '\n' ? "n" :
			    *s == '\t' ? "t" :
			    *s == '\r' ? "r" :
					 s,
			    1);
		} else if (len == 1 &&
			   ((unsigned char)*s < 0x20 || *s == 127)) {
			base_putf(t, "\\u%04x", (unsigned char)*s);
		} else if (len == 2 && (unsigned char)s[0] == 0xc2 &&
			   (unsigned char)s[1] < 0xa0) {
			base_putf(t, "\\u%04x", (unsigned char)s[1]);
		} else {
			base_put(t, s, len);
		}
	}
	base_put(t, "\"", 1);
}

/* s for a line that people read: as it is when it is one plain word, else as
 * JSON has it, so that nothing in it can end the line or drive a terminal. */
static void
base_put_word(struct text *t, const char *s)
{
	const char *c;

	for (c = s; *c > 0x20 && *c < 127 && *c != '"' && *c != '\\'; c++)
		;
	if (*c || !*s)
		base_put_json(t, s);
	else
		base_puts(t, s);
}

/* Decimal digits only: no sign, no space, no leading zero. -1 when s is not
 * that or exceeds max; *v is then untouched (threat T33). */
static int
base_number(const char *s, uint64_t max, uint64_t *v)
{
	uint64_t r = 0;

	if (!*s || (*s == '0' && s[1]))
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' ||
		    __builtin_mul_overflow(r, 10u, &r) ||
		    __builtin_add_overflow(r, (uint64_t)(*s - '0'), &r))
			return -1;
	}
	if (r > max)
		return -1;
	*v = r;
	return 0;
}

/* A set of small numbers, as processors and memory nodes are listed: the
 * kernel's bitmap, and how many bits are set. */
#define BASE_BITS 8192
struct base_bits {
	unsigned long word[BASE_BITS / (8 * sizeof(long))];
	size_t n;
};

/* "0-3, 7" as cpuset(7) has it, blanks allowed around each part. -1 when s is
 * no such list, runs backwards or names a number that no kernel has. */
static int
base_bits(const char *s, struct base_bits *set)
{
	const size_t bits = 8 * sizeof set->word[0];
	char *copy = base_dup(s), *part, *end, *dash;
	uint64_t a, b;

	memset(set, 0, sizeof *set);
	while (copy) {
		part = copy + strspn(copy, " ");
		if ((copy = strchr(part, ',')))
			*copy++ = 0;
		end = part + strlen(part);
		while (end > part && end[-1] == ' ')
			*--end = 0;
		if ((dash = strchr(part, '-')))
			*dash++ = 0;
		if (base_number(part, BASE_BITS - 1, &a) < 0 ||
		    base_number(dash ? dash : part, BASE_BITS - 1, &b) < 0 ||
		    a > b)
			return -1;
		for (; a <= b; a++)
			set->word[a / bits] |= 1ul << a % bits;
	}
	for (a = 0; a < BASE_BITS; a++)
		set->n += set->word[a / bits] >> a % bits & 1;
	return 0;
}

/* Cut the next field off *s at any byte of sep; NULL at the end. Empty fields
 * are skipped. Writes NULs into the string. */
static char *
base_cut(char **s, const char *sep)
{
	char *field;

	*s += strspn(*s, sep);
	if (!**s)
		return NULL;
	field = *s;
	*s += strcspn(*s, sep);
	if (**s)
		*(*s)++ = 0;
	return field;
}

/* path made absolute against dir and cleaned of "//", "." and "..", by text
 * alone. For names that we print or store, never for access control. */
static char *
base_abs(const char *dir, const char *path)
{
	char *all =
	    *path == '/' ? base_dup(path) : base_fmt("%s/%s", dir, path);
	char *out = base_alloc(strlen(all) + 2), *part;
	size_t n = 0;

	while ((part = base_cut(&all, "/"))) {
		if (!strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			while (n && out[--n] != '/')
				;
			continue;
		}
		out[n++] = '/';
		memcpy(out + n, part, strlen(part));
		n += strlen(part);
	}
	if (!n)
		out[n++] = '/';
	out[n] = 0;
	return out;
}

/* The value of NAME in an environment list, NULL when it is not there. */
static const char *
base_getenv(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

/* How many strings a NULL-terminated list has; NULL has none. */
static size_t
base_count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* The strings of a, then those of b, as one new list. */
static char **
base_join(char *const *a, char *const *b)
{
	size_t n = base_count(a), m = base_count(b);
	char **all = base_array(n + m + 1, sizeof *all);

	if (n)
		memcpy(all, a, n * sizeof *all);
	if (m)
		memcpy(all + n, b, m * sizeof *all);
	return all;
}

/* A set of strings: in linear time where comparing each with each would let
 * hostile input take minutes. space keeps sets in one table apart. */
struct base_set {
	struct base_member {
		const char *s;
		size_t n, value;
		uint64_t space;
	} * slot;
	size_t size; /* a power of two, at least twice the members */
};

static void
base_set_init(struct base_set *set, size_t members)
{
	set->size = 64;
	while (set->size < members * 2)
		set->size *= 2;
	set->slot = base_array(set->size, sizeof *set->slot);
}

/* The value of a string, 0 when it is new: then the caller sets it. */
static size_t *
base_set_at(struct base_set *set, uint64_t space, const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u ^ space; /* FNV-1a */
	struct base_member *m;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	h ^= h >> 29;
	for (i = h & (set->size - 1); (m = &set->slot[i])->value;
	     i = (i + 1) & (set->size - 1))
		if (m->space == space && m->n == n && !memcmp(m->s, s, n))
			return &m->value;
	m->s = s;
	m->n = n;
	m->space = space;
	return &m->value;
}

/* Field n (0 name, 5 home) of the line of /etc/passwd text about uid; NULL
 * when there is none. The text may be anything. */
static char *
base_passwd(const char *text, uint64_t uid, int n)
{
	char *copy = base_dup(text), *line, *field[7], *next;
	uint64_t v;
	int i;

	while ((line = base_cut(&copy, "\n"))) {
		for (i = 0; i < 7 && line; i++, line = next) {
			field[i] = line;
			if ((next = strchr(line, ':')))
				*next++ = 0;
		}
		if (i == 7 && base_number(field[2], UINT32_MAX, &v) == 0 &&
		    v == uid)
			return field[n];
	}
	return NULL;
}

struct base_day {
	char s[64];
};

/* UTC time as RFC 3339, to the second. strftime(3) would bring musl's time
 * zones into the binary, 4 kB. */
static struct base_day
base_seconds(const struct timespec *ts)
{
	struct base_day d;
	struct tm tm;

	gmtime_r(&ts->tv_sec, &tm);
	snprintf(d.s, sizeof d.s, "%04d-%02d-%02dT%02d:%02d:%02d",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
	return d;
}

/* The same with the given number of nanosecond digits (0 or 9). */
static char *
base_time(const struct timespec *ts, int digits)
{
	struct base_day d = base_seconds(ts);

	return digits ? base_fmt("%s.%09ldZ", d.s, ts->tv_nsec) :
			base_fmt("%sZ", d.s);
}

/* == 3 ERR ============================================ err_ ==== [order]
 * Owns:   the breadcrumbs, notes, the undo list, the log, every exit.
 * Calls:  BASE.
 * Runs:   parent and child. In the child err_send carries the text to the
 *         parent, so the user sees one line whichever side failed.
 * Change: err_die() must stay safe after a clone: the child empties its copy
 *         of the undo list first of all (init_main).
 */
#define ERR_LINE 4096

static char err_crumbs[8][160];
static size_t err_ncrumbs;

static struct {
	void (*fn)(void *);
	void *arg;
} err_undos[16];
static size_t err_nundos;

static struct {
	int fd;    /* --log, or -1 */
	bool json; /* --log-format json */
	bool debug;
	int status; /* what err_die() exits with; exec sets 255 */
	/* Set in the child: hand a message to the parent. fatal: it is the
	 * last one. */
	void (*send)(bool fatal, const char *text);
	char *notes[32];
	size_t nnotes;
	/* Gives our terminal back: before the last words, to be readable. */
	void (*restore)(void);
	jmp_buf *trap; /* err_try(): come back here instead of exiting */
	char *trapped; /* the message of the last failure caught */
} err = { .fd = -1, .status = 1 };

NORETURN static void
err_exit(int status)
{
	_exit(status);
}

/* Name the thing being worked on; err_die() prints all open crumbs. */
PRINTF(1, 2)
static void
err_push(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err_ncrumbs < LEN(err_crumbs))
		vsnprintf(
		    err_crumbs[err_ncrumbs], sizeof err_crumbs[0], fmt, ap);
	va_end(ap);
	err_ncrumbs++;
}

static void
err_pop(void)
{
	err_ncrumbs--;
}

/* Write one line in one write(2). A failure has nowhere to be told. */
static void
err_write(int fd, const struct text *t)
{
	ssize_t n;

	do
		n = write(fd, t->p, t->n);
	while (n < 0 && errno == EINTR);
}

/* One record into the log file, as logrus writes it: engines parse it. */
static void
err_log(const char *level, const char *msg)
{
	/* every byte may become six: the record must end as JSON */
	char buf[ERR_LINE * 6 + 128];
	struct text t = { .p = buf, .cap = sizeof buf - 4, .fixed = true };
	struct timespec ts;
	struct base_day day;

	if (err.fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	day = base_seconds(&ts);
	if (err.json) {
		base_putf(&t, "{\"level\":\"%s\",\"msg\":", level);
		base_put_json(&t, msg);
		base_putf(&t, ",\"time\":\"%sZ\"}", day.s);
	} else {
		base_putf(&t, "time=\"%sZ\" level=%s msg=", day.s, level);
		base_put_json(&t, msg);
	}
	base_puts(&t, "\n");
	err_write(err.fd, &t);
}

/* One line on stderr, without the bytes that could drive a terminal: C0, C1
 * and DEL, and what is no UTF-8 (threat T53). */
static void
err_say(const char *msg)
{
	char buf[ERR_LINE + 16];
	struct text t = { .p = buf, .cap = sizeof buf - 2, .fixed = true };
	size_t i, len;

	base_puts(&t, "ocirt: ");
	base_puts(&t, msg);
	for (i = 0; i < t.n; i += len) {
		len = base_utf8(buf + i, t.n - i);
		if (len < 2 && (len == 0 || (unsigned char)buf[i] < 0x20 ||
				   buf[i] == 127)) {
			buf[i] = '?';
			len = 1;
		} else if (len == 2 && (unsigned char)buf[i] == 0xc2 &&
			   (unsigned char)buf[i + 1] < 0xa0) {
			buf[i] = buf[i + 1] = '?';
		}
	}
	buf[t.n++] = '\n';
	err_write(2, &t);
}

/* The crumbs and the message; a format that ends in ':' asks for the text of
 * errno e, in lower case as engines match it (engines.md). */
PRINTF(3, 0)
static void
err_compose(struct text *t, int e, const char *fmt, va_list ap)
{
	size_t i, n = strlen(fmt);
	const char *why;
	char c;

	for (i = 0; i < err_ncrumbs && i < LEN(err_crumbs); i++)
		base_putf(t, "%s: ", err_crumbs[i]);
	base_vputf(t, fmt, ap);
	if (n && fmt[n - 1] == ':') {
		base_puts(t, " ");
		for (why = strerror(e); *why; why++) {
			c = *why >= 'A' && *why <= 'Z' ? (char)(*why + 32) :
							 *why;
			base_put(t, &c, 1);
		}
	}
}

/* Run fn(arg) if this process dies before err_keep(). Last in, first out. */
static void
err_undo(void (*fn)(void *), void *arg)
{
	if (err_nundos == LEN(err_undos))
		abort();
	err_undos[err_nundos].fn = fn;
	err_undos[err_nundos++].arg = arg;
}

static void
err_rollback(void)
{
	while (err_nundos) {
		err_nundos--;
		err_undos[err_nundos].fn(err_undos[err_nundos].arg);
	}
}

/* What was done stays done: nothing is undone from here on. The child calls
 * it first of all, for its copy of the list is its parent's to do. */
static void
err_keep(void)
{
	err_nundos = 0;
}

/* Say "ocirt: crumb: crumb: message[: errno]", undo, exit with err.status. */
NORETURN PRINTF(1, 2)
static void
err_die(const char *fmt, ...)
{
	static bool dying;
	char buf[ERR_LINE];
	struct text t = { .p = buf, .cap = sizeof buf, .fixed = true };
	int e = errno;
	va_list ap;

	buf[0] = 0;
	va_start(ap, fmt);
	err_compose(&t, e, fmt, ap);
	va_end(ap);
	if (err.trap) {
		err.trapped = base_dup(buf);
		longjmp(*err.trap, 1);
	}
	if (err.send) {
		err.send(true, buf);
		err_exit(1);
	}
	if (err.restore)
		err.restore();
	/* An undo that fails in its turn is told; the others still run. */
	err_log(dying ? "warning" : "error", buf);
	err_say(buf);
	dying = true;
	err_ncrumbs = 0;
	err_rollback();
	err_exit(err.status);
}

/* Run fn(arg); false when it died, its message is err.trapped then. For
 * reading what may be damaged, and nothing that has to be undone. */
static bool
err_try(void (*fn)(void *), void *arg)
{
	size_t crumbs = err_ncrumbs;
	jmp_buf here;
	bool ok;

	err.trap = &here;
	ok = setjmp(here) == 0;
	if (ok)
		fn(arg);
	err.trap = NULL;
	err_ncrumbs = crumbs;
	return ok;
}

NORETURN static void
err_oom(void)
{
	err_die("out of memory");
}

/* A warning in an operation that goes on: undo steps, delete --force. */
PRINTF(1, 2)
static void
err_warn(const char *fmt, ...)
{
	char buf[ERR_LINE];
	struct text t = { .p = buf, .cap = sizeof buf, .fixed = true };
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	err_compose(&t, e, fmt, ap);
	va_end(ap);
	if (err.send)
		return;
	/* podman reads the whole log as one object and shims parse stdout and
	 * stderr together, so a healthy command must stay silent there. */
	if (err.debug)
		err_log("warning", buf);
	if (err.debug || isatty(2))
		err_say(buf);
	errno = e;
}

/* Something the config asks for that this host lacks and that is no security
 * feature: kept for the state's org.ocirt.degraded and shown as a warning. */
static void
err_note(const char *text)
{
	size_t i;

	for (i = 0; i < err.nnotes; i++)
		if (!strcmp(err.notes[i], text))
			return;
	if (err.send) {
		err.send(false, text);
		return;
	}
	if (err.nnotes < LEN(err.notes))
		err.notes[err.nnotes++] = base_dup(text);
	err_warn("note: %s", text);
}

PRINTF(1, 2)
static void
err_debug(const char *fmt, ...)
{
	char buf[ERR_LINE];
	struct text t = { .p = buf, .cap = sizeof buf, .fixed = true };
	va_list ap;

	if (!err.debug)
		return;
	va_start(ap, fmt);
	base_vputf(&t, fmt, ap);
	va_end(ap);
	if (err.fd >= 0)
		err_log("debug", buf);
	else
		err_say(buf);
}

/* == 4 SYS ============================================ sys_ =============
 * Owns:   thin system call wrappers: EINTR, CLOEXEC, whole files, descriptors
 *         over sockets, the path resolver, the procfs descriptor.
 * Calls:  BASE; ERR only for notes of a missing kernel feature.
 * Runs:   parent and child.
 * Trusts: nothing below a root file system: paths in there go through
 *         sys_resolve() and what follows from it (threats T05, T07-T09).
 * Change: wrappers return -1 and errno and never print; no policy here.
 */

/* The procfs through which all of /proc is reached: the host's in the parent,
 * an own instance of the container's pid namespace in the child. -1: not
 * opened yet. */
static int sys_procfd = -1;

static void
sys_close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void
sys_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* "Try the older way": what a kernel or a sandbox answers to a system call
 * that it does not have. nspawn and old Docker say EPERM (field: crun#545). */
static bool
sys_lacks(int e)
{
	return e == ENOSYS || e == EPERM || e == EINVAL || e == EOPNOTSUPP;
}

static int
sys_open(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dir, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

static int
sys_openat2(int dir, const char *path, int flags, uint64_t resolve)
{
	struct port_open_how how = { .flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = resolve };
	long fd;
	int tries = 0;

	/* EAGAIN: somebody renames below us. Bounded, for an attacker can
	 * rename for ever. */
	do
		fd = syscall(__NR_openat2, dir, path, &how, sizeof how);
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < 128);
	return (int)fd;
}

static int
sys_write_all(int fd, const char *s, size_t n)
{
	ssize_t w;

	while (n) {
		w = write(fd, s, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			if (!w)
				errno = EIO;
			return -1;
		}
		s += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Everything that can be read from fd, NUL-terminated in the arena. NULL and
 * errno on failure; EFBIG above max bytes. */
static char *
sys_read_fd(int fd, size_t max, size_t *len)
{
	struct text t = { 0 };
	char *grown;
	ssize_t r;

	t.cap = 4096;
	t.p = base_alloc(t.cap);
	for (;;) {
		if (t.n + 1 == t.cap) {
			t.cap *= 2;
			grown = base_alloc(t.cap);
			memcpy(grown, t.p, t.n);
			t.p = grown;
		}
		r = read(fd, t.p + t.n, t.cap - 1 - t.n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return NULL;
		if (!r)
			break;
		t.n += (size_t)r;
		if (t.n > max) {
			errno = EFBIG;
			return NULL;
		}
	}
	t.p[t.n] = 0;
	if (len)
		*len = t.n;
	return t.p;
}

/* A small file, whole. */
static char *
sys_read_file(int dir, const char *path, size_t *len)
{
	CLOSEFD int fd = sys_open(dir, path, O_RDONLY | O_NOFOLLOW, 0);

	return fd < 0 ? NULL : sys_read_fd(fd, 16 << 20, len);
}

/* A file that others may have put there: only a regular one is read, and
 * nothing blocks on a FIFO. EINVAL for other kinds, EFBIG above max. */
static char *
sys_read_regular(int dir, const char *path, int flags, size_t max, size_t *len)
{
	CLOSEFD int fd = sys_open(dir, path, O_RDONLY | O_NONBLOCK | flags, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return NULL;
	}
	return sys_read_fd(fd, max, len);
}

/* Write to a file that exists already: cgroup and procfs files. */
static int
sys_write_file(int dir, const char *path, const char *s)
{
	CLOSEFD int fd = sys_open(dir, path, O_WRONLY | O_NOFOLLOW, 0);

	return fd < 0 ? -1 : sys_write_all(fd, s, strlen(s));
}

/* dir/name holds exactly s from one moment to the next; never a part of it.
 * "." in front of the name keeps the temporary file in the same directory. */
static int
sys_replace_file(
    int dir, const char *name, mode_t mode, const char *s, size_t n)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	char *tmp = base_fmt("%.*s.%s", (int)(base - name), name, base);
	int fd, e;

	fd = sys_open(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
	/* left by one who was killed */
	if (fd < 0 && errno == EEXIST && unlinkat(dir, tmp, 0) == 0)
		fd = sys_open(
		    dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
	if (fd < 0)
		return -1;
	if (sys_write_all(fd, s, n) < 0 || close(fd) < 0 ||
	    renameat(dir, tmp, dir, name) < 0) {
		e = errno;
		unlinkat(dir, tmp, 0);
		errno = e;
		return -1;
	}
	return 0;
}

/* ---- procfs ---- */

static bool
sys_is_procfs_root(int fd)
{
	struct statfs sfs;
	struct stat st;

	return fstatfs(fd, &sfs) == 0 && sfs.f_type == PORT_PROC_MAGIC &&
	       fstat(fd, &st) == 0 && st.st_ino == PORT_PROC_ROOT_INO;
}

/* A procfs instance of our own pid namespace that is mounted nowhere; -1
 * where the kernel (< 5.2) or our rights do not allow it. pid_only: no
 * /proc/sys, sysrq-trigger and the like (Linux 5.8), so that a container
 * process that can ptrace us finds nothing there (threat T01). */
static int
sys_mount_procfs(bool pid_only)
{
	CLOSEFD int fs = -1;

	fs = (int)syscall(__NR_fsopen, "proc", PORT_FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	if (pid_only && syscall(__NR_fsconfig, fs, 1, "subset", "pid", 0) < 0 &&
	    errno != EINVAL)
		return -1;
	if (syscall(__NR_fsconfig, fs, PORT_FSCONFIG_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(__NR_fsmount, fs, PORT_FSMOUNT_CLOEXEC,
	    PORT_ATTR_NOSUID | PORT_ATTR_NODEV | PORT_ATTR_NOEXEC);
}

/* The host's procfs, or a private one where the host has none mounted. */
static int
sys_proc(void)
{
	if (sys_procfd >= 0)
		return sys_procfd;
	sys_procfd =
	    sys_open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (sys_procfd >= 0 && !sys_is_procfs_root(sys_procfd))
		sys_close(&sys_procfd);
	if (sys_procfd < 0)
		sys_procfd = sys_mount_procfs(false);
	return sys_procfd;
}

/* Open below a procfs without following a mount or a magic link, so nothing
 * mounted over or linked in /proc can redirect us (CVE-2025-52881,
 * CVE-2019-16884). */
static int
sys_proc_open_in(int proc, const char *path, int flags)
{
	int fd;

	fd = sys_openat2(proc, path, flags | O_NOFOLLOW,
	    PORT_RESOLVE_BENEATH | PORT_RESOLVE_NO_XDEV |
		PORT_RESOLVE_NO_MAGICLINKS);
	if (fd < 0 && sys_lacks(errno))
		fd = sys_open(proc, path, flags | O_NOFOLLOW, 0);
	return fd;
}

static int
sys_proc_open(const char *path, int flags)
{
	int proc = sys_proc();

	return proc < 0 ? -1 : sys_proc_open_in(proc, path, flags);
}

static char *
sys_proc_read(const char *path)
{
	CLOSEFD int fd = sys_proc_open(path, O_RDONLY);

	return fd < 0 ? NULL : sys_read_fd(fd, 64 << 20, NULL);
}

static int
sys_proc_write(const char *path, const char *s)
{
	CLOSEFD int fd = sys_proc_open(path, O_WRONLY);

	return fd < 0 ? -1 : sys_write_all(fd, s, strlen(s));
}

/* The name of descriptor fd relative to the procfs: the old mount(2) works on
 * descriptors through it, with the procfs as current directory. */
struct fdname {
	char s[32];
};

static struct fdname
sys_fdname(int fd)
{
	struct fdname n;

	snprintf(n.s, sizeof n.s, "self/fd/%d", fd);
	return n;
}

/* A second open of what an O_PATH descriptor stands for. */
static int
sys_reopen(int fd, int flags)
{
	int proc = sys_proc();

	return proc < 0 ? -1 : sys_open(proc, sys_fdname(fd).s, flags, 0);
}

/* ---- paths inside a root directory ---- */

#define SYS_MAXLINKS 40
#define SYS_MAXDEPTH 256

/* One step of sys_walk(): name below the directory on top of the stack. */
static int
sys_walk_open(int dir, const char *name)
{
	return sys_open(dir, name, O_PATH | O_NOFOLLOW, 0);
}

/* The target of the symbolic link fd, with rest behind it. A link on procfs
 * may be a magic one, which goes anywhere: refused, ELOOP. */
static char *
sys_walk_link(int fd, const char *rest)
{
	char target[PATH_MAX];
	struct statfs sfs;
	ssize_t n;

	if (fstatfs(fd, &sfs) < 0)
		return NULL;
	if (sfs.f_type == PORT_PROC_MAGIC) {
		errno = ELOOP;
		return NULL;
	}
	n = readlinkat(fd, "", target, sizeof target);
	if (n < 0)
		return NULL;
	if ((size_t)n == sizeof target) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return base_fmt("%.*s/%s", (int)n, target, rest);
}

/* What openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) does, for Linux < 5.6:
 * a walk by descriptors. ".." pops the stack, so it can never pass the root;
 * an absolute link starts again at the root. */
static int
sys_walk(int root, const char *path, bool nolinks)
{
	int dirs[SYS_MAXDEPTH], depth = 0, links = 0, fd = -1, e;
	char *rest = base_dup(path), *name;
	struct stat st;

	if ((dirs[0] = fcntl(root, F_DUPFD_CLOEXEC, 3)) < 0)
		return -1;
	e = 0;
	while (!e && (name = base_cut(&rest, "/"))) {
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			if (depth)
				close(dirs[depth--]);
			continue;
		}
		if ((fd = sys_walk_open(dirs[depth], name)) < 0 ||
		    fstat(fd, &st) < 0) {
			e = errno;
		} else if (!S_ISLNK(st.st_mode)) {
			if (depth + 1 == SYS_MAXDEPTH)
				e = ENAMETOOLONG;
			else
				dirs[++depth] = fd, fd = -1;
		} else if (nolinks || ++links > SYS_MAXLINKS) {
			e = ELOOP;
		} else if (!(rest = sys_walk_link(fd, rest))) {
			e = errno;
		} else if (*rest == '/') {
			while (depth)
				close(dirs[depth--]);
		}
		sys_close(&fd);
	}
	fd = dirs[depth];
	while (depth--)
		close(dirs[depth]);
	if (e) {
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

/* path inside root as an O_PATH descriptor, whatever links and ".." the
 * container's image put there: it never leaves root and never passes a magic
 * link. nolinks: any symbolic link on the way is an error (ELOOP). */
static int
sys_resolve(int root, const char *path, bool nolinks)
{
	int fd;

	path += strspn(path, "/");
	if (!*path)
		path = ".";
	fd = sys_openat2(root, path, O_PATH,
	    PORT_RESOLVE_IN_ROOT | PORT_RESOLVE_NO_MAGICLINKS |
		(nolinks ? PORT_RESOLVE_NO_SYMLINKS : 0));
	if (fd < 0 && sys_lacks(errno))
		fd = sys_walk(root, path, nolinks);
	return fd;
}

/* Name the parent of path: resolve all but the last component, which is
 * returned through *name. The last component may not be "." or "..". */
static int
sys_resolve_parent(int root, const char *path, char **name)
{
	char *copy = base_dup(path), *slash;
	size_t n = strlen(copy);

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = 0;
	slash = strrchr(copy, '/');
	*name = slash ? slash + 1 : copy;
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, "..")) {
		errno = EINVAL;
		return -1;
	}
	if (slash)
		*slash = 0;
	return sys_resolve(root, slash && *copy ? copy : "/", false);
}

/* The directory path inside root, made (mode) where it is missing, as O_PATH
 * descriptor. A dangling link on the way is followed as a name inside root
 * and what it names is made. */
static int
sys_mkdirs(int root, const char *path, mode_t mode, int links)
{
	CLOSEFD int parent = -1;
	char *name, *target;
	int fd = sys_resolve(root, path, false), e;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	parent = sys_resolve_parent(root, path, &name);
	if (parent < 0 && errno == ENOENT) {
		name = strrchr(base_dup(path), '/');
		if (!name) {
			errno = ENOENT;
			return -1;
		}
		fd = sys_mkdirs(root,
		    base_dupn(path, strlen(path) - strlen(name)), mode, links);
		if (fd < 0)
			return -1;
		close(fd);
		parent = sys_resolve_parent(root, path, &name);
	}
	if (parent < 0)
		return -1;
	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
		return -1;
	fd = sys_open(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd >= 0)
		return fd;
	e = errno;
	if ((fd = sys_walk_open(parent, name)) < 0)
		return -1;
	target = links < SYS_MAXLINKS ? sys_walk_link(fd, "") : NULL;
	close(fd);
	errno = e;
	if (!target)
		return -1;
	if (*target != '/')
		target = base_fmt("%.*s/%s",
		    (int)(strrchr(path, '/') ? strrchr(path, '/') - path : 0),
		    path, target);
	return sys_mkdirs(root, target, mode, links + 1);
}

/* An empty file at path inside root (mount point of a file), made with its
 * directories where it is missing, as O_PATH descriptor. */
static int
sys_mkfile(int root, const char *path, mode_t mode)
{
	CLOSEFD int parent = -1;
	char *name;
	int fd = sys_resolve(root, path, false);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	parent = sys_resolve_parent(root, path, &name);
	if (parent < 0 && errno == ENOENT)
		parent = sys_mkdirs(root,
		    base_dupn(path, (size_t)(strrchr(path, '/') - path)), 0755,
		    0);
	if (parent < 0)
		return -1;
	name = strrchr(base_dup(path), '/') + 1;
	fd = sys_open(
	    parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
	if (fd < 0 && errno != EEXIST)
		return -1;
	sys_close(&fd);
	return sys_open(parent, name, O_PATH | O_NOFOLLOW, 0);
}

/* ---- processes ---- */

/* Of /proc/PID/stat: the fields 3, 9 and 22. */
struct sys_stat {
	char state;
	uint64_t flags, start_time;
};

/* -1 when there is no such process. The fields are counted behind the last
 * ')': comm may hold anything (threat T60). */
static int
sys_read_stat(pid_t pid, struct sys_stat *st)
{
	char path[32], *s, *field;
	int i;

	snprintf(path, sizeof path, "%d/stat", (int)pid);
	if (pid <= 0 || !(s = sys_proc_read(path)) || !(s = strrchr(s, ')')))
		return -1;
	s++;
	for (i = 3; i <= 22; i++) {
		if (!(field = base_cut(&s, " \n")))
			return -1;
		if (i == 3)
			st->state = *field;
		if ((i == 9 &&
			base_number(field, UINT64_MAX, &st->flags) < 0) ||
		    (i == 22 &&
			base_number(field, UINT64_MAX, &st->start_time) < 0))
			return -1;
	}
	return 0;
}

/* Start time of a process in clock ticks since boot; with the pid it names one
 * process for ever. 0 when there is none, or when it is a zombie. */
static uint64_t
sys_start_time(pid_t pid)
{
	struct sys_stat st;

	if (sys_read_stat(pid, &st) < 0 || st.state == 'Z' || st.state == 'X')
		return 0;
	return st.start_time;
}

/* Was this child of ours, or of the process before us, killed before execve
 * came to its point of no return? Its descriptors are closed then just as by
 * execve. The kernel clears PF_FORKNOEXEC a moment before it closes them. start:
 * its start time, where the pid may be another's by now; else 0. */
static bool
sys_never_execed(pid_t pid, uint64_t start)
{
	struct sys_stat st;

	return sys_read_stat(pid, &st) == 0 &&
	       (!start || start == st.start_time) &&
	       (st.flags & PORT_PF_FORKNOEXEC);
}

/* Our effective uid, without a system call: the parent never changes it. */
static uid_t
sys_euid(void)
{
	return (uid_t)getauxval(AT_EUID);
}

/* Are we in a user namespace? The first one maps every id to itself. -1 and
 * errno when that cannot be read; a kernel without them has no such file. */
static int
sys_in_userns(void)
{
	char *map = sys_proc_read("self/uid_map"), *word;
	uint64_t size = 0;

	if (!map && errno != ENOENT && sys_proc() >= 0)
		return -1;
	while (map && (word = base_cut(&map, " \n")))
		if (*word)
			base_number(word, UINT32_MAX, &size);
	return size && size != UINT32_MAX;
}

static int
sys_pidfd_open(pid_t pid)
{
	return (int)syscall(__NR_pidfd_open, pid, 0);
}

/* Signal the process behind pidfd, or pid where pidfds are unknown (< 5.3):
 * then a tiny window for a recycled pid remains. */
static int
sys_signal(int pidfd, pid_t pid, int sig)
{
	if (pidfd >= 0) {
		if (syscall(__NR_pidfd_send_signal, pidfd, sig, NULL, 0) == 0)
			return 0;
		if (!sys_lacks(errno))
			return -1;
	}
	return kill(pid, sig);
}

/* A child in new namespaces (flags), or with CLONE_PARENT a sibling, whose end
 * is told to the parent as ours is. cgroup: a cgroup2 directory to be born in,
 * or -1. *in_cgroup says whether it was (Linux 5.7). Like fork(2). */
static pid_t
sys_clone(uint64_t flags, int cgroup, bool *in_cgroup)
{
	int told = flags & CLONE_PARENT ? 0 : SIGCHLD;
	struct port_clone_args a = { .flags = flags,
		.exit_signal = (uint64_t)told };
	long pid = -1;

	*in_cgroup = false;
	if (cgroup >= 0) {
		a.flags |= PORT_CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup;
		pid = syscall(__NR_clone3, &a, sizeof a);
		if (pid >= 0) {
			*in_cgroup = true;
			return (pid_t)pid;
		}
		a.flags = flags;
		a.cgroup = 0;
	}
	pid =
	    syscall(__NR_clone3, &a, offsetof(struct port_clone_args, set_tid));
	if (pid >= 0 || !sys_lacks(errno))
		return (pid_t)pid;
	return (pid_t)PORT_CLONE(flags | (uint64_t)told);
}

static pid_t
sys_waitpid(pid_t pid, int *status)
{
	pid_t r;

	do
		r = waitpid(pid, status, 0);
	while (r < 0 && errno == EINTR);
	return r;
}

/* The exit code a shell would show for a wait status. */
static int
sys_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Milliseconds of a clock that no one sets. */
static int64_t
sys_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
sys_pause(int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* Close every descriptor from first up; with cloexec set only mark them. */
static int
sys_close_from(unsigned first, bool cloexec)
{
	struct rlimit rl;
	struct dirent *d;
	uint64_t n;
	DIR *dir;
	int fd;

	if (syscall(__NR_close_range, first, ~0u,
		cloexec ? PORT_CLOSE_RANGE_CLOEXEC : 0) == 0)
		return 0;
	fd = sys_proc_open("self/fd", O_RDONLY | O_DIRECTORY);
	if (fd >= 0 && (dir = fdopendir(fd))) {
		while ((d = readdir(dir))) {
			if (base_number(d->d_name, INT_MAX, &n) < 0 ||
			    n < first || n == (uint64_t)fd)
				continue;
			if (cloexec)
				fcntl((int)n, F_SETFD, FD_CLOEXEC);
			else
				close((int)n);
		}
		closedir(dir);
		return 0;
	}
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return -1;
	for (n = first; n < rl.rlim_cur && n < 65536; n++)
		if (cloexec)
			fcntl((int)n, F_SETFD, FD_CLOEXEC);
		else
			close((int)n);
	return 0;
}

/* ---- descriptors over sockets ---- */

/* One message of n bytes, with fd in it unless that is -1. */
static int
sys_send(int sock, const void *buf, size_t n, int fd)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t)buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t r;

	memset(&ctl, 0, sizeof ctl);
	if (fd >= 0) {
		m.msg_control = &ctl;
		m.msg_controllen = sizeof ctl.space;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;
}

/* One message of at most n bytes; its length, 0 at end of file, -1 and errno.
 * *fd becomes the descriptor that came with it, or -1. */
static ssize_t
sys_recv(int sock, void *buf, size_t n, int *fd)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { buf, n };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof ctl.space };
	struct cmsghdr *c;
	ssize_t r;

	*fd = -1;
	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	c = r > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof *fd))
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	return r;
}

/* Connect to a stream socket by path. A path that does not fit into sun_path
 * goes through the descriptor of its directory, it is never cut (T54). */
static int
sys_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLOSEFD int dir = -1;
	int sock, e;
	const char *slash = strrchr(path, '/');
	char *s = base_dup(path);

	if (strlen(path) >= sizeof sa.sun_path && slash) {
		dir = sys_open(AT_FDCWD,
		    base_dupn(path, (size_t)(slash - path) + 1),
		    O_PATH | O_DIRECTORY, 0);
		if (dir < 0)
			return -1;
		s = base_fmt("/proc/self/fd/%d/%s", dir, slash + 1);
	}
	if (strlen(s) >= sizeof sa.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, s, strlen(s));
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock >= 0 && connect(sock, (struct sockaddr *)&sa, sizeof sa) < 0) {
		e = errno;
		close(sock);
		errno = e;
		return -1;
	}
	return sock;
}

/* ---- mounts by descriptor ---- */

static int
sys_open_tree(int fd, bool recursive)
{
	return (int)syscall(__NR_open_tree, fd, "",
	    PORT_OPEN_TREE_CLONE | AT_EMPTY_PATH | O_CLOEXEC |
		(recursive ? AT_RECURSIVE : 0));
}

static int
sys_move_mount(int from, int to)
{
	return (int)syscall(__NR_move_mount, from, "", to, "",
	    PORT_MOVE_F_EMPTY_PATH | PORT_MOVE_T_EMPTY_PATH);
}

static int
sys_mount_setattr(
    int fd, bool recursive, uint64_t set, uint64_t clr, uint64_t propagation)
{
	struct port_mount_attr a = {
		.attr_set = set, .attr_clr = clr, .propagation = propagation
	};

	return (int)syscall(__NR_mount_setattr, fd, "",
	    AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof a);
}

/* Ids of the mount behind fd become those of the user namespace: Linux 5.12,
 * and the file system must know how. */
static int
sys_mount_idmap(int fd, bool recursive, int userns)
{
	struct port_mount_attr a = { .attr_set = PORT_ATTR_IDMAP,
		.userns_fd = (uint64_t)userns };

	return (int)syscall(__NR_mount_setattr, fd, "",
	    AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof a);
}

/* == 5 TAB ============================================ tab_ ==== [rows]
 * Owns:   every word of the runtime spec that stands for a number.
 * Calls:  BASE.
 * Runs:   parent and child.
 * Change: add a row. Rows are in the order of the kernel header or the spec.
 *         Numbers that are one on all architectures are written out.
 */
struct word {
	const char *name;
	uint64_t value;
};

/* clang-format off */

/* capabilities(7); linux/capability.h */
static const struct word tab_cap[] = {
	{ "CAP_CHOWN",               0 },
	{ "CAP_DAC_OVERRIDE",        1 },
	{ "CAP_DAC_READ_SEARCH",     2 },
	{ "CAP_FOWNER",              3 },
	{ "CAP_FSETID",              4 },
	{ "CAP_KILL",                5 },
	{ "CAP_SETGID",              6 },
	{ "CAP_SETUID",              7 },
	{ "CAP_SETPCAP",             8 },
	{ "CAP_LINUX_IMMUTABLE",     9 },
	{ "CAP_NET_BIND_SERVICE",   10 },
	{ "CAP_NET_BROADCAST",      11 },
	{ "CAP_NET_ADMIN",          12 },
	{ "CAP_NET_RAW",            13 },
	{ "CAP_IPC_LOCK",           14 },
	{ "CAP_IPC_OWNER",          15 },
	{ "CAP_SYS_MODULE",         16 },
	{ "CAP_SYS_RAWIO",          17 },
	{ "CAP_SYS_CHROOT",         18 },
	{ "CAP_SYS_PTRACE",         19 },
	{ "CAP_SYS_PACCT",          20 },
	{ "CAP_SYS_ADMIN",          21 },
	{ "CAP_SYS_BOOT",           22 },
	{ "CAP_SYS_NICE",           23 },
	{ "CAP_SYS_RESOURCE",       24 },
	{ "CAP_SYS_TIME",           25 },
	{ "CAP_SYS_TTY_CONFIG",     26 },
	{ "CAP_MKNOD",              27 },
	{ "CAP_LEASE",              28 },
	{ "CAP_AUDIT_WRITE",        29 },
	{ "CAP_AUDIT_CONTROL",      30 },
	{ "CAP_SETFCAP",            31 },
	{ "CAP_MAC_OVERRIDE",       32 },
	{ "CAP_MAC_ADMIN",          33 },
	{ "CAP_SYSLOG",             34 },
	{ "CAP_WAKE_ALARM",         35 },
	{ "CAP_BLOCK_SUSPEND",      36 },
	{ "CAP_AUDIT_READ",         37 },
	{ "CAP_PERFMON",            38 },
	{ "CAP_BPF",                39 },
	{ "CAP_CHECKPOINT_RESTORE", 40 },
};
#define TAB_CAP_MKNOD 27

/* getrlimit(2); the numbers differ between architectures */
static const struct word tab_rlimit[] = {
	{ "RLIMIT_CPU",        RLIMIT_CPU        },
	{ "RLIMIT_FSIZE",      RLIMIT_FSIZE      },
	{ "RLIMIT_DATA",       RLIMIT_DATA       },
	{ "RLIMIT_STACK",      RLIMIT_STACK      },
	{ "RLIMIT_CORE",       RLIMIT_CORE       },
	{ "RLIMIT_RSS",        RLIMIT_RSS        },
	{ "RLIMIT_NPROC",      RLIMIT_NPROC      },
	{ "RLIMIT_NOFILE",     RLIMIT_NOFILE     },
	{ "RLIMIT_MEMLOCK",    RLIMIT_MEMLOCK    },
	{ "RLIMIT_AS",         RLIMIT_AS         },
	{ "RLIMIT_LOCKS",      RLIMIT_LOCKS      },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_MSGQUEUE",   RLIMIT_MSGQUEUE   },
	{ "RLIMIT_NICE",       RLIMIT_NICE       },
	{ "RLIMIT_RTPRIO",     RLIMIT_RTPRIO     },
	{ "RLIMIT_RTTIME",     RLIMIT_RTTIME     },
};

/* signal(7) without "SIG"; RTMIN+n is arithmetic and done by tab_signal_of.
 * RTMIN is 34 as glibc and the engines have it, whatever musl says. */
#define TAB_RTMIN 34
#define TAB_RTMAX 64

static const struct word tab_signal[] = {
	{ "HUP",    SIGHUP    }, { "INT",    SIGINT    },
	{ "QUIT",   SIGQUIT   }, { "ILL",    SIGILL    },
	{ "TRAP",   SIGTRAP   }, { "ABRT",   SIGABRT   },
	{ "IOT",    SIGIOT    }, { "BUS",    SIGBUS    },
	{ "FPE",    SIGFPE    }, { "KILL",   SIGKILL   },
	{ "USR1",   SIGUSR1   }, { "SEGV",   SIGSEGV   },
	{ "USR2",   SIGUSR2   }, { "PIPE",   SIGPIPE   },
	{ "ALRM",   SIGALRM   }, { "TERM",   SIGTERM   },
	{ "CHLD",   SIGCHLD   }, { "CONT",   SIGCONT   },
	{ "STOP",   SIGSTOP   }, { "TSTP",   SIGTSTP   },
	{ "TTIN",   SIGTTIN   }, { "TTOU",   SIGTTOU   },
	{ "URG",    SIGURG    }, { "XCPU",   SIGXCPU   },
	{ "XFSZ",   SIGXFSZ   }, { "VTALRM", SIGVTALRM },
	{ "PROF",   SIGPROF   }, { "WINCH",  SIGWINCH  },
	{ "IO",     SIGIO     }, { "POLL",   SIGPOLL   },
	{ "PWR",    SIGPWR    }, { "SYS",    SIGSYS    },
	{ "STKFLT", SIGSTKFLT },
};

/* Namespaces. file: below /proc/PID/ns. flag: of clone(2). */
enum tab_ns_index { NS_PID, NS_NET, NS_MNT, NS_IPC, NS_UTS, NS_USER,
	NS_CGROUP, NS_TIME, NS_COUNT };

static const struct tab_ns {
	const char *name, *file;
	unsigned flag;
	const char *config; /* the kernel option that brings it */
} tab_ns[NS_COUNT] = {
	[NS_PID]    = { "pid",     "pid",    0x20000000, "CONFIG_PID_NS"  },
	[NS_NET]    = { "network", "net",    0x40000000, "CONFIG_NET_NS"  },
	[NS_MNT]    = { "mount",   "mnt",    0x00020000, "CONFIG_NAMESPACES" },
	[NS_IPC]    = { "ipc",     "ipc",    0x08000000, "CONFIG_IPC_NS"  },
	[NS_UTS]    = { "uts",     "uts",    0x04000000, "CONFIG_UTS_NS"  },
	[NS_USER]   = { "user",    "user",   0x10000000, "CONFIG_USER_NS" },
	[NS_CGROUP] = { "cgroup",  "cgroup", 0x02000000, "CONFIG_CGROUPS, Linux 4.6" },
	[NS_TIME]   = { "time",    "time",   0x00000080, "CONFIG_TIME_NS, Linux 5.6" },
};

/* Mount options, runtime-spec config.md "Linux mount options". set and clear
 * are MS_ flags of mount(2) in MO_FLAG and MO_PROP rows, MOUNT_ATTR_ bits of
 * mount_setattr(2) in MO_REC rows. */
enum tab_mo_kind { MO_FLAG, MO_PROP, MO_REC, MO_IDMAP, MO_TMPCOPYUP };

static const struct tab_mntopt {
	const char *name;
	enum tab_mo_kind kind;
	uint64_t set, clear;
} tab_mntopt[] = {
	{ "async",         MO_FLAG, 0,                  MS_SYNCHRONOUS     },
	{ "atime",         MO_FLAG, 0,                  MS_NOATIME         },
	{ "bind",          MO_FLAG, MS_BIND,            0                  },
	{ "defaults",      MO_FLAG, 0,                  0                  },
	{ "dev",           MO_FLAG, 0,                  MS_NODEV           },
	{ "diratime",      MO_FLAG, 0,                  MS_NODIRATIME      },
	{ "dirsync",       MO_FLAG, MS_DIRSYNC,         0                  },
	{ "exec",          MO_FLAG, 0,                  MS_NOEXEC          },
	{ "idmap",         MO_IDMAP, 0,                 0                  },
	{ "iversion",      MO_FLAG, MS_I_VERSION,       0                  },
	{ "lazytime",      MO_FLAG, MS_LAZYTIME,        0                  },
	{ "loud",          MO_FLAG, 0,                  MS_SILENT          },
	{ "mand",          MO_FLAG, MS_MANDLOCK,        0                  },
	{ "noatime",       MO_FLAG, MS_NOATIME,         0                  },
	{ "nodev",         MO_FLAG, MS_NODEV,           0                  },
	{ "nodiratime",    MO_FLAG, MS_NODIRATIME,      0                  },
	{ "noexec",        MO_FLAG, MS_NOEXEC,          0                  },
	{ "noiversion",    MO_FLAG, 0,                  MS_I_VERSION       },
	{ "nolazytime",    MO_FLAG, 0,                  MS_LAZYTIME        },
	{ "nomand",        MO_FLAG, 0,                  MS_MANDLOCK        },
	{ "norelatime",    MO_FLAG, 0,                  MS_RELATIME        },
	{ "nostrictatime", MO_FLAG, 0,                  MS_STRICTATIME     },
	{ "nosuid",        MO_FLAG, MS_NOSUID,          0                  },
	{ "nosymfollow",   MO_FLAG, PORT_MS_NOSYMFOLLOW, 0                 },
	{ "private",       MO_PROP, MS_PRIVATE,         0                  },
	{ "ratime",        MO_REC,  0,                  PORT_ATTR_ATIME    },
	{ "rbind",         MO_FLAG, MS_BIND | MS_REC,   0                  },
	{ "rdev",          MO_REC,  0,                  PORT_ATTR_NODEV    },
	{ "rdiratime",     MO_REC,  0,                  PORT_ATTR_NODIRATIME },
	{ "relatime",      MO_FLAG, MS_RELATIME,        0                  },
	{ "remount",       MO_FLAG, MS_REMOUNT,         0                  },
	{ "rexec",         MO_REC,  0,                  PORT_ATTR_NOEXEC   },
	{ "ridmap",        MO_IDMAP, MS_REC,            0                  },
	{ "rnoatime",      MO_REC,  PORT_ATTR_NOATIME,  PORT_ATTR_ATIME    },
	{ "rnodev",        MO_REC,  PORT_ATTR_NODEV,    0                  },
	{ "rnodiratime",   MO_REC,  PORT_ATTR_NODIRATIME, 0                },
	{ "rnoexec",       MO_REC,  PORT_ATTR_NOEXEC,   0                  },
	{ "rnorelatime",   MO_REC,  0,                  PORT_ATTR_ATIME    },
	{ "rnostrictatime", MO_REC, 0,                  PORT_ATTR_ATIME    },
	{ "rnosuid",       MO_REC,  PORT_ATTR_NOSUID,   0                  },
	{ "rnosymfollow",  MO_REC,  PORT_ATTR_NOSYMFOLLOW, 0               },
	{ "ro",            MO_FLAG, MS_RDONLY,          0                  },
	{ "rprivate",      MO_PROP, MS_PRIVATE | MS_REC, 0                 },
	{ "rrelatime",     MO_REC,  0,                  PORT_ATTR_ATIME    },
	{ "rro",           MO_REC,  PORT_ATTR_RDONLY,   0                  },
	{ "rrw",           MO_REC,  0,                  PORT_ATTR_RDONLY   },
	{ "rshared",       MO_PROP, MS_SHARED | MS_REC, 0                  },
	{ "rslave",        MO_PROP, MS_SLAVE | MS_REC,  0                  },
	{ "rstrictatime",  MO_REC,  PORT_ATTR_STRICTATIME, PORT_ATTR_ATIME },
	{ "rsuid",         MO_REC,  0,                  PORT_ATTR_NOSUID   },
	{ "rsymfollow",    MO_REC,  0,                  PORT_ATTR_NOSYMFOLLOW },
	{ "runbindable",   MO_PROP, MS_UNBINDABLE | MS_REC, 0              },
	{ "rw",            MO_FLAG, 0,                  MS_RDONLY          },
	{ "shared",        MO_PROP, MS_SHARED,          0                  },
	{ "silent",        MO_FLAG, MS_SILENT,          0                  },
	{ "slave",         MO_PROP, MS_SLAVE,           0                  },
	{ "strictatime",   MO_FLAG, MS_STRICTATIME,     0                  },
	{ "suid",          MO_FLAG, 0,                  MS_NOSUID          },
	{ "symfollow",     MO_FLAG, 0,                  PORT_MS_NOSYMFOLLOW },
	{ "sync",          MO_FLAG, MS_SYNCHRONOUS,     0                  },
	{ "tmpcopyup",     MO_TMPCOPYUP, 0,             0                  },
	{ "unbindable",    MO_PROP, MS_UNBINDABLE,      0                  },
};

/* The same per-mount flags in the words of mount(2), mount_setattr(2) and
 * statfs(2) (ST_ values: what a mount has now). */
static const struct tab_mntflag {
	const char *name;
	unsigned long ms;
	uint64_t attr;
	long st;
} tab_mntflag[] = {
	{ "ro",          MS_RDONLY,           PORT_ATTR_RDONLY,      0x0001 },
	{ "nosuid",      MS_NOSUID,           PORT_ATTR_NOSUID,      0x0002 },
	{ "nodev",       MS_NODEV,            PORT_ATTR_NODEV,       0x0004 },
	{ "noexec",      MS_NOEXEC,           PORT_ATTR_NOEXEC,      0x0008 },
	{ "noatime",     MS_NOATIME,          PORT_ATTR_NOATIME,     0x0400 },
	{ "nodiratime",  MS_NODIRATIME,       PORT_ATTR_NODIRATIME,  0x0800 },
	{ "relatime",    MS_RELATIME,         0,                     0x1000 },
	{ "strictatime", MS_STRICTATIME,      PORT_ATTR_STRICTATIME, 0      },
	{ "nosymfollow", PORT_MS_NOSYMFOLLOW, PORT_ATTR_NOSYMFOLLOW, 0x2000 },
};

/* Flags of a file system that only mount(2) of a new one can set. */
static const struct word tab_fsflag[] = {
	{ "sync",     MS_SYNCHRONOUS }, { "dirsync",  MS_DIRSYNC   },
	{ "mand",     MS_MANDLOCK    }, { "silent",   MS_SILENT    },
	{ "lazytime", MS_LAZYTIME    }, { "iversion", MS_I_VERSION },
};

static const struct word tab_propagation[] = {
	{ "private",    MS_PRIVATE    }, { "rprivate",    MS_PRIVATE | MS_REC    },
	{ "shared",     MS_SHARED     }, { "rshared",     MS_SHARED | MS_REC     },
	{ "slave",      MS_SLAVE      }, { "rslave",      MS_SLAVE | MS_REC      },
	{ "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
};

/* Devices every container gets, runtime-spec config-linux.md "Default
 * devices"; mode 0666, root. */
static const struct tab_dev {
	const char *path;
	unsigned major, minor;
} tab_dev[] = {
	{ "/dev/null",    1, 3 },
	{ "/dev/zero",    1, 5 },
	{ "/dev/full",    1, 7 },
	{ "/dev/random",  1, 8 },
	{ "/dev/urandom", 1, 9 },
	{ "/dev/tty",     5, 0 },
};

/* Links every container gets, runtime-spec config-linux.md "Dev symbolic
 * links". core only where the kernel has a kcore. */
static const struct tab_link {
	const char *path, *target;
} tab_link[] = {
	{ "/dev/fd",     "/proc/self/fd"   },
	{ "/dev/stdin",  "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
	{ "/dev/core",   "/proc/kcore"     },
};

static const struct word tab_devtype[] = {
	{ "c", S_IFCHR }, { "u", S_IFCHR }, { "b", S_IFBLK }, { "p", S_IFIFO },
};

/* Hooks in the order of their moments, config.md "POSIX-platform Hooks". */
enum tab_hook_index { HOOK_PRESTART, HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER, HOOK_START_CONTAINER, HOOK_POSTSTART,
	HOOK_POSTSTOP, HOOK_COUNT };

static const char *const tab_hook[HOOK_COUNT] = {
	[HOOK_PRESTART]         = "prestart",
	[HOOK_CREATE_RUNTIME]   = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer",
	[HOOK_START_CONTAINER]  = "startContainer",
	[HOOK_POSTSTART]        = "poststart",
	[HOOK_POSTSTOP]         = "poststop",
};

/* process.scheduler, linux/sched.h and linux/sched/types.h */
#define TAB_SCHED_OTHER    0
#define TAB_SCHED_FIFO     1
#define TAB_SCHED_RR       2
#define TAB_SCHED_BATCH    3
#define TAB_SCHED_DEADLINE 6
#define TAB_SCHED_KEEP_PARAMS 0x10
#define TAB_SCHED_UTIL_CLAMP  0x60

static const struct word tab_sched[] = {
	{ "SCHED_OTHER",    TAB_SCHED_OTHER    },
	{ "SCHED_FIFO",     TAB_SCHED_FIFO     },
	{ "SCHED_RR",       TAB_SCHED_RR       },
	{ "SCHED_BATCH",    TAB_SCHED_BATCH    },
	{ "SCHED_ISO",      4                  },
	{ "SCHED_IDLE",     5                  },
	{ "SCHED_DEADLINE", TAB_SCHED_DEADLINE },
};

static const struct word tab_schedflag[] = {
	{ "SCHED_FLAG_RESET_ON_FORK",  0x01 },
	{ "SCHED_FLAG_RECLAIM",        0x02 },
	{ "SCHED_FLAG_DL_OVERRUN",     0x04 },
	{ "SCHED_FLAG_KEEP_POLICY",    0x08 },
	{ "SCHED_FLAG_KEEP_PARAMS",    TAB_SCHED_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
};

/* process.ioPriority, linux/ioprio.h */
static const struct word tab_ioprio[] = {
	{ "IOPRIO_CLASS_RT",   1 },
	{ "IOPRIO_CLASS_BE",   2 },
	{ "IOPRIO_CLASS_IDLE", 3 },
};

/* linux.personality, linux/personality.h */
static const struct word tab_personality[] = {
	{ "LINUX",   0x0000 },
	{ "LINUX32", 0x0008 },
};

/* linux.memoryPolicy, linux/mempolicy.h; in the order of "ocirt features".
 * Bits 1 << mode: which modes need a list of nodes, which cannot have one. */
#define TAB_MPOL_NEEDS_NODES (1 << 2 | 1 << 3 | 1 << 5 | 1 << 6)
#define TAB_MPOL_NO_NODES    (1 << 0 | 1 << 4)

static const struct word tab_mpol[] = {
	{ "MPOL_BIND",                2 },
	{ "MPOL_DEFAULT",             0 },
	{ "MPOL_INTERLEAVE",          3 },
	{ "MPOL_LOCAL",               4 },
	{ "MPOL_PREFERRED",           1 },
	{ "MPOL_PREFERRED_MANY",      5 },
	{ "MPOL_WEIGHTED_INTERLEAVE", 6 },
};

static const struct word tab_mpolflag[] = {
	{ "MPOL_F_NUMA_BALANCING", 1 << 13 },
	{ "MPOL_F_RELATIVE_NODES", 1 << 14 },
	{ "MPOL_F_STATIC_NODES",   1 << 15 },
};

/* sysctls that belong to a namespace (threat T36): a prefix ending in '.' or
 * a whole key, and the namespace that must be the container's own. */
static const struct tab_sysctl {
	const char *key;
	enum tab_ns_index ns;
} tab_sysctl[] = {
	{ "kernel.msgmax",          NS_IPC },
	{ "kernel.msgmnb",          NS_IPC },
	{ "kernel.msgmni",          NS_IPC },
	{ "kernel.sem",             NS_IPC },
	{ "kernel.shmall",          NS_IPC },
	{ "kernel.shmmax",          NS_IPC },
	{ "kernel.shmmni",          NS_IPC },
	{ "kernel.shm_rmid_forced", NS_IPC },
	{ "fs.mqueue.",             NS_IPC },
	{ "net.",                   NS_NET },
	{ "kernel.domainname",      NS_UTS },
	{ "user.",                  NS_USER },
};

/* Files under /proc that may be mounted over (lxcfs and the like). */
static const char *const tab_procfile[] = {
	"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat",
	"/proc/swaps", "/proc/uptime", "/proc/loadavg", "/proc/slabinfo",
	"/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
};
/* clang-format on */

/* Value of a word through *v; -1 when the table does not know it. */
static int
tab_find(const struct word *t, size_t n, const char *name, uint64_t *v)
{
	for (; n--; t++) {
		if (!strcmp(t->name, name)) {
			*v = t->value;
			return 0;
		}
	}
	return -1;
}

/* The word of a value; "?" when the table has none. */
static const char *
tab_word(const struct word *t, size_t n, uint64_t value)
{
	for (; n--; t++)
		if (t->value == value)
			return t->name;
	return "?";
}

/* Signal number of "9", "KILL", "SIGKILL", "rtmin+3"; -1 when unknown. */
static int
tab_signal_of(const char *s)
{
	uint64_t n;
	size_t i;

	if (base_number(s, TAB_RTMAX, &n) == 0)
		return (int)n;
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	for (i = 0; i < LEN(tab_signal); i++)
		if (!strcasecmp(tab_signal[i].name, s))
			return (int)tab_signal[i].value;
	if (!strncasecmp(s, "RTMIN", 5)) {
		if (!s[5])
			return TAB_RTMIN;
		if (s[5] == '+' && base_number(s + 6, 30, &n) == 0 &&
		    TAB_RTMIN + (int)n <= TAB_RTMAX)
			return TAB_RTMIN + (int)n;
	}
	if (!strncasecmp(s, "RTMAX", 5)) {
		if (!s[5])
			return TAB_RTMAX;
		if (s[5] == '-' && base_number(s + 6, 30, &n) == 0)
			return TAB_RTMAX - (int)n;
	}
	return -1;
}

/* == 6 JSON ============================================ json_ ==== [pure]
 * Owns:   reading and writing JSON. jsmn splits text into tokens but accepts
 *         much that is no JSON, so json_validate() goes first.
 * Calls:  BASE ERR. No system calls.
 * Runs:   parent. Input is hostile: a bundle may come from anywhere.
 * Change: an error is one line: file:line:column: path: expected, found.
 *         Columns count bytes from 1.
 */
#define JSON_MAX_SIZE ((size_t)16 << 20)
#define JSON_MAX_DEPTH 64
#define JSON_MAX_TOKENS 1000000u

struct json {
	const char *file; /* for messages */
	char *text;       /* strings in here are decoded in place */
	size_t len;
	jsmntok_t *tok;
	int ntok;
	const char *raw;              /* the text as it was, for positions */
	const struct json_from *from; /* of a text that was made from others */
	size_t nfrom;
};

/* From this byte on a text came from a value of another document. */
struct json_from {
	size_t at;
	const struct json *of;
	int tok;
};

/* Where a token begins. */
static size_t
json_at(const struct json *j, int i)
{
	return (size_t)(j->tok[i].start - (j->tok[i].type == JSMN_STRING));
}

/* Where a byte came from; NULL when it stands in the user's own file. */
static const struct json_from *
json_origin(const struct json *j, size_t at)
{
	size_t n = j->nfrom;

	while (n > 1 && j->from[n - 1].at > at)
		n--;
	return n ? &j->from[n - 1] : NULL;
}

/* "file:line:column" of a byte. */
static char *
json_where(const struct json *j, size_t at)
{
	const struct json_from *f = json_origin(j, at);
	size_t i, line = 1, col = 1;

	if (f) {
		at = json_at(f->of, f->tok);
		j = f->of;
	}
	for (i = 0; i < at && i < j->len; i++, col++)
		if (j->raw[i] == '\n')
			line++, col = 0;
	return base_fmt("%s:%zu:%zu", j->file, line, col);
}

NORETURN static void
json_bad(const struct json *j, size_t at, const char *expected)
{
	unsigned char c = at < j->len ? (unsigned char)j->text[at] : 0;

	if (at >= j->len)
		err_die("%s: expected %s, found the end of the file",
		    json_where(j, at), expected);
	if (c == '/' && at + 1 < j->len && strchr("/*", j->text[at + 1]))
		err_die("%s: expected %s, found '/' (hint: JSON has no "
			"comments)",
		    json_where(j, at), expected);
	if (c > 0x20 && c < 127)
		err_die("%s: expected %s, found '%c'", json_where(j, at),
		    expected, c);
	err_die("%s: expected %s, found byte 0x%02x", json_where(j, at),
	    expected, c);
}

/* Four hex digits at s[at..], the code unit they name. */
static unsigned
json_hex4(const struct json *j, size_t at)
{
	unsigned v = 0, i, c;

	for (i = 0; i < 4; i++, at++) {
		c = at < j->len ? (unsigned char)j->text[at] : 0;
		if (c >= '0' && c <= '9')
			v = v * 16 + (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + ((c | 32) - 'a' + 10);
		else
			json_bad(j, at, "a hexadecimal digit");
	}
	return v;
}

/* Check the escape whose backslash is at; the offset behind it. */
static size_t
json_check_escape(const struct json *j, size_t at)
{
	unsigned u;

	at++;
	if (at < j->len && j->text[at] && strchr("\"\\/bfnrt", j->text[at]))
		return at + 1;
	if (at >= j->len || j->text[at] != 'u')
		json_bad(j, at, "an escape sequence");
	u = json_hex4(j, at + 1);
	if (u == 0)
		err_die("%s: \\u0000 in a string: it would end there",
		    json_where(j, at - 1));
	if (u >= 0xdc00 && u <= 0xdfff)
		err_die("%s: a low surrogate without its high one",
		    json_where(j, at - 1));
	if (u < 0xd800 || u > 0xdbff)
		return at + 5;
	if (at + 6 >= j->len || j->text[at + 5] != '\\' ||
	    j->text[at + 6] != 'u' || (json_hex4(j, at + 7) & 0xfc00) != 0xdc00)
		err_die("%s: a high surrogate without its low one",
		    json_where(j, at - 1));
	return at + 11;
}

/* Check the string whose opening quote is at; the offset behind it. */
static size_t
json_check_string(const struct json *j, size_t at)
{
	size_t n;

	for (at++; at < j->len && j->text[at] != '"';) {
		if ((unsigned char)j->text[at] < 0x20)
			json_bad(j, at, "a character of a string");
		if (j->text[at] == '\\') {
			at = json_check_escape(j, at);
			continue;
		}
		n = base_utf8(j->text + at, j->len - at);
		if (!n)
			json_bad(j, at, "UTF-8");
		at += n;
	}
	if (at >= j->len)
		json_bad(j, at, "'\"'");
	return at + 1;
}

static size_t
json_check_digits(const struct json *j, size_t at)
{
	size_t from = at;

	while (at < j->len && j->text[at] >= '0' && j->text[at] <= '9')
		at++;
	if (at == from)
		json_bad(j, at, "a digit");
	return at;
}

/* RFC 8259 section 6. */
static size_t
json_check_number(const struct json *j, size_t at)
{
	if (j->text[at] == '-')
		at++;
	if (at < j->len && j->text[at] == '0')
		at++;
	else
		at = json_check_digits(j, at);
	if (at < j->len && j->text[at] == '.')
		at = json_check_digits(j, at + 1);
	if (at < j->len && (j->text[at] | 32) == 'e') {
		at++;
		if (at < j->len && (j->text[at] == '+' || j->text[at] == '-'))
			at++;
		at = json_check_digits(j, at);
	}
	return at;
}

/* A string, number or literal at; the offset behind it. */
static size_t
json_check_scalar(const struct json *j, size_t at)
{
	static const char *const literal[] = { "true", "false", "null" };
	size_t i, n;

	if (at < j->len && j->text[at] == '"')
		return json_check_string(j, at);
	if (at < j->len &&
	    (j->text[at] == '-' || (j->text[at] >= '0' && j->text[at] <= '9')))
		return json_check_number(j, at);
	for (i = 0; i < LEN(literal); i++) {
		n = strlen(literal[i]);
		if (j->len - at >= n && !memcmp(j->text + at, literal[i], n))
			return at + n;
	}
	json_bad(j, at, "a value");
}

/* What the grammar allows next. */
enum json_want {
	J_VALUE,
	J_VALUE_OR_END,
	J_KEY,
	J_KEY_OR_END,
	J_COLON,
	J_COMMA,
	J_NOTHING
};

/* The text is one JSON value (RFC 8259, any value: RFC 7493 is about more),
 * in UTF-8, at most JSON_MAX_DEPTH deep. Returns how many tokens jsmn will
 * find. No recursion: bit d of objects says that level d is an object. */
static unsigned
json_validate(const struct json *j)
{
	uint64_t objects = 0;
	enum json_want want = J_VALUE;
	unsigned depth = 0, tokens = 0;
	size_t at = 0;
	bool obj;
	char c;

	for (;; at++) {
		while (at < j->len && j->text[at] &&
		       strchr(" \t\n\r", j->text[at]))
			at++;
		if (at >= j->len && want == J_NOTHING)
			return tokens;
		c = at < j->len ? j->text[at] : 0;
		obj = depth && (objects >> (depth - 1) & 1);
		if (want == J_NOTHING) {
			json_bad(j, at, "nothing more");
		} else if (want == J_COLON) {
			if (c != ':')
				json_bad(j, at, "':'");
			want = J_VALUE;
		} else if (c == (obj ? '}' : ']') && depth &&
			   (want == J_COMMA || want == J_VALUE_OR_END ||
			       want == J_KEY_OR_END)) {
			want = --depth ? J_COMMA : J_NOTHING;
		} else if (want == J_COMMA) {
			if (c != ',')
				json_bad(
				    j, at, obj ? "',' or '}'" : "',' or ']'");
			want = obj ? J_KEY : J_VALUE;
		} else if (want == J_KEY || want == J_KEY_OR_END) {
			if (c != '"')
				json_bad(j, at,
				    want == J_KEY ? "a key in quotes" :
						    "a key in quotes or '}'");
			at = json_check_string(j, at) - 1;
			want = J_COLON;
			tokens++;
		} else if (c == '{' || c == '[') {
			if (depth == JSON_MAX_DEPTH)
				err_die("%s: nested more than %d deep",
				    json_where(j, at), JSON_MAX_DEPTH);
			objects &= ~((uint64_t)1 << depth);
			objects |= (uint64_t)(c == '{') << depth++;
			want = c == '{' ? J_KEY_OR_END : J_VALUE_OR_END;
			tokens++;
		} else {
			at = json_check_scalar(j, at) - 1;
			want = depth ? J_COMMA : J_NOTHING;
			tokens++;
		}
		if (tokens > JSON_MAX_TOKENS)
			err_die("%s: more than %u values", j->file,
			    JSON_MAX_TOKENS);
	}
}

static size_t
json_put_utf8(char *to, unsigned u)
{
	if (u < 0x80) {
		to[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		to[0] = (char)(0xc0 | u >> 6);
		to[1] = (char)(0x80 | (u & 0x3f));
		return 2;
	}
	if (u < 0x10000) {
		to[0] = (char)(0xe0 | u >> 12);
		to[1] = (char)(0x80 | (u >> 6 & 0x3f));
		to[2] = (char)(0x80 | (u & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | u >> 18);
	to[1] = (char)(0x80 | (u >> 12 & 0x3f));
	to[2] = (char)(0x80 | (u >> 6 & 0x3f));
	to[3] = (char)(0x80 | (u & 0x3f));
	return 4;
}

/* Replace the escapes of a validated string token by what they stand for and
 * end it with a NUL, in place: decoded text is never longer. */
static void
json_decode(struct json *j, jsmntok_t *t)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t in = (size_t)t->start, out = in, end = (size_t)t->end;
	unsigned u;

	while (in < end) {
		if (j->text[in] != '\\') {
			j->text[out++] = j->text[in++];
			continue;
		}
		if (j->text[in + 1] != 'u') {
			j->text[out++] =
			    to[strchr(from, j->text[in + 1]) - from];
			in += 2;
			continue;
		}
		u = json_hex4(j, in + 2);
		in += 6;
		if (u >= 0xd800 && u <= 0xdbff) {
			u = 0x10000 + ((u - 0xd800) << 10) +
			    (json_hex4(j, in + 2) - 0xdc00);
			in += 6;
		}
		out += json_put_utf8(j->text + out, u);
	}
	j->text[out] = 0;
	t->end = (int)out;
}

static const char *
json_text(const struct json *j, int i)
{
	return j->text + j->tok[i].start;
}

static bool
json_is_key(const struct json *j, int i)
{
	int p = j->tok[i].parent;

	return p >= 0 && j->tok[p].type == JSMN_OBJECT;
}

/* "process.user.uid" of a token: its keys and indices from the top. */
static char *
json_path(const struct json *j, int i)
{
	char *path = base_dup("");
	int p, k, n;

	for (; i > 0; i = p) {
		p = j->tok[i].parent;
		if (json_is_key(j, i)) {
			path = base_fmt("%.200s%s%s", json_text(j, i),
			    *path && *path != '[' ? "." : "", path);
		} else if (p >= 0 && j->tok[p].type == JSMN_ARRAY) {
			for (n = 0, k = p + 1; k < i; k++)
				n += j->tok[k].parent == p;
			path = base_fmt("[%d]%s%s", n,
			    *path && *path != '[' ? "." : "", path);
		}
	}
	return path;
}

/* Die of the value at token i: "file:line:column: path: message". */
NORETURN PRINTF(3, 4)
static void
json_die(const struct json *j, int i, const char *fmt, ...)
{
	const struct json_from *f = json_origin(j, json_at(j, i));
	struct text t = { 0 };
	va_list ap;
	bool key = json_is_key(j, i);
	char *path;

	if (f) {
		j = f->of;
		i = f->tok - (key && f->tok && json_is_key(j, f->tok - 1));
	}
	path = json_path(j, i);
	va_start(ap, fmt);
	base_vputf(&t, fmt, ap);
	va_end(ap);
	err_die("%s: %s%s%s", json_where(j, json_at(j, i)), path,
	    *path ? ": " : "", t.p);
}

/* No object has one key twice, compared as decoded (threat T69: two readers
 * of one file must not see two things). */
static void
json_refuse_duplicates(const struct json *j)
{
	struct base_set set;
	size_t *seen;
	int i;

	base_set_init(&set, (size_t)j->ntok);
	for (i = 1; i < j->ntok; i++) {
		if (!json_is_key(j, i))
			continue;
		seen = base_set_at(&set, (uint64_t)j->tok[i].parent,
		    json_text(j, i), strlen(json_text(j, i)));
		if (*seen)
			json_die(j, i, "duplicate key");
		*seen = 1;
	}
}

/* Make text a token tree. Dies of whatever is not JSON. text must be writable
 * and stays in use. Any top-level value is taken: the caller looks at it. from
 * says where the text came from, NULL when it is the file's own. */
static void
json_parse_from(struct json *j, const char *file, char *text, size_t len,
    const struct text *from)
{
	unsigned n;
	jsmn_parser p;
	int i;

	memset(j, 0, sizeof *j);
	if (from) {
		j->from = (const struct json_from *)(const void *)from->p;
		j->nfrom = from->n / sizeof *j->from;
	}
	j->file = file;
	j->text = text;
	j->raw = text;
	j->len = len;
	if (len > JSON_MAX_SIZE)
		err_die("%s: larger than %zu MiB", file, JSON_MAX_SIZE >> 20);
	if (memchr(text, 0, len))
		err_die(
		    "%s: a NUL byte in the text", json_where(j, strlen(text)));
	n = json_validate(j);
	j->tok = base_array(n, sizeof *j->tok);
	jsmn_init(&p);
	j->ntok = jsmn_parse(&p, text, len, j->tok, n);
	/* Strict jsmn wants a delimiter behind a lone top-level scalar. */
	if (j->ntok != (int)n) {
		if (n != 1)
			err_die("%s: internal: %u values, jsmn found %d", file,
			    n, j->ntok);
		j->ntok = 1;
		j->tok[0].type = JSMN_PRIMITIVE;
		j->tok[0].parent = -1;
		return;
	}
	if (memchr(text, '\\', len))
		j->raw = base_dupn(text, len);
	for (i = 0; i < j->ntok; i++)
		if (j->tok[i].type == JSMN_STRING)
			json_decode(j, &j->tok[i]);
	json_refuse_duplicates(j);
}

static void
json_parse(struct json *j, const char *file, char *text, size_t len)
{
	json_parse_from(j, file, text, len, NULL);
}

/* ---- looking up ---- */

/* The token behind i and everything in it. */
static int
json_next(const struct json *j, int i)
{
	int end = j->tok[i].end, k = i + 1;

	if (j->tok[i].type == JSMN_STRING && json_is_key(j, i))
		return json_next(j, i + 1);
	if (j->tok[i].type == JSMN_OBJECT || j->tok[i].type == JSMN_ARRAY)
		while (k < j->ntok && j->tok[k].start < end)
			k++;
	return k;
}

static bool
json_is_null(const struct json *j, int i)
{
	return j->tok[i].type == JSMN_PRIMITIVE && *json_text(j, i) == 'n';
}

static const char *
json_kind(const struct json *j, int i)
{
	char c = *json_text(j, i);

	switch (j->tok[i].type) {
	case JSMN_OBJECT:
		return "an object";
	case JSMN_ARRAY:
		return "an array";
	case JSMN_STRING:
		return "a string";
	default:
		return c == 'n'             ? "null" :
		       c == 't' || c == 'f' ? "a boolean" :
					      "a number";
	}
}

/* The value of key in object i; -1 when it is absent or null. */
static int
json_get(const struct json *j, int i, const char *key)
{
	int k, end = json_next(j, i);

	for (k = i + 1; k < end; k = json_next(j, k))
		if (!strcmp(json_text(j, k), key))
			return json_is_null(j, k + 1) ? -1 : k + 1;
	return -1;
}

static void
json_expect(const struct json *j, int i, jsmntype_t type, const char *what)
{
	if (j->tok[i].type != type)
		json_die(j, i, "expected %s, found %s", what, json_kind(j, i));
}

static const char *
json_string(const struct json *j, int i)
{
	json_expect(j, i, JSMN_STRING, "a string");
	return json_text(j, i);
}

static bool
json_bool(const struct json *j, int i)
{
	char c = *json_text(j, i);

	if (j->tok[i].type != JSMN_PRIMITIVE || (c != 't' && c != 'f'))
		json_die(j, i, "expected a boolean, found %s", json_kind(j, i));
	return c == 't';
}

/* An integer, exactly: sign and size through *neg and *v. No double is ever
 * involved; 1.0 and 1e3 are refused as Go does. */
static void
json_integer(const struct json *j, int i, bool *neg, uint64_t *v)
{
	char *s;

	if (j->tok[i].type != JSMN_PRIMITIVE ||
	    !strchr("-0123456789", *json_text(j, i)))
		json_die(
		    j, i, "expected an integer, found %s", json_kind(j, i));
	s = base_dupn(
	    json_text(j, i), (size_t)(j->tok[i].end - j->tok[i].start));
	*neg = *s == '-';
	if (s[strcspn(s, ".eE")])
		json_die(j, i, "expected an integer, found %s", s);
	if (base_number(s + *neg, UINT64_MAX, v) < 0 ||
	    (*neg && *v > (uint64_t)INT64_MAX + 1))
		json_die(j, i, "%s is out of range", s);
	if (*v == 0)
		*neg = false;
}

static uint64_t
json_unsigned(const struct json *j, int i, uint64_t max)
{
	uint64_t v;
	bool neg;

	json_integer(j, i, &neg, &v);
	if (neg || v > max)
		json_die(j, i, "%s%llu is out of range (0 to %llu)",
		    neg ? "-" : "", (unsigned long long)v,
		    (unsigned long long)max);
	return v;
}

static int64_t
json_signed(const struct json *j, int i)
{
	uint64_t v;
	bool neg;

	json_integer(j, i, &neg, &v);
	if (!neg && v > INT64_MAX)
		json_die(j, i, "%llu is out of range", (unsigned long long)v);
	return neg ? (int64_t)(0 - v) : (int64_t)v;
}

/* The first value in i that asks for something: not null, false, 0, "", and
 * no container of nothing but those. -1 when there is none (Docker sends
 * zeros for what is not set). */
static int
json_nontrivial(const struct json *j, int i)
{
	int k, end = json_next(j, i);
	const char *s;

	for (k = i; k < end; k++) {
		s = json_text(j, k);
		if (json_is_key(j, k) || j->tok[k].type == JSMN_OBJECT ||
		    j->tok[k].type == JSMN_ARRAY)
			continue;
		if (j->tok[k].type == JSMN_STRING ?
			*s :
			*s != 'n' && *s != 'f' &&
			    (*s != '0' || j->tok[k].end != j->tok[k].start + 1))
			return k;
	}
	return -1;
}

/* The first value in i that is no container, or i itself. */
static int
json_first_scalar(const struct json *j, int i)
{
	int k, end = json_next(j, i);

	for (k = i; k < end; k++)
		if (!json_is_key(j, k) && j->tok[k].type != JSMN_OBJECT &&
		    j->tok[k].type != JSMN_ARRAY)
			return k;
	return i;
}

/* ---- writing ---- */

/* indent 0: all on one line. */
struct json_out {
	struct text t;
	unsigned indent, depth;
	bool more; /* a comma is due before the next member */
};

/* Start the next member: comma, line, key. key NULL inside arrays. */
static void
json_put_key(struct json_out *o, const char *key)
{
	if (o->more)
		base_puts(&o->t, ",");
	if (o->indent && o->depth)
		base_putf(&o->t, "\n%*s", (int)(o->indent * o->depth), "");
	if (key) {
		base_put_json(&o->t, key);
		base_puts(&o->t, o->indent ? ": " : ":");
	}
	o->more = true;
}

static void
json_put_open(struct json_out *o, const char *key, char bracket)
{
	json_put_key(o, key);
	base_put(&o->t, &bracket, 1);
	o->depth++;
	o->more = false;
}

static void
json_put_close(struct json_out *o, char bracket)
{
	o->depth--;
	if (o->more && o->indent)
		base_putf(&o->t, "\n%*s", (int)(o->indent * o->depth), "");
	base_put(&o->t, &bracket, 1);
	o->more = true;
}

/* s NULL leaves the member out. */
static void
json_put_string(struct json_out *o, const char *key, const char *s)
{
	if (!s)
		return;
	json_put_key(o, key);
	base_put_json(&o->t, s);
}

static void
json_put_int(struct json_out *o, const char *key, int64_t v)
{
	json_put_key(o, key);
	base_putf(&o->t, "%lld", (long long)v);
}

static void
json_put_unsigned(struct json_out *o, const char *key, uint64_t v)
{
	json_put_key(o, key);
	base_putf(&o->t, "%llu", (unsigned long long)v);
}

static void
json_put_bool(struct json_out *o, const char *key, bool v)
{
	json_put_key(o, key);
	base_puts(&o->t, v ? "true" : "false");
}

static void
json_put_words(
    struct json_out *o, const char *key, const struct word *w, size_t n)
{
	json_put_open(o, key, '[');
	for (; n--; w++)
		json_put_string(o, NULL, w->name);
	json_put_close(o, ']');
}

/* The same, sorted by name. */
static void
json_put_sorted(
    struct json_out *o, const char *key, const struct word *w, size_t n)
{
	const char *last = "", *next;
	size_t i, k;

	json_put_open(o, key, '[');
	for (i = 0; i < n; i++) {
		next = NULL;
		for (k = 0; k < n; k++)
			if (strcmp(w[k].name, last) > 0 &&
			    (!next || strcmp(w[k].name, next) < 0))
				next = w[k].name;
		json_put_string(o, NULL, next);
		last = next;
	}
	json_put_close(o, ']');
}

static void
json_put_strings(struct json_out *o, const char *key, char *const *list)
{
	if (!list)
		return;
	json_put_open(o, key, '[');
	for (; *list; list++)
		json_put_string(o, NULL, *list);
	json_put_close(o, ']');
}

/* == 7 LEGACY ========================================= leg_ ==== [rows][pure]
 * Owns:   what configs of older specs say otherwise: old JSON becomes 1.3 JSON.
 * Calls:  BASE ERR TAB JSON. No system calls: a stat comes as an argument.
 * Runs:   parent, before SPEC looks at the config.
 * Change: a translation is a row of leg_rows. What a row makes keeps the place
 *         of the value it came from, so that an error names the line and path
 *         of the user's own file. Sources: the Go types of the tags v0.1.1 to
 *         v1.0.0 of the runtime specification, and of runc v0.0.1 to v1.0.0.
 */

/* The generations, by what a config of theirs looks like. */
enum {
	LEG_A = 1,    /* "pre-draft", 2015: options are one string */
	LEG_B = 2,    /* 0.1, 0.2: config.json and runtime.json */
	LEG_C = 4,    /* 0.3: one file, capabilities in linux */
	LEG_D = 8,    /* 0.4: masked paths are implied */
	LEG_RC = 16,  /* 0.5 to 1.0.0-rc4 */
	LEG_RC5 = 32, /* capabilities are an object */
	LEG_RC6 = 64,
	LEG_1 = 128, /* 1.0.0 and later */
	LEG_ANY = 255,
	LEG_SPLIT = LEG_A | LEG_B,     /* devices carry their permissions */
	LEG_EARLY = LEG_SPLIT | LEG_C, /* zero is "not set" */
	LEG_OLD = LEG_ANY & ~LEG_1,
};

typedef int leg_stat(const char *, struct stat *);

/* A value of the document that is rewritten, and where it came from. */
struct leg {
	const char *key;  /* NULL in an array */
	const char *text; /* of a string, decoded, or of a number or word */
	jsmntype_t type;
	int tok;
	const struct json *of;
	struct leg *kid, *next, **end; /* end: where the next kid goes */
};

struct leg_work {
	struct leg *top, *parent; /* parent: of what a row is about */
	unsigned era;
	leg_stat *stat; /* of the host, for devices that are names alone */
};

/* ---- the tree ---- */

static struct leg *
leg_add(struct leg *parent, struct leg *v)
{
	if (!parent->end)
		parent->end = &parent->kid;
	*parent->end = v;
	parent->end = &v->next;
	return v;
}

static void
leg_cut(struct leg *parent, struct leg **slot)
{
	struct leg *v = *slot;

	*slot = v->next;
	if (parent->end == &v->next)
		parent->end = slot;
	v->next = NULL;
}

/* A new last value of parent, which came from where from did. */
static struct leg *
leg_new(struct leg *parent, const struct leg *from, const char *key,
    jsmntype_t type, const char *text)
{
	struct leg *v = base_alloc(sizeof *v);

	v->of = from->of;
	v->tok = from->tok;
	v->key = key;
	v->type = type;
	v->text = text;
	return leg_add(parent, v);
}

static bool
leg_is_null(const struct leg *v)
{
	return v->type == JSMN_PRIMITIVE && *v->text == 'n';
}

/* The tree of a token. Until 1.0 null was how Go wrote what is absent. */
static struct leg *
leg_build(const struct json *j, int i, bool nulls)
{
	struct leg *v = base_alloc(sizeof *v), *kid;
	int k, end = json_next(j, i);

	v->of = j;
	v->tok = i;
	v->type = j->tok[i].type;
	if (v->type == JSMN_STRING) {
		v->text = json_text(j, i);
		return v;
	}
	if (v->type == JSMN_PRIMITIVE) {
		v->text = base_dupn(
		    json_text(j, i), (size_t)(j->tok[i].end - j->tok[i].start));
		return v;
	}
	for (k = i + 1; k < end; k = json_next(j, k)) {
		if (v->type == JSMN_ARRAY) {
			leg_add(v, leg_build(j, k, nulls));
		} else if (nulls || !json_is_null(j, k + 1)) {
			kid = leg_add(v, leg_build(j, k + 1, nulls));
			kid->key = json_text(j, k);
		}
	}
	return v;
}

/* Where the member hangs, NULL when there is none. */
static struct leg **
leg_slot(struct leg *parent, const char *key)
{
	struct leg **slot;

	if (parent && parent->type == JSMN_OBJECT)
		for (slot = &parent->kid; *slot; slot = &(*slot)->next)
			if (!strcmp((*slot)->key, key))
				return slot;
	return NULL;
}

/* The member of that name, NULL when it is absent or null. */
static struct leg *
leg_get(struct leg *parent, const char *key)
{
	struct leg **slot = leg_slot(parent, key);

	return slot && !leg_is_null(*slot) ? *slot : NULL;
}

static bool
leg_is(struct leg *parent, const char *key, const char *text)
{
	struct leg *v = leg_get(parent, key);

	return v && v->text && !strcmp(v->text, text);
}

/* The value at a path from the top; what is missing is made, and comes from
 * where from did. */
static struct leg *
leg_make(struct leg_work *w, const char *path, jsmntype_t type,
    const struct leg *from)
{
	char *rest = base_dup(path), *key;
	struct leg *v = w->top, **slot;

	while ((key = base_cut(&rest, "."))) {
		slot = leg_slot(v, key);
		if (slot && leg_is_null(*slot)) {
			leg_cut(v, slot);
			slot = NULL;
		}
		v = slot ?
			*slot :
			leg_new(v, from, key, *rest ? JSMN_OBJECT : type, NULL);
	}
	return v;
}

NORETURN static void
leg_die(const struct leg *v, const char *expected)
{
	json_die(v->of, v->tok, "expected %s, found '%s'", expected,
	    v->text ? v->text : json_kind(v->of, v->tok));
}

/* What is left out of the new document, where the user may miss it. */
static void
leg_note(const struct leg *v, const char *what)
{
	err_note(
	    base_fmt("%s: %s: %s", json_where(v->of, json_at(v->of, v->tok)),
		json_path(v->of, v->tok), what));
}

/* ---- conversions: each changes a value in place, false drops it ---- */

static bool
leg_drop(struct leg_work *w UNUSED, struct leg *v UNUSED)
{
	return false;
}

static bool
leg_platform(struct leg_work *w UNUSED, struct leg *v)
{
	if (leg_get(v, "os") && !leg_is(v, "os", "linux"))
		leg_note(v, "made for another system than linux");
	return false;
}

/* "a,b" is a list. */
static bool
leg_split(struct leg_work *w UNUSED, struct leg *v)
{
	char *rest = base_dup(v->text), *word;

	v->type = JSMN_ARRAY;
	while ((word = base_cut(&rest, ",")))
		leg_new(v, v, NULL, JSMN_STRING, word);
	return true;
}

/* One string was what is a list today. */
static bool
leg_list(struct leg_work *w UNUSED, struct leg *v)
{
	leg_new(v, v, NULL, JSMN_STRING, v->text);
	v->type = JSMN_ARRAY;
	return true;
}

static bool
leg_abs(struct leg_work *w UNUSED, struct leg *v)
{
	if (*v->text != '/')
		v->text = base_fmt("/%s", v->text);
	return true;
}

/* The working directory may be absent: it was the root. */
static bool
leg_cwd(struct leg_work *w UNUSED, struct leg *v)
{
	if (v->type == JSMN_OBJECT && !leg_get(v, "cwd"))
		leg_new(v, v, "cwd", JSMN_STRING, "/");
	return true;
}

/* The type "bind" was enough for a bind. */
static bool
leg_bind(struct leg_work *w UNUSED, struct leg *v)
{
	struct leg *list = leg_get(v, "options"), *o;

	if (!leg_is(v, "type", "bind"))
		return true;
	if (!list)
		list = leg_new(v, v, "options", JSMN_ARRAY, NULL);
	for (o = list->kid; o; o = o->next)
		if (o->text &&
		    (!strcmp(o->text, "bind") || !strcmp(o->text, "rbind")))
			return true;
	leg_new(list, list, NULL, JSMN_STRING, "bind");
	return true;
}

static bool
leg_ns(struct leg_work *w UNUSED, struct leg *v)
{
	static const char *const name[] = { "process", "pid", "mnt", "mount",
		"net", "network" };
	size_t i;

	for (i = 0; i < LEN(name); i += 2)
		if (!strcmp(v->text, name[i]))
			v->text = name[i + 1];
	return true;
}

/* Mappings imply a user namespace. */
static bool
leg_userns(struct leg_work *w, struct leg *v)
{
	struct leg *list, *ns;

	if (!v->kid)
		return true;
	list = leg_make(w, "linux.namespaces", JSMN_ARRAY, v);
	for (ns = list->kid; ns; ns = ns->next)
		if (leg_is(ns, "type", "user"))
			return true;
	ns = leg_new(list, v, NULL, JSMN_OBJECT, NULL);
	leg_new(ns, v, "type", JSMN_STRING, "user");
	return true;
}

/* One list filled four sets; there was no ambient set. CAP_ was implied. */
static bool
leg_caps(struct leg_work *w UNUSED, struct leg *v)
{
	static const char *const set[] = { "bounding", "effective",
		"inheritable", "permitted" };
	struct leg *list = v->kid, *c, *to;
	size_t i;

	v->type = JSMN_OBJECT;
	v->kid = NULL;
	v->end = NULL;
	for (i = 0; i < LEN(set); i++) {
		to = leg_new(v, v, set[i], JSMN_ARRAY, NULL);
		for (c = list; c; c = c->next)
			leg_new(to, c, NULL, c->type,
			    c->type != JSMN_STRING ||
				    !strncmp(c->text, "CAP_", 4) ?
				c->text :
				base_fmt("CAP_%s", c->text));
	}
	return true;
}

/* The kernel's number of a limit. */
static bool
leg_rlimit(struct leg_work *w UNUSED, struct leg *v)
{
	uint64_t n;

	if (base_number(v->text, INT_MAX, &n) < 0 ||
	    *(v->text = tab_word(tab_rlimit, LEN(tab_rlimit), n)) == '?')
		json_die(v->of, v->tok, "no limit has this number");
	v->type = JSMN_STRING;
	return true;
}

/* The kind of a device as a number: the code of its letter. */
static bool
leg_char(struct leg_work *w UNUSED, struct leg *v)
{
	uint64_t c;

	if (base_number(v->text, 127, &c) < 0 || !c || !strchr("abcup", (int)c))
		json_die(v->of, v->tok, "no kind of device has this number");
	v->text = base_fmt("%c", (int)c);
	v->type = JSMN_STRING;
	return true;
}

/* Rules begin with one that denies all. */
static bool
leg_deny(struct leg_work *w, struct leg *v)
{
	struct leg *list =
	    leg_make(w, "linux.resources.devices", JSMN_ARRAY, v);
	struct leg *rule;

	if (!list->kid) {
		rule = leg_new(list, v, NULL, JSMN_OBJECT, NULL);
		leg_new(rule, v, "allow", JSMN_PRIMITIVE, "false");
		leg_new(rule, v, "access", JSMN_STRING, "rwm");
	}
	return true;
}

/* The name of a device of the host. */
static bool
leg_device(struct leg_work *w, struct leg *v)
{
	const char *path = base_fmt("/dev/%s", v->text);
	const char *key[] = { "major", "minor", "fileMode", "uid", "gid" };
	unsigned long n[LEN(key)];
	struct stat st;
	size_t i;

	if (w->stat(path, &st) < 0)
		json_die(v->of, v->tok, "the host has no %s", path);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		json_die(v->of, v->tok, "%s is no device on the host", path);
	n[0] = major(st.st_rdev);
	n[1] = minor(st.st_rdev);
	n[2] = st.st_mode & 07777;
	n[3] = st.st_uid;
	n[4] = st.st_gid;
	v->type = JSMN_OBJECT;
	leg_new(v, v, "path", JSMN_STRING, path);
	leg_new(v, v, "type", JSMN_STRING, S_ISCHR(st.st_mode) ? "c" : "b");
	for (i = 0; i < LEN(key); i++)
		leg_new(v, v, key[i], JSMN_PRIMITIVE, base_fmt("%lu", n[i]));
	leg_new(v, v, "permissions", JSMN_STRING, "rwm");
	return true;
}

/* Every container may use the default devices anyway. */
static bool
leg_is_default(struct leg *device)
{
	size_t i;

	for (i = 0; i < LEN(tab_dev); i++)
		if (leg_is(device, "type", "c") &&
		    leg_is(device, "major", base_fmt("%u", tab_dev[i].major)) &&
		    leg_is(device, "minor", base_fmt("%u", tab_dev[i].minor)))
			return true;
	return false;
}

/* What may be done with a device was said where it is made. */
static bool
leg_permissions(struct leg_work *w, struct leg *v)
{
	static const char *const key[] = { "type", "major", "minor" };
	struct leg *list, *rule, *from;
	size_t i;

	if (!*v->text || leg_is_default(w->parent))
		return false;
	list = leg_make(w, "linux.resources.devices", JSMN_ARRAY, v);
	rule = leg_new(list, v, NULL, JSMN_OBJECT, NULL);
	leg_new(rule, v, "allow", JSMN_PRIMITIVE, "true");
	for (i = 0; i < LEN(key); i++)
		if ((from = leg_get(w->parent, key[i])) && from->text &&
		    *from->text != '-')
			leg_new(rule, from, key[i], from->type, from->text);
	leg_new(rule, v, "access", JSMN_STRING, v->text);
	return false;
}

/* A device without a number is a rule alone. */
static bool
leg_numbered(struct leg_work *w UNUSED, struct leg *v)
{
	return !leg_is(v, "major", "-1") && !leg_is(v, "minor", "-1");
}

/* "0x100001" or "1048577"; "" is none. */
static bool
leg_number(struct leg_work *w UNUSED, struct leg *v)
{
	bool hex = !strncasecmp(v->text, "0x", 2);
	uint64_t n = 0;
	char *end;

	if (v->type != JSMN_STRING)
		return true;
	if (!*v->text)
		return false;
	errno = 0;
	n = strtoull(v->text, &end, hex ? 16 : 10);
	if (!strchr("0123456789", *v->text) || *end || errno || n > UINT32_MAX)
		leg_die(v, "a number");
	v->text = base_fmt("%llu", (unsigned long long)n);
	v->type = JSMN_PRIMITIVE;
	return true;
}

/* Lines "MAJOR:MINOR VALUE", as the cgroup file takes them. */
static bool
leg_lines(struct leg_work *w UNUSED, struct leg *v)
{
	const char *key[] = { "major", "minor",
		strstr(v->key, "Weight") ? "weight" : "rate" };
	char *rest = base_dup(v->text ? v->text : ""), *word;
	struct leg *device = NULL;
	uint64_t n;
	size_t i;

	if (v->type != JSMN_STRING)
		return true;
	for (i = 0; (word = base_cut(&rest, ": \t\n")); i++) {
		if (base_number(word, UINT64_MAX, &n) < 0)
			leg_die(v, "lines of MAJOR:MINOR VALUE");
		if (i % 3 == 0)
			device = leg_new(v, v, NULL, JSMN_OBJECT, NULL);
		leg_new(device, v, key[i % 3], JSMN_PRIMITIVE, word);
	}
	if (i % 3)
		leg_die(v, "lines of MAJOR:MINOR VALUE");
	v->type = JSMN_ARRAY;
	return i > 0;
}

#define LEG_MAX "18446744073709551615"

/* 2^64-1 was "no limit" of an unsigned number. */
static bool
leg_minus(struct leg_work *w UNUSED, struct leg *v)
{
	v->text = "-1";
	return true;
}

/* A signed number of an unsigned limit: below zero is "no limit". */
static bool
leg_plus(struct leg_work *w UNUSED, struct leg *v)
{
	v->text = LEG_MAX;
	return true;
}

static bool
leg_above_zero(struct leg_work *w UNUSED, struct leg *v)
{
	return *v->text != '-' && *v->text != '0';
}

static bool
leg_asks(const struct leg *v)
{
	if (v->kid)
		return true;
	if (v->type == JSMN_STRING)
		return *v->text;
	return v->type == JSMN_PRIMITIVE && strcmp(v->text, "0") &&
	       *v->text != 'f';
}

/* Go wrote zeros for what is not set; rules and lists of devices mean them. */
static bool
leg_zeros(struct leg_work *w, struct leg *v)
{
	struct leg **slot = &v->kid;

	if (v->type != JSMN_OBJECT)
		return leg_asks(v);
	while (*slot)
		if (leg_zeros(w, *slot))
			slot = &(*slot)->next;
		else
			leg_cut(v, slot);
	return v->kid;
}

/* A window of no size, a filter that refuses nothing: not set. */
static bool
leg_size(struct leg_work *w UNUSED, struct leg *v)
{
	return !leg_is(v, "height", "0") || !leg_is(v, "width", "0");
}

static bool
leg_filter(struct leg_work *w UNUSED, struct leg *v)
{
	struct leg *action = leg_get(v, "defaultAction");
	struct leg *rules = leg_get(v, "syscalls");

	return (action && leg_asks(action) &&
		   !leg_is(v, "defaultAction", "SCMP_ACT_ALLOW")) ||
	       (rules && rules->kid);
}

static void
leg_strings(struct leg_work *w, const char *path, const struct leg *from,
    const char *const *list)
{
	struct leg *to = leg_make(w, path, JSMN_ARRAY, from);

	if (!to->kid)
		for (; *list; list++)
			leg_new(to, from, NULL, JSMN_STRING, *list);
}

/* A root that cannot be written: so were sysfs and parts of /proc. */
static bool
leg_readonly(struct leg_work *w, struct leg *v)
{
	static const char *const masked[] = { "/proc/kcore", NULL };
	static const char *const readonly[] = { "/proc/sys",
		"/proc/sysrq-trigger", "/proc/irq", "/proc/bus", NULL };
	struct leg *m, *ns, *o;

	m = leg_get(w->top, "mounts");
	for (m = m ? m->kid : NULL; m; m = m->next) {
		if (!leg_is(m, "type", "sysfs"))
			continue;
		o = leg_get(m, "options");
		if (!o)
			o = leg_new(m, m, "options", JSMN_ARRAY, NULL);
		leg_new(o, m, NULL, JSMN_STRING, "ro");
	}
	ns = leg_get(leg_get(w->top, "linux"), "namespaces");
	for (ns = ns ? ns->kid : NULL; ns; ns = ns->next) {
		if (!leg_is(ns, "type", "mount"))
			continue;
		leg_strings(w, "linux.maskedPaths", v, masked);
		leg_strings(w, "linux.readonlyPaths", v, readonly);
	}
	return true;
}

/* Mounts of the host did not come through. */
static bool
leg_private(struct leg_work *w, struct leg *v)
{
	struct leg *p = leg_make(w, "linux.rootfsPropagation", JSMN_STRING, v);

	if (!p->text || !*p->text)
		p->text = "rprivate";
	return true;
}

/* ---- the rows ---- */

/* In the object (or each element of an array) at a path, the member of a name
 * (NULL: each element) becomes what conv makes of it, and moves to another
 * name, or to a path from the top. Rows are taken in this order. when: the
 * kind of value that the row is about, by its first character in JSON, '1' a
 * number, 't' true; '^' is 2^64-1, '-' the same or -1, 0 any. */
struct leg_row {
	unsigned char eras;
	char when;
	const char *at, *key, *to;
	bool (*conv)(struct leg_work *, struct leg *);
};

/* clang-format off */
#define BLKIO "linux.resources.blockIO"
#define MEMORY "linux.resources.memory"
static const struct leg_row leg_rows[] = {
	{ LEG_OLD,    0,  "",                        "version",             NULL, leg_drop },
	{ LEG_ANY,   '{', "",                        "platform",            NULL, leg_platform },
	{ LEG_SPLIT,  0,  "",                        "process",             NULL, leg_cwd },
	{ LEG_SPLIT, '"', "process",                 "cwd",                 NULL, leg_abs },
	{ LEG_OLD,   '"', "mounts[]",                "options",             NULL, leg_split },
	{ LEG_EARLY, '"', "mounts[]",                "destination",         NULL, leg_abs },
	{ LEG_EARLY, '{', "mounts",                  NULL,                  NULL, leg_bind },
	{ LEG_ANY,   '[', "linux",                   "capabilities",        "process.capabilities", leg_caps },
	{ LEG_OLD,   '[', "process",                 "capabilities",        NULL, leg_caps },
	{ LEG_ANY,    0,  "linux",                   "rlimits",             "process.rlimits", NULL },
	{ LEG_OLD,   '1', "process.rlimits[]",       "type",                NULL, leg_rlimit },
	{ LEG_ANY,    0,  "linux",                   "apparmorProfile",     "process.apparmorProfile", NULL },
	{ LEG_ANY,    0,  "linux",                   "selinuxProcessLabel", "process.selinuxLabel", NULL },
	{ LEG_ANY,    0,  "linux",                   "noNewPrivileges",     "process.noNewPrivileges", NULL },
	{ LEG_OLD,   '{', "process",                 "consoleSize",         NULL, leg_size },
	{ LEG_EARLY, '"', "linux.namespaces[]",      "type",                NULL, leg_ns },
	{ LEG_ANY,    0,  "linux",                   "uidMapping",          "uidMappings", NULL },
	{ LEG_ANY,    0,  "linux",                   "gidMapping",          "gidMappings", NULL },
	{ LEG_EARLY | LEG_D | LEG_RC, '[', "linux",  "uidMappings",         NULL, leg_userns },
	{ LEG_EARLY | LEG_D | LEG_RC, '[', "linux",  "gidMappings",         NULL, leg_userns },
	{ LEG_EARLY | LEG_D, 't', "root",            "readonly",            NULL, leg_readonly },
	{ LEG_EARLY, '{', "",                        "linux",               NULL, leg_private },
	{ LEG_EARLY,  0,  "linux.resources",         "memory",              NULL, leg_zeros },
	{ LEG_EARLY,  0,  "linux.resources",         "cpu",                 NULL, leg_zeros },
	{ LEG_EARLY,  0,  "linux.resources",         "blockIO",             NULL, leg_zeros },
	{ LEG_EARLY,  0,  "linux.resources",         "network",             NULL, leg_zeros },
	{ LEG_EARLY,  0,  "linux.resources",         "oomScoreAdj",         NULL, leg_zeros },
	{ LEG_EARLY, '1', "linux.resources.pids",    "limit",               NULL, leg_above_zero },
	{ LEG_EARLY,  0,  "linux.resources",         "pids",                NULL, leg_zeros },
	{ LEG_EARLY, '-', "linux.resources.hugepageLimits[]", "limit",      NULL, leg_plus },
	{ LEG_SPLIT, '{', "",                        "linux",               NULL, leg_deny },
	{ LEG_OLD,   '"', "linux.devices",           NULL,                  NULL, leg_device },
	{ LEG_OLD,   '1', "linux.devices[]",         "type",                NULL, leg_char },
	{ LEG_OLD,   '1', "linux.resources.devices[]", "type",              NULL, leg_char },
	{ LEG_ANY,   '"', "linux.devices[]",         "permissions",         NULL, leg_permissions },
	{ LEG_EARLY, '{', "linux.devices",           NULL,                  NULL, leg_numbered },
	{ LEG_ANY,   '-', MEMORY,                    "swappiness",          NULL, leg_drop },
	{ LEG_ANY,   '^', MEMORY,                    "limit",               NULL, leg_minus },
	{ LEG_ANY,   '^', MEMORY,                    "reservation",         NULL, leg_minus },
	{ LEG_ANY,   '^', MEMORY,                    "swap",                NULL, leg_minus },
	{ LEG_ANY,   '^', MEMORY,                    "kernel",              NULL, leg_minus },
	{ LEG_ANY,   '^', MEMORY,                    "kernelTCP",           NULL, leg_minus },
	{ LEG_ANY,    0,  "linux.resources",         "disableOOMKiller",    "linux.resources.memory.disableOOMKiller", NULL },
	{ LEG_ANY,    0,  "linux.resources",         "oomScoreAdj",         "process.oomScoreAdj", NULL },
	{ LEG_ANY,    0,  BLKIO,                     "blkioWeight",         "weight", NULL },
	{ LEG_ANY,    0,  BLKIO,                     "blkioLeafWeight",     "leafWeight", NULL },
	{ LEG_ANY,    0,  BLKIO,                     "blkioWeightDevice",   "weightDevice", leg_lines },
	{ LEG_ANY,    0,  BLKIO, "blkioThrottleReadBpsDevice",   "throttleReadBpsDevice", leg_lines },
	{ LEG_ANY,    0,  BLKIO, "blkioThrottleWriteBpsDevice",  "throttleWriteBpsDevice", leg_lines },
	{ LEG_ANY,    0,  BLKIO, "blkioThrottleReadIOPSDevice",  "throttleReadIOPSDevice", leg_lines },
	{ LEG_ANY,    0,  BLKIO, "blkioThrottleWriteIOPSDevice", "throttleWriteIOPSDevice", leg_lines },
	{ LEG_ANY,    0,  BLKIO, "blkioThrottleReadIopsDevice",  "throttleReadIOPSDevice", leg_lines },
	{ LEG_ANY,    0,  BLKIO, "blkioThrottleWriteIopsDevice", "throttleWriteIOPSDevice", leg_lines },
	{ LEG_ANY,    0,  "linux.resources.network", "classId",             "classID", leg_number },
	{ LEG_OLD,   '"', "linux.resources.network", "classID",             NULL, leg_number },
	{ LEG_ANY,   '"', "linux.seccomp.syscalls[]", "name",               "names", leg_list },
	{ LEG_OLD,   '{', "linux",                   "seccomp",             NULL, leg_filter },
	{ LEG_ANY,   't', "linux.intelRdt",          "enableCMT",           "enableMonitoring", NULL },
	{ LEG_ANY,   't', "linux.intelRdt",          "enableMBM",           "enableMonitoring", NULL },
};
#undef BLKIO
#undef MEMORY
/* clang-format on */

/* ---- taking the rows ---- */

static bool
leg_when(char when, jsmntype_t type, const char *text, size_t n)
{
	bool max = n == 20 && !memcmp(text, LEG_MAX, n);

	switch (when) {
	case 0:
		return true;
	case '"':
		return type == JSMN_STRING;
	case '[':
		return type == JSMN_ARRAY;
	case '{':
		return type == JSMN_OBJECT;
	}
	if (type != JSMN_PRIMITIVE)
		return false;
	return when == '^' ? max :
	       when == '-' ? max || (n == 2 && !memcmp(text, "-1", n)) :
	       when == 't' ? *text == 't' :
			     strchr("-0123456789", *text) != NULL;
}

/* The value in a slot leaves its parent for the path or name to. What is
 * there already has the name of today and wins. */
static void
leg_move(
    struct leg_work *w, struct leg *parent, struct leg **slot, const char *to)
{
	const char *dot = strrchr(to, '.');
	struct leg *v = *slot, **old;

	leg_cut(parent, slot);
	if (dot)
		parent = leg_make(
		    w, base_dupn(to, (size_t)(dot - to)), JSMN_OBJECT, v);
	v->key = dot ? dot + 1 : to;
	if (leg_get(parent, v->key)) {
		leg_note(v, "left out, the newer name of it is there too");
		return;
	}
	old = leg_slot(parent, v->key);
	if (old)
		leg_cut(parent, old);
	leg_add(parent, v);
}

static void
leg_take(struct leg_work *w, const struct leg_row *r, struct leg *parent)
{
	struct leg **slot = NULL, *v;

	if (r->key)
		slot = leg_slot(parent, r->key);
	else if (parent->type == JSMN_ARRAY)
		slot = &parent->kid;
	w->parent = parent;
	while (slot && (v = *slot)) {
		if (!leg_when(r->when, v->type, v->text,
			v->text ? strlen(v->text) : 0))
			slot = &v->next;
		else if (leg_is_null(v) || (r->conv && !r->conv(w, v)))
			leg_cut(parent, slot);
		else if (r->to)
			leg_move(w, parent, slot, r->to);
		else
			slot = &v->next;
		if (r->key)
			return;
	}
}

static void
leg_walk(
    struct leg_work *w, const struct leg_row *r, struct leg *v, const char *at)
{
	size_t n = strcspn(at, ".[");

	if (n)
		v = leg_get(v, base_dupn(at, n));
	at += n;
	if (!v) {
		return;
	} else if (!*at) {
		leg_take(w, r, v);
	} else if (*at == '.') {
		leg_walk(w, r, v, at + 1);
	} else if (v->type == JSMN_ARRAY) {
		for (v = v->kid; v; v = v->next)
			leg_walk(w, r, v, at + 2 + (at[2] == '.'));
	}
}

/* Which bit of a mask stands for a key: most keys of today are none of ours. */
static uint64_t
leg_bit(const char *key, size_t n)
{
	return (uint64_t)1 << (((unsigned)*key * 5 + n) & 63);
}

/* Does a document of today's version say anything in an older way? */
static bool
leg_wanted(const struct json *j)
{
	const struct leg_row *r, *end = leg_rows + LEN(leg_rows);
	const jsmntok_t *v;
	uint64_t keys = 0;
	int i;

	for (r = leg_rows; r < end; r++)
		if (r->key && (r->eras & LEG_1))
			keys |= leg_bit(r->key, strlen(r->key));
	for (i = 1; i < j->ntok; i++) {
		if (!json_is_key(j, i) ||
		    !(keys & leg_bit(json_text(j, i),
				 (size_t)(j->tok[i].end - j->tok[i].start))))
			continue;
		v = &j->tok[i + 1];
		for (r = leg_rows; r < end; r++)
			if (r->key && (r->eras & LEG_1) &&
			    !strcmp(r->key, json_text(j, i)) &&
			    leg_when(r->when, v->type, json_text(j, i + 1),
				(size_t)(v->end - v->start)))
				return true;
	}
	return false;
}

/* ---- the generation ---- */

/* Member key of object i, or the first element of array i when key is NULL;
 * -1 when there is none, or when i is -1 or of another kind. */
static int
leg_token(const struct json *j, int i, const char *key)
{
	if (i < 0 || j->tok[i].type != (key ? JSMN_OBJECT : JSMN_ARRAY))
		return -1;
	return key ? json_get(j, i, key) : j->tok[i].size ? i + 1 : -1;
}

static bool
leg_is_string(const struct json *j, int i)
{
	return i >= 0 && j->tok[i].type == JSMN_STRING;
}

/* By the shape first and the version second, for files that were edited by
 * hand say the wrong one; but what says that it is of 1.0 or later must have
 * the types of that. */
static unsigned
leg_era(const struct json *j)
{
	int now = leg_token(j, 0, "ociVersion");
	int old = leg_token(j, 0, "version");
	int mount = leg_token(j, leg_token(j, 0, "mounts"), NULL);
	int device = leg_token(j, leg_token(j, 0, "linux"), "devices");
	const char *v = leg_is_string(j, now) ? json_text(j, now) : "";

	if (now >= 0 && strncmp(v, "0.", 2) && strncmp(v, "1.0.0-rc", 8))
		return LEG_1;
	if ((leg_is_string(j, old) &&
		!strcmp(json_text(j, old), "pre-draft")) ||
	    leg_is_string(j, leg_token(j, mount, "options")) ||
	    leg_is_string(j, leg_token(j, device, NULL)))
		return LEG_A;
	if ((leg_token(j, mount, "name") >= 0 &&
		leg_token(j, mount, "path") >= 0) ||
	    (old >= 0 && now < 0))
		return LEG_B;
	if (now < 0)
		return LEG_1;
	if (*v == '0')
		return v[2] < '4' ? LEG_C : v[2] == '4' ? LEG_D : LEG_RC;
	return v[8] < '5' ? LEG_RC : v[8] == '5' ? LEG_RC5 : LEG_RC6;
}

/* The members of another object that an object lacks. */
static void
leg_merge(struct leg *to, struct leg *other)
{
	struct leg *v, *old;

	while ((v = other->kid)) {
		leg_cut(other, &other->kid);
		old = leg_get(to, v->key);
		if (!old)
			leg_add(to, v);
		else if (old->type == JSMN_OBJECT && v->type == JSMN_OBJECT)
			leg_merge(old, v);
	}
}

/* Where a mount goes stood in config.json, what it is in the other file, under
 * its name. */
static void
leg_merge_mounts(struct leg *mounts, struct leg *other)
{
	struct leg *m, *name;
	struct base_set set;
	size_t *at;

	base_set_init(
	    &set, other ? (size_t)other->of->tok[other->tok].size : 0);
	for (m = other ? other->kid : NULL; m && m->key; m = m->next)
		*base_set_at(&set, 0, m->key, strlen(m->key)) = (size_t)m->tok;
	for (m = mounts ? mounts->kid : NULL; m; m = m->next) {
		name = leg_get(m, "name");
		if (!name || name->type != JSMN_STRING)
			continue;
		at = base_set_at(&set, 0, name->text, strlen(name->text));
		if (!*at)
			json_die(name->of, name->tok,
			    "Mount with Name \"%s\" not found in runtime "
			    "config",
			    name->text);
		leg_cut(m, leg_slot(m, "name"));
		if ((name = leg_get(m, "path")))
			name->key = "destination";
		leg_merge(m, leg_build(other->of, (int)*at, false));
	}
}

static void
leg_merge_runtime(struct leg *top, const struct json *runtime)
{
	struct leg *other = leg_build(runtime, 0, false), **mounts;

	mounts = leg_slot(other, "mounts");
	leg_merge_mounts(leg_get(top, "mounts"), mounts ? *mounts : NULL);
	if (mounts)
		leg_cut(other, mounts);
	leg_merge(top, other);
}

/* ---- the new document ---- */

/* The version that the document is of now, as its first member. */
static void
leg_version(struct leg *top)
{
	struct leg **slot = leg_slot(top, "ociVersion"), *v;

	if (slot)
		leg_cut(top, slot);
	v = leg_new(top, top, "ociVersion", JSMN_STRING, SPEC_VERSION);
	leg_cut(top, leg_slot(top, "ociVersion"));
	v->next = top->kid;
	top->kid = v;
	if (!top->end || top->end == &top->kid)
		top->end = &v->next;
}

/* The tree of a config.json, and of runtime.json where there is one, with all
 * rows taken. */
static struct leg *
leg_tree(const struct json *j, const struct json *runtime, leg_stat *stat)
{
	struct leg_work w = { .stat = stat, .era = leg_era(j) };
	const struct leg_row *r;

	w.top = leg_build(j, 0, w.era == LEG_1);
	if (runtime)
		leg_merge_runtime(w.top, runtime);
	for (r = leg_rows; r < leg_rows + LEN(leg_rows); r++)
		if (r->eras & w.era)
			leg_walk(&w, r, w.top, r->at);
	if (w.era == LEG_1 && !leg_get(w.top, "ociVersion"))
		err_note(base_fmt(
		    "%s: without ociVersion, read as " SPEC_VERSION, j->file));
	if (w.era != LEG_1 || !leg_get(w.top, "ociVersion"))
		leg_version(w.top);
	return w.top;
}

/* Write a tree, and to from where each value of it came from. */
static void
leg_put(struct json_out *o, const struct leg *v, bool member, struct text *from)
{
	struct json_from at = { o->t.n, v->of, v->tok };
	const char *key = member ? v->key : NULL;
	const struct leg *kid;
	bool object = v->type == JSMN_OBJECT;

	base_put(from, (const char *)&at, sizeof at);
	if (v->type == JSMN_STRING) {
		json_put_string(o, key, v->text);
		return;
	}
	if (v->type == JSMN_PRIMITIVE) {
		json_put_key(o, key);
		base_puts(&o->t, v->text);
		return;
	}
	json_put_open(o, key, object ? '{' : '[');
	for (kid = v->kid; kid; kid = kid->next)
		leg_put(o, kid, object, from);
	json_put_close(o, object ? '}' : ']');
}

/* The tree of any config, as one of today or, where it is newer, as it is. */
static const struct leg *
leg_upgrade(const struct json *j, const struct json *runtime, leg_stat *stat)
{
	struct leg *top = leg_tree(j, runtime, stat);
	struct leg *v = leg_get(top, "ociVersion");

	if (v && v->type == JSMN_STRING && !strncmp(v->text, "1.", 2) &&
	    v->text[2] && strchr("012", v->text[2]) && v->text[3] == '.')
		leg_version(top);
	return top;
}

/* *j becomes the document that the tree is; its text, before it is parsed. */
static const struct text *
leg_replace(struct json *j, const struct leg *tree)
{
	struct json_out *o = base_alloc(sizeof *o);
	struct text from = { 0 };

	leg_put(o, tree, false, &from);
	json_parse_from(
	    j, tree->of->file, base_dupn(o->t.p, o->t.n), o->t.n, &from);
	return &o->t;
}

/* Make a parsed config one of today. The new text, for those who keep it; NULL
 * when nothing in the old one was to change. */
static const struct text *
leg_translate(struct json *j, const struct json *runtime, leg_stat *stat)
{
	struct json *old = base_alloc(sizeof *old);

	if (leg_era(j) == LEG_1 && leg_token(j, 0, "ociVersion") >= 0 &&
	    !leg_wanted(j))
		return NULL;
	*old = *j;
	return leg_replace(j, leg_tree(old, runtime, stat));
}

/* The same for the file of one process, which bears no version. */
static void
leg_translate_process(struct json *j)
{
	struct json *old = base_alloc(sizeof *old);
	struct leg *process, **caps;
	int i = leg_token(j, 0, "capabilities");

	if (i < 0 || j->tok[i].type != JSMN_ARRAY)
		return;
	*old = *j;
	process = leg_build(old, 0, true);
	caps = leg_slot(process, "capabilities");
	leg_caps(NULL, *caps);
	leg_replace(j, process);
}

/* == 8 SPEC =========================================== spec_ ==== [rows][pure]
 * Owns:   struct spec and the tables of its fields.
 * Calls:  BASE ERR TAB JSON. No system calls.
 * Runs:   parent, before anything is done to the machine.
 * Change: a new key is one row in a table below and one case in tests/spec.t.
 *         What spec_check() refuses is listed in runtime-spec config.md.
 *         Unknown keys are ignored, as the spec asks; a known key in the wrong
 *         case is refused, for Go readers would take it (threat T69).
 */
enum spec_type {
	T_STR,   /* const char * */
	T_BOOL,  /* bool */
	T_I64,   /* struct spec_int, signed */
	T_ID,    /* struct spec_int: a uid or gid, never (uid_t)-1 */
	T_U32,   /* struct spec_int */
	T_U64,   /* struct spec_int */
	T_WORD,  /* struct spec_int: a word of a table */
	T_WORDS, /* uint64_t, what the words of a list stand for, or-ed */
	T_STRS,  /* char **, NULL at the end; NULL when absent */
	T_IDS,   /* struct spec_ids */
	T_CAPS,  /* uint64_t, a bit each */
	T_MAP,   /* struct spec_list of struct spec_pair */
	T_OBJ,   /* pointer to a struct of its own; NULL when absent */
	T_LIST,  /* struct spec_list of structs */
	T_OBJS,  /* struct spec_list of structs with tok and key: an object */
};

enum {
	SPEC_REQUIRED = 1,
	SPEC_LATER = 2, /* not supported yet: refused if it asks for anything */
	SPEC_NEVER = 4, /* the same, and zero asks for something */
};

struct spec_shape {
	const struct spec_field *fields;
	size_t n, size;
};

struct spec_field {
	const char *key;
	enum spec_type type;
	int flags;
	size_t at;
	const struct spec_shape *shape; /* T_OBJ, T_LIST */
	const struct word *words;       /* T_WORD, T_WORDS */
	size_t nwords;
};

struct spec_int {
	int64_t v; /* the bits of a uint64_t for T_U64 */
	bool set;
};

struct spec_ids {
	uint32_t *v;
	size_t n;
	bool set;
};

struct spec_list {
	void *p;
	size_t n;
};

struct spec_pair {
	const char *key, *value;
	int tok;
};

/* Every struct below begins with the token it came from, so that a check can
 * name the line. Absent strings are NULL, absent integers have set false. */
struct spec_root {
	int tok;
	const char *path;
	bool readonly;
};

struct spec_user {
	int tok;
	struct spec_int uid, gid, umask;
	struct spec_ids groups;
};

struct spec_size {
	int tok;
	struct spec_int height, width;
};

struct spec_caps {
	int tok;
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

struct spec_rlimit {
	int tok;
	struct spec_int type, soft, hard;
};

struct spec_scheduler {
	int tok;
	uint64_t flags;
	struct spec_int policy, nice, priority, runtime, deadline, period;
};

struct spec_ioprio {
	int tok;
	struct spec_int class, priority;
};

struct spec_affinity {
	int tok;
	const char *initial, *final;
};

struct spec_process {
	int tok;
	bool terminal, no_new_privileges;
	struct spec_size *console_size;
	struct spec_user *user;
	char **args, **env;
	const char *cwd, *apparmor, *selinux;
	struct spec_caps *caps;
	struct spec_list rlimits;
	struct spec_int oom_score_adj;
	struct spec_scheduler *scheduler;
	struct spec_ioprio *ioprio;
	struct spec_affinity *affinity;
};

struct spec_idmap {
	int tok;
	struct spec_int container, host, size;
};

struct spec_mount {
	int tok;
	const char *destination, *type, *source;
	char **options;
	struct spec_list uids, gids;
};

struct spec_hook {
	int tok;
	const char *path;
	char **args, **env;
	struct spec_int timeout;
};

struct spec_hooks {
	int tok;
	struct spec_list list[HOOK_COUNT];
};

struct spec_ns {
	int tok;
	const char *type, *path;
	enum tab_ns_index index;
	bool inherited; /* path is our caller's own: nothing to keep apart */
};

struct spec_device {
	int tok;
	const char *path;
	struct spec_int type, major, minor, mode, uid, gid;
};

struct spec_device_rule {
	int tok;
	bool allow;
	const char *type, *access;
	struct spec_int major, minor;
};

struct spec_memory {
	int tok;
	struct spec_int limit, reservation, swap, kernel, kernel_tcp,
	    swappiness;
	bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct spec_cpu {
	int tok;
	struct spec_int shares, quota, burst, period, rt_runtime, rt_period,
	    idle;
	const char *cpus, *mems;
};

struct spec_pids {
	int tok;
	struct spec_int limit;
};

struct spec_blkio_device {
	int tok;
	struct spec_int major, minor, weight, leaf_weight, rate;
};

struct spec_blkio {
	int tok;
	struct spec_int weight, leaf_weight;
	struct spec_list weight_device, read_bps, write_bps, read_iops,
	    write_iops;
};

struct spec_hugepage {
	int tok;
	const char *size;
	struct spec_int limit;
};

struct spec_priority {
	int tok;
	const char *name;
	struct spec_int priority;
};

struct spec_network {
	int tok;
	struct spec_int class_id;
	struct spec_list priorities;
};

struct spec_rdma {
	int tok;
	const char *device;
	struct spec_int handles, objects;
};

struct spec_resources {
	int tok;
	struct spec_list devices, hugepages, rdma, unified;
	struct spec_memory *memory;
	struct spec_cpu *cpu;
	struct spec_pids *pids;
	struct spec_blkio *blkio;
	struct spec_network *network;
};

struct spec_scmp_arg {
	int tok;
	struct spec_int index, value, value_two;
	const char *op;
};

struct spec_scmp_rule {
	int tok;
	char **names;
	const char *action;
	struct spec_int errno_ret;
	struct spec_list args;
};

struct spec_seccomp {
	int tok;
	const char *action, *listener_path, *listener_metadata;
	struct spec_int errno_ret;
	char **archs, **flags;
	struct spec_list rules;
};

struct spec_time_offset {
	int tok;
	const char *clock;
	struct spec_int secs, nanosecs;
};

struct spec_netdev {
	int tok;
	const char *host, *name; /* its name on the host, in the container */
};

struct spec_rdt {
	int tok;
	const char *clos_id, *l3_cache, *mem_bw;
	char **schemata;
	bool monitoring;
};

struct spec_mempolicy {
	int tok;
	uint64_t flags;
	struct spec_int mode;
	const char *nodes;
};

struct spec_personality {
	int tok;
	struct spec_int domain;
	char **flags;
};

struct spec_linux {
	int tok;
	struct spec_list namespaces, devices, sysctl, uids, gids, time_offsets,
	    netdevs;
	struct spec_rdt *rdt;
	struct spec_mempolicy *mempolicy;
	struct spec_personality *personality;
	struct spec_resources *resources;
	struct spec_seccomp *seccomp;
	const char *cgroups_path, *mount_label, *propagation;
	char **masked, **readonly;
};

struct spec {
	int tok;
	const char *version, *hostname, *domainname;
	struct spec_root *root;
	struct spec_process *process;
	struct spec_list mounts, annotations;
	struct spec_hooks *hooks;
	struct spec_linux *linux_;
	struct json json;
};

/* clang-format off */
#define F(key, type, s, m)        { key, type, 0, offsetof(struct s, m), NULL, NULL, 0 }
#define FR(key, type, s, m)       { key, type, SPEC_REQUIRED, offsetof(struct s, m), NULL, NULL, 0 }
#define FO(key, type, s, m, sh)   { key, type, 0, offsetof(struct s, m), &sh, NULL, 0 }
#define FW(key, fl, s, m, tab)    { key, T_WORD, fl, offsetof(struct s, m), NULL, tab, LEN(tab) }
#define FX(key, s, m, tab)        { key, T_WORDS, 0, offsetof(struct s, m), NULL, tab, LEN(tab) }
#define FL(key, type, fl, s, m, sh) { key, type, fl, offsetof(struct s, m), sh, NULL, 0 }
#define SHAPE(name, s, f)         static const struct spec_shape name = { f, LEN(f), sizeof(struct s) }

static const struct spec_field spec_f_root[] = {
	FR("path",     T_STR,  spec_root, path),
	F( "readonly", T_BOOL, spec_root, readonly),
};
SHAPE(spec_s_root, spec_root, spec_f_root);

static const struct spec_field spec_f_user[] = {
	F("uid",            T_ID,  spec_user, uid),
	F("gid",            T_ID,  spec_user, gid),
	F("umask",          T_U32, spec_user, umask),
	F("additionalGids", T_IDS, spec_user, groups),
};
SHAPE(spec_s_user, spec_user, spec_f_user);

static const struct spec_field spec_f_size[] = {
	FR("height", T_U32, spec_size, height),
	FR("width",  T_U32, spec_size, width),
};
SHAPE(spec_s_size, spec_size, spec_f_size);

static const struct spec_field spec_f_caps[] = {
	F("bounding",    T_CAPS, spec_caps, bounding),
	F("effective",   T_CAPS, spec_caps, effective),
	F("inheritable", T_CAPS, spec_caps, inheritable),
	F("permitted",   T_CAPS, spec_caps, permitted),
	F("ambient",     T_CAPS, spec_caps, ambient),
};
SHAPE(spec_s_caps, spec_caps, spec_f_caps);

static const struct spec_field spec_f_rlimit[] = {
	FW("type", SPEC_REQUIRED, spec_rlimit, type, tab_rlimit),
	FR("soft", T_U64, spec_rlimit, soft),
	FR("hard", T_U64, spec_rlimit, hard),
};
SHAPE(spec_s_rlimit, spec_rlimit, spec_f_rlimit);

static const struct spec_field spec_f_scheduler[] = {
	FW("policy",   SPEC_REQUIRED, spec_scheduler, policy, tab_sched),
	F( "nice",     T_I64,  spec_scheduler, nice),
	F( "priority", T_I64,  spec_scheduler, priority),
	FX("flags",    spec_scheduler, flags, tab_schedflag),
	F( "runtime",  T_U64,  spec_scheduler, runtime),
	F( "deadline", T_U64,  spec_scheduler, deadline),
	F( "period",   T_U64,  spec_scheduler, period),
};
SHAPE(spec_s_scheduler, spec_scheduler, spec_f_scheduler);

static const struct spec_field spec_f_ioprio[] = {
	FW("class",    SPEC_REQUIRED, spec_ioprio, class, tab_ioprio),
	F( "priority", T_I64, spec_ioprio, priority),
};
SHAPE(spec_s_ioprio, spec_ioprio, spec_f_ioprio);

static const struct spec_field spec_f_affinity[] = {
	F("initial", T_STR, spec_affinity, initial),
	F("final",   T_STR, spec_affinity, final),
};
SHAPE(spec_s_affinity, spec_affinity, spec_f_affinity);

static const struct spec_field spec_f_idmap[] = {
	FR("containerID", T_ID,  spec_idmap, container),
	FR("hostID",      T_ID,  spec_idmap, host),
	FR("size",        T_U32, spec_idmap, size),
};
SHAPE(spec_s_idmap, spec_idmap, spec_f_idmap);

static const struct spec_field spec_f_process[] = {
	F( "terminal",        T_BOOL, spec_process, terminal),
	FO("consoleSize",     T_OBJ,  spec_process, console_size, spec_s_size),
	FO("user",            T_OBJ,  spec_process, user, spec_s_user),
	F( "args",            T_STRS, spec_process, args),
	F( "env",             T_STRS, spec_process, env),
	FR("cwd",             T_STR,  spec_process, cwd),
	FO("capabilities",    T_OBJ,  spec_process, caps, spec_s_caps),
	FO("rlimits",         T_LIST, spec_process, rlimits, spec_s_rlimit),
	F( "noNewPrivileges", T_BOOL, spec_process, no_new_privileges),
	F( "apparmorProfile", T_STR,  spec_process, apparmor),
	F( "selinuxLabel",    T_STR,  spec_process, selinux),
	F( "oomScoreAdj",     T_I64,  spec_process, oom_score_adj),
	FO("scheduler",       T_OBJ,  spec_process, scheduler, spec_s_scheduler),
	FO("ioPriority",      T_OBJ,  spec_process, ioprio, spec_s_ioprio),
	FO("execCPUAffinity", T_OBJ,  spec_process, affinity, spec_s_affinity),
};
SHAPE(spec_s_process, spec_process, spec_f_process);

static const struct spec_field spec_f_mount[] = {
	FR("destination", T_STR,  spec_mount, destination),
	F( "type",        T_STR,  spec_mount, type),
	F( "source",      T_STR,  spec_mount, source),
	F( "options",     T_STRS, spec_mount, options),
	FL("uidMappings", T_LIST, 0, spec_mount, uids, &spec_s_idmap),
	FL("gidMappings", T_LIST, 0, spec_mount, gids, &spec_s_idmap),
};
SHAPE(spec_s_mount, spec_mount, spec_f_mount);

static const struct spec_field spec_f_hook[] = {
	FR("path",    T_STR,  spec_hook, path),
	F( "args",    T_STRS, spec_hook, args),
	F( "env",     T_STRS, spec_hook, env),
	F( "timeout", T_I64,  spec_hook, timeout),
};
SHAPE(spec_s_hook, spec_hook, spec_f_hook);

static const struct spec_field spec_f_hooks[] = {
	FO("prestart",        T_LIST, spec_hooks, list[HOOK_PRESTART], spec_s_hook),
	FO("createRuntime",   T_LIST, spec_hooks, list[HOOK_CREATE_RUNTIME], spec_s_hook),
	FO("createContainer", T_LIST, spec_hooks, list[HOOK_CREATE_CONTAINER], spec_s_hook),
	FO("startContainer",  T_LIST, spec_hooks, list[HOOK_START_CONTAINER], spec_s_hook),
	FO("poststart",       T_LIST, spec_hooks, list[HOOK_POSTSTART], spec_s_hook),
	FO("poststop",        T_LIST, spec_hooks, list[HOOK_POSTSTOP], spec_s_hook),
};
SHAPE(spec_s_hooks, spec_hooks, spec_f_hooks);

static const struct spec_field spec_f_ns[] = {
	FR("type", T_STR, spec_ns, type),
	F( "path", T_STR, spec_ns, path),
};
SHAPE(spec_s_ns, spec_ns, spec_f_ns);

static const struct spec_field spec_f_device[] = {
	FR("path",     T_STR, spec_device, path),
	FW("type",     SPEC_REQUIRED, spec_device, type, tab_devtype),
	F( "major",    T_I64, spec_device, major),
	F( "minor",    T_I64, spec_device, minor),
	F( "fileMode", T_U32, spec_device, mode),
	F( "uid",      T_ID,  spec_device, uid),
	F( "gid",      T_ID,  spec_device, gid),
};
SHAPE(spec_s_device, spec_device, spec_f_device);

static const struct spec_field spec_f_rule[] = {
	F("allow",  T_BOOL, spec_device_rule, allow),
	F("type",   T_STR,  spec_device_rule, type),
	F("major",  T_I64,  spec_device_rule, major),
	F("minor",  T_I64,  spec_device_rule, minor),
	F("access", T_STR,  spec_device_rule, access),
};
SHAPE(spec_s_rule, spec_device_rule, spec_f_rule);

static const struct spec_field spec_f_memory[] = {
	F("limit",             T_I64,  spec_memory, limit),
	F("reservation",       T_I64,  spec_memory, reservation),
	F("swap",              T_I64,  spec_memory, swap),
	F("kernel",            T_I64,  spec_memory, kernel),
	F("kernelTCP",         T_I64,  spec_memory, kernel_tcp),
	F("swappiness",        T_U64,  spec_memory, swappiness),
	F("disableOOMKiller",  T_BOOL, spec_memory, disable_oom_killer),
	F("useHierarchy",      T_BOOL, spec_memory, use_hierarchy),
	F("checkBeforeUpdate", T_BOOL, spec_memory, check_before_update),
};
SHAPE(spec_s_memory, spec_memory, spec_f_memory);

static const struct spec_field spec_f_cpu[] = {
	F("shares",          T_U64, spec_cpu, shares),
	F("quota",           T_I64, spec_cpu, quota),
	F("burst",           T_U64, spec_cpu, burst),
	F("period",          T_U64, spec_cpu, period),
	F("realtimeRuntime", T_I64, spec_cpu, rt_runtime),
	F("realtimePeriod",  T_U64, spec_cpu, rt_period),
	F("idle",            T_I64, spec_cpu, idle),
	F("cpus",            T_STR, spec_cpu, cpus),
	F("mems",            T_STR, spec_cpu, mems),
};
SHAPE(spec_s_cpu, spec_cpu, spec_f_cpu);

static const struct spec_field spec_f_pids[] = {
	F("limit", T_I64, spec_pids, limit),
};
SHAPE(spec_s_pids, spec_pids, spec_f_pids);

static const struct spec_field spec_f_blkio_weight[] = {
	FR("major",      T_I64, spec_blkio_device, major),
	FR("minor",      T_I64, spec_blkio_device, minor),
	F( "weight",     T_U32, spec_blkio_device, weight),
	F( "leafWeight", T_U32, spec_blkio_device, leaf_weight),
};
SHAPE(spec_s_blkio_weight, spec_blkio_device, spec_f_blkio_weight);

static const struct spec_field spec_f_blkio_rate[] = {
	FR("major", T_I64, spec_blkio_device, major),
	FR("minor", T_I64, spec_blkio_device, minor),
	FR("rate",  T_U64, spec_blkio_device, rate),
};
SHAPE(spec_s_blkio_rate, spec_blkio_device, spec_f_blkio_rate);

static const struct spec_field spec_f_blkio[] = {
	F( "weight",                  T_U32,  spec_blkio, weight),
	F( "leafWeight",              T_U32,  spec_blkio, leaf_weight),
	FO("weightDevice",            T_LIST, spec_blkio, weight_device, spec_s_blkio_weight),
	FO("throttleReadBpsDevice",   T_LIST, spec_blkio, read_bps, spec_s_blkio_rate),
	FO("throttleWriteBpsDevice",  T_LIST, spec_blkio, write_bps, spec_s_blkio_rate),
	FO("throttleReadIOPSDevice",  T_LIST, spec_blkio, read_iops, spec_s_blkio_rate),
	FO("throttleWriteIOPSDevice", T_LIST, spec_blkio, write_iops, spec_s_blkio_rate),
};
SHAPE(spec_s_blkio, spec_blkio, spec_f_blkio);

static const struct spec_field spec_f_hugepage[] = {
	FR("pageSize", T_STR, spec_hugepage, size),
	FR("limit",    T_U64, spec_hugepage, limit),
};
SHAPE(spec_s_hugepage, spec_hugepage, spec_f_hugepage);

static const struct spec_field spec_f_priority[] = {
	FR("name",     T_STR, spec_priority, name),
	FR("priority", T_U32, spec_priority, priority),
};
SHAPE(spec_s_priority, spec_priority, spec_f_priority);

static const struct spec_field spec_f_network[] = {
	F( "classID",    T_U32,  spec_network, class_id),
	FO("priorities", T_LIST, spec_network, priorities, spec_s_priority),
};
SHAPE(spec_s_network, spec_network, spec_f_network);

static const struct spec_field spec_f_rdma[] = {
	F("hcaHandles", T_U32, spec_rdma, handles),
	F("hcaObjects", T_U32, spec_rdma, objects),
};
SHAPE(spec_s_rdma, spec_rdma, spec_f_rdma);

static const struct spec_field spec_f_resources[] = {
	FO("devices",        T_LIST, spec_resources, devices, spec_s_rule),
	FL("memory",         T_OBJ,  0, spec_resources, memory, &spec_s_memory),
	FL("cpu",            T_OBJ,  0, spec_resources, cpu, &spec_s_cpu),
	FL("pids",           T_OBJ,  0, spec_resources, pids, &spec_s_pids),
	FL("blockIO",        T_OBJ,  0, spec_resources, blkio, &spec_s_blkio),
	FL("hugepageLimits", T_LIST, 0, spec_resources, hugepages, &spec_s_hugepage),
	FL("network",        T_OBJ,  0, spec_resources, network, &spec_s_network),
	FL("rdma",           T_OBJS, 0, spec_resources, rdma, &spec_s_rdma),
	FL("unified",        T_MAP,  0, spec_resources, unified, NULL),
};
SHAPE(spec_s_resources, spec_resources, spec_f_resources);

static const struct spec_field spec_f_scmp_arg[] = {
	FR("index",    T_U32, spec_scmp_arg, index),
	FR("value",    T_U64, spec_scmp_arg, value),
	F( "valueTwo", T_U64, spec_scmp_arg, value_two),
	FR("op",       T_STR, spec_scmp_arg, op),
};
SHAPE(spec_s_scmp_arg, spec_scmp_arg, spec_f_scmp_arg);

static const struct spec_field spec_f_scmp_rule[] = {
	FR("names",    T_STRS, spec_scmp_rule, names),
	FR("action",   T_STR,  spec_scmp_rule, action),
	F( "errnoRet", T_U32,  spec_scmp_rule, errno_ret),
	FO("args",     T_LIST, spec_scmp_rule, args, spec_s_scmp_arg),
};
SHAPE(spec_s_scmp_rule, spec_scmp_rule, spec_f_scmp_rule);

static const struct spec_field spec_f_seccomp[] = {
	F( "defaultAction",    T_STR,  spec_seccomp, action),
	F( "defaultErrnoRet",  T_U32,  spec_seccomp, errno_ret),
	F( "architectures",    T_STRS, spec_seccomp, archs),
	F( "flags",            T_STRS, spec_seccomp, flags),
	F( "listenerPath",     T_STR,  spec_seccomp, listener_path),
	F( "listenerMetadata", T_STR,  spec_seccomp, listener_metadata),
	FO("syscalls",         T_LIST, spec_seccomp, rules, spec_s_scmp_rule),
};
SHAPE(spec_s_seccomp, spec_seccomp, spec_f_seccomp);

static const struct spec_field spec_f_time_offset[] = {
	F("secs",     T_I64, spec_time_offset, secs),
	F("nanosecs", T_U32, spec_time_offset, nanosecs),
};
SHAPE(spec_s_time_offset, spec_time_offset, spec_f_time_offset);

static const struct spec_field spec_f_netdev[] = {
	F("name", T_STR, spec_netdev, name),
};
SHAPE(spec_s_netdev, spec_netdev, spec_f_netdev);

static const struct spec_field spec_f_rdt[] = {
	F("closID",           T_STR,  spec_rdt, clos_id),
	F("schemata",         T_STRS, spec_rdt, schemata),
	F("l3CacheSchema",    T_STR,  spec_rdt, l3_cache),
	F("memBwSchema",      T_STR,  spec_rdt, mem_bw),
	F("enableMonitoring", T_BOOL, spec_rdt, monitoring),
};
SHAPE(spec_s_rdt, spec_rdt, spec_f_rdt);

static const struct spec_field spec_f_mempolicy[] = {
	FW("mode",  SPEC_REQUIRED, spec_mempolicy, mode, tab_mpol),
	F( "nodes", T_STR, spec_mempolicy, nodes),
	FX("flags", spec_mempolicy, flags, tab_mpolflag),
};
SHAPE(spec_s_mempolicy, spec_mempolicy, spec_f_mempolicy);

static const struct spec_field spec_f_personality[] = {
	FW("domain", SPEC_REQUIRED, spec_personality, domain, tab_personality),
	F( "flags",  T_STRS, spec_personality, flags),
};
SHAPE(spec_s_personality, spec_personality, spec_f_personality);

static const struct spec_field spec_f_linux[] = {
	FO("namespaces",        T_LIST, spec_linux, namespaces, spec_s_ns),
	FO("devices",           T_LIST, spec_linux, devices, spec_s_device),
	F( "sysctl",            T_MAP,  spec_linux, sysctl),
	FO("resources",         T_OBJ,  spec_linux, resources, spec_s_resources),
	FO("seccomp",           T_OBJ,  spec_linux, seccomp, spec_s_seccomp),
	F( "cgroupsPath",       T_STR,  spec_linux, cgroups_path),
	F( "mountLabel",        T_STR,  spec_linux, mount_label),
	F( "rootfsPropagation", T_STR,  spec_linux, propagation),
	F( "maskedPaths",       T_STRS, spec_linux, masked),
	F( "readonlyPaths",     T_STRS, spec_linux, readonly),
	FO("uidMappings",       T_LIST, spec_linux, uids, spec_s_idmap),
	FO("gidMappings",       T_LIST, spec_linux, gids, spec_s_idmap),
	FO("timeOffsets",       T_OBJS, spec_linux, time_offsets, spec_s_time_offset),
	FO("netDevices",        T_OBJS, spec_linux, netdevs, spec_s_netdev),
	FO("intelRdt",          T_OBJ,  spec_linux, rdt, spec_s_rdt),
	FO("memoryPolicy",      T_OBJ,  spec_linux, mempolicy, spec_s_mempolicy),
	FO("personality",       T_OBJ,  spec_linux, personality, spec_s_personality),
};
SHAPE(spec_s_linux, spec_linux, spec_f_linux);

static const struct spec_field spec_f_top[] = {
	FR("ociVersion",  T_STR,  spec, version),
	FO("root",        T_OBJ,  spec, root, spec_s_root),
	FO("process",     T_OBJ,  spec, process, spec_s_process),
	F( "hostname",    T_STR,  spec, hostname),
	F( "domainname",  T_STR,  spec, domainname),
	FO("mounts",      T_LIST, spec, mounts, spec_s_mount),
	FO("hooks",       T_OBJ,  spec, hooks, spec_s_hooks),
	F( "annotations", T_MAP,  spec, annotations),
	FO("linux",       T_OBJ,  spec, linux_, spec_s_linux),
};
SHAPE(spec_s_top, spec, spec_f_top);
#undef F
#undef FR
#undef FO
#undef FW
#undef FX
#undef FL
#undef SHAPE
/* clang-format on */

static void spec_fill(const struct json *j, int i, const struct spec_shape *sh,
    char *to); /* the shape cycle */

/* One more at the end; the room doubles when it is full. */
static void
spec_add_id(struct spec_ids *ids, uint32_t id)
{
	uint32_t *grown;

	if (!(ids->n & (ids->n - 1))) {
		grown = base_array(ids->n ? ids->n * 2 : 1, sizeof *grown);
		if (ids->n)
			memcpy(grown, ids->v, ids->n * sizeof *grown);
		ids->v = grown;
	}
	ids->v[ids->n++] = id;
}

static char **
spec_strings(const struct json *j, int i)
{
	int k, n = 0, end = json_next(j, i);
	char **list;

	json_expect(j, i, JSMN_ARRAY, "an array of strings");
	list = base_array((size_t)j->tok[i].size + 1, sizeof *list);
	for (k = i + 1; k < end; k = json_next(j, k))
		list[n++] = base_dup(json_string(j, k));
	return list;
}

static void
spec_ids(const struct json *j, int i, struct spec_ids *ids)
{
	int k, end = json_next(j, i);

	json_expect(j, i, JSMN_ARRAY, "an array of ids");
	ids->v = base_array((size_t)j->tok[i].size, sizeof *ids->v);
	ids->set = true;
	ids->n = 0;
	for (k = i + 1; k < end; k = json_next(j, k))
		ids->v[ids->n++] =
		    (uint32_t)json_unsigned(j, k, UINT32_MAX - 1);
}

/* An unknown capability is a grant that this version cannot give: noted, not
 * refused, so that newer engines work on older runtimes (design.md 7). */
static uint64_t
spec_caps(const struct json *j, int i)
{
	uint64_t mask = 0, bit;
	int k, end = json_next(j, i);
	const char *name;

	json_expect(j, i, JSMN_ARRAY, "an array of capabilities");
	for (k = i + 1; k < end; k = json_next(j, k)) {
		name = json_string(j, k);
		if (tab_find(tab_cap, LEN(tab_cap), name, &bit) == 0)
			mask |= (uint64_t)1 << bit;
		else
			err_note(base_fmt(
			    "unknown capability %s is not granted", name));
	}
	return mask;
}

static void
spec_map(const struct json *j, int i, struct spec_list *map)
{
	int k, end = json_next(j, i);
	struct spec_pair *p;

	json_expect(j, i, JSMN_OBJECT, "an object");
	p = map->p = base_array((size_t)j->tok[i].size, sizeof *p);
	map->n = 0;
	for (k = i + 1; k < end; k = json_next(j, k)) {
		p[map->n].tok = k;
		p[map->n].key = json_text(j, k);
		p[map->n++].value = json_string(j, k + 1);
	}
}

static void
spec_objects(const struct json *j, int i, const struct spec_shape *sh,
    struct spec_list *list)
{
	int k, end = json_next(j, i);

	json_expect(j, i, JSMN_ARRAY, "an array");
	list->p = base_array((size_t)j->tok[i].size, sh->size);
	list->n = 0;
	for (k = i + 1; k < end; k = json_next(j, k))
		spec_fill(j, k, sh, (char *)list->p + list->n++ * sh->size);
}

/* The words of list i, or-ed; dies of one that the table does not know. */
static uint64_t
spec_words(const struct json *j, int i, const struct spec_field *f)
{
	int k, end = json_next(j, i);
	uint64_t all = 0, word;

	json_expect(j, i, JSMN_ARRAY, "an array of strings");
	for (k = i + 1; k < end; k = json_next(j, k)) {
		if (tab_find(f->words, f->nwords, json_string(j, k), &word) < 0)
			json_die(
			    j, k, "unknown %s '%s'", f->key, json_text(j, k));
		all |= word;
	}
	return all;
}

/* What every struct of a T_OBJS begins with. */
struct spec_named {
	int tok;
	const char *key;
};

/* An object of objects: the key of each is its second member. A null is an
 * object with nothing in it. */
static void
spec_named(const struct json *j, int i, const struct spec_shape *sh,
    struct spec_list *list)
{
	int k, end = json_next(j, i);
	char *at;

	json_expect(j, i, JSMN_OBJECT, "an object");
	at = list->p = base_array((size_t)j->tok[i].size, sh->size);
	list->n = 0;
	for (k = i + 1; k < end; k = json_next(j, k), at += sh->size) {
		if (json_is_null(j, k + 1))
			*(int *)(void *)at = k;
		else
			spec_fill(j, k + 1, sh, at);
		((struct spec_named *)(void *)at)->key = json_text(j, k);
		list->n++;
	}
}

/* Store the value of token i as field f asks. */
static void
spec_set(const struct json *j, int i, const struct spec_field *f, char *at)
{
	struct spec_int *n = (struct spec_int *)(void *)at;
	uint64_t word;
	char *obj;

	switch (f->type) {
	case T_STR:
		*(const char **)(void *)at = json_string(j, i);
		return;
	case T_BOOL:
		*(bool *)at = json_bool(j, i);
		return;
	case T_I64:
		n->v = json_signed(j, i);
		n->set = true;
		return;
	case T_ID: /* (uid_t)-1 means "leave alone" to the kernel: T33 */
		n->v = (int64_t)json_unsigned(j, i, UINT32_MAX - 1);
		n->set = true;
		return;
	case T_U32:
		n->v = (int64_t)json_unsigned(j, i, UINT32_MAX);
		n->set = true;
		return;
	case T_U64:
		n->v = (int64_t)json_unsigned(j, i, UINT64_MAX);
		n->set = true;
		return;
	case T_WORD:
		if (tab_find(f->words, f->nwords, json_string(j, i), &word) < 0)
			json_die(
			    j, i, "unknown %s '%s'", f->key, json_text(j, i));
		n->v = (int64_t)word;
		n->set = true;
		return;
	case T_WORDS:
		*(uint64_t *)(void *)at = spec_words(j, i, f);
		return;
	case T_STRS:
		*(char ***)(void *)at = spec_strings(j, i);
		return;
	case T_IDS:
		spec_ids(j, i, (struct spec_ids *)(void *)at);
		return;
	case T_CAPS:
		*(uint64_t *)(void *)at = spec_caps(j, i);
		return;
	case T_MAP:
		spec_map(j, i, (struct spec_list *)(void *)at);
		return;
	case T_OBJ:
		obj = base_alloc(f->shape->size);
		spec_fill(j, i, f->shape, obj);
		*(void **)(void *)at = obj;
		return;
	case T_LIST:
		spec_objects(j, i, f->shape, (struct spec_list *)(void *)at);
		return;
	case T_OBJS:
		spec_named(j, i, f->shape, (struct spec_list *)(void *)at);
		return;
	}
}

/* Fill a struct from object i. Unknown keys are skipped. */
static void
spec_fill(const struct json *j, int i, const struct spec_shape *sh, char *to)
{
	const struct spec_field *f;
	uint64_t seen = 0;
	int k, end;
	size_t n;

	json_expect(j, i, JSMN_OBJECT, "an object");
	*(int *)(void *)to = i;
	end = json_next(j, i);
	for (k = i + 1; k < end; k = json_next(j, k)) {
		for (n = 0; n < sh->n; n++) {
			f = &sh->fields[n];
			if (strcasecmp(f->key, json_text(j, k)))
				continue;
			if (strcmp(f->key, json_text(j, k)))
				json_die(
				    j, k, "wrong case, expected '%s'", f->key);
			if (!json_is_null(j, k + 1)) {
				spec_set(j, k + 1, f, to + f->at);
				seen |= (uint64_t)1 << n;
			}
			break;
		}
	}
	for (n = 0; n < sh->n; n++)
		if ((sh->fields[n].flags & SPEC_REQUIRED) && !(seen >> n & 1))
			json_die(j, i, "'%s' is missing", sh->fields[n].key);
}

/* Dies of the first member of object i that asks for what is not built yet.
 * Runs behind spec_check: what is wrong is called wrong. */
static void
spec_refuse_later(const struct json *j, int i, const struct spec_shape *sh)
{
	const struct spec_field *f = NULL;
	int k, m, asks, end = json_next(j, i);

	for (k = i + 1; k < end; k = json_next(j, k)) {
		for (f = sh->fields; f < sh->fields + sh->n; f++)
			if (!strcmp(f->key, json_text(j, k)))
				break;
		if (f == sh->fields + sh->n || json_is_null(j, k + 1))
			continue;
		asks = -1;
		if (f->flags & SPEC_LATER)
			asks = json_nontrivial(j, k + 1);
		else if (f->flags & SPEC_NEVER && j->tok[k + 1].size)
			asks = json_first_scalar(j, k + 1);
		if (asks >= 0)
			json_die(
			    j, asks, "not supported by this version of ocirt");
		if (f->type == T_OBJ)
			spec_refuse_later(j, k + 1, f->shape);
		for (m = k + 2; f->type == T_LIST && m < json_next(j, k);
		     m = json_next(j, m))
			spec_refuse_later(j, m, f->shape);
	}
}

/* Whether a field is more than read and refused: "features" asks. */
static bool
spec_is_built(const struct spec_shape *sh, const char *key)
{
	size_t i;

	for (i = 0; i < sh->n; i++)
		if (!strcmp(sh->fields[i].key, key))
			return !(
			    sh->fields[i].flags & (SPEC_LATER | SPEC_NEVER));
	return false;
}

/* The value of key in object obj, or the object when the key is not there. */
static int
spec_at(const struct json *j, int obj, const char *key)
{
	int i = json_get(j, obj, key);

	return i >= 0 ? i : obj;
}

/* Die of the value of key in the object that a struct came from. */
#define spec_die(s, obj, key, ...)                                             \
	json_die(&(s)->json, spec_at(&(s)->json, (obj)->tok, key), __VA_ARGS__)

static void
spec_check_version(const struct spec *s)
{
	const char *v = s->version;
	size_t n = strspn(v, "0123456789");

	if (!n || v[n] != '.')
		spec_die(s, s, "ociVersion", "'%s' is no version", v);
	if (n != 1 || *v != '1')
		spec_die(s, s, "ociVersion",
		    "version %s is not supported (expected 1.x)", v);
}

/* The namespace of a kind that is not our caller's: a new one, or one that is
 * joined and has a path. */
static const struct spec_ns *
spec_ns(const struct spec *s, enum tab_ns_index which)
{
	const struct spec_ns *ns = s->linux_ ? s->linux_->namespaces.p : NULL;
	size_t i;

	for (i = 0; ns && i < s->linux_->namespaces.n; i++)
		if (ns[i].index == which && !ns[i].inherited)
			return &ns[i];
	return NULL;
}

/* Is the namespace of this kind the container's own, made for it? */
static bool
spec_new_ns(const struct spec *s, enum tab_ns_index which)
{
	const struct spec_ns *ns = spec_ns(s, which);

	return ns && !ns->path;
}

static void
spec_check_namespaces(const struct spec *s)
{
	struct spec_ns *ns = s->linux_->namespaces.p;
	size_t i, k;

	for (i = 0; i < s->linux_->namespaces.n; i++) {
		for (k = 0; k < NS_COUNT; k++)
			if (!strcmp(tab_ns[k].name, ns[i].type))
				break;
		if (k == NS_COUNT)
			spec_die(s, &ns[i], "type",
			    "namespace '%s' does not exist", ns[i].type);
		ns[i].index = (enum tab_ns_index)k;
		if (ns[i].path && !*ns[i].path)
			ns[i].path = NULL;
		if (ns[i].path && *ns[i].path != '/')
			spec_die(s, &ns[i], "path", "'%s' is no absolute path",
			    ns[i].path);
		for (k = 0; k < i; k++)
			if (ns[k].index == ns[i].index)
				spec_die(s, &ns[i], "type",
				    "malformed spec file: duplicated ns '%s'",
				    ns[i].type);
	}
}

/* The id outside of one inside; -1 where the mappings have none. */
static int64_t
spec_map_id(const struct spec_list *maps, int64_t id)
{
	const struct spec_idmap *m = maps->p;
	size_t i;

	for (i = 0; i < maps->n; i++)
		if (id >= m[i].container.v &&
		    id - m[i].container.v < m[i].size.v)
			return m[i].host.v + id - m[i].container.v;
	return -1;
}

#define SPEC_MAP_LINES 340 /* user_namespaces(7): Linux 4.15; 5 before */

static bool
spec_maps_overlap(
    const struct spec_int *a, int64_t n, const struct spec_int *b, int64_t m)
{
	return a->v < b->v + m && b->v < a->v + n;
}

/* What the kernel answers with a bare EINVAL is explained here. */
static void
spec_check_maps(
    const struct spec *s, const struct spec_list *maps, const char *key)
{
	const struct spec_idmap *m = maps->p;
	size_t i, k;

	if (maps->n > SPEC_MAP_LINES)
		spec_die(s, s->linux_, key, "%zu mappings, at most %d", maps->n,
		    SPEC_MAP_LINES);
	for (i = 0; i < maps->n; i++) {
		if (!m[i].size.v)
			spec_die(s, &m[i], "size", "a mapping of no ids");
		if (m[i].container.v + m[i].size.v > UINT32_MAX ||
		    m[i].host.v + m[i].size.v > UINT32_MAX)
			spec_die(s, &m[i], "size",
			    "the range ends above the "
			    "highest id");
		for (k = 0; k < i; k++)
			if (spec_maps_overlap(&m[i].container, m[i].size.v,
				&m[k].container, m[k].size.v) ||
			    spec_maps_overlap(&m[i].host, m[i].size.v,
				&m[k].host, m[k].size.v))
				json_die(&s->json, m[i].tok,
				    "overlaps mapping %zu", k);
	}
}

/* Ids that the container's process has must exist in it: root, for whom its
 * files are made, and process.user. */
static void
spec_check_mapped(const struct spec *s)
{
	const struct spec_user *u = s->process ? s->process->user : NULL;
	const struct spec_list *uids = &s->linux_->uids,
			       *gids = &s->linux_->gids;
	size_t i;

	if (!uids->n && !gids->n)
		return;
	if (spec_map_id(uids, 0) < 0)
		spec_die(s, s->linux_, "uidMappings", "no mapping for uid 0");
	if (spec_map_id(gids, 0) < 0)
		spec_die(s, s->linux_, "gidMappings", "no mapping for gid 0");
	if (!u)
		return;
	if (spec_map_id(uids, u->uid.v) < 0)
		spec_die(s, u, "uid",
		    "cannot setuid to unmapped uid %lld in user namespace",
		    (long long)u->uid.v);
	if (spec_map_id(gids, u->gid.v) < 0)
		spec_die(s, u, "gid",
		    "cannot setgid to unmapped gid %lld in user namespace",
		    (long long)u->gid.v);
	for (i = 0; i < u->groups.n; i++)
		if (spec_map_id(gids, u->groups.v[i]) < 0)
			spec_die(s, u, "additionalGids",
			    "gid %u is not mapped in user namespace",
			    u->groups.v[i]);
}

/* A new user namespace needs both mappings, without one they say nothing. For
 * a joined one they may repeat what it has: run_check_maps() compares. */
static void
spec_check_user_ns(const struct spec *s)
{
	const struct spec_linux *l = s->linux_;
	const char *key = l->uids.n ? "uidMappings" : "gidMappings";

	if (!spec_ns(s, NS_USER) && (l->uids.n || l->gids.n))
		spec_die(s, l, key, "mappings without a user namespace");
	if (spec_new_ns(s, NS_USER) && (!l->uids.n || !l->gids.n))
		json_die(&s->json, spec_ns(s, NS_USER)->tok,
		    "a user namespace needs uidMappings and gidMappings, or a "
		    "path");
	spec_check_maps(s, &l->uids, "uidMappings");
	spec_check_maps(s, &l->gids, "gidMappings");
	spec_check_mapped(s);
}

static void
spec_check_time_offsets(const struct spec *s)
{
	const struct spec_time_offset *t = s->linux_->time_offsets.p;
	size_t i;

	for (i = 0; i < s->linux_->time_offsets.n; i++) {
		if (!spec_new_ns(s, NS_TIME))
			spec_die(s, s->linux_, "timeOffsets",
			    "time offsets need a new time namespace");
		if (strcmp(t[i].clock, "monotonic") &&
		    strcmp(t[i].clock, "boottime"))
			json_die(&s->json, t[i].tok,
			    "unknown clock '%s' (expected monotonic or "
			    "boottime)",
			    t[i].clock);
		if (t[i].nanosecs.v > 999999999)
			spec_die(s, &t[i], "nanosecs",
			    "out of range (0 to 999999999)");
	}
}

/* Threat T36: a sysctl that is not the container's own would be the host's. */
static void
spec_check_sysctl(const struct spec *s)
{
	const struct spec_pair *p = s->linux_->sysctl.p;
	const struct tab_sysctl *t;
	char *key, *c;
	size_t i, k, n;

	for (i = 0; i < s->linux_->sysctl.n; i++) {
		key = base_dup(p[i].key);
		/* net/ipv4/conf/eth0.1/x: '.' and '/' swap when '/' is first */
		if (key[strcspn(key, "./")] == '/')
			for (c = key; *c; c++)
				*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
		for (k = 0; k < LEN(tab_sysctl); k++) {
			t = &tab_sysctl[k];
			n = strlen(t->key);
			if (t->key[n - 1] == '.' ? !strncmp(key, t->key, n) :
						   !strcmp(key, t->key))
				break;
		}
		if (!strcmp(key, "kernel.hostname"))
			json_die(&s->json, p[i].tok,
			    "use 'hostname' instead of this sysctl");
		if (k == LEN(tab_sysctl) || strstr(key, "..") ||
		    strstr(key, "./") || key[strlen(key) - 1] == '.')
			json_die(&s->json, p[i].tok,
			    "sysctl \"%s\" is not in a separate kernel "
			    "namespace",
			    p[i].key);
		if (!spec_ns(s, tab_sysctl[k].ns))
			json_die(&s->json, p[i].tok,
			    "sysctl \"%s\" needs a %s namespace", p[i].key,
			    tab_ns[tab_sysctl[k].ns].name);
		if (strchr(p[i].value, '\n'))
			json_die(&s->json, p[i].tok, "a newline in the value");
	}
}

static void
spec_check_paths(const struct spec *s, const char *key, char *const *list)
{
	size_t i;

	if (list && *list && !spec_new_ns(s, NS_MNT))
		spec_die(s, s->linux_, key,
		    "unable to restrict paths without a private mount "
		    "namespace");
	for (i = 0; list && list[i]; i++)
		if (list[i][0] != '/')
			spec_die(s, s->linux_, key, "'%s' is no absolute path",
			    list[i]);
}

/* "c 1:3 rwm" of a rule; absent numbers and -1 are '*'. */
static char *
spec_device_rule(const struct spec_device_rule *r)
{
	char *major = "*", *minor = "*";

	if (!r->type || *r->type == 'a')
		return base_dup("a");
	if (r->major.set && r->major.v >= 0)
		major = base_fmt("%lld", (long long)r->major.v);
	if (r->minor.set && r->minor.v >= 0)
		minor = base_fmt("%lld", (long long)r->minor.v);
	return base_fmt("%s %s:%s %s", r->type, major, minor, r->access);
}

static bool
spec_may_mknod(const struct spec_caps *c)
{
	return c && ((c->bounding | c->effective | c->permitted |
			 c->inheritable | c->ambient) >>
			    TAB_CAP_MKNOD &
			1);
}

static void
spec_check_devices(const struct spec *s)
{
	const struct spec_device *d = s->linux_->devices.p;
	const struct spec_device_rule *r;
	size_t i;

	for (i = 0; i < s->linux_->devices.n; i++) {
		if (d[i].path[0] != '/')
			spec_die(s, &d[i], "path", "expected an absolute path");
		if (d[i].type.v != S_IFIFO &&
		    (!d[i].major.set || !d[i].minor.set))
			json_die(&s->json, d[i].tok,
			    "'major' and 'minor' are missing");
		/* what the kernel's dev_t holds */
		if (d[i].major.v < 0 || d[i].major.v > 0xfff)
			spec_die(s, &d[i], "major", "out of range (0 to 4095)");
		if (d[i].minor.v < 0 || d[i].minor.v > 0xfffff)
			spec_die(
			    s, &d[i], "minor", "out of range (0 to 1048575)");
	}
	if (!s->linux_->resources)
		return;
	r = s->linux_->resources->devices.p;
	for (i = 0; i < s->linux_->resources->devices.n; i++) {
		if (!r[i].access || !*r[i].access)
			json_die(&s->json, r[i].tok,
			    "device access at %zu field cannot be empty", i);
		if (r[i].access[strspn(r[i].access, "rwm")])
			spec_die(s, &r[i], "access", "expected some of 'rwm'");
		if (r[i].type && (!r[i].type[0] || r[i].type[1] ||
				     !strchr("abc", r[i].type[0])))
			spec_die(s, &r[i], "type", "expected 'a', 'b' or 'c'");
	}
}

/* closID is one name below resctrl, or "/" for its root. */
static void
spec_check_rdt(const struct spec *s, const struct spec_rdt *c)
{
	size_t i;

	if (c->clos_id && strcmp(c->clos_id, "/") &&
	    (strchr(c->clos_id, '/') || !strcmp(c->clos_id, ".") ||
		!strcmp(c->clos_id, "..")))
		spec_die(
		    s, c, "closID", "'%s' is no name of a group", c->clos_id);
	if (c->l3_cache && strchr(c->l3_cache, '\n'))
		spec_die(s, c, "l3CacheSchema", "a newline in a schema");
	if (c->mem_bw && strchr(c->mem_bw, '\n'))
		spec_die(s, c, "memBwSchema", "a newline in a schema");
	if (c->mem_bw && *c->mem_bw && strncmp(c->mem_bw, "MB:", 3))
		spec_die(s, c, "memBwSchema", "expected 'MB:' in front");
	for (i = 0; c->schemata && c->schemata[i]; i++)
		if (strchr(c->schemata[i], '\n'))
			spec_die(s, c, "schemata", "a newline in entry %zu", i);
}

/* May a network device be called that? The kernel's rules, and no ':', which
 * names an alias. %d once stands for a number that the kernel would choose. */
static bool
spec_is_netdev(const char *name, bool pattern)
{
	const char *percent = strchr(name, '%');

	return *name && strlen(name) < IFNAMSIZ && strcmp(name, ".") &&
	       strcmp(name, "..") && !name[strcspn(name, "/: \t\n\v\f\r")] &&
	       (!percent ||
		   (pattern && percent[1] == 'd' && !strchr(percent + 1, '%')));
}

static void
spec_check_netdevs(const struct spec *s)
{
	struct spec_netdev *d = s->linux_->netdevs.p;
	size_t i, k, n = s->linux_->netdevs.n;

	if (n && !spec_ns(s, NS_NET))
		spec_die(s, s->linux_, "netDevices",
		    "unable to move network devices without a NET namespace");
	for (i = 0; i < n; i++) {
		if (!spec_is_netdev(d[i].host, false))
			json_die(&s->json, d[i].tok,
			    "'%s' is no name of a network device", d[i].host);
		if (!d[i].name || !*d[i].name)
			d[i].name = d[i].host;
		if (!spec_is_netdev(d[i].name, true))
			spec_die(s, &d[i], "name",
			    "'%s' is no name for a network device", d[i].name);
		for (k = 0; k < i; k++)
			if (!strchr(d[i].name, '%') &&
			    !strcmp(d[k].name, d[i].name))
				spec_die(s, &d[i], "name",
				    "two network devices are to be '%s'",
				    d[i].name);
	}
}

static void
spec_check_mempolicy(const struct spec *s, const struct spec_mempolicy *m)
{
	const char *word =
	    tab_word(tab_mpol, LEN(tab_mpol), (uint64_t)m->mode.v);
	bool some = m->nodes && *m->nodes;
	struct base_bits nodes;

	if (some && base_bits(m->nodes, &nodes) < 0)
		spec_die(
		    s, m, "nodes", "'%s' is no list of memory nodes", m->nodes);
	if (some && (TAB_MPOL_NO_NODES >> m->mode.v & 1))
		spec_die(s, m, "nodes", "%s has no nodes", word);
	if (!some && (TAB_MPOL_NEEDS_NODES >> m->mode.v & 1))
		spec_die(s, m, "nodes", "%s needs nodes", word);
}

static void
spec_check_linux(const struct spec *s)
{
	uint64_t v;

	if (s->linux_->mempolicy)
		spec_check_mempolicy(s, s->linux_->mempolicy);
	if (s->linux_->personality && s->linux_->personality->flags &&
	    *s->linux_->personality->flags)
		err_note("personality flags are ignored: the runtime spec "
			 "defines none");

	spec_check_namespaces(s);
	spec_check_user_ns(s);
	spec_check_time_offsets(s);
	spec_check_netdevs(s);
	if (s->linux_->rdt)
		spec_check_rdt(s, s->linux_->rdt);
	spec_check_sysctl(s);
	spec_check_paths(s, "maskedPaths", s->linux_->masked);
	spec_check_paths(s, "readonlyPaths", s->linux_->readonly);
	spec_check_devices(s);
	if (s->linux_->propagation && *s->linux_->propagation &&
	    tab_find(tab_propagation, LEN(tab_propagation),
		s->linux_->propagation, &v) < 0)
		spec_die(s, s->linux_, "rootfsPropagation",
		    "rootfsPropagation=%s is not supported",
		    s->linux_->propagation);
	if (!SECCOMP && s->linux_->seccomp)
		spec_die(s, s->linux_, "seccomp",
		    "a filter is asked for, but ocirt was built without "
		    "seccomp");
}

static void
spec_check_env(const struct spec *s, int tok, char *const *env)
{
	size_t i;

	for (i = 0; env && env[i]; i++)
		if (env[i][0] == '=' || !strchr(env[i], '='))
			json_die(
			    &s->json, tok, "entry %zu is not NAME=VALUE", i);
}

/* sched(7): each policy has parameters of its own; another's are a mistake. */
static void
spec_check_scheduler(const struct spec *s, const struct spec_scheduler *c)
{
	const bool fair =
	    c->policy.v == TAB_SCHED_OTHER || c->policy.v == TAB_SCHED_BATCH;
	const bool real =
	    c->policy.v == TAB_SCHED_FIFO || c->policy.v == TAB_SCHED_RR;
	const bool deadline = c->policy.v == TAB_SCHED_DEADLINE;
	const char *word =
	    tab_word(tab_sched, LEN(tab_sched), (uint64_t)c->policy.v);
	const bool keep = c->flags & TAB_SCHED_KEEP_PARAMS;

	if (c->nice.v < -20 || c->nice.v > 19)
		spec_die(s, c, "nice", "out of range (-20 to 19)");
	if (c->nice.v && !fair)
		spec_die(s, c, "nice", "%s has no nice value", word);
	if (c->priority.v && !real)
		spec_die(s, c, "priority", "%s has no priority", word);
	if (real && !keep && (c->priority.v < 1 || c->priority.v > 99))
		spec_die(s, c, "priority", "%s needs one from 1 to 99", word);
	if (c->runtime.v && !deadline)
		spec_die(s, c, "runtime", "%s has no runtime", word);
	if (c->deadline.v && !deadline)
		spec_die(s, c, "deadline", "%s has no deadline", word);
	if (c->period.v && !deadline)
		spec_die(s, c, "period", "%s has no period", word);
	if (!deadline || keep)
		return;
	/* the kernel's own limits: 1024 ns, and 63 bits */
	if (c->runtime.v < 1024)
		spec_die(s, c, "runtime", "out of range (1024 to 2^63-1)");
	if (c->deadline.v < c->runtime.v)
		spec_die(s, c, "deadline", "below 'runtime', or above 2^63-1");
	if (c->period.v && c->period.v < c->deadline.v)
		spec_die(s, c, "period", "below 'deadline', or above 2^63-1");
}

static void
spec_check_priorities(const struct spec *s, const struct spec_process *p)
{
	const struct spec_affinity *a = p->affinity;
	struct base_bits cpus;

	if (p->scheduler)
		spec_check_scheduler(s, p->scheduler);
	if (p->ioprio &&
	    (p->ioprio->priority.v < 0 || p->ioprio->priority.v > 7))
		spec_die(s, p->ioprio, "priority", "out of range (0 to 7)");
	if (a && a->initial && *a->initial && base_bits(a->initial, &cpus) < 0)
		spec_die(s, a, "initial", "'%s' is no list of processors",
		    a->initial);
	if (a && a->final && *a->final && base_bits(a->final, &cpus) < 0)
		spec_die(
		    s, a, "final", "'%s' is no list of processors", a->final);
}

static void
spec_check_process(const struct spec *s, const struct spec_process *p)
{
	const struct spec_rlimit *r = p->rlimits.p;
	size_t i, k;

	if (p->cwd[0] != '/')
		spec_die(s, p, "cwd", "Cwd must be an absolute path");
	if (!p->args || !p->args[0])
		spec_die(s, p, "args", "process args cannot be empty");
	spec_check_env(s, json_get(&s->json, p->tok, "env"), p->env);
	for (i = 0; i < p->rlimits.n; i++) {
		for (k = 0; k < i; k++)
			if (r[k].type.v == r[i].type.v)
				spec_die(s, &r[i], "type", "duplicate rlimit");
		if ((uint64_t)r[i].soft.v > (uint64_t)r[i].hard.v)
			spec_die(s, &r[i], "soft", "above 'hard'");
	}
	if (p->user && p->user->umask.v > 0777)
		spec_die(s, p->user, "umask", "out of range (0 to 511)");
	if (p->oom_score_adj.v < -1000 || p->oom_score_adj.v > 1000)
		spec_die(s, p, "oomScoreAdj", "out of range (-1000 to 1000)");
	spec_check_priorities(s, p);
	if (p->console_size && (p->console_size->height.v > UINT16_MAX ||
				   p->console_size->width.v > UINT16_MAX))
		spec_die(s, p, "consoleSize", "out of range (0 to 65535)");
}

static void
spec_check_hooks(const struct spec *s)
{
	const struct spec_hook *h;
	size_t i, k;

	for (i = 0; i < HOOK_COUNT; i++) {
		h = s->hooks->list[i].p;
		for (k = 0; k < s->hooks->list[i].n; k++) {
			if (h[k].path[0] != '/')
				spec_die(s, &h[k], "path",
				    "expected an absolute path");
			if (h[k].timeout.set && h[k].timeout.v <= 0)
				spec_die(s, &h[k], "timeout",
				    "expected more than 0 seconds");
			spec_check_env(
			    s, json_get(&s->json, h[k].tok, "env"), h[k].env);
		}
	}
}

static void
spec_check_mounts(const struct spec *s)
{
	const struct spec_mount *m = s->mounts.p;
	size_t i;

	for (i = 0; i < s->mounts.n; i++) {
		if (!m[i].uids.n != !m[i].gids.n)
			json_die(&s->json, m[i].tok,
			    "id-mapped mounts must have both uid and gid "
			    "mappings specified");
		spec_check_maps(s, &m[i].uids, "uidMappings");
		spec_check_maps(s, &m[i].gids, "gidMappings");
	}
}

/* What is right in form but cannot be meant: dies of the first such value. */
static void
spec_check(const struct spec *s)
{
	const struct spec_pair *a = s->annotations.p;
	size_t i;

	spec_check_version(s);
	if (!s->root)
		json_die(&s->json, 0, "'root' is missing");
	if (!*s->root->path)
		spec_die(s, s->root, "path", "expected a path");
	spec_check_linux(s);
	spec_check_mounts(s);
	if (s->process)
		spec_check_process(s, s->process);
	if (s->hooks)
		spec_check_hooks(s);
	if (s->hostname && *s->hostname && !spec_ns(s, NS_UTS))
		spec_die(s, s, "hostname",
		    "unable to set hostname without a private UTS namespace");
	if (s->domainname && *s->domainname && !spec_ns(s, NS_UTS))
		spec_die(s, s, "domainname",
		    "unable to set domainname without a private UTS namespace");
	for (i = 0; i < s->annotations.n; i++)
		if (!*a[i].key)
			json_die(
			    &s->json, a[i].tok, "an annotation needs a name");
}

/* A config of today as struct spec, checked; dies of anything wrong in it. */
static struct spec *
spec_read(const struct json *j)
{
	struct spec *s = base_alloc(sizeof *s);

	s->json = *j;
	json_expect(j, 0, JSMN_OBJECT, "an object");
	spec_fill(j, 0, &spec_s_top, (char *)s);
	if (!s->linux_)
		s->linux_ = base_alloc(sizeof *s->linux_);
	spec_check(s);
	spec_refuse_later(&s->json, 0, &spec_s_top);
	return s;
}

/* A process file of "exec --process": the same object as config.json's
 * process. */
static struct spec *
spec_read_process(const char *file, char *text, size_t len)
{
	struct spec *s = base_alloc(sizeof *s);

	json_parse(&s->json, file, text, len);
	json_expect(&s->json, 0, JSMN_OBJECT, "an object");
	leg_translate_process(&s->json);
	s->process = base_alloc(sizeof *s->process);
	spec_fill(&s->json, 0, &spec_s_process, (char *)s->process);
	spec_check_process(s, s->process);
	spec_refuse_later(&s->json, 0, &spec_s_process);
	return s;
}

/* == 9 LIMIT ========================================= limit_ ==== [rows][pure]
 * Owns:   what a resource of the config is called in cgroup files: one table,
 *         a row a field, a column for v1 and one for v2.
 * Calls:  BASE ERR SPEC. No system calls.
 * Runs:   parent, while the plan is made, and update.
 * Change: a new field is a row in limit_knob and a line in tests/limit.t. What
 *         a column cannot say is limit_never: zero and false pass it, for
 *         Docker sends them, a real request is refused.
 */

/* One write to a file of the container's cgroup in the controller's
 * hierarchy. The kernel may know the file by another name, with a scale of its
 * own: file[1], value[1]. */
struct limit_write {
	const char *field;      /* below linux.resources */
	const char *controller; /* by its v1 name; "" is the v2 core */
	const char *file[2], *value[2];
	int tok;
	bool optional; /* where there is no such file nothing is lost */
	bool v2;       /* of unified: on no v1 hierarchy */
};

struct limit_list {
	struct limit_write *w;
	size_t n, cap;
};

struct limit;
typedef void limit_as(struct limit *l, const char *file);

struct limit_knob {
	const char *field, *controller;
	size_t object; /* in struct spec_resources, or LIMIT_TOP */
	size_t at;     /* in the object */
	enum spec_type type;
	const char *v1_file;
	limit_as *v1_as;
	const char *v2_file;
	limit_as *v2_as;
};

/* One field on its way from the config to the list. */
struct limit {
	const struct spec *spec;
	const struct spec_resources *r;
	const struct limit_knob *k;
	bool v2;
	struct limit_list *out;
};

#define LIMIT_TOP SIZE_MAX

/* The object that the field is in; NULL when the config has none. */
static const char *
limit_object(const struct limit *l)
{
	const char *r = (const char *)l->r;

	if (l->k->object == LIMIT_TOP)
		return r;
	return *(const char *const *)(const void *)(r + l->k->object);
}

static const void *
limit_at(const struct limit *l)
{
	const char *obj = limit_object(l);

	return obj ? obj + l->k->at : NULL;
}

static int
limit_tok(const struct limit *l)
{
	const char *obj = limit_object(l), *key = strrchr(l->k->field, '.');
	int tok = *(const int *)(const void *)obj;
	int at = json_get(&l->spec->json, tok, key ? key + 1 : l->k->field);

	return at >= 0 ? at : tok;
}

#define limit_die(l, ...) json_die(&(l)->spec->json, limit_tok(l), __VA_ARGS__)

static struct limit_write *
limit_put(struct limit *l, const char *file, const char *value)
{
	struct limit_list *o = l->out;
	struct limit_write *grown, *w;

	if (o->n == o->cap) {
		o->cap = o->cap * 2 + 16;
		grown = base_array(o->cap, sizeof *grown);
		if (o->n)
			memcpy(grown, o->w, o->n * sizeof *grown);
		o->w = grown;
	}
	w = &o->w[o->n++];
	*w = (struct limit_write){ .field = l->k->field,
		.controller = l->k->controller,
		.file = { file },
		.value = { value },
		.tok = limit_tok(l) };
	return w;
}

/* The number of the field. false when it is absent. */
static bool
limit_number(const struct limit *l, int64_t *v)
{
	const struct spec_int *n = limit_at(l);

	if (n && n->set)
		*v = n->v;
	return n && n->set;
}

/* Does the config ask for anything by this field? */
static bool
limit_asked(const struct limit *l)
{
	const void *at = limit_at(l);
	int64_t v = 0;

	switch (l->k->type) {
	case T_BOOL:
		return at && *(const bool *)at;
	case T_STR:
		return at && *(const char *const *)at &&
		       **(const char *const *)at;
	case T_LIST:
	case T_OBJS:
	case T_MAP:
		return at && ((const struct spec_list *)at)->n;
	default: /* writers of 1.0 said "unset" by all bits set */
		return limit_number(l, &v) && v &&
		       !(l->k->type == T_U64 && v == -1);
	}
}

/* ---- how a value is written ---- */

static void
limit_never(struct limit *l, const char *file)
{
	(void)file;
	if (limit_asked(l))
		limit_die(
		    l, "cgroup %s has no such limit", l->v2 ? "v2" : "v1");
}

/* Always so, whatever the config says. */
static void
limit_silent(struct limit *l, const char *file)
{
	(void)l;
	(void)file;
}

/* Gone from the kernel (5.16, 6.12) and from the specification. */
static void
limit_ignored(struct limit *l, const char *file)
{
	(void)file;
	if (limit_asked(l))
		err_note(base_fmt("%s is ignored: kernel memory is no longer "
				  "limited on its own",
		    l->k->field));
}

static void
limit_plain(struct limit *l, const char *file)
{
	int64_t v = 0;

	if (limit_number(l, &v) && v)
		limit_put(l, file,
		    l->k->type == T_I64 ?
			base_fmt("%lld", (long long)v) :
			base_fmt("%llu", (unsigned long long)v));
}

/* Below zero there is no limit: -1 on v1. */
static void
limit_minus(struct limit *l, const char *file)
{
	int64_t v = 0;

	if (limit_number(l, &v) && v)
		limit_put(
		    l, file, base_fmt("%lld", v < 0 ? -1ll : (long long)v));
}

/* Below zero there is no limit: "max" on v2. */
static void
limit_max(struct limit *l, const char *file)
{
	int64_t v = 0;

	if (limit_number(l, &v) && v)
		limit_put(
		    l, file, v < 0 ? "max" : base_fmt("%lld", (long long)v));
}

/* Zero is a limit like any other (runtime-spec 1.3). */
static void
limit_count(struct limit *l, const char *file)
{
	int64_t v = 0;

	if (limit_number(l, &v))
		limit_put(
		    l, file, v < 0 ? "max" : base_fmt("%lld", (long long)v));
}

static void
limit_true(struct limit *l, const char *file)
{
	if (limit_asked(l))
		limit_put(l, file, "1");
}

static void
limit_text(struct limit *l, const char *file)
{
	const char *s;

	if (!limit_asked(l))
		return;
	s = *(const char *const *)limit_at(l);
	if (strchr(s, '\n'))
		limit_die(l, "a newline in the value");
	limit_put(l, file, s);
}

static void
limit_swappiness(struct limit *l, const char *file)
{
	int64_t v = 0;

	if (!limit_number(l, &v) || v == -1)
		return;
	if ((uint64_t)v > 100)
		limit_die(l, "out of range (0 to 100)");
	limit_put(l, file, base_fmt("%d", (int)v));
}

/* memory.swap counts memory and swap together. */
static void
limit_check_swap(const struct limit *l, int64_t swap)
{
	int64_t limit = l->r->memory->limit.v;

	if (swap <= 0)
		return;
	if (!limit)
		limit_die(l, "unable to set swap limit without memory limit");
	if (limit > 0 && swap < limit)
		limit_die(l, "memory+swap limit should be >= memory limit");
}

/* A limit that goes takes the one of memory and swap with it. */
static bool
limit_swap(const struct limit *l, int64_t *swap)
{
	if (!l->r->memory)
		return false;
	if (!limit_number(l, swap) || !*swap) {
		*swap = -1;
		return l->r->memory->limit.v < 0;
	}
	limit_check_swap(l, *swap);
	return true;
}

static void
limit_memsw(struct limit *l, const char *file)
{
	int64_t swap = 0;

	if (limit_swap(l, &swap))
		limit_put(l, file,
		    base_fmt("%lld", swap < 0 ? -1ll : (long long)swap))
		    ->optional = swap < 0;
}

/* v2 counts swap alone. */
static void
limit_swap_only(struct limit *l, const char *file)
{
	int64_t swap = 0;

	if (!limit_swap(l, &swap))
		return;
	if (swap > 0 && l->r->memory->limit.v > 0)
		swap -= l->r->memory->limit.v;
	limit_put(l, file, swap < 0 ? "max" : base_fmt("%lld", (long long)swap))
	    ->optional = swap <= 0;
}

/* log2 of x >= 1 with 24 binary digits behind the point. */
static int64_t
limit_log2(uint64_t x)
{
	int n = 63 - __builtin_clzll(x), i;
	int64_t r = (int64_t)n << 24;
	uint64_t m = n > 31 ? x >> (n - 31) : x << (31 - n);

	for (i = 23; i >= 0; i--) {
		m = m * m >> 31;
		if (m >> 32) {
			m >>= 1;
			r |= (int64_t)1 << i;
		}
	}
	return r;
}

/* v1's 2..262144 as v2's 1..10000, both defaults (1024, 100) alike: the least
 * w with log10(w) >= (l*l + 125*l) / 612 - 7/34, l being log2(shares). runc
 * and crun compute it so since 2025, in floating point. */
static unsigned
limit_weight(uint64_t shares)
{
	const int64_t log2_10 = 55732705; /* in 2^-24 */
	int64_t l, want;
	unsigned lo = 1, hi = 10000, mid;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = limit_log2(shares);
	want = (l * l >> 24) + 125 * l - ((int64_t)126 << 24);
	want = want * log2_10 / 612 >> 24;
	while (lo < hi) {
		mid = (lo + hi) / 2;
		/* 1: what truncation took */
		if (limit_log2(mid) + 1 >= want)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* The weight of an idle group cannot be set. */
static void
limit_shares(struct limit *l, const char *file)
{
	int64_t v = 0;

	if (limit_number(l, &v) && v && l->r->cpu->idle.v != 1)
		limit_put(l, file, base_fmt("%u", limit_weight((uint64_t)v)));
}

static void
limit_idle(struct limit *l, const char *file)
{
	int64_t v = 0;

	if (limit_number(l, &v))
		limit_put(l, file, base_fmt("%lld", (long long)v))->optional =
		    !v;
}

/* v2 has quota and period in one file; the kernel's default period is 100 ms.
 * The row of the period stands for both when it is there alone. */
static void
limit_cpu_max(struct limit *l, const char *file)
{
	const struct spec_cpu *c = l->r->cpu;
	long long period;

	if (!c || (!c->quota.v && !c->period.v))
		return;
	period = c->period.v ? (long long)c->period.v : 100000;
	if (c->quota.v > 0)
		limit_put(l, file,
		    base_fmt("%lld %lld", (long long)c->quota.v, period));
	else
		limit_put(l, file, base_fmt("max %lld", period));
}

/* ---- block devices ---- */

static char *
limit_device(const struct spec_blkio_device *d, const char *how, uint64_t v)
{
	return base_fmt("%lld:%lld %s%llu", (long long)d->major.v,
	    (long long)d->minor.v, how, (unsigned long long)v);
}

static void
limit_check_weight(const struct limit *l, int tok, const struct spec_int *w)
{
	if (w->set && w->v && (w->v < 10 || w->v > 1000))
		json_die(&l->spec->json, tok, "out of range (10 to 1000)");
}

/* v1 has one name with and one without bfq; both count from 10 to 1000. */
static void
limit_io_weight1(struct limit *l, const char *file)
{
	const struct spec_int *w = limit_at(l);
	struct limit_write *put;

	if (!limit_asked(l))
		return;
	limit_check_weight(l, limit_tok(l), w);
	put = limit_put(l, file, base_fmt("%lld", (long long)w->v));
	if (!strcmp(file, "blkio.weight")) {
		put->file[1] = "blkio.bfq.weight";
		put->value[1] = put->value[0];
	}
}

/* bfq's scale is v1's; the other file counts from 1 to 10000. */
static void
limit_io_weight2(struct limit *l, const char *file)
{
	const struct spec_int *w = limit_at(l);
	struct limit_write *put;

	if (!limit_asked(l))
		return;
	limit_check_weight(l, limit_tok(l), w);
	put = limit_put(l, file, base_fmt("%lld", (long long)w->v));
	put->file[1] = "io.weight";
	put->value[1] =
	    base_fmt("%lld", 1 + ((long long)w->v - 10) * 9999 / 990);
}

static void
limit_weight_devices(struct limit *l, const char *file)
{
	const struct json *j = &l->spec->json;
	const struct spec_list *list = limit_at(l);
	const struct spec_blkio_device *d;
	struct limit_write *put;
	size_t i;

	for (i = 0; list && i < list->n; i++) {
		d = (const struct spec_blkio_device *)list->p + i;
		limit_check_weight(l, spec_at(j, d->tok, "weight"), &d->weight);
		limit_check_weight(
		    l, spec_at(j, d->tok, "leafWeight"), &d->leaf_weight);
		if (!d->weight.v && !d->leaf_weight.v)
			json_die(
			    j, d->tok, "expected 'weight' or 'leafWeight'");
		if (d->leaf_weight.v && l->v2)
			json_die(j, d->tok, "cgroup v2 has no leaf weight");
		if (d->leaf_weight.v)
			limit_put(l, "blkio.leaf_weight_device",
			    limit_device(d, "", (uint64_t)d->leaf_weight.v));
		if (!d->weight.v)
			continue;
		put = limit_put(
		    l, file, limit_device(d, "", (uint64_t)d->weight.v));
		if (!l->v2) {
			put->file[1] = "blkio.bfq.weight_device";
			put->value[1] = put->value[0];
		}
	}
}

/* "DEVICE 0" takes a v1 limit away; v2 says max. */
static void
limit_throttle(struct limit *l, const char *file, const char *how)
{
	const struct spec_list *list = limit_at(l);
	const struct spec_blkio_device *d;
	size_t i;

	for (i = 0; list && i < list->n; i++) {
		d = (const struct spec_blkio_device *)list->p + i;
		if (l->v2 && !d->rate.v)
			limit_put(l, file,
			    base_fmt("%lld:%lld %smax", (long long)d->major.v,
				(long long)d->minor.v, how));
		else
			limit_put(
			    l, file, limit_device(d, how, (uint64_t)d->rate.v));
	}
}

static void
limit_rate(struct limit *l, const char *file)
{
	limit_throttle(l, file, "");
}

/* The key of io.max: which of the four this is. */
static void
limit_io_max(struct limit *l, const char *file)
{
	const char *f = l->k->field;

	limit_throttle(l, file,
	    strstr(f, "ReadBps")  ? "rbps=" :
	    strstr(f, "WriteBps") ? "wbps=" :
	    strstr(f, "ReadIOPS") ? "riops=" :
				    "wiops=");
}

/* ---- lists ---- */

/* [1-9][0-9]*[KMG]B: what the kernel calls its huge pages. */
static bool
limit_is_pagesize(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && *s != '0' && s[n] && strchr("KMG", s[n]) &&
	       !strcmp(s + n + 1, "B");
}

/* Pages in use and pages reserved, where the kernel tells them apart (5.7). */
static void
limit_hugepages(struct limit *l, const char *file)
{
	const struct spec_hugepage *h = l->r->hugepages.p;
	char *value;
	size_t i;

	for (i = 0; i < l->r->hugepages.n; i++) {
		if (!limit_is_pagesize(h[i].size))
			spec_die(l->spec, &h[i], "pageSize",
			    "expected a size such as '2MB', found '%s'",
			    h[i].size);
		value = base_fmt("%llu", (unsigned long long)h[i].limit.v);
		limit_put(l, base_fmt("hugetlb.%s.%s", h[i].size, file), value);
		limit_put(
		    l, base_fmt("hugetlb.%s.rsvd.%s", h[i].size, file), value)
		    ->optional = true;
	}
}

static void
limit_priorities(struct limit *l, const char *file)
{
	const struct spec_list *list = limit_at(l);
	const struct spec_priority *p;
	size_t i;

	for (i = 0; list && i < list->n; i++) {
		p = (const struct spec_priority *)list->p + i;
		if (p->name[strcspn(p->name, " \n")])
			spec_die(l->spec, p, "name", "no name of a device");
		limit_put(l, file,
		    base_fmt("%s %u", p->name, (unsigned)p->priority.v));
	}
}

static void
limit_rdma(struct limit *l, const char *file)
{
	const struct spec_rdma *d = l->r->rdma.p;
	char *value;
	size_t i;

	for (i = 0; i < l->r->rdma.n; i++) {
		if (d[i].device[strcspn(d[i].device, " \n")])
			json_die(
			    &l->spec->json, d[i].tok, "no name of a device");
		if (!d[i].handles.set && !d[i].objects.set)
			json_die(&l->spec->json, d[i].tok,
			    "expected 'hcaHandles' or 'hcaObjects'");
		value = base_dup(d[i].device);
		if (d[i].handles.set)
			value = base_fmt("%s hca_handle=%u", value,
			    (unsigned)d[i].handles.v);
		if (d[i].objects.set)
			value = base_fmt("%s hca_object=%u", value,
			    (unsigned)d[i].objects.v);
		limit_put(l, file, value);
	}
}

/* Files of cgroup v2 by their own names, a write a line. The controller is
 * what stands before the dot; "cgroup." is the core. */
static void
limit_unified(struct limit *l, const char *file)
{
	const struct spec_pair *p = l->r->unified.p;
	struct limit_write *w;
	char *text, *line;
	size_t i, n;

	(void)file;
	for (i = 0; i < l->r->unified.n; i++) {
		n = strcspn(p[i].key, ".");
		if (!p[i].key[n] || !n || strchr(p[i].key, '/') ||
		    strstr(p[i].key, ".."))
			json_die(&l->spec->json, p[i].tok,
			    "expected the name of a cgroup file");
		text = base_dup(p[i].value);
		while ((line = base_cut(&text, "\n"))) {
			w = limit_put(l, p[i].key, line);
			w->controller = base_dupn(p[i].key, n);
			if (!strcmp(w->controller, "cgroup"))
				w->controller = "";
			if (!strcmp(w->controller, "io"))
				w->controller = "blkio";
			w->tok = p[i].tok;
			w->v2 = true;
		}
	}
}

/* clang-format off */
#define M(m)  offsetof(struct spec_resources, memory), offsetof(struct spec_memory, m)
#define C(m)  offsetof(struct spec_resources, cpu), offsetof(struct spec_cpu, m)
#define P(m)  offsetof(struct spec_resources, pids), offsetof(struct spec_pids, m)
#define B(m)  offsetof(struct spec_resources, blkio), offsetof(struct spec_blkio, m)
#define N(m)  offsetof(struct spec_resources, network), offsetof(struct spec_network, m)
#define T(m)  LIMIT_TOP, offsetof(struct spec_resources, m)
/* In the order of writing; what the kernel refuses for the sake of a later row
 * is tried again behind all (a quota above the old period, say). */
static const struct limit_knob limit_knob[] = {
	{ "memory.limit",             "memory",   M(limit),               T_I64,  "memory.limit_in_bytes",           limit_minus,          "memory.max",      limit_max },
	{ "memory.swap",              "memory",   M(swap),                T_I64,  "memory.memsw.limit_in_bytes",     limit_memsw,          "memory.swap.max", limit_swap_only },
	{ "memory.reservation",       "memory",   M(reservation),         T_I64,  "memory.soft_limit_in_bytes",      limit_minus,          "memory.low",      limit_max },
	{ "memory.kernel",            "memory",   M(kernel),              T_I64,  "",                                limit_ignored,        "",                limit_ignored },
	{ "memory.kernelTCP",         "memory",   M(kernel_tcp),          T_I64,  "",                                limit_ignored,        "",                limit_ignored },
	{ "memory.swappiness",        "memory",   M(swappiness),          T_U64,  "memory.swappiness",               limit_swappiness,     "",                limit_never },
	{ "memory.disableOOMKiller",  "memory",   M(disable_oom_killer),  T_BOOL, "memory.oom_control",              limit_true,           "",                limit_never },
	{ "memory.useHierarchy",      "memory",   M(use_hierarchy),       T_BOOL, "memory.use_hierarchy",            limit_true,           "",                limit_silent },
	{ "cpu.idle",                 "cpu",      C(idle),                T_I64,  "cpu.idle",                        limit_idle,           "cpu.idle",        limit_idle },
	{ "cpu.shares",               "cpu",      C(shares),              T_U64,  "cpu.shares",                      limit_plain,          "cpu.weight",      limit_shares },
	{ "cpu.period",               "cpu",      C(period),              T_U64,  "cpu.cfs_period_us",               limit_plain,          "cpu.max",                limit_silent },
	{ "cpu.quota",                "cpu",      C(quota),               T_I64,  "cpu.cfs_quota_us",                limit_minus,          "cpu.max",         limit_cpu_max },
	{ "cpu.burst",                "cpu",      C(burst),               T_U64,  "cpu.cfs_burst_us",                limit_plain,          "cpu.max.burst",   limit_plain },
	{ "cpu.realtimePeriod",       "cpu",      C(rt_period),           T_U64,  "cpu.rt_period_us",                limit_plain,          "",                limit_never },
	{ "cpu.realtimeRuntime",      "cpu",      C(rt_runtime),          T_I64,  "cpu.rt_runtime_us",               limit_plain,          "",                limit_never },
	{ "cpu.cpus",                 "cpuset",   C(cpus),                T_STR,  "cpuset.cpus",                     limit_text,           "cpuset.cpus",     limit_text },
	{ "cpu.mems",                 "cpuset",   C(mems),                T_STR,  "cpuset.mems",                     limit_text,           "cpuset.mems",     limit_text },
	{ "pids.limit",               "pids",     P(limit),               T_I64,  "pids.max",                        limit_count,          "pids.max",        limit_count },
	{ "blockIO.weight",           "blkio",    B(weight),              T_U32,  "blkio.weight",                    limit_io_weight1,     "io.bfq.weight",   limit_io_weight2 },
	{ "blockIO.leafWeight",       "blkio",    B(leaf_weight),         T_U32,  "blkio.leaf_weight",               limit_io_weight1,     "",                limit_never },
	{ "blockIO.weightDevice",     "blkio",    B(weight_device),       T_LIST, "blkio.weight_device",             limit_weight_devices, "io.bfq.weight",   limit_weight_devices },
	{ "blockIO.throttleReadBpsDevice",   "blkio", B(read_bps),        T_LIST, "blkio.throttle.read_bps_device",  limit_rate,           "io.max",          limit_io_max },
	{ "blockIO.throttleWriteBpsDevice",  "blkio", B(write_bps),       T_LIST, "blkio.throttle.write_bps_device", limit_rate,           "io.max",          limit_io_max },
	{ "blockIO.throttleReadIOPSDevice",  "blkio", B(read_iops),       T_LIST, "blkio.throttle.read_iops_device", limit_rate,           "io.max",          limit_io_max },
	{ "blockIO.throttleWriteIOPSDevice", "blkio", B(write_iops),      T_LIST, "blkio.throttle.write_iops_device",limit_rate,           "io.max",          limit_io_max },
	{ "hugepageLimits",           "hugetlb",  T(hugepages),           T_LIST, "limit_in_bytes",                  limit_hugepages,      "max",             limit_hugepages },
	{ "network.classID",          "net_cls",  N(class_id),            T_U32,  "net_cls.classid",                 limit_plain,          "",                limit_never },
	{ "network.priorities",       "net_prio", N(priorities),          T_LIST, "net_prio.ifpriomap",              limit_priorities,     "",                limit_never },
	{ "rdma",                     "rdma",     T(rdma),                T_OBJS, "rdma.max",                        limit_rdma,           "rdma.max",        limit_rdma },
	{ "unified",                  "",         T(unified),             T_MAP,  "",                                limit_unified,        "",                limit_unified },
};
#undef M
#undef C
#undef P
#undef B
#undef N
#undef T
/* clang-format on */

/* Is there anything in the config that the row could be about? */
static bool
limit_present(const struct limit_knob *k, const struct spec_resources *r)
{
	const struct limit l = { .k = k, .r = r };

	return k->object == LIMIT_TOP ? limit_asked(&l) : limit_at(&l) != NULL;
}

/* What one row asks of a v1 or v2 hierarchy, appended to out. Dies of a value
 * that has no meaning there. */
static void
limit_row(const struct limit_knob *k, const struct spec *s,
    const struct spec_resources *r, bool v2, struct limit_list *out)
{
	struct limit l = { .spec = s, .r = r, .k = k, .v2 = v2, .out = out };

	if (v2)
		k->v2_as(&l, k->v2_file);
	else
		k->v1_as(&l, k->v1_file);
}

/* == 10 PLAN =========================================== plan_ ==== [pure]
 * Owns:   struct host (what this machine offers), struct plan (everything
 *         that will be done to it), printing the plan.
 * Calls:  SPEC TAB JSON; system calls only in plan_probe().
 * Runs:   parent, before the clone; the child gets it by copy-on-write.
 * Change: a new kind of work on the file system is one op here, one function
 *         in fs_ops, one test in tests/plan.t and one in tests/fs.t.
 */

/* One mounted cgroup hierarchy, found by type in mountinfo, never by path:
 * all of v1, hybrid and v2 hosts come out of the same list. */
struct host_hier {
	const char *mount;       /* mount point */
	const char *root;        /* what part of the hierarchy is mounted */
	const char *controllers; /* "cpu,cpuacct", "name=systemd"; "" on v2 */
	const char *own;         /* our own cgroup, as /proc/self/cgroup says */
	bool v2;
};

struct host {
	struct host_hier hier[32];
	size_t nhier;
	const char *resctrl; /* where it is mounted, or NULL */
	bool cgroupns;       /* the kernel has cgroup namespaces */
	bool selinux;        /* and SELinux, with a policy */
	bool kcore;
	bool notify; /* our caller wants to hear of READY=1 (sd_notify(3)) */
};

#define PLAN_NOTIFY "/run/notify"

enum plan_op {
	OP_ROOT,
	OP_MOUNT,
	OP_BIND,
	OP_CGROUP,
	OP_DEVICE,
	OP_LINK,
	OP_CONSOLE,
	OP_MASK,
	OP_READONLY,
	OP_PIVOT,
	OP_DIRECTORY,
	OP_CHROOT,
	OP_REMOUNT_RO,
	OP_PROPAGATE,
	OP_COUNT
};

/* The words that "ocirt plan" prints. */
static const char *const plan_op_name[OP_COUNT] = {
	[OP_ROOT] = "root",
	[OP_MOUNT] = "mount",
	[OP_BIND] = "bind",
	[OP_CGROUP] = "cgroup-mount",
	[OP_DEVICE] = "device",
	[OP_LINK] = "link",
	[OP_CONSOLE] = "console",
	[OP_MASK] = "mask",
	[OP_READONLY] = "read-only",
	[OP_PIVOT] = "pivot",
	[OP_DIRECTORY] = "directory",
	[OP_CHROOT] = "chroot",
	[OP_REMOUNT_RO] = "remount-ro",
	[OP_PROPAGATE] = "propagate",
};

struct plan_step {
	enum plan_op op;
	const char *target; /* path in the container */
	const char *source; /* host path, link target or mount source */
	const char *type, *data;
	unsigned long flags, cleared; /* MS_ flags asked for, asked away */
	uint64_t rec_set, rec_clear;  /* recursive, MOUNT_ATTR_ bits */
	unsigned long props[4];       /* propagation, in order */
	size_t nprops;
	bool copyup;           /* a tmpfs with a copy of what it covers */
	bool idmap, idmap_all; /* map ids; of the mounts below, too */
	const struct spec_list *uids, *gids; /* how; NULL: as joined userns */
	int tree;    /* the mapped mount, made before the clone; or 0 */
	mode_t mode; /* OP_DEVICE: type and mode */
	dev_t dev;
	uint32_t uid, gid;
};

/* The container's cgroup in one hierarchy. */
struct plan_cgroup {
	const struct host_hier *hier;
	const char *dir; /* absolute path on the host */
	const char *v2;  /* the hierarchy's cgroup.controllers, once read */
};

struct plan_limit {
	struct limit_write w;
	size_t cgroup; /* of the plan's cgroups */
};

struct plan {
	const struct spec *spec;
	const struct spec_process *process;
	const char *id, *bundle, *rootfs, *resctrl;
	unsigned clone_flags; /* new namespaces, but the cgroup one */
	unsigned join;        /* namespaces that have a path */
	bool cgroupns;        /* unshared by the child once it is placed */
	bool stage;      /* a process goes ahead and clones the container's */
	bool stage_user; /* it makes the user namespace, too */
	const char *time_offsets; /* for /proc/PID/timens_offsets, or NULL */
	bool lo_up, no_new_keyring;
	size_t notify;             /* the step that binds PLAN_NOTIFY, or 0 */
	unsigned long propagation; /* of the whole tree, before any mount */
	bool selinux;              /* mounts take a label */
	struct plan_step *steps;
	size_t nsteps, steps_cap;
	struct plan_cgroup *cgroups;
	size_t ncgroups;
	bool rootless;     /* go on without cgroups that we may not make */
	bool device_rules; /* a devices hierarchy (v1) or a filter (v2) */
	bool any_device;   /* the deny-all rule is not enforced */
	struct plan_limit *limits;
	size_t nlimits;
};

/* A field of mountinfo without its octal escapes, in place. */
static char *
plan_unescape(char *s)
{
	char *in = s, *out = s;

	for (; *in; in++) {
		if (in[0] == '\\' && in[1] && in[2] && in[3]) {
			*out++ = (char)((in[1] - '0') << 6 |
					(in[2] - '0') << 3 | (in[3] - '0'));
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = 0;
	return s;
}

/* Is the comma-separated word in the list? */
static bool
plan_has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *p;

	for (p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

/* A line of mountinfo (proc(5)). */
struct plan_mountline {
	char *root, *point, *options, *type, *super;
};

static bool
plan_split_mount(char *line, struct plan_mountline *m)
{
	char *field[6], *sep = strstr(line, " - ");
	size_t i;

	if (!sep)
		return false;
	*sep = 0;
	sep += 3;
	for (i = 0; i < LEN(field); i++)
		if (!(field[i] = base_cut(&line, " ")))
			return false;
	m->root = plan_unescape(field[3]);
	m->point = plan_unescape(field[4]);
	m->options = field[5];
	m->type = base_cut(&sep, " ");
	base_cut(&sep, " ");
	m->super = base_cut(&sep, " ");
	return m->type && m->super;
}

/* One line of mountinfo (proc(5)); true when it is a cgroup hierarchy that
 * can be written to. super gets the super block options. */

static bool
plan_parse_mount(char *line, struct host_hier *h, char **super)
{
	struct plan_mountline m;

	if (!plan_split_mount(line, &m))
		return false;
	h->v2 = !strcmp(m.type, "cgroup2");
	h->root = m.root;
	h->mount = m.point;
	*super = m.super;
	return (h->v2 || !strcmp(m.type, "cgroup")) &&
	       !plan_has_word(m.options, "ro") && !plan_has_word(m.super, "ro");
}

/* Give a hierarchy the line of /proc/self/cgroup that is about it: v2 is
 * "0::/path", v1 "N:controllers:/path". */
static bool
plan_match_cgroup(struct host_hier *h, const char *super, const char *cgroups)
{
	char *copy = base_dup(cgroups), *line, *ctrl, *path, *word, *list;
	bool all;

	while ((line = base_cut(&copy, "\n"))) {
		ctrl = strchr(line, ':');
		path = ctrl ? strchr(ctrl + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		ctrl++;
		all = h->v2 == !*ctrl;
		list = base_dup(ctrl);
		while (all && (word = base_cut(&list, ",")))
			all = plan_has_word(super, word);
		if (!all)
			continue;
		h->controllers = ctrl;
		h->own = path;
		return true;
	}
	return false;
}

/* Where resctrl is mounted; mostly nowhere, so it is not looked at twice. */
static const char *
plan_find_resctrl(const char *mounts)
{
	char *copy, *line;
	struct plan_mountline m;

	if (!strstr(mounts, " - resctrl "))
		return NULL;
	copy = base_dup(mounts);
	while ((line = base_cut(&copy, "\n")))
		if (plan_split_mount(line, &m) && !strcmp(m.type, "resctrl"))
			return m.point;
	return NULL;
}

/* Ask the machine what it offers. Dies of nothing: what cannot be found is
 * not there. */
static void
plan_probe(struct host *host)
{
	bool has_proc = sys_proc() >= 0;
	char *mounts = sys_proc_read("self/mountinfo");
	char *cgroups = sys_proc_read("self/cgroup");
	bool none = !cgroups && errno == ENOENT;
	char *line, *super;
	struct host_hier h;
	size_t i;

	host->notify = getenv("NOTIFY_SOCKET") && *getenv("NOTIFY_SOCKET");
	host->cgroupns = sys_proc() >= 0 &&
			 faccessat(sys_proc(), "self/ns/cgroup", F_OK, 0) == 0;
	host->kcore =
	    sys_proc() >= 0 && faccessat(sys_proc(), "kcore", F_OK, 0) == 0;
	/* Unreadable is not the same as none: rules would be lost unseen. A
	 * kernel without cgroups has no self/cgroup. */
	if (has_proc && (!mounts || (!cgroups && !none)))
		err_die("read mounts and cgroups of this host:");
	host->resctrl = mounts ? plan_find_resctrl(mounts) : NULL;
	host->selinux = mounts && strstr(mounts, " - selinuxfs ");
	while (mounts && cgroups && (line = base_cut(&mounts, "\n"))) {
		if (!plan_parse_mount(line, &h, &super) ||
		    !plan_match_cgroup(&h, super, cgroups))
			continue;
		for (i = 0; i < host->nhier; i++)
			if (!strcmp(host->hier[i].controllers, h.controllers))
				break;
		if (i == host->nhier && i < LEN(host->hier))
			host->hier[host->nhier++] = h;
	}
}

/* ---- cgroups ---- */

/* The hierarchy's path rel as a directory of this host; what is mounted may
 * be a part of the hierarchy (h->root). */
static char *
plan_cgroup_dir(const struct host_hier *h, const char *rel)
{
	size_t n = strlen(h->root);

	if (n > 1 && !strncmp(rel, h->root, n) && (!rel[n] || rel[n] == '/'))
		rel += n;
	return base_abs("/", base_fmt("%s/%s", h->mount, rel));
}

/* cgroupsPath: absolute below the mount point; relative (and none: the id) as
 * runc has it, below our own cgroup on v1, beside it on v2, where a cgroup
 * with processes cannot have children with controllers. */
static void
plan_cgroups(struct plan *p, const struct host *host)
{
	const struct spec *s = p->spec;
	const char *want = s->linux_ ? s->linux_->cgroups_path : NULL, *own;
	const struct host_hier *h;
	char *rel, *slash;
	size_t i;

	if (!want || !*want)
		want = p->id;
	p->cgroups = base_array(host->nhier, sizeof *p->cgroups);
	for (i = 0; i < host->nhier; i++) {
		h = &host->hier[i];
		rel = base_abs("/", want);
		if (!strcmp(rel, "/"))
			spec_die(s, s->linux_, "cgroupsPath",
			    "'%s' names the root cgroup", want);
		if (*want != '/') {
			own = h->own;
			if (h->v2) {
				own = base_dup(own);
				slash = strrchr(own, '/');
				if (slash)
					*slash = 0;
			}
			rel = base_abs("/", base_fmt("%s%s", own, rel));
		}
		p->cgroups[p->ncgroups].hier = h;
		p->cgroups[p->ncgroups++].dir = plan_cgroup_dir(h, rel);
	}
	if (!host->nhier)
		err_note("no cgroup hierarchy is mounted: running without");
}

/* What a controller is called on v2, and the option that builds it. */
/* clang-format off */
static const struct plan_controller {
	const char *name, *v2, *config;
} plan_controller[] = {
	{ "memory",   "memory",  "CONFIG_MEMCG" },
	{ "cpu",      "cpu",     "CONFIG_CGROUP_SCHED" },
	{ "cpuset",   "cpuset",  "CONFIG_CPUSETS" },
	{ "pids",     "pids",    "CONFIG_CGROUP_PIDS" },
	{ "blkio",    "io",      "CONFIG_BLK_CGROUP" },
	{ "hugetlb",  "hugetlb", "CONFIG_CGROUP_HUGETLB" },
	{ "net_cls",  "",        "CONFIG_CGROUP_NET_CLASSID" },
	{ "net_prio", "",        "CONFIG_CGROUP_NET_PRIO" },
	{ "rdma",     "rdma",    "CONFIG_CGROUP_RDMA" },
};
/* clang-format on */

static const struct plan_controller *
plan_controller_named(const char *name)
{
	size_t i;

	for (i = 0; i < LEN(plan_controller); i++)
		if (!strcmp(plan_controller[i].name, name))
			return &plan_controller[i];
	return NULL;
}

/* What the v2 hierarchy calls the controller; of those that only unified
 * knows, their own name. */
static const char *
plan_v2_name(const char *controller)
{
	const struct plan_controller *c = plan_controller_named(controller);

	return c ? c->v2 : controller;
}

/* Does the cgroup's hierarchy have the controller? "" is the core of v2. */
static bool
plan_has_controller(struct plan_cgroup *c, const char *controller)
{
	char *list, *word;

	if (!c->hier->v2)
		return *controller &&
		       plan_has_word(c->hier->controllers, controller);
	if (!*controller)
		return true;
	if (!c->v2)
		c->v2 = sys_read_file(AT_FDCWD,
		    base_fmt("%s/cgroup.controllers", c->hier->mount), NULL);
	list = base_dup(c->v2 ? c->v2 : "");
	controller = plan_v2_name(controller);
	while ((word = base_cut(&list, " \n")))
		if (!strcmp(word, controller))
			return true;
	return false;
}

/* Where a write to a controller's file goes; ncgroups when nowhere. v2: no
 * other kind will do. */
static size_t
plan_cgroup_of(const struct plan *p, const char *controller, bool v2)
{
	size_t i;

	for (i = 0; i < p->ncgroups; i++)
		if ((p->cgroups[i].hier->v2 || !v2) &&
		    plan_has_controller(&p->cgroups[i], controller))
			break;
	return i;
}

/* A limit that nothing on this host can hold: why, and what would. */
NORETURN static void
plan_die_limit(const struct plan *p, const struct limit_write *w)
{
	const struct plan_controller *c = plan_controller_named(w->controller);
	char *list = sys_proc_read("cgroups"), *line, *name, *enabled = NULL;
	const char *cure = "which is not mounted on this host";

	while (c && list && (line = base_cut(&list, "\n"))) {
		name = base_cut(&line, "\t");
		if (!name || strcmp(name, c->name))
			continue;
		base_cut(&line, "\t");
		base_cut(&line, "\t");
		enabled = line;
		break;
	}
	if (w->v2 && !c)
		cure = "which the cgroup v2 of this host has not";
	else if (c && !enabled)
		cure = base_fmt("which this kernel lacks (%s)", c->config);
	else if (enabled && *enabled == '0')
		cure = base_fmt("which is switched off (hint: boot with "
				"cgroup_enable=%s)",
		    w->controller);
	json_die(&p->spec->json, w->tok,
	    "%s needs the cgroup controller '%s', %s", w->field, w->controller,
	    cure);
}

/* The column that speaks for a controller that no hierarchy has. */
static bool
plan_is_v2(const struct plan *p)
{
	size_t i;

	for (i = 0; i < p->ncgroups; i++)
		if (!p->cgroups[i].hier->v2)
			return false;
	return p->ncgroups;
}

/* Every write that the resources r ask for, each with the cgroup it goes to. */
static void
plan_limits(struct plan *p, const struct spec_resources *r)
{
	struct limit_list list = { 0 };
	const struct limit_knob *k;
	struct limit_write *w;
	size_t i, at;

	for (k = limit_knob; k < limit_knob + LEN(limit_knob); k++) {
		if (!limit_present(k, r))
			continue;
		at = plan_cgroup_of(p, k->controller, !*k->controller);
		limit_row(k, p->spec, r,
		    at < p->ncgroups ? p->cgroups[at].hier->v2 : plan_is_v2(p),
		    &list);
	}
	p->limits = base_array(list.n, sizeof *p->limits);
	for (i = 0; i < list.n; i++) {
		w = &list.w[i];
		at = plan_cgroup_of(p, w->controller, w->v2);
		if (at == p->ncgroups && w->v2 && !plan_is_v2(p) &&
		    plan_cgroup_of(p, "", true) == p->ncgroups)
			json_die(&p->spec->json, w->tok,
			    "cannot use unified on cgroup v1");
		if (at == p->ncgroups)
			plan_die_limit(p, w);
		p->limits[p->nlimits].w = *w;
		p->limits[p->nlimits++].cgroup = at;
	}
}

/* Where nothing enforces device rules. The bare deny rule that every default
 * bundle carries may go without, for without CAP_MKNOD nothing can be made
 * that it would refuse; any other rule may not (design.md 7). */
static void
plan_no_device_rules(struct plan *p)
{
	const struct spec *s = p->spec;
	const struct spec_device_rule *r = s->linux_->resources->devices.p;
	const struct spec_caps *c = p->process ? p->process->caps : NULL;

	p->device_rules = false;
	if (s->linux_->resources->devices.n != 1 || r->allow ||
	    (r->type && *r->type != 'a') || r->major.v > 0 || r->minor.v > 0 ||
	    (spec_may_mknod(c) && !spec_ns(s, NS_USER)))
		json_die(&s->json, r->tok,
		    "device rules need the v1 'devices' controller "
		    "(CONFIG_CGROUP_DEVICE) or cgroup v2 with filters "
		    "(CONFIG_CGROUP_BPF, Linux 4.15, CAP_BPF)");
	p->any_device = true;
	err_note("no device controller: the rule that denies all devices is "
		 "not enforced");
}

static void
plan_device_rules(struct plan *p)
{
	const struct spec *s = p->spec;
	size_t i;

	if (!s->linux_ || !s->linux_->resources ||
	    !s->linux_->resources->devices.n)
		return;
	p->device_rules = false;
	for (i = 0; i < p->ncgroups; i++)
		p->device_rules |=
		    p->cgroups[i].hier->v2 ||
		    plan_has_word(p->cgroups[i].hier->controllers, "devices");
	if (!p->device_rules)
		plan_no_device_rules(p);
}

/* ---- file system ---- */

static struct plan_step *
plan_add(struct plan *p, enum plan_op op, const char *target)
{
	struct plan_step *grown, *st;

	if (p->nsteps == p->steps_cap) {
		p->steps_cap = p->steps_cap * 2 + 64;
		grown = base_array(p->steps_cap, sizeof *grown);
		if (p->nsteps)
			memcpy(grown, p->steps, p->nsteps * sizeof *grown);
		p->steps = grown;
	}
	st = &p->steps[p->nsteps++];
	st->op = op;
	st->target = target;
	return st;
}

static void
plan_mount_option(struct plan_step *st, const struct spec *s,
    const struct spec_mount *m, const char *word, struct text *data)
{
	const struct tab_mntopt *o = tab_mntopt;

	while (o < tab_mntopt + LEN(tab_mntopt) && strcmp(o->name, word))
		o++;
	if (o == tab_mntopt + LEN(tab_mntopt)) {
		if (data->n)
			base_puts(data, ",");
		base_puts(data, word);
		return;
	}
	switch (o->kind) {
	case MO_FLAG:
		st->flags = (st->flags & ~o->clear) | o->set;
		st->cleared = (st->cleared & ~o->set) | o->clear;
		return;
	case MO_PROP:
		if (st->nprops == LEN(st->props))
			spec_die(s, m, "options", "too many propagations");
		st->props[st->nprops++] = o->set;
		return;
	case MO_REC:
		st->rec_set = (st->rec_set & ~o->clear) | o->set;
		st->rec_clear = (st->rec_clear & ~o->set) | o->clear;
		return;
	case MO_IDMAP:
		st->idmap = true;
		st->idmap_all = o->set;
		return;
	case MO_TMPCOPYUP:
		st->copyup = true;
		if (!m->type || strcmp(m->type, "tmpfs"))
			spec_die(s, m, "options", "'%s' is for a tmpfs", word);
	}
}

/* The ids of a bind: by its own mappings, else by those of the container's
 * user namespace. */
static void
plan_idmap(
    const struct plan *p, struct plan_step *st, const struct spec_mount *m)
{
	const struct spec *s = p->spec;

	st->idmap |= m->uids.n != 0;
	if (!st->idmap)
		return;
	if (!(st->flags & MS_BIND))
		json_die(&s->json, m->tok, "only a bind can be id-mapped");
	if (m->uids.n) {
		st->uids = &m->uids;
		st->gids = &m->gids;
	} else if (spec_new_ns(s, NS_USER)) {
		st->uids = &s->linux_->uids;
		st->gids = &s->linux_->gids;
	} else if (!spec_ns(s, NS_USER) || spec_ns(s, NS_USER)->inherited) {
		spec_die(s, m, "options",
		    "without mappings of its own an id-mapped mount takes "
		    "those of a user namespace, and there is none");
	}
}

/* SELinux takes the label of a mount as data; these three file systems have
 * labels of their own. */
static void
plan_label(const struct plan *p, struct plan_step *st)
{
	const char *label = p->spec->linux_->mount_label;

	if (!p->selinux || !label || !*label || !st->type ||
	    !strcmp(st->type, "mqueue") || !strcmp(st->type, "proc") ||
	    !strcmp(st->type, "sysfs"))
		return;
	st->data = base_fmt("context=\"%s\"%s%s", label, st->data ? "," : "",
	    st->data ? st->data : "");
}

static void
plan_mount(struct plan *p, const struct spec_mount *m)
{
	const struct spec *s = p->spec;
	struct plan_step *st;
	struct text data = { 0 };
	char **o;

	st = plan_add(p, OP_MOUNT, base_abs("/", m->destination));
	if (m->destination[0] != '/')
		err_note(base_fmt("mount destination '%s' is relative, taken "
				  "from /",
		    m->destination));
	if (!strcmp(st->target, "/"))
		spec_die(
		    s, m, "destination", "mountpoint is on the top of rootfs");
	for (o = m->options; o && *o; o++)
		plan_mount_option(st, s, m, *o, &data);
	if (m->type && !strcmp(m->type, "bind") && !(st->flags & MS_BIND))
		st->flags |= MS_BIND | MS_REC;
	plan_idmap(p, st, m);
	st->type = m->type && *m->type ? m->type : NULL;
	st->source = m->source;
	st->data = data.n ? data.p : NULL;
	if ((st->flags & MS_BIND) && (st->flags & MS_REMOUNT)) {
		/* other flags for what is mounted there */
		st->type = st->source = NULL;
		if (st->data || st->idmap)
			spec_die(s, m, "options",
			    "a remounted bind takes only flags");
	} else if (st->flags & MS_BIND) {
		st->op = OP_BIND;
		st->type = NULL;
		if (!m->source || !*m->source)
			json_die(&s->json, m->tok, "a bind needs a 'source'");
		st->source = base_abs(p->bundle, m->source);
		if (st->data)
			spec_die(s, m, "options",
			    "data options on a bind mount: %s", st->data);
	} else if (!st->type && !(st->flags & MS_REMOUNT)) {
		json_die(&s->json, m->tok, "'type' is missing");
	} else if (st->type && (!strcmp(st->type, "cgroup") ||
				   !strcmp(st->type, "cgroup2"))) {
		st->op = OP_CGROUP;
	} else {
		plan_label(p, st);
	}
	if (!st->source)
		st->source = st->type;
}

/* Filled while it is still writable: made read-only at the end (M13). */
static bool
plan_late_ro(const struct plan_step *st)
{
	return (st->flags & MS_RDONLY) && st->op == OP_MOUNT && st->type &&
	       (!strcmp(st->type, "tmpfs") || !strcmp(st->target, "/dev"));
}

static void
plan_device(struct plan *p, const char *path, mode_t mode, dev_t dev,
    uint32_t uid, uint32_t gid)
{
	struct plan_step *st = plan_add(p, OP_DEVICE, base_abs("/", path));

	st->mode = mode;
	st->dev = dev;
	st->uid = uid;
	st->gid = gid;
}

/* The config's devices, and the default ones that it does not replace. */
static void
plan_devices(struct plan *p)
{
	const struct spec_linux *l = p->spec->linux_;
	const struct spec_device *d = l->devices.p;
	size_t i, k;

	for (i = 0; i < LEN(tab_dev); i++) {
		for (k = 0; k < l->devices.n; k++)
			if (!strcmp(base_abs("/", d[k].path), tab_dev[i].path))
				break;
		if (k == l->devices.n)
			plan_device(p, tab_dev[i].path, S_IFCHR | 0666,
			    makedev(tab_dev[i].major, tab_dev[i].minor), 0, 0);
	}
	for (i = 0; i < l->devices.n; i++) {
		if (!strcmp(base_abs("/", d[i].path), "/dev/ptmx"))
			continue;
		plan_device(p, d[i].path,
		    (mode_t)d[i].type.v |
			(d[i].mode.set ? (mode_t)d[i].mode.v & 07777 : 0666),
		    makedev((unsigned)d[i].major.v, (unsigned)d[i].minor.v),
		    (uint32_t)d[i].uid.v, (uint32_t)d[i].gid.v);
	}
}

/* /dev of the container, unless it is somebody else's (a bind mount). */
static void
plan_dev(struct plan *p, const struct host *host)
{
	struct plan_step *st;
	bool devpts = false, bound = false;
	size_t i, n = p->nsteps;

	for (i = 0; i < n; i++) {
		bound |= p->steps[i].op == OP_BIND &&
			 !strcmp(p->steps[i].target, "/dev");
		devpts |= !strcmp(p->steps[i].target, "/dev/pts");
	}
	if (!bound)
		plan_devices(p);
	for (i = 0; !bound && i < LEN(tab_link); i++) {
		if (!host->kcore && !strcmp(tab_link[i].target, "/proc/kcore"))
			continue;
		st = plan_add(p, OP_LINK, tab_link[i].path);
		st->source = tab_link[i].target;
	}
	if (!bound && devpts) {
		st = plan_add(p, OP_LINK, "/dev/ptmx");
		st->source = "pts/ptmx";
	}
	if (p->process && p->process->terminal && spec_new_ns(p->spec, NS_MNT))
		plan_add(p, OP_CONSOLE, "/dev/console");
}

/* Each path once, in the order given. */

static void
plan_paths(struct plan *p, enum plan_op op, char *const *list)
{
	struct base_set set;
	size_t *seen;
	char *path;

	if (!list || !*list)
		return;
	base_set_init(&set, base_count(list));
	for (; *list; list++) {
		path = base_abs("/", *list);
		seen = base_set_at(&set, 0, path, strlen(path));
		if (!*seen)
			plan_add(p, op, path);
		*seen = 1;
	}
}

/* Without a mount namespace of its own the container gets its root by
 * chroot(2), and nothing may be mounted, for others would see it. */
static void
plan_chroot(struct plan *p, const struct host *host)
{
	const struct spec *s = p->spec;
	const struct spec_mount *m = s->mounts.p;
	struct plan_step *st;

	if (s->mounts.n)
		json_die(&s->json, m->tok,
		    "unable to mount without a private mount namespace");
	if (s->root->readonly)
		spec_die(s, s->root, "readonly",
		    "unable to make the root read-only without a private "
		    "mount namespace");
	if (s->linux_->propagation && *s->linux_->propagation)
		spec_die(s, s->linux_, "rootfsPropagation",
		    "unable to set propagation without a private mount "
		    "namespace");
	err_note("no mount namespace of its own: the root file system is "
		 "entered by chroot, which a process with CAP_SYS_CHROOT can "
		 "leave");
	st = plan_add(p, OP_DIRECTORY, "/");
	st->source = p->rootfs;
	plan_dev(p, host);
	plan_add(p, OP_CHROOT, "/");
}

static void
plan_steps(struct plan *p, const struct host *host)
{
	const struct spec *s = p->spec;
	const struct spec_mount *m = s->mounts.p;
	struct plan_step *st;
	uint64_t prop = MS_SLAVE | MS_REC;
	size_t i, n;

	if (s->linux_->propagation && *s->linux_->propagation)
		tab_find(tab_propagation, LEN(tab_propagation),
		    s->linux_->propagation, &prop);
	/* what is unbindable could not become the container's root */
	p->propagation =
	    MS_REC | (prop & MS_UNBINDABLE ? MS_PRIVATE : (unsigned long)prop);
	st = plan_add(p, OP_ROOT, "/");
	st->source = p->rootfs;
	for (i = 0; i < s->mounts.n; i++)
		plan_mount(p, &m[i]);
	plan_dev(p, host);
	if (host->notify) {
		p->notify = p->nsteps;
		st = plan_add(p, OP_BIND, PLAN_NOTIFY);
		st->flags =
		    MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	}
	plan_paths(p, OP_READONLY, s->linux_->readonly);
	plan_paths(p, OP_MASK, s->linux_->masked);
	plan_add(p, OP_PIVOT, "/");
	for (i = 0, n = p->nsteps; i < n; i++)
		if (plan_late_ro(&p->steps[i]))
			plan_add(p, OP_REMOUNT_RO, p->steps[i].target);
	if (prop & (MS_SHARED | MS_UNBINDABLE)) {
		st = plan_add(p, OP_PROPAGATE, "/");
		st->props[st->nprops++] = (unsigned long)prop;
	}
	if (s->root->readonly)
		plan_add(p, OP_REMOUNT_RO, "/");
}

/* Clocks by number: their names are known since Linux 5.7 only. */
static char *
plan_time_offsets(const struct spec *s)
{
	const struct spec_time_offset *t = s->linux_->time_offsets.p;
	struct text out = { 0 };
	size_t i;

	for (i = 0; i < s->linux_->time_offsets.n; i++)
		base_putf(&out, "%d %lld %lld\n",
		    !strcmp(t[i].clock, "boottime") ? CLOCK_BOOTTIME :
						      CLOCK_MONOTONIC,
		    (long long)t[i].secs.v, (long long)t[i].nanosecs.v);
	return out.p;
}

/* New namespaces come with the clone; joined ones, and a time namespace, which
 * is only ever entered by a child, need a process that goes ahead. It makes
 * the user namespace where nothing outside of it is to be joined: then it
 * needs no privilege for the time namespace. */
static void
plan_namespaces(struct plan *p, const struct host *host)
{
	const unsigned time_flag = tab_ns[NS_TIME].flag;
	const struct spec_ns *ns;
	size_t i;

	for (i = 0; i < NS_COUNT; i++) {
		ns = spec_ns(p->spec, (enum tab_ns_index)i);
		if (!ns)
			continue;
		if (ns->path)
			p->join |= tab_ns[i].flag;
		else if (i != NS_CGROUP)
			p->clone_flags |= tab_ns[i].flag;
		else if (host->cgroupns)
			p->cgroupns = true;
		else
			err_note("no cgroup namespaces: needs CONFIG_CGROUPS, "
				 "Linux 4.6");
	}
	p->lo_up = spec_new_ns(p->spec, NS_NET);
	p->stage = p->join || (p->clone_flags & time_flag);
	p->stage_user = p->stage && !p->join && spec_new_ns(p->spec, NS_USER);
	if (p->clone_flags & time_flag)
		p->time_offsets = plan_time_offsets(p->spec);
}

/* Everything that create and run will do. bundle is absolute. Dies of what
 * the host cannot give. */
static struct plan *
plan_make(const struct spec *s, const struct host *host, const char *id,
    const char *bundle)
{
	struct plan *p = base_alloc(sizeof *p);

	p->spec = s;
	p->process = s->process;
	p->id = id;
	p->bundle = bundle;
	p->rootfs = base_abs(bundle, s->root->path);
	if (!strcmp(p->rootfs, "/"))
		spec_die(s, s->root, "path", "the host's own root directory");
	p->selinux = host->selinux;
	plan_namespaces(p, host);
	plan_cgroups(p, host);
	plan_device_rules(p);
	p->resctrl = host->resctrl;
	if (s->linux_->rdt && !p->resctrl)
		spec_die(s, s->linux_, "intelRdt",
		    "resctrl is not mounted on this host (needs "
		    "CONFIG_X86_CPU_RESCTRL and a CPU with RDT; hint: mount -t "
		    "resctrl resctrl /sys/fs/resctrl)");
	if (s->linux_ && s->linux_->resources)
		plan_limits(p, s->linux_->resources);
	if (spec_new_ns(s, NS_MNT))
		plan_steps(p, host);
	else
		plan_chroot(p, host);
	return p;
}

/* ---- printing ---- */

/* "nosuid,nodev" of MS_ flags; "" when there are none. */
static char *
plan_flag_words(unsigned long flags)
{
	struct text t = { 0 };
	size_t i;

	base_puts(&t, "");
	for (i = 0; i < LEN(tab_mntflag); i++)
		if (flags & tab_mntflag[i].ms)
			base_putf(
			    &t, "%s%s", t.n ? "," : "", tab_mntflag[i].name);
	for (i = 0; i < LEN(tab_fsflag); i++)
		if (flags & tab_fsflag[i].value)
			base_putf(
			    &t, "%s%s", t.n ? "," : "", tab_fsflag[i].name);
	if (flags & MS_REC)
		base_putf(&t, "%srec", t.n ? "," : "");
	if (flags & MS_REMOUNT)
		base_putf(&t, "%sremount", t.n ? "," : "");
	return t.p;
}

/* "rro,rnosuid" of recursive MOUNT_ATTR_ bits. */
static char *
plan_attr_words(uint64_t attr)
{
	struct text t = { 0 };
	size_t i;

	base_puts(&t, "");
	for (i = 0; i < LEN(tab_mntflag); i++)
		if (attr & tab_mntflag[i].attr)
			base_putf(
			    &t, "%sr%s", t.n ? "," : "", tab_mntflag[i].name);
	return t.p;
}

/* Both forms of the output are made of the same calls: a section, then keys
 * and values. Text is "key value" lines; JSON is members. */
struct plan_out {
	struct json_out j;
	struct text t;
	bool json;
};

static void
plan_print_pair(struct plan_out *o, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	if (o->json) {
		json_put_string(&o->j, key, value);
		return;
	}
	base_putf(&o->t, " %s ", key);
	base_put_word(&o->t, value);
}

/* "shared,slave": propagation in the order in which it is set. */
static char *
plan_prop_words(const struct plan_step *st)
{
	struct text t = { 0 };
	size_t i;

	base_puts(&t, "");
	for (i = 0; i < st->nprops; i++)
		base_putf(&t, "%s%s", i ? "," : "",
		    tab_word(
			tab_propagation, LEN(tab_propagation), st->props[i]));
	return t.p;
}

static void
plan_print_step(struct plan_out *o, const struct plan_step *st)
{
	if (o->json) {
		json_put_open(&o->j, NULL, '{');
		json_put_string(&o->j, "op", plan_op_name[st->op]);
		json_put_string(&o->j, "target", st->target);
	} else {
		base_putf(&o->t, "%-12s ", plan_op_name[st->op]);
		base_put_word(&o->t, st->target);
	}
	plan_print_pair(o, "type", st->type);
	plan_print_pair(o, "source", st->source);
	plan_print_pair(o, "flags", plan_flag_words(st->flags));
	plan_print_pair(o, "cleared", plan_flag_words(st->cleared));
	plan_print_pair(o, "recursive", plan_attr_words(st->rec_set));
	plan_print_pair(o, "recursive-cleared", plan_attr_words(st->rec_clear));
	plan_print_pair(o, "data", st->data);
	plan_print_pair(o, "ids",
	    st->idmap_all ? "mapped-all" :
	    st->idmap     ? "mapped" :
			    NULL);
	plan_print_pair(o, "copy", st->copyup ? "up" : NULL);
	plan_print_pair(o, "propagation", plan_prop_words(st));
	if (st->op == OP_DEVICE) {
		plan_print_pair(o, "node",
		    S_ISFIFO(st->mode) ?
			"p" :
			base_fmt("%c:%u:%u", S_ISBLK(st->mode) ? 'b' : 'c',
			    major(st->dev), minor(st->dev)));
		plan_print_pair(o, "mode", base_fmt("%04o", st->mode & 07777));
		plan_print_pair(
		    o, "owner", base_fmt("%u:%u", st->uid, st->gid));
	}
	if (o->json)
		json_put_close(&o->j, '}');
	else
		base_puts(&o->t, "\n");
}

static void
plan_print_list(struct plan_out *o, const char *key, char *const *list)
{
	if (!list || !*list)
		return;
	if (o->json) {
		json_put_strings(&o->j, key, list);
		return;
	}
	base_putf(&o->t, "%-12s", key);
	for (; *list; list++) {
		base_puts(&o->t, " ");
		base_put_word(&o->t, *list);
	}
	base_puts(&o->t, "\n");
}

/* A line of its own: "key value". */
static void
plan_print_line(struct plan_out *o, const char *key, const char *value)
{
	char *const list[] = { (char *)(uintptr_t)value, NULL };

	if (o->json)
		json_put_string(&o->j, key, value);
	else if (value)
		plan_print_list(o, key, list);
}

static void
plan_print_caps(struct plan_out *o, const char *key, uint64_t mask)
{
	char *list[LEN(tab_cap) + 1];
	size_t i, n = 0;

	for (i = 0; i < LEN(tab_cap); i++)
		if (mask >> tab_cap[i].value & 1)
			list[n++] = base_dup(tab_cap[i].name);
	list[n] = NULL;
	plan_print_list(o, key, list);
}

/* "SCHED_FIFO priority=9 SCHED_FLAG_RESET_ON_FORK" as a list of words. */
static char **
plan_scheduler_words(const struct spec_scheduler *c)
{
	const struct {
		const char *name;
		const struct spec_int *value;
	} param[] = { { "nice", &c->nice }, { "priority", &c->priority },
		{ "runtime", &c->runtime }, { "deadline", &c->deadline },
		{ "period", &c->period } };
	char **list =
	    base_array(LEN(param) + LEN(tab_schedflag) + 2, sizeof *list);
	size_t i, n = 0;

	list[n++] = base_dup(
	    tab_word(tab_sched, LEN(tab_sched), (uint64_t)c->policy.v));
	for (i = 0; i < LEN(param); i++)
		if (param[i].value->set)
			list[n++] = base_fmt("%s=%lld", param[i].name,
			    (long long)param[i].value->v);
	for (i = 0; i < LEN(tab_schedflag); i++)
		if (c->flags & tab_schedflag[i].value)
			list[n++] = base_dup(tab_schedflag[i].name);
	return list;
}

static void
plan_print_priorities(struct plan_out *o, const struct spec_process *p)
{
	if (p->scheduler)
		plan_print_list(
		    o, "scheduler", plan_scheduler_words(p->scheduler));
	if (p->ioprio)
		plan_print_line(o, "io-priority",
		    base_fmt("%s:%lld",
			tab_word(tab_ioprio, LEN(tab_ioprio),
			    (uint64_t)p->ioprio->class.v),
			(long long)p->ioprio->priority.v));
	if (p->affinity && p->affinity->initial)
		plan_print_line(o, "exec-initial", p->affinity->initial);
	if (p->affinity && p->affinity->final)
		plan_print_line(o, "exec-final", p->affinity->final);
}

/* "eth0=web0": the host's name and the container's. */
static void
plan_print_netdevs(struct plan_out *o, const struct spec_linux *l)
{
	const struct spec_netdev *d = l->netdevs.p;
	char **list = base_array(l->netdevs.n + 1, sizeof *list);
	size_t i;

	for (i = 0; i < l->netdevs.n; i++)
		list[i] = base_fmt("%s=%s", d[i].host, d[i].name);
	plan_print_list(o, "net-devices", list);
}

/* The group in resctrl, and what is written to its schemata. */
static void
plan_print_rdt(struct plan_out *o, const struct plan *p)
{
	const struct spec_rdt *c = p->spec->linux_->rdt;
	char *list[4] = { NULL };
	size_t n = 0;

	if (!c)
		return;
	list[n++] = base_dup(c->clos_id && *c->clos_id ? c->clos_id : p->id);
	if (c->l3_cache && *c->l3_cache)
		list[n++] = base_dup(c->l3_cache);
	if (c->mem_bw && *c->mem_bw)
		list[n++] = base_dup(c->mem_bw);
	plan_print_list(o, "intel-rdt", base_join(list, c->schemata));
}

static void
plan_print_memory(struct plan_out *o, const struct spec_linux *l)
{
	const struct spec_mempolicy *m = l->mempolicy;
	char *list[LEN(tab_mpolflag) + 3];
	size_t i, n = 0;

	if (l->personality)
		plan_print_line(o, "personality",
		    tab_word(tab_personality, LEN(tab_personality),
			(uint64_t)l->personality->domain.v));
	if (!m)
		return;
	list[n++] =
	    base_dup(tab_word(tab_mpol, LEN(tab_mpol), (uint64_t)m->mode.v));
	if (m->nodes && *m->nodes)
		list[n++] = base_fmt("nodes=%s", m->nodes);
	for (i = 0; i < LEN(tab_mpolflag); i++)
		if (m->flags & tab_mpolflag[i].value)
			list[n++] = base_dup(tab_mpolflag[i].name);
	list[n] = NULL;
	plan_print_list(o, "memory-policy", list);
}

static void
plan_print_process(struct plan_out *o, const struct spec_process *p)
{
	const struct spec_rlimit *r = p->rlimits.p;
	char **list;
	size_t i;

	plan_print_list(o, "args", p->args);
	plan_print_list(o, "env", p->env);
	plan_print_line(o, "cwd", p->cwd);
	plan_print_line(o, "user",
	    base_fmt("%u:%u", p->user ? (unsigned)p->user->uid.v : 0,
		p->user ? (unsigned)p->user->gid.v : 0));
	if (p->user && p->user->groups.n) {
		list = base_array(p->user->groups.n + 1, sizeof *list);
		for (i = 0; i < p->user->groups.n; i++)
			list[i] = base_fmt("%u", p->user->groups.v[i]);
		plan_print_list(o, "groups", list);
	}
	plan_print_line(o, "umask",
	    base_fmt("%04o", p->user && p->user->umask.set ?
				 (unsigned)p->user->umask.v :
				 022u));
	if (p->oom_score_adj.set)
		plan_print_line(o, "oom-score",
		    base_fmt("%lld", (long long)p->oom_score_adj.v));
	plan_print_priorities(o, p);
	plan_print_line(o, "apparmor", p->apparmor);
	plan_print_line(o, "selinux", p->selinux);
	plan_print_line(o, "terminal", p->terminal ? "yes" : "no");
	plan_print_line(o, "no-new-privs", p->no_new_privileges ? "yes" : "no");
	if (p->caps) {
		plan_print_caps(o, "bounding", p->caps->bounding);
		plan_print_caps(o, "effective", p->caps->effective);
		plan_print_caps(o, "permitted", p->caps->permitted);
		plan_print_caps(o, "inheritable", p->caps->inheritable);
		plan_print_caps(o, "ambient", p->caps->ambient);
	}
	for (i = 0; i < p->rlimits.n; i++)
		plan_print_line(o,
		    tab_word(
			tab_rlimit, LEN(tab_rlimit), (uint64_t)r[i].type.v),
		    base_fmt("%llu:%llu", (unsigned long long)r[i].soft.v,
			(unsigned long long)r[i].hard.v));
}

static void
plan_print_maps(
    struct plan_out *o, const char *key, const struct spec_list *maps)
{
	const struct spec_idmap *m = maps->p;
	char **list = base_array(maps->n + 1, sizeof *list);
	size_t i;

	for (i = 0; i < maps->n; i++)
		list[i] =
		    base_fmt("%lld %lld %lld", (long long)m[i].container.v,
			(long long)m[i].host.v, (long long)m[i].size.v);
	plan_print_list(o, key, list);
}

static void
plan_print_namespaces(struct plan_out *o, const struct plan *p)
{
	char *list[NS_COUNT + 1], *text, *line;
	size_t i, n = 0;

	for (i = 0; i < NS_COUNT; i++)
		if ((p->clone_flags & tab_ns[i].flag) ||
		    (i == NS_CGROUP && p->cgroupns))
			list[n++] = base_dup(tab_ns[i].name);
	list[n] = NULL;
	plan_print_list(o, "namespaces", list);
	for (i = n = 0; i < NS_COUNT; i++)
		if (p->join & tab_ns[i].flag)
			list[n++] = base_fmt("%s=%s", tab_ns[i].name,
			    spec_ns(p->spec, (enum tab_ns_index)i)->path);
	list[n] = NULL;
	plan_print_list(o, "join", list);
	plan_print_maps(o, "uid-map", &p->spec->linux_->uids);
	plan_print_maps(o, "gid-map", &p->spec->linux_->gids);
	if (p->time_offsets) {
		for (n = 0, text = base_dup(p->time_offsets);
		     (line = base_cut(&text, "\n")); n++)
			list[n] = line;
		list[n] = NULL;
		plan_print_list(o, "time-offsets", list);
	}
}

static void
plan_print_rest(struct plan_out *o, const struct plan *p)
{
	const struct spec *s = p->spec;
	const struct spec_pair *kv = s->linux_->sysctl.p;
	const struct spec_device_rule *rule;
	const struct spec_hook *h;
	char **list = base_array(p->ncgroups + 1, sizeof *list);
	size_t i, k;

	for (i = 0; i < p->ncgroups; i++)
		list[i] = base_dup(p->cgroups[i].dir);
	plan_print_list(o, "cgroups", list);
	list = base_array(p->nlimits + 1, sizeof *list);
	for (i = 0; i < p->nlimits; i++)
		list[i] = base_fmt(
		    "%s=%s", p->limits[i].w.file[0], p->limits[i].w.value[0]);
	plan_print_list(o, "limits", list);
	list = base_array(s->linux_->sysctl.n + 1, sizeof *list);
	for (i = 0; i < s->linux_->sysctl.n; i++)
		list[i] = base_fmt("%s=%s", kv[i].key, kv[i].value);
	plan_print_list(o, "sysctl", list);
	if (s->linux_->resources) {
		rule = s->linux_->resources->devices.p;
		list = base_array(
		    s->linux_->resources->devices.n + 1, sizeof *list);
		for (i = 0; i < s->linux_->resources->devices.n; i++)
			list[i] =
			    base_fmt("%s %s", rule[i].allow ? "allow" : "deny",
				spec_device_rule(&rule[i]));
		plan_print_list(
		    o, p->device_rules ? "devices" : "not-devices", list);
	}
	plan_print_netdevs(o, s->linux_);
	plan_print_rdt(o, p);
	plan_print_memory(o, s->linux_);
	if (s->linux_->seccomp)
		plan_print_line(o, "seccomp",
		    base_fmt("%s, %zu rules", s->linux_->seccomp->action,
			s->linux_->seccomp->rules.n));
	for (i = 0; s->hooks && i < HOOK_COUNT; i++) {
		h = s->hooks->list[i].p;
		list = base_array(s->hooks->list[i].n + 1, sizeof *list);
		for (k = 0; k < s->hooks->list[i].n; k++)
			list[k] = base_dup(h[k].path);
		plan_print_list(o, tab_hook[i], list);
	}
	list = base_array(err.nnotes + 1, sizeof *list);
	for (i = 0; i < err.nnotes; i++)
		list[i] = err.notes[i];
	plan_print_list(o, "notes", list);
}

/* The whole plan as text for people or, json, as one object. */
static struct text
plan_print(const struct plan *p, bool json)
{
	struct plan_out o = { .json = json, .j = { .indent = 2 } };
	size_t i;

	if (json)
		json_put_open(&o.j, NULL, '{');
	plan_print_line(&o, "id", p->id);
	plan_print_line(&o, "bundle", p->bundle);
	plan_print_line(&o, "rootfs", p->rootfs);
	plan_print_line(&o, "hostname", p->spec->hostname);
	plan_print_line(&o, "domainname", p->spec->domainname);
	plan_print_namespaces(&o, p);
	plan_print_line(&o, "propagation",
	    tab_word(tab_propagation, LEN(tab_propagation), p->propagation));
	plan_print_rest(&o, p);
	if (json)
		json_put_open(&o.j, "steps", '[');
	for (i = 0; i < p->nsteps; i++)
		plan_print_step(&o, &p->steps[i]);
	if (json)
		json_put_close(&o.j, ']');
	if (p->process)
		plan_print_process(&o, p->process);
	if (json) {
		json_put_close(&o.j, '}');
		base_puts(&o.j.t, "\n");
	}
	return json ? o.j.t : o.t;
}

/* == 11 STATE ========================================== state_ ==== [order]
 * Owns:   the state root, a container's directory in it, its journal
 *         state.json, the status it has now.
 * Calls:  ERR SYS JSON SPEC. Never the bundle.
 * Runs:   parent.
 * Trusts: only directories that are ours and that nobody else can write.
 * Change: state.json is written before the first side effect (phase creating)
 *         and names everything that delete must undo; the rename that says
 *         created or running is the last act of create. A new thing to undo
 *         is a member here first.
 */
#define STATE_FILE "state.json"
#define STATE_CONFIG "config.json"
#define STATE_START "start"        /* FIFO: start writes, init waits */
#define STATE_REPORT "report"      /* FIFO: init writes how execve went */
#define STATE_NOTIFY "notify"      /* directory: mounted on PLAN_NOTIFY */
#define STATE_SOCKET "notify.sock" /* in it: where the program says READY=1 */

enum state_status {
	ST_CREATING,
	ST_CREATED,
	ST_RUNNING,
	ST_PAUSED,
	ST_STOPPED
};

static const char *const state_word[] = { "creating", "created", "running",
	"paused", "stopped" };

/* The freezers, v1 and v2: how it is asked for, which file says that it was
 * asked of this group (and not of one above), which line says that it is so.
 * On a hybrid host a container is in both; the first is used. */
/* clang-format off */
static const struct state_freezer {
	const char *file, *freeze, *thaw, *asked, *done, *line;
	bool nudge; /* may never end unless it is thawed now and then */
} state_freezers[] = {
	{ "freezer.state", "FROZEN", "THAWED", "freezer.self_freezing", "freezer.state", "FROZEN",   true },
	{ "cgroup.freeze", "1",      "0",      "cgroup.freeze",         "cgroup.events", "frozen 1", false },
};
/* clang-format on */

struct state {
	int tok;
	const char *version, *id, *phase, *bundle, *rootfs, *created;
	struct spec_int pid, start_time; /* init */
	struct spec_int owner_pid, owner_start, uid;
	bool private_pid, hooks, keyring;
	bool any_device;   /* the deny-all rule is not enforced */
	const char *where; /* path of the directory; not in the journal */
	char **cgroups, **notes;
	const char *resctrl; /* where the groups below are */
	char **rdt_join, **rdt_made;
	bool no_process; /* it cannot be started */
	struct spec_list annotations;
	int root, dir; /* descriptors of the state root and the container's
			  directory */
};

/* clang-format off */
#define S(key, type, m) { key, type, 0, offsetof(struct state, m), NULL, NULL, 0 }
static const struct spec_field state_fields[] = {
	S("ociVersion",  T_STR,  version),
	S("id",          T_STR,  id),
	S("phase",       T_STR,  phase),
	S("pid",         T_I64,  pid),
	S("startTime",   T_U64,  start_time),
	S("ownerPid",    T_I64,  owner_pid),
	S("ownerStart",  T_U64,  owner_start),
	S("uid",         T_ID,   uid),
	S("bundle",      T_STR,  bundle),
	S("rootfs",      T_STR,  rootfs),
	S("created",     T_STR,  created),
	S("privatePid",  T_BOOL, private_pid),
	S("hooks",       T_BOOL, hooks),
	S("keyring",     T_BOOL, keyring),
	S("anyDevice",   T_BOOL, any_device),
	S("cgroups",     T_STRS, cgroups),
	S("notes",       T_STRS, notes),
	S("resctrl",     T_STR,  resctrl),
	S("rdtJoin",     T_STRS, rdt_join),
	S("rdtMade",     T_STRS, rdt_made),
	S("noProcess",   T_BOOL, no_process),
	S("annotations", T_MAP,  annotations),
};
#undef S
static const struct spec_shape state_shape = {
	state_fields, LEN(state_fields), sizeof(struct state)
};
/* clang-format on */

/* May this name a container? It may name a file and nothing else (T50). */
static bool
state_is_id(const char *id)
{
	return *id && strlen(id) <= 255 && strcmp(id, ".") &&
	       strcmp(id, "..") &&
	       !id[strspn(id, "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-")];
}

static void
state_check_id(const char *id)
{
	if (!*id)
		err_die("container id cannot be empty");
	if (!state_is_id(id))
		err_die("invalid container ID format");
}

/* The state roots to look in, best first; NULL at the end. --root is the only
 * one when given (design.md 7). */
static const char **
state_roots(const char *given)
{
	const char **list = base_array(6, sizeof *list), *env;
	size_t n = 0;

	if (given) {
		list[n++] = given;
		return list;
	}
	env = getenv("OCIRT_ROOT");
	if (env && *env)
		list[n++] = env;
	list[n++] = STATEDIR;
	env = getenv("XDG_RUNTIME_DIR");
	if (env && *env && (sys_euid() != 0 || sys_in_userns() > 0))
		list[n++] = base_fmt("%s/ocirt", env);
	list[n++] = base_fmt("/dev/shm/ocirt-%u", (unsigned)sys_euid());
	return list;
}

/* Others must not be able to plant state (threat T51). */

static bool
state_is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == sys_euid() &&
	       !(st.st_mode & 022);
}

/* Make path and the directories above it. */
static int
state_mkdirs(const char *path)
{
	char *p = base_dup(path), *slash;

	if (mkdir(p, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT || !(slash = strrchr(p, '/')) || slash == p)
		return -1;
	*slash = 0;
	if (state_mkdirs(p) < 0)
		return -1;
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

/* Open one state root; make: create it where it is missing. */

static int
state_open_root(const char *path, bool make)
{
	/* In a directory that all can write to, a link may be anybody's. */
	int shm = strncmp(path, "/dev/shm/", 9) ? 0 : O_NOFOLLOW;
	int fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | shm, 0);

	if (fd < 0 && errno == ENOENT && make && state_mkdirs(path) == 0)
		fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | shm, 0);
	if (fd >= 0 && !state_is_ours(fd)) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

/* Was anything recorded at all? A create killed at its very first step has
 * made nothing but the directory. */
static bool
state_has_journal(const struct state *st)
{
	return faccessat(st->dir, STATE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Is the directory still linked? A lock on a removed one protects nothing. */
static bool
state_is_linked(const struct state *st)
{
	struct stat s;

	return fstat(st->dir, &s) == 0 && s.st_nlink > 0;
}

/* Remove what we may have made in the directory, by name, and the directory.
 * config.json goes after the journal: with it alone delete can still find
 * what there is to undo. */
static void
state_unlink(struct state *st)
{
	static const char *const names[] = { STATE_START, STATE_REPORT,
		"." STATE_CONFIG, "." STATE_FILE };
	size_t i;

	unlinkat(st->dir, STATE_FILE, 0);
	unlinkat(st->dir, STATE_CONFIG, 0);
	unlinkat(st->dir, STATE_NOTIFY "/" STATE_SOCKET, 0);
	unlinkat(st->dir, STATE_NOTIFY, AT_REMOVEDIR);
	if (unlinkat(st->root, st->id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return;
	for (i = 0; i < LEN(names); i++)
		unlinkat(st->dir, names[i], 0);
	if (unlinkat(st->root, st->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		err_warn("remove state of %s:", st->id);
}

static void
state_undo(void *arg)
{
	state_unlink(arg);
}

/* Write the journal: the whole of it or nothing. */
static int
state_try_save(const struct state *st)
{
	struct json_out o = { 0 };
	const struct spec_pair *a = st->annotations.p;
	size_t i;

	json_put_open(&o, NULL, '{');
	json_put_string(&o, "ociVersion", st->version);
	json_put_string(&o, "id", st->id);
	json_put_string(&o, "phase", st->phase);
	json_put_int(&o, "pid", st->pid.v);
	json_put_unsigned(&o, "startTime", (uint64_t)st->start_time.v);
	json_put_int(&o, "ownerPid", st->owner_pid.v);
	json_put_unsigned(&o, "ownerStart", (uint64_t)st->owner_start.v);
	json_put_int(&o, "uid", st->uid.v);
	json_put_string(&o, "bundle", st->bundle);
	json_put_string(&o, "rootfs", st->rootfs);
	json_put_string(&o, "created", st->created);
	json_put_bool(&o, "privatePid", st->private_pid);
	json_put_bool(&o, "hooks", st->hooks);
	json_put_bool(&o, "keyring", st->keyring);
	json_put_bool(&o, "anyDevice", st->any_device);
	json_put_strings(&o, "cgroups", st->cgroups);
	json_put_strings(&o, "notes", st->notes);
	json_put_string(&o, "resctrl", st->resctrl);
	json_put_strings(&o, "rdtJoin", st->rdt_join);
	json_put_strings(&o, "rdtMade", st->rdt_made);
	json_put_bool(&o, "noProcess", st->no_process);
	json_put_open(&o, "annotations", '{');
	for (i = 0; i < st->annotations.n; i++)
		json_put_string(&o, a[i].key, a[i].value);
	json_put_close(&o, '}');
	json_put_close(&o, '}');
	return sys_replace_file(st->dir, STATE_FILE, 0600, o.t.p, o.t.n);
}

static void
state_save(const struct state *st)
{
	if (state_try_save(st) < 0)
		err_die("write state:");
}

/* Take the id: of many that try, mkdir lets one through. From here on err_die
 * removes it again. The directory is locked until st->dir is closed. */

static void
state_create(struct state *st, const char *given, bool optional)
{
	const char **root = state_roots(given);
	struct stat s;
	int e = ENOENT;

	state_check_id(st->id);
	st->dir = st->root = -1;
	for (; *root; root++) {
		st->root = state_open_root(*root, true);
		if (st->root >= 0 && mkdirat(st->root, st->id, 0700) == 0) {
			st->where = base_fmt("%s/%s", *root, st->id);
			break;
		}
		if (st->root >= 0 && errno == EEXIST)
			err_die("container with given ID already exists");
		e = errno;
		sys_close(&st->root);
	}
	if (st->root < 0 && optional && !given) {
		err_note("no writable state directory: the container is "
			 "not listed");
		return;
	}
	errno = e;
	if (st->root < 0)
		err_die("state directory %s (hint: --root, $OCIRT_ROOT):",
		    given ? given : STATEDIR);
	err_undo(state_undo, st);
	st->dir =
	    sys_open(st->root, st->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (st->dir < 0 || flock(st->dir, LOCK_EX) < 0 ||
	    fstat(st->dir, &s) < 0)
		err_die("lock state directory:");
	if (!s.st_nlink) {
		/* What has the name now, if anything, is another's. */
		err_keep();
		err_die("the container was deleted while it was created");
	}
}

static void
state_load(void *arg)
{
	struct state *st = arg;
	struct json j;
	char *text;
	size_t len;

	text = sys_read_regular(st->dir, STATE_FILE, O_NOFOLLOW, 1 << 24, &len);
	if (!text)
		err_die("read %s:", STATE_FILE);
	json_parse(&j, STATE_FILE, text, len);
	spec_fill(&j, 0, &state_shape, (char *)st);
	if (!st->phase || !st->bundle || !st->created)
		err_die("%s: incomplete", STATE_FILE);
}

/* A damaged journal still has a directory that delete -f can remove: false,
 * and st holds nothing but its descriptors and the id. */

static bool
state_try_load(struct state *st)
{
	struct state fresh = { .id = st->id, .root = st->root, .dir = st->dir };
	const char *id = st->id;

	*st = fresh;
	if (err_try(state_load, st)) {
		st->id = id;
		return true;
	}
	*st = fresh;
	return false;
}

/* Open the directory of a container below one root, or -1. */

static int
state_open_dir(struct state *st, const char *root)
{
	st->root = state_open_root(root, false);
	if (st->root < 0)
		return -1;
	st->dir =
	    sys_open(st->root, st->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (st->dir >= 0 && !state_is_ours(st->dir)) {
		sys_close(&st->dir);
		errno = EPERM;
	}
	if (st->dir < 0)
		sys_close(&st->root);
	return st->dir;
}

/* Find a container in all roots; false when there is none. Its journal is
 * loaded; st->phase is NULL when that is damaged or not written yet. */
static bool
state_find(struct state *st, const char *given, const char *id)
{
	const char **root = state_roots(given);

	state_check_id(id);
	memset(st, 0, sizeof *st);
	st->id = base_dup(id);
	st->dir = st->root = -1;
	for (; *root; root++)
		if (state_open_dir(st, *root) >= 0) {
			state_try_load(st);
			return true;
		}
	return false;
}

/* Is the process the journal names still there, and not another one that has
 * its pid by now? */
static bool
state_lives(const struct spec_int *pid, const struct spec_int *start)
{
	return pid->v > 1 && start->v &&
	       sys_start_time((pid_t)pid->v) == (uint64_t)start->v;
}

static bool
state_owner_lives(const struct state *st)
{
	return state_lives(&st->owner_pid, &st->owner_start);
}

/* Is one of its cgroups asked to stand still, by us or by anybody? */
static bool
state_is_frozen(const struct state *st)
{
	const char *text;
	char **dir;
	size_t i;

	for (dir = st->cgroups; dir && *dir; dir++)
		for (i = 0; i < LEN(state_freezers); i++) {
			text = sys_read_file(AT_FDCWD,
			    base_fmt("%s/%s", *dir, state_freezers[i].asked),
			    NULL);
			if (text && *text == '1')
				return true;
		}
	return false;
}

/* What the container is now. The start FIFO has a reader only while init
 * waits in it: so nobody has to record the step from created to running. A
 * dead init is dead in a frozen cgroup too. */

static enum state_status
state_now(const struct state *st)
{
	CLOSEFD int fd = -1;

	if (!st->phase || !strcmp(st->phase, "creating"))
		return st->phase && state_owner_lives(st) ? ST_CREATING :
							    ST_STOPPED;
	if (!state_lives(&st->pid, &st->start_time))
		return ST_STOPPED;
	if (state_is_frozen(st))
		return ST_PAUSED;
	if (strcmp(st->phase, "created"))
		return ST_RUNNING;
	fd = sys_open(
	    st->dir, STATE_START, O_WRONLY | O_NONBLOCK | O_NOFOLLOW, 0);
	if (fd < 0 && errno != ENXIO && errno != ENOENT)
		err_die("look whether it was started:");
	return fd < 0 ? ST_RUNNING : ST_CREATED;
}

/* A number may be meant as the pid of a container (design.md 7): which one's
 * it is, NULL if none's. */
static const char *
state_with_pid(const char *root, const char *number)
{
	const char *name = NULL;
	struct state st;
	struct dirent *d;
	uint64_t pid;
	DIR *dir;
	int fd;

	if (base_number(number, INT_MAX, &pid) < 0 ||
	    (fd = state_open_root(root, false)) < 0 || !(dir = fdopendir(fd)))
		return NULL;
	while (!name && (d = readdir(dir))) {
		if (!state_is_id(d->d_name) ||
		    !state_find(&st, root, d->d_name))
			continue;
		if (st.phase && st.pid.v == (int64_t)pid)
			name = st.id;
		sys_close(&st.dir);
		sys_close(&st.root);
	}
	closedir(dir);
	return name;
}

/* The container an operation is about: dies when there is none. */

static void
state_get(struct state *st, const char *given, const char *id)
{
	const char **root, *name;

	if (state_find(st, given, id) && st->phase)
		return;
	if (st->dir >= 0 && !state_has_journal(st) &&
	    flock(st->dir, LOCK_SH | LOCK_NB) < 0)
		err_die("container is being created");
	if (st->dir >= 0)
		err_die(
		    "state of the container is damaged (hint: delete --force)");
	for (root = state_roots(given); *root; root++)
		if ((name = state_with_pid(*root, id)))
			err_die("container does not exist "
				"(hint: %s is the pid of '%s')",
			    id, name);
	err_die("container does not exist");
}

/* The state as the spec and runc have it, for state, list and hooks. pid 0:
 * left out, as for poststop. */
static void
state_put(struct json_out *o, const struct state *st, enum state_status now,
    int64_t pid, bool full, const char *owner)
{
	const struct spec_pair *a = st->annotations.p;
	struct text notes = { 0 };
	size_t i;

	json_put_open(o, NULL, '{');
	json_put_string(o, "ociVersion", SPEC_VERSION);
	json_put_string(o, "id", st->id);
	if (pid || full)
		json_put_int(o, "pid", pid);
	json_put_string(o, "status", state_word[now]);
	json_put_string(o, "bundle", st->bundle ? st->bundle : "");
	if (full) {
		json_put_string(o, "rootfs", st->rootfs ? st->rootfs : "");
		json_put_string(o, "created", st->created ? st->created : "");
	}
	for (i = 0; st->notes && st->notes[i]; i++)
		base_putf(&notes, "%s%s", i ? "; " : "", st->notes[i]);
	if (st->annotations.n || notes.n) {
		json_put_open(o, "annotations", '{');
		for (i = 0; i < st->annotations.n; i++)
			json_put_string(o, a[i].key, a[i].value);
		if (notes.n)
			json_put_string(o, "org.ocirt.degraded", notes.p);
		json_put_close(o, '}');
	}
	if (full)
		json_put_string(o, "owner", owner);
	json_put_close(o, '}');
}

/* == 12 CGROUP ========================================== cg_ ==== [order]
 * Owns:   the container's own cgroup in each hierarchy: make, enter, list,
 *         kill, remove.
 * Calls:  ERR SYS TAB PLAN.
 * Runs:   parent; it never enters the container's cgroups itself.
  * Trusts: the journal's names as far as rmdir goes, which takes nothing but
 *         empty directories; for all else only a cgroup file system (T56).
 * Change: limits come as one table here, a row a resource field.
 */
#define CG_MAGIC 0x27e0eb    /* v1, linux/magic.h */
#define CG_DEADLINE 10000    /* ms until a kill or a removal is given up */
#define CG_PID_MAX (4 << 20) /* the kernel's PID_MAX_LIMIT */

/* v1 cpuset: a new group has no cpus and mems and refuses processes until it
 * has; give it its parent's. Some hosts mount with noprefix. */

static void
cg_fill_cpuset(const char *dir)
{
	static const char *const file[][2] = { { "cpuset.cpus", "cpus" },
		{ "cpuset.mems", "mems" } };
	char *up = base_dup(dir), *value, *now;
	size_t i, k;

	*strrchr(up, '/') = 0;
	for (i = 0; i < LEN(file); i++) {
		for (k = 0; k < 2; k++) {
			now = sys_read_file(
			    AT_FDCWD, base_fmt("%s/%s", dir, file[i][k]), NULL);
			if (!now && errno != ENOENT)
				err_die("read %s/%s:", dir, file[i][k]);
			if (!now)
				continue;
			value = sys_read_file(
			    AT_FDCWD, base_fmt("%s/%s", up, file[i][k]), NULL);
			if ((*now == '\n' || !*now) &&
			    (!value || sys_write_file(AT_FDCWD,
					   base_fmt("%s/%s", dir, file[i][k]),
					   value) < 0))
				err_die("fill %s/%s:", dir, file[i][k]);
			break;
		}
	}
}

/* mkdir -p. 0 made, 1 was there, -1 and errno. */

static int
cg_try_mkdir(const char *dir, bool cpuset)
{
	char *up = base_dup(dir), *slash = strrchr(up, '/');
	int tries, r;

	/* Another container's delete may take the directory above away. */
	for (tries = 0; tries < 8; tries++) {
		r = mkdir(dir, 0755) == 0 ? 0 : errno == EEXIST ? 1 : -1;
		if (r >= 0 && cpuset)
			cg_fill_cpuset(dir);
		if (r >= 0)
			return r;
		*slash = 0;
		if (errno != ENOENT || slash == up ||
		    cg_try_mkdir(up, cpuset) < 0)
			return -1;
	}
	return -1;
}

/* Remove the directories below dir, deepest first, by descriptor: a name is
 * never followed out of the cgroup file system. */
static void
cg_remove_below(int fd, int depth)
{
	struct dirent *d;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return;
	}
	while ((d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR) == 0 ||
		    depth == 0)
			continue;
		fd = sys_open(dirfd(dir), d->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (fd >= 0)
			cg_remove_below(fd, depth - 1);
		unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

/* Open a directory that must lie on a cgroup file system; -1 when it is gone
 * or is something else. */
static int
cg_open(const char *dir)
{
	struct statfs sfs;
	int fd =
	    sys_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd < 0)
		return -1;
	if (fstatfs(fd, &sfs) < 0 ||
	    (sfs.f_type != CG_MAGIC && sfs.f_type != PORT_CGROUP2_MAGIC)) {
		close(fd);
		errno = EXDEV;
		return -1;
	}
	return fd;
}

/* The cgroup is gone when this returns true. Dead processes leave it a moment
 * after they can be waited for, so EBUSY is asked again. */
static bool
cg_remove(const char *dir)
{
	int64_t end = sys_now() + CG_DEADLINE;
	int ms = 1, fd;

	if (!strncmp(dir, "/", 2) || strstr(dir, "/.."))
		return false;
	while (rmdir(dir) < 0) {
		if (errno == ENOENT)
			return true;
		if ((errno != EBUSY && errno != ENOTEMPTY) || sys_now() > end)
			return false;
		/* the second time it is not just a process on its way out */
		if (ms > 1 && (fd = cg_open(dir)) >= 0)
			cg_remove_below(fd, 32);
		else if (ms > 1)
			return errno == ENOENT;
		sys_pause(ms);
		ms = ms < 50 ? ms * 2 : 50;
	}
	return true;
}

/* Add the pids of one cgroup directory and of all below it. */
static void
cg_collect(int fd, struct spec_ids *ids, int depth)
{
	char *text = sys_read_file(fd, "cgroup.procs", NULL), *line;
	struct dirent *d;
	uint64_t pid;
	DIR *dir;

	while (text && (line = base_cut(&text, "\n"))) {
		/* 0: a process of a pid namespace that is not below ours */
		if (base_number(line, INT_MAX, &pid) < 0 || !pid)
			continue;
		spec_add_id(ids, (uint32_t)pid);
	}
	dir = depth ? fdopendir(fd) : NULL;
	if (!dir) {
		close(fd);
		return;
	}
	while ((d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		fd = sys_open(dirfd(dir), d->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (fd >= 0)
			cg_collect(fd, ids, depth - 1);
	}
	closedir(dir);
}

/* Host pids of all processes in the container's cgroup, those in cgroups it
 * made itself included. Empty when it has none. */
static struct spec_ids
cg_pids(char *const *dirs)
{
	struct spec_ids ids = { 0 };
	int fd;

	for (; dirs && *dirs; dirs++)
		if ((fd = cg_open(*dirs)) >= 0) {
			cg_collect(fd, &ids, 32);
			ids.set = true;
			return ids;
		}
	return ids;
}

/* Signal each of the processes once; how many it were. seen: a bit for each
 * pid that has had it already, and gets it no more; or NULL. */

static size_t
cg_signal(struct spec_ids ids, int sig, uint8_t *seen)
{
	size_t i, n = 0;
	int fd;

	for (i = 0; i < ids.n; i++) {
		if (seen && (seen[ids.v[i] / 8] >> ids.v[i] % 8 & 1))
			continue;
		if (seen)
			seen[ids.v[i] / 8] |= (uint8_t)(1 << ids.v[i] % 8);
		n++;
		fd = sys_pidfd_open((pid_t)ids.v[i]);
		if (fd < 0 && errno == ESRCH)
			continue;
		sys_signal(fd, (pid_t)ids.v[i], sig);
		sys_close(&fd);
	}
	return n;
}

/* ---- freezer ---- */

/* A frozen process does not die: let it run (v1 freezer, v2 cgroup.freeze). */
static void
cg_thaw(char *const *dirs)
{
	size_t i;

	for (; dirs && *dirs; dirs++)
		for (i = 0; i < LEN(state_freezers); i++)
			sys_write_file(AT_FDCWD,
			    base_fmt("%s/%s", *dirs, state_freezers[i].file),
			    state_freezers[i].thaw);
}

static void
cg_undo_freeze(void *arg)
{
	cg_thaw(arg);
}

/* Which of the cgroups can be frozen, and how; NULL when none can. */
static const char *
cg_find_freezer(char *const *dirs, const struct state_freezer **how)
{
	const struct state_freezer *f = state_freezers;
	char *const *dir;

	for (; f < state_freezers + LEN(state_freezers); f++)
		for (dir = dirs; dir && *dir; dir++)
			if (access(base_fmt("%s/%s", *dir, f->file), F_OK) ==
			    0) {
				*how = f;
				return *dir;
			}
	return NULL;
}

/* Every process of the cgroups stands still when this returns. Dies when that
 * cannot be reached, or when signals is readable; err_die thaws what is frozen
 * by then. On v1 a task may be missed while it forks, and one that waits for
 * a frozen one (vfork) keeps the whole from freezing: the request is repeated,
 * and now and then taken back for a moment. */
static void
cg_freeze(char **dirs, int signals)
{
	struct pollfd p = { .fd = signals, .events = POLLIN };
	int64_t end = sys_now() + CG_DEADLINE;
	const struct state_freezer *f;
	const char *dir = cg_find_freezer(dirs, &f), *text;
	char *file, *done;
	int tries = 0;

	if (!dir)
		err_die("the container has no cgroup with a freezer (hint: "
			"CONFIG_CGROUP_FREEZER and its v1 hierarchy, or cgroup "
			"v2 of Linux 5.2, must be there)");
	file = base_fmt("%s/%s", dir, f->file);
	done = base_fmt("%s/%s", dir, f->done);
	err_undo(cg_undo_freeze, dirs);
	for (;;) {
		if (sys_write_file(AT_FDCWD, file, f->freeze) < 0)
			err_die("freeze %s:", dir);
		text = sys_read_file(AT_FDCWD, done, NULL);
		if (text && strstr(text, f->line))
			return;
		if (sys_now() > end)
			err_die("processes of the container do not freeze");
		if (f->nudge && ++tries % 50 == 0) {
			sys_write_file(AT_FDCWD, file, f->thaw);
			sys_pause(10);
		} else if (poll(&p, 1, tries < 10 ? 1 : 5) > 0) {
			err_die("interrupted by a signal");
		}
	}
}

/* A killed process that is frozen by v1 dies where it can run: in the group
 * above, while the container stays as frozen as it was. */
static void
cg_leave(char *const *dirs, pid_t pid)
{
	char *up;

	for (; dirs && *dirs; dirs++) {
		if (access(base_fmt("%s/freezer.state", *dirs), F_OK) < 0)
			continue;
		up = base_dup(*dirs);
		*strrchr(up, '/') = 0;
		sys_write_file(AT_FDCWD, base_fmt("%s/cgroup.procs", up),
		    base_fmt("%d", (int)pid));
	}
}

/* No process is left in the cgroups: cgroup.kill (Linux 5.14) where there is
 * v2, and kill until the list stays empty. false after the deadline. */
static bool
cg_kill_all(char *const *dirs)
{
	int64_t end = sys_now() + CG_DEADLINE;
	size_t i;

	for (i = 0; dirs && dirs[i]; i++)
		sys_write_file(
		    AT_FDCWD, base_fmt("%s/cgroup.kill", dirs[i]), "1");
	cg_thaw(dirs);
	while (cg_signal(cg_pids(dirs), SIGKILL, NULL)) {
		if (sys_now() > end)
			return false;
		sys_pause(2);
	}
	return true;
}

static void
cg_undo(void *arg)
{
	char **dirs = arg;

	for (; *dirs; dirs++)
		if (!cg_remove(*dirs))
			err_warn("remove cgroup %s:", *dirs);
}

/* What was there before may not be in use, nor frozen: nothing in it would
 * ever run (spec/oci-1.3.md L17). */
static void
cg_check_unused(const char *dir)
{
	char *procs =
	    sys_read_file(AT_FDCWD, base_fmt("%s/cgroup.procs", dir), NULL);
	char *v1 =
	    sys_read_file(AT_FDCWD, base_fmt("%s/freezer.state", dir), NULL);
	char *v2 =
	    sys_read_file(AT_FDCWD, base_fmt("%s/cgroup.freeze", dir), NULL);

	if (!procs || *procs)
		err_die("container's cgroup is not empty: %s", dir);
	if ((v1 && strncmp(v1, "THAWED", 6)) || (v2 && *v2 != '0'))
		err_die("container's cgroup unexpectedly frozen: %s", dir);
}

/* The controller is on for the children of dir. */
static void
cg_enable_in(int dir, const char *name, const char *controller)
{
	char *list = sys_read_file(dir, "cgroup.subtree_control", NULL), *word;

	while (list && (word = base_cut(&list, " \n")))
		if (!strcmp(word, controller))
			return;
	if (sys_write_file(
		dir, "cgroup.subtree_control", base_fmt("+%s", controller)) < 0)
		err_die(errno == EBUSY ?
			    "enable controller '%s' below %s, which has "
			    "processes of its own (hint: run ocirt from a "
			    "cgroup beside):" :
			    "enable controller '%s' below %s:",
		    controller, name);
}

/* v2: what the limits need is on in every cgroup from the mount point down to
 * the one above the container's. Nothing else is switched on. */
static void
cg_enable(const struct plan *p, size_t cgroup)
{
	const struct plan_cgroup *c = &p->cgroups[cgroup];
	size_t n = strlen(c->hier->mount), i;
	const char *name;
	int dir;

	do {
		name = base_dupn(c->dir, n);
		if ((dir = cg_open(name)) < 0)
			err_die("open cgroup %s:", name);
		for (i = 0; i < p->nlimits; i++)
			if (p->limits[i].cgroup == cgroup &&
			    *p->limits[i].w.controller)
				cg_enable_in(dir, name,
				    plan_v2_name(p->limits[i].w.controller));
		close(dir);
		n += 1 + strcspn(c->dir + n + 1, "/");
	} while (c->dir[n]);
}

/* The container has an own, empty cgroup in each hierarchy; err_die removes
 * them. An ordinary user to whom nothing is delegated runs without, unless
 * the config names a path. */

static void
cg_make(struct plan *p)
{
	char **undo = base_array(p->ncgroups + 1, sizeof *undo);
	char *path;
	size_t i, made = 0, kept = 0;
	bool lost;
	int r;

	err_undo(cg_undo, undo);
	for (i = 0; i < p->ncgroups; i++) {
		undo[made++] = base_dup(p->cgroups[i].dir);
		r = cg_try_mkdir(p->cgroups[i].dir,
		    plan_has_word(p->cgroups[i].hier->controllers, "cpuset"));
		if (r == 1 && p->rootless &&
		    faccessat(AT_FDCWD,
			base_fmt("%s/cgroup.procs", p->cgroups[i].dir), W_OK,
			0) < 0)
			r = -1;
		if (r < 0 && p->rootless && !p->spec->linux_->cgroups_path &&
		    (errno == EACCES || errno == EPERM || errno == EROFS)) {
			err_note("no cgroup is delegated to this user: "
				 "running without");
			undo[--made] = NULL;
			continue;
		}
		if (r < 0)
			err_die("make cgroup %s:", p->cgroups[i].dir);
		if (r == 1) {
			made--;
			path = undo[made];
			undo[made] = NULL;
			cg_check_unused(path);
			undo[made++] = path;
		}
		p->cgroups[kept++] = p->cgroups[i];
	}
	if (kept < p->ncgroups && p->nlimits)
		json_die(&p->spec->json, p->limits[0].w.tok,
		    "%s cannot be limited: no cgroup is delegated to this user",
		    p->limits[0].w.field);
	lost = kept < p->ncgroups;
	p->ncgroups = kept;
	if (lost)
		plan_device_rules(p);
	for (i = 0; i < p->ncgroups && p->nlimits; i++)
		if (p->cgroups[i].hier->v2)
			cg_enable(p, i);
}

/* The cgroup2 directory a child can be born in, or -1. */

static int
cg_open_v2(const struct plan *p)
{
	size_t i;
	int fd = -1;

	for (i = 0; i < p->ncgroups && fd < 0; i++)
		if (p->cgroups[i].hier->v2 &&
		    (fd = sys_open(AT_FDCWD, p->cgroups[i].dir,
			 O_RDONLY | O_DIRECTORY, 0)) < 0)
			err_die("open cgroup %s:", p->cgroups[i].dir);
	return fd;
}

/* pid is in dir, or -1 and errno. A new task can be refused for a moment:
 * asked again. */
static int
cg_try_enter(const char *dir, pid_t pid)
{
	char *file = base_fmt("%s/cgroup.procs", dir);
	char *text = base_fmt("%d", (int)pid);
	int tries = 0;

	while (sys_write_file(AT_FDCWD, file, text) < 0) {
		if ((errno != EINVAL && errno != EAGAIN) || ++tries == 5)
			return -1;
		sys_pause(30);
	}
	return 0;
}

static void
cg_enter(const char *dir, pid_t pid)
{
	if (cg_try_enter(dir, pid) < 0)
		err_die("enter cgroup %s:", dir);
}

/* The child is in all of the container's cgroups. born: it came to life in
 * the v2 one. */
static void
cg_place(const struct plan *p, pid_t pid, bool born)
{
	size_t i;

	for (i = 0; i < p->ncgroups; i++)
		if (!(born && p->cgroups[i].hier->v2))
			cg_enter(p->cgroups[i].dir, pid);
}

/* pid is in the v2 cgroup that init is in. */
static int
cg_try_follow(pid_t init, pid_t pid)
{
	char *text = sys_proc_read(base_fmt("%d/cgroup", (int)init)), *line;
	struct host host = { 0 };
	size_t i;

	plan_probe(&host);
	while (text && (line = base_cut(&text, "\n")))
		for (i = 0; i < host.nhier && !strncmp(line, "0::", 3); i++)
			if (host.hier[i].v2)
				return cg_try_enter(
				    plan_cgroup_dir(&host.hier[i], line + 3),
				    pid);
	errno = ENOENT;
	return -1;
}

/* exec: pid is in the cgroups of the container. On v2 that refuses processes
 * once the container has given controllers to groups below (or is gone): the
 * process goes to where init went. init 0: it does not. */
static void
cg_enter_all(char *const *dirs, pid_t pid, pid_t init)
{
	for (; dirs && *dirs; dirs++)
		if (cg_try_enter(*dirs, pid) < 0 &&
		    !(init && (errno == EBUSY || errno == ENOENT) &&
			cg_try_follow(init, pid) == 0))
			err_die("enter cgroup %s:", *dirs);
}

/* Memory cannot shrink below what is in use, says v1; v2 reclaims. */
static void
cg_say_busy(int dir, const struct limit_write *w)
{
	char *use, *peak;

	if (errno != EBUSY || strcmp(w->field, "memory.limit"))
		return;
	use = sys_read_file(dir, "memory.usage_in_bytes", NULL);
	peak = sys_read_file(dir, "memory.max_usage_in_bytes", NULL);
	err_die("unable to set memory limit to %s (current usage: %.*s, peak "
		"usage: %.*s)",
	    w->value[0], (int)strcspn(use ? use : "?", "\n"), use ? use : "?",
	    (int)strcspn(peak ? peak : "?", "\n"), peak ? peak : "?");
}

/* One limit is in its file. false when the kernel wants another value changed
 * first: it says EINVAL. */
static bool
cg_try_limit(int dir, const struct limit_write *w)
{
	const char *file = w->file[0], *value = w->value[0];
	int r = sys_write_file(dir, file, value);

	if (r < 0 && errno == ENOENT && w->file[1]) {
		file = w->file[1];
		value = w->value[1];
		r = sys_write_file(dir, file, value);
	}
	/* cpuset mounted with noprefix */
	if (r < 0 && errno == ENOENT && !strncmp(file, "cpuset.", 7))
		r = sys_write_file(dir, file + 7, value);
	if (r < 0 && errno == ENOENT && w->optional)
		return true;
	if (r < 0 && errno == ENOENT)
		err_die("%s: this kernel has no %s", w->field, w->file[0]);
	return r == 0;
}

/* All limits are in their files, before anything runs in the cgroups. Some
 * depend on each other (limit and swap, quota and period): those that are
 * refused are tried again behind the others. */
static void
cg_write_limits(const struct plan *p)
{
	const struct plan_limit *l = p->limits;
	bool *done = base_array(p->nlimits, sizeof *done);
	size_t i, left = p->nlimits, before = left + 1;
	bool last;
	int dir;

	while (left) {
		last = left == before;
		before = left;
		for (i = 0; i < p->nlimits; i++) {
			if (done[i])
				continue;
			dir = cg_open(p->cgroups[l[i].cgroup].dir);
			if (dir < 0)
				err_die("open cgroup %s:",
				    p->cgroups[l[i].cgroup].dir);
			done[i] = cg_try_limit(dir, &l[i].w);
			if (!done[i])
				cg_say_busy(dir, &l[i].w);
			if (!done[i] && (last || errno != EINVAL))
				err_die("%s: write '%s' to %s:", l[i].w.field,
				    l[i].w.value[0], l[i].w.file[0]);
			close(dir);
			left -= done[i];
		}
	}
}

/* What every container may use, whatever its rules say: making nodes, the
 * default devices, ptys. */
static const struct cg_device {
	char type;        /* 'a', 'b' or 'c' */
	int major, minor; /* -1: all */
	const char *access;
} cg_device_default[] = {
	{ 'c', -1, -1, "m" },
	{ 'b', -1, -1, "m" },
	{ 'c', 1, 3, "rwm" },
	{ 'c', 1, 5, "rwm" },
	{ 'c', 1, 7, "rwm" },
	{ 'c', 1, 8, "rwm" },
	{ 'c', 1, 9, "rwm" },
	{ 'c', 5, 0, "rwm" },
	{ 'c', 5, 2, "rwm" },
	{ 'c', 136, -1, "rwm" },
	{ 'c', 10, 200, "rwm" },
};

/* A program for the kernel that answers one question: may this device be
 * opened or made so? */
struct cg_filter {
	struct bpf_insn *insn;
	uint32_t n;
};

static void
cg_filter_add(struct cg_filter *f, uint8_t code, int dst, int src, int32_t imm)
{
	f->insn[f->n++] = (struct bpf_insn){ .code = code,
		.dst_reg = (unsigned)dst & 15u,
		.src_reg = (unsigned)src & 15u,
		.imm = imm };
}

/* Where the jump at `from` goes to when its test holds: behind what stands
 * there now. */
static void
cg_filter_land(struct cg_filter *f, uint32_t from)
{
	f->insn[from].off = (int16_t)(f->n - from - 1);
}

static void
cg_filter_answer(struct cg_filter *f, bool allow)
{
	cg_filter_add(f, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, allow);
	cg_filter_add(f, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

/* One rule. In r2 is the device's type, in r4 and r5 its numbers, in r3 what
 * is still asked for: a rule that allows takes its part away, one that denies
 * ends it. So the rules go from the last, which wins, to the first. */
static void
cg_filter_rule(struct cg_filter *f, const struct cg_device *d, bool allow)
{
	const uint8_t unless = BPF_JMP | BPF_JNE | BPF_K;
	uint32_t jump[3], n = 0;
	int32_t access = 0;
	const char *c;

	for (c = d->access; *c; c++)
		access |= *c == 'r' ? BPF_DEVCG_ACC_READ :
			  *c == 'w' ? BPF_DEVCG_ACC_WRITE :
				      BPF_DEVCG_ACC_MKNOD;
	if (d->type != 'a') {
		jump[n++] = f->n;
		cg_filter_add(f, unless, 2, 0,
		    d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
		if (d->major >= 0) {
			jump[n++] = f->n;
			cg_filter_add(f, unless, 4, 0, d->major);
		}
		if (d->minor >= 0) {
			jump[n++] = f->n;
			cg_filter_add(f, unless, 5, 0, d->minor);
		}
	}
	if (allow) {
		cg_filter_add(f, BPF_ALU64 | BPF_AND | BPF_K, 3, 0, ~access);
		cg_filter_add(f, unless, 3, 0, 0);
		f->insn[f->n - 1].off = 2;
	} else {
		cg_filter_add(f, BPF_JMP | BPF_JSET | BPF_K, 3, 0, access);
		f->insn[f->n - 1].off = 1;
		cg_filter_add(f, BPF_JMP | BPF_JA, 0, 0, 0);
		f->insn[f->n - 1].off = 2;
	}
	cg_filter_answer(f, allow);
	while (n)
		cg_filter_land(f, jump[--n]);
}

/* What the config says of devices, in our own words. */
static struct cg_device
cg_device_of(const struct spec_device_rule *r)
{
	struct cg_device d = { .type = r->type ? *r->type : 'a',
		.major = -1,
		.minor = -1,
		.access = r->access };

	if (d.type == 'a')
		d.access = "rwm";
	if (r->major.set && r->major.v >= 0)
		d.major = (int)r->major.v;
	if (r->minor.set && r->minor.v >= 0)
		d.minor = (int)r->minor.v;
	return d;
}

/* The whole filter: what no rule speaks of is denied. The context is struct
 * bpf_cgroup_dev_ctx: type and access in one word, major, minor. */
static struct cg_filter
cg_filter_make(const struct spec_resources *r)
{
	const struct spec_device_rule *rule = r->devices.p;
	const uint8_t load = BPF_LDX | BPF_MEM | BPF_W;
	struct cg_filter f = { 0 };
	struct cg_device d;
	size_t i;

	f.insn = base_array(
	    9 + 8 * (r->devices.n + LEN(cg_device_default)), sizeof *f.insn);
	cg_filter_add(&f, load, 3, 1, 0);
	cg_filter_add(&f, load, 4, 1, 0);
	f.insn[1].off = offsetof(struct bpf_cgroup_dev_ctx, major);
	cg_filter_add(&f, load, 5, 1, 0);
	f.insn[2].off = offsetof(struct bpf_cgroup_dev_ctx, minor);
	cg_filter_add(&f, BPF_ALU64 | BPF_MOV | BPF_X, 2, 3, 0);
	cg_filter_add(&f, BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0xffff);
	cg_filter_add(&f, BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 16);
	for (i = LEN(cg_device_default); i-- > 0;)
		cg_filter_rule(&f, &cg_device_default[i], true);
	for (i = r->devices.n; i-- > 0;) {
		d = cg_device_of(&rule[i]);
		cg_filter_rule(&f, &d, rule[i].allow);
	}
	cg_filter_answer(&f, false);
	return f;
}

/* Load the program; -1 and errno. Before Linux 5.11 its memory counts against
 * RLIMIT_MEMLOCK, which is raised when it must be and may be. */
static int
cg_filter_load(const struct cg_filter *f)
{
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };
	union bpf_attr a;
	int fd, e;

	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uint64_t)(uintptr_t)f->insn;
	a.insn_cnt = f->n;
	a.license = (uint64_t)(uintptr_t) "ISC";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
	if (fd >= 0 || errno != EPERM)
		return fd;
	e = errno;
	if (setrlimit(RLIMIT_MEMLOCK, &rl) == 0)
		return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
	errno = e;
	return -1;
}

/* v2: the cgroup has the filter, which lives and dies with it. */
static void
cg_attach_devices(struct plan *p, const char *name)
{
	struct cg_filter f = cg_filter_make(p->spec->linux_->resources);
	CLOSEFD int dir = cg_open(name);
	CLOSEFD int prog = -1;
	union bpf_attr a;

	if (dir < 0)
		err_die("open cgroup %s:", name);
	memset(&a, 0, sizeof a);
	prog = cg_filter_load(&f);
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	if (prog >= 0 && syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof a) == 0)
		return;
	if (!sys_lacks(errno))
		err_die("filter devices of cgroup %s:", name);
	plan_no_device_rules(p);
}

static void
cg_device_write(int allow, int deny, const struct cg_device *d, bool allowed)
{
	char *rule = "a", *major, *minor;

	if (d->type != 'a') {
		major = d->major < 0 ? "*" : base_fmt("%d", d->major);
		minor = d->minor < 0 ? "*" : base_fmt("%d", d->minor);
		rule =
		    base_fmt("%c %s:%s %s", d->type, major, minor, d->access);
	}
	if (sys_write_all(allowed ? allow : deny, rule, strlen(rule)) < 0)
		err_die("device rule '%s':", rule);
}

/* v1: the kernel takes one rule a write. */
static void
cg_write_device_rules(const struct spec_resources *r, const char *name)
{
	const struct spec_device_rule *rule = r->devices.p;
	CLOSEFD int dir = cg_open(name);
	CLOSEFD int allow = sys_open(dir, "devices.allow", O_WRONLY, 0);
	CLOSEFD int deny = sys_open(dir, "devices.deny", O_WRONLY, 0);
	struct cg_device d;
	size_t i;

	if (dir < 0 || allow < 0 || deny < 0)
		err_die("open device rules of %s:", name);
	for (i = 0; i < r->devices.n; i++) {
		d = cg_device_of(&rule[i]);
		cg_device_write(allow, deny, &d, rule[i].allow);
	}
	for (i = 0; i < LEN(cg_device_default); i++)
		cg_device_write(allow, deny, &cg_device_default[i], true);
}

/* The rules are enforced before the child is let go (threat T21). */
static void
cg_write_devices(struct plan *p)
{
	const char *v1 = NULL, *v2 = NULL;
	size_t i;

	if (!p->device_rules)
		return;
	for (i = 0; i < p->ncgroups; i++)
		if (p->cgroups[i].hier->v2)
			v2 = p->cgroups[i].dir;
		else if (plan_has_word(
			     p->cgroups[i].hier->controllers, "devices"))
			v1 = p->cgroups[i].dir;
	if (v1)
		cg_write_device_rules(p->spec->linux_->resources, v1);
	else if (v2)
		cg_attach_devices(p, v2);
	else
		err_die("device rules: no cgroup that takes them");
}

/* == 13 RDT ============================================ rdt_ ==== [order]
 * Owns:   the container's group in resctrl, and its schemata.
 * Calls:  ERR SYS SPEC.
 * Runs:   parent, before the clone and while the child waits; exec; delete.
 * Change: nothing is touched unless the config has intelRdt. Paths are relative
 *         to resctrl, which tests hand in as any directory.
 */
struct rdt {
	const struct spec_rdt *spec;
	const char *id, *group; /* "." is the root group */
	int fd;                 /* resctrl */
	char *join[3];          /* groups to join, the last one counts */
	char *made[3];          /* what delete removes, in this order */
	char *fresh[3];         /* what a create that fails removes */
};

static bool
rdt_exists(const struct rdt *r, const char *dir)
{
	return faccessat(r->fd, dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Which groups there will be. Nothing is made yet: the journal must name
 * first what delete removes (runtime-spec config-linux.md#IntelRdt). */
static void
rdt_plan(struct rdt *r, int fd, const struct spec_rdt *c, const char *id)
{
	size_t made = 0, fresh = 0, join = 0;
	char *mon;

	r->spec = c;
	r->id = id;
	r->fd = fd;
	r->group = !c->clos_id || !*c->clos_id ? id :
		   strcmp(c->clos_id, "/")     ? c->clos_id :
						 ".";
	r->join[join++] = base_dup(r->group);
	if (c->monitoring) {
		mon = base_fmt("%s/mon_groups/%s", r->group, id);
		r->join[join++] = mon;
		/* one that is there is another's: to make it will fail */
		if (!rdt_exists(r, mon))
			r->made[made++] = r->fresh[fresh++] = mon;
	}
	if (rdt_exists(r, r->group))
		return;
	r->fresh[fresh++] = base_dup(r->group);
	if (r->group == id)
		r->made[made++] = base_dup(r->group);
}

static bool
rdt_has_schemata(const struct spec_rdt *c)
{
	return (c->l3_cache && *c->l3_cache) || (c->mem_bw && *c->mem_bw) ||
	       (c->schemata && *c->schemata);
}

/* The lines to write: caches, memory bandwidth, then the rest. */
static struct text
rdt_lines(const struct spec_rdt *c)
{
	struct text t = { 0 };
	char **line;

	if (c->l3_cache && *c->l3_cache)
		base_putf(&t, "%s\n", c->l3_cache);
	if (c->mem_bw && *c->mem_bw)
		base_putf(&t, "%s\n", c->mem_bw);
	for (line = c->schemata; line && *line; line++)
		base_putf(&t, "%s\n", *line);
	return t;
}

/* Cut "0=ff" off a list of them. */
static bool
rdt_cut_domain(char **list, char **domain, char **value)
{
	*domain = base_cut(list, ";");
	*value = *domain ? strchr(*domain, '=') : NULL;
	if (*value)
		*(*value)++ = 0;
	return *value != NULL;
}

/* Has the schemata text a line about what, with this value for the domain?
 * The kernel pads names and numbers: bandwidths are decimal, masks are not. */
static bool
rdt_has_domain(
    const char *text, const char *what, const char *domain, const char *value)
{
	const int radix = strncmp(what, "MB", 2) ? 16 : 10;
	char *copy = base_dup(text), *line, *colon, *d, *v;

	while ((line = base_cut(&copy, "\n"))) {
		line += strspn(line, " \t");
		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon++ = 0;
		while (!strcmp(line, what) && rdt_cut_domain(&colon, &d, &v))
			if (strtoull(d, NULL, 10) ==
				strtoull(domain, NULL, 10) &&
			    strtoull(v, NULL, radix) ==
				strtoull(value, NULL, radix))
				return true;
	}
	return false;
}

/* The group of a closID that is there must be what the config asks for: it is
 * shared, so it is not ours to change. */
static void
rdt_compare(const struct rdt *r)
{
	char *have =
	    sys_read_file(r->fd, base_fmt("%s/schemata", r->group), NULL);
	char *want = base_dup(rdt_lines(r->spec).p), *line, *list, *d, *v;

	if (!have)
		err_die("read schemata of %s:", r->group);
	while ((line = base_cut(&want, "\n"))) {
		line += strspn(line, " \t");
		list = strchr(line, ':');
		if (!list)
			err_die("'%s' is no schema", line);
		*list++ = 0;
		while (rdt_cut_domain(&list, &d, &v))
			if (!rdt_has_domain(have, line, d, v))
				err_die("closID '%s' has other schemata than "
					"%s:%s=%s",
				    r->spec->clos_id, line, d, v);
	}
}

/* What the kernel says of the last thing it refused; "" when nothing. */
static char *
rdt_why(const struct rdt *r)
{
	int e = errno;
	char *why = sys_read_file(r->fd, "info/last_cmd_status", NULL);

	errno = e;
	if (!why || !*why || !strncmp(why, "ok", 2))
		return base_dup("");
	why[strcspn(why, "\n")] = 0;
	return base_fmt(" (%s)", why);
}

/* rmdir(2) of each; the kernel gives what is in a group to the one above. */
static void
rdt_remove(int fd, char *const *dirs)
{
	for (; dirs && *dirs; dirs++)
		if (unlinkat(fd, *dirs, AT_REMOVEDIR) < 0 && errno != ENOENT)
			err_warn("remove resctrl group %s:", *dirs);
}

static void
rdt_undo(void *arg)
{
	const struct rdt *r = arg;

	rdt_remove(r->fd, r->fresh);
}

static void
rdt_mkdir(const struct rdt *r, const char *dir)
{
	if (mkdirat(r->fd, dir, 0755) < 0)
		err_die("make resctrl group %s%s%s:", dir,
		    errno == ENOSPC ? " (hint: all CLOSIDs of this CPU are in "
				      "use)" :
		    errno == ENOENT ? " (hint: has this CPU monitoring?)" :
				      "",
		    rdt_why(r));
}

/* Make the groups and write the schemata. */
static void
rdt_make(struct rdt *r)
{
	const struct spec_rdt *c = r->spec;
	const bool closid = c->clos_id && *c->clos_id;
	const bool there = rdt_exists(r, r->group);
	struct text t;

	err_push("intelRdt");
	if (closid && !there && !rdt_has_schemata(c))
		err_die("there is no group '%s' in resctrl", c->clos_id);
	err_undo(rdt_undo, r);
	if (!there)
		rdt_mkdir(r, r->group);
	if (closid && there && rdt_has_schemata(c)) {
		rdt_compare(r);
	} else if (rdt_has_schemata(c)) {
		t = rdt_lines(c);
		if (sys_write_file(
			r->fd, base_fmt("%s/schemata", r->group), t.p) < 0)
			err_die("write schemata%s:", rdt_why(r));
	}
	if (c->monitoring)
		rdt_mkdir(r, r->join[1]);
	err_pop();
}

/* Put a process into the groups. */
static void
rdt_enter(int fd, char *const *join, pid_t pid)
{
	for (; join && *join; join++)
		if (sys_write_file(fd, base_fmt("%s/tasks", *join),
			base_fmt("%d", (int)pid)) < 0)
			err_die("intelRdt: join group %s:", *join);
}

static int
rdt_open(const char *resctrl)
{
	return sys_open(
	    AT_FDCWD, resctrl, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

/* == 14 NS ============================================== ns_ ==== [order]
 * Owns:   opening, joining and making namespaces, id mappings, time offsets.
 * Calls:  ERR SYS TAB SPEC.
 * Runs:   parent (what takes the caller's rights), the stage and the child.
 * Trusts: no path of the config: what it names must be a namespace, and of
 *         that kind. The caller's own counts as none at all.
 * Change: the order of joins is the kernel's rule: see ns_join().
 */

/* A namespace is known by the inode of its file. */
struct ns_id {
	dev_t dev;
	ino_t ino;
};

/* Which namespaces (flags) the process has whose directory in the procfs is
 * dir: "self" or a pid. */
static void
ns_look(const char *dir, unsigned flags, struct ns_id *ids)
{
	struct stat st;
	size_t i;

	for (i = 0; i < NS_COUNT; i++) {
		if (!(flags & tab_ns[i].flag))
			continue;
		if (fstatat(sys_proc(),
			base_fmt("%s/ns/%s", dir, tab_ns[i].file), &st, 0) < 0)
			err_die("look at %s namespace (needs %s):",
			    tab_ns[i].name, tab_ns[i].config);
		ids[i].dev = st.st_dev;
		ids[i].ino = st.st_ino;
	}
}

/* Is a process in the namespace of a kind that we are in? */
static bool
ns_is_ours(pid_t pid, size_t which)
{
	struct ns_id ours[NS_COUNT], its[NS_COUNT];

	ns_look("self", tab_ns[which].flag, ours);
	ns_look(base_fmt("%d", (int)pid), tab_ns[which].flag, its);
	return ours[which].ino == its[which].ino &&
	       ours[which].dev == its[which].dev;
}

/* The gate: each namespace in fresh is not what our caller has, each in join
 * is what was to be joined. Run by the child itself. */
static void
ns_verify(const char *who, unsigned fresh, const struct ns_id *ours,
    unsigned join, const struct ns_id *want)
{
	struct ns_id now[NS_COUNT];
	size_t i;

	ns_look(who, fresh | join, now);
	for (i = 0; i < NS_COUNT; i++) {
		if ((fresh & tab_ns[i].flag) && now[i].ino == ours[i].ino &&
		    now[i].dev == ours[i].dev)
			err_die("check: the %s namespace is the host's",
			    tab_ns[i].name);
		if ((join & tab_ns[i].flag) &&
		    (now[i].ino != want[i].ino || now[i].dev != want[i].dev))
			err_die("check: not in the %s namespace to join",
			    tab_ns[i].name);
	}
}

/* One namespace that the config names by path; *id says which it is. A wrong
 * file must not have any other effect than an error, so it is not touched
 * before it is known to be a namespace. */
static int
ns_open_path(const struct spec *s, const struct spec_ns *ns, struct ns_id *id)
{
	int fd = sys_open(AT_FDCWD, ns->path, O_RDONLY | O_NONBLOCK, 0);
	struct statfs sfs;
	struct stat st;
	size_t i;
	int type;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &sfs) < 0)
		err_die("open %s namespace %s:", ns->type, ns->path);
	/* Linux < 3.19 has them in the procfs, < 4.11 cannot say their kind;
	 * then setns(2) refuses the wrong one. */
	if (sfs.f_type != PORT_NSFS_MAGIC && sfs.f_type != PORT_PROC_MAGIC)
		spec_die(s, ns, "path", "%s is not a namespace", ns->path);
	type = ioctl(fd, PORT_NS_GET_NSTYPE);
	for (i = 0; type > 0 && i < NS_COUNT; i++)
		if ((unsigned)type == tab_ns[i].flag && i != ns->index)
			spec_die(s, ns, "path",
			    "%s is a %s namespace, not a %s namespace",
			    ns->path, tab_ns[i].name, ns->type);
	id->dev = st.st_dev;
	id->ino = st.st_ino;
	return fd;
}

/* Open all namespaces that have a path, before anything is done. Our own is
 * marked as inherited: what would change the host through it is refused as
 * if it had not been listed. True when there is such a one. */
static bool
ns_open_paths(struct spec *s, int *fds, struct ns_id *want)
{
	struct spec_ns *ns = s->linux_ ? s->linux_->namespaces.p : NULL;
	struct ns_id ours[NS_COUNT];
	bool inherited = false;
	size_t i, k;

	for (i = 0; i < NS_COUNT; i++)
		fds[i] = -1;
	for (i = 0; ns && i < s->linux_->namespaces.n; i++) {
		if (!ns[i].path)
			continue;
		k = ns[i].index;
		fds[k] = ns_open_path(s, &ns[i], &want[k]);
		ns_look("self", tab_ns[k].flag, ours);
		if (ours[k].ino != want[k].ino || ours[k].dev != want[k].dev)
			continue;
		ns[i].inherited = inherited = true;
		sys_close(&fds[k]);
	}
	return inherited;
}

/* The child of a clone; dies with the likely reason where there is none. */
static pid_t
ns_clone(uint64_t flags, int cgroup, bool *in_cgroup)
{
	pid_t pid = sys_clone(flags, cgroup, in_cgroup);
	const char *hint = "";

	if (pid >= 0)
		return pid;
	if (errno == EINVAL)
		hint = " (hint: a namespace that the kernel lacks? "
		       "CONFIG_NAMESPACES and its *_NS options)";
	else if (errno == ENOSPC || errno == EUSERS)
		hint = " (hint: limits in /proc/sys/user/max_*_namespaces)";
	else if (errno == EPERM && (flags & CLONE_NEWUSER))
		hint = " (hint: may users make user namespaces here? "
		       "kernel.unprivileged_userns_clone, "
		       "kernel.apparmor_restrict_unprivileged_userns)";
	else if (errno == EPERM && sys_euid() != 0)
		hint = " (hint: needs root, or a user namespace: "
		       "ocirt spec --rootless)";
	err_die("clone the container's process%s:", hint);
}

/* A new time namespace for our children, and its clocks: both before any
 * process is in it (time_namespaces(7)). */
static void
ns_new_time(const char *offsets)
{
	if (unshare(PORT_CLONE_NEWTIME) < 0) {
		if (errno == EINVAL)
			err_die("time namespaces aren't enabled in the kernel "
				"(needs CONFIG_TIME_NS, Linux 5.6)");
		err_die("unshare time namespace:");
	}
	if (offsets && sys_proc_write("self/timens_offsets", offsets) < 0)
		err_die("set time offsets%s:",
		    errno == EACCES ? " (hint: in a joined user namespace that "
				      "takes root)" :
				      "");
}

/* Root of the user namespace that we are in, for whom files are made. Groups
 * of our caller go where they may. */
static void
ns_become_root(void)
{
	if (syscall(PORT_SETGROUPS, 0, NULL) < 0 && errno != EPERM)
		err_die("drop groups:");
	if (syscall(PORT_SETRESGID, 0, 0, 0) < 0 ||
	    syscall(PORT_SETRESUID, 0, 0, 0) < 0)
		err_die("become root of the user namespace:");
}

/* Mappings as the kernel takes them, in one write (user_namespaces(7)). */
static char *
ns_map_text(const struct spec_list *maps)
{
	const struct spec_idmap *m = maps->p;
	struct text t = { 0 };
	size_t i;

	for (i = 0; i < maps->n; i++)
		base_putf(&t, "%lld %lld %lld\n", (long long)m[i].container.v,
		    (long long)m[i].host.v, (long long)m[i].size.v);
	if (t.n >= getauxval(AT_PAGESZ))
		err_die("%zu mappings are too long for the kernel: it takes "
			"less than %lu bytes",
		    maps->n, getauxval(AT_PAGESZ));
	return t.p;
}

/* Write one map of the process. */
static void
ns_write_map(pid_t pid, const char *file, const struct spec_list *maps)
{
	if (sys_proc_write(
		base_fmt("%d/%s", (int)pid, file), ns_map_text(maps)) < 0)
		err_die("write %s%s:", file,
		    errno == EPERM ? " (hint: does our own user namespace have "
				     "all of its hostIDs?)" :
		    errno == EINVAL && maps->n > 5 ?
				     " (hint: more than 5 mappings need Linux "
				     "4.15)" :
				     "");
}

/* A user namespace with these mappings and no process in it, to map the ids of
 * a mount. Its one process waits for us, and for nothing when we die. */
static int
ns_make_user(const struct spec_list *uids, const struct spec_list *gids)
{
	CLOSEFD int wait = -1;
	int pair[2], fd;
	bool born;
	pid_t pid;
	char c;

	if (pipe2(pair, O_CLOEXEC) < 0)
		err_die("pipe:");
	pid = ns_clone(CLONE_NEWUSER, -1, &born);
	if (pid == 0) {
		close(pair[1]);
		while (read(pair[0], &c, 1) < 0 && errno == EINTR)
			;
		err_exit(0);
	}
	close(pair[0]);
	wait = pair[1];
	ns_write_map(pid, "uid_map", uids);
	ns_write_map(pid, "gid_map", gids);
	fd =
	    sys_open(sys_proc(), base_fmt("%d/ns/user", (int)pid), O_RDONLY, 0);
	if (fd < 0)
		err_die("open user namespace of a mount:");
	sys_close(&wait);
	sys_waitpid(pid, NULL);
	return fd;
}

/* The mappings that a process has, as they look from our user namespace. */
static struct spec_list
ns_read_map(pid_t pid, const char *file)
{
	char *text = sys_proc_read(base_fmt("%d/%s", (int)pid, file)), *line,
	     *word;
	struct spec_idmap *m = base_array(SPEC_MAP_LINES, sizeof *m);
	struct spec_list maps = { m, 0 };
	uint64_t v[3];
	size_t i;

	if (!text)
		err_die("read %s:", file);
	for (; maps.n < SPEC_MAP_LINES && (line = base_cut(&text, "\n")); m++) {
		for (i = 0; i < LEN(v) && (word = base_cut(&line, " "));)
			if (*word && base_number(word, UINT32_MAX, &v[i++]) < 0)
				err_die("read %s: '%s'", file, word);
		if (i < LEN(v))
			break;
		m->container.v = (int64_t)v[0];
		m->host.v = (int64_t)v[1];
		m->size.v = (int64_t)v[2];
		maps.n++;
	}
	return maps;
}

/* Are the mappings those that the process has? */
static bool
ns_same_map(pid_t pid, const char *file, const struct spec_list *want)
{
	struct spec_list maps = ns_read_map(pid, file);
	const struct spec_idmap *m = maps.p, *w = want->p;
	size_t i, k;

	for (i = 0; i < want->n; i++) {
		for (k = 0; k < maps.n; k++)
			if (m[k].container.v == w[i].container.v &&
			    m[k].host.v == w[i].host.v &&
			    m[k].size.v == w[i].size.v)
				break;
		if (k == maps.n)
			return false;
	}
	return maps.n == want->n;
}

/* Join those in flags by descriptor; the ones that our rights do not reach
 * are left in what it returns. */
static unsigned
ns_join_some(unsigned flags, const int *fds)
{
	unsigned left = 0;
	size_t i;

	for (i = 0; i < NS_COUNT; i++) {
		if (!(flags & tab_ns[i].flag))
			continue;
		if (fds[i] >= 0 && setns(fds[i], (int)tab_ns[i].flag) == 0)
			continue;
		if (fds[i] >= 0 && errno == EPERM)
			left |= tab_ns[i].flag;
		else
			err_die("join %s namespace%s:", tab_ns[i].name,
			    i == NS_PID && errno == EINVAL ?
				" (hint: only one below our own can be "
				"joined)" :
				"");
	}
	return left;
}

/* Join the namespaces in flags (CLONE_ bits) of the process behind pidfd, all
 * at once; where there is no pidfd or the kernel cannot do that (< 5.8), by
 * the descriptors in fds. Those that our own rights reach come first, for in
 * the user namespace these are gone; then the user namespace; then what only
 * its rights reach. A pid namespace is entered by our children. */
static void
ns_join(int pidfd, unsigned flags, const int *fds)
{
	const unsigned user = flags & tab_ns[NS_USER].flag;
	unsigned left;

	if (!flags)
		return;
	if (pidfd >= 0 && setns(pidfd, (int)flags) == 0)
		return;
	if (pidfd >= 0 && !sys_lacks(errno))
		err_die("join namespaces:");
	left = ns_join_some(flags & ~user, fds);
	if (ns_join_some(user, fds) || (left && !user) ||
	    ns_join_some(left, fds)) {
		errno = EPERM;
		err_die("join namespaces (hint: of another user?):");
	}
}

/* Is the pid namespace of a process that of want, or one below it? */
static bool
ns_pid_is_below(const char *pid, const struct stat *want)
{
	struct stat st;
	CLOSEFD int fd = -1;
	int up, depth;

	fd = sys_open(sys_proc(), base_fmt("%s/ns/pid", pid), O_RDONLY, 0);
	/* the kernel's limit is 32 */
	for (depth = 0; fd >= 0 && depth < 34; depth++) {
		if (fstat(fd, &st) < 0)
			return false;
		if (st.st_ino == want->st_ino && st.st_dev == want->st_dev)
			return true;
		up = ioctl(fd, PORT_NS_GET_PARENT); /* Linux 4.9 */
		sys_close(&fd);
		fd = up;
	}
	return false;
}

/* Add the processes in the pid namespace of init, and in those below it. */
static void
ns_collect(pid_t init, struct spec_ids *ids)
{
	CLOSEFD int fd = sys_open(sys_proc(), ".", O_RDONLY | O_DIRECTORY, 0);
	struct dirent *d;
	struct stat want;
	uint64_t pid;
	DIR *dir;

	if (fstatat(sys_proc(), base_fmt("%d/ns/pid", (int)init), &want, 0) <
		0 ||
	    fd < 0 || !(dir = fdopendir(fd)))
		return;
	fd = -1;
	while ((d = readdir(dir)))
		if (base_number(d->d_name, INT_MAX, &pid) == 0 &&
		    ns_pid_is_below(d->d_name, &want))
			spec_add_id(ids, (uint32_t)pid);
	closedir(dir);
}

/* Descriptors of the namespaces in flags of a process, for ns_join() on old
 * kernels: they are opened while the host's procfs is still in sight. */
static void
ns_open(pid_t pid, unsigned flags, int *fds)
{
	size_t i;

	for (i = 0; i < NS_COUNT; i++) {
		fds[i] = -1;
		if (sys_proc() >= 0 && (flags & tab_ns[i].flag))
			fds[i] = sys_open(sys_proc(),
			    base_fmt("%d/ns/%s", (int)pid, tab_ns[i].file),
			    O_RDONLY, 0);
	}
}

/* == 15 NET ============================================ net_ ==== [order]
 * Owns:   rtnetlink: loopback, and devices that move into the container.
 * Calls:  ERR SYS SPEC.
 * Runs:   child (loopback) and parent (devices), while the child waits.
 * Trusts: the kernel, which is the only peer: what others send is dropped, and
 *         every length is checked all the same.
 * Change: a device that moved goes back when create fails, so what is done to
 *         it has its way back in net_back().
 */

/* A socket stays in the network namespace that it was made in. */
struct net_sock {
	int fd;
	uint32_t seq;
};

struct net_request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
	} u;
	char attrs[256];
};

/* What comes back to a request, message by message. */
typedef void net_reply(const struct nlmsghdr *h, void *arg);

static void
net_open(struct net_sock *s)
{
	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (s->fd < 0)
		err_die("netlink socket (needs CONFIG_NET):");
}

static void
net_begin(struct net_request *q, uint16_t type, uint16_t flags, size_t body)
{
	memset(q, 0, sizeof *q);
	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = flags | NLM_F_REQUEST;
	q->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

static void
net_put(struct net_request *q, uint16_t type, const void *data, size_t n)
{
	size_t at = NLMSG_ALIGN(q->h.nlmsg_len);
	struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(n),
		.rta_type = type };

	if (at + RTA_SPACE(n) > sizeof *q)
		err_die("netlink request is too long");
	memcpy((char *)q + at, &a, sizeof a);
	if (n)
		memcpy((char *)q + at + RTA_LENGTH(0), data, n);
	q->h.nlmsg_len = (uint32_t)(at + RTA_LENGTH(n));
}

/* One datagram of the kernel's; its length, or -1 and errno. */
static ssize_t
net_receive(const struct net_sock *s, void *buf, size_t size)
{
	struct sockaddr_nl from;
	socklen_t len;
	ssize_t n;

	do {
		len = sizeof from;
		n = recvfrom(s->fd, buf, size, MSG_TRUNC,
		    (struct sockaddr *)&from, &len);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid));
	if (n > (ssize_t)size) {
		errno = EMSGSIZE;
		return -1;
	}
	return n;
}

/* The messages of one datagram that answer the request: 1 when the last one
 * is among them, 0 when more are to come, -1 and errno for a refusal. */
static int
net_read(const struct net_sock *s, const char *buf, size_t n, net_reply *fn,
    void *arg)
{
	const struct nlmsghdr *h;
	int e;

	for (; n >= sizeof *h;
	     buf += NLMSG_ALIGN(h->nlmsg_len), n -= NLMSG_ALIGN(h->nlmsg_len)) {
		h = (const struct nlmsghdr *)(const void *)buf;
		if (h->nlmsg_len < sizeof *h || h->nlmsg_len > n)
			break;
		if (h->nlmsg_seq == s->seq && h->nlmsg_type >= NLMSG_MIN_TYPE)
			fn(h, arg);
		if (h->nlmsg_seq == s->seq &&
		    (h->nlmsg_flags & NLM_F_DUMP_INTR)) {
			errno = EAGAIN;
			return -1;
		}
		if (h->nlmsg_seq == s->seq &&
		    (h->nlmsg_type == NLMSG_ERROR ||
			h->nlmsg_type == NLMSG_DONE)) {
			e = 0;
			if (h->nlmsg_len >= NLMSG_LENGTH(sizeof e))
				memcpy(&e, NLMSG_DATA(h), sizeof e);
			errno = -e;
			return e < 0 ? -1 : 1;
		}
		if (NLMSG_ALIGN(h->nlmsg_len) > n)
			return 0;
	}
	return 0;
}

/* Send a request and wait for its end; what comes before that goes to fn.
 * 0, or -1 and errno. */
static int
net_ask(struct net_sock *s, struct net_request *q, net_reply *fn, void *arg)
{
	static char buf[32 << 10] __attribute__((aligned(16)));
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;
	int end = 0;

	q->h.nlmsg_seq = ++s->seq;
	do
		n = sendto(s->fd, q, q->h.nlmsg_len, 0,
		    (struct sockaddr *)&kernel, sizeof kernel);
	while (n < 0 && errno == EINTR);
	while (n >= 0 && !end) {
		n = net_receive(s, buf, sizeof buf);
		if (n >= 0)
			end = net_read(s, buf, (size_t)n, fn, arg);
	}
	return n < 0 || end < 0 ? -1 : 0;
}

static void
net_ignore(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	(void)arg;
}

static int
net_set_flags(struct net_sock *s, int index, unsigned flags, unsigned change)
{
	struct net_request q;

	net_begin(&q, RTM_NEWLINK, NLM_F_ACK, sizeof q.u.link);
	q.u.link.ifi_index = index;
	q.u.link.ifi_flags = flags;
	q.u.link.ifi_change = change;
	return net_ask(s, &q, net_ignore, NULL);
}

/* Bring lo up in a new network namespace, where it is the first device. */
static void
net_lo_up(void)
{
	struct net_sock s = { .fd = -1 };

	net_open(&s);
	if (net_set_flags(&s, 1, IFF_UP, IFF_UP) < 0)
		err_die("bring up lo:");
	sys_close(&s.fd);
}

/* ---- devices ---- */

struct net_link {
	int index;
	unsigned flags;
};

static void
net_keep_link(const struct nlmsghdr *h, void *arg)
{
	struct net_link *l = arg;
	struct ifinfomsg m;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof m))
		return;
	memcpy(&m, NLMSG_DATA(h), sizeof m);
	l->index = m.ifi_index;
	l->flags = m.ifi_flags;
}

/* The device of that name; -1 and ENODEV where there is none. */
static int
net_find(struct net_sock *s, const char *name, struct net_link *l)
{
	struct net_request q;

	memset(l, 0, sizeof *l);
	net_begin(&q, RTM_GETLINK, NLM_F_ACK, sizeof q.u.link);
	net_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
	if (net_ask(s, &q, net_keep_link, l) < 0)
		return -1;
	if (!l->index)
		errno = ENODEV;
	return l->index ? 0 : -1;
}

/* An address that a device carries along: what was set by hand (permanent)
 * and counts everywhere (global), of any family. */
struct net_addr {
	struct net_addr *next;
	struct ifaddrmsg m;
	uint32_t flags;
	struct net_blob {
		size_t n;
		char data[32];
	} local, address, broadcast;
};

struct net_addrs {
	int index;
	struct net_addr *first, **end;
};

static void
net_take(struct net_blob *b, const char *data, size_t n)
{
	if (n > sizeof b->data)
		return;
	b->n = n;
	memcpy(b->data, data, n);
}

static void
net_keep_addr(const struct nlmsghdr *h, void *arg)
{
	struct net_addrs *all = arg;
	struct net_addr *a = base_alloc(sizeof *a);
	const char *at = (const char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof a->m);
	const char *end = (const char *)h + h->nlmsg_len, *data;
	struct rtattr r;

	if (h->nlmsg_type != RTM_NEWADDR ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof a->m))
		return;
	memcpy(&a->m, NLMSG_DATA(h), sizeof a->m);
	a->flags = a->m.ifa_flags;
	for (; end - at >= (ptrdiff_t)sizeof r; at += RTA_ALIGN(r.rta_len)) {
		memcpy(&r, at, sizeof r);
		if (r.rta_len < sizeof r || r.rta_len > end - at)
			break;
		data = at + RTA_LENGTH(0);
		if (r.rta_type == IFA_LOCAL)
			net_take(&a->local, data, RTA_PAYLOAD(&r));
		else if (r.rta_type == IFA_ADDRESS)
			net_take(&a->address, data, RTA_PAYLOAD(&r));
		else if (r.rta_type == IFA_BROADCAST)
			net_take(&a->broadcast, data, RTA_PAYLOAD(&r));
		else if (r.rta_type == IFA_FLAGS &&
			 RTA_PAYLOAD(&r) == sizeof a->flags)
			memcpy(&a->flags, data, sizeof a->flags);
		if (RTA_ALIGN(r.rta_len) > end - at)
			break;
	}
	if ((int)a->m.ifa_index != all->index ||
	    a->m.ifa_scope != RT_SCOPE_UNIVERSE ||
	    !(a->flags & IFA_F_PERMANENT))
		return;
	*all->end = a;
	all->end = &a->next;
}

/* The addresses of a device; asked again when they change meanwhile. */
static int
net_list_addrs(struct net_sock *s, int index, struct net_addrs *all)
{
	struct net_request q;
	int tries = 0, rc;

	do {
		all->index = index;
		all->first = NULL;
		all->end = &all->first;
		net_begin(&q, RTM_GETADDR, NLM_F_DUMP, sizeof q.u.addr);
		rc = net_ask(s, &q, net_keep_addr, all);
	} while (rc < 0 && errno == EAGAIN && ++tries < 8);
	return rc;
}

/* One that is there already is as good. */
static int
net_add_addrs(struct net_sock *s, int index, const struct net_addrs *all)
{
	/* what a user may ask for; the others are the kernel's to tell */
	const uint32_t asked = IFA_F_NODAD | IFA_F_HOMEADDRESS |
			       IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE |
			       IFA_F_MCAUTOJOIN;
	const struct net_addr *a;
	struct net_request q;
	uint32_t flags;

	for (a = all->first; a; a = a->next) {
		net_begin(&q, RTM_NEWADDR,
		    NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sizeof q.u.addr);
		q.u.addr = a->m;
		flags = a->flags & asked;
		q.u.addr.ifa_flags = (uint8_t)flags;
		q.u.addr.ifa_index = (unsigned)index;
		if (a->local.n)
			net_put(&q, IFA_LOCAL, a->local.data, a->local.n);
		if (a->address.n)
			net_put(&q, IFA_ADDRESS, a->address.data, a->address.n);
		if (a->broadcast.n)
			net_put(&q, IFA_BROADCAST, a->broadcast.data,
			    a->broadcast.n);
		net_put(&q, IFA_FLAGS, &flags, sizeof flags);
		if (net_ask(s, &q, net_ignore, NULL) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/* Into the namespace fd under a new name, in one message: nobody ever sees it
 * there under the old one. */
static int
net_send_away(struct net_sock *s, int index, int fd, const char *name)
{
	struct net_request q;

	net_begin(&q, RTM_NEWLINK, NLM_F_ACK, sizeof q.u.link);
	q.u.link.ifi_index = index;
	net_put(&q, IFLA_NET_NS_FD, &fd, sizeof fd);
	net_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
	return net_ask(s, &q, net_ignore, NULL);
}

struct net_device {
	const char *host, *name;
	struct net_addrs addrs;
	bool up, touched;
};

struct net_move {
	struct net_sock host, inside;
	int host_ns, inside_ns;
	struct net_device *dev;
	size_t n;
};

/* Undo: each device that was touched is the host's again, under its old name,
 * with its addresses and up if it was. Routes through it are gone. */
static void
net_back(void *arg)
{
	struct net_move *m = arg;
	struct net_device *d;
	struct net_link l;
	size_t i;

	for (i = m->n; i--;) {
		d = &m->dev[i];
		if (!d->touched)
			continue;
		/* A move that failed half way kept the old name. */
		if (net_find(&m->host, d->host, &l) < 0 &&
		    (net_find(&m->inside, d->name, &l) == 0 ||
			net_find(&m->inside, d->host, &l) == 0)) {
			net_set_flags(&m->inside, l.index, 0, IFF_UP);
			net_send_away(&m->inside, l.index, m->host_ns, d->host);
		}
		if (net_find(&m->host, d->host, &l) < 0 ||
		    net_add_addrs(&m->host, l.index, &d->addrs) < 0 ||
		    net_set_flags(
			&m->host, l.index, d->up ? IFF_UP : 0, IFF_UP) < 0)
			err_warn("give network device %s back:", d->host);
	}
}

/* The name that a device gets: as it stands, or with the first number that is
 * free where it says %d. */
static char *
net_choose_name(struct net_sock *inside, const char *want)
{
	const char *at = strstr(want, "%d");
	struct net_link l;
	char *name;
	int i;

	for (i = 0;; i++) {
		name = at ? base_fmt(
				"%.*s%d%s", (int)(at - want), want, i, at + 2) :
			    base_dup(want);
		if (strlen(name) >= IFNAMSIZ)
			err_die("no name '%s' is free in the container", want);
		if (net_find(inside, name, &l) < 0) {
			if (errno == ENODEV)
				return name;
			err_die("look for '%s' in the container:", name);
		}
		if (!at)
			err_die("the container has a network device '%s' "
				"already",
			    name);
	}
}

/* One socket out here, one in there; back out here at the end. */
static void
net_open_both(struct net_move *m, int inside)
{
	m->host_ns = sys_open(sys_proc(), "self/ns/net", O_RDONLY, 0);
	if (m->host_ns < 0)
		err_die("open own network namespace:");
	m->inside_ns = inside;
	net_open(&m->host);
	if (setns(inside, CLONE_NEWNET) < 0)
		err_die("enter the container's network namespace:");
	net_open(&m->inside);
	if (setns(m->host_ns, CLONE_NEWNET) < 0)
		err_die("leave the container's network namespace:");
}

static void
net_move_device(struct net_move *m, struct net_device *d)
{
	struct net_link l;

	if (net_find(&m->host, d->host, &l) < 0)
		err_die("no such network device:");
	d->up = l.flags & IFF_UP;
	d->name = net_choose_name(&m->inside, d->name);
	if (net_list_addrs(&m->host, l.index, &d->addrs) < 0)
		err_die("list its addresses:");
	d->touched = true;
	if (net_set_flags(&m->host, l.index, 0, IFF_UP) < 0)
		err_die("set it down%s:",
		    errno == EPERM ? " (needs CAP_NET_ADMIN)" : "");
	if (net_send_away(&m->host, l.index, m->inside_ns, d->name) < 0)
		err_die("move it into the container as '%s'%s:", d->name,
		    errno == EINVAL ? " (hint: a device that may not leave its "
				      "network namespace?)" :
				      "");
	if (net_find(&m->inside, d->name, &l) < 0 ||
	    net_add_addrs(&m->inside, l.index, &d->addrs) < 0)
		err_die("set its addresses in the container:");
	if (net_set_flags(&m->inside, l.index, IFF_UP, IFF_UP) < 0)
		err_die("set it up in the container:");
}

/* Move the config's devices into the network namespace inside. They go back
 * when create fails later. */
static void
net_move_all(const struct spec_list *devices, int inside)
{
	const struct spec_netdev *d = devices->p;
	struct net_move *m = base_alloc(sizeof *m);
	size_t i;

	m->dev = base_array(devices->n, sizeof *m->dev);
	net_open_both(m, inside);
	err_undo(net_back, m);
	for (; m->n < devices->n; d++) {
		i = m->n++;
		m->dev[i].host = d->host;
		m->dev[i].name = d->name;
		m->dev[i].addrs.end = &m->dev[i].addrs.first;
		err_push("netDevices %s", d->host);
		net_move_device(m, &m->dev[i]);
		err_pop();
	}
}

/* == 16 FS ============================================== fs_ ==== [order]
 * Owns:   what the container sees as its file system.
 * Calls:  ERR SYS TAB PLAN. Never cgroups, never state.json.
 * Runs:   child, in its own mount namespace, before ids and capabilities are
 *         dropped. The current directory is the private procfs, so that
 *         mount(2) can name descriptors as "self/fd/N".
 * Trusts: nothing under the root file system. Every path in it goes through
 *         sys_resolve(); what is mounted is named by descriptor.
 * Change: a mount option is a row in tab_mntopt. A new kind of step is an op
 *         in PLAN and a row in fs_ops.
 */
struct fs {
	const struct plan *plan;
	int host; /* "/" as our caller has it, if that is a chroot; or -1 */
	int root; /* the root file system's own mount, O_PATH */
	dev_t root_dev, target_dev; /* of the root, of the last mount point */
	ino_t root_ino;
	int scratch; /* read-only tmpfs with "d" and "f" to mask with, or -1 */
	int empty_dir, empty_file;
	int parent; /* last directory that a node was made in, or -1 */
	char *parent_path;
	struct base_set
	    absent;  /* paths to mask or protect that are not there */
	int console; /* the pseudoterminal to put on /dev/console, or -1 */
	struct fs_early *early; /* opened before we became root, or NULL */
	size_t nearly;
};

struct fs_early {
	const char *path;
	int fd, flags;
};

/* Make the private procfs the current directory. */
static void
fs_enter_procfs(void)
{
	int proc = sys_proc();

	if (proc < 0)
		err_die("no procfs (needs CONFIG_PROC_FS):");
	if (fchdir(proc) < 0)
		err_die("enter procfs:");
}

/* Linux < 5.12: change flags of a mount by remounting it; what is not named
 * stays as it is. */
static int
fs_try_remount(int fd, unsigned long set, unsigned long clear)
{
	struct statfs sfs;
	unsigned long flags = MS_REMOUNT | MS_BIND, now = 0;
	size_t i;

	if (fstatfs(fd, &sfs) < 0)
		return -1;
	for (i = 0; i < LEN(tab_mntflag); i++)
		if ((long)sfs.f_flags & tab_mntflag[i].st)
			now |= tab_mntflag[i].ms;
	return mount(
	    NULL, sys_fdname(fd).s, NULL, flags | (now & ~clear) | set, NULL);
}

/* Set and clear flags (MS_) of one mount. */
static int
fs_try_setflags(int fd, unsigned long set, unsigned long clear)
{
	uint64_t attr = 0, clr = 0;
	size_t i;

	for (i = 0; i < LEN(tab_mntflag); i++) {
		if (set & tab_mntflag[i].ms)
			attr |= tab_mntflag[i].attr;
		if (clear & tab_mntflag[i].ms)
			clr |= tab_mntflag[i].attr;
	}
	/* The atime modes are one field: to set one, clear all. */
	if ((set | clear) & (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)) {
		attr &= ~(clr & PORT_ATTR_ATIME);
		clr |= PORT_ATTR_ATIME;
	}
	if (!attr && !clr)
		return 0;
	if (sys_mount_setattr(fd, false, attr, clr, 0) == 0)
		return 0;
	if (!sys_lacks(errno))
		return -1;
	return fs_try_remount(fd, set, clear);
}

/* Bind what from stands for onto to. The descriptor of the new mount, or -1
 * and errno; where the kernel clones mounts (5.2), flags are set before the
 * mount can be seen. */
static int
fs_try_bind(
    int from, int to, bool recursive, unsigned long set, unsigned long clear)
{
	int tree = sys_open_tree(from, recursive), e;

	if (tree >= 0) {
		if (fs_try_setflags(tree, set, clear) == 0 &&
		    sys_move_mount(tree, to) == 0)
			return tree;
		e = errno;
		close(tree);
		if (!sys_lacks(e)) {
			errno = e;
			return -1;
		}
	} else if (!sys_lacks(errno)) {
		return -1;
	}
	if (mount(sys_fdname(from).s, sys_fdname(to).s, NULL,
		MS_BIND | (recursive ? MS_REC : 0), NULL) < 0)
		return -1;
	return -2; /* mounted, flags not set: the caller reopens it by path */
}

/* What is on top at path now: after mount(2) a descriptor of the mount point
 * still names what the mount covers. */
static int
fs_top(const struct fs *fs, const char *path)
{
	int fd = sys_resolve(fs->root, path, false);

	if (fd < 0)
		err_die("open %s again:", path);
	return fd;
}

/* The mount that the directory lies on must not pass our mounts on to the
 * host. Its root is the directory or one above it: only there can it be
 * changed. */
static void
fs_parent_private(int dir)
{
	CLOSEFD int fd = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	int up, depth = 0;

	while (mount(NULL, sys_fdname(fd).s, NULL, MS_PRIVATE, NULL) < 0) {
		if (errno != EINVAL || ++depth == PATH_MAX / 2)
			err_die("make the mount above the root file system "
				"private:");
		up = sys_open(fd, "..", O_PATH | O_DIRECTORY, 0);
		if (up < 0)
			err_die("find the mount above the root file system:");
		close(fd);
		fd = up;
	}
}

/* A path of the host, as the caller sees the host. */
static int
fs_open_now(const struct fs *fs, const char *path, int flags)
{
	return fs->host < 0 ? sys_open(AT_FDCWD, path, O_PATH | flags, 0) :
			      sys_resolve(fs->host, path, false);
}

/* The same, or what fs_open_early() has opened. */
static int
fs_open_host(const struct fs *fs, const char *path, int flags)
{
	size_t i;

	for (i = 0; i < fs->nearly; i++)
		if (fs->early[i].flags == flags &&
		    !strcmp(fs->early[i].path, path))
			return fcntl(fs->early[i].fd, F_DUPFD_CLOEXEC, 3);
	return fs_open_now(fs, path, flags);
}

/* Is "/" the mount that the namespace begins with, below which there is none?
 * Such is an initramfs, and pivot_root(2) refuses it. Its line in mountinfo
 * names itself as its parent. */
static bool
fs_is_bare(void)
{
	char *text, *line, *id, *parent;
	struct statfs sfs;

	if (statfs("/", &sfs) < 0)
		err_die("look at /:");
	if (sfs.f_type != PORT_TMPFS_MAGIC && sfs.f_type != PORT_RAMFS_MAGIC)
		return false;
	text = sys_proc_read("self/mountinfo");
	if (!text)
		err_die("read mountinfo:");
	while ((line = base_cut(&text, "\n"))) {
		id = base_cut(&line, " ");
		parent = base_cut(&line, " ");
		if (id && parent && !strcmp(id, parent))
			return true;
	}
	return false;
}

/* The mounts of the list, below dir, leave this namespace: hidden as they are
 * they would keep file systems busy that the host wants to unmount. Those that
 * a user namespace has locked stay. */
static void
fs_drop_hidden(int dir, char *list)
{
	struct plan_mountline m;
	char *line;

	while ((line = base_cut(&list, "\n")))
		if (plan_split_mount(line, &m) && m.point[1] &&
		    fchdir(dir) == 0 &&
		    umount2(m.point + 1, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			err_debug("hidden mount %s stays", m.point);
}

/* Lay a bind of the whole tree over "/" and enter it: now "/" is a mount that
 * lies on another one, as pivot_root(2) wants it. chdir("/..") steps onto what
 * is mounted over the root. Nothing may pass to the host, so its own "/" is
 * private first; the covered mounts receive but do not send. *host is the
 * directory that it was, in the tree that is on top now. */
static void
fs_leave_bare(int *host)
{
	char path[PATH_MAX];
	ssize_t n = readlink(sys_fdname(*host).s, path, sizeof path - 1);
	CLOSEFD int old = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	char *mounts = sys_proc_read("self/mountinfo");

	if (old < 0 || !mounts || n < 0)
		err_die("look at the initramfs:");
	path[n] = 0;
	if (mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0 ||
	    mount("/", "/", NULL, MS_BIND | MS_REC, NULL) < 0 ||
	    chdir("/..") < 0 || chroot(".") < 0)
		err_die("leave the initramfs:");
	if (fchdir(old) < 0 ||
	    mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		err_die("cut the initramfs off the host:");
	fs_drop_hidden(old, mounts);
	sys_close(host);
	*host = sys_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	if (*host < 0)
		err_die("open %s again:", path);
	fs_enter_procfs();
}

/* Be at the root of the mount namespace: joining the namespace that we are in
 * puts us there. From a chroot pivot_root would fail, or leave what lies above
 * the chroot in the container's namespace, where exec would begin. */
static void
fs_leave_chroot(struct fs *fs)
{
	CLOSEFD int ns = -1;
	struct stat a, b;

	if (fs->early) {
		fs_enter_procfs();
		return;
	}
	ns = sys_open(sys_proc(), "self/ns/mnt", O_RDONLY, 0);
	fs->host = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	if (ns < 0 || fs->host < 0 || setns(ns, CLONE_NEWNS) < 0 ||
	    fstat(fs->host, &a) < 0 || stat("/", &b) < 0)
		err_die("find the root of the mount namespace:");
	fs_enter_procfs();
	if (fs_is_bare())
		fs_leave_bare(&fs->host);
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		sys_close(&fs->host);
	fs->root_dev = b.st_dev;
	fs->root_ino = b.st_ino;
}

/* The directory that becomes the root: one, and not the host's own. */
static int
fs_open_root(const struct fs *fs, const char *path, struct stat *st)
{
	int dir = fs_open_host(fs, path, O_DIRECTORY);
	struct stat b;

	if (dir < 0 || fstat(dir, st) < 0)
		err_die("root file system %s:", path);
	if (!S_ISDIR(st->st_mode)) {
		errno = ENOTDIR;
		err_die("root file system %s:", path);
	}
	if ((st->st_dev == fs->root_dev && st->st_ino == fs->root_ino) ||
	    (fs->host >= 0 &&
		(fstat(fs->host, &b) < 0 ||
		    (st->st_dev == b.st_dev && st->st_ino == b.st_ino))))
		err_die("root file system %s is the host's own root", path);
	return dir;
}

/* Open what the steps take from the host while we are still our caller to the
 * host's files: as root of a user namespace we may be nobody there. What does
 * not open is tried again, and told, when its step comes. */
static void
fs_open_early(struct fs *fs)
{
	const struct plan *p = fs->plan;
	const struct plan_step *st;
	struct fs_early e, *list = base_array(p->nsteps + 1, sizeof *list);
	size_t n = 0;

	fs_leave_chroot(fs);
	for (st = p->steps; st < p->steps + p->nsteps; st++) {
		e.path = st->op == OP_DEVICE ? st->target : st->source;
		e.flags = st->op == OP_ROOT   ? O_DIRECTORY :
			  st->op == OP_DEVICE ? O_NOFOLLOW :
						0;
		if (st->op != OP_ROOT && st->op != OP_BIND &&
		    (st->op != OP_DEVICE || S_ISFIFO(st->mode)))
			continue;
		e.fd = fs_open_host(fs, e.path, e.flags);
		if (e.fd >= 0)
			list[n++] = e;
	}
	fs->early = list;
	fs->nearly = n;
}

static void
fs_close_early(struct fs *fs)
{
	while (fs->nearly)
		sys_close(&fs->early[--fs->nearly].fd);
}

/* The root file system is a mount of its own that nothing passes to or from
 * the host unless the config says so. */
static void
fs_do_root(struct fs *fs, const struct plan_step *st)
{
	struct stat a, b;
	CLOSEFD int dir = -1;

	fs_leave_chroot(fs);
	if (mount(NULL, "/", NULL, fs->plan->propagation, NULL) < 0)
		err_die("set propagation of /:");
	dir = fs_open_root(fs, st->source, &a);
	if (fs->plan->propagation & MS_SHARED)
		fs_parent_private(dir);
	fs->root = fs_try_bind(dir, dir, true, 0, 0);
	if (fs->root == -2)
		fs->root = fs_open_now(fs, st->source, O_DIRECTORY);
	if (fs->root < 0 || fstat(fs->root, &b) < 0)
		err_die("bind root file system %s:", st->source);
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		err_die(
		    "root file system %s was replaced meanwhile", st->source);
	fs->root_dev = b.st_dev;
	fs->root_ino = b.st_ino;
}

/* The same without a mount namespace: the directory as it is. */
static void
fs_do_directory(struct fs *fs, const struct plan_step *st)
{
	struct stat s;

	if (stat("/", &s) < 0)
		err_die("stat /:");
	fs->root_dev = s.st_dev;
	fs->root_ino = s.st_ino;
	fs_enter_procfs();
	fs->root = fs_open_root(fs, st->source, &s);
	fs->root_dev = s.st_dev;
	fs->root_ino = s.st_ino;
}

/* CVE-2019-16884, CVE-2019-19921, CVE-2025-52881: nothing but a procfs may be
 * mounted on /proc, and nothing in it but the files that lxcfs and friends
 * replace. Compared after resolution, by what the target is, so a link to
 * /proc under another name is no way round. */
static void
fs_check_proc(
    const struct fs *fs, const struct plan_step *st, int target, int source)
{
	bool named = !strncmp(st->target, "/proc/", 6), top;
	struct statfs sfs;
	size_t i;

	top = !strcmp(st->target, "/proc");
	if (!named && !top && fs->target_dev == fs->root_dev)
		return;
	if (fstatfs(target, &sfs) < 0)
		err_die("statfs:");
	if (!named && !top && sfs.f_type != PORT_PROC_MAGIC)
		return;
	if (top && ((st->type && !strcmp(st->type, "proc")) ||
		       (source >= 0 && sys_is_procfs_root(source))))
		return;
	for (i = 0; i < LEN(tab_procfile); i++)
		if (st->op == OP_BIND && !strcmp(st->target, tab_procfile[i]))
			return;
	err_die(
	    "\"%s\" cannot be mounted because it is inside /proc", st->target);
}

static bool
fs_is_kernel_fs(const struct plan_step *st)
{
	return !strcmp(st->target, "/proc") || !strcmp(st->target, "/sys") ||
	       (st->type &&
		   (!strcmp(st->type, "proc") || !strcmp(st->type, "sysfs")));
}

/* The mount point of a step: made where it is missing, inside the root. */
static int
fs_target(struct fs *fs, const struct plan_step *st, bool dir)
{
	struct stat s;
	int fd = -1;

	if (fs_is_kernel_fs(st)) {
		fd = sys_resolve(fs->root, st->target, true);
		if (fd < 0 && errno == ELOOP)
			err_die("%s must be mounted on ordinary directory",
			    st->type ? st->type : "this");
	}
	if (fd < 0)
		fd = dir ? sys_mkdirs(fs->root, st->target, 0755, 0) :
			   sys_mkfile(fs->root, st->target, 0755);
	if (fd < 0)
		err_die("make mount point:");
	if (fstat(fd, &s) < 0)
		err_die("stat mount point:");
	fs->target_dev = s.st_dev;
	if (s.st_dev == fs->root_dev && s.st_ino == fs->root_ino)
		err_die("mountpoint is on the top of rootfs");
	if (dir && !S_ISDIR(s.st_mode)) {
		if (fs_is_kernel_fs(st))
			err_die("%s must be mounted on ordinary directory",
			    st->type ? st->type : "this");
		errno = ENOTDIR;
		err_die("mount point:");
	}
	return fd;
}

/* A bind with mapped ids, mounted nowhere yet. */
static int
fs_map_tree(const struct plan *p, const struct plan_step *st, int userns)
{
	CLOSEFD int source = sys_open(AT_FDCWD, st->source, O_PATH, 0);
	unsigned long prop = p->propagation & ~(unsigned long)MS_REC;
	int tree;

	if (source < 0)
		err_die("bind source %s:", st->source);
	tree = sys_open_tree(source, st->flags & MS_REC);
	/* Made in the caller's mount namespace: it must not pass on to it. */
	if (tree < 0 || sys_mount_setattr(tree, true, 0, 0, prop) < 0)
		err_die("id-mapped mount%s:",
		    sys_lacks(errno) ? " (needs Linux 5.12)" : "");
	if (sys_mount_idmap(tree, st->idmap_all, userns) == 0)
		return tree;
	if (errno == EINVAL)
		err_die("the file system of %s cannot be id-mapped on this "
			"kernel, or is so already",
		    st->source);
	err_die("map ids of %s%s:", st->source,
	    errno == EPERM ? " (hint: only who owns the file system may)" : "");
}

/* Make the binds that have mapped ids. userns: the container's user namespace
 * when it joins one, else -1. Runs in the parent, before the clone: only who
 * has rights to the file system may map it, and a container in a user
 * namespace has not. Flags that the source has do not become locked for the
 * container so; those that the config asks for never are, for it sets them
 * itself. */
static void
fs_map_ids(struct plan *p, int userns)
{
	struct plan_step *st;

	for (st = p->steps; st < p->steps + p->nsteps; st++) {
		CLOSEFD int own = -1;

		if (!st->idmap)
			continue;
		err_push("%s %s", plan_op_name[st->op], st->target);
		if (st->uids)
			own = ns_make_user(st->uids, st->gids);
		st->tree = fs_map_tree(p, st, own >= 0 ? own : userns);
		if (fs_try_setflags(st->tree, st->flags, st->cleared) < 0)
			err_die("set flags of the bind:");
		err_pop();
	}
}

/* The parent has no use for them when the child has its own. */
static void
fs_close_trees(struct plan *p)
{
	struct plan_step *st;

	for (st = p->steps; st < p->steps + p->nsteps; st++)
		if (st->tree > 0) {
			close(st->tree);
			st->tree = 0;
		}
}

/* What can only be done to a mount that is in place: recursive attributes,
 * propagation. */
static void
fs_finish(const struct fs *fs, const struct plan_step *st, int mounted)
{
	CLOSEFD int reopened = -1;
	int fd = mounted;
	struct statfs sfs;
	size_t i;

	if (!st->rec_set && !st->rec_clear && !st->nprops &&
	    !(st->flags & PORT_MS_NOSYMFOLLOW))
		return;
	if (fd < 0)
		fd = reopened = fs_top(fs, st->target);
	/* An old kernel does not know the flag and says nothing. */
	if ((st->flags & PORT_MS_NOSYMFOLLOW) &&
	    (fstatfs(fd, &sfs) < 0 || !(sfs.f_flags & 0x2000)))
		err_die("nosymfollow needs Linux 5.10");
	if ((st->rec_set || st->rec_clear) &&
	    sys_mount_setattr(fd, true, st->rec_set, st->rec_clear, 0) < 0)
		err_die("recursive mount options (need Linux 5.12):");
	for (i = 0; i < st->nprops; i++)
		if (mount(NULL, sys_fdname(fd).s, NULL, st->props[i], NULL) < 0)
			err_die("propagation:");
}

/* Data for a tmpfs on an existing directory: that directory's mode, unless
 * the config says one (M14). */
static const char *
fs_tmpfs_data(const struct plan_step *st, int target)
{
	struct stat s;

	if (strcmp(st->type, "tmpfs") ||
	    (st->data &&
		(!strncmp(st->data, "mode=", 5) || strstr(st->data, ",mode="))))
		return st->data;
	if (fstat(target, &s) < 0)
		err_die("stat mount point:");
	return base_fmt("mode=%04o%s%s", (unsigned)s.st_mode & 07777,
	    st->data ? "," : "", st->data ? st->data : "");
}

/* What the kernel means by its refusal, in a user namespace. */
static const char *
fs_mount_hint(const struct fs *fs, const struct plan_step *st, int e)
{
	if (!spec_ns(fs->plan->spec, NS_USER) || !st->type)
		return "";
	if (e == EINVAL && st->data && strstr(st->data, "id="))
		return " (hint: is that id mapped in the user namespace?)";
	if (e != EPERM)
		return "";
	if (!strcmp(st->type, "sysfs"))
		return " (hint: in a user namespace it needs a new network "
		       "namespace; or bind /sys)";
	if (!strcmp(st->type, "mqueue"))
		return " (hint: in a user namespace it needs a new ipc "
		       "namespace)";
	if (!strcmp(st->type, "proc"))
		return " (hint: in a user namespace it needs a new pid "
		       "namespace, and a /proc of the caller with nothing "
		       "mounted over it)";
	return " (hint: not to be mounted in a user namespace?)";
}

/* Why a flag of a bind may not change, when errno is EPERM. */
static const char *
fs_locked_hint(const struct plan_step *st)
{
	return errno != EPERM ? "" :
	       st->cleared    ? " (hint: the source has a flag that a user "
				"namespace may not clear: ro, nosuid, nodev, "
				"noexec)" :
				" (hint: a user namespace may not change the "
				"source's atime mode)";
}

/* Extended attributes of one open file for another, as far as the new file
 * system takes them. */
static void
fs_copy_xattrs(int from, int to)
{
	char names[4096], *name, value[4096];
	ssize_t n = flistxattr(from, names, sizeof names), len;

	for (name = names; n > 0 && name < names + n;
	     name += strlen(name) + 1) {
		len = fgetxattr(from, name, value, sizeof value);
		if (len >= 0 && fsetxattr(to, name, value, (size_t)len, 0) < 0)
			err_debug("attribute %s is not copied", name);
	}
}

/* Owner, mode and times of what st describes for the new file dir/name, which
 * is open as fd when it is a file or a directory. A link is never followed.
 * Owners that a user namespace does not have stay its root's. */
static void
fs_copy_attributes(int dir, const char *name, int fd, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) <
		0 &&
	    errno != EINVAL && errno != EPERM)
		err_die("own %s:", name);
	/* after the owner, whose change clears the setuid bit */
	if (fd >= 0 && fchmod(fd, st->st_mode & 07777) < 0)
		err_die("set mode of %s:", name);
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		err_die("set times of %s:", name);
}

static void
fs_copy_file(int from, int to, const char *name, const struct stat *st)
{
	CLOSEFD int in = sys_open(from, name, O_RDONLY | O_NOFOLLOW, 0);
	CLOSEFD int out =
	    sys_open(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		err_die("copy %s:", name);
	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		err_die("copy %s:", name);
	fs_copy_xattrs(in, out);
	fs_copy_attributes(to, name, out, st);
}

/* A link, a device, a FIFO or a socket. */
static void
fs_copy_node(int from, int to, const char *name, const struct stat *st)
{
	char link[PATH_MAX];
	ssize_t n;

	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(from, name, link, sizeof link - 1);
		if (n < 0)
			err_die("copy link %s:", name);
		link[n] = 0;
		if (symlinkat(link, to, name) < 0)
			err_die("copy link %s:", name);
	} else if (mknodat(to, name, st->st_mode, st->st_rdev) < 0) {
		if (errno != EPERM)
			err_die("copy node %s:", name);
		err_note(base_fmt("tmpcopyup: device %s is not copied", name));
		return;
	}
	fs_copy_attributes(to, name, -1, st);
}

/* All that is in the directory from into the empty directory to. */
static void
fs_copy_dir(int from, int to, int depth)
{
	DIR *d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 3));
	struct dirent *e;
	struct stat st;
	const char *name;

	if (!d || depth == SYS_MAXDEPTH)
		err_die("read a directory to copy:");
	while ((e = readdir(d))) {
		CLOSEFD int in = -1;
		CLOSEFD int out = -1;

		name = e->d_name;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			err_die("copy %s:", name);
		if (S_ISREG(st.st_mode)) {
			fs_copy_file(from, to, name, &st);
			continue;
		}
		if (!S_ISDIR(st.st_mode)) {
			fs_copy_node(from, to, name, &st);
			continue;
		}
		in = sys_open(from, name, O_DIRECTORY | O_NOFOLLOW, 0);
		if (in < 0 || mkdirat(to, name, 0700) < 0 ||
		    (out = sys_open(to, name, O_DIRECTORY | O_NOFOLLOW, 0)) < 0)
			err_die("copy %s:", name);
		fs_copy_dir(in, out, depth + 1);
		fs_copy_xattrs(in, out);
		fs_copy_attributes(to, name, out, &st);
	}
	closedir(d);
}

/* tmpcopyup: fill the tmpfs that is on top now with what it covers, which is
 * open as from. Nobody else is in the container yet, so no one sees it half
 * done. */
static void
fs_copy_up(const struct fs *fs, const struct plan_step *st, int from)
{
	CLOSEFD int top = fs_top(fs, st->target);
	CLOSEFD int to = sys_reopen(top, O_RDONLY | O_DIRECTORY);
	struct stat s;

	if (to < 0 || fstat(from, &s) < 0)
		err_die("open to copy up:");
	fs_copy_dir(from, to, 0);
	fs_copy_xattrs(from, to);
	if (!st->data ||
	    (!strstr(st->data, "uid=") && !strstr(st->data, "gid=")))
		if (fchown(to, s.st_uid, s.st_gid) < 0 && errno != EINVAL &&
		    errno != EPERM)
			err_die("own the copy:");
}

static void
fs_do_mount(struct fs *fs, const struct plan_step *st)
{
	CLOSEFD int target = fs_target(fs, st, !(st->flags & MS_REMOUNT));
	CLOSEFD int from = -1;
	unsigned long flags = st->flags;
	const char *data = st->data;

	fs_check_proc(fs, st, target, -1);
	if ((flags & MS_BIND) && (flags & MS_REMOUNT)) {
		if (fs_try_setflags(target, flags, st->cleared) < 0)
			err_die(
			    "change flags of the bind%s:", fs_locked_hint(st));
		fs_finish(fs, st, target);
		return;
	}
	if (plan_late_ro(st))
		flags &= ~(unsigned long)MS_RDONLY;
	if (st->type)
		data = fs_tmpfs_data(st, target);
	if (st->copyup &&
	    (from = sys_reopen(target, O_RDONLY | O_DIRECTORY)) < 0)
		err_die("open to copy up:");
	if (mount(st->source, sys_fdname(target).s, st->type, flags, data) <
	    0) {
		if (errno == ENODEV && !strcmp(st->type, "mqueue")) {
			err_note("no mqueue file system: needs "
				 "CONFIG_POSIX_MQUEUE");
			return;
		}
		if (errno == ENODEV)
			err_die("the kernel has no file system type '%s'",
			    st->type);
		err_die("mount %s%s%s%s:", st->type ? st->type : "(remount)",
		    data ? " with " : "", data ? data : "",
		    fs_mount_hint(fs, st, errno));
	}
	if (st->copyup)
		fs_copy_up(fs, st, from);
	fs_finish(fs, st, -1);
}

static void
fs_do_bind(struct fs *fs, const struct plan_step *st)
{
	bool mapped = st->tree > 0;
	CLOSEFD int source = mapped ? fcntl(st->tree, F_DUPFD_CLOEXEC, 3) :
				      fs_open_host(fs, st->source, 0);
	CLOSEFD int target = -1;
	CLOSEFD int mounted = -1;
	struct stat s;

	if (source < 0 || fstat(source, &s) < 0)
		err_die("bind source %s:", st->source);
	target = fs_target(fs, st, S_ISDIR(s.st_mode));
	fs_check_proc(fs, st, target, source);
	if (mapped) {
		if (sys_move_mount(source, target) < 0)
			err_die("put the id-mapped mount in place:");
		close(st->tree);
		fs_finish(fs, st, source);
		return;
	}
	mounted = fs_try_bind(
	    source, target, st->flags & MS_REC, st->flags, st->cleared);
	if (mounted == -1)
		err_die("bind %s%s:", st->source, fs_locked_hint(st));
	if (mounted == -2) {
		mounted = fs_top(fs, st->target);
		if (((st->flags | st->cleared) &
			~(unsigned long)(MS_BIND | MS_REC)) &&
		    fs_try_remount(mounted, st->flags, st->cleared) < 0)
			err_die("set flags of the bind%s:", fs_locked_hint(st));
	}
	fs_finish(fs, st, mounted);
}

/* Bind the host's directory path onto the new directory name in top. */
static int
fs_try_bind_name(
    const struct fs *fs, const char *path, int top, const char *name)
{
	bool chrooted = fs->host >= 0;
	CLOSEFD int tree = (int)syscall(__NR_open_tree,
	    chrooted ? fs->host : AT_FDCWD, path + chrooted,
	    PORT_OPEN_TREE_CLONE | O_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	CLOSEFD int source = -1;
	CLOSEFD int target = -1;

	if (tree >= 0 && syscall(__NR_move_mount, tree, "", top, name,
			     PORT_MOVE_F_EMPTY_PATH) == 0)
		return 0;
	if (!sys_lacks(errno))
		return -1;
	source = fs_open_host(fs, path, O_DIRECTORY);
	target = sys_open(top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (source < 0 || target < 0)
		return -1;
	return mount(
	    sys_fdname(source).s, sys_fdname(target).s, NULL, MS_BIND, NULL);
}

/* Show the container's own part of one hierarchy as NAME in the directory
 * top, and link each of several controllers to it. */
static void
fs_bind_hierarchy(const struct fs *fs, int top, const struct plan_cgroup *c)
{
	const char *name = strrchr(c->hier->mount, '/') + 1;
	char *list = base_dup(c->hier->controllers), *word;

	if (mkdirat(top, name, 0755) < 0 ||
	    fs_try_bind_name(fs, c->dir, top, name) < 0)
		err_die("bind cgroup %s:", c->dir);
	if (!strchr(list, ','))
		return;
	while ((word = base_cut(&list, ",")))
		if (strcmp(word, name) && symlinkat(name, top, word) < 0 &&
		    errno != EEXIST)
			err_die("link cgroup %s:", word);
}

/* Flags on a tree of mounts, at once or one by one. */
static void
fs_seal_tree(int top, const struct plan_step *st, const struct plan *p)
{
	uint64_t attr = 0;
	size_t i;

	for (i = 0; i < LEN(tab_mntflag); i++)
		if ((st->flags & tab_mntflag[i].ms) &&
		    !(tab_mntflag[i].attr & PORT_ATTR_ATIME))
			attr |= tab_mntflag[i].attr;
	if (!attr || sys_mount_setattr(top, true, attr, 0, 0) == 0)
		return;
	for (i = 0; i < p->ncgroups; i++) {
		CLOSEFD int fd =
		    sys_open(top, strrchr(p->cgroups[i].hier->mount, '/') + 1,
			O_PATH | O_DIRECTORY, 0);

		if (fd < 0 || fs_try_remount(fd, st->flags, 0) < 0)
			err_die("set flags of %s:", p->cgroups[i].dir);
	}
	if (fs_try_remount(top, st->flags, 0) < 0)
		err_die("set flags:");
}

/* The container's own cgroup of version 2: by a mount of cgroup2, which a
 * cgroup namespace makes begin there, else a bind of the directory. */
static void
fs_cgroup2(struct fs *fs, const struct plan_step *st, int target,
    const struct plan_cgroup *c)
{
	CLOSEFD int source = -1;
	CLOSEFD int top = -1;

	if (fs->plan->cgroupns && mount("cgroup", sys_fdname(target).s,
				      "cgroup2", st->flags, st->data) == 0) {
		fs_finish(fs, st, -1);
		return;
	}
	source = fs_open_host(fs, c->dir, O_DIRECTORY);
	if (source < 0)
		err_die("open %s:", c->dir);
	top = fs_try_bind(source, target, false, st->flags, 0);
	if (top == -1)
		err_die("bind %s:", c->dir);
	if (top == -2) {
		top = fs_top(fs, st->target);
		if (fs_try_remount(top, st->flags, 0) < 0)
			err_die("set flags:");
	}
	fs_finish(fs, st, top);
}

/* A mount of type cgroup shows the container its own tree: cgroup2 itself on a
 * v2 host, else a tmpfs with one directory a hierarchy; one of type cgroup2
 * that of version 2 alone. Without a cgroup namespace the own cgroup is bound,
 * so nothing above it can be reached (CVE-2022-0492). */
static void
fs_do_cgroup(struct fs *fs, const struct plan_step *st)
{
	const struct plan *p = fs->plan;
	const struct plan_cgroup *v2 = NULL;
	CLOSEFD int target = -1;
	CLOSEFD int top = -1;
	size_t i;

	if (!p->ncgroups) {
		err_note("no cgroup file system to show in the container");
		return;
	}
	for (i = 0; i < p->ncgroups; i++)
		if (p->cgroups[i].hier->v2)
			v2 = &p->cgroups[i];
	if (!v2 && !strcmp(st->type, "cgroup2"))
		err_die("no cgroup hierarchy of version 2 is mounted here");
	target = fs_target(fs, st, true);
	fs_check_proc(fs, st, target, -1);
	if (v2 && (p->ncgroups == 1 || !strcmp(st->type, "cgroup2"))) {
		fs_cgroup2(fs, st, target, v2);
		return;
	}
	if (mount("tmpfs", sys_fdname(target).s, "tmpfs",
		st->flags & ~(unsigned long)MS_RDONLY, "mode=755") < 0)
		err_die("mount tmpfs:");
	top = fs_top(fs, st->target);
	for (i = 0; i < p->ncgroups; i++)
		fs_bind_hierarchy(fs, top, &p->cgroups[i]);
	fs_seal_tree(top, st, p);
	fs_finish(fs, st, top);
}

/* The directory a node goes into: an ordinary one all the way, for a link in
 * an image would have us make nodes on the host (CVE-2026-41579). Made where
 * it is missing. *name: the node in it. */
static int
fs_node_parent(struct fs *fs, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char *dir = base_dupn(path, (size_t)(slash - path));
	int fd;

	*name = slash + 1;
	if (fs->parent >= 0 && !strcmp(fs->parent_path, dir))
		return fs->parent;
	sys_close(&fs->parent);
	fs->parent = sys_resolve(fs->root, *dir ? dir : "/", true);
	if (fs->parent < 0 && errno == ENOENT) {
		fd = sys_mkdirs(fs->root, dir, 0755, SYS_MAXLINKS);
		if (fd < 0)
			err_die("directory %s of a device:", dir);
		sys_close(&fd);
		fs->parent = sys_resolve(fs->root, dir, true);
	}
	if (fs->parent < 0)
		err_die("directory %s of a device:", dir);
	fs->parent_path = dir;
	return fs->parent;
}

/* Where nodes cannot be made (user namespace): the host's one of that path,
 * if it is what was asked for. */
static void
fs_bind_device(struct fs *fs, const struct plan_step *st)
{
	CLOSEFD int source = fs_open_host(fs, st->target, O_NOFOLLOW);
	CLOSEFD int target = -1;
	CLOSEFD int mounted = -1;
	struct stat s;

	if (source < 0 || fstat(source, &s) < 0 || s.st_rdev != st->dev ||
	    (s.st_mode & S_IFMT) != (st->mode & S_IFMT))
		errno = EPERM, err_die("make device:");
	target = sys_mkfile(fs->root, st->target, 0666);
	if (target < 0)
		err_die("make mount point of device:");
	mounted = fs_try_bind(source, target, false, 0, 0);
	if (mounted == -1)
		err_die("bind device:");
}

static void
fs_do_device(struct fs *fs, const struct plan_step *st)
{
	const char *name;
	int dir = fs_node_parent(fs, st->target, &name);
	struct stat s;

	if (mknodat(dir, name, st->mode, st->dev) < 0) {
		if (errno == EPERM) {
			fs_bind_device(fs, st);
			return;
		}
		if (errno != EEXIST)
			err_die("make device:");
		if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) < 0)
			err_die("stat device:");
		if ((s.st_mode & S_IFMT) != (st->mode & S_IFMT) ||
		    (!S_ISFIFO(st->mode) && s.st_rdev != st->dev))
			err_die("exists and is another kind of file");
		return;
	}
	if ((st->uid || st->gid) &&
	    fchownat(dir, name, st->uid, st->gid, AT_SYMLINK_NOFOLLOW) < 0)
		err_die("own device:");
}

static void
fs_do_link(struct fs *fs, const struct plan_step *st)
{
	const char *name;
	int dir = fs_node_parent(fs, st->target, &name);

	if (symlinkat(st->source, dir, name) == 0)
		return;
	if (errno != EEXIST)
		err_die("make link:");
	/* A ptmx in the image is not the container's own devpts. */
	if (!strcmp(name, "ptmx") && (unlinkat(dir, name, 0) < 0 ||
					 symlinkat(st->source, dir, name) < 0))
		err_die("replace:");
}

/* Only a file that is one is mounted over: a link there would place the
 * terminal on what the image chose (CVE-2025-52565). */
static void
fs_do_console(struct fs *fs, const struct plan_step *st)
{
	const char *name;
	int dir = fs_node_parent(fs, st->target, &name);
	CLOSEFD int target = -1;
	CLOSEFD int mounted = -1;
	struct stat s;

	target =
	    sys_open(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0620);
	if (target < 0 && errno != EEXIST)
		err_die("make:");
	sys_close(&target);
	target = sys_open(dir, name, O_PATH | O_NOFOLLOW, 0);
	if (target < 0 || fstat(target, &s) < 0)
		err_die("open:");
	if (!S_ISREG(s.st_mode) && !S_ISCHR(s.st_mode))
		err_die("is not a file to mount the terminal on");
	mounted = fs_try_bind(fs->console, target, false, 0, 0);
	if (mounted == -1)
		err_die("mount terminal:");
}

/* A read-only tmpfs with an empty directory and an empty file, laid over "/"
 * of this namespace: there it is attached, as old kernels want the source of
 * a bind, and it hides nothing, for our root stays below it. The mask never
 * comes from the root file system (CVE-2025-31133). */
static void
fs_make_scratch(struct fs *fs)
{
	struct statfs sfs;
	int f;

	/* Not in the host's sight, whatever propagation the config wants. */
	if ((fs->plan->propagation & MS_SHARED) &&
	    mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0)
		err_die("make / private:");
	if (mount("tmpfs", "/", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"mode=755,size=16k,nr_inodes=8") < 0)
		err_die("mount tmpfs to mask with:");
	fs->scratch = sys_open(AT_FDCWD, "/..", O_PATH | O_DIRECTORY, 0);
	if (fs->scratch < 0 || fstatfs(fs->scratch, &sfs) < 0 ||
	    sfs.f_type != PORT_TMPFS_MAGIC)
		err_die("open tmpfs to mask with:");
	if (mkdirat(fs->scratch, "d", 0555) < 0 ||
	    (f = sys_open(
		 fs->scratch, "f", O_CREAT | O_EXCL | O_RDONLY, 0444)) < 0)
		err_die("make mask:");
	close(f);
	if (mount(NULL, sys_fdname(fs->scratch).s, NULL,
		MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"size=16k,nr_inodes=8") < 0)
		err_die("make mask read-only:");
	fs->empty_dir = sys_open(fs->scratch, "d", O_PATH | O_DIRECTORY, 0);
	fs->empty_file = sys_open(fs->scratch, "f", O_PATH, 0);
	if (fs->empty_dir < 0 || fs->empty_file < 0)
		err_die("open mask:");
}

/* A path to mask or protect: -1 when the container does not have it, which is
 * as good. Any other trouble is an error. */

static int
fs_existing(struct fs *fs, const char *path)
{
	int fd = sys_resolve(fs->root, path, false);

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		err_die("open:");
	if (fd < 0)
		*base_set_at(&fs->absent, 0, path, strlen(path)) = 1;
	return fd;
}

static void
fs_do_mask(struct fs *fs, const struct plan_step *st)
{
	CLOSEFD int target = fs_existing(fs, st->target);
	struct stat s;
	int mask;

	if (target < 0)
		return;
	if (fstat(target, &s) < 0)
		err_die("stat:");
	if (fs->scratch < 0)
		fs_make_scratch(fs);
	mask = S_ISDIR(s.st_mode) ? fs->empty_dir : fs->empty_file;
	if (mount(sys_fdname(mask).s, sys_fdname(target).s, NULL, MS_BIND,
		NULL) < 0)
		err_die("mount:");
}

static void
fs_do_readonly(struct fs *fs, const struct plan_step *st)
{
	CLOSEFD int target = fs_existing(fs, st->target);
	CLOSEFD int tree = -1;

	if (target < 0)
		return;
	tree = sys_open_tree(target, true);
	if (tree >= 0 &&
	    sys_mount_setattr(tree, true, PORT_ATTR_RDONLY, 0, 0) == 0 &&
	    sys_move_mount(tree, target) == 0)
		return;
	if (!sys_lacks(errno))
		err_die("mount:");
	if (mount(sys_fdname(target).s, sys_fdname(target).s, NULL,
		MS_BIND | MS_REC, NULL) < 0)
		err_die("mount:");
	sys_close(&tree);
	tree = fs_top(fs, st->target);
	if (fs_try_remount(tree, MS_RDONLY, 0) < 0)
		err_die("remount:");
}

/* The root file system becomes "/", the host's is out of reach. */
static void
fs_do_pivot(struct fs *fs, const struct plan_step *st)
{
	CLOSEFD int old = -1;

	(void)st;
	fs_close_early(fs);
	sys_close(&fs->host);
	sys_close(&fs->parent);
	sys_close(&fs->empty_dir);
	sys_close(&fs->empty_file);
	if (fs->scratch >= 0 && umount2("/..", MNT_DETACH) < 0)
		err_die("detach mask:");
	sys_close(&fs->scratch);
	if (fs->plan->propagation & MS_SHARED)
		old = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	if (fchdir(fs->root) < 0)
		err_die("enter root file system:");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		err_die("pivot_root:");
	/* The old root now lies over the new one; gone with its mounts. */
	if (old >= 0 && (fchdir(old) < 0 || mount(NULL, ".", NULL,
						MS_SLAVE | MS_REC, NULL) < 0))
		err_die("cut the old root off the host:");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		err_die("leave the old root:");
	fs_enter_procfs();
}

static void
fs_do_chroot(struct fs *fs, const struct plan_step *st)
{
	(void)st;
	sys_close(&fs->parent);
	if (fchdir(fs->root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		err_die("chroot:");
	fs_enter_procfs();
}

static void
fs_do_remount_ro(struct fs *fs, const struct plan_step *st)
{
	CLOSEFD int fd = fs_top(fs, st->target);

	if (fs_try_setflags(fd, MS_RDONLY, 0) < 0)
		err_die("make read-only:");
}

static void
fs_do_propagate(struct fs *fs, const struct plan_step *st)
{
	fs_finish(fs, st, -1);
}

static void (*const fs_ops[OP_COUNT])(struct fs *, const struct plan_step *) = {
	[OP_ROOT] = fs_do_root,
	[OP_MOUNT] = fs_do_mount,
	[OP_BIND] = fs_do_bind,
	[OP_CGROUP] = fs_do_cgroup,
	[OP_DEVICE] = fs_do_device,
	[OP_LINK] = fs_do_link,
	[OP_CONSOLE] = fs_do_console,
	[OP_MASK] = fs_do_mask,
	[OP_READONLY] = fs_do_readonly,
	[OP_PIVOT] = fs_do_pivot,
	[OP_DIRECTORY] = fs_do_directory,
	[OP_CHROOT] = fs_do_chroot,
	[OP_REMOUNT_RO] = fs_do_remount_ro,
	[OP_PROPAGATE] = fs_do_propagate,
};

/* Do the plan's steps from *at on, up to the first one of kind stop; only with
 * OP_COUNT the root changes. */
static void
fs_apply(struct fs *fs, size_t *at, enum plan_op stop)
{
	const struct plan_step *st;

	for (; *at < fs->plan->nsteps; ++*at) {
		st = &fs->plan->steps[*at];
		if (st->op == stop ||
		    (stop != OP_COUNT &&
			(st->op == OP_PIVOT || st->op == OP_CHROOT)))
			return;
		err_push("%s %s", plan_op_name[st->op], st->target);
		fs_ops[st->op](fs, st);
		err_pop();
	}
}

#define FS_WRITABLE 1
#define FS_READONLY 2

/* Which mount points are read-only, by the kernel's own list. The last mount
 * on a path is the one that counts. */
static void
fs_collect_readonly(struct base_set *ro)
{
	char *text = sys_proc_read("self/mountinfo"), *line, *c;
	struct plan_mountline m;
	size_t lines = 0;

	if (!text)
		err_die("check: read mountinfo:");
	for (c = text; *c; c++)
		lines += *c == '\n';
	base_set_init(ro, lines);
	while ((line = base_cut(&text, "\n")))
		if (plan_split_mount(line, &m))
			*base_set_at(ro, 0, m.point, strlen(m.point)) =
			    plan_has_word(m.options, "ro") ||
				    plan_has_word(m.super, "ro") ?
				FS_READONLY :
				FS_WRITABLE;
}

/* A path that is no mount point by its own name: it has links in it. */
static void
fs_verify_readonly(const struct fs *fs, const char *path)
{
	CLOSEFD int fd = sys_resolve(fs->root, path, false);
	struct statfs sfs;

	if (fd < 0 || fstatfs(fd, &sfs) < 0 || !(sfs.f_flags & 1))
		err_die("check: %s is not read-only", path);
}

/* The last look before the program runs: "/" is the root file system, it is
 * read-only if it was to be, and so are the paths to protect and to mask,
 * but for those that the container does not have. */

static void
fs_verify(struct fs *fs)
{
	const struct plan_step *st;
	struct base_set ro;
	struct stat s;
	size_t i;

	if (stat("/", &s) < 0 || s.st_dev != fs->root_dev ||
	    s.st_ino != fs->root_ino)
		err_die("check: / is not the root file system");
	fs_collect_readonly(&ro);
	for (i = 0; i < fs->plan->nsteps; i++) {
		st = &fs->plan->steps[i];
		if ((st->op == OP_REMOUNT_RO || st->op == OP_READONLY ||
			st->op == OP_MASK) &&
		    !*base_set_at(
			&fs->absent, 0, st->target, strlen(st->target)) &&
		    *base_set_at(&ro, 0, st->target, strlen(st->target)) !=
			FS_READONLY)
			fs_verify_readonly(fs, st->target);
	}
}

/* == 17 TTY ============================================= tty_ =============
 * Owns:   the container's pseudoterminal; our own terminal while we relay.
 * Calls:  ERR SYS.
 * Runs:   tty_open in the child, before the pivot; all else in the parent.
 * Trusts: the devpts mount that the config asked for, after a look at it.
 */
struct tty {
	int master, slave;
	char name[32];
};

/* A new pseudoterminal of the devpts below root: by descriptor all the way,
 * so no link and no fake ptmx is used (CVE-2025-52565). */
static void
tty_open(struct tty *t, int root, const struct spec_process *p)
{
	CLOSEFD int devpts = sys_resolve(root, "/dev/pts", true);
	struct statfs sfs;
	struct stat st;
	struct winsize ws = { 0 };
	unsigned n;
	int unlock = 0;

	if (devpts < 0 || fstatfs(devpts, &sfs) < 0 ||
	    sfs.f_type != PORT_DEVPTS_MAGIC)
		err_die("terminal: no devpts is mounted on /dev/pts");
	t->master = sys_openat2(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW,
	    PORT_RESOLVE_NO_XDEV | PORT_RESOLVE_NO_SYMLINKS);
	if (t->master < 0 && sys_lacks(errno))
		t->master =
		    sys_open(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
	if (t->master < 0 || fstat(t->master, &st) < 0)
		err_die("terminal: open ptmx:");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		err_die("terminal: /dev/pts/ptmx is something else");
	if (ioctl(t->master, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(t->master, (int)TIOCGPTN, &n) < 0)
		err_die("terminal: unlock:");
	snprintf(t->name, sizeof t->name, "/dev/pts/%u", n);
	t->slave =
	    ioctl(t->master, PORT_TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0) /* Linux < 4.13 */
		t->slave = sys_open(devpts, base_fmt("%u", n),
		    O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
	if (t->slave < 0 || fstat(t->slave, &st) < 0 ||
	    st.st_rdev != makedev(136 + n / 256, n % 256))
		err_die("terminal: open %s:", t->name);
	if (p->console_size) {
		ws.ws_row = (unsigned short)p->console_size->height.v;
		ws.ws_col = (unsigned short)p->console_size->width.v;
		ioctl(t->master, TIOCSWINSZ, &ws);
	}
	if (p->user && p->user->uid.v &&
	    fchown(t->slave, (uid_t)p->user->uid.v, (gid_t)-1) < 0)
		err_die("terminal: own %s:", t->name);
}

/* The slave is stdin, stdout, stderr and the controlling terminal. */
static void
tty_attach(struct tty *t)
{
	int i;

	if (ioctl(t->slave, TIOCSCTTY, 0) < 0)
		err_die("terminal: make it the controlling one:");
	for (i = 0; i < 3; i++)
		if (dup2(t->slave, i) < 0)
			err_die("terminal: dup2:");
	sys_close(&t->slave);
}

/* Our side of a relay: bytes that the container has not read yet wait in
 * input, so that a slow reader cannot block us. */
struct tty_relay {
	int master, in, out;
	bool eof;
	char input[4096];
	size_t n;
};

/* Our terminal as it was, while it is raw; its descriptor, or -1. */
static struct termios tty_saved;
static int tty_raw = -1;

static void
tty_restore(void)
{
	if (tty_raw >= 0)
		tcsetattr(tty_raw, TCSADRAIN, &tty_saved);
	tty_raw = -1;
}

/* The container's window is as large as ours. */
static void
tty_resize(const struct tty_relay *r)
{
	struct winsize ws;

	if (ioctl(r->in, TIOCGWINSZ, &ws) == 0 && (ws.ws_row || ws.ws_col))
		ioctl(r->master, TIOCSWINSZ, &ws);
}

/* Begin to relay between our stdin, stdout and the master. Our terminal, if
 * stdin is one, is raw until tty_restore(), which err_die calls too: before
 * the program runs, or a key typed early would be echoed here and there. */
static void
tty_relay_open(struct tty_relay *r, int master)
{
	struct termios raw;

	memset(r, 0, sizeof *r);
	r->master = master;
	r->out = 1;
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	if (tcgetattr(r->in, &tty_saved) < 0)
		return;
	err.restore = tty_restore;
	raw = tty_saved;
	cfmakeraw(&raw);
	if (tcsetattr(r->in, TCSADRAIN, &raw) == 0)
		tty_raw = r->in;
	tty_resize(r);
}

/* Container to stdout; false when there is no more. */
static bool
tty_relay_output(struct tty_relay *r)
{
	char buf[4096];
	ssize_t n = read(r->master, buf, sizeof buf);

	if (n > 0)
		return sys_write_all(r->out, buf, (size_t)n) == 0;
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Stdin to container. The end of a piped stdin is typed as ^D. */
static void
tty_relay_input(struct tty_relay *r)
{
	ssize_t n = read(r->in, r->input + r->n, sizeof r->input - r->n);

	if (n > 0) {
		r->n += (size_t)n;
	} else if (n == 0 || errno != EINTR) {
		r->eof = true;
		if (r->n < sizeof r->input)
			r->input[r->n++] = 4;
	}
}

static void
tty_relay_flush(struct tty_relay *r)
{
	ssize_t n = write(r->master, r->input, r->n);

	if (n > 0) {
		memmove(r->input, r->input + n, r->n - (size_t)n);
		r->n -= (size_t)n;
	}
}

/* Hand the master to whoever listens at path: one message, one descriptor,
 * the terminal's name as text (conmon and containerd check all three). */
static void
tty_send_console(const char *path, int master, const char *name)
{
	CLOSEFD int sock = sys_connect(path);

	if (sock < 0)
		err_die("connect to console socket %s:", path);
	if (sys_send(sock, name, strlen(name), master) < 0)
		err_die("send terminal to console socket %s:", path);
}

/* == 18 CRED =========================================== cred_ ==== [order]
 * Owns:   ids, groups, capabilities, limits, labels, session keyring; how the
 *         program is scheduled and where its memory comes from.
 * Calls:  ERR SYS TAB SPEC.
 * Runs:   child, after the file system, before the program; cred_verify,
 *         cred_priority and cred_try_oom in the parent, which has the rights
 *         that a child in a user namespace lacks.
 * Change: each order below is forced by the kernel; see the comments.
 */
/* What a process can be given: our own permitted set. */
static uint64_t
cred_have(void)
{
	struct __user_cap_header_struct h = { .version =
						  _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		err_die("capget:");
	return (uint64_t)d[1].permitted << 32 | d[0].permitted;
}

/* The five sets the program gets: those asked for, of those that we have. No
 * capabilities object means none at all. */
static struct spec_caps
cred_want(const struct spec_process *p, uint64_t have)
{
	struct spec_caps c = { 0 };

	if (!p->caps)
		return c;
	c = *p->caps;
	c.bounding &= have;
	c.permitted &= have;
	c.effective &= c.permitted;
	c.inheritable &= have & c.bounding;
	c.ambient &= c.permitted & c.inheritable;
	return c;
}

/* A keyring of its own, or the program would use the caller's (T42). exec
 * finds it by name, for which the owner needs search permission. */
static void
cred_keyring(const char *id)
{
	long ring =
	    syscall(SYS_keyctl, PORT_KEYCTL_JOIN, base_fmt("_ses.%s", id));

	if (ring < 0 && errno == ENOSYS) {
		err_note("no session keyring: needs CONFIG_KEYS");
		return;
	}
	if (ring < 0)
		err_die("join session keyring (hint: --no-new-keyring):");
	/* possessor: all; user: view, read, search, link */
	syscall(SYS_keyctl, PORT_KEYCTL_SETPERM, ring, 0x3f1b0000);
}

/* To raise a limit takes privilege, so that is done early (raise), by the
 * parent where the child has none outside of its user namespace; to lower one
 * takes none and is done last, or it would be we who ran into it. pid 0: us. */
static void
cred_rlimits(pid_t pid, const struct spec_process *p, bool raise)
{
	const struct spec_rlimit *r = p->rlimits.p;
	struct rlimit rl, now;
	size_t i;

	for (i = 0; i < p->rlimits.n; i++) {
		rl.rlim_cur = (rlim_t)r[i].soft.v;
		rl.rlim_max = (rlim_t)r[i].hard.v;
		if (raise && prlimit(pid, (int)r[i].type.v, NULL, &now) < 0)
			err_die("get %s:", tab_word(tab_rlimit, LEN(tab_rlimit),
					       (uint64_t)r[i].type.v));
		if (raise && rl.rlim_max <= now.rlim_max)
			continue;
		if (prlimit(pid, (int)r[i].type.v, &rl, NULL) < 0)
			err_die("set %s to %llu:%llu:",
			    tab_word(tab_rlimit, LEN(tab_rlimit),
				(uint64_t)r[i].type.v),
			    (unsigned long long)r[i].soft.v,
			    (unsigned long long)r[i].hard.v);
	}
}

/* Needs CAP_SETPCAP, so it goes before the ids. Asks the kernel where the
 * list ends instead of knowing it (threat T31). */
static void
cred_drop_bounding(uint64_t keep)
{
	unsigned long cap;

	for (cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				return;
			err_die("drop capability %lu:", cap);
		}
	}
}

/* May no process of its user namespace set groups (user_namespaces(7))? */
static bool
cred_groups_denied(const char *dir)
{
	char *text = sys_proc_read(base_fmt("%s/setgroups", dir));

	return text && !strncmp(text, "deny", 4);
}

static const char *
cred_unmapped(int e)
{
	return e == EINVAL ? " (hint: not mapped in the user namespace?)" : "";
}

/* Groups first and users last, for each step takes away the right to do the
 * one before; capabilities survive the change by PR_SET_KEEPCAPS. The raw
 * calls: C libraries wrap them in signals to other threads. */
static void
cred_ids(const struct spec_process *p)
{
	const struct spec_user *u = p->user;
	uid_t uid = u ? (uid_t)u->uid.v : 0;
	gid_t gid = u ? (gid_t)u->gid.v : 0;

	if (uid && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		err_die("keep capabilities:");
	/* An ordinary user may not drop groups: those of the caller stay. */
	if (syscall(PORT_SETGROUPS, u ? u->groups.n : 0,
		u ? u->groups.v : NULL) < 0 &&
	    (errno != EPERM || (u && u->groups.n) ||
		!cred_groups_denied("self")))
		err_die("set additional groups%s:",
		    errno == EPERM ? " (hint: gidMappings by newgidmap allow "
				     "them)" :
				     "");
	if (syscall(PORT_SETRESGID, gid, gid, gid) < 0)
		err_die("set gid %u%s:", gid, cred_unmapped(errno));
	if (syscall(PORT_SETRESUID, uid, uid, uid) < 0)
		err_die("set uid %u%s:", uid, cred_unmapped(errno));
}

static void
cred_caps(const struct spec_caps *c)
{
	struct __user_cap_header_struct h = { .version =
						  _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	unsigned long cap;

	d[0].effective = (uint32_t)c->effective;
	d[0].permitted = (uint32_t)c->permitted;
	d[0].inheritable = (uint32_t)c->inheritable;
	d[1].effective = (uint32_t)(c->effective >> 32);
	d[1].permitted = (uint32_t)(c->permitted >> 32);
	d[1].inheritable = (uint32_t)(c->inheritable >> 32);
	if (syscall(SYS_capset, &h, d) < 0)
		err_die("set capabilities:");
	/* An inherited ambient set would outlive execve (CVE-2022-29162). */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
	    errno != EINVAL)
		err_die("clear ambient capabilities:");
	for (cap = 0; cap < 64; cap++)
		if ((c->ambient >> cap & 1) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			err_die("raise ambient capability %lu:", cap);
}

/* A label for the next execve; asked for and not available is an error. */
static void
cred_label(
    const char *own_attr, const char *attr, const char *text, const char *what)
{
	if (own_attr && sys_proc_write(own_attr, text) == 0)
		return;
	if ((own_attr && errno != ENOENT) || sys_proc_write(attr, text) < 0)
		err_die(
		    "%s is asked for, but cannot be set on this host:", what);
}

static void
cred_labels(const struct spec_process *p)
{
	if (p->apparmor && *p->apparmor && strcmp(p->apparmor, "unconfined"))
		cred_label("self/attr/apparmor/exec", "self/attr/exec",
		    base_fmt("exec %s", p->apparmor),
		    base_fmt("AppArmor profile '%s'", p->apparmor));
	if (p->selinux && *p->selinux)
		cred_label(NULL, "self/attr/exec", p->selinux,
		    base_fmt("SELinux label '%s'", p->selinux));
}

/* ---- scheduling and memory ---- */

#define CRED_SYS_NICE (1ull << 23)

/* Why the kernel did not take a scheduler, where it does not say. */
static const char *
cred_sched_hint(const struct spec_scheduler *c, int e)
{
	if (e == ENOSYS)
		return " (needs Linux 3.14)";
	if (e == EOPNOTSUPP)
		return " (needs CONFIG_UCLAMP_TASK)";
	if (e == EBUSY)
		return " (hint: more deadline time than this host has left)";
	if (e == EINVAL)
		return " (hint: a policy or flag that this kernel lacks?)";
	if (e != EPERM)
		return "";
	if (!(cred_have() & CRED_SYS_NICE))
		return " (needs CAP_SYS_NICE)";
	if (c->policy.v == TAB_SCHED_DEADLINE)
		return " (hint: a deadline cannot be kept within a cpuset)";
	return " (hint: the cpu cgroup has no real-time budget, "
	       "cpu.rt_runtime_us)";
}

static void
cred_scheduler(pid_t pid, const struct spec_scheduler *c)
{
	struct port_sched_attr a = {
		.size = sizeof a,
		.policy = (uint32_t)c->policy.v,
		.flags = c->flags,
		.nice = (int32_t)c->nice.v,
		.priority = (uint32_t)c->priority.v,
		.runtime = (uint64_t)c->runtime.v,
		.deadline = (uint64_t)c->deadline.v,
		.period = (uint64_t)c->period.v,
	};

	/* what is not asked for must not need a kernel that knows it */
	if (!(c->flags & TAB_SCHED_UTIL_CLAMP))
		a.size = offsetof(struct port_sched_attr, util_min);
	if (syscall(SYS_sched_setattr, pid, &a, 0) < 0)
		err_die("set scheduler %s%s:",
		    tab_word(tab_sched, LEN(tab_sched), (uint64_t)c->policy.v),
		    cred_sched_hint(c, errno));
}

/* The scheduler and the I/O priority of the child that waits to execute the
 * program: by the parent, for in a user namespace no capability counts here;
 * and last, for a real-time or deadline process could not fork hooks. */
static void
cred_priority(pid_t pid, const struct spec_process *p)
{
	const struct spec_ioprio *i = p->ioprio;

	if (p->scheduler)
		cred_scheduler(pid, p->scheduler);
	/* 1: IOPRIO_WHO_PROCESS */
	if (i && syscall(SYS_ioprio_set, 1, pid,
		     i->class.v << 13 | i->priority.v) < 0)
		err_die("set I/O priority %s %lld%s:",
		    tab_word(tab_ioprio, LEN(tab_ioprio), (uint64_t)i->class.v),
		    (long long)i->priority.v,
		    errno == EPERM  ? " (needs CAP_SYS_NICE)" :
		    errno == ENOSYS ? " (needs CONFIG_BLOCK)" :
				      "");
}

/* Run this process on the processors of the list; NULL: on all there are, for
 * the caller's affinity is its own matter. A list was checked by SPEC. */
static void
cred_affinity(pid_t pid, const char *list, const char *what)
{
	struct base_bits cpus;

	memset(&cpus, 0xff, sizeof cpus);
	if (list && base_bits(list, &cpus) < 0)
		err_die("%s '%s' is no list of processors", what, list);
	if (syscall(SYS_sched_setaffinity, pid, sizeof cpus.word, cpus.word) <
		0 &&
	    list)
		err_die("%s '%s':", what, list);
}

static void
cred_personality(const struct spec_personality *p)
{
	if (p && personality((unsigned long)p->domain.v) < 0)
		err_die("set personality %s:",
		    tab_word(tab_personality, LEN(tab_personality),
			(uint64_t)p->domain.v));
}

static void
cred_mempolicy(const struct spec_mempolicy *m)
{
	struct base_bits nodes;

	memset(&nodes, 0, sizeof nodes);
	if (!m)
		return;
	if (m->nodes && *m->nodes && base_bits(m->nodes, &nodes) < 0)
		err_die("memoryPolicy nodes '%s'", m->nodes);
	/* the kernel counts one bit less than it is told */
	if (syscall(SYS_set_mempolicy, (uint64_t)m->mode.v | m->flags,
		nodes.n ? nodes.word : NULL,
		nodes.n ? BASE_BITS + 1ul : 0ul) < 0)
		err_die("set memory policy %s%s%s%s:",
		    tab_word(tab_mpol, LEN(tab_mpol), (uint64_t)m->mode.v),
		    nodes.n ? " " : "", nodes.n ? m->nodes : "",
		    errno == ENOSYS ?
			" (needs CONFIG_NUMA)" :
		    errno == EINVAL ?
			" (hint: a node outside the cpuset, or a mode that "
			"this kernel lacks?)" :
			"");
}

/* ---- the parent's look at the finished child ---- */

/* The fields of a line of /proc/PID/status; NULL when it is not there. */
static char *
cred_status_line(char *status, const char *key)
{
	char *copy = base_dup(status), *line;
	size_t n = strlen(key);

	while ((line = base_cut(&copy, "\n")))
		if (!strncmp(line, key, n) && line[n] == ':')
			return line + n + 1;
	return NULL;
}

static void
cred_expect_hex(char *status, const char *key, uint64_t want)
{
	char *line = cred_status_line(status, key);
	uint64_t have = line ? strtoull(line, NULL, 16) : 0;

	if (!line || have != want)
		err_die("check: %s is %#llx, not %#llx", key,
		    (unsigned long long)have, (unsigned long long)want);
}

static void
cred_expect_ids(char *status, const char *key, uint64_t want)
{
	char *line = cred_status_line(status, key), *field;
	uint64_t v;
	int n = 0;

	while (line && (field = base_cut(&line, "\t "))) {
		if (base_number(field, UINT32_MAX, &v) < 0 || v != want)
			err_die("check: %s is %s, not %llu", key, field,
			    (unsigned long long)want);
		n++;
	}
	if (n != 4)
		err_die("check: no %s", key);
}

/* As many groups, each of them asked for: the kernel prints them sorted. map:
 * of the user namespace of which want are ids. */
static void
cred_expect_groups(
    char *status, const struct spec_ids *want, const struct spec_list *map)
{
	char *line = cred_status_line(status, "Groups"), *field;
	uint64_t v;
	size_t n = 0, i;

	while (line && (field = base_cut(&line, "\t "))) {
		if (base_number(field, UINT32_MAX, &v) < 0)
			err_die("check: Groups is '%s'", field);
		for (i = 0; i < want->n; i++)
			if ((uint64_t)spec_map_id(map, want->v[i]) == v)
				break;
		if (i == want->n)
			err_die("check: group %s was not asked for", field);
		n++;
	}
	if (!line || n != want->n)
		err_die("check: %zu groups, not %zu", n, want->n);
}

/* The capabilities that a process has from the start: all there are in a new
 * user namespace, else ours. */
static uint64_t
cred_given(bool userns)
{
	uint64_t all = 0;
	unsigned long cap;

	if (!userns)
		return cred_have();
	for (cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0)
			all |= (uint64_t)1 << cap;
	return all;
}

/* The last gate: the child that waits to execute the program is what was
 * asked for. Read from outside, so that nothing that happened to the child
 * can spoil the look. had: what cred_given() says. userns: it has a user
 * namespace, then its ids are others here. filtered: its filter is loaded. */
static void
cred_verify(pid_t pid, const struct spec_process *p, uint64_t had, bool userns,
    bool filtered)
{
	static const struct spec_ids none = { 0 };
	static struct spec_idmap same = { .size.v = UINT32_MAX };
	const struct spec_user *u = p->user;
	struct spec_caps c = cred_want(p, had);
	struct spec_list uids = { &same, 1 }, gids = uids;
	char *dir = base_fmt("%d", (int)pid);
	char *status = sys_proc_read(base_fmt("%s/status", dir));

	if (!status)
		err_die("check: read status of the container:");
	if (userns) {
		uids = ns_read_map(pid, "uid_map");
		gids = ns_read_map(pid, "gid_map");
	}
	cred_expect_ids(
	    status, "Uid", (uint64_t)spec_map_id(&uids, u ? u->uid.v : 0));
	cred_expect_ids(
	    status, "Gid", (uint64_t)spec_map_id(&gids, u ? u->gid.v : 0));
	if (!userns || !cred_groups_denied(dir))
		cred_expect_groups(status, u ? &u->groups : &none, &gids);
	cred_expect_hex(status, "CapInh", c.inheritable);
	cred_expect_hex(status, "CapPrm", c.permitted);
	cred_expect_hex(status, "CapEff", c.effective);
	cred_expect_hex(status, "CapBnd", c.bounding);
	if (cred_status_line(status, "CapAmb")) /* Linux 4.3 */
		cred_expect_hex(status, "CapAmb", c.ambient);
	/* Linux 4.10; ours may be set before, and stays */
	if (p->no_new_privileges && cred_status_line(status, "NoNewPrivs"))
		cred_expect_hex(status, "NoNewPrivs", 1);
	if (filtered && cred_status_line(status, "Seccomp"))
		cred_expect_hex(status, "Seccomp", 2);
}

/* The parent writes it: to lower it takes rights that no user namespace has.
 * False when it may not, and it is not so already. */
static bool
cred_try_oom(pid_t pid, const struct spec_process *p)
{
	const struct spec_int *adj = &p->oom_score_adj;
	char *file = base_fmt("%d/oom_score_adj", (int)pid), *now;
	char *want = base_fmt("%lld", (long long)adj->v);
	int e;

	if (!adj->set || sys_proc_write(file, want) == 0)
		return true;
	e = errno;
	now = sys_proc_read(file);
	errno = e;
	return now && !strcmp(base_cut(&now, "\n"), want);
}

/* == 19 SCMP =========================================== scmp_ =============
 * Owns:   the system call filter: compiled from the config, loaded.
 * Calls:  ERR SYS SPEC; libseccomp, for the compiler alone.
 * Runs:   scmp_compile in the parent, before the clone; scmp_load in the
 *         child, which knows nothing of libseccomp.
 * Change: built with SECCOMP=0, a config with a filter is refused by SPEC and
 *         scmp_compile is never reached with one.
 */
struct scmp_insn {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

/* A filter as the kernel takes it (struct sock_fprog) and its flags. */
struct scmp_filter {
	unsigned short n;
	struct scmp_insn *insn;
};

struct scmp_program {
	struct scmp_filter filter;
	unsigned flags;
	bool spec_allow_asked; /* by the config, not by us */
};

#define SCMP_SET_FILTER 1
#define SCMP_FLAG_SPEC_ALLOW 4

#if SECCOMP
/* clang-format off */
/* linux/seccomp.h */
static const struct word scmp_flag_words[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC",      1 },
	{ "SECCOMP_FILTER_FLAG_LOG",        2 },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SCMP_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 32 },
};

/* Data of ERRNO and TRACE comes from errnoRet. */
static const struct word scmp_action_words[] = {
	{ "SCMP_ACT_KILL",         SCMP_ACT_KILL         },
	{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD",  SCMP_ACT_KILL_THREAD  },
	{ "SCMP_ACT_TRAP",         SCMP_ACT_TRAP         },
	{ "SCMP_ACT_ERRNO",        SCMP_ACT_ERRNO(0)     },
	{ "SCMP_ACT_TRACE",        SCMP_ACT_TRACE(0)     },
	{ "SCMP_ACT_ALLOW",        SCMP_ACT_ALLOW        },
	{ "SCMP_ACT_LOG",          SCMP_ACT_LOG          },
};

static const struct word scmp_op_words[] = {
	{ "SCMP_CMP_NE",        SCMP_CMP_NE        },
	{ "SCMP_CMP_LT",        SCMP_CMP_LT        },
	{ "SCMP_CMP_LE",        SCMP_CMP_LE        },
	{ "SCMP_CMP_EQ",        SCMP_CMP_EQ        },
	{ "SCMP_CMP_GE",        SCMP_CMP_GE        },
	{ "SCMP_CMP_GT",        SCMP_CMP_GT        },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static const struct word scmp_arch_words[] = {
	{ "SCMP_ARCH_X86",         SCMP_ARCH_X86         },
	{ "SCMP_ARCH_X86_64",      SCMP_ARCH_X86_64      },
	{ "SCMP_ARCH_X32",         SCMP_ARCH_X32         },
	{ "SCMP_ARCH_ARM",         SCMP_ARCH_ARM         },
	{ "SCMP_ARCH_AARCH64",     SCMP_ARCH_AARCH64     },
	{ "SCMP_ARCH_MIPS",        SCMP_ARCH_MIPS        },
	{ "SCMP_ARCH_MIPS64",      SCMP_ARCH_MIPS64      },
	{ "SCMP_ARCH_MIPS64N32",   SCMP_ARCH_MIPS64N32   },
	{ "SCMP_ARCH_MIPSEL",      SCMP_ARCH_MIPSEL      },
	{ "SCMP_ARCH_MIPSEL64",    SCMP_ARCH_MIPSEL64    },
	{ "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32 },
	{ "SCMP_ARCH_PARISC",      SCMP_ARCH_PARISC      },
	{ "SCMP_ARCH_PARISC64",    SCMP_ARCH_PARISC64    },
	{ "SCMP_ARCH_PPC",         SCMP_ARCH_PPC         },
	{ "SCMP_ARCH_PPC64",       SCMP_ARCH_PPC64       },
	{ "SCMP_ARCH_PPC64LE",     SCMP_ARCH_PPC64LE     },
	{ "SCMP_ARCH_RISCV64",     SCMP_ARCH_RISCV64     },
	{ "SCMP_ARCH_S390",        SCMP_ARCH_S390        },
	{ "SCMP_ARCH_S390X",       SCMP_ARCH_S390X       },
};
/* clang-format on */

/* The number of an action; its errno value is EPERM unless one is given,
 * which only ERRNO and TRACE take. */
static uint32_t
scmp_action(const struct json *j, int obj, bool by_default, const char *name,
    const struct spec_int *ret)
{
	int tok = spec_at(j, obj, by_default ? "defaultAction" : "action");
	int number =
	    spec_at(j, obj, by_default ? "defaultErrnoRet" : "errnoRet");
	uint64_t v;
	bool data;

	if (!strcmp(name, "SCMP_ACT_NOTIFY"))
		json_die(j, tok,
		    "SCMP_ACT_NOTIFY is not supported by this version of "
		    "ocirt");
	if (tab_find(scmp_action_words, LEN(scmp_action_words), name, &v) < 0)
		json_die(j, tok, "unknown action '%s'", name);
	data = v == SCMP_ACT_ERRNO(0) || v == SCMP_ACT_TRACE(0);
	if (ret->set && !data)
		json_die(j, number, "an errno value with %s", name);
	/* libseccomp's MAX_ERRNO is not one of them */
	if (ret->set && ret->v > (v == SCMP_ACT_ERRNO(0) ? 4094 : 0xffff))
		json_die(j, number, "errno value out of range");
	return (uint32_t)v | (data ? (uint32_t)(ret->set ? ret->v : EPERM) : 0);
}

static struct scmp_arg_cmp
scmp_compare(const struct json *j, const struct spec_scmp_arg *a)
{
	uint64_t op;

	if (a->index.v > 5)
		json_die(
		    j, spec_at(j, a->tok, "index"), "argument index above 5");
	if (tab_find(scmp_op_words, LEN(scmp_op_words), a->op, &op) < 0)
		json_die(j, spec_at(j, a->tok, "op"), "unknown operator '%s'",
		    a->op);
	return SCMP_CMP((unsigned)a->index.v, (enum scmp_compare)op,
	    (uint64_t)a->value.v, (uint64_t)a->value_two.v);
}

/* One name of a rule. Conditions on one argument twice cannot be one rule:
 * each becomes its own, any of them matches (runc). */
static void
scmp_rule(scmp_filter_ctx ctx, const struct json *j,
    const struct spec_scmp_rule *r, uint32_t action, int nr)
{
	const struct spec_scmp_arg *a = r->args.p;
	struct scmp_arg_cmp cmp[6];
	unsigned seen = 0;
	bool twice = r->args.n > LEN(cmp);
	size_t i;
	int e = 0;

	for (i = 0; i < r->args.n; i++) {
		struct scmp_arg_cmp c = scmp_compare(j, &a[i]);

		twice |= seen >> c.arg & 1;
		seen |= 1u << c.arg;
		if (i < LEN(cmp))
			cmp[i] = c;
	}
	if (!twice)
		e = seccomp_rule_add_array(
		    ctx, action, nr, (unsigned)r->args.n, cmp);
	for (i = 0; twice && !e && i < r->args.n; i++) {
		cmp[0] = scmp_compare(j, &a[i]);
		e = seccomp_rule_add_array(ctx, action, nr, 1, cmp);
	}
	if (e < 0)
		json_die(j, r->tok, "seccomp rule: %s", strerror(-e));
}

static void
scmp_rules(scmp_filter_ctx ctx, const struct spec *s, uint32_t def)
{
	const struct spec_scmp_rule *r = s->linux_->seccomp->rules.p;
	uint32_t action;
	const struct spec_scmp_arg *a;
	size_t i, k;
	char **name;
	int nr;

	for (i = 0; i < s->linux_->seccomp->rules.n; i++) {
		action = scmp_action(
		    &s->json, r[i].tok, false, r[i].action, &r[i].errno_ret);
		if (!r[i].names[0])
			spec_die(s, &r[i], "names", "expected a name");
		a = r[i].args.p;
		for (k = 0; k < r[i].args.n; k++)
			scmp_compare(&s->json, &a[k]);
		for (name = r[i].names; action != def && *name; name++) {
			nr = seccomp_syscall_resolve_name(*name);
			if (nr != __NR_SCMP_ERROR)
				scmp_rule(ctx, &s->json, &r[i], action, nr);
			else if (def == SCMP_ACT_ALLOW)
				/* it would have been forbidden: T38 */
				err_note(base_fmt("unknown system call %s in a "
						  "rule is not filtered",
				    *name));
		}
	}
}

static void
scmp_archs(scmp_filter_ctx ctx, const struct spec *s)
{
	char **a = s->linux_->seccomp->archs;
	uint64_t v;
	int e;

	for (; a && *a; a++) {
		if (tab_find(scmp_arch_words, LEN(scmp_arch_words), *a, &v) < 0)
			spec_die(s, s->linux_->seccomp, "architectures",
			    "unknown architecture '%s'", *a);
		e = seccomp_arch_add(ctx, (uint32_t)v);
		/* of the other byte order: nothing here makes such calls */
		if (e < 0 && e != -EEXIST && e != -EDOM)
			spec_die(s, s->linux_->seccomp, "architectures",
			    "%s: %s", *a, strerror(-e));
	}
}

static void
scmp_flags(struct scmp_program *p, const struct spec *s)
{
	char **f = s->linux_->seccomp->flags;
	uint64_t v;

	if (!f)
		p->flags = SCMP_FLAG_SPEC_ALLOW;
	for (; f && *f; f++) {
		if (tab_find(scmp_flag_words, LEN(scmp_flag_words), *f, &v) < 0)
			spec_die(s, s->linux_->seccomp, "flags",
			    "unknown flag '%s'", *f);
		p->flags |= (unsigned)v;
		p->spec_allow_asked |= v == SCMP_FLAG_SPEC_ALLOW;
	}
}

/* The compiled filter's bytes, by way of a memfd: libseccomp writes to a
 * descriptor only. */
static void
scmp_export(scmp_filter_ctx ctx, struct scmp_program *p)
{
	CLOSEFD int fd = (int)syscall(SYS_memfd_create, "seccomp", 1u);
	size_t len;
	char *bytes;
	int e;

	if (fd < 0) /* Linux < 3.17 */
		fd = sys_open(AT_FDCWD, "/dev/shm", O_TMPFILE | O_RDWR, 0600);
	if (fd < 0)
		err_die("seccomp: memory for the filter:");
	if ((e = seccomp_export_bpf(ctx, fd)) < 0)
		err_die("seccomp: compile: %s", strerror(-e));
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    !(bytes = sys_read_fd(fd, 1 << 20, &len)))
		err_die("seccomp: read the filter:");
	p->filter.n = (unsigned short)(len / sizeof *p->filter.insn);
	p->filter.insn = (struct scmp_insn *)(void *)bytes;
	if (!p->filter.n || len != p->filter.n * sizeof *p->filter.insn)
		err_die("seccomp: a filter of %zu bytes", len);
}

/* The filter that the config asks for; NULL when it asks for none. Dies of
 * what cannot be expressed. */
static struct scmp_program *
scmp_compile(const struct spec *s)
{
	const struct spec_seccomp *c = s->linux_ ? s->linux_->seccomp : NULL;
	struct scmp_program *p;
	scmp_filter_ctx ctx;
	uint32_t def;

	if (!c || (!c->rules.n && (!c->action || !*c->action)))
		return NULL;
	if (!c->action)
		json_die(&s->json, c->tok, "'defaultAction' is missing");
	if (c->listener_metadata && !c->listener_path)
		spec_die(s, c, "listenerMetadata", "without a listenerPath");
	p = base_alloc(sizeof *p);
	def = scmp_action(&s->json, c->tok, true, c->action, &c->errno_ret);
	ctx = seccomp_init(def);
	if (!ctx)
		err_die("seccomp: init failed");
	/* System calls of a foreign architecture pass no filter at all. */
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (c->rules.n > 32)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	scmp_archs(ctx, s);
	scmp_rules(ctx, s, def);
	scmp_flags(p, s);
	scmp_export(ctx, p);
	seccomp_release(ctx);
	return p;
}

/* A flag that the kernel has gets as far as the missing filter. */
static void
scmp_put_supported(struct json_out *o)
{
	struct word have[LEN(scmp_flag_words)];
	size_t i, n = 0;

	for (i = 0; i < LEN(scmp_flag_words); i++)
		if (syscall(SYS_seccomp, SCMP_SET_FILTER,
			(unsigned)scmp_flag_words[i].value, NULL) < 0 &&
		    errno == EFAULT)
			have[n++] = scmp_flag_words[i];
	json_put_sorted(o, "supportedFlags", have, n);
}

static void
scmp_put_features(struct json_out *o)
{
	json_put_sorted(
	    o, "actions", scmp_action_words, LEN(scmp_action_words));
	json_put_sorted(o, "operators", scmp_op_words, LEN(scmp_op_words));
	json_put_sorted(o, "archs", scmp_arch_words, LEN(scmp_arch_words));
	json_put_sorted(o, "knownFlags", scmp_flag_words, LEN(scmp_flag_words));
	scmp_put_supported(o);
}

static void
scmp_put_annotation(struct json_out *o)
{
	const struct scmp_version *v = seccomp_version();

	json_put_string(o, "io.github.seccomp.libseccomp.version",
	    base_fmt("%u.%u.%u", v->major, v->minor, v->micro));
}

static void
scmp_put_version(struct text *t)
{
	const struct scmp_version *v = seccomp_version();

	base_putf(t, "libseccomp: %u.%u.%u\n", v->major, v->minor, v->micro);
}
#else
static struct scmp_program *
scmp_compile(const struct spec *s)
{
	if (s->linux_ && s->linux_->seccomp)
		err_die("built without seccomp");
	return NULL;
}

static void
scmp_put_features(struct json_out *o)
{
	(void)o;
}

static void
scmp_put_annotation(struct json_out *o)
{
	(void)o;
}

static void
scmp_put_version(struct text *t)
{
	(void)t;
}
#endif

/* The filter holds from here on. */
static void
scmp_load(const struct scmp_program *p)
{
	unsigned flags = p->flags;

	if (syscall(SYS_seccomp, SCMP_SET_FILTER, flags, &p->filter) == 0)
		return;
	/* Our own default flag is not worth a failure (Linux < 4.17). */
	if (errno == EINVAL && !p->spec_allow_asked &&
	    syscall(SYS_seccomp, SCMP_SET_FILTER,
		flags & ~(unsigned)SCMP_FLAG_SPEC_ALLOW, &p->filter) == 0)
		return;
	if (errno == ENOSYS || errno == EINVAL)
		err_die("seccomp (needs CONFIG_SECCOMP_FILTER):");
	err_die("load seccomp filter:");
}

/* == 20 HOOK =========================================== hook_ =============
 * Owns:   running hooks: state on stdin, time limit, what they print.
 * Calls:  ERR SYS SPEC STATE.
 * Runs:   parent and child; which hook where is the caller's (tab_hook).
 * Trusts: hooks are the host's programs, but get nothing of ours: no
 *         descriptors, no signal mask, and only the environment that the
 *         caller chooses (CVE-2025-23266).
 */
#define HOOK_OUTPUT 2048
#define HOOK_FOREVER 1000000000 /* seconds */

struct hook_run {
	const struct spec_hook *hook;
	const struct text *state; /* for its stdin */
	char **env;               /* where the config gives none */
	const char *cwd;
	int signals; /* descriptor that is readable when we are to stop, or -1 */
	int root;    /* directory to be root in, or -1: where we are */
};

/* Default action for every signal that our caller ignored, none blocked:
 * what a program expects after execve (threat T12). */
static void
hook_reset_signals(void)
{
	char *status = sys_proc_read("self/status"), *line;
	uint64_t ignored = status && (line = strstr(status, "SigIgn:")) ?
			       strtoull(line + 7, NULL, 16) :
			       UINT64_MAX;
	/* The raw call, for the C library keeps 32 to 34 to itself. All zero is
	 * SIG_DFL with no flags in every architecture's struct. */
	unsigned long dfl[16] = { 0 };
	sigset_t none;
	int sig;

	for (sig = 1; sig < 65; sig++)
		if (ignored >> (sig - 1) & 1)
			syscall(SYS_rt_sigaction, sig, dfl, NULL, _NSIG / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

NORETURN static void
hook_exec(const struct hook_run *r, int in, int out)
{
	char *const argv0[] = { (char *)(uintptr_t)r->hook->path, NULL };
	char *msg;

	hook_reset_signals();
	if (r->root >= 0 && (fchdir(r->root) < 0 || chroot(".") < 0))
		err_exit(126);
	if (setpgid(0, 0) < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(out, 2) < 0 || chdir(r->cwd) < 0)
		err_exit(126);
	sys_close_from(3, false);
	execve(r->hook->path, r->hook->args ? r->hook->args : argv0,
	    r->hook->env ? r->hook->env : r->env);
	msg = base_fmt("exec %s: %s", r->hook->path, strerror(errno));
	sys_write_all(2, msg, strlen(msg));
	err_exit(127);
}

/* Give the hook its state and take what it prints until it exits or its time
 * is over; its wait status. Output above HOOK_OUTPUT bytes is thrown away. */

static int
hook_wait(
    const struct hook_run *r, pid_t pid, int in, int out, struct text *said)
{
	const struct spec_int *limit = &r->hook->timeout;
	int64_t end = limit->set && limit->v < HOOK_FOREVER ?
			  sys_now() + limit->v * 1000 :
			  INT64_MAX;
	CLOSEFD int pidfd = sys_pidfd_open(pid);
	struct pollfd p[4] = { { .fd = out, .events = POLLIN },
		{ .fd = in, .events = POLLOUT },
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = r->signals, .events = POLLIN } };
	struct text left = *r->state;
	char buf[512];
	int64_t ms;
	ssize_t n;
	int status;

	for (;;) {
		ms = end == INT64_MAX ? 1000000 : end - sys_now();
		if (ms <= 0 || p[3].revents)
			break;
		/* Without pidfds (Linux < 5.3) look every 10 ms. */
		if (pidfd < 0 && ms > 10)
			ms = 10;
		poll(p, LEN(p), ms > 1000000 ? 1000000 : (int)ms);
		if (p[1].revents) {
			/* A hook that does not read is no error. */
			n = write(in, left.p, left.n);
			left.p += n > 0 ? n : 0;
			left.n -= n > 0 ? (size_t)n : 0;
			if (!left.n || (n < 0 && errno != EAGAIN)) {
				sys_close(&in);
				p[1].fd = -1;
			}
		}
		if (p[0].revents) {
			n = read(out, buf, sizeof buf);
			if (n > 0)
				base_put(said, buf, (size_t)n);
			else if (n == 0 || errno != EAGAIN)
				p[0].fd = -1;
			continue;
		}
		if (waitpid(pid, &status, WNOHANG) == pid) {
			/* what it said between the poll and its end */
			while ((n = read(out, buf, sizeof buf)) > 0 &&
			       said->n + 1 < said->cap)
				base_put(said, buf, (size_t)n);
			sys_close(&in);
			return status;
		}
	}
	sys_close(&in);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	sys_waitpid(pid, &status);
	return p[3].revents ? -2 : -1;
}

/* One hook; what went wrong as text, NULL when nothing did. */
static char *
hook_try(const struct hook_run *r)
{
	char buf[HOOK_OUTPUT], *line;
	struct text said = { .p = buf, .cap = sizeof buf, .fixed = true };
	int in[2], out[2], status;
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	bool unused;
	pid_t pid;

	buf[0] = 0;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		err_die("pipe for hook:");
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	pid = sys_clone(0, -1, &unused);
	if (pid == 0)
		hook_exec(r, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (pid < 0)
		err_die("clone for hook:");
	sigaction(SIGPIPE, &ignore, &old);
	status = hook_wait(r, pid, in[1], out[0], &said);
	sigaction(SIGPIPE, &old, NULL);
	close(out[0]);
	if (said.n && buf[said.n - 1] == '\n')
		buf[--said.n] = 0;
	for (line = buf; (line = strchr(line, '\n'));)
		*line = ' ';
	if (status == -1)
		return base_fmt("hook ran past specified timeout of %lld.0s",
		    (long long)r->hook->timeout.v);
	if (status == -2)
		return base_dup("interrupted");
	if (status == 0)
		return NULL;
	return WIFSIGNALED(status) ?
		   base_fmt("signal: %d, output: %s", WTERMSIG(status), buf) :
		   base_fmt(
		       "exit status %d, output: %s", WEXITSTATUS(status), buf);
}

/* All hooks of one moment in order. The first failure is fatal, but for
 * poststop, where it is a warning and the others still run (config.md). */
static void
hook_run_all(
    const struct spec *s, enum tab_hook_index which, struct hook_run *r)
{
	const struct spec_hook *h;
	char *why;
	size_t i;

	if (!s || !s->hooks)
		return;
	h = s->hooks->list[which].p;
	for (i = 0; i < s->hooks->list[which].n; i++) {
		r->hook = &h[i];
		why = hook_try(r);
		if (why && which != HOOK_POSTSTOP)
			err_die("error running %s hook #%zu: %s",
			    tab_hook[which], i, why);
		if (why)
			err_warn("error running %s hook #%zu: %s",
			    tab_hook[which], i, why);
	}
}

static bool
hook_any(const struct spec *s, enum tab_hook_index which)
{
	return s->hooks && s->hooks->list[which].n;
}

/* == 21 SYNC =========================================== sync_ ==== [wire]
 * Owns:   the messages between parent and child, over one SOCK_SEQPACKET
 *         pair. A message is its kind and a text, whole or not at all.
 * Calls:  ERR SYS.
 * Runs:   both.
 * Change: a new message is a row in sync_name and both ends of the ladder.
 *
 *   parent                                          child
 *     | clone ------------------------------------->  |
 *     | maps its ids, puts it into its cgroups        | waits only if it has
 *     | -- PLACED ---------------------------------->  | those to wait for
 *     |                                               | file system
 *     | <------------------------------ TTY + fd ----  | if terminal
 *     | <------------------------------- HOOKS ------  | if there are hooks
 *     | prestart, createRuntime                       |
 *     | -- HOOKED ---------------------------------->  | createContainer
 *     |                                               | pivot, ids, caps
 *     | <------------------------------- READY ------  |
 *     | verifies, writes state                        |
 *     | -- GO -------------------------------------->  | create: waits in FIFO
 *     | <----------------- end of file: execve worked  |
 *
 * Where namespaces are joined, or time is one of them, a stage comes first:
 *
 *     | clone ----------------> stage                 |
 *     | maps its ids              | waits only if it made a user namespace
 *     | -- MAPPED ------------->  | joins, makes the time namespace
 *     |                           | clone ----------> |
 *     | <------- STAGED + pid --  | exit              |
 *
 * At any time the child may send NOTE, or FAIL as its last word.
 */
enum sync_kind {
	MSG_MAPPED,
	MSG_STAGED,
	MSG_PLACED,
	MSG_TTY,
	MSG_HOOKS,
	MSG_HOOKED,
	MSG_READY,
	MSG_GO,
	MSG_NOTE,
	MSG_FAIL,
	MSG_EOF
};

static const char *const sync_name[] = { "mapped", "staged", "placed", "tty",
	"hooks", "hooked", "ready", "go", "note", "fail", "end of file" };

struct sync_msg {
	uint32_t kind;
	char text[ERR_LINE];
};

static int
sync_try_send(int sock, enum sync_kind kind, const char *text, int fd)
{
	struct sync_msg m;
	size_t n = strlen(text);

	if (n >= sizeof m.text)
		n = sizeof m.text - 1;
	m.kind = kind;
	memcpy(m.text, text, n);
	m.text[n] = 0;
	return sys_send(sock, &m, offsetof(struct sync_msg, text) + n + 1, fd);
}

/* The next message that is neither a note nor a failure: a note is kept, a
 * failure is died of, in the child's own words. What comes from the child is
 * data, never a format, and bounded (threat T58). signals: a descriptor that
 * is readable when we are to stop, or -1. What has arrived is read first: a
 * failure says more than the signal that came with it. */
static enum sync_kind
sync_recv(int sock, int signals, struct sync_msg *m, int *fd)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLIN },
		{ .fd = signals, .events = POLLIN } };
	ssize_t n;

	for (;;) {
		if (signals >= 0 && poll(p, LEN(p), -1) > 0 && !p[0].revents)
			err_die("interrupted by a signal");
		n = sys_recv(sock, m, sizeof *m, fd);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return MSG_EOF;
		if (n < 0)
			err_die("receive from the other side:");
		if (n <= (ssize_t)offsetof(struct sync_msg, text) ||
		    m->kind > MSG_FAIL)
			err_die("broken message from the other side");
		((char *)m)[n - 1] = 0;
		if (m->kind == MSG_FAIL)
			err_die("%s", m->text);
		if (m->kind != MSG_NOTE)
			return (enum sync_kind)m->kind;
		err_note(m->text);
	}
}

/* == 22 INIT =========================================== init_ ==== [order][wire]
 * Owns:   the child, from the clone to execve: init_steps tells its life.
 * Calls:  all rooms above that say "child".
 * Runs:   child. It holds the parent's memory as a copy and never writes
 *         state; only SYNC crosses back.
 * Change: a step is a row in init_steps or init_exec_steps with its "why
 *         here". fault.t fails each step and looks at what is left.
 */
struct init {
	const struct plan *plan; /* NULL for exec */
	const struct spec *spec;
	const struct spec_process *process;
	const struct state *state;
	const char *id;
	const struct scmp_program *filter;
	char **env;
	int preserve; /* descriptors 3.. to keep open */
	bool keyring;
	bool placed;     /* wait until we are mapped and in our cgroups */
	bool userns;     /* we have a user namespace, new or joined */
	bool dumpable;   /* until our ids are mapped by an ordinary user */
	bool staged;     /* the stage clones us, all is joined by then */
	bool stage_user; /* it makes the user namespace */
	unsigned clone_flags;
	int cgroup;     /* to be born in, or -1 */
	int join_pidfd; /* exec: whose namespaces to join */
	unsigned join;
	int join_fds[NS_COUNT];
	struct ns_id ours[NS_COUNT],
	    want[NS_COUNT]; /* what the gate compares */
	int root;           /* exec: to go to, without a mount namespace */
	int drop[3];        /* the parent's descriptors: closed at birth */
	int sock;           /* to the parent */
	int start, report;  /* FIFOs of create, or -1 */
	struct fs fs;
	size_t at; /* next step of the plan */
	struct tty tty;
	bool cwd_later;
	char *exe;
};

/* Where err_die sends the child's last words. */
static int init_channel = -1;
static bool init_channel_is_fifo, init_in_hooks;

static void
init_send(bool fatal, const char *text)
{
	char *line;

	if (!init_channel_is_fifo) {
		sync_try_send(
		    init_channel, fatal ? MSG_FAIL : MSG_NOTE, text, -1);
	} else if (fatal) {
		line = base_fmt("%c%s", init_in_hooks ? 'H' : 'E', text);
		sys_write_all(init_channel, line, strlen(line));
	}
}

/* Wait for the one message that may come now. The parent is gone: so are we. */
static void
init_expect(const struct init *in, enum sync_kind want)
{
	struct sync_msg m = { .kind = MSG_EOF };
	enum sync_kind got;
	int fd;

	got = sync_recv(in->sock, -1, &m, &fd);
	if (got == MSG_EOF)
		err_exit(1);
	if (got != want)
		err_die("expected %s, got %s", sync_name[want], sync_name[got]);
}

static void
init_tell(const struct init *in, enum sync_kind kind, const char *text, int fd)
{
	if (sync_try_send(in->sock, kind, text, fd) < 0)
		err_exit(1);
}

/* We go when the parent goes. A change of ids makes the kernel forget it. */
static void
init_watch(struct init *in)
{
	struct pollfd p = { .fd = in->sock };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		err_die("set parent death signal:");
	/* It may have died before that: then its end of the socket is closed. */
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		err_exit(1);
}

/* The state directory's lock must not live on in init, and no directory of the
 * host may stay open where the container could come by it. */
static void
init_orphan(struct init *in)
{
	size_t i;

	for (i = 0; i < LEN(in->drop); i++)
		sys_close(&in->drop[i]);
	sys_close(&in->cgroup);
	init_watch(in);
}

static void
init_placed(struct init *in)
{
	if (in->placed)
		init_expect(in, MSG_PLACED);
	if (in->dumpable && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		err_die("make undumpable:");
	if (in->plan && in->plan->cgroupns && unshare(PORT_CLONE_NEWCGROUP) < 0)
		err_die("unshare cgroup namespace:");
}

/* exec into a container without a user namespace: no stage is needed, for the
 * parent could join the pid namespace for us. */
static void
init_join(struct init *in)
{
	if (!in->staged)
		ns_join(in->join_pidfd, in->join, in->join_fds);
	sys_close(&in->join_pidfd);
	if (in->root >= 0 && (fchdir(in->root) < 0 || chroot(".") < 0))
		err_die("enter the root directory of the container:");
	sys_close(&in->root);
}

/* The host's files that become part of the container are opened as the user
 * who called us, who may go where the container's root may not. */
static void
init_sources(struct init *in)
{
	in->fs.plan = in->plan;
	in->fs.root = in->fs.scratch = in->fs.parent = in->fs.console = -1;
	in->fs.host = -1;
	in->fs.empty_dir = in->fs.empty_file = -1;
	base_set_init(&in->fs.absent, in->plan->nsteps);
	if (in->userns && spec_new_ns(in->spec, NS_MNT))
		fs_open_early(&in->fs);
}

static void
init_root(struct init *in)
{
	if (!in->userns)
		return;
	ns_become_root();
	init_watch(in);
}

/* Not a stdin, stdout or stderr: the container's own are kept. */
static void
init_session(struct init *in)
{
	(void)in;
	if (setsid() < 0)
		err_die("start a session:");
}

static void
init_keyring(struct init *in)
{
	if (in->keyring)
		cred_keyring(in->id);
}

/* From here on /proc is our own pid namespace's, out of anybody's sight. On
 * old kernels the host's stays; its descriptor is closed before execve. */
static void
init_procfs(struct init *in)
{
	int own = sys_mount_procfs(true);

	(void)in;
	if (own < 0) {
		if (sys_proc() < 0)
			err_die("no procfs (needs CONFIG_PROC_FS):");
		return;
	}
	sys_close(&sys_procfd);
	sys_procfd = own;
}

static void
init_network(struct init *in)
{
	if (in->plan->lo_up)
		net_lo_up();
}

static void
init_names(struct init *in)
{
	const struct spec *s = in->spec;

	if (s->hostname && *s->hostname &&
	    sethostname(s->hostname, strlen(s->hostname)) < 0)
		err_die("set hostname '%s':", s->hostname);
	if (s->domainname && *s->domainname &&
	    setdomainname(s->domainname, strlen(s->domainname)) < 0)
		err_die("set domainname '%s':", s->domainname);
}

/* The names were checked to belong to own namespaces (spec_check_sysctl). */
static void
init_sysctl(struct init *in)
{
	const struct spec_pair *p = in->spec->linux_->sysctl.p;
	CLOSEFD int proc = -1;
	CLOSEFD int fd = -1;
	char *path, *c;
	size_t i;
	bool swap;

	for (i = 0; i < in->spec->linux_->sysctl.n; i++) {
		if (proc < 0 && (proc = sys_mount_procfs(false)) < 0)
			proc = fcntl(sys_proc(), F_DUPFD_CLOEXEC, 3);
		path = base_dup(p[i].key);
		swap = path[strcspn(path, "./")] != '/';
		for (c = path; swap && *c; c++)
			*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
		path = base_fmt("sys/%s", path);
		/* The file is the host's root's, also in a user namespace. */
		if (!strcmp(path, "sys/kernel/domainname")) {
			if (setdomainname(p[i].value, strlen(p[i].value)) < 0)
				err_die("sysctl %s:", p[i].key);
			continue;
		}
		fd = sys_proc_open_in(proc, path, O_WRONLY);
		if (fd < 0 ||
		    sys_write_all(fd, p[i].value, strlen(p[i].value)) < 0)
			err_die("sysctl %s:", p[i].key);
		sys_close(&fd);
	}
}

/* The file system up to where the createContainer hooks look at it. */
static void
init_filesystem(struct init *in)
{
	CLOSEFD int host = -1;

	umask(0);
	if (!in->process->terminal) {
		fs_apply(&in->fs, &in->at, OP_PIVOT);
		return;
	}
	fs_apply(&in->fs, &in->at, OP_CONSOLE);
	/* Without mounts of its own it has no devpts: one of the host's. */
	host = spec_new_ns(in->spec, NS_MNT) ?
		   -1 :
		   sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	tty_open(&in->tty, host < 0 ? in->fs.root : host, in->process);
	in->fs.console = in->tty.slave;
	fs_apply(&in->fs, &in->at, OP_PIVOT);
}

/* exec -t: the devpts of the container that we are in by now. */
static void
init_terminal(struct init *in)
{
	CLOSEFD int root = -1;

	if (!in->process->terminal)
		return;
	root = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	tty_open(&in->tty, root, in->process);
}

static void
init_hooks(struct init *in)
{
	struct json_out o = { 0 };
	static char *no_env[] = { NULL };
	struct hook_run r = {
		.env = no_env, .cwd = "/", .signals = -1, .root = in->fs.host
	};

	if (hook_any(in->spec, HOOK_PRESTART) ||
	    hook_any(in->spec, HOOK_CREATE_RUNTIME)) {
		init_tell(in, MSG_HOOKS, "", -1);
		init_expect(in, MSG_HOOKED);
	}
	if (!hook_any(in->spec, HOOK_CREATE_CONTAINER))
		return;
	state_put(&o, in->state, ST_CREATING, getpid(), false, NULL);
	r.state = &o.t;
	hook_run_all(in->spec, HOOK_CREATE_CONTAINER, &r);
}

static void
init_pivot(struct init *in)
{
	fs_apply(&in->fs, &in->at, OP_COUNT);
}

static void
init_tty(struct init *in)
{
	if (!in->process->terminal)
		return;
	init_tell(in, MSG_TTY, in->tty.name, in->tty.master);
	sys_close(&in->tty.master);
	tty_attach(&in->tty);
}

/* Only exec has an affinity of its own: what the parent set before we joined
 * the cgroup stays when nothing is asked for after it. */
static void
init_affinity(struct init *in)
{
	const struct spec_affinity *a = in->plan ? NULL : in->process->affinity;

	if (a && a->final && *a->final)
		cred_affinity(0, a->final, "execCPUAffinity.final");
	else if (!a || !a->initial || !*a->initial)
		cred_affinity(0, NULL, NULL);
}

static void
init_memory(struct init *in)
{
	cred_personality(in->spec->linux_->personality);
	cred_mempolicy(in->spec->linux_->mempolicy);
}

static void
init_umask(struct init *in)
{
	const struct spec_user *u = in->process->user;

	/* exec --process: the container's own where the file has none */
	if (!(u && u->umask.set) && in->spec->process)
		u = in->spec->process->user;
	umask(u && u->umask.set ? (mode_t)u->umask.v : 022);
}

/* Without noNewPrivileges loading a filter needs CAP_SYS_ADMIN, so it comes
 * before the capabilities go. */
static void
init_filter_early(struct init *in)
{
	if (in->filter && !in->process->no_new_privileges)
		scmp_load(in->filter);
}

/* The host's /dev/null as stdin, stdout or stderr becomes the container's own,
 * through which nothing of the host's file system can be found. */
static void
init_null(struct init *in)
{
	CLOSEFD int null = -1;
	struct stat st;
	int i;

	(void)in;
	for (i = 0; i < 3; i++) {
		if (fstat(i, &st) < 0)
			err_die("look at descriptor %d:", i);
		if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
			continue;
		if (null < 0)
			null = sys_open(
			    AT_FDCWD, "/dev/null", O_RDWR | O_NOFOLLOW, 0);
		if (null < 0)
			return; /* it has none: nothing to replace it by */
		if (fstat(null, &st) < 0)
			err_die("look at /dev/null:");
		if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
			return;
		if (dup2(null, i) < 0)
			err_die("dup2:");
	}
}

/* A pipe that the caller made for the program must be its user's, or it could
 * not open /dev/stderr. Nothing else of the caller's changes hands (T16). */
static void
init_stdio(struct init *in)
{
	const struct spec_user *u = in->process->user;
	struct statfs sfs;
	int i;

	for (i = 0; u && u->uid.v && i < 3; i++)
		if (fstatfs(i, &sfs) == 0 && sfs.f_type == 0x50495045)
			if (fchown(i, (uid_t)u->uid.v, (gid_t)-1) < 0)
				err_debug("own stdio %d", i);
}

/* In the working directory, made where it is missing. Where root may not go
 * (a network file system, say) the user may: tried again after the ids. */
static void
init_cwd(struct init *in)
{
	CLOSEFD int root = -1;
	CLOSEFD int dir = -1;
	const char *cwd = in->process->cwd;

	in->cwd_later = false;
	if (chdir(cwd) == 0)
		return;
	if (errno == ENOENT && in->plan) {
		root = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
		dir = root < 0 ? -1 : sys_mkdirs(root, cwd, 0755, 0);
		if (dir >= 0 && chdir(cwd) == 0)
			return;
	}
	if (errno != EACCES && errno != EPERM)
		err_die(
		    "chdir to cwd (\"%s\") set in config.json failed:", cwd);
	in->cwd_later = true;
}

static void
init_credentials(struct init *in)
{
	struct spec_caps want = cred_want(in->process, cred_have());

	cred_drop_bounding(want.bounding);
	if (!in->userns)
		cred_rlimits(0, in->process, true);
	cred_ids(in->process);
	if (in->process->no_new_privileges &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err_die("set no_new_privs:");
	cred_labels(in->process);
	cred_caps(&want);
}

/* The working directory is inside: the kernel's own answer, which begins with
 * "(unreachable)" where it is not (CVE-2024-21626). */
static void
init_cwd_inside(struct init *in)
{
	char buf[PATH_MAX + 64];

	if (in->cwd_later && chdir(in->process->cwd) < 0)
		err_die("chdir to cwd (\"%s\") set in config.json failed:",
		    in->process->cwd);
	if (syscall(SYS_getcwd, buf, sizeof buf) < 0 || *buf != '/')
		err_die("the working directory \"%s\" is outside the container",
		    in->process->cwd);
}

/* HOME of the container's own /etc/passwd; "/" when that is odd in any way
 * (threat T23): a FIFO, a device, a link out, too large. */
static char *
init_home(const struct init *in)
{
	uint64_t uid =
	    in->process->user ? (uint64_t)in->process->user->uid.v : 0;
	CLOSEFD int root = sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	CLOSEFD int path = -1;
	CLOSEFD int file = -1;
	struct stat st;
	char *text, *home = NULL;

	path = sys_resolve(root, "/etc/passwd", false);
	if (path >= 0 && fstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (file = sys_reopen(path, O_RDONLY | O_NONBLOCK)) >= 0 &&
	    (text = sys_read_fd(file, 1 << 20, NULL)))
		home = base_passwd(text, uid, 5);
	return home && *home == '/' ? home : base_dup("/");
}

static void
init_environment(struct init *in)
{
	const char *home = base_getenv(in->env, "HOME");
	char **env;
	size_t n = 0, k = 0, i;

	if (home && *home)
		return;
	while (in->env[n])
		n++;
	env = base_array(n + 2, sizeof *env);
	for (i = 0; i < n; i++)
		if (strncmp(in->env[i], "HOME=", 5))
			env[k++] = in->env[i];
	env[k++] = base_fmt("HOME=%s", init_home(in));
	in->env = env;
}

/* Can this file be executed by us? errno says why not. */
static bool
init_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = EACCES;
		return false;
	}
	return faccessat(AT_FDCWD, path, X_OK, 0) == 0;
}

/* Which file the program is, by the container's PATH; found now, so that
 * create reports it and not start. runc's words: engines make their exit
 * codes 126 and 127 of them. */
static void
init_lookup(struct init *in)
{
	const char *name = in->process->args ? in->process->args[0] : NULL;
	const char *path = base_getenv(in->env, "PATH"), *end;
	char *try;
	bool denied = false;
	const char *hint = name && !in->process->args[1] && strchr(name, ' ') ?
			       " (hint: each word is an element of args)" :
			       "";

	if (!name)
		return;
	if (strchr(name, '/')) {
		in->exe = base_dup(name);
		if (init_executable(name))
			return;
		if (errno == EACCES || errno == EPERM)
			err_die("exec: \"%s\":", name);
		if (errno == ENOENT && *hint)
			err_die("exec: \"%s\": stat %s: no such file or "
				"directory%s",
			    name, name, hint);
		err_die("exec: \"%s\": stat %s:", name, name);
	}
	for (; *name && path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		try = end == path ?
			  base_fmt("./%s", name) :
			  base_fmt("%.*s/%s", (int)(end - path), path, name);
		if (init_executable(try)) {
			in->exe = try;
			return;
		}
		denied |= errno == EACCES;
	}
	if (denied) {
		errno = EACCES;
		err_die("exec: \"%s\":", name);
	}
	err_die(
	    "exec: \"%s\": executable file not found in $PATH%s", name, hint);
}

/* The flags of all namespaces that are made for the container. */
static unsigned
init_new_ns(const struct plan *p)
{
	return p->clone_flags | (p->cgroupns ? tab_ns[NS_CGROUP].flag : 0);
}

/* The gate, the part that only we can see. */
static void
init_verify(struct init *in)
{
	if (in->plan) {
		fs_verify(&in->fs);
		ns_verify("self", init_new_ns(in->plan), in->ours,
		    in->plan->join, in->want);
	}
	if (getsid(0) != getpid())
		err_die("check: not the leader of a session");
	sys_close(&in->fs.root);
}

/* All is done; the parent looks, records, and lets us go. From here on its
 * death shows as the end of the socket, so the signal is not needed: it must
 * not outlive create. */
static void
init_ready(struct init *in)
{
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		err_die("clear parent death signal:");
	init_tell(in, MSG_READY, "", -1);
	init_expect(in, MSG_GO);
}

/* create: wait until start writes. The channel for last words is now the
 * report FIFO; the parent has gone. */
static void
init_wait_start(struct init *in)
{
	char c;
	ssize_t n;

	if (in->start < 0)
		return;
	init_channel = in->report;
	init_channel_is_fifo = true;
	sys_close(&in->sock);
	/* exec must be able to find the namespaces of its own user's init. */
	if (in->dumpable && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		err_die("make dumpable:");
	do
		n = read(in->start, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		err_exit(1);
	sys_close(&in->start);
}

static void
init_start_hooks(struct init *in)
{
	struct json_out o = { 0 };
	struct hook_run r = {
		.env = in->env, .cwd = "/", .signals = -1, .root = -1
	};

	if (!hook_any(in->spec, HOOK_START_CONTAINER))
		return;
	state_put(&o, in->state, ST_CREATED, getpid(), false, NULL);
	r.state = &o.t;
	init_in_hooks = true;
	hook_run_all(in->spec, HOOK_START_CONTAINER, &r);
	init_in_hooks = false;
}

static void
init_limits(struct init *in)
{
	cred_rlimits(0, in->process, false);
}

/* Nothing of ours stays open but the channel for a failing execve, which is
 * close-on-exec and sits right above what the program gets. Really closed,
 * not marked: a marked directory can still be executed through (T03). */
static void
init_close(struct init *in)
{
	int keep = 3 + in->preserve;

	if (init_channel_is_fifo && write(in->report, "X", 1) != 1)
		err_exit(1);
	hook_reset_signals();
	if (init_channel != keep && dup3(init_channel, keep, O_CLOEXEC) < 0)
		err_die("move channel:");
	init_channel = keep;
	if (sys_close_from((unsigned)keep + 1, false) < 0)
		err_die("close descriptors:");
	sys_procfd = -1;
	for (; --keep >= 3;)
		fcntl(keep, F_SETFD, 0);
}

/* Nothing but execve, and on failure write and exit, behind this. */
static void
init_filter_late(struct init *in)
{
	if (in->filter && in->process->no_new_privileges)
		scmp_load(in->filter);
}

static void
init_execve(struct init *in)
{
	execve(in->exe, in->process->args, in->env);
	err_die("exec %s:", in->exe);
}

struct init_step {
	const char *name;
	void (*fn)(struct init *);
	const char *why; /* why here, and not earlier or later */
};

/* clang-format off */
static const struct init_step init_steps[] = {
	{ "orphan",      init_orphan,      "first: nothing may outlive a dead parent" },
	{ "cgroup",      init_placed,      "a cgroup namespace begins where we are placed" },
	{ "session",     init_session,     "before a terminal, away from the caller's" },
	{ "sources",     init_sources,     "as the caller, who may read his bundle" },
	{ "root",        init_root,        "files of the container are made by its root" },
	{ "keyring",     init_keyring,     "owned by an id that exec has, too" },
	{ "procfs",      init_procfs,      "before anything of the container is touched" },
	{ "network",     init_network,     "needs CAP_NET_ADMIN" },
	{ "names",       init_names,       "needs CAP_SYS_ADMIN" },
	{ "sysctl",      init_sysctl,      "before /proc/sys is read-only" },
	{ "filesystem",  init_filesystem,  "while the host's paths can be seen" },
	{ "hooks",       init_hooks,       "mounts done, host still reachable (config.md)" },
	{ "pivot",       init_pivot,       "after the hooks that need the host's paths" },
	{ "terminal",    init_tty,         "the pty is the new devpts'" },
	{ "null",        init_null,        "of the container's own /dev" },
	{ "affinity",    init_affinity,    "after the cpuset is ours" },
	{ "memory",      init_memory,      "its nodes are the cpuset's" },
	{ "stdio",       init_stdio,       "needs CAP_CHOWN" },
	{ "cwd",         init_cwd,         "making it needs root" },
	{ "umask",       init_umask,       "after all files of ours are made" },
	{ "verify",      init_verify,      "while we may look everywhere" },
	{ "filter",      init_filter_early,"without no_new_privs it needs CAP_SYS_ADMIN" },
	{ "credentials", init_credentials, "after all that needs privilege" },
	{ "inside",      init_cwd_inside,  "as the user, whom the directory may admit" },
	{ "environment", init_environment, "HOME is read as the user" },
	{ "lookup",      init_lookup,      "create must report a missing program" },
	{ "ready",       init_ready,       "the parent verifies and records" },
	{ "wait",        init_wait_start,  "create ends here, start goes on" },
	{ "startHooks",  init_start_hooks, "as the user, just before the program" },
	{ "limits",      init_limits,      "not for us: after the last of our own work" },
	{ "close",       init_close,       "after the last thing that opens files" },
	{ "filterLate",  init_filter_late, "nothing of ours runs under it but execve" },
	{ "execve",      init_execve,      "" },
};

static const struct init_step init_exec_steps[] = {
	{ "orphan",      init_orphan,      "first: nothing may outlive a dead parent" },
	{ "cgroup",      init_placed,      "limits hold before anything runs" },
	{ "session",     init_session,     "before a terminal, away from the caller's" },
	{ "join",        init_join,        "from here on we are in the container" },
	{ "root",        init_root,        "of the user namespace, if there is one" },
	{ "procfs",      init_procfs,      "of the pid namespace just joined" },
	{ "keyring",     init_keyring,     "the container's, by name" },
	{ "pty",         init_terminal,    "from the container's devpts" },
	{ "terminal",    init_tty,         "the parent relays it" },
	{ "affinity",    init_affinity,    "after the cpuset is ours" },
	{ "memory",      init_memory,      "its nodes are the cpuset's" },
	{ "stdio",       init_stdio,       "needs CAP_CHOWN" },
	{ "cwd",         init_cwd,         "as root first" },
	{ "umask",       init_umask,       "" },
	{ "verify",      init_verify,      "while we may look everywhere" },
	{ "filter",      init_filter_early,"without no_new_privs it needs CAP_SYS_ADMIN" },
	{ "credentials", init_credentials, "after all that needs privilege" },
	{ "inside",      init_cwd_inside,  "as the user" },
	{ "environment", init_environment, "HOME is read as the user" },
	{ "lookup",      init_lookup,      "a missing program is 255" },
	{ "ready",       init_ready,       "the parent verifies" },
	{ "limits",      init_limits,      "not for us: after the last of our own work" },
	{ "close",       init_close,       "after the last thing that opens files" },
	{ "filterLate",  init_filter_late, "nothing of ours runs under it but execve" },
	{ "execve",      init_execve,      "" },
};
/* clang-format on */

/* Work through a table that ends in a step which does not return. Every
 * failure in here goes to the parent. */
NORETURN static void
init_run(struct init *in, const struct init_step *step)
{
	init_channel = in->sock;
	init_channel_is_fifo = false;
	err.send = init_send;
	err_keep();
	err_ncrumbs = 0;
	for (;; step++) {
		err_debug("init: %s", step->name);
		step->fn(in);
	}
}

/* The child's life. */
NORETURN static void
init_main(struct init *in)
{
	init_run(in, in->plan ? init_steps : init_exec_steps);
}

/* ---- the stage ---- */

/* A process that goes ahead where the container joins namespaces or has a time
 * namespace: what must be entered or made before the clone, and by nobody who
 * lives on. The container's process is its sibling, so that our parent is its
 * parent, too. */
static void
init_stage_user(struct init *in)
{
	if (in->stage_user)
		init_expect(in, MSG_MAPPED);
}

static void
init_stage_join(struct init *in)
{
	ns_join(in->join_pidfd, in->join, in->join_fds);
}

static void
init_stage_time(struct init *in)
{
	if (in->plan && (in->plan->clone_flags & tab_ns[NS_TIME].flag))
		ns_new_time(in->plan->time_offsets);
}

static void
init_stage_clone(struct init *in)
{
	size_t i;
	bool born;
	pid_t pid = ns_clone(in->clone_flags | CLONE_PARENT, in->cgroup, &born);

	if (pid == 0) {
		for (i = 0; i < NS_COUNT; i++)
			sys_close(&in->join_fds[i]);
		init_main(in);
	}
	init_tell(in, MSG_STAGED,
	    base_fmt("%d%s", (int)pid, born ? " born" : ""), -1);
	err_exit(0);
}

/* clang-format off */
static const struct init_step init_stage_steps[] = {
	{ "watch",       init_watch,       "first: nothing may outlive a dead parent" },
	{ "user",        init_stage_user,  "without its ids we have no rights in it" },
	{ "join",        init_stage_join,  "what is new belongs to the user namespace joined" },
	{ "time",        init_stage_time,  "offsets are set before anyone is in it" },
	{ "clone",       init_stage_clone, "" },
};
/* clang-format on */

NORETURN static void
init_stage(struct init *in)
{
	init_run(in, init_stage_steps);
}

/* == 23 RUN ============================================= run_ ==== [order][wire]
 * Owns:   the parent's side: create, run, start, kill, delete.
 * Calls:  all rooms above but FS and CRED's setters, which are the child's.
 * Runs:   parent.
 * Change: what has a side effect pushes its undo first or at once; err_keep()
 *         stands at the one point where the container is there to stay.
 */

/* The command line as one struct: what an option sets is in cmd_options. */
struct run_opts {
	/* global */
	const char *root, *log, *log_format, *rootless, *cgroup_manager, *criu;
	bool debug, systemd_cgroup, version, help;
	/* create, run, exec */
	const char *id, *config; /* of old command lines */
	const char *bundle, *console_socket, *pid_file, *pidfd_socket;
	const char *preserve_fds;
	bool detach, keep, no_pivot, no_new_keyring, no_subreaper;
	/* exec */
	const char *cwd, *user, *process, *label, *apparmor;
	bool tty, no_new_privs, ignore_paused;
	char **env, **gids, **caps, **cgroup;
	/* checkpoint and restore */
	const char *image_path, *work_path, *parent_path, *page_server;
	const char *status_fd, *cgroups_mode, *lsm_profile, *lsm_mount_context;
	bool leave_running, pre_dump, tcp_established, tcp_skip_in_flight;
	bool ext_unix_sk, shell_job, file_locks, link_remap, auto_dedup;
	bool lazy_pages;
	char **empty_ns;
	/* list, ps, plan, kill, delete */
	const char *format;
	bool upgrade;
	bool quiet, all, force, spec_rootless;
};

struct run {
	const struct run_opts *opts;
	const char *id, *bundle;
	const char *config; /* the text of config.json, as one of today */
	size_t config_len;
	struct spec *spec;
	struct plan *plan;
	struct state state;
	struct init init;
	uint64_t have; /* our capabilities: the child starts with them */
	pid_t pid;
	int pidfd, sock, signals;
	bool exists; /* the id is ours: there is something to undo */
	bool reaped; /* the child was waited for: its pid is another's */
	int notify;  /* where the program says READY=1, or 0 */
	struct tty tty;
	struct tty_relay relay;
	struct rdt rdt;
	char **enter; /* exec: the cgroups of the process */
};

/* ---- before the clone ---- */

/* All of our own binary into an open file. */
static bool
run_try_copy_self(int self, int to)
{
	struct stat st;
	off_t at = 0;
	ssize_t n;

	if (fstat(self, &st) < 0)
		return false;
	while (at < st.st_size) {
		n = sendfile(to, self, &at, (size_t)(st.st_size - at));
		if (n <= 0)
			return false;
	}
	return true;
}

/* A copy in memory that nobody can write any more; -1 and errno where the
 * kernel has no memfd. */
static int
run_try_memfd(int self, int seals)
{
	int fd = (int)syscall(SYS_memfd_create, "ocirt", 3u | PORT_MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* Linux < 6.3 */
		fd = (int)syscall(SYS_memfd_create, "ocirt", 3u);
	if (fd < 0)
		return -1;
	if (!run_try_copy_self(self, fd))
		err_die("copy own binary:");
	fcntl(fd, F_ADD_SEALS, PORT_F_SEAL_EXEC);
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		err_die("seal own binary:");
	return fd;
}

/* A child in a mount namespace of its own: the copy goes on a new tmpfs, which
 * becomes read-only and lives on in the descriptor alone. An ordinary user
 * does it as root of a user namespace. */
static void
run_copy_to_tmpfs(int self, int sock)
{
	static const char *const dirs[] = { "/tmp", "/run", "/dev", "/proc",
		"/sys" };
	unsigned uid = sys_euid(), gid = getegid();
	const char *name = NULL;
	int fd = -1;
	size_t i;

	if (uid != 0 &&
	    (sys_proc_write("self/setgroups", "deny") < 0 ||
		sys_proc_write("self/uid_map", base_fmt("0 %u 1", uid)) < 0 ||
		sys_proc_write("self/gid_map", base_fmt("0 %u 1", gid)) < 0))
		return;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	for (i = 0; i < LEN(dirs) && !name; i++)
		if (mount("ocirt", dirs[i], "tmpfs", MS_NOSUID | MS_NODEV,
			"mode=700,nr_inodes=4,size=4m") == 0)
			name = base_fmt("%s/ocirt", dirs[i--]);
	if (!name)
		return;
	fd = sys_open(AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL, 0500);
	if (fd < 0 || !run_try_copy_self(self, fd) || close(fd) < 0 ||
	    mount(NULL, dirs[i], NULL,
		MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		return;
	fd = sys_open(AT_FDCWD, name, O_RDONLY, 0);
	if (fd >= 0)
		sys_send(sock, "", 1, fd);
}

/* The same for a kernel or a sandbox without memfd; -1 when that fails, too. */
static int
run_try_tmpfs(int self)
{
	CLOSEFD int to = -1;
	CLOSEFD int from = -1;
	int pair[2], fd = -1;
	bool born;
	pid_t pid;
	char c;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	from = pair[0];
	to = pair[1];
	pid = sys_clone(
	    CLONE_NEWNS | (sys_euid() ? CLONE_NEWUSER : 0), -1, &born);
	if (pid == 0) {
		run_copy_to_tmpfs(self, to);
		err_exit(0);
	}
	sys_close(&to);
	if (pid < 0)
		return -1;
	if (sys_recv(from, &c, 1, &fd) <= 0)
		fd = -1;
	sys_waitpid(pid, NULL);
	return fd;
}

/* Are we such a copy? It lies on a tmpfs that is read-only, and its name leads
 * to no file, or to another: it is mounted nowhere. */
static bool
run_is_on_tmpfs(int self)
{
	char name[PATH_MAX];
	struct stat st, there;
	struct statfs sfs;
	ssize_t n;

	if (fstatfs(self, &sfs) < 0 || sfs.f_type != PORT_TMPFS_MAGIC ||
	    !(sfs.f_flags & 1 /* ST_RDONLY */) || fstat(self, &st) < 0)
		return false;
	n = readlinkat(sys_proc(), "self/exe", name, sizeof name - 1);
	if (n <= 0)
		return false;
	name[n] = 0;
	return stat(name, &there) < 0 || there.st_dev != st.st_dev ||
	       there.st_ino != st.st_ino;
}

/* The payload must never hold a handle on a runtime binary that can be
 * written (CVE-2019-5736): run from a copy that cannot. The seals of memory or
 * the file system it lies on say that we do, never an environment variable.
 * Where the binary lies on a file system that cannot be written, there is
 * nothing to do. 300 kB cost 0.2 ms; the memory is not the container's, we are
 * not in its cgroup yet. */
static void
run_seal(char **argv)
{
	static const unsigned long readonly_fs[] = { 0x73717368, 0xe0f5e1e2,
		0x7275, 0x9660, 0x28cd3d45 };
	const int seals =
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	CLOSEFD int self = -1;
	CLOSEFD int copy = -1;
	struct statfs sfs;
	size_t i;
	int have, e;

	if (!SELFSEAL)
		return;
	self = sys_open(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
	if (self < 0 && sys_proc() >= 0)
		self = sys_open(sys_proc(), "self/exe", O_RDONLY, 0);
	have = self < 0 ? -1 : fcntl(self, F_GET_SEALS);
	if (have >= 0 && (have & seals) == seals) {
		prctl(PR_SET_NAME, "ocirt", 0, 0, 0);
		return;
	}
	if (self < 0 || fstatfs(self, &sfs) < 0)
		err_die("open own binary to seal it:");
	for (i = 0; i < LEN(readonly_fs); i++)
		if ((unsigned long)sfs.f_type == readonly_fs[i])
			return;
	if (run_is_on_tmpfs(self))
		return;
	copy = run_try_memfd(self, seals);
	e = errno;
	if (copy < 0)
		copy = run_try_tmpfs(self);
	errno = e;
	if (copy < 0)
		err_die("seal own binary: neither on a tmpfs nor by "
			"memfd_create (Linux 3.17, CONFIG_MEMFD_CREATE):");
	syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
	err_die("run sealed copy of own binary:");
}

/* Every signal is blocked from here on. Those that ask us to stop can be
 * polled for; SIGCHLD must not be ignored, or there is nothing to wait for. */
static int
run_block_signals(void)
{
	sigset_t all, stop;
	int fd;

	signal(SIGCHLD, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigaddset(&stop, SIGQUIT);
	fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		err_die("signalfd:");
	return fd;
}

static char *
run_abs(const char *path)
{
	char cwd[PATH_MAX];

	if (path && *path == '/')
		return base_abs("/", path);
	if (!getcwd(cwd, sizeof cwd))
		err_die("current directory:");
	return base_abs(cwd, path ? path : ".");
}

/* A JSON file that the user names. NULL only when there is none. */
static char *
run_read_json(const char *path, size_t *len)
{
	char *text = sys_read_regular(AT_FDCWD, path, 0, JSON_MAX_SIZE, len);

	if (text || errno == ENOENT)
		return text;
	if (errno == EINVAL)
		err_die("%s is not a regular file", path);
	if (errno == EFBIG)
		err_die("%s: larger than %zu MiB", path, JSON_MAX_SIZE >> 20);
	err_die("read %s:", path);
}

/* The bundle's config.json, and its runtime.json where it is of those that
 * have one: then *runtime has tokens. */
static void
run_parse_bundle(struct run *r, struct json *j, struct json *runtime)
{
	size_t len;
	char *text;

	memset(runtime, 0, sizeof *runtime);
	r->bundle = run_abs(r->opts->bundle);
	text = run_read_json(r->opts->config ?
				 r->opts->config :
				 base_fmt("%s/config.json", r->bundle),
	    &r->config_len);
	if (!text)
		err_die("JSON specification file config.json not found in %s",
		    r->bundle);
	r->config = base_dupn(text, r->config_len);
	json_parse(j, "config.json", text, r->config_len);
	json_expect(j, 0, JSMN_OBJECT, "an object");
	if (leg_era(j) != LEG_B)
		return;
	text = run_read_json(base_fmt("%s/runtime.json", r->bundle), &len);
	if (!text)
		err_die("JSON runtime config file runtime.json not found in %s",
		    r->bundle);
	json_parse(runtime, "runtime.json", text, len);
	json_expect(runtime, 0, JSMN_OBJECT, "an object");
}

/* Read and check the bundle. Nothing is done to the machine yet. */
static void
run_read_bundle(struct run *r)
{
	struct json j, runtime;
	const struct text *now;

	run_parse_bundle(r, &j, &runtime);
	now = leg_translate(&j, runtime.ntok ? &runtime : NULL, stat);
	if (now) {
		r->config = now->p;
		r->config_len = now->n;
	}
	r->spec = spec_read(&j);
}

/* Of entries with one name the last one counts, in the place of the first
 * (POSIX leaves it open; runc does so). */
static char **
run_environment(char **env)
{
	static char *none[] = { NULL };
	size_t n = base_count(env), i, k = 0, *at;
	struct base_set set;
	char **out;

	if (!n)
		return none;
	out = base_array(n + 1, sizeof *out);
	base_set_init(&set, n);
	for (i = 0; i < n; i++) {
		at = base_set_at(&set, 0, env[i], strcspn(env[i], "="));
		if (!*at)
			*at = ++k;
		out[*at - 1] = env[i];
	}
	return out;
}

/* Which of 3, 4, ... the program gets: those that systemd passed to us and
 * those of --preserve-fds. They must be open, and not be our own, which are
 * close-on-exec as one that came through our execve cannot be. */
static int
run_preserve(const struct run_opts *o, bool listen, char ***env)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint64_t n = 0, more = 0, self;
	char **grown;
	size_t k = 0, i;
	int fl;

	if (listen && fds && pid && base_number(fds, 1024, &n) == 0 &&
	    base_number(pid, INT_MAX, &self) == 0 &&
	    self == (uint64_t)getpid() && n) {
		while (*env && (*env)[k])
			k++;
		grown = base_array(k + 3, sizeof *grown);
		for (i = 0; i < k; i++)
			grown[i] = (*env)[i];
		grown[k++] = base_fmt("LISTEN_FDS=%llu", (unsigned long long)n);
		grown[k] = base_dup("LISTEN_PID=1");
		*env = grown;
	} else {
		n = 0;
	}
	if (o->preserve_fds && base_number(o->preserve_fds, 1024, &more) < 0)
		err_die("--preserve-fds: '%s' is no number", o->preserve_fds);
	for (i = 0; i < n + more; i++)
		if ((fl = fcntl((int)i + 3, F_GETFD)) & FD_CLOEXEC) {
			errno = EBADF;
			err_die("unable to stat preserved-fd %zu (of %llu):", i,
			    (unsigned long long)(n + more));
		}
	return (int)(n + more);
}

static void
run_check_console(const struct run_opts *o, bool terminal, bool detach)
{
	if (terminal && detach && !o->console_socket)
		err_die("cannot allocate tty if ocirt will detach without "
			"setting console socket (hint: --console-socket)");
	if (o->console_socket && (!terminal || !detach))
		err_die("cannot use console socket if ocirt will not detach or "
			"allocate tty");
}

/* ---- the child ---- */

static void
run_kill_child(void *arg)
{
	struct run *r = arg;
	int status;

	if (!r->reaped) {
		sys_signal(r->pidfd, r->pid, SIGKILL);
		if (r->plan)
			cg_thaw(r->state.cgroups);
		else
			cg_leave(r->state.cgroups, r->pid);
		sys_waitpid(r->pid, &status);
	}
	/* exec has a plan-less child in a container that goes on */
	if (r->plan && !r->state.private_pid)
		cg_kill_all(r->state.cgroups);
}

/* The child died without a word. */
NORETURN static void
run_child_lost(struct run *r)
{
	const char *who = r->plan ? "container init" : "the new process";
	int status = 0;

	r->reaped = sys_waitpid(r->pid, &status) == r->pid;
	if (r->reaped && WIFSIGNALED(status))
		err_die("%s was killed by signal %d%s", who, WTERMSIG(status),
		    WTERMSIG(status) == SIGKILL ?
			" (hint: is a memory limit too low?)" :
			"");
	err_die("%s exited with status %d before the program ran", who,
	    sys_exit_code(status));
}

/* Send the child a message. Where its end is closed it is on its way out, and
 * how it ended says more. */
static void
run_tell(struct run *r, enum sync_kind kind)
{
	if (sync_try_send(r->sock, kind, "", -1) == 0)
		return;
	if (errno == EPIPE || errno == ECONNRESET)
		run_child_lost(r);
	err_die("tell the child '%s':", sync_name[kind]);
}

/* By a helper of the host that may do what we may not: newuidmap, newgidmap
 * (shadow), which look into /etc/subuid and /etc/subgid. Never by $PATH, it
 * is the caller's. */
static void
run_new_map(const char *name, pid_t pid, const struct spec_list *maps)
{
	static const char *const dirs[] = { "/usr/bin", "/bin", "/usr/sbin",
		"/sbin", "/usr/local/bin" };
	static char *no_env[] = { NULL };
	static const struct text nothing = { 0 };
	const struct spec_idmap *m = maps->p;
	struct spec_hook helper = { .args = base_array(
					maps->n * 3 + 3, sizeof *helper.args) };
	struct hook_run h = { .hook = &helper,
		.state = &nothing,
		.env = no_env,
		.cwd = "/",
		.signals = -1,
		.root = -1 };
	char **a = helper.args, *why;
	size_t i;

	for (i = 0; i < LEN(dirs) && !helper.path; i++) {
		why = base_fmt("%s/%s", dirs[i], name);
		if (faccessat(AT_FDCWD, why, X_OK, 0) == 0)
			helper.path = why;
	}
	if (!helper.path)
		err_die(
		    "more than our own id is mapped, and there is no %s", name);
	*a++ = base_dup(name);
	*a++ = base_fmt("%d", (int)pid);
	for (i = 0; i < maps->n; i++) {
		*a++ = base_fmt("%lld", (long long)m[i].container.v);
		*a++ = base_fmt("%lld", (long long)m[i].host.v);
		*a++ = base_fmt("%lld", (long long)m[i].size.v);
	}
	why = hook_try(&h);
	if (why)
		err_die("%s: %s", helper.path, why);
}

/* Without the right to set ids only our own one may be mapped. */
static bool
run_may_map(
    const struct run *r, const struct spec_list *maps, int cap, unsigned id)
{
	const struct spec_idmap *m = maps->p;

	return (r->have >> cap & 1) ||
	       (maps->n == 1 && m->size.v == 1 && m->host.v == (int64_t)id);
}

/* Map the ids of the new user namespace that pid is in. An ordinary user must
 * give up setgroups(2) first, which would take groups away that deny things
 * (CVE-2014-8989); newgidmap sees to that itself. */
static void
run_map(struct run *r, pid_t pid)
{
	const struct spec_linux *l = r->spec->linux_;

	if (run_may_map(r, &l->uids, 7, sys_euid()))
		ns_write_map(pid, "uid_map", &l->uids);
	else
		run_new_map("newuidmap", pid, &l->uids);
	if (!run_may_map(r, &l->gids, 6, getegid())) {
		run_new_map("newgidmap", pid, &l->gids);
		return;
	}
	if (!(r->have >> 6 & 1) &&
	    sys_proc_write(base_fmt("%d/setgroups", (int)pid), "deny") < 0 &&
	    errno != ENOENT) /* Linux < 3.19 */
		err_die("deny setgroups:");
	ns_write_map(pid, "gid_map", &l->gids);
}

/* What takes the caller's rights, for a child that may have none out here. */
static void
run_privileges(const struct run *r)
{
	const struct spec_process *p = r->init.process;

	if (!cred_try_oom(r->pid, p)) {
		if (r->plan || errno != EACCES)
			err_die("set oomScoreAdj to %lld%s:",
			    (long long)p->oom_score_adj.v,
			    errno == EACCES ?
				" (lowering it needs CAP_SYS_RESOURCE)" :
				"");
		err_note("oomScoreAdj is the caller's: an ordinary user's exec "
			 "may not set it");
	}
	if (r->init.userns)
		cred_rlimits(r->pid, p, true);
}

/* The stage is done: which process it has cloned, and whether that was born
 * in its cgroup. */
static bool
run_await_stage(struct run *r)
{
	struct sync_msg m = { .kind = MSG_EOF };
	struct pollfd p = { .fd = r->sock, .events = POLLIN };
	char *text, *word;
	int status, fd;
	uint64_t pid;

	if (r->init.stage_user) {
		run_map(r, r->pid);
		run_tell(r, MSG_MAPPED);
	}
	r->reaped = sys_waitpid(r->pid, &status) == r->pid;
	if (poll(&p, 1, 0) <= 0 ||
	    sync_recv(r->sock, -1, &m, &fd) != MSG_STAGED)
		err_die("the process that joins namespaces ended without a "
			"word");
	text = m.text;
	word = base_cut(&text, " ");
	if (!word || base_number(word, INT_MAX, &pid) < 0)
		err_die("broken message from the other side");
	r->pid = (pid_t)pid;
	r->reaped = false;
	return text && *text;
}

/* The first process: the child, or a stage that clones it. */
static bool
run_clone_first(struct run *r)
{
	struct init *in = &r->init;
	unsigned flags = in->clone_flags;
	int pair[2];
	bool born;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		err_die("socketpair:");
	in->sock = pair[1];
	if (in->stage_user)
		in->clone_flags &= ~tab_ns[NS_USER].flag;
	if (in->staged)
		flags &= in->stage_user ? tab_ns[NS_USER].flag : 0;
	r->pid = ns_clone(flags, in->staged ? -1 : in->cgroup, &born);
	if (r->pid == 0) {
		close(pair[0]);
		if (in->staged)
			init_stage(in);
		init_main(in);
	}
	close(pair[1]);
	r->sock = pair[0];
	return born;
}

/* init and what exec adds are in one group. */
static void
run_enter_rdt(const struct state *st, pid_t pid)
{
	CLOSEFD int fd = -1;

	if (!st->rdt_join || !*st->rdt_join)
		return;
	fd = rdt_open(st->resctrl ? st->resctrl : "");
	if (fd < 0)
		err_die("open resctrl:");
	rdt_enter(fd, st->rdt_join, pid);
}

/* The devices that go into the container: now it is in its network namespace,
 * and waits. */
static void
run_network(struct run *r)
{
	CLOSEFD int ns = -1;

	if (!r->plan || !r->spec->linux_->netdevs.n)
		return;
	if (sys_euid() != 0)
		err_die("netDevices: an ordinary user cannot move network "
			"devices");
	ns = sys_open(
	    sys_proc(), base_fmt("%d/ns/net", (int)r->pid), O_RDONLY, 0);
	if (ns < 0)
		err_die("open the container's network namespace:");
	net_move_all(&r->spec->linux_->netdevs, ns);
}

/* Clone the child, map its ids and put it into its cgroups. It is not
 * dumpable: nobody in a namespace that it joins may look into it
 * (CVE-2016-9962). Only an ordinary user must be able to write its maps; it is
 * alone in its namespaces then. */
static void
run_clone(struct run *r, int cgroup)
{
	struct init *in = &r->init;
	const struct spec_affinity *a = r->plan ? NULL : in->process->affinity;
	bool born, fresh = in->clone_flags & tab_ns[NS_USER].flag;
	size_t i;

	r->have = cred_have();
	in->dumpable = fresh && sys_euid() != 0;
	if (prctl(PR_SET_DUMPABLE, in->dumpable, 0, 0, 0) < 0)
		err_die("make undumpable:");
	in->placed |= in->staged || fresh;
	in->drop[0] = r->state.dir;
	in->drop[1] = r->state.root;
	in->drop[2] = r->signals;
	in->cgroup = cgroup;
	born = run_clone_first(r);
	err_undo(run_kill_child, r);
	if (in->staged)
		born = run_await_stage(r);
	for (i = 0; i < NS_COUNT; i++)
		sys_close(&in->join_fds[i]);
	r->pidfd = sys_pidfd_open(r->pid);
	if (fresh && !in->stage_user)
		run_map(r, r->pid);
	if (in->userns)
		r->have = cred_given(true);
	run_privileges(r);
	if (a && a->initial && *a->initial)
		cred_affinity(r->pid, a->initial, "execCPUAffinity.initial");
	if (r->plan)
		cg_place(r->plan, r->pid, born);
	else
		cg_enter_all(r->enter, r->pid,
		    r->opts->cgroup ? 0 : (pid_t)r->state.pid.v);
	run_enter_rdt(&r->state, r->pid);
	run_network(r);
	if (in->placed)
		run_tell(r, MSG_PLACED);
}

/* The runtime's hooks: state on stdin, our environment unless they name
 * their own, the bundle as working directory. */
static void
run_hooks(struct run *r, enum tab_hook_index which, enum state_status now,
    int64_t pid)
{
	struct json_out o = { 0 };
	struct hook_run h = { .env = environ,
		.cwd = r->bundle,
		.signals = r->signals,
		.root = -1 };

	if (!r->spec || !hook_any(r->spec, which))
		return;
	state_put(&o, &r->state, now, pid, false, NULL);
	h.state = &o.t;
	hook_run_all(r->spec, which, &h);
}

static void
run_poststop(void *arg)
{
	struct run *r = arg;

	if (!r->exists)
		return;
	r->signals = -1;
	run_hooks(r, HOOK_POSTSTOP, ST_STOPPED, 0);
}

/* A socket that the user names. A relative one lies in the bundle for create
 * and run, as runc has it, for it goes there first. */
static const char *
run_socket(const struct run *r, const char *path)
{
	return r->plan ? base_abs(r->bundle, path) : path;
}

/* A handle on the child for whoever listens at --pidfd-socket: one message,
 * one descriptor; the text says whose: "standard" for a container's init,
 * "setns" for exec. */
static void
run_send_pidfd(const struct run *r)
{
	const char *path = r->opts->pidfd_socket;
	const char *text = r->plan ? "standard" : "setns";
	CLOSEFD int sock = -1;

	if (!path)
		return;
	if (r->pidfd < 0)
		err_die("--pidfd-socket: no pidfds here (need Linux 5.3)");
	path = run_socket(r, path);
	sock = sys_connect(path);
	if (sock < 0)
		err_die("connect to pidfd socket %s:", path);
	if (sys_send(sock, text, strlen(text), r->pidfd) < 0)
		err_die("send pidfd to socket %s:", path);
}

/* Answer the child until it is ready to run the program. */
static void
run_until_ready(struct run *r)
{
	struct sync_msg m = { .kind = MSG_EOF };
	enum sync_kind kind;
	int fd;

	for (;;) {
		kind = sync_recv(r->sock, r->signals, &m, &fd);
		if (kind == MSG_READY) {
			cred_priority(r->pid, r->init.process);
			return;
		}
		if (kind == MSG_EOF)
			run_child_lost(r);
		if (kind == MSG_TTY && fd >= 0) {
			r->tty.master = fd;
			if (r->opts->console_socket)
				tty_send_console(
				    run_socket(r, r->opts->console_socket), fd,
				    m.text);
		} else if (kind == MSG_HOOKS) {
			run_hooks(r, HOOK_PRESTART, ST_CREATING, r->pid);
			run_hooks(r, HOOK_CREATE_RUNTIME, ST_CREATING, r->pid);
			run_tell(r, MSG_HOOKED);
		} else {
			err_die("unexpected message '%s' from the child",
			    sync_name[kind]);
		}
	}
}

/* Let the child go. It closes its end when it waits in its FIFO (create), or
 * by the execve that has worked; an execve that fails is died of. */
static void
run_go(struct run *r)
{
	struct sync_msg m = { .kind = MSG_EOF };
	int fd;

	if (r->tty.master >= 0 && !r->opts->console_socket)
		tty_relay_open(&r->relay, r->tty.master);
	run_tell(r, MSG_GO);
	if (sync_recv(r->sock, -1, &m, &fd) != MSG_EOF)
		err_die("unexpected message from the child");
	/* Or by its death on the way there. */
	if (r->init.start < 0 && sys_never_execed(r->pid, 0))
		run_child_lost(r);
	sys_close(&r->sock);
}

static void
run_unlink_pid_file(void *arg)
{
	unlink(arg);
}

/* Decimal digits and no newline, there at once (shims read it as we exit). */
static void
run_write_pid_file(const struct run *r)
{
	const char *path = r->opts->pid_file;
	char *pid = base_fmt("%d", (int)r->pid);

	if (!path)
		return;
	if (sys_replace_file(AT_FDCWD, path, 0644, pid, strlen(pid)) < 0)
		err_die("write pid file %s:", path);
	err_undo(run_unlink_pid_file, base_dup(path));
}

/* ---- sd_notify ---- */

/* A socket of the service manager's: a path, or with '@' an abstract name. */
static int
run_notify_address(struct sockaddr_un *sa, socklen_t *len)
{
	const char *to = getenv("NOTIFY_SOCKET");
	size_t n = to ? strlen(to) : 0;

	if (!n || n > sizeof sa->sun_path || (*to != '/' && *to != '@'))
		return -1;
	memset(sa, 0, sizeof *sa);
	sa->sun_family = AF_UNIX;
	memcpy(sa->sun_path, to, n);
	if (*to == '@')
		sa->sun_path[0] = 0;
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
}

/* Make the directory that is mounted into the container. The container may
 * write to what lies in it, but make nothing. */
static void
run_notify_prepare(struct run *r)
{
	struct plan *p = r->plan;
	struct plan_step *st = &p->steps[p->notify];
	mode_t old;

	if (!p->notify)
		return;
	if (r->state.dir < 0) {
		err_note("no writable state directory: NOTIFY_SOCKET is not "
			 "passed on");
		p->nsteps--;
		memmove(st, st + 1,
		    (size_t)(p->steps + p->nsteps - st) * sizeof *st);
		p->notify = 0;
		return;
	}
	old = umask(0);
	if (mkdirat(r->state.dir, STATE_NOTIFY, 0755) < 0)
		err_die("make directory %s:", STATE_NOTIFY);
	umask(old);
	st->source = run_abs(base_fmt("%s/%s", r->state.where, STATE_NOTIFY));
	r->init.env = run_environment(base_join(r->init.env,
	    (char *[]){ base_dup("NOTIFY_SOCKET=" PLAN_NOTIFY "/" STATE_SOCKET),
		NULL }));
}

/* Listen in the container's directory. Where bind(2) takes its path from is
 * the current directory: that one is never too long. */
static int
run_notify_listen(const struct state *st)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX,
		.sun_path = STATE_SOCKET };
	CLOSEFD int here = sys_open(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	CLOSEFD int dir = sys_open(
	    st->dir, STATE_NOTIFY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	mode_t old = umask(0);
	int sock;

	if (dir < 0)
		return 0;
	unlinkat(dir, STATE_SOCKET, 0);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (here < 0 || sock < 0 || fchdir(dir) < 0 ||
	    bind(sock, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    fchdir(here) < 0)
		err_die("listen on %s/%s:", STATE_NOTIFY, STATE_SOCKET);
	umask(old);
	return sock;
}

/* Wait until the manager has worked off what we sent: it closes its copy of a
 * pipe then (sd_notify_barrier(3)). Were we gone before, it could not tell
 * whose message it is. */
static void
run_notify_barrier(int sock)
{
	struct pollfd p = { .events = 0 };
	int pipefd[2];

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return;
	sys_send(sock, "BARRIER=1", 9, pipefd[1]);
	close(pipefd[1]);
	p.fd = pipefd[0];
	poll(&p, 1, 5000);
	close(pipefd[0]);
}

/* Take what the program says; true when that was READY=1: it goes to the
 * service manager with the pid that the host knows. All else the program has
 * no say in: no other MAINPID, no descriptors, no watchdog. */
static bool
run_notify_take(int from, int64_t pid, bool barrier)
{
	char buf[4096], *line, *rest = buf;
	struct sockaddr_un sa;
	socklen_t len = 0;
	CLOSEFD int to = -1;
	char *msg = NULL;
	ssize_t n = recv(from, buf, sizeof buf - 1, 0);

	if (n <= 0)
		return false;
	buf[n] = 0;
	while (!msg && (line = base_cut(&rest, "\n")))
		if (!strcmp(line, "READY=1"))
			msg =
			    base_fmt("%s\nMAINPID=%lld", line, (long long)pid);
	if (!msg)
		return false;
	to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (to < 0 || run_notify_address(&sa, &len) < 0 ||
	    connect(to, (struct sockaddr *)&sa, len) < 0 ||
	    sys_send(to, msg, strlen(msg), -1) < 0)
		err_warn("tell NOTIFY_SOCKET of READY=1:");
	else if (barrier)
		run_notify_barrier(to);
	return true;
}

/* Nobody waits for the program but us: until it is ready or gone. */
static void
run_notify_wait(int from, const struct state *st, int pidfd, int signals)
{
	struct pollfd p[3] = { { .fd = from, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN } };

	while (from > 0) {
		/* Without pidfds (Linux < 5.3) look every 50 ms. */
		poll(p, LEN(p), pidfd < 0 ? 50 : -1);
		if (p[0].revents && run_notify_take(from, st->pid.v, true))
			return;
		if (p[2].revents)
			err_die("interrupted by a signal before READY=1");
		if (!p[0].revents && (p[1].revents || pidfd < 0) &&
		    !state_lives(&st->pid, &st->start_time))
			return;
	}
}

/* ---- create and run ---- */

/* An ordinary user, or a user namespace's root: what --rootless says, else
 * what we are. */
static bool
run_is_rootless(const struct run_opts *o)
{
	const char *s = o->rootless;
	int in;

	if (s && *s && strcmp(s, "auto"))
		return *s == 't' || *s == '1';
	if (sys_euid() != 0)
		return true;
	in = sys_in_userns();
	if (in < 0)
		err_die("read uid_map:");
	return in;
}

static void
run_fill_cgroups(struct run *r)
{
	const struct plan *p = r->plan;
	size_t i;

	r->state.cgroups = base_array(p->ncgroups + 1, sizeof(char *));
	for (i = 0; i < p->ncgroups; i++)
		r->state.cgroups[i] = base_dup(p->cgroups[i].dir);
}

static void
run_fill_rdt(struct run *r)
{
	const struct spec_rdt *c = r->spec->linux_->rdt;
	int fd;

	if (!c)
		return;
	fd = rdt_open(r->plan->resctrl);
	if (fd < 0)
		err_die("open resctrl at %s:", r->plan->resctrl);
	rdt_plan(&r->rdt, fd, c, r->id);
	r->state.resctrl = r->plan->resctrl;
	r->state.rdt_join = r->rdt.join;
	r->state.rdt_made = r->rdt.made;
}

static void
run_fill_state(struct run *r)
{
	struct state *st = &r->state;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	st->version = SPEC_VERSION;
	st->id = r->id;
	st->phase = "creating";
	st->bundle = r->bundle;
	st->rootfs = r->plan->rootfs;
	st->created = base_time(&now, 9);
	st->owner_pid.v = getpid();
	st->owner_start.v = (int64_t)sys_start_time((pid_t)st->owner_pid.v);
	if (!st->owner_start.v)
		err_die("read own start time:");
	st->uid.v = sys_euid();
	st->private_pid = spec_new_ns(r->spec, NS_PID);
	st->hooks = hook_any(r->spec, HOOK_POSTSTART) ||
		    hook_any(r->spec, HOOK_POSTSTOP);
	st->keyring = !r->opts->no_new_keyring;
	st->any_device = r->plan->any_device;
	st->annotations = r->spec->annotations;
	run_fill_cgroups(r);
	run_fill_rdt(r);
}

/* A FIFO of the container's directory, open at both ends so that neither
 * side ever waits in open(2). Inherited by init; closed by execve. */
static int
run_fifo(const struct run *r, const char *name)
{
	int fd;

	if (mkfifoat(r->state.dir, name, 0600) < 0 ||
	    (fd = sys_open(r->state.dir, name, O_RDWR, 0)) < 0)
		err_die("make FIFO %s:", name);
	return fd;
}

/* The journal stands before the first side effect. */

static void
run_journal(struct run *r, bool start_later)
{
	struct state *st = &r->state;

	run_fill_state(r);
	/* Undone last: the container is gone when its last hooks run. */
	err_undo(run_poststop, r);
	state_create(st, r->opts->root, !start_later && !r->opts->detach);
	r->exists = true;
	r->init.start = r->init.report = -1;
	if (st->dir < 0)
		return;
	/* The copy first: the journal may say that there are hooks in it. */
	if (sys_replace_file(
		st->dir, STATE_CONFIG, 0600, r->config, r->config_len) < 0)
		err_die("keep a copy of config.json:");
	state_save(st);
	if (!start_later)
		return;
	r->init.start = run_fifo(r, STATE_START);
	r->init.report = run_fifo(r, STATE_REPORT);
}

static void
run_fill_init(struct run *r)
{
	struct init *in = &r->init;

	in->plan = r->plan;
	in->spec = r->spec;
	in->process = r->spec->process;
	in->state = &r->state;
	in->id = r->id;
	in->keyring = !r->opts->no_new_keyring;
	in->placed = r->plan->cgroupns || r->spec->linux_->netdevs.n ||
		     r->spec->linux_->rdt ||
		     hook_any(r->spec, HOOK_CREATE_CONTAINER);
	in->join_pidfd = in->root = -1;
	in->join = r->plan->join;
	in->staged = r->plan->stage;
	in->stage_user = r->plan->stage_user;
	in->userns = spec_ns(r->spec, NS_USER) != NULL;
	in->clone_flags = r->plan->clone_flags & ~tab_ns[NS_TIME].flag;
	ns_look("self", init_new_ns(r->plan), in->ours);
	in->filter = scmp_compile(r->spec);
	in->env = r->spec->process->env;
	in->preserve = run_preserve(r->opts, true, &in->env);
	in->env = run_environment(in->env);
}

/* A joined user namespace has its mappings; engines repeat them. */
static void
run_check_maps(const struct run *r)
{
	const struct spec_linux *l = r->spec->linux_;
	const struct spec_ns *ns = spec_ns(r->spec, NS_USER);

	if (!ns || !ns->path || (!l->uids.n && !l->gids.n))
		return;
	if (!ns_same_map(r->pid, "uid_map", &l->uids))
		spec_die(r->spec, l, "uidMappings",
		    "not those of the user namespace %s", ns->path);
	if (!ns_same_map(r->pid, "gid_map", &l->gids))
		spec_die(r->spec, l, "gidMappings",
		    "not those of the user namespace %s", ns->path);
	err_note("mappings are given for a user namespace that has them "
		 "already");
}

/* The container exists and its process waits: recorded as phase. */
static void
run_record(struct run *r, const char *phase)
{
	struct state *st = &r->state;
	size_t i;

	st->pid.v = r->pid;
	st->start_time.v = (int64_t)sys_start_time(r->pid);
	if (!st->start_time.v)
		err_die("read the start time of container init:");
	st->phase = phase;
	st->notes = base_array(err.nnotes + 1, sizeof *st->notes);
	for (i = 0; i < err.nnotes; i++)
		st->notes[i] = err.notes[i];
	run_send_pidfd(r);
	run_write_pid_file(r);
	if (st->dir >= 0)
		state_save(st);
}

static bool
run_cgroups_are(const struct run_opts *o, const char *manager)
{
	return o->cgroup_manager && !strcmp(o->cgroup_manager, manager);
}

/* Without a process a container can be created, and never started: it waits
 * with nothing to its name until it is deleted (config.md#process). */
static void
run_check_process(struct run *r, bool start_later)
{
	struct spec_process *p;

	if (r->spec->process)
		return;
	if (!start_later)
		json_die(&r->spec->json, 0, "'process' is missing");
	p = base_alloc(sizeof *p);
	p->cwd = "/";
	r->spec->process = p;
	r->state.no_process = true;
}

static void
run_commit(struct run *r, const char *phase)
{
	cred_verify(r->pid, r->spec->process, r->have, r->init.userns,
	    r->init.filter && !r->spec->process->no_new_privileges);
	run_check_maps(r);
	run_record(r, phase);
}

/* From the command line to a plan. Nothing is done to the machine yet. */
static void
run_begin(
    struct run *r, const struct run_opts *o, const char *id, bool start_later)
{
	static struct host host;

	memset(r, 0, sizeof *r);
	r->opts = o;
	r->id = id;
	r->tty.master = r->pidfd = -1;
	state_check_id(id);
	if (o->systemd_cgroup || run_cgroups_are(o, "systemd"))
		err_die("cgroups made by systemd are not supported by this "
			"version of ocirt (hint: leave out --systemd-cgroup)");
	r->signals = run_block_signals();
	run_read_bundle(r);
	if (ns_open_paths(r->spec, r->init.join_fds, r->init.want))
		spec_check(r->spec);
	run_check_process(r, start_later);
	run_check_console(
	    o, r->spec->process->terminal, start_later || o->detach);
	plan_probe(&host);
	if (run_cgroups_are(o, "disabled"))
		host.nhier = 0;
	r->plan = plan_make(r->spec, &host, id, r->bundle);
}

/* The container's id is taken, and it has its cgroups. */
static void
run_place(struct run *r, bool start_later)
{
	run_journal(r, start_later);
	r->plan->rootless = run_is_rootless(r->opts);
	run_notify_prepare(r);
	if (r->plan->notify && !start_later)
		r->notify = run_notify_listen(&r->state);
	cg_make(r->plan);
	run_fill_cgroups(r);
	r->state.any_device = r->plan->any_device;
	cg_write_devices(r->plan);
	cg_write_limits(r->plan);
	if (r->rdt.spec)
		rdt_make(&r->rdt);
}

/* From the command line to a child that is ready to execute the program. */
static void
run_prepare(
    struct run *r, const struct run_opts *o, const char *id, bool start_later)
{
	int cgroup;

	run_begin(r, o, id, start_later);
	run_fill_init(r);
	run_place(r, start_later);
	cgroup = cg_open_v2(r->plan);
	fs_map_ids(r->plan, r->init.join_fds[NS_USER]);
	run_clone(r, cgroup);
	fs_close_trees(r->plan);
	sys_close(&cgroup);
	run_until_ready(r);
}

/* create: the container waits for start; we leave. */
static int
run_create(const struct run_opts *o, const char *id)
{
	static struct run r;

	run_prepare(&r, o, id, true);
	run_commit(&r, "created");
	run_go(&r);
	err_keep();
	return 0;
}

/* Pass a signal on, or mind our own. */
static void
run_take_signal(struct run *r, bool *child)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGCHLD)
			*child = true;
		else if (si.ssi_signo == SIGWINCH && r->tty.master >= 0)
			tty_resize(&r->relay);
		else if (si.ssi_signo != SIGURG && si.ssi_signo != SIGWINCH)
			sys_signal(r->pidfd, r->pid, (int)si.ssi_signo);
	}
}

/* Wait for the program in the foreground: pass signals, relay the terminal,
 * reap what is re-parented to us. Its wait status. */
static int
run_wait(struct run *r)
{
	struct tty_relay *t = &r->relay;
	bool tty = r->tty.master >= 0, exited = false, child = true;
	struct pollfd p[5];
	int status = 0, s;
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	if (signalfd(r->signals, &all, SFD_CLOEXEC | SFD_NONBLOCK) < 0)
		err_die("signalfd:");
	while (!exited) {
		while (child && (pid = waitpid(-1, &s, WNOHANG)) > 0)
			if (pid == r->pid) {
				status = s;
				exited = true;
			}
		child = false;
		if (exited)
			break;
		p[0] = (struct pollfd){ .fd = r->signals, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = tty ? t->master : -1,
			.events = POLLIN };
		p[2] = (struct pollfd){ .fd = tty && t->n ? t->master : -1,
			.events = POLLOUT };
		p[3] = (struct pollfd){
			.fd = tty && !t->eof && t->n < sizeof t->input ? t->in :
									 -1,
			.events = POLLIN
		};
		p[4] = (struct pollfd){ .fd = r->notify > 0 ? r->notify : -1,
			.events = POLLIN };
		if (poll(p, LEN(p), -1) < 0 && errno != EINTR)
			err_die("poll:");
		if (p[0].revents)
			run_take_signal(r, &child);
		if (p[1].revents & (POLLIN | POLLHUP | POLLERR))
			tty = tty_relay_output(t);
		if (p[2].revents & POLLOUT)
			tty_relay_flush(t);
		if (p[3].revents)
			tty_relay_input(t);
		if (p[4].revents)
			run_notify_take(r->notify, r->pid, false);
	}
	/* What the program wrote last is still in the terminal. */
	p[0] = (struct pollfd){ .fd = r->tty.master, .events = POLLIN };
	while (tty && poll(p, 1, 0) > 0 && (p[0].revents & POLLIN))
		tty = tty_relay_output(t);
	tty_restore();
	return status;
}

static void
run_leave_rdt(const struct state *st)
{
	CLOSEFD int fd = -1;

	if (!st->rdt_made || !*st->rdt_made)
		return;
	fd = rdt_open(st->resctrl ? st->resctrl : "");
	if (fd < 0)
		err_warn("open resctrl to remove the container's group:");
	else
		rdt_remove(fd, st->rdt_made);
}

/* Undo what create made for a container whose init is dead. Dies, and leaves
 * the journal, when a process or a cgroup will not go. */
static void
run_destroy(struct state *st)
{
	char **dir;

	if (!st->private_pid && !cg_kill_all(st->cgroups))
		err_die("processes of the container do not die");
	for (dir = st->cgroups; dir && *dir; dir++) {
		if (!cg_remove(*dir) &&
		    !(cg_kill_all(st->cgroups) && cg_remove(*dir)))
			err_die("remove cgroup %s:", *dir);
	}
	run_leave_rdt(st);
	if (st->dir >= 0)
		state_unlink(st);
}

/* The program runs: the last hooks, and in the foreground wait and delete.
 * The exit status of ours. */
static int
run_attend(struct run *r)
{
	int status;

	run_hooks(r, HOOK_POSTSTART, ST_RUNNING, r->pid);
	if (r->opts->detach)
		run_notify_wait(r->notify, &r->state, r->pidfd, r->signals);
	err_keep();
	/* Others may delete it now. */
	if (r->state.dir >= 0)
		flock(r->state.dir, LOCK_UN);
	if (r->opts->detach)
		return 0;
	status = run_wait(r);
	if (r->opts->keep || (r->state.dir >= 0 && !state_is_linked(&r->state)))
		return sys_exit_code(status);
	if (r->state.dir >= 0)
		flock(r->state.dir, LOCK_EX);
	if (r->state.dir < 0 || state_is_linked(&r->state)) {
		run_destroy(&r->state);
		run_poststop(r);
	}
	return sys_exit_code(status);
}

/* run: create, start, and in the foreground wait and delete. */
static int
run_run(const struct run_opts *o, const char *id)
{
	static struct run r;

	if (!o->no_subreaper && !o->detach)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	run_prepare(&r, o, id, false);
	run_commit(&r, "running");
	run_go(&r);
	return run_attend(&r);
}

/* ---- on containers that are there ---- */

/* Hold the container's lock; false when it was deleted meanwhile. Waits at
 * most CG_DEADLINE. */
static bool
run_lock(struct state *st)
{
	int64_t end = sys_now() + CG_DEADLINE;

	while (flock(st->dir, LOCK_EX | LOCK_NB) < 0) {
		if (sys_now() > end)
			err_die("another command works on the container");
		sys_pause(5);
	}
	return state_is_linked(st);
}

/* The container an operation works on, locked. What it is now. */
static enum state_status
run_get_locked(struct state *st, const struct run_opts *o, const char *id)
{
	state_get(st, o->root, id);
	if (state_now(st) == ST_CREATING)
		err_die("container is being created");
	if (!run_lock(st))
		err_die("container does not exist");
	return state_now(st);
}

/* Its process is gone, if only as a zombie. false after ms. */
static bool
run_await_death(const struct state *st, int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t end = sys_now() + ms;

	while (state_lives(&st->pid, &st->start_time)) {
		if (sys_now() > end)
			return false;
		if (pidfd >= 0)
			poll(&p, 1, (int)(end - sys_now()) + 1);
		else
			sys_pause(5);
	}
	return true;
}

/* A handle on init that cannot become another process: opened, then the
 * start time is compared. -1 on old kernels; false when it is dead. */
static bool
run_open_init(const struct state *st, int *pidfd)
{
	*pidfd = st->pid.v > 1 ? sys_pidfd_open((pid_t)st->pid.v) : -1;
	return state_lives(&st->pid, &st->start_time);
}

static void
run_kill_init(const struct state *st)
{
	CLOSEFD int pidfd = -1;

	if (run_open_init(st, &pidfd))
		sys_signal(pidfd, (pid_t)st->pid.v, SIGKILL);
	if (run_await_death(st, pidfd, 20))
		return;
	cg_thaw(st->cgroups);
	if (!run_await_death(st, pidfd, CG_DEADLINE))
		err_die("container init does not die");
}

/* config.json as it was at create. */
static struct spec *
run_saved_spec(const struct state *st)
{
	struct json j;
	size_t len;
	char *text = sys_read_regular(
	    st->dir, STATE_CONFIG, O_NOFOLLOW, JSON_MAX_SIZE, &len);

	if (!text)
		err_die("read the copy of config.json:");
	json_parse(&j, "config.json", text, len);
	return spec_read(&j);
}

static void
run_load_saved_spec(void *arg)
{
	struct run *r = arg;

	r->spec = run_saved_spec(&r->state);
}

/* Remove a container that is locked and dead, then run its last hooks. */

static void
run_delete_dead(const struct run_opts *o, struct state *st)
{
	struct run r = { .opts = o, .signals = -1, .bundle = st->bundle };

	r.state = *st;
	if (st->hooks && !err_try(run_load_saved_spec, &r))
		err_warn("no poststop hooks: %s", err.trapped);
	run_destroy(st);
	run_hooks(&r, HOOK_POSTSTOP, ST_STOPPED, 0);
}

/* A poststart hook failed: the container ends (runtime-spec 1.3). */
static void
run_start_failed(void *arg)
{
	struct run *r = arg;

	run_kill_init(&r->state);
	run_delete_dead(r->opts, &r->state);
}

/* What init reported until execve closed the FIFO: 'X' when it came to
 * execve, 'E' or 'H' and a text when that, or a hook, failed. */
static void
run_read_report(const struct run_opts *o, struct state *st, int report)
{
	size_t len;
	char *text = sys_read_fd(report, 1 << 16, &len);
	char *fail = text ? text + strcspn(text, "EH") : NULL;

	if (text && !*fail && *text == 'X' &&
	    !sys_never_execed((pid_t)st->pid.v, (uint64_t)st->start_time.v))
		return;
	if (!text || !*fail)
		err_die("container init died before the program ran (hint: is "
			"a memory limit too low?)");
	/* A failed hook ends the container (config.md, startContainer). */
	if (*fail == 'H') {
		run_kill_init(st);
		run_delete_dead(o, st);
	}
	err_die("%s", fail + 1);
}

/* start: let init execute the program and hear how that went. */
static int
run_start(const struct run_opts *o, const char *id)
{
	struct run r = { .opts = o, .id = id, .signals = -1 };
	struct state *st = &r.state;
	CLOSEFD int start = -1;
	CLOSEFD int report = -1;
	CLOSEFD int pidfd = -1;
	int notify = 0;

	signal(SIGPIPE, SIG_IGN);
	run_get_locked(st, o, id);
	if (state_now(st) == ST_RUNNING)
		err_die("cannot start an already running container");
	if (state_now(st) == ST_PAUSED)
		err_die("cannot start a container in the paused state");
	if (st->no_process && state_now(st) == ST_CREATED)
		err_die("cannot start a container without a process in its "
			"config.json");
	report = sys_open(
	    st->dir, STATE_REPORT, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
	start = sys_open(
	    st->dir, STATE_START, O_WRONLY | O_NONBLOCK | O_NOFOLLOW, 0);
	if (state_now(st) == ST_STOPPED || start < 0 || report < 0)
		err_die("cannot start a container that has stopped");
	r.bundle = st->bundle;
	if (st->hooks)
		r.spec = run_saved_spec(st);
	fcntl(report, F_SETFL, 0);
	if (getenv("NOTIFY_SOCKET"))
		notify = run_notify_listen(st);
	if (write(start, "1", 1) != 1)
		err_die("wake container init:");
	run_read_report(o, st, report);
	err_undo(run_start_failed, &r);
	run_hooks(&r, HOOK_POSTSTART, ST_RUNNING, st->pid.v);
	err_keep();
	if (notify && run_open_init(st, &pidfd))
		run_notify_wait(notify, st, pidfd, -1);
	return 0;
}

/* ---- pause and resume ---- */

static int
run_pause(const struct run_opts *o, const char *id)
{
	static struct state st;
	enum state_status now = run_get_locked(&st, o, id);

	if (now != ST_RUNNING && now != ST_CREATED)
		err_die("container not running");
	cg_freeze(st.cgroups, run_block_signals());
	err_keep();
	return 0;
}

static int
run_resume(const struct run_opts *o, const char *id)
{
	struct state st;

	if (run_get_locked(&st, o, id) != ST_PAUSED)
		err_die("container not paused");
	cg_thaw(st.cgroups);
	if (state_is_frozen(&st))
		err_die("the container does not thaw");
	return 0;
}

/* ---- kill and delete ---- */

/* The processes of the container, by host pid: by cgroup, or where there is
 * none by pid namespace; else init is all that we know. */
static struct spec_ids
run_pids(const struct state *st)
{
	struct spec_ids ids = cg_pids(st->cgroups);

	if (ids.set || !state_lives(&st->pid, &st->start_time))
		return ids;
	if (st->private_pid)
		ns_collect((pid_t)st->pid.v, &ids);
	if (!ids.n)
		spec_add_id(&ids, (uint32_t)st->pid.v);
	return ids;
}

/* Signal every process of the container, also those that are forked while we
 * look, and none of them twice. Bounded: what forks for ever wins. */
static void
run_signal_all(const struct state *st, int sig)
{
	uint8_t *seen = base_alloc((size_t)CG_PID_MAX / 8);
	int rounds = 100;

	while (cg_signal(run_pids(st), sig, seen) && --rounds)
		;
}

static int
run_kill(const struct run_opts *o, const char *id, int sig)
{
	struct state st;
	CLOSEFD int pidfd = -1;
	enum state_status now;
	bool alive;

	state_get(&st, o->root, id);
	now = state_now(&st);
	if (now == ST_CREATING)
		err_die("container is being created");
	alive = now != ST_STOPPED && run_open_init(&st, &pidfd);
	if (!alive && !o->all)
		err_die("container not running");
	/* Without a pid namespace of its own init does not take the others
	 * with it. */
	if (sig == SIGKILL && (o->all || !st.private_pid)) {
		if (alive)
			sys_signal(pidfd, (pid_t)st.pid.v, sig);
		if (!cg_kill_all(st.cgroups))
			err_die("processes of the container do not die");
		return 0;
	}
	if (o->all) {
		run_signal_all(&st, sig);
		return 0;
	}
	if (sig == SIGKILL)
		cg_thaw(st.cgroups);
	if (sys_signal(pidfd, (pid_t)st.pid.v, sig) < 0)
		err_die(
		    errno == ESRCH ? "container not running" : "send signal:");
	return 0;
}

/* Stop a create that is under way: it undoes its work when it is told to. */

static void
run_stop_owner(struct state *st)
{
	CLOSEFD int pidfd = sys_pidfd_open((pid_t)st->owner_pid.v);
	int64_t end = sys_now() + CG_DEADLINE;

	if (state_owner_lives(st))
		sys_signal(pidfd, (pid_t)st->owner_pid.v, SIGTERM);
	/* It may be done in this moment, and live on to wait for its child. */
	while (state_is_linked(st) && state_try_load(st) &&
	       state_now(st) == ST_CREATING) {
		if (sys_now() > end)
			err_die("the command that creates the container does "
				"not stop");
		sys_pause(5);
	}
}

/* The journal is lost or damaged. Where the cgroups are follows from the copy
 * of config.json and this host, as it did at create; all in them is killed. */
static void
run_recover(struct state *st)
{
	static struct host host;
	struct run r = { .state = *st };
	struct plan p = { .id = st->id };
	size_t i;

	if (!err_try(run_load_saved_spec, &r)) {
		err_say("state and config of the container are damaged: "
			"processes and cgroups of it may be left");
		return;
	}
	plan_probe(&host);
	p.spec = r.spec;
	plan_cgroups(&p, &host);
	st->cgroups = base_array(p.ncgroups + 1, sizeof *st->cgroups);
	for (i = 0; i < p.ncgroups; i++)
		st->cgroups[i] = base_dup(p.cgroups[i].dir);
	st->bundle = "/";
	st->hooks = hook_any(r.spec, HOOK_POSTSTOP);
}

/* Without --force only what is stopped, or created and not started. */
static void
run_check_deletable(const struct run_opts *o, const struct state *st)
{
	enum state_status now = state_now(st);

	if (o->force)
		return;
	if (now == ST_CREATING)
		err_die("container is being created");
	if (now == ST_RUNNING || now == ST_PAUSED)
		err_die("cannot delete container %s that is not stopped: %s",
		    st->id, state_word[now]);
	if (!st->phase && state_has_journal(st))
		err_die("state of the container is damaged (hint: --force)");
}

static int
run_delete(const struct run_opts *o, const char *id)
{
	struct state st;

	signal(SIGPIPE, SIG_IGN);
	if (!state_find(&st, o->root, id)) {
		if (o->force)
			return 0;
		state_get(&st, o->root, id);
	}
	run_check_deletable(o, &st);
	if (state_now(&st) == ST_CREATING)
		run_stop_owner(&st);
	if (state_now(&st) != ST_STOPPED)
		run_kill_init(&st);
	/* Our directory may be gone by now, or its container have come on. */
	if (!run_lock(&st))
		return 0;
	state_try_load(&st);
	run_check_deletable(o, &st);
	if (state_now(&st) != ST_STOPPED)
		run_kill_init(&st);
	if (!st.phase)
		run_recover(&st);
	run_delete_dead(o, &st);
	return 0;
}

/* == 24 EXEC ========================================== exec_ ==== [wire]
 * Owns:   one more process in a container that is there.
 * Calls:  RUN for what create does as well, and the rooms above it.
 * Runs:   parent; the child's steps are init_exec_steps.
 * Trusts: the container's own config.json, as it was at create; nothing that
 *         the container can write (threat T06).
 */

/* "UID" or "UID:GID", digits only (CVE-2026-30892). */
static void
exec_parse_user(const char *s, struct spec_user *u)
{
	char *uid = base_dup(s), *gid = strchr(uid, ':');
	uint64_t v;

	if (gid)
		*gid++ = 0;
	if (base_number(uid, UINT32_MAX - 1, &v) < 0)
		err_die("--user: '%s' is not UID or UID:GID", s);
	u->uid.v = (int64_t)v;
	u->uid.set = true;
	if (gid && base_number(gid, UINT32_MAX - 1, &v) < 0)
		err_die("--user: '%s' is not UID or UID:GID", s);
	if (gid) {
		u->gid.v = (int64_t)v;
		u->gid.set = true;
	}
}

static void
exec_add_gids(char **gids, struct spec_user *u)
{
	struct spec_ids all = { .n = u->groups.n, .set = true };
	size_t n = base_count(gids);
	uint64_t v;

	if (!n)
		return;
	all.v = base_array(all.n + n, sizeof *all.v);
	if (all.n)
		memcpy(all.v, u->groups.v, all.n * sizeof *all.v);
	for (; *gids; gids++) {
		if (base_number(*gids, UINT32_MAX - 1, &v) < 0)
			err_die("--additional-gids: '%s' is no gid", *gids);
		all.v[all.n++] = (uint32_t)v;
	}
	u->groups = all;
}

/* --cap adds to what a program may use, and to the ambient set only what the
 * config made inheritable; never to the inheritable set (CVE-2022-29162). */
static void
exec_add_caps(char **caps, struct spec_process *p)
{
	struct spec_caps *c = base_alloc(sizeof *c);
	uint64_t bit;

	if (!caps || !*caps)
		return;
	if (p->caps)
		*c = *p->caps;
	for (; *caps; caps++) {
		if (tab_find(tab_cap, LEN(tab_cap), *caps, &bit) < 0) {
			err_note(base_fmt(
			    "unknown capability %s is not granted", *caps));
			continue;
		}
		bit = (uint64_t)1 << bit;
		c->bounding |= bit;
		c->effective |= bit;
		c->permitted |= bit;
		if (c->inheritable & bit)
			c->ambient |= bit;
	}
	p->caps = c;
}

/* The process of --process FILE. What is the container's own and absent there
 * is the container's. */
static struct spec_process *
exec_from_file(const char *path, const struct spec_process *base)
{
	struct spec_process *p;
	char *text;
	size_t len;

	text = run_read_json(path, &len);
	if (!text)
		err_die("process file %s:", path);
	p = spec_read_process(path, text, len)->process;
	if (!base)
		return p;
	if (!p->caps)
		p->caps = base->caps;
	if (!p->apparmor)
		p->apparmor = base->apparmor;
	if (!p->selinux)
		p->selinux = base->selinux;
	if (!p->scheduler)
		p->scheduler = base->scheduler;
	if (!p->ioprio)
		p->ioprio = base->ioprio;
	if (!p->affinity)
		p->affinity = base->affinity;
	return p;
}

/* config.json's process with the changes of the command line. */
static struct spec_process *
exec_from_line(
    const struct run_opts *o, const struct spec_process *base, char **args)
{
	struct spec_process *p = base_alloc(sizeof *p);
	size_t i;

	if (!args[0])
		err_die("exec args cannot be empty");
	if (!base)
		err_die("config.json has no process to start from "
			"(hint: --process)");
	*p = *base;
	p->args = args;
	p->terminal = o->tty;
	p->env = base_join(base->env, o->env);
	for (i = 0; p->env[i]; i++)
		if (p->env[i][0] == '=' || !strchr(p->env[i], '='))
			err_die("--env: '%s' is not NAME=VALUE", p->env[i]);
	if (o->cwd)
		p->cwd = o->cwd;
	if (p->cwd[0] != '/')
		err_die("Cwd must be an absolute path");
	p->user = base_alloc(sizeof *p->user);
	if (base->user)
		*p->user = *base->user;
	if (o->user)
		exec_parse_user(o->user, p->user);
	exec_add_gids(o->gids, p->user);
	exec_add_caps(o->caps, p);
	p->no_new_privileges |= o->no_new_privs;
	if (o->apparmor)
		p->apparmor = o->apparmor;
	if (o->label)
		p->selinux = o->label;
	return p;
}

/* The process to execute: that of --process, whose word is the only one then,
 * or config.json's with other options (oci-1.3.md E1, E2, E6). */
static struct spec_process *
exec_process(struct run *r, char **args)
{
	const struct run_opts *o = r->opts;
	const struct spec_process *base = r->spec->process;
	struct spec_process *p = o->process ? exec_from_file(o->process, base) :
					      exec_from_line(o, base, args);

	if (r->state.any_device && spec_may_mknod(p->caps) &&
	    !spec_ns(r->spec, NS_USER))
		err_die("CAP_MKNOD needs a device controller, which this "
			"host has not mounted");
	/* the container's, whatever the file says: E5 */
	memset(&p->oom_score_adj, 0, sizeof p->oom_score_adj);
	if (base)
		p->oom_score_adj = base->oom_score_adj;
	return p;
}

/* Join the pid namespace for the child, note the others for it. Where there is
 * a user namespace, it may be only in that that we have the right to: then a
 * stage joins them all. */
static void
exec_namespaces(struct run *r, int pidfd)
{
	struct init *in = &r->init;
	pid_t pid = (pid_t)r->state.pid.v;
	const struct spec_ns *ns;
	unsigned pid_flag = 0;
	size_t i;

	for (i = 0; i < NS_COUNT; i++) {
		in->join_fds[i] = -1;
		ns = spec_ns(r->spec, (enum tab_ns_index)i);
		if (ns && !(ns->path && ns_is_ours(pid, i)))
			in->join |= tab_ns[i].flag;
	}
	in->userns = in->staged = in->join & tab_ns[NS_USER].flag;
	in->join_pidfd = pidfd;
	if (!in->staged)
		pid_flag = in->join & tab_ns[NS_PID].flag;
	in->join &= ~pid_flag;
	if (pid_flag && pidfd >= 0 && setns(pidfd, (int)pid_flag) == 0)
		return;
	/* Linux < 5.8: by the files of /proc. */
	ns_open(pid, in->join | pid_flag, in->join_fds);
	if (!state_lives(&r->state.pid, &r->state.start_time))
		err_die("cannot exec in a stopped container");
	if (in->staged)
		return;
	in->join_pidfd = -1;
	ns_join(-1, pid_flag, in->join_fds);
	sys_close(&in->join_fds[NS_PID]);
}

/* Without a mount namespace of its own the container still has a root
 * directory of its own: that of init. A new one leads there by itself. */
static void
exec_root(struct run *r)
{
	r->init.root = -1;
	if (spec_new_ns(r->spec, NS_MNT))
		return;
	r->init.root = sys_open(sys_proc(),
	    base_fmt("%d/root", (int)r->state.pid.v), O_PATH | O_DIRECTORY, 0);
	if (r->init.root < 0)
		err_die("open the root directory of the container:");
	if (!state_lives(&r->state.pid, &r->state.start_time))
		err_die("cannot exec in a stopped container");
}

/* --cgroup: path below the container's cgroup dir. */
static char *
exec_cgroup_below(const char *dir, const char *path)
{
	if (strstr(base_fmt("/%s/", path), "/../"))
		err_die("--cgroup: '%s' leaves the container's cgroup", path);
	return base_abs("/", base_fmt("%s/%s", dir, path));
}

/* Which of the container's cgroups is in the hierarchy of a v1 controller. */
static size_t
exec_cgroup_of(char *const *dirs, const struct host *host, const char *name)
{
	const struct host_hier *h = host->hier;
	size_t i, n;

	for (; h < host->hier + host->nhier; h++) {
		n = strlen(h->mount);
		if (!*name || !plan_has_word(h->controllers, name))
			continue;
		for (i = 0; dirs[i]; i++)
			if (!strncmp(dirs[i], h->mount, n) && dirs[i][n] == '/')
				return i;
	}
	err_die(
	    "--cgroup: the container has no cgroup of a controller '%s'", name);
}

/* --cgroup CONTROLLER[,CONTROLLER]:PATH. seen: the names before these. */
static void
exec_cgroup_named(
    struct run *r, const struct host *host, const char *arg, struct text *seen)
{
	char **own = r->state.cgroups;
	char *names = base_dup(arg), *path = strchr(names, ':'), *name, *to;
	size_t i;

	if (!path || path == names || strchr(path + 1, ':'))
		err_die(
		    "--cgroup: '%s' is not CONTROLLER[,CONTROLLER]:PATH", arg);
	*path++ = 0;
	while ((name = base_cut(&names, ","))) {
		i = exec_cgroup_of(own, host, name);
		to = exec_cgroup_below(own[i], path);
		/* Two controllers may share a hierarchy. */
		if (plan_has_word(seen->p, name) ||
		    (strcmp(r->enter[i], own[i]) && strcmp(r->enter[i], to)))
			err_die(
			    "--cgroup: controller '%s' is given twice", name);
		base_putf(seen, ",%s", name);
		r->enter[i] = to;
	}
}

/* The cgroups of the new process: the container's, or what --cgroup says, one
 * PATH below each of them or one a controller (oci-1.3.md E7). */
static void
exec_cgroups(struct run *r)
{
	static char *none[] = { NULL };
	char **want = r->opts->cgroup;
	struct host host = { 0 };
	struct text seen = { 0 };
	size_t i;

	r->enter = base_join(r->state.cgroups ? r->state.cgroups : none, NULL);
	if (want && !want[1] && !strchr(*want, ':')) {
		for (i = 0; r->enter[i]; i++)
			r->enter[i] = exec_cgroup_below(r->enter[i], *want);
		return;
	}
	if (want)
		plan_probe(&host);
	base_puts(&seen, "");
	for (; want && *want; want++)
		exec_cgroup_named(r, &host, *want, &seen);
}

/* exec: one more process in the container. */
static int
exec_run(const struct run_opts *o, const char *id, char **args)
{
	static struct run r;
	struct init *in = &r.init;
	enum state_status now;
	int status, pidfd;

	r.opts = o;
	r.id = id;
	r.tty.master = r.pidfd = -1;
	state_get(&r.state, o->root, id);
	now = state_now(&r.state);
	if (now == ST_CREATING)
		err_die("container is being created");
	/* What enters a frozen cgroup waits there until resume. */
	if (now == ST_PAUSED && !o->ignore_paused)
		err_die("cannot exec in a paused container (use "
			"--ignore-paused to override)");
	if (!run_open_init(&r.state, &pidfd))
		err_die("cannot exec in a stopped container");
	r.bundle = r.state.bundle;
	r.spec = run_saved_spec(&r.state);
	in->process = exec_process(&r, args);
	run_check_console(o, in->process->terminal, o->detach);
	r.signals = run_block_signals();
	in->spec = r.spec;
	in->state = &r.state;
	in->id = id;
	in->start = in->report = -1;
	in->fs.root = -1;
	in->placed = true;
	in->keyring = r.state.keyring;
	in->filter = scmp_compile(r.spec);
	in->env = in->process->env;
	in->preserve = run_preserve(o, false, &in->env);
	in->env = run_environment(in->env);
	exec_cgroups(&r);
	exec_root(&r);
	exec_namespaces(&r, pidfd);
	run_clone(&r, -1);
	run_until_ready(&r);
	cred_verify(r.pid, in->process, r.have, in->userns,
	    in->filter && !in->process->no_new_privileges);
	run_send_pidfd(&r);
	run_write_pid_file(&r);
	run_go(&r);
	err_keep();
	err.status = 1;
	if (o->detach)
		return 0;
	status = run_wait(&r);
	return sys_exit_code(status);
}

/* == 25 CRIU ========================================== criu_ ==== [order][rows]
 * Owns:   what is asked of criu, and what it says when it fails.
 * Calls:  RUN for what create does as well, and the rooms above it.
 * Runs:   parent; criu_child() between clone and criu's execve.
 * Trusts: criu, a program of the host, and the images, which whoever may
 *         checkpoint and restore made. Of the container only its mount table.
 * Change: an option that goes to criu as it is, is one row in criu_options.
 *         The protocol is that of "criu swrk": protobuf messages of criu's
 *         images/rpc.proto, whose field numbers never change, one a packet.
 */
enum {
	CRIU_DUMP = 1,
	CRIU_RESTORE = 2,
	CRIU_PRE_DUMP = 4,
	CRIU_NOTIFY = 6,
	CRIU_FEATURE_CHECK = 9
};

/* Members of criu_opts that more than the table below fills. */
enum {
	CRIU_F_IMAGES = 1,
	CRIU_F_PID = 2,
	CRIU_F_LEAVE_RUNNING = 3,
	CRIU_F_EVASIVE_DEVICES = 6,
	CRIU_F_LOG_LEVEL = 9,
	CRIU_F_LOG_FILE = 10,
	CRIU_F_PAGE_SERVER = 11,
	CRIU_F_NOTIFY = 12,
	CRIU_F_ROOT = 13,
	CRIU_F_PARENT = 14,
	CRIU_F_TRACK_MEM = 15,
	CRIU_F_WORK = 17,
	CRIU_F_MOUNT = 23,
	CRIU_F_MANAGE_CGROUPS = 24,
	CRIU_F_CGROUP_ROOT = 25,
	CRIU_F_SIBLING = 26,
	CRIU_F_INHERIT = 27,
	CRIU_F_CGROUPS_MODE = 34,
	CRIU_F_EXTERNAL = 37,
	CRIU_F_EMPTY_NS = 38,
	CRIU_F_FREEZE = 44,
	CRIU_F_STATUS_FD = 49,
	CRIU_F_ORPHAN_PTS = 50,
	CRIU_F_CONFIG = 51,
};

struct criu_option {
	size_t at;
	bool text; /* else a flag */
	unsigned field;
	const char *name; /* as on the command line and in criu's own */
};

/* clang-format off */
#define C(type, member, field, name) { offsetof(struct run_opts, member), type, field, name }
static const struct criu_option criu_options[] = {
	C(false, leave_running,      CRIU_F_LEAVE_RUNNING, "leave-running"),
	C(false, ext_unix_sk,        4,  "ext-unix-sk"),
	C(false, tcp_established,    5,  "tcp-established"),
	C(false, shell_job,          7,  "shell-job"),
	C(false, file_locks,         8,  "file-locks"),
	C(true,  parent_path,        CRIU_F_PARENT, "prev-images-dir"),
	C(false, auto_dedup,         16, "auto-dedup"),
	C(false, link_remap,         18, "link-remap"),
	C(false, tcp_skip_in_flight, 46, "skip-in-flight"),
	C(false, lazy_pages,         48, "lazy-pages"),
	C(true,  lsm_profile,        53, "lsm-profile"),
	C(true,  lsm_mount_context,  63, "lsm-mount-context"),
};
#undef C

/* enum criu_cg_mode */
static const struct word criu_cgroup_modes[] = {
	{ "ignore", 0 }, { "none", 1 }, { "props", 2 }, { "soft", 3 },
	{ "full",   4 }, { "strict", 5 },
};

/* Namespaces that may be another's, by path: criu's name and our key for
 * each, which must be the same in checkpoint and restore; runc's, so that
 * images can be exchanged. */
static const struct criu_ns {
	enum tab_ns_index index;
	const char *name, *key;
} criu_outer_ns[] = {
	{ NS_NET, "net", "extRootNetNS" },
	{ NS_PID, "pid", "extRootPidNS" },
};
/* clang-format on */

#define CRIU_FDS "descriptors.json" /* runc's name, beside the images */
#define CRIU_MASK_DIR "ocirt:masked-directory"
#define CRIU_MASK_FILE "ocirt:masked-file"

#define CRIU_FD_IMAGES 4
#define CRIU_FD_WORK 5
#define CRIU_FD_GIVE 6

/* One criu and what it was given. */
struct criu {
	struct run *run;
	const char *path, *log;
	const char *images_path, *work_path;
	int images, work; /* the directories; it gets its own as 4 and 5 */
	int give[8];      /* descriptors that it gets as 6, 7, ... */
	size_t ngive;
	struct text opts;
	int sock, pidfd;
	pid_t pid;
	bool mounts; /* restore: a mount namespace of its own */
	const char *scratch;
};

/* ---- the protocol ---- */

static void
criu_put_varint(struct text *t, uint64_t v)
{
	char c;

	for (; v > 127; v >>= 7) {
		c = (char)((v & 127) | 128);
		base_put(t, &c, 1);
	}
	c = (char)v;
	base_put(t, &c, 1);
}

static void
criu_put_number(struct text *t, unsigned field, uint64_t v)
{
	criu_put_varint(t, field << 3);
	criu_put_varint(t, v);
}

static void
criu_put_bytes(struct text *t, unsigned field, const char *s, size_t n)
{
	criu_put_varint(t, field << 3 | 2);
	criu_put_varint(t, n);
	base_put(t, s, n);
}

static void
criu_put_text(struct text *t, unsigned field, const char *s)
{
	criu_put_bytes(t, field, s, strlen(s));
}

/* A message of two texts: ext_mount_map, cgroup_root. */
static void
criu_put_pair(struct text *t, unsigned field, const char *a, const char *b)
{
	struct text pair = { 0 };

	criu_put_text(&pair, 1, a);
	criu_put_text(&pair, 2, b);
	criu_put_bytes(t, field, pair.p, pair.n);
}

/* The number by which criu will have our descriptor fd. */
static unsigned
criu_give(struct criu *c, int fd)
{
	if (c->ngive == LEN(c->give))
		err_die("too many descriptors for criu");
	c->give[c->ngive++] = fd;
	return (unsigned)c->ngive - 1 + CRIU_FD_GIVE;
}

/* inherit_fd: what was key is our descriptor fd. */
static void
criu_put_inherit(struct criu *c, const char *key, int fd)
{
	struct text pair = { 0 };

	criu_put_text(&pair, 1, key);
	criu_put_number(&pair, 2, criu_give(c, fd));
	criu_put_bytes(&c->opts, CRIU_F_INHERIT, pair.p, pair.n);
}

static bool
criu_get_varint(const char **p, const char *end, uint64_t *v)
{
	unsigned shift;

	*v = 0;
	for (shift = 0; *p < end && shift < 64; shift += 7) {
		*v |= (uint64_t)(**p & 127) << shift;
		if (!(*(*p)++ & 128))
			return true;
	}
	return false;
}

/* What we look at in a criu_resp. */
struct criu_answer {
	uint64_t type, ok, pid, features;
	char *script, *message;
	int fd;
};

/* The fields of one message; inside: the field of criu_resp it is, or 0.
 * false when it is cut off or of a kind that rpc.proto has not. */
static bool
criu_decode(
    struct criu_answer *a, const char *p, const char *end, unsigned inside)
{
	uint64_t tag, v;
	const char *s;

	while (p < end) {
		if (!criu_get_varint(&p, end, &tag) || (tag & 7 & ~2u) ||
		    !criu_get_varint(&p, end, &v))
			return false;
		s = p;
		if (tag & 2) {
			if (v > (uint64_t)(end - p))
				return false;
			p += v;
		}
		switch (inside << 8 | (unsigned)tag) {
		case 1 << 3:
			a->type = v;
			break;
		case 2 << 3:
			a->ok = v;
			break;
		case 4 << 3 | 2: /* restore */
		case 5 << 3 | 2: /* notify */
			if (!criu_decode(a, s, p, (unsigned)tag >> 3))
				return false;
			break;
		case 9 << 3 | 2:
			a->message = base_dupn(s, (size_t)v);
			break;
		case 5 << 8 | 1 << 3 | 2:
			a->script = base_dupn(s, (size_t)v);
			break;
		case 4 << 8 | 1 << 3:
		case 5 << 8 | 2 << 3:
			a->pid = v;
		}
	}
	return true;
}

/* ---- starting criu ---- */

static int criu_report = -1; /* in the child: where a failure is told */

/* As criu would say it. */
static void
criu_send_failure(bool fatal, const char *why)
{
	struct text t = { 0 };

	if (!fatal)
		return;
	criu_put_number(&t, 1, 0);
	criu_put_number(&t, 2, 0);
	criu_put_text(&t, 9, why);
	sys_send(criu_report, t.p, t.n, -1);
}

/* The program; NULL where there is none. The usual places come before PATH:
 * engines call us with theirs. */
static const char *
criu_try_find(void)
{
	static const char usual[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
				    "/usr/bin:/sbin:/bin:";
	const char *path = getenv("PATH");
	char *list = base_fmt("%s%s", usual, path ? path : ""), *dir, *file;

	while ((dir = base_cut(&list, ":"))) {
		file = base_fmt("%s/criu", dir);
		if (*dir == '/' && access(file, X_OK) == 0)
			return file;
	}
	return NULL;
}

/* A root for criu: it wants the root file system to be a mount point. The
 * mounts are in a namespace of criu's own and end with it. The masks lie
 * beside it, as fs_make_scratch() has them. */
static void
criu_child_mounts(const struct criu *c)
{
	const char *dir = c->scratch;
	char *root = base_fmt("%s/root", dir);
	int f;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		err_die("make / a slave:");
	if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"mode=755,size=16k,nr_inodes=8") < 0)
		err_die("mount tmpfs to mask with:");
	if (mkdir(root, 0755) < 0 || mkdir(base_fmt("%s/d", dir), 0555) < 0 ||
	    (f = sys_open(AT_FDCWD, base_fmt("%s/f", dir),
		 O_CREAT | O_EXCL | O_RDONLY, 0444)) < 0)
		err_die("make mask:");
	close(f);
	if (mount(NULL, dir, NULL,
		MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"size=16k,nr_inodes=8") < 0)
		err_die("make mask read-only:");
	if (mount(c->run->plan->rootfs, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		err_die("bind root file system:");
}

/* A directory by a descriptor above those that criu gets. */
static int
criu_open_high(const char *path)
{
	CLOSEFD int fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		err_die("directory %s:", path);
	return fcntl(fd, F_DUPFD_CLOEXEC, 64);
}

/* From the clone to criu's execve. criu takes numbers of descriptors for those
 * of whoever made the socket that it is asked over, and mounts below its work
 * directory: so socket and directories are made here, in its own mount
 * namespace, and our end goes to the parent over boot. Its output would be
 * noise beside its log; its stdin is what --shell-job makes the terminal of. */
NORETURN static void
criu_child(const struct criu *c, int boot)
{
	char *const argv[] = { (char[]){ "criu" }, (char[]){ "swrk" },
		(char[]){ "3" }, NULL };
	int fd[LEN(c->give) + 3] = { -1, -1, -1 }, pair[2], null;
	size_t i, n = 3 + c->ngive;

	err_keep();
	err.trap = NULL;
	criu_report = boot;
	err.send = criu_send_failure;
	hook_reset_signals();
	if (c->mounts && c->run->state.keyring)
		cred_keyring(c->run->id);
	/* criu 3.17 does not bring it back, but what it makes inherits it. */
	if (c->mounts && c->run->spec->process->no_new_privileges &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err_die("set no new privileges:");
	if (c->mounts)
		criu_child_mounts(c);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    sys_send(boot, "\10\0", 2, pair[0]) < 0)
		err_die("socket for criu:");
	close(pair[0]);
	fd[0] = fcntl(pair[1], F_DUPFD_CLOEXEC, 64);
	criu_report = fd[0];
	if (c->images_path) {
		fd[1] = criu_open_high(c->images_path);
		fd[2] = criu_open_high(c->work_path);
	}
	for (i = 3; i < n; i++)
		fd[i] = fcntl(c->give[i - 3], F_DUPFD_CLOEXEC, 64);
	/* Not before here: stdout may be among what it gets. */
	null = sys_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
	if (null >= 0 && (dup2(null, 1) < 0 || dup2(null, 2) < 0))
		err_die("dup2:");
	for (i = 0; i < n; i++)
		if ((fd[i] < 0 && (c->images_path || !i)) ||
		    (fd[i] >= 0 && dup2(fd[i], 3 + (int)i) < 0))
			err_die("hand descriptors to criu:");
	criu_report = 3;
	sys_close_from(3 + (unsigned)n, false);
	execve(c->path, argv, environ);
	err_die("run %s:", c->path);
}

/* criu, and whatever it has made of the container so far, ends. */
static void
criu_kill(void *arg)
{
	struct criu *c = arg;
	int status;

	if (c->pid > 0) {
		sys_signal(c->pidfd, c->pid, SIGKILL);
		sys_waitpid(c->pid, &status);
		c->pid = 0;
	}
	if (c->mounts && c->run->pid > 0)
		run_kill_child(c->run);
	else if (c->mounts)
		cg_kill_all(c->run->state.cgroups);
}

/* Wait for its end. */
static int
criu_finish(struct criu *c)
{
	int status = 0;

	sys_close(&c->sock);
	sys_waitpid(c->pid, &status);
	sys_close(&c->pidfd);
	c->pid = 0;
	return status;
}

/* ---- asking ---- */

static void
criu_send(const struct criu *c, const struct text *t)
{
	/* Where it ended before it could read, what it says is told. */
	if (sys_send(c->sock, t->p, t->n, -1) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		err_die("speak to criu:");
}

/* The line of criu's log that says what went wrong: the last error that is
 * not about others having failed. NULL when there is none. */
static char *
criu_log_line(const struct criu *c)
{
	static const char *const noise[] = { "FAILED", "exited, status",
		"killed by signal", "action scripts failed",
		"client reported script error", "Unable to open fd=" };
	char *text = sys_read_regular(
	    c->work, c->log, O_NOFOLLOW, (size_t)16 << 20, NULL);
	char *line, *at, *last = NULL;
	size_t i;

	while (text && (line = base_cut(&text, "\n"))) {
		at = strstr(line, "Error (");
		for (i = 0; at && i < LEN(noise); i++)
			if (strstr(at, noise[i]))
				at = NULL;
		last = at ? at : last;
	}
	return last;
}

/* Die of what criu said, in its own words. */
NORETURN static void
criu_die(struct criu *c, const struct criu_answer *a)
{
	char *line = c->work >= 0 ? criu_log_line(c) : NULL;
	const char *hint = "";
	int status;

	if (!line && a && a->message && *a->message) {
		line = a->message;
		line[strcspn(line, "\n")] = 0;
	}
	if (!line) {
		status = criu_finish(c);
		line = WIFSIGNALED(status) ?
			   base_fmt("killed by signal %d", WTERMSIG(status)) :
			   base_fmt("exit status %d", WEXITSTATUS(status));
	}
	if (strstr(line, "unreachable sharing"))
		hint = "a mount of type cgroup on a v1 host? ";
	if (c->work < 0 || faccessat(c->work, c->log, F_OK, 0) < 0)
		err_die("criu failed: %s", line);
	err_die("criu failed: %s (hint: %sits log is %s/%s)", line, hint,
	    c->work_path, c->log);
}

/* The next answer. A signal that asks us to stop ends criu, too. */
static void
criu_recv(struct criu *c, struct criu_answer *a)
{
	struct pollfd p[2] = { { .fd = c->sock, .events = POLLIN },
		{ .fd = c->run->signals, .events = POLLIN } };
	static char buf[1 << 16];
	ssize_t n;

	memset(a, 0, sizeof *a);
	while (poll(p, LEN(p), -1) < 0)
		if (errno != EINTR)
			err_die("poll:");
	if (p[1].revents)
		err_die("interrupted by a signal");
	n = sys_recv(c->sock, buf, sizeof buf, &a->fd);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		criu_die(c, NULL);
	if (n < 0)
		err_die("receive from criu:");
	if (!criu_decode(a, buf, buf + n, 0))
		err_die("broken message from criu");
}

/* criu listens; restore: in the container's cgroups. */
static void
criu_start(struct criu *c, int cgroup)
{
	struct criu_answer a;
	int pair[2];
	bool born;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		err_die("socketpair:");
	c->pid = sys_clone(c->mounts ? CLONE_NEWNS : 0, cgroup, &born);
	if (c->pid == 0) {
		close(pair[0]);
		criu_child(c, pair[1]);
	}
	if (c->pid < 0)
		err_die("clone for criu:");
	close(pair[1]);
	c->sock = pair[0];
	c->pidfd = sys_pidfd_open(c->pid);
	err_undo(criu_kill, c);
	if (c->mounts)
		cg_place(c->run->plan, c->pid, born);
	criu_recv(c, &a);
	if (a.fd < 0)
		err_die("%s", a.message ? a.message : "criu has no socket");
	close(c->sock);
	c->sock = a.fd;
}

/* Ask and answer until it has done it. heard: what to do at its moments, by
 * criu's name of each. */
static void
criu_do(struct criu *c, unsigned type,
    void (*heard)(struct criu *, const struct criu_answer *))
{
	struct criu_answer a;
	struct text ask = { 0 }, done = { 0 };

	criu_put_number(&ask, 1, type);
	criu_put_bytes(&ask, 2, c->opts.p, c->opts.n);
	criu_put_number(&done, 1, CRIU_NOTIFY);
	criu_put_number(&done, 3, true);
	criu_send(c, &ask);
	for (;;) {
		criu_recv(c, &a);
		if (a.type != CRIU_NOTIFY)
			break;
		if (heard && a.script)
			heard(c, &a);
		criu_send(c, &done);
	}
	if (!a.ok)
		criu_die(c, &a);
	criu_finish(c);
}

/* Would criu work on this machine? It looks at the kernel for the answer. */
static void
criu_probe(void *arg)
{
	struct criu *c = arg;
	struct criu_answer a;
	struct text ask = { 0 };

	c->path = criu_try_find();
	if (!c->path)
		err_die("criu was not found (hint: is it installed?)");
	criu_start(c, -1);
	criu_put_number(&ask, 1, CRIU_FEATURE_CHECK);
	criu_put_bytes(&ask, 5, "", 0);
	criu_send(c, &ask);
	criu_recv(c, &a);
	if (!a.ok)
		err_die("%s does not work on this kernel (hint: criu check)",
		    c->path);
}

/* NULL, or why neither checkpoint nor restore can work. */
static const char *
criu_missing(void)
{
	static struct run r;
	struct criu c = { .run = &r, .images = -1, .work = -1 };
	bool works;

	r.signals = -1;
	works = err_try(criu_probe, &c);
	err_keep();
	if (c.pid > 0)
		criu_kill(&c);
	return works ? NULL : err.trapped;
}

/* ---- options ---- */

static void
criu_put_page_server(struct criu *c, const char *server)
{
	const char *colon = strrchr(server, ':');
	struct text t = { 0 };
	uint64_t port;

	if (!colon || colon == server ||
	    base_number(colon + 1, 65535, &port) < 0)
		err_die("--page-server: '%s' is not ADDRESS:PORT", server);
	criu_put_bytes(&t, 1, server, (size_t)(colon - server));
	criu_put_number(&t, 2, port);
	criu_put_bytes(&c->opts, CRIU_F_PAGE_SERVER, t.p, t.n);
}

static void
criu_put_status_fd(struct criu *c, const char *s)
{
	uint64_t fd;

	if (base_number(s, INT_MAX, &fd) < 0)
		err_die("--status-fd: '%s' is no number", s);
	/* As in run_preserve(): what came to us is not close-on-exec. */
	if (fcntl((int)fd, F_GETFD) & FD_CLOEXEC) {
		errno = EBADF;
		err_die("--status-fd %s:", s);
	}
	criu_put_number(&c->opts, CRIU_F_STATUS_FD, criu_give(c, (int)fd));
}

/* criu's own settings of the host, which win over ours; the annotation names
 * other ones, or none (runc's rule). */
static void
criu_put_config(struct criu *c, const struct spec *s)
{
	const struct spec_pair *a = s->annotations.p;
	const char *file = "/etc/criu/runc.conf";
	size_t i;

	for (i = 0; i < s->annotations.n; i++)
		if (!strcmp(a[i].key, "org.criu.config"))
			file = a[i].value;
	if (*file)
		criu_put_text(&c->opts, CRIU_F_CONFIG, file);
}

static void
criu_put_options(struct criu *c, const char *log)
{
	const struct run_opts *o = c->run->opts;
	const struct criu_option *p;
	char **ns;
	uint64_t mode;

	c->log = log;
	criu_put_text(&c->opts, CRIU_F_LOG_FILE, log);
	criu_put_number(&c->opts, CRIU_F_LOG_LEVEL, 4);
	criu_put_number(&c->opts, CRIU_F_NOTIFY, true);
	criu_put_number(&c->opts, CRIU_F_ORPHAN_PTS, true);
	criu_put_number(&c->opts, CRIU_F_MANAGE_CGROUPS, true);
	for (p = criu_options; p < criu_options + LEN(criu_options); p++) {
		const char *at = (const char *)o + p->at;

		if (p->text && *(const char *const *)(const void *)at)
			criu_put_text(&c->opts, p->field,
			    *(const char *const *)(const void *)at);
		else if (!p->text && *(const bool *)at)
			criu_put_number(&c->opts, p->field, true);
	}
	if (o->page_server)
		criu_put_page_server(c, o->page_server);
	if (o->status_fd)
		criu_put_status_fd(c, o->status_fd);
	if (o->cgroups_mode) {
		if (tab_find(criu_cgroup_modes, LEN(criu_cgroup_modes),
			o->cgroups_mode, &mode) < 0)
			err_die("--manage-cgroups-mode: '%s' is not soft, "
				"full, strict or ignore",
			    o->cgroups_mode);
		criu_put_number(&c->opts, CRIU_F_CGROUPS_MODE, mode);
	}
	for (ns = o->empty_ns; ns && *ns; ns++) {
		if (strcmp(*ns, "network") && strcmp(*ns, "net"))
			err_die(
			    "--empty-ns: namespace '%s' is not supported", *ns);
		criu_put_number(&c->opts, CRIU_F_EMPTY_NS, CLONE_NEWNET);
	}
	criu_put_config(c, c->run->spec);
}

static int
criu_open_dir(const char *path, bool make)
{
	int fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT && make && state_mkdirs(path) == 0)
		fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		err_die("directory %s:", path);
	return fd;
}

/* The directory of images and that of criu's log. */
static void
criu_open_dirs(struct criu *c, bool make)
{
	const struct run_opts *o = c->run->opts;
	const char *images =
	    o->image_path && *o->image_path ? o->image_path : "checkpoint";

	c->images_path = run_abs(images);
	c->work_path = o->work_path && *o->work_path ? run_abs(o->work_path) :
						       c->images_path;
	c->images = criu_open_dir(c->images_path, make);
	c->work = criu_open_dir(c->work_path, true);
	criu_put_number(&c->opts, CRIU_F_IMAGES, CRIU_FD_IMAGES);
	criu_put_number(&c->opts, CRIU_F_WORK, CRIU_FD_WORK);
}

/* --parent-path counts from the directory of images, and is there. */
static void
criu_check_parent(const struct criu *c, const char *parent)
{
	CLOSEFD int fd = -1;

	if (!parent)
		return;
	if (*parent == '/')
		err_die("--parent-path must be relative");
	fd = sys_open(c->images, parent, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		err_die("invalid --parent-path %s:", parent);
}

/* ---- what criu cannot do ---- */

/* pid: of a container that is there, or 0. A namespace by path that is ours is
 * no other one. */
static void
criu_check_namespaces(const struct spec *s, pid_t pid)
{
	const struct spec_ns *ns = s->linux_ ? s->linux_->namespaces.p : NULL;
	size_t i, k;

	if (!spec_ns(s, NS_MNT))
		err_die("cannot checkpoint or restore a container without a "
			"mount namespace");
	if (spec_ns(s, NS_USER))
		err_die("cannot checkpoint or restore a container with a user "
			"namespace");
	for (i = 0; i < s->linux_->namespaces.n; i++) {
		if (!ns[i].path || ns[i].inherited ||
		    (pid && ns_is_ours(pid, ns[i].index)))
			continue;
		for (k = 0; k < LEN(criu_outer_ns); k++)
			if (criu_outer_ns[k].index == ns[i].index)
				break;
		if (k == LEN(criu_outer_ns))
			err_die("cannot checkpoint or restore a container in "
				"another one's %s namespace",
			    tab_ns[ns[i].index].name);
	}
}

/* Die, with nothing done yet, where the restored container would not be what
 * its config says. */
static void
criu_check_spec(const struct spec *s, pid_t pid)
{
	const struct spec_mount *m = s->mounts.p;
	const struct spec_scmp_rule *rule;
	const char *what = NULL;
	size_t i;
	char **o;

	criu_check_namespaces(s, pid);
	if (s->linux_->netdevs.n)
		what = "netDevices";
	if (s->linux_->rdt)
		what = "intelRdt";
	for (i = 0; i < s->mounts.n; i++) {
		if (m[i].uids.n || m[i].gids.n)
			what = "an id-mapped mount";
		for (o = m[i].options; o && *o; o++)
			if (!strcmp(*o, "idmap") || !strcmp(*o, "ridmap"))
				what = "an id-mapped mount";
	}
	rule = s->linux_->seccomp ? s->linux_->seccomp->rules.p : NULL;
	for (i = 0; rule && i < s->linux_->seccomp->rules.n; i++)
		if (rule[i].action &&
		    !strcmp(rule[i].action, "SCMP_ACT_NOTIFY"))
			what = "a seccomp listener";
	if (what)
		err_die(
		    "cannot checkpoint or restore a container with %s", what);
}

/* ---- mounts from outside ---- */

/* Where in the container a step of the plan is mounted. */
struct criu_spot {
	const struct plan_step *step;
	char *point;
	bool dir;
};

static char *
criu_path_of(int fd)
{
	char *path = base_alloc(PATH_MAX);

	if (readlinkat(sys_proc(), sys_fdname(fd).s, path, PATH_MAX - 1) < 0)
		err_die("path of descriptor:");
	return path;
}

static size_t
criu_spots(struct criu_spot *spot, const struct plan *p, pid_t pid)
{
	CLOSEFD int root = sys_open(
	    sys_proc(), base_fmt("%d/root", (int)pid), O_PATH | O_DIRECTORY, 0);
	struct stat st;
	size_t i, n = 0;

	if (root < 0)
		err_die("open the container's root:");
	for (i = 0; i < p->nsteps; i++) {
		const struct plan_step *s = &p->steps[i];
		CLOSEFD int fd = -1;

		if (s->op != OP_MOUNT && s->op != OP_BIND &&
		    s->op != OP_CGROUP && s->op != OP_MASK &&
		    s->op != OP_DEVICE)
			continue;
		fd = sys_resolve(root, s->target, false);
		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		spot[n].step = s;
		spot[n].point = criu_path_of(fd);
		spot[n++].dir = S_ISDIR(st.st_mode);
	}
	return n;
}

/* The rest of path behind top, NULL when it is not top or below it. */
static const char *
criu_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && (!path[n] || path[n] == '/') ?
		   path + n :
		   NULL;
}

/* What a mount is called that criu shall not make itself, but bind from the
 * host at restore; NULL for those it makes. */
static const char *
criu_mount_name(
    const struct criu_spot *s, const char *rest, const struct plan *p)
{
	bool v2 = p->ncgroups == 1 && p->cgroups[0].hier->v2;

	switch (s->step->op) {
	case OP_BIND:
		return base_fmt("%s%s", s->step->target, rest);
	case OP_DEVICE:
		return *rest ? NULL : s->step->target;
	case OP_MASK:
		return *rest ? NULL : s->dir ? CRIU_MASK_DIR : CRIU_MASK_FILE;
	case OP_CGROUP:
		if (v2 ? !*rest && !p->cgroupns : *rest != 0)
			return base_fmt("%s%s", s->step->target, rest);
		return NULL;
	default:
		return NULL;
	}
}

/* Declare every mount of the container that comes from outside. */
static void
criu_put_outer_mounts(struct criu *c, pid_t pid)
{
	const struct plan *p = c->run->plan;
	struct criu_spot *spot = base_array(p->nsteps, sizeof *spot), *best;
	size_t n = criu_spots(spot, p, pid), i;
	char *text = sys_proc_read(base_fmt("%d/mountinfo", (int)pid)), *line;
	struct plan_mountline m;
	const char *name;

	if (!text)
		err_die("read the container's mount table:");
	while ((line = base_cut(&text, "\n"))) {
		if (!plan_split_mount(line, &m))
			continue;
		best = NULL;
		for (i = 0; i < n; i++)
			if (criu_below(m.point, spot[i].point) &&
			    (!best ||
				strlen(spot[i].point) >= strlen(best->point)))
				best = &spot[i];
		/* The service manager's socket does not last so long. */
		if (!best && !strcmp(m.point, PLAN_NOTIFY))
			criu_put_pair(
			    &c->opts, CRIU_F_MOUNT, m.point, CRIU_MASK_DIR);
		name = best ? criu_mount_name(
				  best, criu_below(m.point, best->point), p) :
			      NULL;
		if (name)
			criu_put_pair(&c->opts, CRIU_F_MOUNT, m.point, name);
	}
}

/* The source of a bind, and what is mounted below it. */
static void
criu_put_bind(struct criu *c, const struct plan_step *s)
{
	CLOSEFD int fd = sys_open(AT_FDCWD, s->source, O_PATH, 0);
	char *from, *text, *line;
	struct plan_mountline m;
	const char *rest;

	if (fd < 0)
		err_die("bind %s: %s:", s->target, s->source);
	from = criu_path_of(fd);
	criu_put_pair(&c->opts, CRIU_F_MOUNT, s->target, from);
	if (!(s->flags & MS_REC))
		return;
	text = sys_proc_read("self/mountinfo");
	while (text && (line = base_cut(&text, "\n")))
		if (plan_split_mount(line, &m) &&
		    (rest = criu_below(m.point, from)) && *rest)
			criu_put_pair(&c->opts, CRIU_F_MOUNT,
			    base_fmt("%s%s", s->target, rest), m.point);
}

/* Where restore finds what criu_put_outer_mounts() declared. */
static void
criu_put_sources(struct criu *c)
{
	const struct plan *p = c->run->plan;
	const struct plan_step *s;
	size_t i;

	criu_put_pair(&c->opts, CRIU_F_MOUNT, CRIU_MASK_DIR,
	    base_fmt("%s/d", c->scratch));
	criu_put_pair(&c->opts, CRIU_F_MOUNT, CRIU_MASK_FILE,
	    base_fmt("%s/f", c->scratch));
	for (s = p->steps; s < p->steps + p->nsteps; s++) {
		if (s->op == OP_BIND)
			criu_put_bind(c, s);
		if (s->op == OP_DEVICE)
			criu_put_pair(
			    &c->opts, CRIU_F_MOUNT, s->target, s->target);
		for (i = 0; s->op == OP_CGROUP && i < p->ncgroups; i++)
			criu_put_pair(&c->opts, CRIU_F_MOUNT,
			    p->ncgroups == 1 && p->cgroups[0].hier->v2 ?
				s->target :
				base_fmt("%s%s", s->target,
				    strrchr(p->cgroups[i].hier->mount, '/')),
			    p->cgroups[i].dir);
	}
}

/* ---- checkpoint ---- */

/* Namespaces of others that the container is in. */
static void
criu_put_outer_namespaces(struct criu *c, pid_t pid)
{
	const struct spec_ns *ns;
	struct stat st;
	size_t i;

	for (i = 0; i < LEN(criu_outer_ns); i++) {
		ns = spec_ns(c->run->spec, criu_outer_ns[i].index);
		if (!ns || !ns->path)
			continue;
		if (fstatat(sys_proc(),
			base_fmt("%d/ns/%s", (int)pid, criu_outer_ns[i].name),
			&st, 0) < 0)
			err_die("look at %s namespace:", criu_outer_ns[i].name);
		criu_put_text(&c->opts, CRIU_F_EXTERNAL,
		    base_fmt("%s[%llu]:%s", criu_outer_ns[i].name,
			(unsigned long long)st.st_ino, criu_outer_ns[i].key));
	}
}

/* Is a mount with this number in the container's mount table? */
static bool
criu_has_mount(pid_t pid, const char *id)
{
	char *text = sys_proc_read(base_fmt("%d/mountinfo", (int)pid)), *line;
	size_t n = strlen(id);

	while (text && (line = base_cut(&text, "\n")))
		if (!strncmp(line, id, n) && line[n] == ' ')
			return true;
	return false;
}

/* One of the program's 0, 1, 2 by the name that criu has for it. A file of
 * the host is declared: criu finds it nowhere in the container. */
static char *
criu_put_outer_file(struct criu *c, pid_t pid, int fd)
{
	char *link = base_alloc(PATH_MAX), *info, *id = NULL;
	char *path = base_fmt("%d/fd/%d", (int)pid, fd);
	struct stat st;
	uint64_t mount;

	if (readlinkat(sys_proc(), path, link, PATH_MAX - 1) < 0)
		return base_dup("");
	info = sys_proc_read(base_fmt("%d/fdinfo/%d", (int)pid, fd));
	if (info && (id = cred_status_line(info, "mnt_id")))
		id = base_cut(&id, " \t");
	if (*link != '/' || !id || base_number(id, INT_MAX, &mount) < 0 ||
	    criu_has_mount(pid, id) || fstatat(sys_proc(), path, &st, 0) < 0)
		return link;
	link = base_fmt("file[%llx:%llx]", (unsigned long long)mount,
	    (unsigned long long)st.st_ino);
	criu_put_text(&c->opts, CRIU_F_EXTERNAL, link);
	return link;
}

/* What the program's stdin, stdout and stderr are stands beside the images,
 * so that restore can put its own in their place. */
static void
criu_put_outer_files(struct criu *c, pid_t pid)
{
	struct text t = { 0 };
	int fd;

	for (fd = 0; fd < 3; fd++) {
		base_puts(&t, fd ? "," : "[");
		base_put_json(&t, criu_put_outer_file(c, pid, fd));
	}
	base_puts(&t, "]");
	if (sys_replace_file(c->images, CRIU_FDS, 0600, t.p, t.n) < 0)
		err_die("write %s:", CRIU_FDS);
}

/* criu stops the processes by the freezer of their cgroup; else a paused
 * container could not be looked into. */
static void
criu_put_freezer(struct criu *c)
{
	char **dir = c->run->state.cgroups;

	for (; dir && *dir; dir++)
		if (access(base_fmt("%s/freezer.state", *dir), F_OK) == 0 ||
		    access(base_fmt("%s/cgroup.freeze", *dir), F_OK) == 0) {
			criu_put_text(&c->opts, CRIU_F_FREEZE, *dir);
			return;
		}
}

static void
criu_find(struct criu *c)
{
	c->path = criu_try_find();
	if (!c->path)
		err_die("criu was not found (hint: is it installed?)");
}

static void
criu_load(struct run *r, const struct run_opts *o, const char *id)
{
	static struct host host;
	enum state_status now;

	r->opts = o;
	r->id = id;
	r->signals = r->pidfd = -1;
	state_get(&r->state, o->root, id);
	now = state_now(&r->state);
	if (now == ST_CREATING)
		err_die("container is being created");
	if (now == ST_CREATED || now == ST_STOPPED)
		err_die("Container cannot be checkpointed in %s state",
		    state_word[now]);
	r->bundle = r->state.bundle;
	r->spec = run_saved_spec(&r->state);
	criu_check_spec(r->spec, (pid_t)r->state.pid.v);
	plan_probe(&host);
	r->plan = plan_make(r->spec, &host, id, r->bundle);
}

/* checkpoint: criu writes the container down, and ends it unless told not
 * to. A failure changes nothing: criu lets it run on. */
static int
criu_checkpoint(const struct run_opts *o, const char *id)
{
	static struct run r;
	struct state *st = &r.state;
	struct criu c = { .run = &r, .images = -1, .work = -1 };
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	unsetenv("NOTIFY_SOCKET");
	criu_load(&r, o, id);
	criu_find(&c);
	criu_put_options(&c, "dump.log");
	if (!run_lock(st) || !state_lives(&st->pid, &st->start_time))
		err_die("Container cannot be checkpointed in stopped state");
	pid = (pid_t)st->pid.v;
	criu_open_dirs(&c, true);
	criu_check_parent(&c, o->parent_path);
	criu_put_number(&c.opts, CRIU_F_PID, (uint64_t)pid);
	criu_put_text(&c.opts, CRIU_F_ROOT, r.plan->rootfs);
	criu_put_freezer(&c);
	criu_put_outer_namespaces(&c, pid);
	if (o->pre_dump || o->parent_path)
		criu_put_number(&c.opts, CRIU_F_TRACK_MEM, true);
	if (!o->pre_dump) {
		criu_put_outer_mounts(&c, pid);
		criu_put_outer_files(&c, pid);
	}
	r.signals = run_block_signals();
	criu_start(&c, -1);
	criu_do(&c, o->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, NULL);
	err_keep();
	if (o->pre_dump || o->leave_running)
		return 0;
	run_kill_init(st);
	run_delete_dead(o, st);
	return 0;
}

/* ---- restore ---- */

static void
criu_put_inner(struct criu *c)
{
	const struct spec_ns *ns;
	struct json j;
	size_t i, k, len;
	char *text, **key;

	for (i = 0; i < LEN(criu_outer_ns); i++) {
		ns = spec_ns(c->run->spec, criu_outer_ns[i].index);
		if (ns && ns->path)
			criu_put_inherit(c, criu_outer_ns[i].key,
			    c->run->init.join_fds[criu_outer_ns[i].index]);
	}
	text = sys_read_regular(c->images, CRIU_FDS, O_NOFOLLOW, 1 << 16, &len);
	if (!text && errno == ENOENT)
		return;
	if (!text)
		err_die("read %s:", CRIU_FDS);
	json_parse(&j, CRIU_FDS, text, len);
	key = spec_strings(&j, 0);
	/* The first counts where stdout and stderr were the same. */
	for (i = 0; i < 3 && key[i]; i++) {
		for (k = 0; k < i && strcmp(key[k], key[i]); k++)
			;
		if (k == i && (!strncmp(key[i], "pipe:[", 6) ||
				  !strncmp(key[i], "file[", 5)))
			criu_put_inherit(c, key[i], (int)i);
	}
}

/* Where the container's cgroups are now, whatever they were called when the
 * images were made: those that criu itself was put into. */
static void
criu_put_cgroups(struct criu *c)
{
	char *text = sys_proc_read(base_fmt("%d/cgroup", (int)c->pid));
	char *line, *names, *path, *name;

	while (text && (line = base_cut(&text, "\n"))) {
		names = strchr(line, ':');
		path = names ? strchr(names + 1, ':') : NULL;
		if (!path)
			continue;
		names++;
		*path++ = 0;
		if (!*names)
			criu_put_pair(&c->opts, CRIU_F_CGROUP_ROOT, "", path);
		while ((name = base_cut(&names, ",")))
			criu_put_pair(&c->opts, CRIU_F_CGROUP_ROOT, name, path);
	}
}

/* The gate of restore: what the images gave the program is within what the
 * config allows. The program may have dropped more since it began. */
static void
criu_verify(const struct run *r)
{
	char *status = sys_proc_read(base_fmt("%d/status", (int)r->pid));
	const struct spec_process *p = r->spec->process;
	uint64_t bounding = p->caps ? p->caps->bounding : 0;
	uint64_t all = bounding | (p->caps ? p->caps->permitted : 0);
	const char *bnd, *prm, *nnp, *filter;
	struct ns_id ours[NS_COUNT];
	unsigned fresh = init_new_ns(r->plan);

	ns_look("self", fresh, ours);
	ns_verify(base_fmt("%d", (int)r->pid), fresh, ours, r->plan->join,
	    r->init.want);
	if (!status)
		err_die("check: read status of the container:");
	bnd = cred_status_line(status, "CapBnd");
	prm = cred_status_line(status, "CapPrm");
	nnp = cred_status_line(status, "NoNewPrivs");
	filter = cred_status_line(status, "Seccomp");
	if (!bnd || !prm || (strtoull(bnd, NULL, 16) & ~bounding) ||
	    (strtoull(prm, NULL, 16) & ~all))
		err_die("check: the checkpoint has capabilities that the "
			"config does not give");
	if (p->no_new_privileges && nnp && strtoull(nnp, NULL, 10) != 1)
		err_die("check: the checkpoint has not noNewPrivileges");
	if (r->spec->linux_->seccomp && filter &&
	    strtoull(filter, NULL, 10) != 2)
		err_die("check: the checkpoint has no seccomp filter");
}

/* The moments of a restore. At pre-resume nothing runs yet and all is as it
 * will be. */
static void
criu_heard(struct criu *c, const struct criu_answer *a)
{
	struct run *r = c->run;

	if (!strcmp(a->script, "orphan-pts-master") && a->fd >= 0) {
		r->tty.master = a->fd;
		if (r->opts->console_socket)
			tty_send_console(run_socket(r, r->opts->console_socket),
			    a->fd, "/dev/ptmx");
	}
	if (a->pid && r->pid <= 0) {
		r->pid = (pid_t)a->pid;
		r->pidfd = sys_pidfd_open(r->pid);
	}
	if (!strcmp(a->script, "setup-namespaces")) {
		run_hooks(r, HOOK_PRESTART, ST_CREATING, r->pid);
		run_hooks(r, HOOK_CREATE_RUNTIME, ST_CREATING, r->pid);
	}
	if (!strcmp(a->script, "pre-resume")) {
		criu_verify(r);
		run_record(r, "running");
	}
}

/* A root file system that the container was never in lacks what create would
 * have made there: the directories and files that things are mounted on. */
static void
criu_mount_points(const struct plan *p)
{
	CLOSEFD int root =
	    sys_open(AT_FDCWD, p->rootfs, O_PATH | O_DIRECTORY, 0);
	const struct plan_step *s, *up;
	struct stat st;
	int fd;

	if (root < 0)
		err_die("root file system %s:", p->rootfs);
	for (s = p->steps; s < p->steps + p->nsteps; s++) {
		if (s->op != OP_MOUNT && s->op != OP_BIND && s->op != OP_CGROUP)
			continue;
		for (up = p->steps; up < s; up++)
			if ((up->op == OP_MOUNT || up->op == OP_BIND) &&
			    criu_below(s->target, up->target))
				break;
		if (up < s)
			continue;
		if (s->op == OP_BIND && stat(s->source, &st) == 0 &&
		    !S_ISDIR(st.st_mode))
			fd = sys_mkfile(root, s->target, 0644);
		else
			fd = sys_mkdirs(root, s->target, 0755, 0);
		if (fd < 0)
			err_die("make mount point %s:", s->target);
		close(fd);
	}
}

/* From the command line to a container that criu has brought back. */
static void
criu_restore_prepared(struct criu *c)
{
	struct run *r = c->run;
	int cgroup;

	criu_open_dirs(c, false);
	criu_put_options(c, "restore.log");
	run_place(r, false);
	if (r->state.dir < 0)
		err_die("restore needs a state directory");
	c->scratch = criu_path_of(r->state.dir);
	criu_mount_points(r->plan);
	criu_put_sources(c);
	criu_put_inner(c);
	criu_put_text(&c->opts, CRIU_F_ROOT, base_fmt("%s/root", c->scratch));
	criu_put_number(&c->opts, CRIU_F_SIBLING, true);
	criu_put_number(&c->opts, CRIU_F_EVASIVE_DEVICES, true);
	cgroup = cg_open_v2(r->plan);
	criu_start(c, cgroup);
	sys_close(&cgroup);
	criu_put_cgroups(c);
	criu_do(c, CRIU_RESTORE, criu_heard);
	if (r->pid <= 0 || !r->state.pid.v)
		err_die("criu did not tell of the container's process");
}

static int
criu_restore(const struct run_opts *o, const char *id)
{
	static struct run r;
	struct criu c = { .run = &r, .images = -1, .work = -1, .mounts = true };

	if (!o->no_subreaper && !o->detach)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* The program was ready long ago, and will not say so again. */
	unsetenv("NOTIFY_SOCKET");
	criu_find(&c);
	run_begin(&r, o, id, false);
	criu_check_spec(r.spec, 0);
	criu_restore_prepared(&c);
	return run_attend(&r);
}

/* == 26 SHOW ========================================== show_ =============
 * Owns:   commands that only look: state, list, ps, plan, features, version;
 *         and spec, which writes the example.
 * Calls:  STATE CGROUP PLAN RUN.
 * Runs:   parent. Nothing but the answer goes to stdout: engines parse it.
 */

/* Set by main; help and version speak in this name. */
static const char *show_argv0 = "ocirt";

static void
show_print(const struct text *t)
{
	if (sys_write_all(1, t->p, t->n) < 0 && errno != EPIPE)
		err_die("write to stdout:");
}

static int
show_state(const struct run_opts *o, char **argv)
{
	struct json_out out = { .indent = 2 };
	enum state_status now;
	struct state st;

	state_get(&st, o->root, argv[0]);
	now = state_now(&st);
	state_put(&out, &st, now, now == ST_STOPPED ? 0 : st.pid.v, true, "");
	show_print(&out.t);
	return 0;
}

/* ---- list and ps ---- */

/* A row of cells as wide as their column, at least 12 and 3 apart: runc's
 * table. rows is NULL-terminated, cells is how many a row has. */
static void
show_print_table(char **cells, size_t columns, size_t rows)
{
	struct text t = { 0 };
	size_t width[8], r, k, n;

	base_puts(&t, "");
	for (k = 0; k < columns; k++) {
		width[k] = 12;
		for (r = 0; r < rows; r++) {
			n = strlen(cells[r * columns + k]) + 3;
			if (n > width[k])
				width[k] = n;
		}
	}
	for (r = 0; r < rows; r++) {
		for (k = 0; k + 1 < columns; k++)
			base_putf(
			    &t, "%-*s", (int)width[k], cells[r * columns + k]);
		base_putf(&t, "%s\n", cells[r * columns + k]);
	}
	show_print(&t);
}

struct show_list {
	struct state *st;
	size_t n, cap;
};

/* Add what is in one state root; a damaged entry is told and passed over. */
static void
show_collect(struct show_list *l, const char *root, bool given)
{
	int fd = state_open_root(root, false);
	struct dirent *d;
	struct state st, *grown;
	DIR *dir;

	if (fd < 0) {
		if (given)
			err_die("state directory %s:", root);
		if (errno != ENOENT)
			err_warn("state directory %s:", root);
		return;
	}
	if (!(dir = fdopendir(fd)))
		err_die("read %s:", root);
	while ((d = readdir(dir))) {
		if (!state_is_id(d->d_name) ||
		    !state_find(&st, root, d->d_name))
			continue;
		sys_close(&st.root);
		if (!st.phase) {
			err_warn("%s: %s", d->d_name,
			    err.trapped ? err.trapped : "damaged");
			sys_close(&st.dir);
			continue;
		}
		if (l->n == l->cap) {
			l->cap = l->cap * 2 + 16;
			grown = base_array(l->cap, sizeof *grown);
			if (l->n)
				memcpy(grown, l->st, l->n * sizeof *grown);
			l->st = grown;
		}
		l->st[l->n] = st;
		/* One descriptor each would end at RLIMIT_NOFILE. */
		l->st[l->n].root = (int)state_now(&st);
		sys_close(&st.dir);
		l->n++;
	}
	closedir(dir);
}

static int
show_compare_ids(const void *a, const void *b)
{
	return strcmp(
	    ((const struct state *)a)->id, ((const struct state *)b)->id);
}

static char *
show_owner(uint64_t uid)
{
	char *text = sys_read_file(AT_FDCWD, "/etc/passwd", NULL);
	char *name = text ? base_passwd(text, uid, 0) : NULL;

	if (name)
		return name;
	return uid ? base_fmt("#%llu", (unsigned long long)uid) :
		     base_dup("root");
}

static bool
show_wants_json(const struct run_opts *o, const char *other)
{
	if (!o->format || !strcmp(o->format, other))
		return false;
	if (strcmp(o->format, "json"))
		err_die("invalid format option");
	return true;
}

static void
show_list_json(const struct show_list *l)
{
	struct json_out out = { 0 };
	size_t i;

	if (!l->n) {
		base_puts(&out.t, "null\n");
		show_print(&out.t);
		return;
	}
	json_put_open(&out, NULL, '[');
	for (i = 0; i < l->n; i++) {
		enum state_status now = (enum state_status)l->st[i].root;

		json_put_key(&out, NULL);
		out.more = false;
		state_put(&out, &l->st[i], now,
		    now == ST_STOPPED ? 0 : l->st[i].pid.v, true,
		    show_owner((uint64_t)l->st[i].uid.v));
	}
	json_put_close(&out, ']');
	base_puts(&out.t, "\n");
	show_print(&out.t);
}

static int
show_list(const struct run_opts *o, char **argv)
{
	static const char *const head[] = { "ID", "PID", "STATUS", "BUNDLE",
		"CREATED", "OWNER" };
	const char **root = state_roots(o->root);
	bool json = show_wants_json(o, "table");
	struct show_list l = { 0 };
	char **cell;
	size_t i, k = 0;

	(void)argv;
	for (; *root; root++)
		show_collect(&l, *root, o->root != NULL);
	if (l.n)
		qsort(l.st, l.n, sizeof *l.st, show_compare_ids);
	if (o->quiet) {
		struct text t = { 0 };

		base_puts(&t, "");
		for (i = 0; i < l.n; i++)
			base_putf(&t, "%s\n", l.st[i].id);
		show_print(&t);
		return 0;
	}
	if (json) {
		show_list_json(&l);
		return 0;
	}
	cell = base_array((l.n + 1) * LEN(head), sizeof *cell);
	for (; k < LEN(head); k++)
		cell[k] = base_dup(head[k]);
	for (i = 0; i < l.n; i++) {
		struct state *st = &l.st[i];
		bool dead = st->root == ST_STOPPED;

		cell[k++] = base_dup(st->id);
		cell[k++] = base_fmt("%lld", dead ? 0ll : (long long)st->pid.v);
		cell[k++] = base_dup(state_word[st->root]);
		cell[k++] = base_dup(st->bundle);
		cell[k++] = base_dup(st->created);
		cell[k++] = show_owner((uint64_t)st->uid.v);
	}
	show_print_table(cell, LEN(head), l.n + 1);
	return 0;
}

/* What the host's ps prints with these arguments; NULL when there is none, or
 * when it does not know those that are ours. */
static char *
show_run_ps(char **args)
{
	char **argv = base_join((char *[]){ "ps", NULL },
	    args[0] ? args : (char *[]){ "-ef", NULL });
	int out[2], status, null;
	char *text;
	bool unused;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		err_die("pipe:");
	pid = sys_clone(0, -1, &unused);
	if (pid == 0) {
		dup2(out[1], 1);
		if (!args[0] &&
		    (null = sys_open(AT_FDCWD, "/dev/null", O_WRONLY, 0)) >= 0)
			dup2(null, 2);
		execvp("ps", argv);
		err_exit(127);
	}
	close(out[1]);
	if (pid < 0)
		err_die("clone for ps:");
	text = sys_read_fd(out[0], 64 << 20, NULL);
	close(out[0]);
	sys_waitpid(pid, &status);
	status = sys_exit_code(status);
	/* busybox has no -ef */
	if (status == 127 || (status && !args[0]))
		return NULL;
	if (status)
		err_die("ps exited with status %d", status);
	return text;
}

/* Bare hosts have no ps: pid and command from /proc. */
static void
show_print_pids(const struct spec_ids *pids)
{
	char **cell = base_array((pids->n + 1) * 2, sizeof *cell), *name;
	size_t i, k = 0;

	cell[k++] = base_dup("PID");
	cell[k++] = base_dup("CMD");
	for (i = 0; i < pids->n; i++) {
		name = sys_proc_read(base_fmt("%u/comm", pids->v[i]));
		cell[k++] = base_fmt("%u", pids->v[i]);
		cell[k++] = name ? base_cut(&name, "\n") : base_dup("?");
	}
	show_print_table(cell, 2, pids->n + 1);
}

static void
show_ps_table(const struct spec_ids *pids, char **args)
{
	char *text = show_run_ps(args), *line, *copy, *field;
	struct text t = { 0 };
	int column = -1, k;
	uint64_t pid;
	size_t i;

	if (!text && !args[0]) {
		show_print_pids(pids);
		return;
	}
	if (!text)
		err_die("no ps program on this host");
	base_puts(&t, "");
	while ((line = base_cut(&text, "\n"))) {
		copy = base_dup(line);
		for (k = 0; (field = base_cut(&copy, " \t")); k++) {
			if (column < 0 && !strcmp(field, "PID"))
				break;
			if (column == k)
				break;
		}
		if (column < 0) {
			if (!field)
				err_die("couldn't find PID field in ps output");
			column = k;
			base_putf(&t, "%s\n", line);
			continue;
		}
		if (!field || base_number(field, INT_MAX, &pid) < 0)
			continue;
		for (i = 0; i < pids->n; i++)
			if (pids->v[i] == pid)
				base_putf(&t, "%s\n", line);
	}
	show_print(&t);
}

static int
show_ps(const struct run_opts *o, char **argv)
{
	bool json = show_wants_json(o, "table");
	struct json_out out = { 0 };
	struct spec_ids pids;
	struct state st;
	size_t i;

	state_get(&st, o->root, argv[0]);
	pids = run_pids(&st);
	if (!json) {
		show_ps_table(&pids, argv + 1);
		return 0;
	}
	json_put_open(&out, NULL, '[');
	for (i = 0; i < pids.n; i++)
		json_put_unsigned(&out, NULL, pids.v[i]);
	json_put_close(&out, ']');
	base_puts(&out.t, "\n");
	show_print(&out.t);
	return 0;
}

/* ---- plan, spec, features, version ---- */

static int
show_plan(const struct run_opts *o, char **argv)
{
	static struct run r;
	struct host host = { 0 };
	bool json = show_wants_json(o, "text");
	struct text t;

	r.opts = o;
	r.id = argv[0] ? argv[0] : "ID";
	state_check_id(r.id);
	run_read_bundle(&r);
	plan_probe(&host);
	r.plan = plan_make(r.spec, &host, r.id, r.bundle);
	scmp_compile(r.spec);
	t = plan_print(r.plan, json);
	show_print(&t);
	return 0;
}

/* clang-format off */
static const char show_template[] =
"{\n"
"\t\"ociVersion\": \"" SPEC_VERSION "\",\n"
"\t\"process\": {\n"
"\t\t\"terminal\": true,\n"
"\t\t\"user\": {\n"
"\t\t\t\"uid\": 0,\n"
"\t\t\t\"gid\": 0\n"
"\t\t},\n"
"\t\t\"args\": [\n"
"\t\t\t\"sh\"\n"
"\t\t],\n"
"\t\t\"env\": [\n"
"\t\t\t\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\n"
"\t\t\t\"TERM=xterm\"\n"
"\t\t],\n"
"\t\t\"cwd\": \"/\",\n"
"\t\t\"capabilities\": {\n"
"\t\t\t\"bounding\": [\n"
"\t\t\t\t\"CAP_AUDIT_WRITE\",\n"
"\t\t\t\t\"CAP_KILL\",\n"
"\t\t\t\t\"CAP_NET_BIND_SERVICE\"\n"
"\t\t\t],\n"
"\t\t\t\"effective\": [\n"
"\t\t\t\t\"CAP_AUDIT_WRITE\",\n"
"\t\t\t\t\"CAP_KILL\",\n"
"\t\t\t\t\"CAP_NET_BIND_SERVICE\"\n"
"\t\t\t],\n"
"\t\t\t\"permitted\": [\n"
"\t\t\t\t\"CAP_AUDIT_WRITE\",\n"
"\t\t\t\t\"CAP_KILL\",\n"
"\t\t\t\t\"CAP_NET_BIND_SERVICE\"\n"
"\t\t\t]\n"
"\t\t},\n"
"\t\t\"rlimits\": [\n"
"\t\t\t{\n"
"\t\t\t\t\"type\": \"RLIMIT_NOFILE\",\n"
"\t\t\t\t\"hard\": 1024,\n"
"\t\t\t\t\"soft\": 1024\n"
"\t\t\t}\n"
"\t\t],\n"
"\t\t\"noNewPrivileges\": true\n"
"\t},\n"
"\t\"root\": {\n"
"\t\t\"path\": \"rootfs\",\n"
"\t\t\"readonly\": true\n"
"\t},\n"
"\t\"hostname\": \"runc\",\n"
"\t\"mounts\": [\n"
"\t\t{\n"
"\t\t\t\"destination\": \"/proc\",\n"
"\t\t\t\"type\": \"proc\",\n"
"\t\t\t\"source\": \"proc\"\n"
"\t\t},\n"
"\t\t{\n"
"\t\t\t\"destination\": \"/dev\",\n"
"\t\t\t\"type\": \"tmpfs\",\n"
"\t\t\t\"source\": \"tmpfs\",\n"
"\t\t\t\"options\": [\n"
"\t\t\t\t\"nosuid\",\n"
"\t\t\t\t\"strictatime\",\n"
"\t\t\t\t\"mode=755\",\n"
"\t\t\t\t\"size=65536k\"\n"
"\t\t\t]\n"
"\t\t},\n"
"\t\t{\n"
"\t\t\t\"destination\": \"/dev/pts\",\n"
"\t\t\t\"type\": \"devpts\",\n"
"\t\t\t\"source\": \"devpts\",\n"
"\t\t\t\"options\": [\n"
"\t\t\t\t\"nosuid\",\n"
"\t\t\t\t\"noexec\",\n"
"\t\t\t\t\"newinstance\",\n"
"\t\t\t\t\"ptmxmode=0666\",\n"
"\t\t\t\t\"mode=0620\"%s\n"
"\t\t\t]\n"
"\t\t},\n"
"\t\t{\n"
"\t\t\t\"destination\": \"/dev/shm\",\n"
"\t\t\t\"type\": \"tmpfs\",\n"
"\t\t\t\"source\": \"shm\",\n"
"\t\t\t\"options\": [\n"
"\t\t\t\t\"nosuid\",\n"
"\t\t\t\t\"noexec\",\n"
"\t\t\t\t\"nodev\",\n"
"\t\t\t\t\"mode=1777\",\n"
"\t\t\t\t\"size=65536k\"\n"
"\t\t\t]\n"
"\t\t},\n"
"\t\t{\n"
"\t\t\t\"destination\": \"/dev/mqueue\",\n"
"\t\t\t\"type\": \"mqueue\",\n"
"\t\t\t\"source\": \"mqueue\",\n"
"\t\t\t\"options\": [\n"
"\t\t\t\t\"nosuid\",\n"
"\t\t\t\t\"noexec\",\n"
"\t\t\t\t\"nodev\"\n"
"\t\t\t]\n"
"\t\t},\n"
"\t\t{\n"
"\t\t\t\"destination\": \"/sys\",\n"
"%s"
"\t\t\t\t\"nosuid\",\n"
"\t\t\t\t\"noexec\",\n"
"\t\t\t\t\"nodev\",\n"
"\t\t\t\t\"ro\"\n"
"\t\t\t]\n"
"\t\t},\n"
"\t\t{\n"
"\t\t\t\"destination\": \"/sys/fs/cgroup\",\n"
"\t\t\t\"type\": \"cgroup\",\n"
"\t\t\t\"source\": \"cgroup\",\n"
"\t\t\t\"options\": [\n"
"\t\t\t\t\"nosuid\",\n"
"\t\t\t\t\"noexec\",\n"
"\t\t\t\t\"nodev\",\n"
"\t\t\t\t\"relatime\",\n"
"\t\t\t\t\"ro\"\n"
"\t\t\t]\n"
"\t\t}\n"
"\t],\n"
"\t\"linux\": {\n"
"%s"
"\t\t\"namespaces\": [\n"
"\t\t\t{\n"
"\t\t\t\t\"type\": \"pid\"\n"
"\t\t\t},\n"
"\t\t\t{\n"
"\t\t\t\t\"type\": \"%s\"\n"
"\t\t\t},\n"
"\t\t\t{\n"
"\t\t\t\t\"type\": \"ipc\"\n"
"\t\t\t},\n"
"\t\t\t{\n"
"\t\t\t\t\"type\": \"uts\"\n"
"\t\t\t},\n"
"\t\t\t{\n"
"\t\t\t\t\"type\": \"mount\"\n"
"\t\t\t}%s\n"
"\t\t],\n"
"\t\t\"maskedPaths\": [\n"
"\t\t\t\"/proc/acpi\",\n"
"\t\t\t\"/proc/asound\",\n"
"\t\t\t\"/proc/kcore\",\n"
"\t\t\t\"/proc/keys\",\n"
"\t\t\t\"/proc/latency_stats\",\n"
"\t\t\t\"/proc/timer_list\",\n"
"\t\t\t\"/proc/timer_stats\",\n"
"\t\t\t\"/proc/sched_debug\",\n"
"\t\t\t\"/sys/firmware\",\n"
"\t\t\t\"/proc/scsi\"\n"
"\t\t],\n"
"\t\t\"readonlyPaths\": [\n"
"\t\t\t\"/proc/bus\",\n"
"\t\t\t\"/proc/fs\",\n"
"\t\t\t\"/proc/irq\",\n"
"\t\t\t\"/proc/sys\",\n"
"\t\t\t\"/proc/sysrq-trigger\"\n"
"\t\t]\n"
"\t}\n"
"}\n";

static const char show_template_sys[] =
"\t\t\t\"type\": \"sysfs\",\n"
"\t\t\t\"source\": \"sysfs\",\n"
"\t\t\t\"options\": [\n";

static const char show_template_user_sys[] =
"\t\t\t\"type\": \"none\",\n"
"\t\t\t\"source\": \"/sys\",\n"
"\t\t\t\"options\": [\n"
"\t\t\t\t\"rbind\",\n";

static const char show_template_resources[] =
"\t\t\"resources\": {\n"
"\t\t\t\"devices\": [\n"
"\t\t\t\t{\n"
"\t\t\t\t\t\"allow\": false,\n"
"\t\t\t\t\t\"access\": \"rwm\"\n"
"\t\t\t\t}\n"
"\t\t\t]\n"
"\t\t},\n";

static const char show_template_maps[] =
"\t\t\"uidMappings\": [\n"
"\t\t\t{\n"
"\t\t\t\t\"containerID\": 0,\n"
"\t\t\t\t\"hostID\": %u,\n"
"\t\t\t\t\"size\": 1\n"
"\t\t\t}\n"
"\t\t],\n"
"\t\t\"gidMappings\": [\n"
"\t\t\t{\n"
"\t\t\t\t\"containerID\": 0,\n"
"\t\t\t\t\"hostID\": %u,\n"
"\t\t\t\t\"size\": 1\n"
"\t\t\t}\n"
"\t\t],\n";
/* clang-format on */

/* The bundle's config as one of today. What could not be kept is named on
 * stderr, whoever reads it: there is no container to keep the notes. */
static int
show_upgrade(const struct run_opts *o)
{
	static struct run r;
	struct json_out out = { .indent = 4 };
	struct json j, runtime;
	struct text from = { 0 };
	size_t i;

	r.opts = o;
	run_parse_bundle(&r, &j, &runtime);
	leg_put(&out, leg_upgrade(&j, runtime.ntok ? &runtime : NULL, stat),
	    false, &from);
	base_puts(&out.t, "\n");
	show_print(&out.t);
	for (i = 0; i < err.nnotes && !err.debug && !isatty(2); i++)
		err_say(base_fmt("note: %s", err.notes[i]));
	return 0;
}

/* "spec > config.json": the shell has made the file that is not there. */
static bool
show_is_stdout(const char *file)
{
	struct stat a, b;

	return stat(file, &a) == 0 && fstat(1, &b) == 0 && !a.st_size &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Where a v2 host shows cgroups, a cgroup namespace is what hides the rest.
 * --rootless: for the user who calls us. He has no network devices to give
 * away, so the host's network stays, and with it the host's sysfs; no gid 5
 * for terminals; and no limits. */
static int
show_spec(const struct run_opts *o, char **argv)
{
	struct host host = { 0 };
	char *file = o->bundle ? base_fmt("%s/config.json", o->bundle) :
				 base_dup("config.json");
	struct text t = { 0 };
	bool v2, exists, user = o->spec_rootless;
	int fd;

	(void)argv;
	if (o->upgrade)
		return show_upgrade(o);
	plan_probe(&host);
	v2 = host.nhier == 1 && host.hier[0].v2 && host.cgroupns;
	base_putf(&t, show_template, user ? "" : ",\n\t\t\t\t\"gid=5\"",
	    user ? show_template_user_sys : show_template_sys,
	    user ? base_fmt(show_template_maps, sys_euid(), getegid()) :
		   show_template_resources,
	    user ? "user" : "network",
	    v2 ? ",\n\t\t\t{\n\t\t\t\t\"type\": \"cgroup\"\n\t\t\t}" : "");
	fd = sys_open(AT_FDCWD, file, O_WRONLY | O_CREAT | O_EXCL, 0666);
	exists = fd < 0 && errno == EEXIST;
	if (exists && show_is_stdout(file)) {
		show_print(&t);
		return 0;
	}
	if (exists)
		err_die("File config.json exists. Remove it first");
	if (fd < 0 || sys_write_all(fd, t.p, t.n) < 0 || close(fd) < 0)
		err_die("write %s:", file);
	return 0;
}

static void
show_put_enabled(struct json_out *o, const char *key, bool on)
{
	json_put_open(o, key, '{');
	json_put_bool(o, "enabled", on);
	json_put_close(o, '}');
}

static void
show_put_seccomp(struct json_out *o)
{
	json_put_open(o, "seccomp", '{');
	json_put_bool(o, "enabled", SECCOMP);
	scmp_put_features(o);
	json_put_close(o, '}');
}

static void
show_put_rdt(struct json_out *o)
{
	bool built = spec_is_built(&spec_s_linux, "intelRdt");

	json_put_open(o, "intelRdt", '{');
	json_put_bool(o, "enabled", built);
	json_put_bool(o, "schemata", built);
	json_put_bool(o, "monitoring", built);
	json_put_close(o, '}');
}

static void
show_put_cgroup(struct json_out *o)
{
	json_put_open(o, "cgroup", '{');
	json_put_bool(o, "v1", true);
	json_put_bool(o, "v2", true);
	json_put_bool(o, "systemd", false);
	json_put_bool(o, "systemdUser", false);
	json_put_bool(o, "rdma", spec_is_built(&spec_s_resources, "rdma"));
	json_put_close(o, '}');
}

static void
show_put_linux(struct json_out *o)
{
	struct word ns[NS_COUNT];
	size_t i;

	for (i = 0; i < NS_COUNT; i++)
		ns[i].name = tab_ns[i].name;
	json_put_open(o, "linux", '{');
	json_put_sorted(o, "namespaces", ns, NS_COUNT);
	json_put_words(o, "capabilities", tab_cap, LEN(tab_cap));
	show_put_cgroup(o);
	show_put_seccomp(o);
	show_put_enabled(o, "apparmor", true);
	show_put_enabled(o, "selinux", true);
	show_put_rdt(o);
	json_put_open(o, "memoryPolicy", '{');
	json_put_sorted(o, "modes", tab_mpol, LEN(tab_mpol));
	json_put_sorted(o, "flags", tab_mpolflag, LEN(tab_mpolflag));
	json_put_close(o, '}');
	json_put_open(o, "mountExtensions", '{');
	show_put_enabled(
	    o, "idmap", spec_is_built(&spec_s_mount, "uidMappings"));
	json_put_close(o, '}');
	show_put_enabled(
	    o, "netDevices", spec_is_built(&spec_s_linux, "netDevices"));
	json_put_close(o, '}');
}

/* What this build does, never what the host has; the flags of seccomp are the
 * kernel's. Members and their order are runtime-spec features.md and runc's. */
static int
show_features(const struct run_opts *opts, char **argv)
{
	struct json_out o = { .indent = 4 };
	size_t i;

	(void)opts;
	(void)argv;
	json_put_open(&o, NULL, '{');
	json_put_string(&o, "ociVersionMin", "1.0.0");
	json_put_string(&o, "ociVersionMax", SPEC_VERSION);
	json_put_open(&o, "hooks", '[');
	for (i = 0; i < HOOK_COUNT; i++)
		json_put_string(&o, NULL, tab_hook[i]);
	json_put_close(&o, ']');
	json_put_open(&o, "mountOptions", '[');
	for (i = 0; i < LEN(tab_mntopt); i++)
		if (tab_mntopt[i].kind != MO_IDMAP &&
		    tab_mntopt[i].kind != MO_TMPCOPYUP)
			json_put_string(&o, NULL, tab_mntopt[i].name);
	json_put_close(&o, ']');
	show_put_linux(&o);
	json_put_open(&o, "annotations", '{');
	json_put_string(&o, "org.ocirt.version", VERSION);
	json_put_string(&o, "org.opencontainers.runc.checkpoint.enabled",
	    criu_missing() ? "false" : "true");
	scmp_put_annotation(&o);
	json_put_close(&o, '}');
	/* no annotation changes what is done */
	json_put_open(&o, "potentiallyUnsafeConfigAnnotations", '[');
	json_put_close(&o, ']');
	json_put_close(&o, '}');
	base_puts(&o.t, "\n");
	show_print(&o.t);
	return 0;
}

/* go-runc reads nothing but "runc version" where it called us runc. */
static int
show_version(const struct run_opts *o, char **argv)
{
	struct text t = { 0 };

	(void)o;
	(void)argv;
	base_putf(&t, "%s version %s\ncommit: %s\nspec: %s\n",
	    strcmp(show_argv0, "runc") ? "ocirt" : "runc", VERSION, COMMIT,
	    SPEC_VERSION);
	scmp_put_version(&t);
	show_print(&t);
	return 0;
}

/* == 27 CMD ============================================= cmd_ ==== [rows]
 * Owns:   commands and options in two tables: parser, help, man page and
 *         completion are all read from them, so they cannot disagree.
 * Calls:  all rooms above.
 * Runs:   parent.
 * Change: a new option is one row in cmd_options; a new command is one bit,
 *         one row in cmds and one function. Names, texts and exit codes are
 *         runc's, for engines know them.
 */
enum {
	C_GLOBAL = 1 << 0,
	C_CREATE = 1 << 1,
	C_RUN = 1 << 2,
	C_START = 1 << 3,
	C_EXEC = 1 << 4,
	C_KILL = 1 << 5,
	C_DELETE = 1 << 6,
	C_STATE = 1 << 7,
	C_LIST = 1 << 8,
	C_PS = 1 << 9,
	C_PLAN = 1 << 10,
	C_SPEC = 1 << 11,
	C_FEATURES = 1 << 12,
	C_VERSION = 1 << 13,
	C_HELP = 1 << 14,
	C_CHECKPOINT = 1 << 20,
	C_RESTORE = 1 << 21,
	C_PAUSE = 1 << 15,
	C_RESUME = 1 << 16,
};
#define C_START_ANY (C_CREATE | C_RUN | C_EXEC)
#define C_CRIU (C_CHECKPOINT | C_RESTORE)

enum cmd_type { O_BOOL, O_STRING, O_LIST };

struct cmd_option {
	const char *name;
	char letter; /* 0: none */
	const char *arg;
	enum cmd_type type;
	size_t at;
	unsigned cmds;
	const char *text;
};

/* clang-format off */
#define OPT(type, member) type, offsetof(struct run_opts, member)
static const struct cmd_option cmd_options[] = {
	{ "root",            0,  "DIR",    OPT(O_STRING, root),            C_GLOBAL, "directory for the state of containers (default " STATEDIR ")" },
	{ "log",             0,  "FILE",   OPT(O_STRING, log),             C_GLOBAL, "append errors to FILE too" },
	{ "log-format",      0,  "FORMAT", OPT(O_STRING, log_format),      C_GLOBAL, "text (default) or json" },
	{ "debug",           0,  NULL,     OPT(O_BOOL,   debug),           C_GLOBAL, "say what is done, and all notes" },
	{ "systemd-cgroup",  0,  NULL,     OPT(O_BOOL,   systemd_cgroup),  C_GLOBAL, "systemd makes the cgroups (not in this version)" },
	{ "cgroup-manager",  0,  "NAME",   OPT(O_STRING, cgroup_manager),  C_GLOBAL, "cgroupfs (default), disabled, or systemd (not in this version)" },
	{ "rootless",        0,  "BOOL",   OPT(O_STRING, rootless),        C_GLOBAL, "run without cgroups that may not be made (default auto)" },
	{ "rootless",        0,  NULL,     OPT(O_BOOL,   spec_rootless),   C_SPEC, "for a container of the user who calls" },
	{ "criu",            0,  "PATH",   OPT(O_STRING, criu),            C_GLOBAL, "accepted and ignored" },
	{ "version",         'v', NULL,    OPT(O_BOOL,   version),         C_GLOBAL, "print the version" },
	{ "help",            'h', NULL,    OPT(O_BOOL,   help),            ~0u,      "show help" },
	{ "id",              0,  "ID",     OPT(O_STRING, id),              C_GLOBAL, "the container's id, where old command lines have no argument for it" },
	{ "upgrade",         0,  NULL,     OPT(O_BOOL,   upgrade),         C_SPEC, "print the bundle's config as one of " SPEC_VERSION ", change no file" },
	{ "bundle",          'b', "DIR",   OPT(O_STRING, bundle),          C_CREATE | C_RUN | C_START | C_RESTORE | C_PLAN | C_SPEC, "the bundle, a directory (default .)" },
	{ "console-socket",  0,  "SOCKET", OPT(O_STRING, console_socket),  C_START_ANY | C_RESTORE, "send the terminal's master end to this unix socket" },
	{ "pidfd-socket",    0,  "SOCKET", OPT(O_STRING, pidfd_socket),    C_START_ANY, "send a handle on the process to this unix socket" },
	{ "pid-file",        0,  "FILE",   OPT(O_STRING, pid_file),        C_START_ANY | C_START | C_RESTORE, "write the process id to FILE" },
	{ "preserve-fds",    0,  "N",      OPT(O_STRING, preserve_fds),    C_START_ANY, "pass N descriptors from 3 on (behind $LISTEN_FDS)" },
	{ "detach",          'd', NULL,    OPT(O_BOOL,   detach),          C_RUN | C_START | C_EXEC | C_RESTORE, "return when the program runs" },
	{ "keep",            0,  NULL,     OPT(O_BOOL,   keep),            C_RUN, "do not delete the container when it ends" },
	{ "no-subreaper",    0,  NULL,     OPT(O_BOOL,   no_subreaper),    C_RUN | C_START | C_EXEC | C_RESTORE, "do not adopt orphaned processes" },
	{ "no-pivot",        0,  NULL,     OPT(O_BOOL,   no_pivot),        C_CREATE | C_RUN | C_START | C_RESTORE, "accepted; the root is always pivoted" },
	{ "no-new-keyring",  0,  NULL,     OPT(O_BOOL,   no_new_keyring),  C_CREATE | C_RUN, "keep the caller's session keyring" },
	{ "cwd",             0,  "DIR",    OPT(O_STRING, cwd),             C_EXEC, "working directory in the container" },
	{ "env",             'e', "K=V",   OPT(O_LIST,   env),             C_EXEC, "set an environment variable" },
	{ "tty",             't', NULL,    OPT(O_BOOL,   tty),             C_EXEC, "give the program a terminal" },
	{ "user",            'u', "UID[:GID]", OPT(O_STRING, user),        C_EXEC, "run as this user" },
	{ "additional-gids", 'g', "GID",   OPT(O_LIST,   gids),            C_EXEC, "add a group" },
	{ "process",         'p', "FILE",  OPT(O_STRING, process),         C_EXEC, "take the whole process object from FILE" },
	{ "process-label",   0,  "LABEL",  OPT(O_STRING, label),           C_EXEC, "SELinux label of the process" },
	{ "apparmor",        0,  "PROFILE", OPT(O_STRING, apparmor),       C_EXEC, "AppArmor profile of the process" },
	{ "no-new-privs",    0,  NULL,     OPT(O_BOOL,   no_new_privs),    C_EXEC, "no privileges by set-user-id programs" },
	{ "cap",             'c', "CAP",   OPT(O_LIST,   caps),            C_EXEC, "add a capability" },
	{ "cgroup",          0,  "PATH",   OPT(O_LIST,   cgroup),          C_EXEC, "run in this cgroup below the container's" },
	{ "ignore-paused",   0,  NULL,     OPT(O_BOOL,   ignore_paused),   C_EXEC, "exec in a paused container too" },
	{ "image-path",      0,  "DIR",    OPT(O_STRING, image_path),      C_CRIU, "directory of the checkpoint (default ./checkpoint)" },
	{ "work-path",       0,  "DIR",    OPT(O_STRING, work_path),       C_CRIU, "directory for criu's log (default the checkpoint's)" },
	{ "parent-path",     0,  "DIR",    OPT(O_STRING, parent_path),     C_CHECKPOINT, "an earlier pre-dump, relative to the checkpoint" },
	{ "pre-dump",        0,  NULL,     OPT(O_BOOL,   pre_dump),        C_CHECKPOINT, "write down the memory only, the container runs on" },
	{ "leave-running",   0,  NULL,     OPT(O_BOOL,   leave_running),   C_CHECKPOINT, "the container runs on" },
	{ "tcp-established", 0,  NULL,     OPT(O_BOOL,   tcp_established), C_CRIU, "allow open TCP connections" },
	{ "tcp-skip-in-flight", 0, NULL,   OPT(O_BOOL,   tcp_skip_in_flight), C_CHECKPOINT, "leave out TCP connections that are being made" },
	{ "ext-unix-sk",     0,  NULL,     OPT(O_BOOL,   ext_unix_sk),     C_CRIU, "allow unix sockets to the outside" },
	{ "shell-job",       0,  NULL,     OPT(O_BOOL,   shell_job),       C_CRIU, "allow a terminal from the outside" },
	{ "file-locks",      0,  NULL,     OPT(O_BOOL,   file_locks),      C_CRIU, "keep file locks" },
	{ "link-remap",      0,  NULL,     OPT(O_BOOL,   link_remap),      C_CHECKPOINT, "give unlinked open files a name" },
	{ "auto-dedup",      0,  NULL,     OPT(O_BOOL,   auto_dedup),      C_CRIU, "drop pages from the images that are no longer needed" },
	{ "lazy-pages",      0,  NULL,     OPT(O_BOOL,   lazy_pages),      C_CRIU, "serve the memory while the restored container runs" },
	{ "status-fd",       0,  "N",      OPT(O_STRING, status_fd),       C_CHECKPOINT, "criu says here that lazy pages can be asked for" },
	{ "page-server",     0,  "ADDRESS:PORT", OPT(O_STRING, page_server), C_CHECKPOINT, "send the memory to a criu page server" },
	{ "manage-cgroups-mode", 0, "MODE", OPT(O_STRING, cgroups_mode),   C_CRIU, "soft (default), full, strict or ignore" },
	{ "empty-ns",        0,  "NAMESPACE", OPT(O_LIST, empty_ns),       C_CRIU, "leave the namespace (network) as it is when new" },
	{ "lsm-profile",     0,  "TYPE:NAME", OPT(O_STRING, lsm_profile),  C_RESTORE, "another profile: apparmor:NAME or selinux:LABEL" },
	{ "lsm-mount-context", 0, "CONTEXT", OPT(O_STRING, lsm_mount_context), C_RESTORE, "another context for mounts that have one" },
	{ "all",             'a', NULL,    OPT(O_BOOL,   all),             C_KILL, "signal all processes of the container" },
	{ "force",           'f', NULL,    OPT(O_BOOL,   force),           C_DELETE, "kill it if it still runs" },
	{ "format",          'f', "FORMAT", OPT(O_STRING, format),         C_LIST | C_PS, "table (default) or json" },
	{ "format",          'f', "FORMAT", OPT(O_STRING, format),         C_PLAN, "text (default) or json" },
	{ "quiet",           'q', NULL,    OPT(O_BOOL,   quiet),           C_LIST, "ids only" },
};
#undef OPT
/* clang-format on */

struct cmd {
	const char *name, *args, *text;
	unsigned bit;
	int min, max; /* positional arguments; max -1: any number */
	bool stop;    /* options end at the first positional argument */
	int (*run)(const struct run_opts *, char **);
	const char *about;
};

static int
cmd_create(const struct run_opts *o, char **argv)
{
	return run_create(o, argv[0]);
}

static int
cmd_run(const struct run_opts *o, char **argv)
{
	return run_run(o, argv[0]);
}

static int
cmd_start(const struct run_opts *o, char **argv)
{
	return run_start(o, argv[0]);
}

static int
cmd_delete(const struct run_opts *o, char **argv)
{
	return run_delete(o, argv[0]);
}

static int
cmd_pause(const struct run_opts *o, char **argv)
{
	return run_pause(o, argv[0]);
}

static int
cmd_resume(const struct run_opts *o, char **argv)
{
	return run_resume(o, argv[0]);
}

static int
cmd_exec(const struct run_opts *o, char **argv)
{
	return exec_run(o, argv[0], argv + 1);
}

static int
cmd_checkpoint(const struct run_opts *o, char **argv)
{
	return criu_checkpoint(o, argv[0]);
}

static int
cmd_restore(const struct run_opts *o, char **argv)
{
	return criu_restore(o, argv[0]);
}

static int
cmd_kill(const struct run_opts *o, char **argv)
{
	int sig = SIGTERM;

	if (argv[1] && (sig = tab_signal_of(argv[1])) < 0)
		err_die("unknown signal \"%s\"", argv[1]);
	return run_kill(o, argv[0], sig);
}

static int cmd_help(const struct run_opts *, char **); /* the table cycle */

/* clang-format off */
static const struct cmd cmds[] = {
	{ "create",   "ID",              "create a container",                    C_CREATE,   1, 1,  false, cmd_create,
	  "Makes the container and leaves its program waiting for start. The bundle is\na directory with config.json and a root file system." },
	{ "run",      "ID",              "create and run a container",            C_RUN,      1, 1,  false, cmd_run,
	  "Creates and starts the container, passes signals and the terminal on, and\nends with the program's status after deleting the container. With --detach\nreturns as soon as the program runs." },
	{ "start",    "ID",              "start a created container",             C_START,    1, 1,  false, cmd_start,
	  "Lets the program of a created container run. As old command lines had it, it\nis run instead without an ID, with an option, or where there is no such\ncontainer but a config.json of a version before 1.0." },
	{ "exec",     "ID CMD [ARG...]", "run a program in a container",          C_EXEC,     1, -1, true,  cmd_exec,
	  "Joins the container and ends with the program's status; 255 when the program\ncould not be run. With --process the program comes from FILE." },
	{ "kill",     "ID [SIGNAL]",     "send a signal to a container",          C_KILL,     1, 2,  true,  cmd_kill,
	  "SIGNAL is a number or a name, TERM unless given." },
	{ "pause",    "ID",              "freeze the processes of a container",   C_PAUSE,    1, 1,  false, cmd_pause,
	  "Returns when all of them stand still. Needs the freezer of cgroups." },
	{ "resume",   "ID",              "let the processes of a container run again", C_RESUME, 1, 1, false, cmd_resume,
	  "Ends what pause began." },
	{ "delete",   "ID",              "delete a stopped container",            C_DELETE,   1, 1,  false, cmd_delete,
	  "Removes all that create made. A created container is killed; a running one\nonly with --force, which also makes it no error when there is none." },
	{ "checkpoint", "ID",            "write a running container down",        C_CHECKPOINT, 1, 1, false, cmd_checkpoint,
	  "criu writes the container's processes into images and ends them; the container\nis deleted then, unless --leave-running or --pre-dump is given." },
	{ "restore",  "ID",              "bring a container back from a checkpoint", C_RESTORE, 1, 1, false, cmd_restore,
	  "Makes the container of the bundle as run does, but its processes come from\nthe images that checkpoint wrote, and go on where they were." },
	{ "state",    "ID",              "print the state of a container",        C_STATE,    1, 1,  false, show_state,
	  "Prints one JSON object, as the runtime specification has it." },
	{ "list",     "",                "list the containers",                   C_LIST,     0, 0,  false, show_list,
	  "Lists the containers of all state directories, or of --root." },
	{ "ps",       "ID [PS-ARG...]",  "list the processes of a container",     C_PS,       1, -1, true,  show_ps,
	  "Prints the rows of the host's ps (-ef unless arguments are given) that are\nabout the container, or with --format json their ids." },
	{ "plan",     "[ID]",            "print what run would do, without doing it", C_PLAN, 0, 1,  false, show_plan,
	  "Reads the bundle and this host and prints every step. Needs no privilege and\nchanges nothing." },
	{ "spec",     "",                "write an example config.json",          C_SPEC,     0, 0,  false, show_spec,
	  "Writes config.json for a shell in ./rootfs. Never overwrites one.\nWhere stdout is an empty config.json, prints it there. With --upgrade prints\nthe config that is there, of any version since 2015, as one of today, and\nchanges no file: send it to another one." },
	{ "features", "",                "print what this build can do",          C_FEATURES, 0, 0,  false, show_features,
	  "Prints one JSON object, as the runtime specification has it." },
	{ "version",  "",                "print the version",                     C_VERSION,  0, 0,  false, show_version,
	  "" },
	{ "help",     "[COMMAND|man|bash|steps|cgroup]", "show help, the man page, the bash completion", C_HELP, 0, 1, false, cmd_help,
	  "man prints the manual page as roff, bash a completion script, steps the\nsteps of a container's birth and why each stands where it does, cgroup the\nfile of each resource on cgroup v1 and v2." },
};
/* clang-format on */

/* "--bundle DIR, -b DIR" */
static char *
cmd_option_words(const struct cmd_option *o)
{
	struct text t = { 0 };

	base_putf(
	    &t, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	if (o->letter)
		base_putf(&t, ", -%c%s%s", o->letter, o->arg ? " " : "",
		    o->arg ? o->arg : "");
	return t.p;
}

static void
cmd_put_options(struct text *t, unsigned bit)
{
	const struct cmd_option *o;

	base_puts(t, "\nOPTIONS:\n");
	for (o = cmd_options; o < cmd_options + LEN(cmd_options); o++)
		if (o->cmds & bit)
			base_putf(
			    t, "   %-32s %s\n", cmd_option_words(o), o->text);
}

/* The usage of one command, or of all when c is NULL. */
static void
cmd_put_usage(struct text *t, const struct cmd *c)
{
	const struct cmd *k;

	if (c) {
		base_putf(t,
		    "NAME:\n   ocirt %s - %s\n\nUSAGE:\n"
		    "   ocirt %s [options] %s\n",
		    c->name, c->text, c->name, c->args);
		if (*c->about)
			base_putf(t, "\nDESCRIPTION:\n%s\n", c->about);
		cmd_put_options(t, c->bit);
		return;
	}
	base_puts(t, "NAME:\n   ocirt - run OCI containers\n\nUSAGE:\n"
		     "   ocirt [global options] COMMAND [options] [ARG...]\n\n"
		     "VERSION:\n   " VERSION "\n\nCOMMANDS:\n");
	for (k = cmds; k < cmds + LEN(cmds); k++)
		base_putf(t, "   %-10s %s\n", k->name, k->text);
	cmd_put_options(t, C_GLOBAL);
	base_puts(t, "\n\"ocirt help COMMAND\" tells more.\n");
}

static const struct cmd *
cmd_find(const char *name)
{
	size_t i;

	for (i = 0; i < LEN(cmds); i++)
		if (!strcmp(cmds[i].name, name))
			return &cmds[i];
	return NULL;
}

/* s as roff text: '-' is a minus sign, a line may not begin with a dot. */
static void
cmd_put_roff(struct text *t, const char *s)
{
	const char *from = s;

	for (; *s; s++) {
		if (*s == '-' || *s == '\\')
			base_puts(t, "\\");
		else if ((*s == '.' || *s == '\'') &&
			 (s == from || s[-1] == '\n'))
			base_puts(t, "\\&");
		base_put(t, s, 1);
	}
}

static void
cmd_put_man_options(struct text *t, unsigned bit)
{
	const struct cmd_option *o;

	for (o = cmd_options; o < cmd_options + LEN(cmd_options); o++) {
		if (!(o->cmds & bit) || (o->cmds == ~0u && bit != C_GLOBAL))
			continue;
		base_puts(t, ".TP\n.B ");
		cmd_put_roff(t, cmd_option_words(o));
		base_puts(t, "\n");
		cmd_put_roff(t, o->text);
		base_puts(t, "\n");
	}
}

/* The man page: prose from here, commands and options from the tables. */
static void
cmd_put_man(struct text *t)
{
	const struct cmd *c;

	base_puts(t,
	    ".TH OCIRT 8 \"\" \"ocirt " VERSION "\"\n"
	    ".SH NAME\nocirt \\- run OCI containers\n"
	    ".SH SYNOPSIS\n.B ocirt\n[global options] COMMAND [options] "
	    "[ARG...]\n"
	    ".SH DESCRIPTION\n"
	    "ocirt runs a bundle: a directory with config.json, as the OCI "
	    "runtime specification describes it, and a root file system. It "
	    "takes the command line of runc and can stand in its place under "
	    "container engines.\n.PP\n"
	    "Options are written \\-\\-name VALUE or \\-\\-name=VALUE, with "
	    "one dash or two. Boolean options take =true and =false.\n"
	    ".SH GLOBAL OPTIONS\n");
	cmd_put_man_options(t, C_GLOBAL);
	base_puts(t, ".SH COMMANDS\n");
	for (c = cmds; c < cmds + LEN(cmds); c++) {
		base_putf(t, ".SS %s ", c->name);
		cmd_put_roff(t, c->args);
		base_puts(t, "\n");
		cmd_put_roff(t, c->text);
		base_puts(t, ".\n");
		cmd_put_roff(t, c->about);
		base_puts(t, "\n");
		cmd_put_man_options(t, c->bit);
	}
	base_puts(t,
	    ".SH EXIT STATUS\n"
	    "0 on success, 1 on an error, 3 for an unknown command. run and "
	    "exec end with the status of the program, 128 and the number of "
	    "the signal that killed it; exec ends with 255 when the program "
	    "could not be run.\n"
	    ".SH ENVIRONMENT\n"
	    ".TP\n.B OCIRT_ROOT\nState directory, where \\-\\-root is not "
	    "given.\n"
	    ".TP\n.B XDG_RUNTIME_DIR\nState of an ordinary user goes into "
	    "ocirt below it.\n"
	    ".TP\n.B LISTEN_FDS, LISTEN_PID\nDescriptors that systemd passed "
	    "are passed on.\n"
	    ".TP\n.B NOTIFY_SOCKET\nWhen the program says READY=1, that and "
	    "its pid go there; run \\-\\-detach and start wait for it.\n"
	    ".SH FILES\n"
	    ".TP\n.I " STATEDIR "/ID\nState of a container. Where that cannot "
	    "be made, $XDG_RUNTIME_DIR/ocirt and /dev/shm/ocirt\\-UID are "
	    "tried.\n");
}

/* A completion for bash: commands, then the options of the command. */
static void
cmd_put_bash(struct text *t)
{
	const struct cmd_option *o;
	const struct cmd *c;

	base_puts(t, "_ocirt()\n{\n"
		     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} i cmd= words=\n"
		     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	for (c = cmds; c < cmds + LEN(cmds); c++)
		base_putf(t, "%s%s", c == cmds ? "" : "|", c->name);
	base_puts(t, ") cmd=${COMP_WORDS[i]}; break ;;\n\t\tesac\n\tdone\n"
		     "\tcase $cmd in\n");
	for (c = cmds; c < cmds + LEN(cmds); c++) {
		base_putf(t, "\t%s) words=\"", c->name);
		for (o = cmd_options; o < cmd_options + LEN(cmd_options); o++)
			if (o->cmds & c->bit)
				base_putf(t, "--%s ", o->name);
		base_puts(t, "\" ;;\n");
	}
	base_puts(t, "\t*) words=\"");
	for (c = cmds; c < cmds + LEN(cmds); c++)
		base_putf(t, "%s ", c->name);
	for (o = cmd_options; o < cmd_options + LEN(cmd_options); o++)
		if (o->cmds & C_GLOBAL)
			base_putf(t, "--%s ", o->name);
	base_puts(t,
	    "\" ;;\n\tesac\n"
	    "\tif [[ $cmd && $cur != -* ]]; then\n"
	    "\t\tcase $cmd in start|exec|checkpoint|kill|pause|resume|delete|"
	    "state|ps)\n"
	    "\t\t\twords=$(ocirt list -q 2>/dev/null) ;;\n"
	    "\t\tesac\n\tfi\n"
	    "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
	    "\"$cur\")\n"
	    "}\ncomplete -o default -F _ocirt ocirt\n");
}

static void
cmd_put_steps(
    struct text *t, const char *title, const struct init_step *s, size_t n)
{
	base_putf(t, "%s\n", title);
	for (; n--; s++)
		base_putf(t, "  %-12s %s\n", s->name, s->why);
}

/* A cell of the table of limits: the file, or why there is none. */
static const char *
cmd_limit_file(const char *file, limit_as *as)
{
	if (as == limit_unified)
		return "FILE";
	if (as == limit_hugepages)
		return base_fmt("hugetlb.SIZE.%s", file);
	if (as == limit_ignored)
		return "ignored";
	return *file ? file : as == limit_silent ? "always" : "-";
}

static void
cmd_put_limits(struct text *t)
{
	const struct limit_knob *k = limit_knob;
	const char *v1;

	base_puts(t, "linux.resources                 cgroup v1"
		     "                          cgroup v2\n");
	for (; k < limit_knob + LEN(limit_knob); k++) {
		v1 = k->v1_as == limit_unified ?
			 "-" :
			 cmd_limit_file(k->v1_file, k->v1_as);
		base_putf(t, "%-31s %-34s %s\n", k->field, v1,
		    cmd_limit_file(k->v2_file, k->v2_as));
	}
	base_puts(t, "devices                         devices.allow, deny"
		     "                a filter (CONFIG_CGROUP_BPF)\n");
}

static int
cmd_help(const struct run_opts *o, char **argv)
{
	const struct cmd *c = argv[0] ? cmd_find(argv[0]) : NULL;
	struct text t = { 0 };

	(void)o;
	if (!argv[0] || c) {
		cmd_put_usage(&t, c);
	} else if (!strcmp(argv[0], "man")) {
		cmd_put_man(&t);
	} else if (!strcmp(argv[0], "bash")) {
		cmd_put_bash(&t);
	} else if (!strcmp(argv[0], "steps")) {
		cmd_put_steps(
		    &t, "create and run:", init_steps, LEN(init_steps));
		cmd_put_steps(
		    &t, "exec:", init_exec_steps, LEN(init_exec_steps));
		cmd_put_steps(&t,
		    "before, with joined or time namespaces:", init_stage_steps,
		    LEN(init_stage_steps));
	} else if (!strcmp(argv[0], "cgroup")) {
		cmd_put_limits(&t);
	} else {
		err.status = 3;
		err_die("No help topic for '%s'", argv[0]);
	}
	show_print(&t);
	return 0;
}

/* ---- parsing ---- */

/* Open the log before anything can fail: engines read the reason there. */
static void
cmd_open_log(const struct run_opts *o)
{
	err.debug = o->debug;
	if (o->log_format && !strcmp(o->log_format, "json"))
		err.json = true;
	if (o->log && *o->log && err.fd < 0) {
		err.fd = sys_open(AT_FDCWD, o->log,
		    O_WRONLY | O_APPEND | O_CREAT | O_SYNC, 0644);
		if (err.fd < 0)
			err_die("open log %s:", o->log);
	}
	if (o->log_format && strcmp(o->log_format, "json") &&
	    strcmp(o->log_format, "text"))
		err_die("invalid log-format: %s", o->log_format);
}

/* Usage on stdout, the reason on stderr and in the log. */
NORETURN PRINTF(3, 4)
static void
cmd_usage_die(
    const struct run_opts *o, const struct cmd *c, const char *fmt, ...)
{
	struct text t = { 0 }, why = { 0 };
	va_list ap;

	va_start(ap, fmt);
	base_vputf(&why, fmt, ap);
	va_end(ap);
	cmd_open_log(o);
	base_puts(&t, "Incorrect Usage.\n\n");
	cmd_put_usage(&t, c);
	show_print(&t);
	err_die("%s", why.p);
}

static const struct cmd_option *
cmd_find_option(const char *name, size_t n, unsigned bit)
{
	const struct cmd_option *o;

	for (o = cmd_options; o < cmd_options + LEN(cmd_options); o++)
		if ((o->cmds & bit) &&
		    ((n == strlen(o->name) && !strncmp(o->name, name, n)) ||
			(n == 1 && *name == o->letter)))
			return o;
	return NULL;
}

/* Go's idea of a boolean. */
static int
cmd_bool(const char *s)
{
	static const char *const word[] = { "0", "f", "F", "false", "FALSE",
		"False", "1", "t", "T", "true", "TRUE", "True" };
	size_t i;

	for (i = 0; i < LEN(word); i++)
		if (!strcmp(s, word[i]))
			return i >= 6;
	return -1;
}

static void
cmd_set(struct run_opts *to, const struct cmd *c, const struct cmd_option *o,
    const char *value)
{
	char *at = (char *)to + o->at;
	int b;

	if (o->type == O_STRING) {
		*(const char **)(void *)at = value;
	} else if (o->type == O_LIST) {
		*(char ***)(void *)at = base_join(
		    *(char ***)(void *)at, (char *[]){ base_dup(value), NULL });
	} else {
		b = value ? cmd_bool(value) : 1;
		if (b < 0)
			cmd_usage_die(to, c,
			    "invalid boolean value \"%s\" for -%s", value,
			    o->name);
		*(bool *)at = b;
	}
}

/* Take the options of one command out of argv; what is left are its
 * arguments, NULL at the end, their number is returned. c NULL: the global
 * options, which end at the command's name. */
static int
cmd_parse(struct run_opts *to, const struct cmd *c, char **argv)
{
	unsigned bit = c ? c->bit : C_GLOBAL;
	const struct cmd_option *o;
	const char *name, *value;
	size_t n;
	int in, out = 0;

	for (in = 0; argv[in]; in++) {
		name = argv[in];
		if (*name != '-' || !name[1]) {
			argv[out++] = argv[in];
			if (!c || c->stop) {
				in++;
				break;
			}
			continue;
		}
		if (!strcmp(name, "--")) {
			in++;
			break;
		}
		name += 1 + (name[1] == '-');
		n = strcspn(name, "=");
		value = name[n] ? name + n + 1 : NULL;
		o = cmd_find_option(name, n, bit);
		if (!o)
			cmd_usage_die(to, c,
			    "flag provided but not defined: -%.*s", (int)n,
			    name);
		if (o->type != O_BOOL && !value) {
			value = argv[in + 1];
			if (!value)
				cmd_usage_die(to, c,
				    "flag needs an argument: -%.*s", (int)n,
				    name);
			in++;
		}
		cmd_set(to, c, o, value);
	}
	while (argv[in])
		argv[out++] = argv[in++];
	argv[out] = NULL;
	return out;
}

/* Engines ask for the help of checkpoint to learn whether it works (C8). */
static int
cmd_help_of(const struct run_opts *o, const struct cmd *c)
{
	const char *why = c->bit == C_CHECKPOINT ? criu_missing() : NULL;

	cmd_help(o, (char *[]){ base_dup(c->name), NULL });
	if (why)
		err_die("%s cannot work here: %s", c->name, why);
	return 0;
}

static void
cmd_check_globals(const struct run_opts *o)
{
	if (o->root && (!*o->root || !strcmp(run_abs(o->root), "/")))
		err_die("Option --root argument should not be set to %s",
		    *o->root ? "/" : "nothing");
	if (o->rootless && *o->rootless && strcmp(o->rootless, "auto") &&
	    cmd_bool(o->rootless) < 0)
		err_die("--rootless: expected true, false or auto");
	if (o->cgroup_manager && strcmp(o->cgroup_manager, "cgroupfs") &&
	    strcmp(o->cgroup_manager, "systemd") &&
	    strcmp(o->cgroup_manager, "disabled"))
		err_die("--cgroup-manager: '%s' is not cgroupfs, systemd or "
			"disabled",
		    o->cgroup_manager);
}

static void
cmd_check_count(const struct run_opts *o, const struct cmd *c, int n)
{
	if (n < c->min && c->max != c->min)
		cmd_usage_die(o, c,
		    "\"%s\" requires a minimum of %d argument(s)", c->name,
		    c->min);
	if (n < c->min || (c->max == c->min && n > c->max))
		cmd_usage_die(o, c, "\"%s\" requires exactly %d argument(s)",
		    c->name, c->min);
	if (c->max >= 0 && n > c->max)
		cmd_usage_die(o, c,
		    "\"%s\" requires a maximum of %d argument(s)", c->name,
		    c->max);
}

/* ---- command lines of 2015 and 2016 (before 1.0.0-rc1) ---- */

struct cmd_old {
	struct run run;
	unsigned era;
};

static void
cmd_read_era(void *arg)
{
	struct cmd_old *old = arg;
	struct json j, runtime;

	run_parse_bundle(&old->run, &j, &runtime);
	old->era = leg_era(&j);
	if (old->era == LEG_1 && json_get(&j, 0, "ociVersion") < 0)
		old->era = LEG_C;
}

/* The generation of the bundle; today's when there is none. One without a
 * version counts as old: start was all that its writers knew. */
static unsigned
cmd_era(const struct run_opts *o)
{
	struct cmd_old *old = base_alloc(sizeof *old);

	old->run.opts = o;
	return err_try(cmd_read_era, old) ? old->era : LEG_1;
}

/* Where no id was given it was the name of the current directory. */
static char *
cmd_old_id(const struct run_opts *o)
{
	char *cwd = run_abs(NULL);

	return o->id ? base_dup(o->id) : strrchr(cwd, '/') + 1;
}

static bool
cmd_is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool
cmd_is_container(const struct run_opts *o, const char *id)
{
	struct state st;
	bool found = state_is_id(id) && state_find(&st, o->root, id);

	if (found)
		sys_close(&st.dir);
	return found;
}

/* start was create and start in one. A bare ID that is not there means that
 * with an old config alone: an engine whose container is gone runs in the
 * bundle's directory too, and must hear of it. */
static bool
cmd_starts_new(const struct run_opts *o, char *const *args, int n)
{
	if (o->bundle || o->detach || o->pid_file || o->no_pivot ||
	    o->no_subreaper)
		return true;
	if ((n || o->id) && cmd_is_container(o, n ? args[0] : o->id))
		return false;
	return n ? cmd_era(o) != LEG_1 : cmd_is_file("config.json");
}

/* Give an old command line today's arguments and command. */
static int
cmd_modern(struct run_opts *o, const struct cmd **c, char ***args, int n)
{
	bool id = o->id;

	if ((*c)->bit == C_EXEC && n == 1 && !o->process &&
	    cmd_is_file(**args) && (id || !cmd_is_container(o, **args))) {
		o->process = **args;
		**args = cmd_old_id(o);
		return n;
	}
	if ((*c)->bit == C_START && cmd_starts_new(o, *args, n)) {
		*c = cmd_find("run");
		id = true;
	}
	if (!id || strncmp((*c)->args, "ID", 2) ||
	    ((*c)->max >= 0 && n >= (*c)->max))
		return n;
	*args = base_join((char *[]){ cmd_old_id(o), NULL }, *args);
	return n + 1;
}

/* No command at all: a pre-draft config in the current directory was run, or
 * the one that was named. Such a file says what it is; any other gets help. */
static const struct cmd *
cmd_bare(struct run_opts *o, char ***args, int n)
{
	if (n > 1 || (n && !cmd_is_file(**args)))
		return NULL;
	o->config = n ? **args : NULL;
	if (cmd_era(o) != LEG_A)
		return NULL;
	*args = base_join((char *[]){ cmd_old_id(o), NULL }, NULL);
	return cmd_find("run");
}

/* Find the command in argv and run it; its exit status. */
static int
cmd_main(char **argv)
{
	static struct run_opts o;
	char **copy = base_join(argv + 1, NULL);
	const struct cmd *c;
	int n;

	n = cmd_parse(&o, NULL, copy);
	cmd_open_log(&o);
	cmd_check_globals(&o);
	if (o.version)
		return show_version(&o, copy);
	c = n ? cmd_find(copy[0]) : NULL;
	if (!c && !o.help && (c = cmd_bare(&o, &copy, n))) {
		n = 1;
	} else {
		if (!n || o.help)
			return cmd_help(&o, copy);
		if (!c) {
			err.status = 3;
			err_die("No help topic for '%s'", copy[0]);
		}
		n = cmd_parse(&o, c, ++copy);
		if (!o.help)
			n = cmd_modern(&o, &c, &copy, n);
	}
	if (o.help)
		return cmd_help_of(&o, c);
	cmd_check_count(&o, c, n);
	if (c->bit == C_EXEC)
		err.status = 255;
	if (n && *copy[0] && c->bit != C_HELP)
		err_push("%s %s", c->name, copy[0]);
	else
		err_push("%s", c->name);
	if (c->bit & (C_START_ANY | C_RESTORE))
		run_seal(argv);
	return c->run(&o, copy);
}

/* == 28 MAIN =========================================== main =============
 * Owns:   what must hold before anything else is done.
 * Calls:  CMD.
 * Runs:   parent.
 */

/* Descriptors 0 to 2 are open, so that no file of ours becomes one of them
 * (CVE-2015-3627). A bare host may have no /dev/null. */
static void
main_sanitize(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			fd = (int)syscall(SYS_memfd_create, "null", 0u);
		if (fd < 0)
			err_die("open descriptors 0 to 2:");
	} while (fd < 3);
	close(fd);
}

int
main(int argc, char **argv)
{
	const char *slash;

	if (argc < 1)
		return 1;
	/* Not made to be set-user-id: the caller would own our paths. */
	if (getauxval(AT_SECURE))
		err_die("refusing to run set-user-id");
	main_sanitize();
	slash = strrchr(argv[0], '/');
	show_argv0 = slash ? slash + 1 : argv[0];
	return cmd_main(argv);
}

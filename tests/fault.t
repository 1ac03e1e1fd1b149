#!/bin/sh
# Every system call of create and run fails once: each time the command must
# fail in one line and leave nothing, and the program may not have run. Then
# the runtime is killed at some of them, and the calls that old kernels lack
# are refused. Needs root and strace.
# shellcheck disable=SC2086,SC2119,SC2317
. tests/lib.sh
need_root
need_program strace

# What may fail without harm, and why. Everything else must be an error.
# There is an older way, or it is a probe:
SOFT='clone3 memfd_create pidfd_open openat2 fsopen fsconfig fsmount open_tree move_mount
mount_setattr close_range faccessat access stat readlink uname getrandom fcntl'
# The kernel cannot fail it so, or failing it changes nothing: the descriptors
# 0 to 2 are open, poll is asked again, the affinity and the permissions of
# the keyring are as they were.
SOFT="$SOFT open poll sched_setaffinity keyctl rt_sigaction"
# Another attempt follows, or delete -f: removing after the program ran.
SOFT="$SOFT rmdir unlinkat"
# libc's, or no failure that exists; strace does not close what it fails.
NEVER='brk mmap munmap mprotect arch_prctl set_tid_address set_robust_list rseq
rt_sigreturn rt_sigprocmask exit_group close getpid geteuid getuid getppid
getsid umask wait4 signalfd4 clock_gettime'
# In run only what the program does not call itself: a fault is counted in
# each process, and may not hit it.
RUN='setgroups setresgid setresuid setregid capset pivot_root mount umount2
fchdir chdir keyctl sethostname setdomainname unshare setns ioctl sendmsg
recvmsg socketpair socket mkdir mkdirat symlinkat mknodat setsid dup3 renameat
memfd_create sendfile execveat mount_setattr move_mount open_tree fsopen
fsmount fsconfig close_range clone3 personality seccomp'

# Of a build with sanitizers: what the loader and the sanitizer call as well,
# which end the process in their own way.
FOREIGN=
! grep -q __asan_init "$OCIRT" || FOREIGN='faccessat2 lseek madvise newfstatat
openat pread64 prlimit64 read readlink rt_sigaction sigaltstack'

unset OCIRT_ROOT
mkdir -m 700 "$ROOT"
bundle
config 's/"readonly": true/"readonly": false/'
script ': >/canary'
canary=$B/rootfs/canary
# Once before anything is counted: the first run makes the mount points.
run_b

# calls CMD: "NAME COUNT" for every system call that CMD does before the
# program runs; the highest count of one process
calls()
{
	rm -f "$canary"
	strace -D -f -o "$T/log" "$OCIRT" --root "$ROOT" "$1" -b "$B" "$ID" \
		</dev/null >"$T/out" 2>"$T/err"
	wait_for 5 test -s "$T/log"
	o delete -f "$ID"
	awk '$2 ~ /^(\+|-|<)/ { next }
	done[$1] { next }
	{ c = $2; sub(/\(.*/, "", c); n[$1 " " c]++ }
	/execve\("\/(usr\/)?(local\/)?s?bin/ { done[$1] = 1 }
	END { for (k in n) { split(k, p, " ")
		if (n[k] > max[p[2]]) max[p[2]] = n[k] }
		for (c in max) print c, max[c] }' "$T/log" | sort
}

# is_in WORD WORDS
is_in()
{
	for w in $2; do
		[ "$w" != "$1" ] || return 0
	done
	return 1
}

# fault CMD CALL HOW: one trial; what is wrong with it goes to stdout
fault()
{
	cmd=$1 call=$2 how=$3
	rm -f "$canary"
	timeout -s KILL 20 strace -D -f -qq -o /dev/null -e trace="$call" \
		-e inject="$call:$how" "$OCIRT" --root "$ROOT" "$cmd" \
		-b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err"
	rc=$?
	ran=no
	[ ! -e "$canary" ] || ran=yes
	lines=$(wc -l <"$T/err" | tr -d ' ')
	bad=
	if [ $rc = 0 ]; then
		is_in "$call" "$SOFT" || bad=" succeeds"
		[ "$lines" = 0 ] || bad="$bad prints"
		if [ "$cmd" = create ]; then
			o delete -f "$ID"
		elif [ $ran = no ]; then
			bad="$bad did-not-run"
		fi
	elif [ $rc -ge 124 ]; then
		bad=" status-$rc"
		o delete -f "$ID"
	else
		if [ "$lines" != 1 ] || ! grep -q '^ocirt: ' "$T/err"; then
			bad="$bad $lines-lines:$(head -n 2 "$T/err" | tr '\n' '|')"
		fi
		[ $ran = no ] || bad="$bad ran"
	fi
	nothing_left >"$T/left" 2>&1 || wait_for 2 nothing_left ||
		bad="$bad left:$(tail -n 1 "$T/left")"
	if [ -n "$bad" ]; then
		printf '%s %s %s:%s\n' "$cmd" "$call" "$how" "$bad"
		o delete -f "$ID" >/dev/null 2>&1
		nothing_left >/dev/null 2>&1 || wait_for 2 nothing_left ||
			echo "$cmd $call $how: delete -f leaves it"
		sweep_up
	fi
}

# What outlives a delete that knows nothing of it must not stand in the way
# of the next trial.
sweep_up()
{
	cgroups | while read -r d; do
		rmdir "$d" 2>/dev/null
	done
	rm -rf "${ROOT:?}/$ID"
}

# On an emulated CPU a trial takes a second: the first and last of each call.
few=0
grep -q TCG /proc/cpuinfo && few=1

for cmd in create run; do
	calls $cmd >"$T/calls"
	check "$cmd is seen to make its calls" test 4 = \
		"$(grep -cE '^(mount|execve|capset|pivot_root) ' "$T/calls")"
	while read -r call n; do
		is_in "$call" "$NEVER" && continue
		[ $cmd = create ] || is_in "$call" "$RUN" || continue
		if is_in "$call" "$FOREIGN"; then
			skip "L8: $cmd: $call may fail" \
				"the sanitizer makes this call itself"
			continue
		fi
		k=1
		# The first execve is strace's.
		[ "$call" = execve ] && k=2
		: >"$T/bad"
		while [ $k -le "$n" ]; do
			fault $cmd "$call" "error=EIO:when=$k" >>"$T/bad"
			k=$((k + (few ? n - (n > 1) : 1)))
		done
		is "L8: $cmd: $call may fail, each of $n times" "$(cat "$T/bad")" ''
	done <"$T/calls"
done

# Some fail in their own way, and more than once.
for e in setgroups:EPERM setresuid:EAGAIN setresgid:EPERM capset:EPERM \
	pivot_root:EINVAL sethostname:EPERM mount:EPERM chdir:EACCES \
	socketpair:EMFILE memfd_create:ENOMEM write:ENOSPC mkdir:ENOSPC \
	renameat:ENOSPC mknodat:ENOSPC; do
	call=${e%:*}
	grep -q "^$call " "$T/calls" || continue
	fault create "$call" "error=${e#*:}:when=1+7" >"$T/bad"
	is "L8: create: $call fails with ${e#*:}" "$(cat "$T/bad")" ''
done

# ---- the runtime is killed; delete -f must find what is left ----

calls create >"$T/calls"
for call in mkdirat mkdir openat write renameat clone3 sendmsg recvmsg mount \
	openat2 move_mount mknodat pivot_root setresuid capset execveat; do
	n=$(sed -n "s/^$call //p" "$T/calls")
	[ -n "$n" ] || continue
	miss=
	points="1 $((n / 4)) $((n / 2)) $((n - 1)) $n"
	[ "$few" = 0 ] || points=$((n / 2 + 1))
	for k in $(printf '%s\n' $points | sort -un); do
		[ "$k" -ge 1 ] || continue
		rm -f "$canary"
		timeout -s KILL 20 strace -D -f -qq -o /dev/null \
			-e trace="$call" -e inject="$call:signal=KILL:when=$k" \
			"$OCIRT" --root "$ROOT" create -b "$B" "$ID" \
			</dev/null >/dev/null 2>&1
		o state "$ID" >/dev/null 2>&1
		o delete -f "$ID" >"$T/out" 2>&1 ||
			miss="$miss $k:$(cat "$T/out")"
		nothing_left >/dev/null 2>&1 || wait_for 3 nothing_left || {
			miss="$miss $k:left:$(nothing_left | tail -n 1)"
			sweep_up
		}
		[ ! -e "$canary" ] || miss="$miss $k:ran"
	done
	is "L13: create killed at $call: delete -f leaves nothing" "$miss" ''
done

# ---- old kernels, and filters around us ----

bundle
script 'echo it runs'
# old ERRNO CALL...: run works where these calls are refused
old()
{
	e=$1
	shift
	inject=
	for c; do
		inject="$inject -e inject=$c:error=$e"
	done
	# shellcheck disable=SC2086
	timeout -s KILL 20 strace -D -f -qq -o /dev/null \
		-e trace="$(echo "$*" | tr ' ' ,)" $inject \
		"$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null \
		>"$T/out" 2>"$T/err"
	is "$e from $*: run works" "$?:$(cat "$T/out" "$T/err")" '0:it runs'
	nothing_left >/dev/null 2>&1 || wait_for 3 nothing_left ||
		not_ok "$e from $*: nothing is left"
	sweep_up
}
set -- openat2 open_tree fsopen move_mount mount_setattr clone3 close_range \
	pidfd_open
for e in ENOSYS EPERM; do
	for call; do
		old $e "$call"
	done
	old $e "$@"
done
check 'nothing is left at the end' nothing_left

done_testing

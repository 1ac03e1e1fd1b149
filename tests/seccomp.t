#!/bin/sh
# seccomp.t - the system call filter: what it refuses and how, for the program
# and for exec, with and without no_new_privs. tests/probe.c makes the calls.
# Needs root and a build with SECCOMP=1.
# shellcheck disable=SC2119,SC2317,SC2016
. tests/lib.sh
need_root
"$OCIRT" features | sed -n '/"seccomp"/,/}/p' | grep -q '"enabled": true' ||
	skip_all 'built without seccomp'

# filter MEMBERS: linux.seccomp
filter()
{
	config "s~^\t\"linux\": {\$~&\"seccomp\":{$1},~"
}

fresh()
{
	bundle
	cp "$TOP/tests/bin/probe" "$B/rootfs/bin/probe"
}

refused()
{
	if out=$(run_b 2>&1); then
		not_ok "$1"
		diag "it ran: $out"
		return
	fi
	like "$1" "$out" "$2"
	if ! nothing_left >"$T/left" 2>&1; then
		not_ok 'a failure leaves nothing'
		diag "$(cat "$T/left")"
	fi
}

# Calls that are harmless, by their numbers here; personality takes any
# argument.
case $(uname -m) in
x86_64) getppid=110 getuid=102 yield=24 personality=135 ;;
aarch64 | riscv64 | loongarch64)
	getppid=173 getuid=174 yield=124 personality=92
	;;
*) skip_all "the numbers of $(uname -m) are not known here" ;;
esac

calls="probe syscall $getppid; probe syscall $getuid
	probe syscall $personality 0xffffffff; probe syscall $yield"

rules()
{
	fresh
	script "$calls; cat /proc/self/status"
	is 'without a filter all of them work' \
		"$(run_b | head -n 4 | tr '\n' ' ')" 'ok ok ok ok '
	filter '"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getppid","no_such_call"],"action":"SCMP_ACT_ERRNO","errnoRet":61},{"names":["getuid"],"action":"SCMP_ACT_ERRNO"},{"names":["sched_yield"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]'
	cp "$B/config.json" "$T/plain"
	for nnp in true false; do
		cp "$T/plain" "$B/config.json"
		[ $nnp = true ] ||
			config 's/"noNewPrivileges": true/"noNewPrivileges": false/'
		script "$calls; cat /proc/self/status"
		out=$(run_b 2>&1)
		is "ERRNO gives its errnoRet, or EPERM (noNewPrivileges $nnp)" \
			"$(printf '%s\n' "$out" | head -n 4 | tr '\n' ' ')" \
			'errno 61 errno 1 ok errno 38 '
		like "the kernel says: filtered (noNewPrivileges $nnp)" \
			"$out" '^Seccomp:.*2$'
		like "and no_new_privs is as asked ($nnp)" "$out" \
			"^NoNewPrivs:.*$([ $nnp = true ] && echo 1 || echo 0)\$"
		script 'sleep 60'
		o run -d -b "$B" "$ID" </dev/null >"$T/null" 2>&1
		is "exec is filtered too ($nnp)" "$(o exec "$ID" \
			probe syscall $getppid)$(o exec "$ID" grep Seccomp: \
			/proc/self/status | tr -d '\t')" 'errno 61Seccomp:2'
		o delete -f "$ID"
		o create -b "$B" "$ID" </dev/null >"$T/null" 2>&1
		o start "$ID"
		like "create and start filter as run does ($nnp)" \
			"$(cat "/proc/$(pid "$ID")/status")" '^Seccomp:.*2$'
		o delete -f "$ID"
	done
}

# What busybox's sh and the probe need.
needed='read write readv writev open openat close stat fstat lstat newfstatat
statx poll ppoll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask
rt_sigreturn ioctl access faccessat faccessat2 pipe pipe2 dup dup2 dup3 getpid
clone fork vfork clone3 execve exit exit_group wait4 waitid uname fcntl getcwd
chdir readlink readlinkat getuid getgid geteuid getegid getppid setpgid getpgrp
getpgid arch_prctl set_tid_address set_robust_list prctl prlimit64 getrandom
rseq futex gettid tgkill riscv_hwprobe time clock_gettime getdents64 sysinfo
mremap madvise setuid setgid'

default_deny()
{
	allow=
	for n in $needed; do
		allow="$allow,\"$n\""
	done
	for ret in 1 95; do
		fresh
		script "$calls"
		give=
		[ $ret = 1 ] || give=',"defaultErrnoRet":95'
		filter '"defaultAction":"SCMP_ACT_ERRNO"'"$give"',"syscalls":[{"names":['"${allow#,}"'],"action":"SCMP_ACT_ALLOW"},{"names":["sched_yield"],"action":"SCMP_ACT_ERRNO","errnoRet":11}]'
		is "what is not allowed gives the default errno $ret" \
			"$(run_b 2>&1 | tr '\n' ' ')" \
			"ok ok errno $ret errno 11 "
	done
}

# personality's argument, compared with every operator
arguments()
{
	while read -r op value two yes no; do
		fresh
		script "probe syscall $personality $yes
			probe syscall $personality $no"
		filter '"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["personality"],"action":"SCMP_ACT_ERRNO","errnoRet":60,"args":[{"index":0,"value":'"$value"',"valueTwo":'"$two"',"op":"'"$op"'"}]}]'
		is "$op compares" "$(run_b 2>&1 | tr '\n' ' ')" 'errno 60 ok '
	done <<-ROWS
		SCMP_CMP_EQ 4294967295 0 0xffffffff 0
		SCMP_CMP_NE 0 0 0xffffffff 0
		SCMP_CMP_GT 8 0 0xffffffff 8
		SCMP_CMP_GE 8 0 8 0
		SCMP_CMP_LT 8 0 0 0xffffffff
		SCMP_CMP_LE 8 0 8 0xffffffff
		SCMP_CMP_MASKED_EQ 240 16 0x10 0x20
	ROWS
	fresh
	script "for a in 3 4 5; do probe syscall $personality \$a; done
		probe syscall $personality 0xffffffff"
	filter '"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["personality"],"action":"SCMP_ACT_ERRNO","errnoRet":60,"args":[{"index":0,"value":3,"op":"SCMP_CMP_EQ"},{"index":0,"value":4,"op":"SCMP_CMP_EQ"}]},{"names":["personality"],"action":"SCMP_ACT_ERRNO","errnoRet":59,"args":[{"index":0,"value":5,"op":"SCMP_CMP_EQ"},{"index":1,"value":7,"op":"SCMP_CMP_EQ"}]}]'
	is 'two conditions on one argument are or, on two arguments and' \
		"$(run_b 2>&1 | tr '\n' ' ')" 'errno 60 errno 60 ok ok '
}

killing()
{
	for a in KILL KILL_PROCESS KILL_THREAD TRAP; do
		fresh
		script "probe syscall $getppid"
		filter '"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getppid"],"action":"SCMP_ACT_'$a'"}]'
		# Not pid 1, which no trap of its own making can kill; and the
		# shell, too, asks for its parent: exec does not.
		args '"sleep","60"'
		o run -d -b "$B" "$ID" </dev/null >"$T/null" 2>&1
		out=$(o exec "$ID" probe syscall $getppid 2>&1)
		is "SCMP_ACT_$a ends it with SIGSYS" "$? $out" '159 '
		o delete -f "$ID"
	done
	fresh
	script "probe syscall $getppid"
	filter '"defaultAction":"SCMP_ACT_LOG"'
	is 'SCMP_ACT_LOG lets pass' "$(run_b 2>&1)" ok
}

# Another architecture's calls are not let through: x32's by its bit.
other_abi()
{
	if [ "$(uname -m)" != x86_64 ]; then
		skip 'calls of x32' 'is no x86_64'
		return
	fi
	fresh
	args '"sleep","60"'
	filter '"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["getpid"],"action":"SCMP_ACT_ERRNO"}]'
	o run -d -b "$B" "$ID" </dev/null >"$T/null" 2>&1
	out=$(o exec "$ID" probe syscall 0x40000027 2>&1)
	is 'a call of x32 is killed' "$? $out" '159 '
	o delete -f "$ID"
}

flags_and_errors()
{
	rule='"syscalls":[{"names":["getppid"],"action":"SCMP_ACT_ERRNO"}]'
	for flag in '' '"SECCOMP_FILTER_FLAG_SPEC_ALLOW"' \
		'"SECCOMP_FILTER_FLAG_LOG"' '"SECCOMP_FILTER_FLAG_TSYNC"' \
		'"SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW"'; do
		fresh
		args "\"probe\",\"syscall\",\"$getppid\""
		filter '"defaultAction":"SCMP_ACT_ALLOW","flags":['"$flag"'],'"$rule"
		is "flags [$flag] are accepted, the filter holds" \
			"$(run_b 2>&1)" 'errno 1'
	done
	fresh
	args "\"probe\",\"syscall\",\"$getppid\""
	filter '"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32","SCMP_ARCH_ARM","SCMP_ARCH_AARCH64"],'"$rule"
	is 'further architectures do no harm' "$(run_b 2>&1)" 'errno 1'
	fresh
	args '"grep","Seccomp:","/proc/self/status"'
	filter '"defaultAction":"","syscalls":[]'
	is 'no action and no rules is no filter' "$(run_b 2>&1 | tr -d '\t')" \
		Seccomp:0

	while IFS='|' read -r what json want; do
		fresh
		filter "$json"
		refused "$what is refused" "$want"
	done <<-'ROWS'
		an unknown default action|"defaultAction":"SCMP_ACT_DANCE"|SCMP_ACT_DANCE
		an unknown action|"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getppid"],"action":"SCMP_ACT_SING"}]|SCMP_ACT_SING
		an unknown operator|"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getppid"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"SCMP_CMP_LIKE"}]}]|SCMP_CMP_LIKE
		an argument out of range|"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getppid"],"action":"SCMP_ACT_ERRNO","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]|index
		an unknown architecture|"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_Z80"]|SCMP_ARCH_Z80
		an unknown flag|"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_NICE"],"syscalls":[{"names":["getppid"],"action":"SCMP_ACT_ERRNO"}]|SECCOMP_FILTER_FLAG_NICE
		a missing default action|"syscalls":[{"names":["getppid"],"action":"SCMP_ACT_ERRNO"}]|defaultAction
		a rule without names|"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_ERRNO"}]|names
		a rule without an action|"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getppid"]}]|action
		notify as the default|"defaultAction":"SCMP_ACT_NOTIFY"|SCMP_ACT_NOTIFY
	ROWS
}

: >"$T/null"
rules
default_deny
arguments
killing
other_abi
flags_and_errors
check 'nothing is left at the end' nothing_left
done_testing

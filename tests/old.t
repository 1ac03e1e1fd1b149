#!/bin/sh
# old.t - kernels that lack newer system calls, and sandboxes that refuse them:
# what a container is does not depend on them
#
# Needs: root. Each call is denied by a filter (tests/bin/deny), alone and with
# all others, as an old kernel does (ENOSYS) and as a sandbox does (EPERM).
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_root

newer='openat2 open_tree fsopen move_mount mount_setattr clone3 close_range
pidfd_open memfd_create'
all=$(echo "$newer" | tr ' \n' ',,' | sed 's/,,*$//')

bundle
mkdir -p "$T/src/sub" "$B/rootfs/masked"
echo seen >"$T/src/file"
script 'cut -d" " -f5- /proc/self/mountinfo | sed "s/ - .*//; s/[a-z]*:[0-9]*//g"
ls /proc/self/fd | wc -l
grep -E "^(Cap|NoNewPrivs|Uid|Groups)" /proc/self/status
cat /file; ls /masked; (echo x >/proc/sys/kernel/hostname) 2>&1
stat -c "%n %F %a %u:%g %t:%T" /dev/null /dev/mine /dev/fd
(echo x >/ro/file) 2>&1; cat /proc/timer_list | wc -c
readlink /proc/1/ns/pid >/dev/null && echo pid 1; exit 7'
edit '.mounts += [
	{destination: "/file", type: "bind", source: "'"$T"'/src/file", options: ["bind", "ro"]},
	{destination: "/ro", type: "bind", source: "'"$T"'/src", options: ["rbind", "ro", "nosuid", "nodev", "noexec"]},
	{destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["size=64k", "mode=700", "nodev"]}]
	| .linux.maskedPaths += ["/masked"]
	| .linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 432, uid: 5, gid: 6}]'

# denied ERROR CALLS ARGS...: ocirt where these calls fail so
denied()
{
	denied_error=$1 denied_calls=$2
	shift 2
	timeout 60 tests/bin/deny "$denied_error" "$denied_calls" -- \
		"$OCIRT" --root "$ROOT" "$@"
}

# difference TEXT TEXT: the lines that are in one of them alone
difference()
{
	printf '%s\n' "$1" >"$T/one"
	printf '%s\n' "$2" >"$T/two"
	diff "$T/one" "$T/two"
}

want=$(run_b 2>&1; echo "status $?")
like 'the container sees what it shall' "$want" '^seen$'
like 'and ends with its status' "$want" '^status 7$'
for error in ENOSYS EPERM; do
	for calls in $newer "$all"; do
		what=$calls
		[ "$calls" != "$all" ] || what='all of them'
		got=$(denied $error "$calls" run -b "$B" "$ID" </dev/null 2>&1
			echo "status $?")
		is "L5 L8: $error for $what: the same container" \
			"$(difference "$want" "$got")" ''
		check "L8: $error for $what: nothing is left" nothing_left
	done
done

# ---- a container's life with all of them denied ----

for error in ENOSYS EPERM; do
	bundle
	args '"sleep", "1000"'
	denied $error "$all" create -b "$B" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>"$T/err"
	is "OP-create: $error for all of them" "$?:$(status "$ID")" 0:created
	init=$(cat "$T/pid")
	is 'T01: init runs from a copy that nobody can write' \
		"$(stat -f -L -c %T "/proc/$init/exe")" tmpfs
	denied $error "$all" start "$ID"
	is "OP-start: $error for all of them" "$?:$(status "$ID")" 0:running
	is "OP-exec: $error for all of them" \
		"$(denied $error "$all" exec "$ID" sh -c 'echo in; ls /proc/self/fd | wc -l' </dev/null 2>&1)" \
		"$(printf 'in\n4')"
	denied $error "$all" kill "$ID" KILL
	check "OP-kill: $error for all of them" wait_for 10 is_status "$ID" stopped
	denied $error "$all" delete "$ID"
	check "OP-delete: $error for all of them: nothing is left" nothing_left
done

done_testing

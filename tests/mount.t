#!/bin/sh
# mount.t - mounts beyond the plain ones: flags that a bind sets and clears,
# recursive options, mapped ids, tmpcopyup, mounts of cgroups; a container
# without a mount namespace; ocirt without memfd_create. Needs root. All mounts
# of the test are made in a mount namespace of its own.
# shellcheck disable=SC2119,SC2317,SC2016
if [ "$(id -u)" = 0 ] && [ -z "${MOUNT_T_INSIDE-}" ] &&
	awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo
then
	MOUNT_T_INSIDE=1 exec unshare -m sh "$0"
fi
. tests/lib.sh
need_root


# mnt PATH: "OPTIONS [PROPAGATION] - TYPE SOURCE SUPER" of what is on top
# there, by the mountinfo in $out
mnt()
{
	printf '%s\n' "$out" | awk -v p="$1" '$5 == p {
		s = $6
		for (i = 7; i <= NF; i++)
			s = s " " $i
	} END { print s }'
}

# ---- no mount namespace ----

bundle
without mount
refused 'N4: masked paths need a mount namespace' 'restrict paths' run_b
edit '.linux.maskedPaths = [] | .linux.readonlyPaths = []'
refused 'N4: mounts need a mount namespace' 'unable to mount' run_b
edit '.mounts = []'
refused 'N4: a read-only root needs a mount namespace' 'read-only' run_b
edit '.root.readonly = false | .linux.rootfsPropagation = "shared"'
refused 'N4: propagation needs a mount namespace' 'propagation' run_b
edit 'del(.linux.rootfsPropagation)'
script 'ls -d /script /dev/null; pwd; echo here >/tmp/here; exec sleep 1000'
mounts >"$T/mounts.before"
check 'N4: a container without a mount namespace is created' o create -b "$B" "$ID"
check 'and started' o start "$ID"
p=$(pid "$ID")
check 'its program runs' wait_for 5 test -s "$B/rootfs/tmp/here"
is 'N4: its root is the root file system' \
	"$(stat -L -c %d:%i "/proc/$p/root")" "$(stat -c %d:%i "$B/rootfs")"
is "N4: its mount namespace is the caller's" "$(readlink "/proc/$p/ns/mnt")" \
	"$(readlink /proc/self/ns/mnt)"
mounts >"$T/mounts.now"
check 'N4: nothing is mounted for it' cmp "$T/mounts.before" "$T/mounts.now"
is 'D3 N4: it has the default devices' \
	"$(stat -c '%F %t:%T %a' "$B/rootfs/dev/null")" \
	'character special file 1:3 666'
is 'N4: exec is in the same root' \
	"$(o exec "$ID" sh -c 'cat /tmp/here; pwd; ls -d /script' </dev/null | tr '\n' ' ')" \
	'here / /script '
check 'it can be killed' o kill "$ID" KILL
check 'and deleted' wait_for 5 o delete "$ID"
check 'nothing is left of it' nothing_left
is 'and the root file system is still there' "$(cat "$B/rootfs/tmp/here")" here

check 'nothing is left at the end' nothing_left
done_testing

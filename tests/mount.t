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
DENY=$TOP/tests/bin/deny
out=


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

# nothing_left: but for the mounts that the test binds
nothing_left()
{
	[ -z "$(ls -A "$ROOT" 2>/dev/null)" ] || { ls -la "$ROOT"; return 1; }
	[ -z "$(cgroups)" ] || { cgroups; return 1; }
	! grep -F "$T/" /proc/self/mountinfo | grep -vE " $T/(src|strict)[/ ]"
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

# ---- flags of binds ----

# Mounts of the test's own, to be bound.
mkdir "$T/src" "$T/strict"
mount -t tmpfs -o mode=755 strict "$T/strict"
mount -o remount,bind,nosuid,nodev,noexec,ro "$T/strict"
mount -t tmpfs -o mode=755 src "$T/src"
mkdir "$T/src/below"
mount -t tmpfs below "$T/src/below"
: >"$T/src/file"

bundle
script 'cat /proc/self/mountinfo'
for o in kept:rbind cleared:rbind,rw,suid,dev,exec ro:bind,ro nosuid:bind,nosuid \
	cancelled:bind,nosuid,suid file:bind; do
	src=$T/strict
	case ${o%%:*} in
	ro | nosuid | cancelled) src=$T/src ;;
	file) src=$T/src/file ;;
	esac
	add_mount "{destination: \"/m/${o%%:*}\", source: \"$src\",
		options: (\"${o#*:}\" | split(\",\"))}"
done
add_mount "{destination: \"/m/tree\", source: \"$T/src\", options: [\"rbind\", \"ro\"]}"
add_mount "{destination: \"/m/bytype\", type: \"bind\", source: \"$T/src\"}"
add_mount "{destination: \"/m/again\", source: \"$T/src\", options: [\"bind\"]}"
add_mount '{destination: "/m/again", options: ["bind", "remount", "ro", "noexec"]}'
mkdir "$B/here"
add_mount '{destination: "m/relative", source: "here", options: ["bind"]}'
out=$(run_b 2>"$T/err")
like 'M10: a bind without flags keeps those of its source' "$(mnt /m/kept)" \
	'^ro,nosuid,nodev,noexec'
like 'M10: rw, suid, dev and exec clear those of the source' \
	"$(mnt /m/cleared)" '^rw,relatime '
like 'M10: ro is set' "$(mnt /m/ro)" '^ro,relatime '
like 'M10: nosuid is set' "$(mnt /m/nosuid)" '^rw,nosuid,relatime '
like 'M10: the last word counts' "$(mnt /m/cancelled)" '^rw,relatime '
like 'M11: ro is for the mount on top' "$(mnt /m/tree)" '^ro'
like 'M11: and not for those below' "$(mnt /m/tree/below)" '^rw'
like 'M4: type bind is a bind' "$(mnt /m/bytype)" ' src '
like 'M5: a file is bound on a file that is made for it' "$(mnt /m/file)" ' src '
check 'M5: which is a file' test -f "$B/rootfs/m/file"
like 'a remounted bind has the new flags' "$(mnt /m/again)" '^ro,noexec'
like 'M2 M3: relative paths count from the root and from the bundle' \
	"$(mnt /m/relative)" '^rw'
is 'and nothing is said of it all' "$(cat "$T/err")" ''

# ---- recursive options ----

bundle
script 'cat /proc/self/mountinfo'
add_mount "{destination: \"/m/rro\", source: \"$T/src\", options: [\"rbind\", \"rro\", \"rnosuid\", \"rnoatime\"]}"
add_mount "{destination: \"/m/rrw\", source: \"$T/strict\", options: [\"rbind\", \"rrw\", \"rdev\"]}"
out=$(run_b)
like 'M20: rro, rnosuid and rnoatime are for the top' "$(mnt /m/rro)" '^ro,nosuid,noatime '
like 'M20: and for all below' "$(mnt /m/rro/below)" '^ro,nosuid,noatime '
like 'M20: rrw and rdev clear flags' "$(mnt /m/rrw)" '^rw,nosuid,noexec,'
refused 'M20: a kernel without says which one has them' 'Linux 5\.12' \
	"$DENY" ENOSYS mount_setattr "$OCIRT" --root "$ROOT" run -b "$B" "$ID"

# ---- mapped ids ----

own='[{containerID: 0, hostID: 70000, size: 1000}]'
bundle
script 'stat -c %u:%g /m/a/zero /m/a/below/zero; (: >/m/a/new) 2>/dev/null; cat /proc/self/mountinfo'
: >"$T/src/zero"
: >"$T/src/below/zero"
add_mount "{destination: \"/m/a\", source: \"$T/src\", options: [\"rbind\", \"idmap\"],
	uidMappings: $own, gidMappings: $own}"
if out=$(run_b 2>&1); then
	is 'M18: ids are mapped by the mappings of the mount' \
		"$(printf '%s\n' "$out" | head -n 1)" 70000:70000
	is 'M18: idmap maps the top only' \
		"$(printf '%s\n' "$out" | sed -n 2p)" 0:0
	edit '(.mounts[] | select(.destination == "/m/a")).options = ["rbind", "ridmap", "ro"]'
	out=$(run_b 2>&1)
	is 'M18: ridmap those below, too' \
		"$(printf '%s\n' "$out" | sed -n 2p)" 70000:70000
	like 'M18: with the flags of the bind' "$(mnt /m/a)" '^ro,.*idmapped'
	edit '(.mounts[] | select(.destination == "/m/a")).options = ["rbind"]'
	is 'M18: mappings alone are as idmap' "$(run_b 2>&1 | head -n 1)" 70000:70000
	edit '(.mounts[] | select(.destination == "/m/a")) |= (.options = ["rbind", "ridmap"]
		| del(.uidMappings) | del(.gidMappings))
		| .linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 70000, size: 70000}]
		| .linux.gidMappings = .linux.uidMappings'
	out=$(run_b 2>&1)
	is 'M19: without mappings those of the user namespace' \
		"$(printf '%s\n' "$out" | head -n 2 | tr '\n' ' ')" '0:0 0:0 '
	is 'M19: what is written there is root' "$(stat -c %u:%g "$T/src/new")" 0:0
else
	like 'M18: a file system or kernel that cannot is named' "$out" \
		'cannot be id-mapped|needs Linux 5\.12'
	skip 'ids are mapped' 'this kernel cannot map ids of a tmpfs'
fi
check 'no mount of it is left' nothing_left
bundle
add_mount "{destination: \"/m/a\", source: \"$T/src\", options: [\"bind\", \"idmap\"]}"
refused 'M19: without any mappings it is refused' 'there is none' run_b
edit "(.mounts[] | select(.destination == \"/m/a\")).uidMappings = $own"
refused 'M18: uids without gids are refused' 'both uid and gid' run_b
edit "(.mounts[] | select(.destination == \"/m/a\")) |= (.gidMappings = $own | .type = \"tmpfs\" | .options = [])"
refused 'M18: only a bind is mapped' 'only a bind' run_b
edit '(.mounts[] | select(.destination == "/m/a")).options = ["bind", "idmap"]'
refused 'M18: a kernel without is an error' 'Linux 5\.12' \
	"$DENY" ENOSYS mount_setattr "$OCIRT" --root "$ROOT" run -b "$B" "$ID"

# ---- tmpcopyup ----

bundle
mkdir -p "$B/rootfs/up/dir"
echo text >"$B/rootfs/up/dir/file"
chown 7:8 "$B/rootfs/up/dir/file"
chmod 4755 "$B/rootfs/up/dir/file"
ln -s /etc/outside "$B/rootfs/up/link"
chown -h 9:9 "$B/rootfs/up/link"
mknod "$B/rootfs/up/fifo" p
mknod -m 620 "$B/rootfs/up/null" c 1 3
chmod 1737 "$B/rootfs/up"
chown 5:6 "$B/rootfs/up"
mkdir "$B/rootfs/keep"
chmod 2705 "$B/rootfs/keep"
echo outside >"$B/rootfs/etc/outside"
script 'cd /up; stat -c "%n %F %a %u:%g" . dir dir/file link fifo null; cat dir/file
readlink link; stat -c %a%u /keep /given /etc/outside; : >new && echo written'
add_mount '{destination: "/up", type: "tmpfs", source: "up", options: ["tmpcopyup", "nosuid"]}'
add_mount '{destination: "/keep", type: "tmpfs", source: "k", options: []}'
add_mount '{destination: "/given", type: "tmpfs", source: "k", options: ["mode=0711"]}'
out=$(run_b 2>&1)
is 'M15: tmpcopyup copies kinds, modes, owners and links' \
	"$(printf '%s\n' "$out" | head -n 8)" \
	". directory 1737 5:6
dir directory 755 0:0
dir/file regular file 4755 7:8
link symbolic link 777 9:9
fifo fifo 644 0:0
null character special file 620 0:0
text
/etc/outside"
is 'M14: a tmpfs keeps the mode of the directory, a given mode wins' \
	"$(printf '%s\n' "$out" | sed -n '9,10p' | tr '\n' ' ')" '27050 7110 '
is 'M15: what a link points to stays as it is' \
	"$(printf '%s\n' "$out" | sed -n 11p)" 6440
is 'M15: the copy can be written' "$(printf '%s\n' "$out" | sed -n 12p)" written
check 'M15: the image gets nothing of it' test ! -e "$B/rootfs/up/new"
edit '(.mounts[] | select(.destination == "/up")).type = "ramfs"'
refused 'M15: it is for a tmpfs' 'for a tmpfs' run_b

# ---- mounts of cgroups ----

kind=$(host_kind)
bundle
edit '.mounts |= map(select(.type != "cgroup"))'
add_mount '{destination: "/cg", type: "cgroup2", source: "cgroup", options: ["nosuid", "ro"]}'
script 'cat /proc/self/mountinfo; cat /cg/cgroup.procs | wc -l; mkdir /cg/x 2>&1'
case $kind in
v2 | hybrid)
	for ns in with without; do
		[ $ns = with ] || host_cgroupns
		out=$(run_b 2>&1)
		like "M17: cgroup2 by its own name, $ns a cgroup namespace" \
			"$(mnt /cg)" '^ro,nosuid.* - cgroup2 '
		like "M17: it begins at the own cgroup, $ns" \
			"$(printf '%s\n' "$out" | tail -n 2 | head -n 1)" '^[1-9]'
		like "M17: ro is read-only, $ns" \
			"$(printf '%s\n' "$out" | tail -n 1)" 'Read-only'
	done
	;;
*)
	refused 'M17: cgroup2 where there is none is an error' \
		'version 2|no cgroup' run_b
	;;
esac

# ---- devices, stdio ----

bundle
mkdir "$B/rootfs/d"
script 'stat -c "%F %t:%T %a %u:%g" /d/c /d/u /d/b /d/p; cat /dev/null; stat -L -c %d /proc/self/fd/0 /dev/null'
edit '.linux.devices = [
	{type: "c", path: "/d/c", major: 1, minor: 5, fileMode: 384, uid: 3, gid: 4},
	{type: "u", path: "/d/u", major: 1, minor: 7, fileMode: 438},
	{type: "b", path: "/d/b", major: 7, minor: 200, fileMode: 432, uid: 0, gid: 6},
	{type: "p", path: "/d/p", fileMode: 420}]
	| .root.readonly = false'
out=$(run_b 2>&1)
is 'D1 D2: devices of every type, with mode and owner' \
	"$(printf '%s\n' "$out" | head -n 4)" \
	'character special file 1:5 600 3:4
character special file 1:7 666 0:0
block special file 7:c8 660 0:6
fifo 0:0 644 0:0'
is "D7: stdin on the host's /dev/null is the container's own" \
	"$(printf '%s\n' "$out" | sed -n 5p)" "$(printf '%s\n' "$out" | sed -n 6p)"

bundle
edit '.linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2" |
	.linux.resources = {}'
like 'K5: mountLabel is nothing where there is no SELinux' \
	"$("$OCIRT" plan -b "$B" | grep '/dev/shm')" 'mode=1777,size=65536k$'
out=$(tests/bin/planon selinux "$B")
like 'K5: with SELinux a mount has its context' \
	"$(echo "$out" | grep '/dev/shm')" \
	'context=\\?"system_u:object_r:container_file_t:s0:c1,c2\\?",mode=1777'
unlike 'M16: mqueue, proc and sysfs have none' \
	"$(echo "$out" | grep -E 'type (mqueue|proc|sysfs)')" context

check 'nothing is left at the end' nothing_left
done_testing

#!/bin/sh
# fs.t - what the container sees as its file system: mounts and their options,
# devices, masked and read-only paths, the pivot; and images that would have
# the runtime work on the host's files. Needs root. All mounts of the test are
# made in a mount namespace of its own.
# shellcheck disable=SC2119,SC2317,SC2016,SC2012
if [ "$(id -u)" = 0 ] && [ -z "${FS_T_INSIDE-}" ]; then
	# In a chroot "/" may be no mount point, and unshare cannot make it
	# private; there the caller has seen to a namespace of its own.
	if awk '$5 == "/" { found = 1 } END { exit !found }' \
		/proc/self/mountinfo; then
		FS_T_INSIDE=1 exec unshare -m sh "$0"
	fi
	FS_T_INSIDE=1 exec unshare -m --propagation unchanged sh "$0"
fi
. tests/lib.sh
need_root
PROBE=$TOP/tests/bin/probe

# add_mount JSON: one more mount, the last. set_mounts JSON: only these.
add_mount()
{
	config "s~^\t\],\$~,$1\n\t],~"
}

set_mounts()
{
	awk -v new="$1" '
	/"mounts": \[/ { print; print new; skip = 1 }
	skip && /^\t\],$/ { skip = 0 }
	!skip { print }' "$B/config.json" >"$T/config.new" || exit 1
	mv "$T/config.new" "$B/config.json"
}

# linux MEMBERS: more members of "linux". list NAME STRINGS: a list's strings.
linux()
{
	config "s~^\t\"linux\": {\$~&$1,~"
}

list()
{
	config "/\"$1\": \[/,/\]/c\\
\t\t\"$1\": [$2]$3"
}

# Root may write, the file system is as the image has it.
writable()
{
	config '/"readonly": true/s/true/false/'
}

# caps LIST: these capabilities in the three usual sets
caps()
{
	config "/\"capabilities\": {/,/^\t\t},\$/c\\
\t\t\"capabilities\": {\"bounding\":[$1],\"effective\":[$1],\"permitted\":[$1]},"
}

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

# refused 'sentence' PATTERN: run fails, says so, and leaves nothing
refused()
{
	if out=$(run_b 2>&1); then
		not_ok "$1"
		diag "it ran: $out"
		return
	fi
	like "$1" "$out" "$2"
	gone
}

gone()
{
	if ! nothing_left >"$T/left" 2>&1; then
		not_ok 'a failure leaves nothing'
		diag "$(cat "$T/left")"
	fi
}

# files DIR: the names in it, on one line
files()
{
	(cd "$1" && find . | sed "1d; s/^.//" | sort | tr '\n' ' ')
}

# A part of the host that nothing may reach or change: $T/host.
canary()
{
	rm -rf "$T/host"
	mkdir -p "$T/host/sub"
	echo tweet >"$T/host/canary"
	echo tweet >"$T/host/ptmx"
	look_at_host >"$T/host.before"
}

look_at_host()
{
	find "$T/host" -exec stat -c '%n %F %a %u:%g %s %Y' {} + | sort
	cat "$T/host/canary" "$T/host/ptmx"
}

untouched()
{
	look_at_host >"$T/host.after"
	diff "$T/host.before" "$T/host.after" >&2
}

# section NAME: the lines of $out between "-- NAME" and the next "-- "
section()
{
	printf '%s\n' "$out" | sed -n "/^-- $1\$/,/^-- /{/^-- /!p;}"
}

# ---- the default bundle ----

# The paths of a list in config.json that this kernel has.
existing()
{
	sed -n "/\"$1\"/,/\]/p" "$B/config.json" |
		sed -n 's/^\t\t\t"\(.*\)",*$/\1/p' | while read -r p; do
		[ ! -e "$p" ] || echo "$p"
	done
}

default_bundle()
{
	bundle
	script 'cat /proc/self/mountinfo'
	before=$(files "$B/rootfs")
	mounts >"$T/mounts.before"
	out=$(run_b)
	got=$(printf '%s\n' "$out" | awk '{ print $5 }' |
		grep -v '^/sys/fs/cgroup' | sort -u | tr '\n' ' ')
	want=$({
		printf '%s\n' / /dev /dev/pts /dev/shm /proc /sys
		grep -w mqueue /proc/filesystems >"$T/null" && echo /dev/mqueue
		existing maskedPaths
		existing readonlyPaths
	} | sort | tr '\n' ' ')
	is 'R5: the default mounts, masks and read-only paths are all there is' \
		"$got" "$want"
	like 'R2: / is read-only' "$(mnt /)" '^ro,'
	like 'R5: /proc is a procfs' "$(mnt /proc)" '^rw,relatime - proc '
	like '/dev is a tmpfs with its flags, size and mode' "$(mnt /dev)" \
		'^rw,nosuid - tmpfs tmpfs .*size=65536k.*mode=755'
	like '/dev/pts is a devpts with its flags and data' "$(mnt /dev/pts)" \
		'^rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666'
	like '/dev/shm is a tmpfs with its source, flags and size' \
		"$(mnt /dev/shm)" \
		'^rw,nosuid,nodev,noexec,relatime - tmpfs shm .*size=65536k'
	like '/sys is a read-only sysfs' "$(mnt /sys)" \
		'^ro,nosuid,nodev,noexec,relatime - sysfs '
	mounts >"$T/mounts.after"
	check "the host's mounts are as before" \
		cmp "$T/mounts.before" "$T/mounts.after"
	want=$(printf '%s /dev /proc /sys' "$before" | tr -s ' ' '\n' | sort |
		tr '\n' ' ')
	is 'what is made in the root file system are mount points' \
		"$(files "$B/rootfs")" "$want"
}

# ---- every option ----

# One row an option: name, type, options, what mountinfo has, what it lacks.
# Types: tmpfs; bind: of a tmpfs without flags; full: of one with all of them;
# tree: of a tmpfs with another in it, where only the inner one is looked at.
options='async tmpfs async ^rw ,sync
atime full atime ^rw noatime
bind bind bind ^rw,relatime none
defaults tmpfs defaults ^rw,relatime none
dev full dev ^rw nodev
diratime full diratime ^rw nodiratime
dirsync tmpfs dirsync dirsync none
exec full exec ^rw noexec
iversion tmpfs iversion ^rw none
lazytime tmpfs lazytime lazytime none
loud tmpfs loud ^rw none
noatime bind noatime ^rw,noatime relatime
nodev bind nodev ^rw,nodev none
nodiratime bind nodiratime ^rw,nodiratime none
noexec bind noexec ^rw,noexec none
noiversion tmpfs noiversion ^rw none
nolazytime tmpfs nolazytime ^rw lazytime
norelatime bind norelatime ^rw none
nostrictatime bind nostrictatime ^rw none
nosuid bind nosuid ^rw,nosuid none
nosymfollow bind nosymfollow nosymfollow none
relatime full relatime relatime noatime
ro bind ro ^ro, none
ro-tmpfs tmpfs ro ^ro, none
rw tmpfs rw ^rw ^ro
rw-after-ro bind ro","rw ^rw ^ro
ro-after-rw bind rw","ro ^ro ^rw
silent tmpfs silent ^rw none
strictatime bind strictatime ^rw relatime
suid full suid ^rw nosuid
symfollow full symfollow ^rw nosymfollow
sync tmpfs sync ,sync async
data tmpfs size=8k","mode=711","nr_inodes=9 size=8k,nr_inodes=9,mode=711 none
noexec-tmpfs tmpfs noexec","nosuid","nodev ^rw,nosuid,nodev,noexec none
private bind private none shared|master
shared bind shared shared: none
slave bind slave ^rw shared:
slave-shared bind slave","shared shared: none
unbindable bind unbindable unbindable none
ro-keeps tree ro ^rw ^ro
rro tree rro ^ro, ^rw
rnosuid tree rnosuid nosuid none
rnodev tree rnodev nodev none
rnoexec tree rnoexec noexec none
rnoatime tree rnoatime noatime relatime
rnodiratime tree rnodiratime nodiratime none
rstrictatime tree rstrictatime ^rw relatime|noatime
rrelatime tree-full rrelatime relatime noatime
rnorelatime tree rnorelatime ^rw none
rnostrictatime tree rnostrictatime ^rw none
rnosymfollow tree rnosymfollow nosymfollow none
rrw tree-ro rrw ^rw ^ro
rsuid tree-full rsuid ^rw nosuid
rdev tree-full rdev ^rw nodev
rexec tree-full rexec ^rw noexec
ratime tree-full ratime ^rw noatime
rdiratime tree-full rdiratime ^rw nodiratime
rsymfollow tree-full rsymfollow ^rw nosymfollow
rprivate tree rprivate none shared|master
rshared tree rshared shared: none
rslave tree rslave ^rw shared:
runbindable tree runbindable unbindable none'

full=nosuid,nodev,noexec,noatime,nodiratime,nosymfollow

# src NAME OPTIONS...: $T/NAME is a tmpfs with those; the test's own mount(8)
# may not know nosymfollow
src()
{
	mkdir -p "$T/$1"
	mount -t tmpfs -o "mode=755${2:+,$2}" "$1" "$T/$1" 2>"$T/null" ||
		mount -t tmpfs -o "mode=755,${2%,nosymfollow}" "$1" "$T/$1"
}

sources()
{
	src bind ''
	src full "$full"
	for t in tree tree-full tree-ro; do
		src "$t" ''
		mkdir "$T/$t/in"
	done
	src tree/in ''
	src tree-full/in "$full"
	src tree-ro/in ''
	mount -o remount,ro "$T/tree-ro/in"
}

every_option()
{
	bundle
	script 'cat /proc/self/mountinfo'
	sources
	json=$(printf '%s\n' "$options" | while read -r name type opts _; do
		case $type in
		tmpfs) m='"type":"tmpfs","source":"tmpfs","options":["'$opts'"]' ;;
		*) m='"source":"'$T/$type'","options":["rbind","'$opts'"]' ;;
		esac
		printf ',{"destination":"/m/%s",%s}' "$name" "$m"
	done)
	config "s~^\t\],\$~$json\n\t],~"
	out=$(run_b)
	printf '%s\n' "$options" >"$T/options"
	while read -r name type opts want unwanted; do
		at=/m/$name
		case $type in tree*) at=$at/in ;; esac
		got=$(mnt "$at")
		what="mount option $name does what it says"
		if [ -n "$got" ] && { [ "$want" = none ] ||
			printf '%s\n' "$got" | grep -Eq -- "$want"; } &&
			! printf '%s\n' "$got" | grep -Eq -- "$unwanted"; then
			ok "$what"
		else
			not_ok "$what"
			diag "options: $opts"
			diag "got: $got"
			diag "want: $want, but not $unwanted"
		fi
	done <"$T/options"
	for t in tree/in tree-full/in tree-ro/in bind full tree tree-full \
		tree-ro; do
		umount "$T/$t"
	done
}

# Propagation from the host, as the word after the mount says.
propagation()
{
	bundle
	mkdir -p "$T/prop"
	mount -t tmpfs prop "$T/prop"
	mount --make-shared "$T/prop"
	mkdir "$T/prop/late"
	for w in rslave rprivate; do
		add_mount '{"destination":"/'$w'","source":"'"$T/prop"'","options":["rbind","'$w'"]}'
	done
	script 'while [ ! -e /rslave/go ]; do sleep 0.02; done
		cat /proc/self/mountinfo; ls /rslave/late /rprivate/late'
	run_b >"$T/out" 2>&1 &
	pids=$!
	check 'a container with mounts of a shared one runs' \
		wait_for 10 is_status "$ID" running
	mount -t tmpfs late "$T/prop/late"
	touch "$T/prop/late/file" "$T/prop/go"
	wait "$pids"
	pids=
	out=$(cat "$T/out")
	like 'M12: rslave: a later mount of the host appears' \
		"$(mnt /rslave/late)" ' - tmpfs late '
	is 'rprivate: a later mount of the host does not' \
		"$(mnt /rprivate/late)" ''
	like 'M12: rslave: the mount is a slave' "$(mnt /rslave)" 'master:'
	umount "$T/prop/late" "$T/prop"
}

# ---- kinds of mounts ----

mount_kinds()
{
	bundle
	mkdir -p "$B/relative" "$T/source" "$B/rootfs/mode1750" \
		"$B/rootfs/mode0711" "$B/rootfs$T/inner/dir"
	chmod 1750 "$B/rootfs/mode1750"
	chmod 711 "$B/rootfs/mode0711"
	ln -s "$T/inner" "$B/rootfs/link"
	echo from-relative >"$B/relative/file"
	echo from-dir >"$T/source/file"
	add_mount '{"destination":"/a/deep/dir","source":"'"$T/source"'","options":["bind"]}'
	add_mount '{"destination":"/rel","source":"relative","options":["rbind","ro"]}'
	add_mount '{"destination":"/f/deep/file","source":"'"$T/source/file"'","options":["bind","ro"]}'
	add_mount '{"destination":"/old","type":"bind","source":"'"$T/source"'"}'
	add_mount '{"destination":"/mode1750","type":"tmpfs","source":"tmpfs"}'
	add_mount '{"destination":"/mode0711","type":"tmpfs","source":"tmpfs","options":["mode=700"]}'
	add_mount '{"destination":"/new","type":"tmpfs","source":"tmpfs"}'
	add_mount '{"destination":"/late","type":"tmpfs","source":"tmpfs","options":["ro"]}'
	add_mount '{"destination":"/late/on/top","type":"tmpfs","source":"top"}'
	add_mount '{"destination":"/link/dir","type":"tmpfs","source":"through"}'
	add_mount '{"destination":"x/../y","type":"tmpfs","source":"dots"}'
	add_mount '{"destination":"/../../../up","type":"tmpfs","source":"up"}'
	config '/"destination": "\/dev",/,/\]/s/"strictatime"/"strictatime", "ro"/'
	script 'echo "-- mountinfo"; cat /proc/self/mountinfo
		echo "-- content"; cat /a/deep/dir/file /rel/file /f/deep/file /old/file
		echo "-- modes"; stat -c "%n %a" /mode1750 /mode0711 /new /a /f/deep/file
		echo "-- write"; touch /a/deep/dir/new && echo made
		for f in /rel/new /f/deep/file /late/new /dev/new /new-in-root; do
			echo 2>/dev/null >$f && echo "$f written"
		done
		touch /late/on/top/file && echo "on top"
		ls /dev/null
		echo "-- end"'
	out=$(run_b 2>&1)
	is 'M3 M4: binds show a directory, a relative source, a file, an old type' \
		"$(section content | tr '\n' ' ')" \
		'from-dir from-relative from-dir from-dir '
	is 'M14: tmpfs keeps the mode of a directory, a given mode wins' \
		"$(section modes | head -n 3 | tr '\n' ' ')" \
		'/mode1750 1750 /mode0711 700 /new 755 '
	is 'M5: a mount point is made with mode 755, a bind shows its own' \
		"$(section modes | sed -n '4p')" '/a 755'
	is 'what is read-only cannot be written, also tmpfs and /dev; rw can' \
		"$(section write | tr '\n' ' ')" 'made on top /dev/null '
	check 'and the write reached the source' test -e "$T/source/new"
	like 'M1 M13: a tmpfs is made read-only after what lies on it' \
		"$(mnt /late)" '^ro,.* - tmpfs '
	like 'and what lies on it is not' "$(mnt /late/on/top)" '^rw.* top '
	like 'M13: /dev is made read-only after the devices' "$(mnt /dev)" '^ro'
	like 'M6: a link in the root file system is followed inside' \
		"$(mnt "$T/inner/dir")" ' through '
	like 'M2: a relative destination counts from /, dots are resolved' \
		"$(mnt /y)" ' dots '
	like 'M6: dots do not lead out' "$(mnt /up)" ' up '
	check 'M5: the mount point of a file is a file' \
		test -f "$B/rootfs/f/deep/file"
	check 'and the source has got nothing' test ! -e "$T/source/deep"
}

mount_errors()
{
	bundle
	script 'echo ran'
	cp "$B/config.json" "$T/plain"
	again()
	{
		cp "$T/plain" "$B/config.json"
	}
	add_mount '{"destination":"/x","source":"'"$T"'/not-there","options":["bind"]}'
	refused 'M3: a missing bind source is named' \
		"not-there.*no such file or directory"
	again
	add_mount '{"destination":"/x","type":"nofs","source":"none"}'
	refused 'an unknown type is named' nofs
	again
	add_mount '{"destination":"/x","type":"tmpfs","source":"t","options":["nonsense"]}'
	refused 'M9: an option that the file system refuses is named' nonsense
	again
	add_mount '{"destination":"/x","source":"'"$T"'","options":["bind","size=1"]}'
	refused 'M9: data for a bind is refused' 'size=1'
	for dst in / /tmp/.. /x/../..; do
		again
		add_mount '{"destination":"'"$dst"'","type":"tmpfs","source":"t"}'
		refused "a mount on $dst is refused" \
			'mountpoint is on the top of rootfs'
	done
	again
	ln -s / "$B/rootfs/rootlink"
	add_mount '{"destination":"/rootlink","type":"tmpfs","source":"t"}'
	refused 'M6: a mount on a link to / is refused' \
		'mountpoint is on the top of rootfs'
	again
	add_mount '{"destination":"/etc","source":"'"$B/config.json"'","options":["bind"]}'
	refused 'a file on a directory is refused' 'not a directory|is a directory'
	again
	echo >"$B/rootfs/etc/file"
	add_mount '{"destination":"/etc/file","source":"'"$T"'","options":["bind"]}'
	refused 'a directory on a file is refused' 'not a directory'
}

# ---- devices ----

devices()
{
	bundle
	script 'cd /dev; echo "-- default"
		stat -c "%n %F %t:%T %a %u:%g" null zero full random urandom tty
		echo "-- links"
		for l in fd stdin stdout stderr ptmx core; do
			echo "$l $(readlink $l)"
		done
		echo "-- given"
		stat -c "%n %F %t:%T %a %u:%g" g/char g/block g/fifo g/default /elsewhere
		echo "-- work"; echo gone >null && head -c 2 zero | wc -c
		[ -e console ] && echo console
		echo "-- end"'
	linux '"devices":[{"path":"/dev/g/char","type":"c","major":10,"minor":200,"fileMode":420,"uid":7,"gid":8},{"path":"/dev/g/block","type":"b","major":7,"minor":99,"fileMode":384},{"path":"/dev/g/fifo","type":"p","fileMode":511},{"path":"/dev/g/default","type":"u","major":1,"minor":3},{"path":"/elsewhere","type":"c","major":1,"minor":5,"fileMode":292},{"path":"/dev/full","type":"c","major":1,"minor":7,"fileMode":256,"uid":5},{"path":"/dev/ptmx","type":"c","major":5,"minor":2}]'
	out=$(umask 077 && run_b 2>&1)
	is 'D3: the default devices have their type, number, mode and owner' \
		"$(section default)" \
		'null character special file 1:3 666 0:0
zero character special file 1:5 666 0:0
full character special file 1:7 400 5:0
random character special file 1:8 666 0:0
urandom character special file 1:9 666 0:0
tty character special file 5:0 666 0:0'
	core='core '
	[ ! -e /proc/kcore ] || core='core /proc/kcore'
	is 'D4 D5: the links of /dev are there' "$(section links)" \
		"fd /proc/self/fd
stdin /proc/self/fd/0
stdout /proc/self/fd/1
stderr /proc/self/fd/2
ptmx pts/ptmx
$core"
	is "D1 D2: the config's devices have their type, number, mode and owner" \
		"$(section given)" \
		'g/char character special file a:c8 644 7:8
g/block block special file 7:63 600 0:0
g/fifo fifo 0:0 777 0:0
g/default character special file 1:3 666 0:0
/elsewhere character special file 1:5 444 0:0'
	is 'D6: null and zero work, and there is no console' \
		"$(section work)" 2

	# As an image brings them: /dev is not a mount.
	bundle
	set_mounts '{"destination":"/proc","type":"proc","source":"proc"}'
	mkdir "$B/rootfs/dev"
	mknod "$B/rootfs/dev/null" c 1 3
	ln -s pts/ptmx "$B/rootfs/dev/ptmx"
	ln -s /nowhere "$B/rootfs/dev/fd"
	script 'stat -c "%F %t:%T" /dev/null; readlink /dev/fd'
	is 'a device and a link that the image has are left alone' "$(run_b)" \
		'character special file 1:3
/nowhere'
	for wrong in 'mknod null c 1 5' 'touch null' 'mkfifo null' 'mkdir null' \
		'mknod null b 1 3' 'ln -s zero null' 'ln -s /etc null'; do
		rm -rf "$B/rootfs/dev/null"
		(cd "$B/rootfs/dev" && $wrong)
		refused "an image with $wrong is refused" \
			'/dev/null.*(another kind|exists)'
	done

	bundle
	mkdir "$B/dev"
	script 'ls /dev'
	set_mounts '{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/dev","source":"dev","options":["bind"]}'
	is 'D3: nothing is made in a /dev that is a bind' "$(run_b)$(ls "$B/dev")" ''
}

# ---- masked and read-only ----

paths()
{
	bundle
	writable
	mkdir -p "$B/rootfs/secret/dir" "$B/rootfs/fixed/sub" "$T/vol"
	echo secret >"$B/rootfs/secret/dir/file"
	echo secret >"$B/rootfs/secret/file"
	echo fixed >"$B/rootfs/fixed/file"
	ln -s secret/file "$B/rootfs/secretlink"
	add_mount '{"destination":"/fixed/sub","type":"tmpfs","source":"sub","options":["nosuid","noexec"]}'
	add_mount '{"destination":"/vol","source":"'"$T/vol"'","options":["bind"]}'
	list maskedPaths '"/secret/dir","/secretlink","/missing","/etc/x/y","/secret/dir","/script/x"' ,
	list readonlyPaths '"/fixed","/missing","/fixed","/vol"'
	script 'echo "-- masked"
		ls /secret/dir; cat /secret/file /secretlink
		for f in /secret/file /secret/dir/new /secret/dir/file; do
			echo x 2>/dev/null >$f && echo "$f written"
		done
		stat -c %F /secret/dir /secret/file
		echo "-- fixed"
		cat /fixed/file
		for f in /fixed/file /fixed/new /fixed/sub/new /vol/new; do
			echo x 2>&1 >$f
		done
		echo "-- written"; touch /new && echo written
		echo "-- mountinfo"; cat /proc/self/mountinfo
		echo "-- end"'
	caps '"CAP_DAC_OVERRIDE","CAP_SYS_ADMIN"'
	out=$(run_b 2>&1)
	is 'K3: what is masked is empty and cannot be written, root though we are' \
		"$(section masked)" 'directory
regular empty file'
	is 'K4: what is read-only can be read' "$(section fixed | head -n 1)" fixed
	is 'and is not written, nor what is mounted in it' \
		"$(section fixed | grep -c 'Read-only file system')" 4
	like 'K4: a mount below a read-only path keeps its flags' \
		"$(mnt /fixed/sub)" '^ro,nosuid,noexec'
	is 'K3 K4: paths that are missing are skipped, the rest can be written' \
		"$(section written)" written
	is 'the mask shows nothing of the host' \
		"$(mnt /secret/dir | sed 's/.* - \([^ ]*\) .*/\1/')" tmpfs
	is 'K3: a path given twice is masked once' \
		"$(section mountinfo | grep -c ' /secret/dir ')" 1
	check 'the files below a mask are whole' \
		grep -qx secret "$B/rootfs/secret/dir/file"
}

roots()
{
	bundle
	script 'touch /tmp/new 2>&1'
	like 'R2: a read-only root refuses a write with EROFS' "$(run_b)" \
		'Read-only file system'
	writable
	run_b >"$T/null"
	check 'a writable root takes a write' test -e "$B/rootfs/tmp/new"

	bundle
	mkdir "$B/real"
	mv "$B/rootfs" "$B/real/root"
	echo 'echo inside' >"$B/real/root/script"
	args '"sh","/script"'
	for path in "$B/real/root" real/root ./real/../real/root; do
		config "s~\"path\": \".*\"~\"path\": \"$path\"~"
		is "R1 B2: root.path $path is the root" "$(run_b)" inside
	done
	for path in missing config.json / ../../../../../../../..; do
		config "s~\"path\": \".*\"~\"path\": \"$path\"~"
		refused "B2: root.path $path is refused" 'ocirt: '
	done
	ln -s / "$B/slash"
	config 's~"path": ".*"~"path": "slash"~'
	refused "root.path that is a link to / is refused" \
		'(host.s own root|symlink|symbolic)'
}

# ---- the pivot ----

pivot()
{
	bundle
	canary
	writable
	cp "$PROBE" "$B/rootfs/bin/probe"
	caps '"CAP_SYS_CHROOT","CAP_DAC_READ_SEARCH"'
	script "echo '-- dotdot'; stat -c %d:%i / /.. /../..
		echo '-- host'; ls $T/host $T 2>/dev/null; ls /proc/1/root$T 2>/dev/null
		ls /proc/self/cwd/../../..$T 2>/dev/null
		echo '-- breakout'; probe breakout $T/host/canary
		echo '-- mountinfo'; cat /proc/self/mountinfo
		echo '-- end'"
	out=$(run_b 2>&1)
	is '/.. is /' "$(section dotdot | sort -u | grep -c :)" 1
	is "no path leads to the host's files" "$(section host)" ''
	is 'nor does a chroot in a chroot' "$(section breakout)" 'found: no
script: yes'
	is 'the root mount has no mount above it in sight' \
		"$(section mountinfo | awk '
			{ id[$1]; parent[$1] = $2; path[$1] = $5 }
			END { for (i in id) if (!(parent[i] in id))
				print path[i] }')" /
	is 'there is one root mount' \
		"$(section mountinfo | awk '$5 == "/"' | wc -l | tr -d ' ')" 1
}

create_to()
{
	o create -b "$B" "$ID" >"$1" 2>&1 </dev/null || {
		cat "$1"
		return 1
	}
}

# The bundle on a mount that passes on to its peers what happens in it.
shared_host()
{
	mkdir -p "$T/shared"
	mount -t tmpfs -o mode=755 shared "$T/shared"
	mount --make-shared "$T/shared"
	saved=$B
	B=$T/shared/bundle
	bundle
	script 'cat /proc/self/mountinfo'
	for w in none private rprivate slave rslave shared rshared unbindable \
		runbindable; do
		cp "$B/config.json" "$T/plain"
		[ $w = none ] || linux '"rootfsPropagation":"'$w'"'
		mounts >"$T/before"
		check "rootfsPropagation $w is accepted" \
			create_to "$T/out"
		mounts >"$T/created"
		if o start "$ID" 2>>"$T/out"; then
			wait_for 10 is_status "$ID" stopped
			o delete "$ID" 2>>"$T/out"
		fi
		mounts >"$T/after"
		check "rootfsPropagation $w: the host's shared mount is as before" \
			cmp "$T/before" "$T/created"
		check "rootfsPropagation $w: and after delete" \
			cmp "$T/before" "$T/after"
		out=$(cat "$T/out")
		case $w in
		*unbindable) want='^r[ow][^ ]* unbindable - ' ;;
		*shared) want='^r[ow][^ ]* shared:[0-9]* ' ;;
		*private) want='^r[ow][^ ]* - ' ;;
		*) want='^r[ow][^ ]* (master:[0-9]* |propagate_from:[0-9]* )*- ' ;;
		esac
		like "K2: rootfsPropagation $w: / says so" "$(mnt /)" "$want"
		cp "$T/plain" "$B/config.json"
	done
	linux '"rootfsPropagation":"sideways"'
	like 'K2: another rootfsPropagation is refused' "$(run_b 2>&1)" sideways
	B=$saved
	umount "$T/shared"
}

# ---- cgroups ----

cgroup_mount()
{
	if [ "$(host_kind)" = none ]; then
		skip 'the cgroup mount' 'this host has no cgroup file system'
		return
	fi
	bundle
	script 'echo "-- mountinfo"; cat /proc/self/mountinfo
		echo "-- procs"; cat $(find /sys/fs/cgroup -name cgroup.procs) | sort -u
		echo "-- write"
		for f in $(find /sys/fs/cgroup -name cgroup.procs); do
			echo 1 2>&1 >$f | grep -v "Read-only" && echo "$f"
			mkdir ${f%/*}/new 2>&1 | grep -v "Read-only"
		done
		find /sys/fs/cgroup -name release_agent | while read -r f; do
			echo /x 2>&1 >$f | grep -v "Read-only"
		done
		echo "-- end"'
	caps '"CAP_DAC_OVERRIDE","CAP_SYS_ADMIN"'
	# spec lists it on hosts with cgroup v2
	without cgroup
	for kind in without with; do
		[ $kind = without ] ||
			config 's~"namespaces": \[~&{"type":"cgroup"},~'
		out=$(run_b 2>&1)
		check "M17: the cgroup mount is there, $kind a cgroup namespace" \
			test -n "$(mnt /sys/fs/cgroup)"
		is "it shows the container's processes and no others, $kind" \
			"$(section procs | grep -v '^[1-9][0-9]*$' |
				tr '\n' ' ')" ''
		like "M17: it shows the container's own, $kind" \
			"$(section procs | tr '\n' ' ')" '(^| )1 '
		unlike "every part of it is read-only, $kind" \
			"$(section mountinfo | awk '
				index($5, "/sys/fs/cgroup") == 1 { print $6 }')" \
			'^rw'
		is "and cannot be written, $kind" "$(section write)" ''
	done
}

# without TYPE: that namespace is not listed
without()
{
	awk -v t="\"type\": \"$1\"" '
	/^\t\t"namespaces"/ { on = 1 }
	on && /^\t\t\t\{/ { block = $0; next }
	on && block != "" {
		block = block "\n" $0
		if ($0 ~ /^\t\t\t\}/) {
			if (!index(block, t)) {
				sub(/,$/, "", block)
				printf "%s%s", sep, block
				sep = ",\n"
			}
			block = ""
		}
		next
	}
	on && /^\t\t\]/ { printf "\n"; on = 0 }
	{ print }' "$B/config.json" >"$T/config.new" || exit 1
	mv "$T/config.new" "$B/config.json"
}

# ---- what an image or a config could do to the host ----

# /proc is a procfs and nothing else, and nothing is put into it.
proc_is_proc()
{
	bundle
	script 'echo ran'
	canary
	mkdir "$B/rootfs/evil"
	cp "$B/config.json" "$T/plain"
	for what in proc sys; do
		for to in /evil "$T/host"; do
			rm -rf "$B/rootfs/$what"
			ln -s "$to" "$B/rootfs/$what"
			refused "M7: /$what that is a link is refused" \
				'must be mounted on ordinary directory'
		done
		rm "$B/rootfs/$what"
	done
	for dst in /proc /proc/self /proc/self/attr /proc/sys/kernel /proc/x \
		/proc/../proc/self; do
		for m in '"type":"tmpfs","source":"t"' \
			'"source":"'"$T/host"'","options":["bind"]'; do
			cp "$T/plain" "$B/config.json"
			add_mount '{"destination":"'$dst'",'"$m"'}'
			refused "a mount on $dst is refused" \
				'cannot be mounted because it is inside /proc|make mount point'
		done
	done
	cp "$T/plain" "$B/config.json"
	ln -s proc "$B/rootfs/a"
	add_mount '{"destination":"/a/self/attr","type":"tmpfs","source":"t"}'
	refused 'M8: a mount into /proc by another name is refused' 'inside /proc'
	cp "$T/plain" "$B/config.json"
	add_mount '{"destination":"/a","type":"tmpfs","source":"t"}'
	refused 'a mount on /proc by another name is refused' 'inside /proc'
	cp "$T/plain" "$B/config.json"
	echo fake >"$B/uptime"
	add_mount '{"destination":"/proc/uptime","source":"uptime","options":["bind","ro"]}'
	script 'cat /proc/uptime'
	is 'M8: a file may replace /proc/uptime' "$(run_b)" fake
	check 'the host is as before' untouched

	# A sysctl is written to the kernel, not to what looks like it.
	bundle
	set_mounts '{"destination":"/dev","type":"tmpfs","source":"tmpfs"},{"destination":"/p","type":"proc","source":"proc"}'
	mkdir -p "$B/rootfs/proc/sys/kernel" "$B/rootfs/proc/self/attr"
	echo tweet >"$B/rootfs/proc/sys/kernel/domainname"
	list maskedPaths '' ,
	list readonlyPaths ''
	linux '"sysctl":{"kernel.domainname":"real"}'
	script 'cat /p/sys/kernel/domainname /proc/sys/kernel/domainname'
	is 'a sysctl goes past what the image has at /proc' \
		"$(run_b 2>&1 | tr '\n' ' ')" 'real tweet '
}

# Mount points that lead out of the root file system (CVE-2021-30465).
links_out()
{
	bundle
	canary
	writable
	script 'cat /proc/self/mountinfo'
	mkdir "$B/rootfs/d"
	ln -s "$T/host" "$B/rootfs/d/absolute"
	ln -s ../../../../../../../../../.."$T/host" "$B/rootfs/d/relative"
	ln -s / "$B/rootfs/d/slash"
	ln -s /proc/self/root"$T/host" "$B/rootfs/d/self"
	ln -s /proc/1/root"$T/host" "$B/rootfs/d/one"
	ln -s /proc/self/cwd/../../.. "$B/rootfs/d/cwd"
	i=41
	ln -s /d "$B/rootfs/d/chain$i"
	while [ $i -gt 0 ]; do
		ln -s "chain$i" "$B/rootfs/d/chain$((i - 1))"
		i=$((i - 1))
	done
	for l in absolute relative "slash$T/host" self one cwd chain0; do
		bad=
		for tail in '' /sub /new/deep; do
			for m in '"type":"tmpfs","source":"evil"' \
				'"source":"'"$B/config.json"'","options":["bind"]'; do
				bundle_again
				add_mount '{"destination":"/d/'"$l$tail"'",'"$m"'}'
				out=$(run_b 2>&1)
				if ! untouched 2>"$T/diff" ||
					! mounts | cmp -s - "$T/mounts"; then
					bad="$bad /d/$l$tail: $(cat "$T/diff")"
					canary
				fi
			done
		done
		is "mounts through the link /d/$l do not reach the host" \
			"$bad" ''
	done
}

bundle_again()
{
	[ -e "$T/links.json" ] || cp "$B/config.json" "$T/links.json"
	cp "$T/links.json" "$B/config.json"
	mounts >"$T/mounts"
}

# /dev of the image leads out (CVE-2026-41579, CVE-2026-47766).
dev_out()
{
	proc='{"destination":"/proc","type":"proc","source":"proc"}'
	bundle
	canary
	writable
	set_mounts "$proc"
	script 'ls -la /dev/'
	for to in "$T/host" ../../../../../../../../.."$T/host"; do
		rm -rf "$B/rootfs/dev"
		ln -s "$to" "$B/rootfs/dev"
		run_b >"$T/out" 2>&1
		check "/dev -> ${to%%/*}... of the image: nothing is made there" \
			untouched
		gone
	done
	rm "$B/rootfs/dev"
	mkdir "$B/rootfs/dev"
	ln -s "$T/host" "$B/rootfs/dev/sub"
	ln -s "$T/host" "$B/rootfs/out"
	cp "$B/config.json" "$T/plain"
	for path in /dev/sub/node /out/node /dev/../out/node \
		/dev/../../../../../../../.."$T/host/node" /out/sub/deep/node; do
		cp "$T/plain" "$B/config.json"
		linux '"devices":[{"path":"'"$path"'","type":"p","fileMode":438}]'
		run_b >"$T/out" 2>&1
		check "a device at $path does not reach the host" untouched
		gone
	done
	for n in pts shm mqueue ptmx fd core stdin; do
		bundle
		set_mounts "$proc"',{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance"]},{"destination":"/dev/shm","type":"tmpfs","source":"shm"},{"destination":"/dev/mqueue","type":"tmpfs","source":"mqueue"}'
		mkdir "$B/rootfs/dev"
		ln -s "$T/host/ptmx" "$B/rootfs/dev/$n"
		[ $n = ptmx ] || ln -sf "$T/host" "$B/rootfs/dev/$n"
		script 'ls /dev'
		run_b >"$T/out" 2>&1
		check "/dev/$n of the image does not lead to the host" untouched
		gone
	done
}

# The mask is not the image's /dev/null (CVE-2025-31133).
fake_null()
{
	for kind in 'ln -s /proc/sys/kernel/domainname' 'touch' 'mkfifo' \
		'ln -s'" $T/host/canary"; do
		bundle
		canary
		set_mounts '{"destination":"/proc","type":"proc","source":"proc"}'
		list maskedPaths '"/proc/cpuinfo","/etc/secret"' ,
		echo secret >"$B/rootfs/etc/secret"
		mkdir "$B/rootfs/dev"
		$kind "$B/rootfs/dev/null"
		script 'cat /proc/cpuinfo /etc/secret; echo pwned >/proc/cpuinfo
			cat /proc/sys/kernel/domainname'
		out=$(timeout 5 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" 2>&1 \
			</dev/null)
		unlike "masks do not use /dev/null made by ${kind%% /*}" "$out" \
			'secret$|processor|pwned'
		check 'nor does the host change' untouched
		gone
	done

	# Standard streams that are not null are not taken for it (T14).
	bundle
	set_mounts '{"destination":"/proc","type":"proc","source":"proc"}'
	mkdir "$B/rootfs/dev"
	mknod "$B/rootfs/dev/null" c 1 3
	script 'echo to the pipe'
	is 'output goes to the pipe that it was given' "$(run_b | cat)" \
		'to the pipe'
}

# A terminal's place in /dev leads out (CVE-2025-52565). Nothing may hang.
console_out()
{
	for kind in console=sysctl console=host console=dir console=fifo \
		ptmx=host pts/ptmx=fifo pts/ptmx=host pts/0=host; do
		bundle
		canary
		config 's/"terminal": false/"terminal": true/'
		mkdir -p "$B/rootfs/dev/pts"
		f=$B/rootfs/dev/${kind%=*}
		case $kind in
		*=sysctl) ln -s /proc/sys/kernel/domainname "$f" ;;
		*=host) ln -s "$T/host/canary" "$f" ;;
		*=dir) mkdir "$f" ;;
		*=fifo) mkfifo "$f" ;;
		esac
		script 'stat -c "%n %F %t" /dev/console'
		proc='{"destination":"/proc","type":"proc","source":"proc"}'
		set_mounts "$proc"',{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance","ptmxmode=0666"]}'
		case $kind in
		console=*) want='/dev/console.*not a file to mount' ;;
		*) want='^/dev/console character special file 88' ;;
		esac
		like "dev/$kind of the image is no way out" "$(on_pty)" "$want"
		set_mounts "$proc"
		like "nor is it without a devpts (dev/$kind)" "$(on_pty)" \
			'terminal: |/dev/console.*not a file to mount'
		check "and the host is as before (dev/$kind)" untouched
		gone
	done
}

on_pty()
{
	timeout 5 "$TOP/tests/bin/ptyrun" -- "$OCIRT" --root "$ROOT" run \
		-b "$B" "$ID" 2>&1 | tr -d '\r'
	o delete -f "$ID" 2>"$T/null"
}

# What the caller gave us stays whose it was (T16).
owners()
{
	bundle
	echo >"$T/file"
	chmod 644 "$T/file"
	mkdir "$T/nodes"
	mount -t tmpfs nodes "$T/nodes"
	mknod "$T/nodes/zero" c 1 5
	chmod 640 "$T/nodes/zero"
	config 's/"uid": 0/"uid": 1000/'
	script 'id -u; echo err >&2'
	o run -b "$B" "$ID" <"$T/nodes/zero" >"$T/file" 2>"$T/file2"
	is 'P18: a user can use the streams' "$(cat "$T/file" "$T/file2")" '1000
err'
	is 'stdout that is a file keeps its owner and mode' \
		"$(stat -c '%a %u:%g' "$T/file")" '644 0:0'
	is 'stdin that is a device does too' \
		"$(stat -c '%a %u:%g' "$T/nodes/zero")" '640 0:0'
	umount "$T/nodes"
	script 'echo again >/dev/stdout'
	is 'stdout that is a pipe can be opened again' "$(run_b)" again
}

: >"$T/null"
default_bundle
every_option
propagation
mount_kinds
mount_errors
devices
paths
roots
pivot
shared_host
cgroup_mount
proc_is_proc
links_out
dev_out
fake_null
console_out
owners
check 'nothing is left at the end' nothing_left
done_testing

#!/bin/sh
# The container's cgroup in each hierarchy: that it is there before anything
# runs, its name, its removal, the device rules, hosts without cgroups. What
# is true is read from /proc/PID/cgroup and the cgroup files. Needs root.
# shellcheck disable=SC2013,SC2016,SC2119,SC2317
. tests/lib.sh
need_root
host=$(host_kind)
diag "cgroups of this host: $host"

run()
{
	timeout 20 "$OCIRT" --root "$ROOT" "$@" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
}

hook()
{
	config "s|^$(printf '\t')\"linux\": {|\"hooks\": { \"$1\": [ { \"path\": \
\"$BUSYBOX\", \"args\": [\"sh\", \"$2\"] } ] }, &|"
}

# outside FILE ENDING: the lines of a /proc/PID/cgroup whose path does not
# end so. Hierarchies that are mounted nowhere do not count.
outside()
{
	awk '$0 ~ / - cgroup2 / { print "0:" }
	$0 ~ / - cgroup / { n = split($NF, o, ","); for (i = 1; i <= n; i++)
		print ":" o[i] }' /proc/self/mountinfo >"$T/mounted"
	while IFS=: read -r n c path; do
		if [ "$n" = 0 ]; then
			grep -qx 0: "$T/mounted" || continue
		else
			grep -qx ":${c%%,*}" "$T/mounted" || continue
		fi
		case $path in
		*"$2") ;;
		*) echo "$n:$c:$path" ;;
		esac
	done <"$1"
}

bundle
[ "$host" != v2 ] || host_cgroupns
config 's/"readonly": true/"readonly": false/'
args '"sleep", "1000"'

if [ "$host" = none ]; then
	run run -d -b "$B" "$ID"
	is 'a host without cgroups: it runs' "$rc:$err" 0:
	o delete -f "$ID"
	run --debug run -d -b "$B" "$ID"
	like 'with --debug it says so' "$out$err" cgroup
	o delete -f "$ID"
	done_testing
fi

# ---- where init is ----

cp /proc/self/cgroup "$T/ours"
run create -b "$B" "$ID"
p=$(pid "$ID")
is 'G4 X19: created: init is in its own cgroup in every hierarchy' \
	"$(outside "/proc/$p/cgroup" "/$ID")" ''
check 'we are not' test -n "$(outside /proc/self/cgroup "/$ID")"
is 'our own cgroups are as they were' "$(cat /proc/self/cgroup)" \
	"$(cat "$T/ours")"
miss=
for d in $(cgroups); do
	[ "$(cat "$d/cgroup.procs")" = "$p" ] || miss="$miss $d"
done
is 'each holds init and nobody else' "$miss" ''
run start "$ID"
is 'running: init is still there' "$(outside "/proc/$p/cgroup" "/$ID")" ''
run ps -f json "$ID"
is 'ps: one process' "$out" "[$p]"
run exec -d "$ID" sh -c 'sleep 1000 & sleep 1000 & wait'
for d in $(cgroups); do
	first=$d
done
check 'four processes' wait_for 5 eval \
	'[ "$(grep -c . "$first/cgroup.procs")" = 4 ]'
run ps -f json "$ID"
is 'OP-ps: ps: all of them' "$(printf '%s\n' "$out" | tr -d '[]' | tr , '\n' | sort -n)" \
	"$(sort -n "$first/cgroup.procs")"
if command -v ps >/dev/null 2>&1 && ps -ef >/dev/null 2>&1; then
	run ps "$ID"
	is 'OP-ps: ps: a table of them' "$rc $(printf '%s\n' "$out" | grep -c sleep)" \
		'0 4'
fi

# A cgroup made inside, with a process in it; ps and delete find both.
for d in $(cgroups); do
	mkdir "$d/in" "$d/in/side" || continue
	for f in cpuset.cpus cpuset.mems; do
		[ -e "$d/$f" ] || continue
		[ ! -e "$d/cgroup.controllers" ] || continue
		cat "$d/$f" >"$d/in/$f"
		cat "$d/$f" >"$d/in/side/$f"
	done
	q=$(sed -n '$p' "$first/cgroup.procs")
	[ "$d" = "$first" ] || continue
	echo "$q" >"$d/in/side/cgroup.procs" 2>/dev/null
done
run ps -f json "$ID"
is 'ps: also those in cgroups below' \
	"$(printf '%s\n' "$out" | tr , '\n' | grep -c .)" 4
run delete -f "$ID"
is 'delete -f' "$rc:$err" 0:
is 'cgroups below go too' "$(cgroups)" ''
check 'all is gone' wait_for 5 nothing_left

# Before anything of the container runs, it is in its cgroup.
cat >"$T/hook" <<END
cat /proc/self/cgroup >$T/seen
END
for m in createContainer createRuntime,createContainer; do
	bundle
	[ "$host" != v2 ] || host_cgroupns
	args '"true"'
	hook createContainer "$T/hook"
	case $m in
	*,*) config "s|\"hooks\": {|&\"createRuntime\": [{\"path\": \"$BUSYBOX\", \"args\": [\"true\"]}],|" ;;
	esac
	rm -f "$T/seen"
	run run -b "$B" "$ID"
	is "$m hook: run" "$rc:$err" 0:
	check "$m hook: it ran" test -s "$T/seen"
	is "$m hook: in the container's cgroups" \
		"$(outside "$T/seen" "/$ID")" ''
done
bundle
[ "$host" != v2 ] || host_cgroupns
config 's/"readonly": true/"readonly": false/'
script 'cat /proc/self/cgroup'
run run -b "$B" "$ID"
cp "$T/out" "$T/seen"
is 'the program: from its first line on' "$rc:$(outside "$T/seen" "/$ID")" 0:
check 'G8: run leaves no cgroup' nothing_left

# ---- cgroupsPath ----

args '"sleep", "1000"'
path()
{
	bundle
	[ "$host" != v2 ] || host_cgroupns
	args '"sleep", "1000"'
	config "s|^$(printf '\t')\"linux\": {|&\"cgroupsPath\": \"$1\",|"
}
path "/$ID-a/b/$ID"
run create -b "$B" "$ID"
is 'absolute: create' "$rc:$err" 0:
p=$(pid "$ID")
is 'G1: absolute: below the root of each hierarchy' \
	"$(cut -d: -f3 "/proc/$p/cgroup" | sort -u)" "/$ID-a/b/$ID"
run delete "$ID"
is 'absolute: delete' "$rc:$err" 0:
is 'its own cgroup is gone' "$(cgroups | grep "/b/$ID\$")" ''
cgroups | while read -r d; do
	rmdir "$d/b" 2>/dev/null
	rmdir "$d" 2>/dev/null
done

path "$ID-r/$ID"
run create -b "$B" "$ID"
is 'relative: create' "$rc:$err" 0:
p=$(pid "$ID")
is 'G1: relative: ends so in each hierarchy' \
	"$(outside "/proc/$p/cgroup" "/$ID-r/$ID")" ''
o delete -f "$ID"
cgroups | while read -r d; do
	rmdir "$d" 2>/dev/null
done

for evil in "../../../$ID-up" "/../../$ID-up" "/../$ID-up" \
	"$ID-x/../../../$ID-up" '..' '/..' '/' ''; do
	path "$evil"
	run create -b "$B" "$ID"
	if [ "$rc" = 0 ]; then
		p=$(pid "$ID")
		miss=$(cut -d: -f3 "/proc/$p/cgroup" | grep -F ..)
		is "'$evil' has no .. in the kernel's eyes" "$miss" ''
		check "'$evil': not our own cgroup" test \
			"$(cat "/proc/$p/cgroup")" != "$(cat /proc/self/cgroup)"
		run delete "$ID"
		is "'$evil': delete" "$rc:$err" 0:
	else
		ok "'$evil' is refused"
		is "'$evil': in one line" "$(wc -l <"$T/err" | tr -d ' ')" 1
	fi
	cgroups | while read -r d; do
		rmdir "$d" 2>/dev/null
	done
	check "'$evil': nothing is left" nothing_left
done

# ---- a cgroup that is there already ----

path "/$ID-full"
made=
for m in $(awk '$0 ~ / - cgroup / && $NF ~ /pids/ { print $5 }
	$0 ~ / - cgroup2 / { print $5 }' /proc/self/mountinfo | head -n 1); do
	made=$m/$ID-full
	mkdir "$made"
done
sleep 1000 &
s=$!
pids="$pids $s"
echo $s >"$made/cgroup.procs"
run create -b "$B" "$ID"
is 'L17: a cgroup with a process in it is refused' "$rc" 1
like 'in these words' "$err" "container's cgroup is not empty"
check 'the process is left alone' kill -0 $s
is 'and stays where it is' "$(cat "$made/cgroup.procs")" $s
kill -9 $s
wait $s 2>/dev/null
check 'its cgroup stays' wait_for 5 rmdir "$made"
check 'of the container nothing is left' nothing_left
mkdir "$made"
run create -b "$B" "$ID"
is 'an empty one is taken' "$rc:$err" 0:
o delete -f "$ID"
check 'and removed with it' nothing_left

# ---- device rules ----

bundle
[ "$host" != v2 ] || host_cgroupns
config 's/"readonly": true/"readonly": false/'
config 's/"CAP_KILL",/&"CAP_MKNOD",/'
script 'mknod /dev/tkmsg c 1 11
mknod /dev/tnull c 1 3
mknod /dev/tloop b 7 0
for f in /dev/tkmsg /dev/tloop /dev/tnull /dev/null /dev/zero /dev/tty; do
	if (: <$f); then echo "$f r"; else echo "$f -"; fi
done 2>/tmp/err
: >/dev/null && echo "/dev/null w"
cat /tmp/err >&2'
if [ "$host" = v2 ] || grep -q ' - cgroup .*devices' /proc/self/mountinfo; then
	run run -b "$B" "$ID"
	is 'G6: devices: what the rules deny cannot be opened' \
		"$(printf '%s\n' "$out" | grep -E 'kmsg|loop' | tr '\n' ' ')" \
		'/dev/tkmsg - /dev/tloop - '
	like 'devices: because it is not permitted' "$err" \
		'/dev/tkmsg: Operation not permitted'
	is 'devices: the default ones can' \
		"$(printf '%s\n' "$out" | grep null | tr '\n' ' ')" \
		'/dev/tnull r /dev/null r /dev/null w '
	sed -i 's|"devices": \[|&{"allow":true,"type":"c","major":1,"minor":11,"access":"r"},|' \
		"$B/config.json"
	run run -b "$B" "$ID"
	like 'devices: a later rule wins' "$out" '/dev/tkmsg -'
	awk '{ print } /"access": "rwm"/ { hit = 1 } hit && /}/ {
		print ",{\"allow\":true,\"type\":\"b\",\"major\":7,\"minor\":0,\"access\":\"r\"}"
		hit = 0 }' "$B/config.json" >"$T/c"
	cp "$T/c" "$B/config.json"
	run run -b "$B" "$ID"
	like 'devices: what they allow can be opened' "$out" '/dev/tloop r'
	edit '.linux.resources.devices += [{allow:false,type:"b",major:7,minor:0,access:"rw"}]'
	run run -b "$B" "$ID"
	like 'G6: devices: what is denied last is denied' "$out" '/dev/tloop -'
	edit '.linux.resources.devices = [{allow:false,access:"rwm"},
		{allow:true,type:"b",major:7,minor:0,access:"w"}]'
	run run -b "$B" "$ID"
	like 'devices: leave to write is none to read' "$out" '/dev/tloop -'
	edit '.linux.resources.devices += [{allow:true,access:"rwm"}]'
	run run -b "$B" "$ID"
	like 'devices: a rule for all is for all' "$out" '/dev/tloop r'
	bundle
	if [ "$host" = v2 ]; then
		skip 'devices: the list of the kernel has no "all"' 'a filter has none'
	else
		args '"sleep", "1000"'
		run create -b "$B" "$ID"
		like 'devices: the list of the kernel has no "all"' \
			"$(cat /sys/fs/cgroup/devices/*"$ID"/devices.list \
				/sys/fs/cgroup/devices/"$ID"/devices.list \
				"$(cgroups | grep devices)/devices.list" 2>/dev/null |
				sort -u | tr '\n' ' ')" '^[^a]*c 1:3 rwm'
	fi
	o delete -f "$ID"
else
	run run -b "$B" "$ID"
	is 'no controller for devices: rules with CAP_MKNOD are refused' "$rc" 1
	skip 'devices: what the rules deny cannot be opened' \
		"no v1 devices controller here ($host)"
fi
check 'devices: nothing is left' nothing_left

# ---- other hosts: mounts taken away in a namespace of their own ----

bundle
[ "$host" != v2 ] || host_cgroupns
script 'cat /proc/self/cgroup'
# without TYPES-REGEXP ARGS...: ocirt where no such file systems are mounted
without()
{
	re=$1
	shift
	timeout 20 unshare -m sh -c 'mount --make-rprivate / 2>/dev/null
		awk -v re="$0" "\$0 ~ (\" - (\" re \") \") { print \$5 }" \
			/proc/self/mountinfo | sort -r |
			while read -r m; do umount "$m" || umount -l "$m"; done
		if grep -E " - ($0) " /proc/self/mountinfo; then exit 99; fi
		exec "$@"' "$re" "$OCIRT" --root "$ROOT" "$@" \
		>"$T/out" 2>"$T/err" </dev/null
	rc=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
}
if unshare -m true 2>/dev/null; then
	# the bundle wants the host's cgroups shown; there are none
	without 'cgroup2?' run -b "$B" "$ID"
	is 'G9: no cgroup mounted: run works' "$rc:$err" 0:
	cp "$T/out" "$T/seen"
	is 'it is in none' "$(grep -c "$ID" "$T/seen")" 0
	without 'cgroup2?' --debug run -b "$B" "$ID"
	like 'no cgroup mounted: --debug says so' "$out$err" \
		'note:.*cgroup'
	args '"sleep", "1000"'
	without 'cgroup2?' run -d -b "$B" "$ID"
	is 'no cgroup mounted: run -d' "$rc:$err" 0:
	run state "$ID"
	like 'no cgroup mounted: state tells it' "$out" 'org.ocirt.degraded'
	p=$(pid "$ID")
	without 'cgroup2?' ps -f json "$ID"
	like 'no cgroup mounted: ps works' "$rc $out" '^0 \['
	without 'cgroup2?' kill "$ID" KILL
	is 'no cgroup mounted: kill' "$rc:$err" 0:
	wait_for 5 gone "$p"
	without 'cgroup2?' delete "$ID"
	is 'no cgroup mounted: delete' "$rc:$err" 0:
	without 'cgroup2?' run -d -b "$B" "$ID"
	p=$(pid "$ID")
	without 'cgroup2?' delete -f "$ID"
	is 'no cgroup mounted: delete -f of a running one' "$rc:$err" 0:
	check 'no cgroup mounted: it is dead' gone "${p:-1}"
	check 'no cgroup mounted: nothing is left' nothing_left

	if [ "$host" = hybrid ]; then
		script 'cat /proc/self/cgroup'
		for t in cgroup2 cgroup; do
			without "$t" run -b "$B" "$ID"
			is "$t unmounted: run works" "$rc:$err" 0:
			n=$(printf '%s\n' "$out" | grep -c "/$ID\$")
			case $t in
			cgroup) is 'v2 only: it is in one' "$n" 1 ;;
			*) check "v1 only: it is in several ($n)" test "$n" -gt 2
				unlike 'but not in the v2 one' "$out" \
					"^0::.*/$ID" ;;
			esac
			check "$t unmounted: nothing is left" nothing_left
		done
	else
		skip 'v1 only, v2 only' "needs a hybrid host, this is $host"
	fi
else
	skip 'no cgroup mounted: run works' 'no unshare -m here'
fi

cs=$(awk '$0 ~ / - cgroup / && $NF ~ /cpuset/ { print $5 }' /proc/self/mountinfo)
if [ -n "$cs" ]; then
	path "/$ID-a/$ID"
	run create -b "$B" "$ID"
	for f in cpus mems; do
		is "G4: cpuset.$f is filled, from above" \
			"$(cat "$cs/$ID-a/$ID/cpuset.$f")" "$(cat "$cs/cpuset.$f")"
	done
	o delete -f "$ID"
	cgroups | while read -r d; do
		rmdir "$d" 2>/dev/null
	done
else
	skip 'cpuset is filled' "no v1 cpuset here ($host)"
fi
check 'nothing is left at the end' nothing_left

done_testing

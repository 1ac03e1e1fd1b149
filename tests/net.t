#!/bin/sh
# net.t - the container's network: loopback, and devices of the host that move
# into it and back when create fails. The whole test is in a network namespace
# of its own, which stands for the host's. Needs root, and veth or dummy.
# shellcheck disable=SC2119,SC2317,SC2016
if [ "$(id -u)" = 0 ] && [ -z "${OCIRT_NET_T-}" ]; then
	OCIRT_NET_T=$(readlink /proc/self/ns/net) exec unshare -n sh "$0"
fi
. tests/lib.sh
need_root
need_program ip
[ "$(readlink /proc/self/ns/net)" != "$OCIRT_NET_T" ] ||
	skip_all 'needs a network namespace of its own: unshare -n'
modprobe veth 2>/dev/null
modprobe dummy 2>/dev/null
kind=
for k in veth dummy; do
	ip link add name probe0 type $k 2>/dev/null && kind=$k && break
done
[ -n "$kind" ] || skip_all 'needs CONFIG_VETH or CONFIG_DUMMY'
ip link del probe0

# device NAME [ADDRESS...]: a new one, up, with these addresses
device()
{
	name=$1
	shift
	ip link del "$name" 2>/dev/null
	ip link add name "$name" type "$kind" || exit 1
	for a; do
		ip addr add "$a" dev "$name" || exit 1
	done
	ip link set "$name" up
}

# devices JSON: linux.netDevices
devices()
{
	edit ".linux.netDevices = $1"
}

# addrs NAME: its state and global addresses, from the output of "ip addr"
addrs()
{
	awk -v n="$1" '
	/^[0-9]+: / { on = $2 == n ":" || index($2, n "@") == 1
		if (on) print ($3 ~ /[<,]UP[,>]/ ? "up" : "down") }
	on && $1 ~ /^inet6?$/ && / scope global/ { print $2 }
	on && $1 ~ /^inet6?$/ && / scope link/ && $1 == "inet" { print "link " $2 }' |
		tr '\n' ' '
}

# inside 'sentence' NAME WANT: $out is "ip addr" of the container
inside()
{
	is "$1" "$(printf '%s\n' "$out" | addrs "$2")" "$3"
}

# outside 'sentence' NAME WANT: the same about the host
outside()
{
	is "$1" "$(ip addr | addrs "$2")" "$3"
}

fresh()
{
	bundle
	ip link set lo up
	args '"ip","addr"'
	cp "$B/config.json" "$T/plain"
}

again()
{
	cp "$T/plain" "$B/config.json"
}

loopback()
{
	fresh
	like 'N5: lo is up in a new network namespace' "$(run_b)" \
		'lo: <LOOPBACK,UP'
	unshare -n sleep 60 &
	pids="$pids $!"
	other=$!
	wait_for 5 new_net $other
	ns_path network "/proc/$other/ns/net"
	unlike 'N5: in one that is joined it is as it was' "$(run_b)" \
		'lo: <LOOPBACK,UP'
}

new_net()
{
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

moving()
{
	again
	v6=fd00:0:0:7::1/64
	[ -e /proc/sys/net/ipv6 ] || v6=
	# shellcheck disable=SC2086 # none or one
	device mv0 10.7.0.1/24 10.7.0.2/24 10.8.0.1/16 $v6
	ip addr add 169.254.7.1/16 dev mv0 scope link
	devices '{"mv0": {"name": "web0"}}'
	out=$(run_b 2>&1)
	inside 'D8: a device moves in under its new name, with its permanent global addresses, and is up' \
		web0 "up 10.7.0.1/24 10.8.0.1/16 10.7.0.2/24 ${v6:+fd00:0:0:7::1/64 }"
	unlike 'D8: the old name is not there' "$out" ' mv0[:@]'
	outside 'D8: it is not moved back when the container is gone' mv0 ''

	again
	device mv1 10.7.1.1/32
	ip link set mv1 down
	devices '{"mv1": {}}'
	out=$(run_b 2>&1)
	inside 'D8: without a name it keeps its own; one that was down is up' \
		mv1 'up 10.7.1.1/32 '

	again
	device mv2 10.7.2.1/24
	device mv3 10.7.3.1/24
	devices '{"mv2": {name: "eth%d"}, "mv3": {name: "eth%d"}}'
	out=$(run_b 2>&1)
	inside 'D8: %d is the first free number' eth0 'up 10.7.2.1/24 '
	inside 'D8: and the next one' eth1 'up 10.7.3.1/24 '

	again
	device mv4 10.7.4.1/24
	devices '{"mv4": {"name": "in4"}}'
	o create -b "$B" "$ID" </dev/null >"$T/out" 2>&1
	outside 'D8: it is gone from the host when create returns' mv4 ''
	out=$(o exec "$ID" ip addr)
	inside 'D8: and in the container before start' in4 'up 10.7.4.1/24 '
	o delete -f "$ID"

	again
	edit '.linux.netDevices = {"mv5": {}} | .hooks.prestart = [{path: "/bin/sh",
		args: ["sh", "-c", "cat >/dev/null; ip link >'"$T"'/hook"]}]'
	device mv5
	run_b >"$T/out" 2>&1
	check 'D8: prestart hooks run after that' hook_saw_none
}

hook_saw_none()
{
	grep -q ' lo:' "$T/hook" && ! grep -q mv5 "$T/hook"
}

joined()
{
	again
	device mv6 10.7.6.1/24
	unshare -n sleep 60 &
	pids="$pids $!"
	other=$!
	wait_for 5 new_net $other
	ns_path network "/proc/$other/ns/net"
	devices '{"mv6": {"name": "in6"}}'
	out=$(run_b 2>&1)
	inside 'D8: it moves into a namespace that is joined by path, too' in6 \
		'up 10.7.6.1/24 '
	out=$(nsenter -t $other -n ip addr)
	inside 'D8: and stays there' in6 'up 10.7.6.1/24 '
	device mv7
	edit '.linux.netDevices = {"mv7": {"name": "in6"}}'
	refused 'D8: a name that is taken in there is refused' \
		"netDevices mv7: the container has a network device 'in6' already" \
		o run -b "$B" "$ID"
	outside 'D8: and the device is where it was' mv7 'up '
	again
	ns_path network /proc/self/ns/net
	devices '{"mv7": {"name": "in7"}}'
	refused "D8: the caller's own namespace is none" \
		'unable to move network devices without a NET namespace' \
		o run -b "$B" "$ID"
	outside 'D8: and the device is where it was' mv7 'up '
}

users()
{
	[ -e /proc/self/ns/user ] || {
		skip 'D8: into a user namespace' 'this kernel has none'
		return
	}
	again
	device mv8 10.7.8.1/24
	edit '.linux.namespaces += [{type: "user"}] | .linux.uidMappings =
		[{containerID: 0, hostID: 100000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings |
		.linux.netDevices = {"mv8": {name: "in8"}}'
	chmod 755 "$T" "$B" "$B/rootfs"
	out=$(run_b 2>&1)
	inside 'D8: root can move it into a container with a user namespace' \
		in8 'up 10.7.8.1/24 '
	setpriv --reuid 65533 --regid 65533 --clear-groups true 2>/dev/null || {
		skip 'D8: an ordinary user cannot move devices' 'needs setpriv'
		return
	}
	again
	edit '.linux.namespaces += [{type: "user"}] | .linux.uidMappings =
		[{containerID: 0, hostID: 65533, size: 1}] |
		.linux.gidMappings = .linux.uidMappings |
		.linux.netDevices = {"lo": {name: "in9"}} | del(.linux.resources)'
	mkdir -p "$T/user"
	chown 65533:65533 "$T/user"
	out=$(setpriv --reuid 65533 --regid 65533 --clear-groups \
		"$OCIRT" --root "$T/user/state" run -b "$B" "$ID" </dev/null 2>&1)
	like 'D8: an ordinary user cannot move devices' "$? $out" \
		'^1 ocirt: .*an ordinary user cannot move network devices$'
}

# back 'sentence' PATTERN: a create that fails with it leaves bk0 as it was
back()
{
	device bk0 10.9.0.1/24 10.9.0.2/24
	refused "D8: $1: the create fails" "$2" o create -b "$B" "$ID"
	outside "D8: $1: the device is back, up, with its addresses" bk0 \
		'up 10.9.0.1/24 10.9.0.2/24 '
}

failing()
{
	again
	edit '.linux.netDevices = {"bk0": {"name": "web0"}} |
		.process.args = ["/no/such"]'
	back 'no such program' 'no such file or directory'
	again
	edit '.linux.netDevices = {"bk0": {"name": "eth%d"}} |
		.hooks.createRuntime = [{path: "/bin/false"}]'
	back 'a hook fails' 'createRuntime'
	again
	edit '.linux.netDevices = {"bk0": {"name": "web0"}, "nosuch0": {}}'
	back 'the next device is missing' \
		'netDevices nosuch0: no such network device: no such device'
	again
	edit '.linux.netDevices = {"bk0": {"name": "web0"}, "lo": {"name": "lo9"}}'
	ip addr add 10.9.9.9/32 dev lo
	back 'the next device may not leave' \
		"netDevices lo: move it into the container as 'lo9' .*(invalid argument|not permitted)"
	outside 'D8: and lo is as it was' lo 'up 10.9.9.9/32 '
	again
	edit '.linux.netDevices = {"bk0": {"name": "web0"}} |
		.process.args = ["/no/such"]'
	device bk0 10.9.0.1/24
	ip link set bk0 down
	o create -b "$B" "$ID" </dev/null >"$T/out" 2>&1
	outside 'D8: one that was down is down again' bk0 'down 10.9.0.1/24 '
}

names()
{
	again
	without network
	edit '.linux.netDevices = {"bk0": {}}'
	refused 'D8: without a network namespace it is refused' \
		'linux.netDevices: unable to move network devices without a NET namespace' \
		o run -b "$B" "$ID"
	for n in 1234567890123456 a/b a:b 'a b' . .. 'a%' 'a%s' '%d%d' '%%d'; do
		again
		devices "{\"bk0\": {name: \"$n\"}}"
		refused "D8: the name '$n' is refused" \
			"linux.netDevices.bk0.name: '.*' is no name for a network device" \
			o run -b "$B" "$ID"
	done
	for n in 1234567890123456 a/b 'eth%d' ''; do
		again
		devices "{\"$n\": {name: \"x\"}}"
		refused "D8: the host's name '$n' is refused" \
			"linux.netDevices.*'$n' is no name of a network device" \
			o run -b "$B" "$ID"
	done
	again
	devices '{"bk0": {name: "x"}, "bk1": {name: "x"}}'
	refused 'D8: two devices of one name are refused' \
		"netDevices.bk1.name: two network devices are to be 'x'" \
		o run -b "$B" "$ID"
	again
	devices '{"bk0": {name: "lo"}}'
	device bk0 10.9.0.1/24
	refused 'D8: a name that the container has is refused' \
		"netDevices bk0: the container has a network device 'lo' already" \
		o run -b "$B" "$ID"
	outside 'D8: and the device is as it was' bk0 'up 10.9.0.1/24 '
	again
	devices '{"bk0": {}, "bk1": {name: "eth%d"}}'
	like 'D8: plan says what will move' "$(o plan -b "$B")" \
		'^net-devices  *bk0=bk0 bk1=eth%d$'
}

loopback
moving
joined
users
failing
names
check 'nothing is left at the end' nothing_left
done_testing

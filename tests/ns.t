#!/bin/sh
# ns.t - namespaces: new ones are new, those not listed are the caller's, and
# what is set in the new ones is not set in the host's. Needs root.
# shellcheck disable=SC2119,SC2317,SC2016
. tests/lib.sh
need_root

# linux MEMBERS: more members of "linux". with TYPE [MEMBERS], without TYPE:
# the list of namespaces
linux()
{
	config "s~^\t\"linux\": {\$~&$1,~"
}

with()
{
	config "s~\"namespaces\": \\[~&{\"type\":\"$1\"${2-}},~"
}

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

# ns NAME [PID]: a namespace as the kernel names it
ns()
{
	readlink "/proc/${2:-self}/ns/$1"
}

# Does this kernel have them?
has()
{
	[ -e "/proc/self/ns/$1" ]
}

# Sets p to the pid of $B's program, which sleeps.
start_sleeping()
{
	args '"sleep","60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/out" 2>&1
	p=$(pid "$ID")
	if [ -z "$p" ]; then
		not_ok 'the container runs'
		diag "$(cat "$T/out")"
		p=none
	fi
}

# is_new NAME: p's is there, and is not ours
is_new()
{
	[ -n "$(ns "$1" "$p")" ] && [ "$(ns "$1" "$p")" != "$(ns "$1")" ]
}

# spec lists it on hosts with cgroup v2
lists_cgroup()
{
	sed -n '/"namespaces"/,/\]/p' "$B/config.json" | grep -q '"cgroup"'
}

new_and_old()
{
	bundle
	if lists_cgroup; then
		without cgroup
	fi
	start_sleeping
	for n in pid net ipc uts mnt; do
		check "N1: the $n namespace is a new one" is_new $n
	done
	for n in user cgroup time; do
		has $n || continue
		is "N4: the $n namespace, not listed, is the caller's" \
			"$(ns $n "$p")" "$(ns $n)"
	done
	is 'init is pid 1 in its own' \
		"$(sed -n 's/^NSpid:.*[[:blank:]]//p' "/proc/$p/status")" 1
	is 'exec is in the same namespaces' "$(o exec "$ID" sh -c \
		'for n in pid net ipc uts mnt; do readlink /proc/self/ns/$n; done')" \
		"$(for n in pid net ipc uts mnt; do ns $n "$p"; done)"
	is 'exec is not pid 1' \
		"$(o exec "$ID" sh -c '[ $$ -gt 1 ] && echo yes')" yes
	o delete -f "$ID"

	for n in network ipc uts pid; do
		bundle
		without $n
		[ $n != uts ] || config '/"hostname"/d'
		k=$n
		[ $n != network ] || k=net
		start_sleeping
		is "N4: without $n in the list it is the caller's" \
			"$(ns $k "$p")" "$(ns $k)"
		check 'and the mount namespace is not' is_new mnt
		o delete -f "$ID"
	done

	for n in cgroup user time; do
		has $n || skip "the $n namespace" 'this kernel has none'
	done
	has cgroup || return
	bundle
	lists_cgroup || with cgroup
	start_sleeping
	check 'the cgroup namespace is new where asked for' is_new cgroup
	case $(host_kind) in
	none) skip 'it begins where the container is' 'no cgroups mounted' ;;
	*) is 'and begins where the container is' \
		"$(own_cgroups "$p" | o exec "$ID" grep -xF -f /dev/stdin \
			/proc/self/cgroup | sed 's/.*://' | sort -u)" / ;;
	esac
	o delete -f "$ID"
}

# own_cgroups PID: its lines of /proc/PID/cgroup that name our container, as
# they look from within
own_cgroups()
{
	sed -n "s~:[^:]*$ID\$~:/~p" "/proc/$1/cgroup"
}

names()
{
	bundle
	host=$(hostname)
	domain=$(cat /proc/sys/kernel/domainname)
	config 's/"hostname": "runc"/"hostname":"new-name","domainname":"new.domain"/'
	script 'cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname'
	is 'R3 R4: hostname and domainname are as asked' "$(run_b | tr '\n' ' ')" \
		'new-name new.domain '
	is "the host's are as before" \
		"$(hostname) $(cat /proc/sys/kernel/domainname)" "$host $domain"
	# It would be the host's; so it is what the host has.
	without uts
	config "s/new-name/$host/; s/new.domain/$domain/"
	refused 'R3: a hostname without a uts namespace is refused' \
		'hostname.*UTS namespace'
	config 's/"hostname":"[^"]*",//'
	refused 'R4: a domainname too' 'domainname.*UTS namespace'
	is "and the host's are as before" \
		"$(hostname) $(cat /proc/sys/kernel/domainname)" "$host $domain"
}

sysctls()
{
	bundle
	ttl=$(cat /proc/sys/net/ipv4/ip_default_ttl)
	domain=$(cat /proc/sys/kernel/domainname)
	shm=$(cat /proc/sys/kernel/shmmni)
	linux '"sysctl":{"net.ipv4.ip_default_ttl":"77","kernel.domainname":"by.sysctl","kernel.shmmni":"1234","net/ipv4/ip_forward":"1"}'
	script 'cd /proc/sys; cat net/ipv4/ip_default_ttl kernel/domainname kernel/shmmni net/ipv4/ip_forward
		echo 5 2>&1 >net/ipv4/ip_default_ttl'
	out=$(run_b 2>&1)
	is 'K1: sysctls are written in the own namespaces' \
		"$(printf '%s\n' "$out" | head -n 4 | tr '\n' ' ')" \
		'77 by.sysctl 1234 1 '
	like 'and /proc/sys is read-only after that' "$out" 'Read-only'
	is "the host's are as before" "$(cat /proc/sys/net/ipv4/ip_default_ttl \
		/proc/sys/kernel/domainname /proc/sys/kernel/shmmni |
		tr '\n' ' ')" "$ttl $domain $shm "
	# Without the namespace they would be the host's; the values are those
	# that the host has, so no harm is done where they are written.
	for row in "network net.ipv4.ip_default_ttl $ttl" \
		"uts kernel.domainname $domain" "ipc kernel.shmmni $shm"; do
		# shellcheck disable=SC2086 # three words
		set -- $row
		bundle
		without "$1"
		[ "$1" != uts ] || config '/"hostname"/d'
		linux '"sysctl":{"'"$2"'":"'"$3"'"}'
		refused "K1: $2 without a $1 namespace is refused" "$2"
	done
	bundle
	cp "$B/config.json" "$T/plain"
	while read -r key file; do
		cp "$T/plain" "$B/config.json"
		value=$(cat "/proc/sys/$file" 2>"$T/null")
		linux '"sysctl":{"'"$key"'":"'"$value"'"}'
		refused "K1: sysctl $key is refused" sysctl
	done <<-'ROWS'
		kernel.hostname kernel/hostname
		vm.swappiness vm/swappiness
		kernel.panic kernel/panic
		net.ipv4../../kernel.domainname kernel/domainname
		net/../kernel/domainname kernel/domainname
		net..ipv4.ip_default_ttl net/ipv4/ip_default_ttl
		kernel.nosuch nosuch
	ROWS
	cp "$T/plain" "$B/config.json"
	linux '"sysctl":{"net.ipv4.no_such_thing":"1"}'
	refused 'a sysctl that the kernel lacks is named' \
		'net.ipv4.no_such_thing.*no such file'
}

network()
{
	bundle
	script 'ip addr; sed -n "s/:.*//p" /proc/net/dev'
	out=$(run_b 2>&1)
	like 'N5: lo is up' "$out" 'lo: <LOOPBACK,UP'
	like 'lo has 127.0.0.1' "$out" 'inet 127\.0\.0\.1/8'
	# A kernel may make some of its own in each: sit0, tunl0, ...
	is 'no device of the host with an address is there' \
		"$(printf '%s\n' "$out" | sed -n 's/^ *inet \([^ ]*\).*/\1/p')" \
		127.0.0.1/8
}

errors()
{
	bundle
	cp "$B/config.json" "$T/plain"
	with nosuch
	refused 'N1: an unknown type is named' nosuch
	cp "$T/plain" "$B/config.json"
	with pid
	refused 'N1: a type given twice is refused' duplicat
	cp "$T/plain" "$B/config.json"
	without network
	with network ',"path":"proc/self/ns/net"'
	refused 'N2: a relative path is refused' 'path|not supported'
}

: >"$T/null"
new_and_old
names
sysctls
network
errors
check 'nothing is left at the end' nothing_left
if grep -q ' / / .* - rootfs ' /proc/self/mountinfo; then
	bundle
	script 'wc -l </proc/self/mountinfo; ls /; cat /init /vm/cmd 2>/dev/null; true'
	out=$(run_b)
	is 'V9: on an initramfs run needs no option' $? 0
	unlike "V9: and nothing of it can be seen" "$out" 'busybox sh|^vm$|^src$'
else
	skip 'V9: on an initramfs run needs no option' '/ is no initramfs here'
fi

done_testing

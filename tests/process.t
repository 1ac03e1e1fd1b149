#!/bin/sh
# process.t - configs that leave out what others have: no process, no linux.
# Needs root.
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_root

no_process()
{
	bundle
	edit 'del(.process)'
	check 'B11 L10: a config without process can be created' created
	is 'L10: its state is created' "$(status "$ID")" created
	p=$(pid "$ID")
	check 'L10: and it has an init' test -d "/proc/$p"
	is 'L10: with no capability' \
		"$(sed -n 's/^Cap\(Prm\|Eff\|Bnd\):[[:blank:]]*//p' \
			"/proc/$p/status" | sort -u)" 0000000000000000
	out=$(o start "$ID" 2>&1)
	like 'L10: it cannot be started, and why is said' "$? $out" \
		'^1 ocirt: .*cannot start a container without a process in its config.json$'
	is 'L10: that has no effect' "$(status "$ID") $(pid "$ID")" \
		"created $p"
	out=$(o exec "$ID" true 2>&1)
	like 'L10: exec needs a process file, then' "$? $out" \
		'^255 ocirt: .*no process to start from .*--process'
	echo '{"cwd": "/", "args": ["/bin/echo", "by exec"]}' >"$T/process"
	is 'L10: and with one it works' \
		"$(o exec --process "$T/process" "$ID")" 'by exec'
	out=$(o kill "$ID" KILL 2>&1)
	is 'L10: it can be killed' "$? $out" '0 '
	wait_for 5 is_status "$ID" stopped
	out=$(o delete "$ID" 2>&1)
	is 'L10: and deleted' "$? $out" '0 '
	check 'L10: nothing is left' nothing_left
	ns_path network /proc/self/ns/net
	created
	out=$(o delete "$ID" 2>&1)
	is 'L12: one that is created can be deleted at once' "$? $out" '0 '
	refused 'B11: run needs a process' "'process' is missing" \
		o run -b "$B" "$ID"
}

created()
{
	o create -b "$B" "$ID" </dev/null >"$T/out" 2>&1 || {
		cat "$T/out"
		return 1
	}
}

# No namespaces at all: the container is a chroot.
no_linux()
{
	bundle
	edit 'del(.linux, .hostname) | .mounts = [] | .root.readonly = false'
	args '"readlink","/proc/self/ns/pid"'
	script 'echo "in $(ls / | grep -c "^script$")"'
	out=$(run_b 2>&1)
	is 'B11 N4: a config without linux runs, in its root directory' "$out" \
		'in 1'
	args '"sleep","60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/out" 2>&1
	p=$(pid "$ID")
	same=
	for n in ipc mnt net pid uts; do
		[ "$(readlink "/proc/$p/ns/$n")" = "$(readlink "/proc/self/ns/$n")" ] ||
			same="$same $n"
	done
	is 'B11 N4: it has no namespace of its own' "$same" ''
	is 'B11: exec works, too' "$(o exec "$ID" sh /script 2>&1)" 'in 1'
	o delete -f "$ID"
	check 'B11: nothing is left' nothing_left
}

no_process
no_linux
done_testing

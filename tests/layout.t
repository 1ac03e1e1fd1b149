#!/bin/sh
# layout.t - the shape of ocirt.c: its map tells the truth, its rules are kept
#
# Covers the map and the banners, the prefix of every function and every
# variable, what is never called, forward declarations, #if, long lines and
# long functions, and what lies at the top of the checkout.
#
# Needs: ocirt.c, or another file in $SRC. No root, no build.
# shellcheck disable=SC2016,SC2317
LC_ALL=C
export LC_ALL
SRC=${SRC:-ocirt.c}
. tests/lib.sh

[ -f "$SRC" ] || skip_all "needs $SRC"

# none 'sentence' TEXT: the text names every place where a rule is broken
none()
{
	is "$1" "$2" ''
}

# code, line by line as in the source: comments and what is in strings left out
awk '{
	line = ""
	while ($0 != "") {
		if (comment) {
			if (!(at = index($0, "*/"))) break
			$0 = substr($0, at + 2)
			comment = 0
			continue
		}
		if (!match($0, /"([^"\\]|\\.)*"|'\''([^'\''\\]|\\.)*'\''|\/\*/)) {
			line = line $0
			break
		}
		line = line substr($0, 1, RSTART - 1)
		if (substr($0, RSTART, 2) == "/*") comment = 1
		else line = line "\"\""
		$0 = substr($0, RSTART + RLENGTH)
	}
	print line
}
END { if (comment) print "a comment is open" }' "$SRC" >"$T/code"
is 'the comments can be told from the code' "$(wc -l <"$T/code" | tr -d ' ')" \
	"$(wc -l <"$SRC" | tr -d ' ')"

# Every line of code with the room it is in: "LINE|ROOM|PREFIX|TEXT"
awk 'NR == FNR {
	if ($0 ~ /^\/\* == [0-9]+ [A-Z]+ =+ [a-z]+_? =/) {
		at[FNR] = $4; split($0, w, /=+/); sub(/^ */, "", w[3])
		sub(/ *$/, "", w[3]); prefix[FNR] = w[3]
	}
	next
}
{ if (FNR in at) { room = at[FNR]; p = prefix[FNR] }
print FNR "|" (room ? room : "-") "|" (p ? p : "-") "|" $0 }' \
	"$SRC" "$T/code" >"$T/rooms"

# rooms AWK-SCRIPT: with line, room, prefix and the text in $0
rooms()
{
	awk '{ split($0, w, "|"); line = w[1]; room = w[2]; prefix = w[3]
		sub(/^[^|]*[|][^|]*[|][^|]*[|]/, "") }
	'"$1" "$T/rooms"
}

# ---- the map ----

map=$(awk '/^\*\/|^#/ { exit } /^ \* +[0-9]+ [A-Z]+ +[a-z]+_?( |$)/ {
	print $2, $3, $4 }' "$SRC")
banners=$(awk '$3 ~ /^[0-9]+$/ && /^\/\* == [0-9]+ [A-Z]+ =+ [a-z]+_? =/ {
	print $3, $4, $6 }' "$SRC")
is 'the map has the rooms that the banners have, in their order' \
	"$map" "$banners"
is 'the rooms are numbered from 1' "$(echo "$banners" | cut -d' ' -f1)" \
	"$(seq "$(echo "$banners" | wc -l)")"
is 'nothing else looks like a banner' \
	"$(grep -c '^/\* ==' "$SRC")" "$(echo "$banners" | wc -l | tr -d ' ')"
none 'every banner says what its room owns, calls and when it runs' "$(awk '
	function report() {
		if (name != "" && !(owns && calls && runs)) print line ": " name \
			(owns ? "" : " Owns") (calls ? "" : " Calls") \
			(runs ? "" : " Runs")
		name = ""
	}
	/^\/\* == / { report(); name = $4; line = FNR
		owns = calls = runs = 0; banner = 1; next }
	banner && / \* Owns: / { owns = 1 }
	banner && / \* Calls: / { calls = 1 }
	banner && / \* Runs: / { runs = 1 }
	/\*\// { banner = 0 }
	END { report() }' "$SRC")"
none 'the tags of a banner are rows, pure, order and wire' "$(grep -n '^/\* ==' \
	"$SRC" | sed 's/\[\(rows\|pure\|order\|wire\)\]//g' | grep '[][]')"

# ---- prefixes ----

none 'every function carries the prefix of its room' "$(rooms '
	/^[a-z_][A-Za-z0-9_]*\(/ {
		f = $0; sub(/\(.*/, "", f)
		if (index(f, prefix) != 1) print line ": " f " in " room
	}')"
none 'the name of every function stands in the first column' "$(rooms '
	/^(NORETURN |UNUSED )*static .*[a-z0-9_]\(.*\)$/ && !/__attribute__/ {
		print line ": " $0 }')"
# "err", "cmds" are all right; a function pointer or a struct tag is no name.
none 'every variable carries the prefix of its room' "$(rooms '
	/^static .*[;=]/ || /^[}] [a-z_].*[;=]/ || /^static .*\[/ {
		sub(/ *__attribute__.*/, "")
		sub(/ *=.*/, ""); sub(/;.*/, "")
		if (/\(/) next
		n = split($0, part, ",")
		sub(/_$/, "", prefix)
		for (i = 1; i <= n; i++) {
			v = part[i]
			sub(/ *\[.*/, "", v); sub(/.*[ *}]/, "", v)
			if (v != "" && index(v, prefix) != 1)
				print line ": " v " in " room
		}
	}')"

# ---- what is never done ----

# calls NAME...: places where one of the functions is called
calls()
{
	grep -nE "(^|[^A-Za-z0-9_.>])($(echo "$*" | tr ' ' '|')) ?\(" "$T/code"
}
none 'memory comes from the arena alone' \
	"$(calls malloc calloc realloc free strdup strndup asprintf vasprintf)"
none 'no text is written without a bound' \
	"$(calls sprintf vsprintf strcat gets)"
none 'no number is read without a check' \
	"$(calls atoi atol atoll sscanf)"
none 'no file is read by stdio' \
	"$(calls fopen fdopen fread fgets fgetc getc getline getdelim fscanf)"
none 'no shell is called' "$(calls system popen wordexp)"
none 'nothing is called that keeps its place in a static' \
	"$(calls strtok localtime gmtime ctime asctime)"
none 'there is no goto' "$(grep -nE '(^|[^a-z_])goto ' "$T/code")"
none 'only ERR leaves the program' "$(rooms 'room != "ERR" &&
	/(^|[^A-Za-z0-9_])(_?exit|_Exit|abort|quick_exit) ?\(/ {
		print line ": " $0 }')"
none 'no variable is declared in a for' "$(grep -n 'for (int ' "$T/code")"
none 'comments are of the old form' "$(grep -n '//' "$T/code")"
none 'nothing is left to do without an issue' \
	"$(grep -nE '(TODO|FIXME|XXX)' "$SRC" | grep -v '#[0-9]')"

# ---- what is declared before it is defined ----

# Declarations of functions at the top level, each on one line, with what
# comment stands behind it
awk 'NR == FNR { source[FNR] = $0; next }
/^#/ || /^$/ { next }
/^[A-Za-z_].*/ && !open { decl = ""; start = FNR; open = 1 }
open {
	decl = decl " " $0
	if ($0 ~ /[{=]/ || $0 ~ /^[a-z_0-9]+\(/ && $0 !~ /;/) {
		if ($0 ~ /[{=]/) open = 0
		next
	}
	if ($0 ~ /; *$/) {
		open = 0
		sub(/__attribute__\(.*\)/, "", decl)
		if (decl ~ /[a-z_0-9]\(/ && decl !~ /[{=]/ && decl !~ /^ typedef/)
			print start ": " decl " " source[FNR]
	}
}' "$SRC" "$T/code" >"$T/forward"
none 'a declaration ahead of its function names the cycle that asks for it' \
	"$(grep -v '/\* the [a-z]* cycle \*/$' "$T/forward")"
is 'there are at most three' \
	"$([ "$(wc -l <"$T/forward")" -le 3 ] || cat "$T/forward")" ''
is 'every cycle is a declaration' "$(grep -c '/\* the [a-z]* cycle \*/' "$SRC")" \
	"$(wc -l <"$T/forward" | tr -d ' ')"

# ---- the preprocessor ----

none '#if stands in PORT, SCMP, SHOW and MAIN alone' "$(rooms '
	/^#[ \t]*(if|ifdef|ifndef|elif)/ && room !~ /^(PORT|SCMP|SHOW|MAIN)$/ {
		print line ": " $0 " in " room }')"
none '#if is never nested' "$(awk '
	/^#[ \t]*if/ && ++depth > 1 { print FNR ": " $0 }
	/^#[ \t]*endif/ { depth-- }' "$SRC")"
none 'a switch is 0 or 1, so it is asked for by #if' "$(grep -nE \
	'^#[ 	]*(ifn?def|.*defined *\(?) *(SECCOMP|SELFSEAL)' "$SRC")"

# ---- lines and functions ----

awk '/clang-format off/ { off = 1 } { print off + 0, $0 }
	/clang-format on/ { off = 0 }' "$SRC" >"$T/fences"
none 'no line is longer than 100 columns, but in a table' "$(awk '
	!$1 {
		sub(/^[01] /, ""); n = 0
		for (i = 1; i <= length($0); i++)
			n += substr($0, i, 1) == "\t" ? 8 - n % 8 : 1
		if (n > 100) print FNR ": " n " columns"
	}' "$T/fences")"
none 'every fence around a table is closed' "$(awk '
	/clang-format off/ { if (off) print FNR; off = FNR }
	/clang-format on/ { if (!off) print FNR; off = 0 }
	END { if (off) print off }' "$SRC")"
none 'no line ends in a blank' "$(grep -nE '[ 	]$' "$SRC")"
none 'no function is longer than 70 lines' "$(awk '
	/^[a-z_][A-Za-z0-9_]*\(/ { f = $0; sub(/\(.*/, "", f) }
	/^[{]/ { start = FNR }
	/^[}]/ { if (start && FNR - start - 1 > 70)
		print start ": " f " has " FNR - start - 1
	start = 0 }' "$T/code")"
none 'no function has more than six arguments' "$(awk '
	/^[a-z_][A-Za-z0-9_]*\(/ { on = 1; args = "" }
	on { args = args $0
		if (/\)$/) {
			on = 0
			if (gsub(/,/, ",", args) > 5) print FNR ": " args
		}
	}' "$T/code")"

# ---- the checkout ----

top()
{
	git -c safe.directory='*' ls-files | sed 's,/.*,,' | sort -u
}
if top >"$T/top" 2>/dev/null && [ -s "$T/top" ]; then
	none 'nothing else lies at the top of the checkout' "$(grep -vxE \
		'Makefile|README\.md|LICENSE|ocirt\.c|jsmn\.h|config\.mk|tests|examples|\..*' \
		"$T/top")"
else
	skip 'nothing else lies at the top of the checkout' 'no git checkout'
fi

done_testing

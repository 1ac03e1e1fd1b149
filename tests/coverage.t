#!/bin/sh
# coverage.t - every row of data/rows.txt has a test
#
# A sentence begins with the ids of the rows it proves: 'M14 M15: a tmpfs ...'.
# Prints a table, row -> file: sentence, as diagnostics. Fails for a row without
# a sentence and for a sentence that begins with an id of no row. A skip() is no
# proof: its sentence does not count.
#
# Needs: nothing.
LC_ALL=C
export LC_ALL
. tests/lib.sh

# FILE<tab>ID<tab>SENTENCE of each quoted sentence that begins with ids
awk -v q="[\"']" -v id='(OP-[a-z-]+|[A-Z][0-9]+)' '
BEGIN { ids = q id "( " id ")*: " }
/^[ \t]*skip / || /^[ \t]*#/ { next }
{
	rest = $0
	while (match(rest, ids)) {
		mark = substr(rest, RSTART, 1)
		list = substr(rest, RSTART + 1, RLENGTH - 3)
		text = rest = substr(rest, RSTART + RLENGTH)
		sub(mark ".*", "", text)
		n = split(list, one, " ")
		for (i = 1; i <= n; i++)
			print FILENAME "\t" one[i] "\t" text
	}
}' tests/*.t tests/*.c >"$T/sentences"

sed -n 's/^?* *\(OP-[a-z-]*\|[A-Z][0-9]*\) .*/\1/p' tests/data/rows.txt >"$T/rows"
is 'each row stands once in the list' "$(sort "$T/rows" | uniq -d)" ''

is 'each line of the list is a row, a title or empty' \
	"$(grep -vE '^((\? )?(OP-[a-z-]+|[A-Z][0-9]+) [^ ]|#|$)' tests/data/rows.txt)" ''

# T and a number name a threat, of which there is no list here.
is 'each sentence that begins with an id begins with that of a row' \
	"$(awk -F'\t' 'NR == FNR { row[$1] = 1; next }
		!($2 in row) && $2 !~ /^T[0-9]/ { print $1 ": " $2 ": " $3 }
		' "$T/rows" "$T/sentences")" ''

while read -r row text; do
	optional=
	case $row in
	'' | '#'*) continue ;;
	'?') optional=1 row=${text%% *} text=${text#* } ;;
	esac
	proofs=$(awk -F'\t' -v row="$row" \
		'$2 == row { print "   " $1 ": " $3 }' "$T/sentences")
	if [ -n "$proofs" ]; then
		ok "$row: $text"
		diag "$proofs"
	elif [ -z "$optional" ]; then
		not_ok "$row: $text"
		diag "no test's sentence begins with $row"
	fi
done <tests/data/rows.txt

done_testing

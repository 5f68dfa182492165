# Turns the truth tables of Specs/tables into a model: one assertion a row, on the merge rules that all models use.
#
#   awk -f tables.awk [-v change=N] member.tsv register.tsv > tables.pml
#
# With `change`, the N-th row expects something else than it says: such a run must fail.

BEGIN {
    FS = "\t"
    print "/* Made of Specs/tables by tables.awk. */"
    print "#define SEQUENCES 4"
    print "#include \"rules.pml\""
    print "byte rows;"
    print "hidden byte the_rules_are_the_tables;"
    print "active proctype tables() {"
}

function fail(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
    failed = 1
    exit 1
}

# "a1 b2" -> a mask; "–" is none.
function dots(text,    names, count, mask, i) {
    mask = 0
    count = split(text, names, " ")
    for (i = 1; i <= count; i++) if (names[i] != "–") mask += 2 ^ dot(names[i])
    return mask
}

function dot(name) {
    if (name !~ /^[abc][1-4]$/) fail("not a dot: " name)
    return (index("abc", substr(name, 1, 1)) - 1) * 4 + substr(name, 2) - 1
}

# "value@5" -> a write of replica a; its dots rise from `sequence`.
function register(text, sequence,    parts) {
    if (text == "none") return "0"
    if (split(text, parts, "@") != 2 || parts[2] !~ /^[0-9]+$/) fail("not a write: " text)
    if (parts[1] != "value" && parts[1] != "assign" && parts[1] != "deleted" && parts[1] != "clear") fail("unknown: " parts[1])
    return "WRITE(" parts[2] ", " sequence ", " (parts[1] == "value" || parts[1] == "assign" ? 1 : 0) ")"
}

/^#/ { next }

{
    rows++
    if (NF != 3) fail("not three columns")
    text = $0
    gsub("\t", " | ", text)
    gsub("–", "-", text)
}

FILENAME ~ /member\.tsv$/ {
    split($1, before, " covered ")
    live = dots(before[1])
    if (split($2, words, " ") < 4 || words[3] != "observed") fail("not an operation: " $2)
    if (words[1] != "put" && words[1] != "remove") fail("unknown: " words[1])
    observed = $2
    sub(/^.* observed /, "", observed)
    covered = sprintf("(%d | %d | %d)", live, dots(observed), dots(before[2]))
    result = sprintf("MEMBER_AFTER(%d, %s, %s, %d, %d)", live, covered, toupper(words[1]), dot(words[2]), dots(observed))
    condition = result " == " dots($3)
}

FILENAME ~ /register\.tsv$/ {
    result = "REGISTER_AFTER(" register($1, 0) ", " register($2, 1) ")"
    # Results have no dot: the stamp and whether there is a value.
    expected = register($3, 0)
    condition = "STAMP(" result ") == STAMP(" expected ") && IS_VALUE(" result ") == IS_VALUE(" expected ")"
}

{
    if (rows == change) condition = "!(" condition ")"
    printf "\tif\n\t:: %s -> rows++\n", condition
    printf "\t:: else -> printf(\"differs: %s\\n\"); assert(false || the_rules_are_the_tables)\n\tfi;\n", text
}

END {
    if (failed) exit 1
    printf "\tassert(rows == %d)\n}\n", rows
}

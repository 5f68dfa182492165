/* Pivot change: nothing of an old space enters a new one, nothing acknowledged is lost, and a crash ends in before or after.
 *
 * A node's operator points it at the pivot of the other space, and back, CHANGES times; as in NodeSession it stops serving, seals its
 * outbox, writes a rescue bundle, and replaces the one file that says which space and database it follows. It crashes at any moment.
 * Requests may arrive late, or at the pivot that answers behind the old URL now. A rescue bundle is handed to its space's
 * pivot, at any time and as often as one likes. Deltas have one operation.
 */
#ifndef WRITES
#define WRITES 3
#endif
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define INCARNATIONS (CHANGES + CRASHES + 1)
#define BIT(number) (1 << (number))
#define IN(number, set) (((set) >> (number)) & 1)

/* Writes by number, from 1: the space that their clients wrote them into. Their names: incarnation and sequence. */
byte writes;
byte inSecond;
#define SPACE_OF(number) IN(number, inSecond)
byte incarnationOf[WRITES + 1], sequenceOf[WRITES + 1];

/* The pivots: what their logs hold, and the head of each incarnation. */
byte log[2];
byte heads[2 * INCARNATIONS];
#define HEAD(space, incarnation) heads[(space) * INCARNATIONS + (incarnation)]
/* What a name stands for, in any space. */
byte names[INCARNATIONS * (WRITES + 1)];
#define NAME(incarnation, sequence) names[(incarnation) * (WRITES + 1) + (sequence)]

/* The node's disk: the space it follows, and the database of it. */
bool space;
byte incarnation, nextSequence = 1, pending, sealed, base;
byte rescued;
/* In its memory. */
#define SERVING 0
#define ADMITTED 1
#define SEALED 2
#define RESCUED 3
byte stage;
/* What the operator says. */
bool wanted;
byte changes, crashes, incarnations = 1;

/* A request on its way: the space in its header, and its one write. */
byte request;
bool requestSpace;

/* Used within one step only. */
hidden byte each;

/* What is claimed. A violated assertion shows the name of its claim, which is always 0, behind the condition. */
hidden byte nothing_old_enters, nothing_is_lost, nothing_comes_twice, a_dot_names_one_thing, everything_arrives;
#define CLAIM(name, condition) assert((condition) || name)

/* Every acknowledged write is in its space's log, in the outbox, or in a rescue bundle. */
inline check() {
	for (each : 1 .. writes) {
		CLAIM(nothing_is_lost, IN(each, log[SPACE_OF(each)] | rescued) || (IN(each, pending) && SPACE_OF(each) == space));
		CLAIM(nothing_old_enters, SPACE_OF(each) == 1 || !IN(each, log[1]));
		CLAIM(nothing_old_enters, SPACE_OF(each) == 0 || !IN(each, log[0]));
		CLAIM(nothing_old_enters, SPACE_OF(each) == space || !IN(each, base | pending))
	}
	each = 0
}

inline name(number) {
	CLAIM(a_dot_names_one_thing, NAME(incarnation, nextSequence) == 0);
	NAME(incarnation, nextSequence) = number;
	incarnationOf[number] = incarnation; sequenceOf[number] = nextSequence;
	nextSequence++
}

inline write() {
	writes++;
	inSecond = inSecond | (space -> BIT(writes) : 0);
	name(writes);
	pending = pending | BIT(writes);
	check()
}

/* A pivot accepts what names its space and extends its replica's head. */
#ifdef FAULT_SPACE_UNREAD
#define IS_OF(named, at) true
#else
#define IS_OF(named, at) ((named) == (at))
#endif

inline accept(at, number, named) {
	if
	:: IS_OF(named, at) && HEAD(at, incarnationOf[number]) + 1 == sequenceOf[number] ->
		CLAIM(nothing_comes_twice, !IN(number, log[at]));
		log[at] = log[at] | BIT(number);
		HEAD(at, incarnationOf[number]) = sequenceOf[number]
	:: else
	fi;
	check()
}

/* The log of the followed space comes down; own operations in it leave the outbox. */
inline pull() {
	base = log[space];
	pending = pending & ~base;
	sealed = sealed & ~base;
	check()
}

/* A new database, empty, under a new incarnation; one file is replaced, and then the old database is removed. */
inline follow() {
	space = !space;
#ifdef FAULT_OUTBOX_KEPT
	for (each : 1 .. writes) {
		if
		:: IN(each, pending) -> incarnationOf[each] = incarnations; sequenceOf[each] = nextSequence; nextSequence++
		:: else
		fi
	}
	sealed = 0; nextSequence = 1;
#else
	pending = 0; sealed = 0; nextSequence = 1;
#endif
#ifndef FAULT_BASE_KEPT
	base = 0;
#endif
#ifndef FAULT_INCARNATION_KEPT
	incarnation = incarnations; incarnations++;
#endif
	stage = SERVING;
	check()
}

inline restart() {
	stage = SERVING; crashes++;
	check()
}

#ifdef FAULT_WRITES_WHILE_LEAVING
#define CAN_WRITE true
#else
#define CAN_WRITE (stage == SERVING)
#endif

active proctype node() {
end:
	do
	:: d_step { writes < WRITES && CAN_WRITE -> write() }
	:: d_step { stage == SERVING && (pending & ~sealed) != 0 -> sealed = pending }
	:: d_step { stage == SERVING && IN(1, sealed) && request == 0 -> request = 1; requestSpace = space }
	:: d_step { stage == SERVING && IN(2, sealed) && request == 0 -> request = 2; requestSpace = space }
	:: d_step { stage == SERVING && IN(3, sealed) && request == 0 -> request = 3; requestSpace = space }
	:: d_step { stage == SERVING && base != log[space] -> pull() }
	/* The new pivot has proven its key and admitted this node. */
	:: d_step { stage == SERVING && wanted != space -> stage = ADMITTED }
	/* Unsealed operations have no proof, and cannot be rescued. */
#ifdef FAULT_RESCUE_WITHOUT_SEALING
	:: d_step { stage == ADMITTED -> stage = SEALED }
#else
	:: d_step { stage == ADMITTED -> stage = SEALED; sealed = pending }
#endif
#ifdef FAULT_RESCUE_LATER
	:: d_step { stage == SEALED -> stage = RESCUED }
#else
	:: d_step { stage == SEALED -> stage = RESCUED; rescued = rescued | sealed }
#endif
	:: d_step { stage == RESCUED && wanted != space -> follow() }
	/* The operator changed the mind in time. */
	:: d_step { stage != SERVING && wanted == space -> stage = SERVING }
	:: d_step { crashes < CRASHES -> restart() }
#ifdef FAULT_WIPE_IN_TWO_STEPS
	/* A crash when the link is replaced and the old database is still there under its name. */
	:: d_step { stage == RESCUED && crashes < CRASHES -> space = !space; restart() }
#endif
	od
}

#define CAN_IMPORT(number) (IN(number, rescued) && HEAD(SPACE_OF(number), incarnationOf[number]) + 1 == sequenceOf[number])

active proctype world() {
end:
	do
	:: d_step { changes < CHANGES -> changes++; wanted = !wanted }
	/* It arrives at its pivot, or at the other one; or never. */
	:: d_step { request > 0 -> accept(requestSpace, request, requestSpace); request = 0; requestSpace = 0 }
	:: d_step { request > 0 -> accept(!requestSpace, request, requestSpace); request = 0; requestSpace = 0 }
	/* Whoever holds a bundle hands it to the pivot of its space. */
	:: d_step { CAN_IMPORT(1) -> accept(SPACE_OF(1), 1, SPACE_OF(1)) }
	:: d_step { CAN_IMPORT(2) -> accept(SPACE_OF(2), 2, SPACE_OF(2)) }
	:: d_step { CAN_IMPORT(3) -> accept(SPACE_OF(3), 3, SPACE_OF(3)) }
	od
}

/* When nothing more can happen, every write is in its space's log. */
active proctype quiet() {
	timeout;
	d_step {
		CLAIM(everything_arrives, pending == 0 && stage == SERVING && base == log[space]);
		for (each : 1 .. writes) {
			CLAIM(everything_arrives, IN(each, log[SPACE_OF(each)]))
		}
		each = 0
	}
}

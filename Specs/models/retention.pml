/* Horizon, snapshots, and a pivot that lost something: deleted data never comes back, and nothing that a node still has is lost.
 *
 * Two nodes and a pivot write one path. The pivot's horizon may rise to its log's end at any time; it is backed up once, and
 * RESTORES times it comes back from that backup, or empty with its key. Nodes pull, take snapshots, keep their outboxes, and
 * refill the pivot by state (docs/wire-format.md §8).
 * To the first node pages and snapshots may come late, from a life of the pivot that is
 * over; to the second they come at once.
 *
 * Deltas have one operation, and a page leads to the log's end. Who holds which place of which log is kept as a relation
 * (`held`), in the place of log roots.
 */
#ifndef SEQUENCES
#define SEQUENCES 2
#endif
/* Replicas: two nodes, and the pivot once for each life in which it writes. */
#define PIVOT_LIVES 2
#define DOTS ((2 + PIVOT_LIVES) * SEQUENCES)
#include "rules.pml"

#ifndef WRITES
#define WRITES 3
#endif
#ifndef RESTORES
#define RESTORES 2
#endif

/* Operations by dot. Kind 0: not written. */
byte kind[DOTS], observed[DOTS];
byte writes;

/* A place in a log, and the state there. Position 0 is the start of every log. */
typedef Place {
	byte epoch;
	byte life;
	byte position;
	byte vector;
	byte live
}
/* The nodes' bases, the pivot's end, what is on its way to them, and the backup. */
#define PIVOT 2
#define COMING(n) (3 + n)
#define BACKUP 5
#define HOLDERS 6
Place places[HOLDERS];
/* Whether the pivot's log contains the place, and whether its backup's does. */
bool held[HOLDERS], heldByBackup[HOLDERS];
#define CONTAINED(holder) (held[holder] || places[holder].position == 0)

/* The pivot. */
byte horizon, backupHorizon, restores;
bool isBackedUp, isEpochOpen;
byte pivotReplica, pivotReplicas, pivotWrites;

/* The nodes. */
byte pending[2], written[2];
/* Told to take a snapshot. */
bool mayTake[2];
#define NOTHING 0
#define PAGE 1
#define SNAPSHOT 2
byte coming[2];
/* What a node has seen deleted. */
byte gone[2];

/* Used within one step only. */
hidden byte each, dot, taken, number;
hidden byte view;

/* What is claimed. A violated assertion shows the name of its claim, which is always 0, behind the condition. */
hidden byte deleted_stays_deleted, a_dot_names_one_thing, nothing_is_lost, everything_arrives;
#define CLAIM(name, condition) assert((condition) || name)

/* --- Places --- */

inline copyPlace(to, source) {
	places[to].epoch = places[source].epoch; places[to].life = places[source].life;
	places[to].position = places[source].position; places[to].vector = places[source].vector;
	places[to].live = places[source].live;
	held[to] = held[source]; heldByBackup[to] = heldByBackup[source]
}

inline clearPlace(at) {
	places[at].epoch = 0; places[at].life = 0; places[at].position = 0; places[at].vector = 0; places[at].live = 0;
	held[at] = false; heldByBackup[at] = false
}

/* Definition: a put is live until an operation that observed it is covered. */
inline check(holder) {
	taken = 0;
	for (each : 0 .. DOTS - 1) {
		taken = taken | (IN(each, places[holder].vector) ->
			observed[each] | EARLIER(each) | (kind[each] == REMOVE -> BIT(each) : 0) : 0)
	}
	CLAIM(deleted_stays_deleted, (places[holder].live & taken) == 0);
	CLAIM(nothing_is_lost, places[holder].live == (places[holder].vector & ~taken));
	taken = 0; each = 0
}

/* Dice: a life that no place has. */
inline openEpoch() {
	places[PIVOT].life = 1;
	do
	:: places[PIVOT].life == places[0].life || places[PIVOT].life == places[1].life || places[PIVOT].life == places[3].life ||
		places[PIVOT].life == places[4].life || places[PIVOT].life == places[BACKUP].life -> places[PIVOT].life++
	:: else -> break
	od;
	isEpochOpen = true
}

inline append(incoming) {
	places[PIVOT].live = MEMBER_AFTER(places[PIVOT].live, places[PIVOT].vector, kind[incoming], incoming, observed[incoming]);
	places[PIVOT].vector = places[PIVOT].vector | BIT(incoming);
	places[PIVOT].position++;
	heldByBackup[PIVOT] = false;
	if
	:: !isEpochOpen -> places[PIVOT].epoch++; openEpoch()
	:: else
	fi;
	check(PIVOT)
}

/* --- Writing --- */

inline name(dot_, ofKind) {
	CLAIM(a_dot_names_one_thing, kind[dot_] == 0);
	writes++;
	kind[dot_] = ofKind;
	observed[dot_] = view & ~ALL_OF(REPLICA(dot_))
}

/* Its client sees the base with the pending operations replayed over it. What those observed is observed again. */
inline write(n, ofKind) {
	view = places[n].live; taken = 0;
	for (each : 0 .. SEQUENCES - 1) {
		dot = n * SEQUENCES + each;
		if
		:: IN(dot, pending[n]) ->
			view = LIVE_AFTER(view, kind[dot], dot, observed[dot]);
			taken = taken | observed[dot]
		:: else
		fi
	}
	dot = n * SEQUENCES + written[n];
	if
	:: ofKind == PUT || view != 0 ->
		name(dot, ofKind);
		observed[dot] = observed[dot] | taken;
		written[n]++;
		pending[n] = pending[n] | BIT(dot)
	:: else
	fi;
	view = 0; dot = 0; each = 0; taken = 0
}

inline writeAtPivot(ofKind) {
	view = places[PIVOT].live;
	if
	:: pivotReplica > 0
	:: else ->
		/* As whom it writes until the next start. */
#ifdef FAULT_PIVOT_SAME_INCARNATION
		pivotReplica = 2; pivotReplicas = 1
#else
		pivotReplica = 2 + pivotReplicas; pivotReplicas++
#endif
	fi;
	dot = pivotReplica * SEQUENCES;
	do
	:: IN(dot, places[PIVOT].vector) -> dot++
	:: else -> break
	od;
	pivotWrites++;
	name(dot, ofKind);
	append(dot);
	view = 0; dot = 0
}

/* --- Up --- */

/* The first operation that the pivot lacks; a log that does not contain the cursor accepts nothing. */
inline push(n) {
	if
	:: CONTAINED(n) ->
		dot = n * SEQUENCES;
		do
		:: !IN(dot, pending[n]) || IN(dot, places[PIVOT].vector) -> dot++
		:: else -> break
		od;
		assert(EXTENDS(dot, places[PIVOT].vector, observed[dot]));
		append(dot);
		dot = 0
	:: else -> refill(n)
	fi
}

/* A node never goes back to a smaller epoch: a pivot that lacks nothing else still needs a greater one. */
#ifdef FAULT_EPOCH_STAYS
#define ADDS_SOMETHING(n) ((places[n].vector & ~places[PIVOT].vector) != 0)
#else
#define ADDS_SOMETHING(n) ((places[n].vector & ~places[PIVOT].vector) != 0 || places[n].epoch > places[PIVOT].epoch)
#endif

/* The pivot lost something: the node's base is joined, unless it adds nothing. */
inline refill(n) {
	if
	:: ADDS_SOMETHING(n) ->
#ifdef FAULT_REFILL_REPLAYS
		places[PIVOT].live = places[PIVOT].live | (places[n].live & ~places[PIVOT].vector);
#else
		view = places[PIVOT].live;
		places[PIVOT].live = LIVE_JOINED(view, places[PIVOT].vector, places[n].live, places[n].vector);
		view = 0;
#endif
		places[PIVOT].vector = places[PIVOT].vector | places[n].vector;
		if
		:: places[n].position > places[PIVOT].position -> places[PIVOT].position = places[n].position
		:: else
		fi;
		places[PIVOT].position++;
		horizon = places[PIVOT].position;
		if
		:: places[n].epoch > places[PIVOT].epoch -> places[PIVOT].epoch = places[n].epoch
		:: else
		fi;
		places[PIVOT].epoch++;
		heldByBackup[PIVOT] = false;
		pivotReplica = 0;
		openEpoch();
		check(PIVOT)
	:: else
	fi;
	mayTake[n] = true
}

/* --- Down --- */

#define SAME_LIFE(n) (places[COMING(n)].life == places[n].life)
#define EPOCH_RISES(n) (places[COMING(n)].epoch > places[n].epoch)
/* Never back to a smaller epoch, nor to a lower position of the same one. Two lives may have one number. */
#ifdef FAULT_EPOCH_TWIN_REFUSED
#define NOT_BACK(n) (EPOCH_RISES(n) || (SAME_LIFE(n) && places[COMING(n)].position >= places[n].position))
#else
#define NOT_BACK(n) (EPOCH_RISES(n) || (places[COMING(n)].epoch == places[n].epoch && \
	(!SAME_LIFE(n) || places[COMING(n)].position >= places[n].position)))
#endif
/* Between the refill, or the answer 410, and the snapshot the pivot may have lost something again. */
#if defined(FAULT_SNAPSHOT_UNCHECKED) || defined(FAULT_RESTORED_PIVOT_FOLLOWED)
#define COVERS_BASE(n) true
#else
#define COVERS_BASE(n) ((places[n].vector & ~places[COMING(n)].vector) == 0)
#endif

inline arrive(n) {
	if
	:: coming[n] == PAGE && (SAME_LIFE(n) || EPOCH_RISES(n)) -> adopt(n)
	:: coming[n] == SNAPSHOT && NOT_BACK(n) && COVERS_BASE(n) -> adopt(n)
	:: else
	fi;
	coming[n] = NOTHING; clearPlace(COMING(n))
}

/* The base is replaced; own operations that it covers leave the outbox. */
inline adopt(n) {
#ifdef FAULT_SNAPSHOT_MERGED
	/* What it held below the horizon is kept beside what comes. */
	places[COMING(n)].live = places[COMING(n)].live | (coming[n] == SNAPSHOT -> places[n].live : 0);
#endif
	CLAIM(deleted_stays_deleted, (places[COMING(n)].live & gone[n]) == 0);
	CLAIM(nothing_is_lost, (places[n].vector & ~places[COMING(n)].vector) == 0);
	copyPlace(n, COMING(n));
#ifdef FAULT_SNAPSHOT_EMPTIES_OUTBOX
	for (each : 0 .. DOTS - 1) {
		CLAIM(nothing_is_lost, !IN(each, pending[n]) || IN(each, places[n].vector))
	}
	pending[n] = 0;
#else
	pending[n] = pending[n] & ~places[n].vector;
#endif
	gone[n] = gone[n] | (places[n].vector & ~places[n].live);
	check(n);
	mayTake[n] = false
}

/* Asks for what is after the cursor. */
inline pull(n) {
	if
	:: CONTAINED(n) && places[n].position < horizon -> mayTake[n] = true
	:: CONTAINED(n) && places[n].position >= horizon -> coming[n] = PAGE; copyPlace(COMING(n), PIVOT);
		if
		:: n == 1 -> arrive(n)
		:: else
		fi
#ifdef FAULT_RESTORED_PIVOT_FOLLOWED
	:: !CONTAINED(n) -> mayTake[n] = true
#else
	:: !CONTAINED(n) -> refill(n)
#endif
	fi
}

inline take(n) {
	coming[n] = SNAPSHOT; copyPlace(COMING(n), PIVOT); mayTake[n] = false;
	if
	:: n == 1 -> arrive(n)
	:: else
	fi
}

#define CAN_WRITE(n) (writes < WRITES && written[n] < SEQUENCES)
#define IS_BEHIND(n) (!CONTAINED(n) || places[n].position < places[PIVOT].position)

proctype node(byte n) {
end:
	do
	:: d_step { CAN_WRITE(n) -> write(n, PUT) }
	:: d_step { CAN_WRITE(n) && (places[n].live | pending[n]) != 0 -> write(n, REMOVE) }
	:: d_step { (pending[n] & ~places[PIVOT].vector) != 0 && !mayTake[n] -> push(n) }
	:: d_step { IS_BEHIND(n) && coming[n] == NOTHING && !mayTake[n] -> pull(n) }
	:: d_step { mayTake[n] && coming[n] == NOTHING -> take(n) }
	:: d_step { n == 0 && coming[n] != NOTHING -> arrive(n) }
	od
}

/* Its log contains again what the backup's did. */
inline restoreBackup() {
	restores++;
	for (each : 0 .. HOLDERS - 1) {
		held[each] = heldByBackup[each]
	}
	copyPlace(PIVOT, BACKUP); horizon = backupHorizon;
	held[PIVOT] = true; heldByBackup[PIVOT] = true;
	isEpochOpen = false; pivotReplica = 0;
	if
	:: restores == RESTORES ->
		/* Nobody needs the backup any more. */
		clearPlace(BACKUP); backupHorizon = 0;
		for (each : 0 .. HOLDERS - 1) {
			heldByBackup[each] = false
		}
	:: else
	fi;
	each = 0
}

inline restoreEmpty() {
	restores++;
	for (each : 0 .. HOLDERS - 1) {
		held[each] = false
	}
	clearPlace(PIVOT); horizon = 0;
	held[PIVOT] = true;
	isEpochOpen = false; pivotReplica = 0;
	if
	:: restores == RESTORES ->
		/* Nobody needs the backup any more. */
		clearPlace(BACKUP); backupHorizon = 0;
		for (each : 0 .. HOLDERS - 1) {
			heldByBackup[each] = false
		}
	:: else
	fi;
	each = 0
}

inline backUp() {
	isBackedUp = true;
	copyPlace(BACKUP, PIVOT); backupHorizon = horizon;
	for (each : 0 .. HOLDERS - 1) {
		heldByBackup[each] = held[each]
	}
	each = 0
}

#define PIVOT_CAN_WRITE (writes < WRITES && pivotWrites < SEQUENCES && (pivotReplica > 0 || pivotReplicas < PIVOT_LIVES))

active proctype pivot() {
	atomic { held[PIVOT] = true; run node(0); run node(1) }
end:
	do
	:: d_step { PIVOT_CAN_WRITE -> writeAtPivot(PUT) }
	:: d_step { PIVOT_CAN_WRITE && places[PIVOT].live != 0 -> writeAtPivot(REMOVE) }
	:: d_step { horizon < places[PIVOT].position -> horizon = places[PIVOT].position }
	:: d_step { !isBackedUp && restores < RESTORES && places[PIVOT].position > 0 -> backUp() }
	:: d_step { isBackedUp && restores < RESTORES -> restoreBackup() }
	:: d_step { restores < RESTORES && places[PIVOT].position > 0 -> restoreEmpty() }
	od
}

/* When nothing more can happen, all have one state, with everything that some server still had. */
active proctype quiet() {
	timeout;
	CLAIM(everything_arrives, !IS_BEHIND(0) && !IS_BEHIND(1) && pending[0] == 0 && pending[1] == 0)
}

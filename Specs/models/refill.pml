/* Two lives of a log are joined: what was overwritten or deleted in one of them stays so, though the other judged the same
 * operations otherwise.
 *
 * Two nodes write one path. The pivot is backed up once and comes back from that backup, or empty with its key. A node whose base the
 * log does not contain refills it: the pivot joins the base and the node takes what comes of it. An operation that its author pushes
 * to both lives meets another cap in each, and may be refused in one and accepted in the other. Epochs, horizon, snapshots on
 * their way and late pages are retention.pml's matter.
 *
 * -DREGISTER: the path is a register, clocks are wrong, nothing is refused. Without: a member, and anything may be refused.
 */
#define NODES 2
#ifndef SEQUENCES
#define SEQUENCES 2
#endif
#define DOTS (NODES * SEQUENCES)
#include "rules.pml"

#ifndef WRITES
#define WRITES 4
#endif

/* Operations by dot: what they list, and all that their writers had seen. Kind 0: not written. */
byte kind[DOTS], observed[DOTS], seen[DOTS];
byte writes;

/* A state. `accepted` is told apart from `vector` for the claim alone. */
typedef Place {
	byte vector;
#ifdef REGISTER
	short shown;
	/* The greatest cap, and the greatest effective stamp: a clock takes in the latter. */
	byte cap;
	byte stamp
#else
	byte live;
	byte refused;
	byte accepted
#endif
}
#define PIVOT 2
#define BACKUP 3
Place places[4];
bool isBackedUp, isRestored;

byte pending[NODES], written[NODES];
bool held[NODES];

#ifdef REGISTER
/* The greatest cap by the pivot's time: early, and later. A node's clock says the same, or is far ahead. */
#define EARLY 2
#define LATER 5
#define AHEAD 7
byte now = EARLY;
byte stampOf[DOTS];
#endif

/* Used within one step only. */
hidden byte each, dot, taken, stamp;
hidden short view;

/* What is claimed. A violated assertion shows the name of its claim, which is always 0, behind the condition. */
hidden byte deleted_stays_deleted, nothing_is_lost, add_wins, everything_arrives;
#define CLAIM(name, condition) assert((condition) || name)

#ifdef REGISTER

#define COPY_PLACE(to, source) places[to].vector = places[source].vector; places[to].shown = places[source].shown; \
	places[to].cap = places[source].cap; places[to].stamp = places[source].stamp
#define CLEAR_PLACE(at) places[at].vector = 0; places[at].shown = 0; places[at].cap = 0; places[at].stamp = 0

/* No covered operation's writer had seen the write that is shown. */
inline check() {
	for (each : 0 .. DOTS - 1) {
		CLAIM(deleted_stays_deleted,
			places[PIVOT].shown == 0 || !IN(each, places[PIVOT].vector) || !IN(DOT(places[PIVOT].shown), seen[each]))
	}
	CLAIM(nothing_is_lost, places[PIVOT].shown != 0 || places[PIVOT].vector == 0);
	each = 0
}

inline write(n, isValue, wall) {
	writes++;
	dot = n * SEQUENCES + written[n];
	stamp = places[n].stamp;
	for (each : n * SEQUENCES .. n * SEQUENCES + SEQUENCES - 1) {
		if
		:: IN(each, pending[n]) && stampOf[each] > stamp -> stamp = stampOf[each]
		:: else
		fi
	}
	stampOf[dot] = (stamp + 1 > wall -> stamp + 1 : wall);
	kind[dot] = (isValue -> PUT : REMOVE);
	seen[dot] = places[n].vector | pending[n];
	written[n]++;
	pending[n] = pending[n] | BIT(dot);
	dot = 0; stamp = 0; each = 0
}

/* The cap lies beyond all before it. */
inline accept(incoming) {
	places[PIVOT].cap = (places[PIVOT].cap + 1 > now -> places[PIVOT].cap + 1 : now);
	stamp = (stampOf[incoming] < places[PIVOT].cap -> stampOf[incoming] : places[PIVOT].cap);
	view = WRITE(stamp, incoming, kind[incoming] == PUT);
	places[PIVOT].shown = REGISTER_AFTER(places[PIVOT].shown, view);
	places[PIVOT].stamp = (stamp > places[PIVOT].stamp -> stamp : places[PIVOT].stamp);
	places[PIVOT].vector = places[PIVOT].vector | BIT(incoming);
	stamp = 0; view = 0;
	check()
}

inline join(n) {
	view = places[PIVOT].shown;
	places[PIVOT].shown = REGISTER_JOINED(view, places[PIVOT].vector, places[n].shown, places[n].vector);
	places[PIVOT].cap = (places[n].cap > places[PIVOT].cap -> places[n].cap : places[PIVOT].cap);
	places[PIVOT].stamp = (places[n].stamp > places[PIVOT].stamp -> places[n].stamp : places[PIVOT].stamp);
	places[PIVOT].vector = places[PIVOT].vector | places[n].vector;
	view = 0;
	check()
}

#else

#define COPY_PLACE(to, source) places[to].vector = places[source].vector; places[to].live = places[source].live; \
	places[to].refused = places[source].refused; places[to].accepted = places[source].accepted
#define CLEAR_PLACE(at) places[at].vector = 0; places[at].live = 0; places[at].refused = 0; places[at].accepted = 0

/* What an accepted operation's writer had seen is gone; a put that no accepted operation took is live. */
inline check() {
	taken = 0; dot = 0;
	for (each : 0 .. DOTS - 1) {
		taken = taken | (IN(each, places[PIVOT].accepted) -> seen[each] : 0);
		dot = dot | (IN(each, places[PIVOT].accepted) -> observed[each] | EARLIER(each) | (kind[each] == REMOVE -> BIT(each) : 0) : 0)
	}
	CLAIM(deleted_stays_deleted, (places[PIVOT].live & taken) == 0);
	CLAIM(add_wins, (places[PIVOT].accepted & ~dot & ~places[PIVOT].live) == 0);
	CLAIM(nothing_is_lost, (places[PIVOT].live & ~places[PIVOT].accepted) == 0);
	taken = 0; dot = 0; each = 0
}

inline write(n, ofKind, unused) {
	view = places[n].live; taken = 0;
	for (each : n * SEQUENCES .. n * SEQUENCES + SEQUENCES - 1) {
		if
		:: IN(each, pending[n]) ->
			view = LIVE_AFTER(view, kind[each], each, observed[each]);
			taken = taken | observed[each] | (IN(each, view) -> BIT(each) : 0)
		:: else
		fi
	}
	dot = n * SEQUENCES + written[n];
	if
	:: ofKind == PUT || view != 0 ->
		writes++;
		kind[dot] = ofKind;
		seen[dot] = view;
		/* Its own pending operations too: one of them may be refused where this one is accepted. */
		observed[dot] = view | taken;
#ifdef FAULT_OWN_UNLISTED
		observed[dot] = observed[dot] & ~ALL_OF(n);
#endif
		written[n]++;
		pending[n] = pending[n] | BIT(dot)
	:: else
	fi;
	view = 0; taken = 0; dot = 0; each = 0
}

inline accept(incoming) {
	places[PIVOT].live = MEMBER_AFTER(places[PIVOT].live, places[PIVOT].vector, kind[incoming], incoming, observed[incoming]);
	places[PIVOT].refused = places[PIVOT].refused & ~observed[incoming];
	places[PIVOT].accepted = places[PIVOT].accepted | BIT(incoming);
	places[PIVOT].vector = places[PIVOT].vector | BIT(incoming);
	check()
}

/* Covered, without effect. */
inline refuse(incoming) {
	places[PIVOT].refused = places[PIVOT].refused | BIT(incoming);
	places[PIVOT].vector = places[PIVOT].vector | BIT(incoming);
	check()
}

/* A refused dot is not gone: the other side may have accepted it. */
#ifdef FAULT_REFUSED_IS_GONE
#define GONE(at) places[at].vector
#else
#define GONE(at) (places[at].vector & ~places[at].refused)
#endif

inline join(n) {
	view = places[PIVOT].live;
	places[PIVOT].live = LIVE_JOINED(view, GONE(PIVOT), places[n].live, GONE(n));
	view = places[PIVOT].refused;
	places[PIVOT].refused = (view & places[n].refused) | (view & ~places[n].vector) | (places[n].refused & ~places[PIVOT].vector);
	places[PIVOT].accepted = places[PIVOT].accepted | places[n].accepted;
	places[PIVOT].vector = places[PIVOT].vector | places[n].vector;
	view = 0;
	check()
}

#endif

inline findNext(n) {
	dot = n * SEQUENCES;
	do
	:: !IN(dot, pending[n]) || IN(dot, places[PIVOT].vector) -> dot++
	:: else -> break
	od
}

inline pull(n) {
	COPY_PLACE(n, PIVOT);
	pending[n] = pending[n] & ~places[n].vector
}

#define CAN_WRITE(n) (writes < WRITES && written[n] < SEQUENCES)
#define CAN_PUSH(n) (held[n] && (pending[n] & ~places[PIVOT].vector) != 0)

proctype node(byte n) {
end:
	do
#ifdef REGISTER
	:: d_step { CAN_WRITE(n) -> write(n, 1, now) }
	:: d_step { CAN_WRITE(n) -> write(n, 1, AHEAD) }
	:: d_step { CAN_WRITE(n) && IS_VALUE(places[n].shown) -> write(n, 0, now) }
#else
	:: d_step { CAN_WRITE(n) -> write(n, PUT, 0) }
	:: d_step { CAN_WRITE(n) && (places[n].live | pending[n]) != 0 -> write(n, REMOVE, 0) }
	:: d_step { CAN_PUSH(n) -> findNext(n); refuse(dot); dot = 0 }
#endif
	:: d_step { CAN_PUSH(n) -> findNext(n); accept(dot); dot = 0 }
	:: d_step { held[n] && places[n].vector != places[PIVOT].vector -> pull(n) }
	:: d_step { !held[n] -> join(n); held[n] = true; pull(n) }
	od
}

/* The log contains again what the backup's did. */
inline restore(isEmpty) {
	isRestored = true;
	if
	:: isEmpty -> CLEAR_PLACE(PIVOT)
	:: else -> COPY_PLACE(PIVOT, BACKUP)
	fi;
	CLEAR_PLACE(BACKUP);
	held[0] = (places[0].vector & ~places[PIVOT].vector) == 0;
	held[1] = (places[1].vector & ~places[PIVOT].vector) == 0
}

active proctype pivot() {
	atomic { held[0] = true; held[1] = true; run node(0); run node(1) }
end:
	do
#ifdef REGISTER
	:: d_step { now == EARLY -> now = LATER }
#endif
	:: d_step { !isBackedUp && !isRestored && places[PIVOT].vector != 0 -> isBackedUp = true; COPY_PLACE(BACKUP, PIVOT) }
	:: d_step { isBackedUp && !isRestored -> restore(0) }
	:: d_step { !isRestored && places[PIVOT].vector != 0 -> restore(1) }
	od
}

active proctype quiet() {
	timeout;
	CLAIM(everything_arrives, pending[0] == 0 && pending[1] == 0 && held[0] && held[1]);
	CLAIM(everything_arrives, places[0].vector == places[PIVOT].vector && places[1].vector == places[PIVOT].vector)
}

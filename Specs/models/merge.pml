/* Members and registers converge, and add wins.
 *
 * Three replicas write one path and hand operations to each other in any order that the causal rule allows, as often as
 * they like; any two may also join their whole states. At every moment each state must be what the plain definition gives
 * for the operations that its version vector covers (`expected`), so states with equal vectors are equal.
 *
 * -DREGISTER: the path is a register. Without: a member.
 */
#define REPLICAS 3
#ifndef SEQUENCES
#define SEQUENCES 2
#endif
#define DOTS (REPLICAS * SEQUENCES)
#include "rules.pml"

/* What was written, for all to take. Kind 0: not yet. */
byte kind[DOTS];
byte observed[DOTS];
byte vector[REPLICAS];

#ifdef REGISTER
#define CLEAR REMOVE
short written[DOTS];
short shown[REPLICAS];
/* What the wall clock of one replica may say; the others follow what they have seen. */
#define AHEAD 4
#else
byte live[REPLICAS];
#endif

/* Used within one step only. */
hidden byte dot, each, taken, before;
hidden short greatest;

/* What is claimed. A violated assertion shows the name of its claim, which is always 0, behind the condition. */
hidden byte states_converge, add_wins, observed_goes, own_write_is_shown;
#define CLAIM(name, condition) assert((condition) || name)

#define NEXT(at) (at * SEQUENCES + (IN(at * SEQUENCES, vector[at]) -> 1 : 0))
#define CAN_WRITE(at) (!IN(at * SEQUENCES + SEQUENCES - 1, vector[at]))
/* Covered ones too: an operation may come again at any time. */
#define CAN_TAKE(at, dot) (kind[dot] != 0 && (IN(dot, vector[at]) || EXTENDS(dot, vector[at], observed[dot])))

#ifdef REGISTER

/* Definition: the greatest of all covered writes. */
inline check(at) {
	greatest = 0;
	for (each : 0 .. DOTS - 1) {
		if
		:: IN(each, vector[at]) && written[each] > greatest -> greatest = written[each]
		:: else
		fi
	}
	CLAIM(states_converge, shown[at] == greatest)
}

/* The clock's last reading: nothing covered is beyond it. */
#ifdef FAULT_CLOCK_DEAF
#define HEARD(at) (vector[at] & ALL_OF(at))
#else
#define HEARD(at) vector[at]
#endif

inline readClock(at) {
	greatest = 0;
	for (each : 0 .. DOTS - 1) {
		if
		:: IN(each, HEARD(at)) && STAMP(written[each]) > greatest -> greatest = STAMP(written[each])
		:: else
		fi
	}
}

#define NEXT_STAMP(wall) (greatest + 1 > (wall) -> greatest + 1 : (wall))

/* Who has seen a value can overwrite it: a write is what its writer sees next. */
inline write(at, isValue, wall) {
	dot = NEXT(at);
	readClock(at);
	kind[dot] = (isValue -> PUT : CLEAR);
	written[dot] = WRITE(NEXT_STAMP(wall), dot, isValue);
	shown[at] = REGISTER_AFTER(shown[at], written[dot]);
	vector[at] = vector[at] | BIT(dot);
	CLAIM(own_write_is_shown, shown[at] == written[dot]);
	check(at);
}

inline take(at, incoming) {
	shown[at] = REGISTER_AFTER(shown[at], written[incoming]);
	vector[at] = vector[at] | BIT(incoming);
	check(at);
}

inline join(at, from) {
	shown[at] = REGISTER_AFTER(shown[at], shown[from]);
	vector[at] = vector[at] | vector[from];
	check(at);
}

#else

/* Definition: a put stays live until an operation that observed it is covered too. Nothing else takes it: add wins. */
inline check(at) {
	taken = 0;
	for (each : 0 .. DOTS - 1) {
		if
		:: IN(each, vector[at]) -> taken = taken | observed[each] | EARLIER(each) | (kind[each] == REMOVE -> BIT(each) : 0)
		:: else
		fi
	}
	CLAIM(observed_goes, (live[at] & taken) == 0);
	CLAIM(add_wins, (vector[at] & ~taken & ~live[at]) == 0);
	CLAIM(states_converge, live[at] == (vector[at] & ~taken))
}

inline write(at, ofKind) {
	dot = NEXT(at);
	kind[dot] = ofKind;
	observed[dot] = live[at] & ~ALL_OF(at);
	live[at] = MEMBER_AFTER(live[at], vector[at], ofKind, dot, observed[dot]);
	vector[at] = vector[at] | BIT(dot);
	check(at);
}

inline take(at, incoming) {
	live[at] = MEMBER_AFTER(live[at], vector[at], kind[incoming], incoming, observed[incoming]);
	vector[at] = vector[at] | BIT(incoming);
	check(at);
}

inline join(at, from) {
	before = live[at];
	live[at] = LIVE_JOINED(before, vector[at], live[from], vector[from]);
	vector[at] = vector[at] | vector[from];
	check(at);
}

#endif

active [REPLICAS] proctype replica() {
end:
	do
#ifdef REGISTER
	:: d_step { CAN_WRITE(_pid) -> write(_pid, 1, 0) }
	:: d_step { _pid == 0 && CAN_WRITE(_pid) -> write(_pid, 1, AHEAD) }
	:: d_step { CAN_WRITE(_pid) && IS_VALUE(shown[_pid]) -> write(_pid, 0, 0) }
#else
	:: d_step { CAN_WRITE(_pid) -> write(_pid, PUT) }
	:: d_step { CAN_WRITE(_pid) && live[_pid] != 0 -> write(_pid, REMOVE) }
#endif
	:: d_step { CAN_TAKE(_pid, 0) -> take(_pid, 0) }
	:: d_step { CAN_TAKE(_pid, 1) -> take(_pid, 1) }
	:: d_step { CAN_TAKE(_pid, 2) -> take(_pid, 2) }
	:: d_step { CAN_TAKE(_pid, 3) -> take(_pid, 3) }
	:: d_step { CAN_TAKE(_pid, 4) -> take(_pid, 4) }
	:: d_step { CAN_TAKE(_pid, 5) -> take(_pid, 5) }
	:: d_step { _pid != 0 -> join(_pid, 0) }
	:: d_step { _pid != 1 -> join(_pid, 1) }
	:: d_step { _pid != 2 -> join(_pid, 2) }
	od
}

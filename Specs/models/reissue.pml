/* Copied and rolled back folders: no dot names two things, nothing is lost, and what is written again means the same.
 *
 * A node's folder is copied at any moment. Later the copy starts beside the original (a clone), or in its place (a rollback);
 * nobody tells the node. All writes are puts on one of PATHS members. What the log then says under the node's own name puts a copy
 * in doubt: it pulls to the end with the bodies of its own deltas, and goes on after what is proven, or writes the rest again
 * under a new incarnation (NodeCore+Reissue). Requests may arrive late, and copies crash: MISHAPS times in all. The pivot
 * loses nothing here (retention.pml), and an answer comes at once or never (exchange.pml).
 *
 * A write is a number. A header is known by the writes and the ends of deltas up to it, four bits a sequence; the incarnation
 * stands beside it.
 */
#define SEQUENCES 4
#define INCARNATIONS 3
#define DOTS (INCARNATIONS * SEQUENCES)
#include "rules.pml"

#ifndef WRITES
#define WRITES 4
#endif
#ifndef PATHS
#define PATHS 1
#endif
#ifndef MISHAPS
#define MISHAPS 1
#endif
#define ENTRIES 6
#define DOT_OF(incarnation, sequence) ((incarnation) * SEQUENCES + (sequence) - 1)
/* Of a hash: which write is at a sequence, whether a delta ends there, and the hash up to it. */
#define END 8
#define AT(sequence, hash) (((hash) >> (4 * ((sequence) - 1))) & 15)
#define WRITE_AT(sequence, hash) (AT(sequence, hash) & 7)
#define ENDS_AT(sequence, hash) (AT(sequence, hash) & END)
#define PLACED(sequence, bits) ((bits) << (4 * ((sequence) - 1)))
#define UP_TO(sequence, hash) ((hash) & ((1 << (4 * (sequence))) - 1))

/* The pivot's log by position, from 1, and what is covered and live after each entry. */
byte length;
byte incarnationOf[ENTRIES + 1], firstOf[ENTRIES + 1], lastOf[ENTRIES + 1];
int hashOf[ENTRIES + 1];
short coveredAfter[ENTRIES + 1], liveAfter[ENTRIES + 1];
/* What each dot names in the log. */
byte names[DOTS];
/* Which writes are on the second path. */
byte onSecond;
#define SAME_PATH(number, other) (IN(number, onSecond) == IN(other, onSecond))
/* What a write observes when its name is of an incarnation. */
short observed[(WRITES + 1) * INCARNATIONS];
#define OBSERVED(number, incarnation) observed[(number) * INCARNATIONS + (incarnation)]

typedef Copy {
	bool isRunning;
	/* On disk. */
	byte incarnation;
	/* All writes of the incarnation, and which are pending (bit 0 is sequence 1). */
	byte count;
	int written;
	byte pending;
	/* The chain, receipts included, up to a sequence. */
	byte sealed;
	int chain;
	byte position;
	/* From here on the log holds something else under the own name; 0: it does not. */
	byte spoiled;
	/* In memory. */
	byte offered;
	byte doubt;
	byte until;
	byte pushFirst
}
Copy copies[2];
#define ME copies[c]
#define NO_DOUBT 0
#define ASKING 1
#define PULLING 2
#define REISSUING 3
#define IS_PENDING(sequence, set) (((set) >> ((sequence) - 1)) & 1)
#define SEQ(sequence) (1 << ((sequence) - 1))

/* A request that was given up and may still arrive. */
byte lateIncarnation, lateFirst, lateLast;
int lateChain;

byte incarnations = 1;
byte writes, mishaps;
bool isCopied, isDecided;
/* Which writes a write's author had seen, in its base or pending. */
byte past[WRITES + 1];
/* Writes made while another's operations stood under the own name: what those saw is not told apart. */
byte madeInDoubt;
/* Writes that no server has any more: only the folder that was rolled back had them. */
byte gone;

/* Used within one step only. */
hidden byte each, at, from, sent, dot, headSequence, reply;
hidden int headHash, fresh;
hidden short view, taken, onPath;
hidden byte keep;

/* What is claimed. A violated assertion shows the name of its claim, which is always 0, behind the condition. */
hidden byte nothing_is_lost, nothing_comes_twice, a_dot_names_one_thing, add_wins, what_was_seen_goes, no_false_alarm,
	everything_arrives;
#define CLAIM(name, condition) assert((condition) || name)

/* The dots of the log that are on the path of a write. */
inline findPath(number) {
	onPath = 0;
	for (each : 0 .. DOTS - 1) {
		onPath = onPath | (names[each] > 0 && SAME_PATH(names[each], number) -> BIT(each) : 0)
	}
	each = 0
}

/* The head of an incarnation in the log up to a position. */
inline findHead(ofIncarnation, upTo) {
	headSequence = 0; headHash = 0;
	for (at : 1 .. upTo) {
		if
		:: incarnationOf[at] == ofIncarnation -> headSequence = lastOf[at]; headHash = hashOf[at]
		:: else
		fi
	}
	at = 0
}

/* --- The pivot --- */

inline acceptOperation(owner, sequence, number) {
	dot = DOT_OF(owner, sequence);
	CLAIM(a_dot_names_one_thing, names[dot] == 0);
	findPath(number);
	taken = view & onPath & TAKEN(dot, OBSERVED(number, owner));
	view = (view & ~onPath) | LIVE_AFTER(view & onPath, PUT, dot, OBSERVED(number, owner));
	for (each : 0 .. DOTS - 1) {
		CLAIM(nothing_comes_twice, names[each] != number);
		CLAIM(add_wins, !IN(each, taken) || IN(names[each], past[number]));
		CLAIM(what_was_seen_goes, !IN(each, view & onPath) || each == dot || !IN(names[each], past[number]) || IN(number, madeInDoubt))
	}
	each = 0;
	names[dot] = number
}

/* FAULT_HASHES_UNREAD: heads and receipts are told by their sequences alone. */
#ifdef FAULT_HASHES_UNREAD
#define SAME_HASH(hash, other) true
#else
#define SAME_HASH(hash, other) ((hash) == (other))
#endif
#define EXTENDS_HEAD(first, ofChain) (headSequence + 1 == first && SAME_HASH(headHash, UP_TO((first) - 1, ofChain)))

/* Delta by delta, while they extend the head. */
inline accept(owner, first, last, ofChain) {
	findHead(owner, length);
	from = first;
	do
	:: from <= last && EXTENDS_HEAD(from, ofChain) ->
		view = liveAfter[length]; keep = from;
		do
		:: acceptOperation(owner, from, WRITE_AT(from, ofChain));
			if
			:: ENDS_AT(from, ofChain) -> break
			:: else -> from++
			fi
		od;
		length++;
		incarnationOf[length] = owner; firstOf[length] = keep; lastOf[length] = from; hashOf[length] = UP_TO(from, ofChain);
		liveAfter[length] = view; coveredAfter[length] = coveredAfter[length - 1];
		for (each : keep .. from) {
			coveredAfter[length] = coveredAfter[length] | BIT(DOT_OF(owner, each))
		}
		headSequence = from; headHash = UP_TO(from, ofChain);
		from++
	:: else -> break
	od;
	reply = (from > last);
	from = 0; view = 0; taken = 0; onPath = 0; keep = 0; dot = 0; each = 0
}

/* --- A copy writes --- */

/* What its client sees of the path: the base with the pending operations replayed over it. */
inline write(c, path) {
	writes++;
	onSecond = onSecond | (path -> BIT(writes) : 0);
	findPath(writes);
	view = liveAfter[ME.position] & onPath; taken = 0;
	for (each : 0 .. DOTS - 1) {
		if
		:: IN(each, coveredAfter[ME.position] & onPath) -> past[writes] = past[writes] | BIT(names[each])
		:: else
		fi
	}
	for (each : 1 .. ME.count) {
		keep = WRITE_AT(each, ME.written);
		if
		:: IS_PENDING(each, ME.pending) && SAME_PATH(keep, writes) ->
			view = LIVE_AFTER(view, PUT, DOT_OF(ME.incarnation, each), OBSERVED(keep, ME.incarnation));
			taken = taken | OBSERVED(keep, ME.incarnation);
			past[writes] = past[writes] | BIT(keep)
		:: else
		fi
	}
	if
	:: ME.spoiled > 0 -> madeInDoubt = madeInDoubt | BIT(writes)
	:: else
	fi;
	OBSERVED(writes, ME.incarnation) = (view & ~ALL_OF(ME.incarnation)) | taken;
	ME.count++;
	ME.written = ME.written | PLACED(ME.count, writes);
	ME.pending = ME.pending | SEQ(ME.count);
	view = 0; taken = 0; onPath = 0; each = 0; keep = 0
}

/* One delta of all that waits up to a sequence. */
inline seal(c, last) {
	for (each : ME.sealed + 1 .. last) {
		ME.chain = ME.chain | PLACED(each, WRITE_AT(each, ME.written))
	}
	ME.chain = ME.chain | PLACED(last, END);
	ME.sealed = last;
	each = 0
}

/* --- A copy in doubt --- */

#define DROP_CHAIN ME.sealed = headSequence; ME.chain = headHash

inline endDoubt(c) {
	if
	:: ME.doubt == PULLING && ME.position >= ME.until ->
		ME.until = 0;
		findHead(ME.incarnation, ME.position);
		if
		:: ME.spoiled > 0 || headSequence > ME.count ->
			ME.spoiled = (ME.spoiled > 0 -> ME.spoiled : ME.count + 1);
			ME.doubt = REISSUING
		:: else ->
			ME.doubt = NO_DOUBT;
			ME.offered = headSequence;
			if
			:: ME.sealed < headSequence || UP_TO(headSequence, ME.chain) != headHash -> DROP_CHAIN
			:: else
			fi
		fi
	:: else
	fi
}

/* Whoever gives a request up cannot call it back. One is kept. */
inline abandon(c) {
	if
	:: ME.pushFirst > 0 && lateFirst == 0 ->
		lateIncarnation = ME.incarnation; lateFirst = ME.pushFirst; lateLast = ME.sealed; lateChain = ME.chain
	:: else
	fi;
	ME.pushFirst = 0
}

/* The shell asks for the log's end, then pulls to it. */
inline investigate(c) {
	abandon(c);
	ME.doubt = PULLING; ME.until = length;
	endDoubt(c)
}

/* The dots of the base that a pending operation observed as its own and that are what was written here. */
inline ownAccepted(c, number, sequence) {
	onPath = 0;
	for (at : 0 .. DOTS - 1) {
		onPath = onPath | (names[at] > 0 && SAME_PATH(names[at], number) -> BIT(at) : 0)
	}
	at = 0;
	taken = liveAfter[ME.position] & onPath & EARLIER(DOT_OF(ME.incarnation, sequence));
#ifndef FAULT_FOREIGN_NAMED
	taken = taken & (BIT(DOT_OF(ME.incarnation, ME.spoiled)) - 1);
#endif
#ifdef FAULT_OWN_NOT_NAMED
	taken = 0
#endif
}

/* Writes everything pending again, in its order. */
inline reissue(c) {
	fresh = 0; keep = 0; headSequence = 0; headHash = 0;
#ifdef FAULT_SAME_INCARNATION
	findHead(ME.incarnation, ME.position);
	for (each : 1 .. headSequence) {
		fresh = fresh | PLACED(each, WRITE_AT(each, headHash))
	}
	keep = headSequence; sent = ME.incarnation;
#else
	assert(incarnations < INCARNATIONS);
	sent = incarnations; incarnations++;
#endif
	from = keep;
	for (each : 1 .. ME.count) {
		if
		:: IS_PENDING(each, ME.pending) ->
			keep++;
			fresh = fresh | PLACED(keep, WRITE_AT(each, ME.written));
			/* What is accepted of the old incarnation was observed without being named. */
			ownAccepted(c, WRITE_AT(each, ME.written), each);
			OBSERVED(WRITE_AT(each, ME.written), sent) = OBSERVED(WRITE_AT(each, ME.written), ME.incarnation) | taken
		:: else
		fi
	}
	ME.incarnation = sent;
	ME.count = keep; ME.written = fresh; ME.pending = (1 << keep) - (1 << from);
	ME.sealed = from; ME.chain = headHash; ME.spoiled = 0; ME.offered = from; ME.doubt = NO_DOUBT;
	fresh = 0; keep = 0; taken = 0; onPath = 0; each = 0; sent = 0; from = 0; headSequence = 0; headHash = 0
}

/* --- A copy pushes and pulls --- */

inline settle(c) {
	sent = ME.pushFirst; ME.pushFirst = 0;
	if
	:: reply -> ME.offered = ME.sealed
	:: else ->
		/* The pivot's head, against the own receipts and the own chain. */
		keep = headSequence; fresh = headHash;
		findHead(ME.incarnation, ME.position);
		if
		:: keep == headSequence && fresh == headHash ->
			CLAIM(no_false_alarm, sent != keep + 1);
			ME.offered = keep
		:: else ->
			if
			:: keep > headSequence && keep <= ME.sealed && SAME_HASH(fresh, UP_TO(keep, ME.chain)) -> ME.offered = keep
			:: else ->
				CLAIM(no_false_alarm, keep >= headSequence);
				investigate(c)
			fi
		fi
	fi;
	sent = 0; reply = 0; keep = 0; fresh = 0; headSequence = 0; headHash = 0
}

/* An own delta is in the log: what is proven to be the same leaves the outbox. */
inline settleOwn(c, entry) {
	if
	:: lastOf[entry] <= ME.sealed && SAME_HASH(hashOf[entry], UP_TO(lastOf[entry], ME.chain)) -> keep = 0
	:: else ->
		keep = 1; /* The chain is broken. */
		for (each : firstOf[entry] .. lastOf[entry]) {
			if
			:: ME.spoiled == 0 && !(IS_PENDING(each, ME.pending) && WRITE_AT(each, ME.written) == WRITE_AT(each, hashOf[entry])) ->
#ifdef FAULT_DELTA_IN_DOUBT_AS_A_WHOLE
				ME.spoiled = firstOf[entry]
#else
				ME.spoiled = each
#endif
			:: else
			fi
		}
	fi;
	for (each : firstOf[entry] .. lastOf[entry]) {
		if
		:: (ME.spoiled == 0 || each < ME.spoiled) && IS_PENDING(each, ME.pending) ->
			CLAIM(nothing_is_lost, WRITE_AT(each, ME.written) == WRITE_AT(each, hashOf[entry]));
			ME.pending = ME.pending & ~SEQ(each)
		:: else
		fi
	}
	ME.position++;
	findHead(ME.incarnation, ME.position);
	if
	:: keep -> DROP_CHAIN
	:: else
	fi;
	ME.offered = (ME.offered < headSequence -> headSequence : ME.offered);
	keep = 0; each = 0; headSequence = 0; headHash = 0
}

/* The next entry. Own deltas come as receipts, or with their bodies to a copy in doubt. */
inline pull(c) {
	if
	:: incarnationOf[ME.position + 1] != ME.incarnation -> ME.position++
	:: incarnationOf[ME.position + 1] == ME.incarnation && (ME.doubt == PULLING ||
		(lastOf[ME.position + 1] <= ME.sealed && SAME_HASH(hashOf[ME.position + 1], UP_TO(lastOf[ME.position + 1], ME.chain)))) ->
		settleOwn(c, ME.position + 1)
	:: else ->
		/* A receipt for what was not sealed here. */
		ME.doubt = (ME.doubt == NO_DOUBT -> ASKING : ME.doubt)
	fi;
	endDoubt(c);
	headSequence = 0; headHash = 0
}

#define CAN_PULL(c) (ME.position < length && ME.doubt != REISSUING && \
	!(ME.doubt == ASKING && incarnationOf[ME.position + 1] == ME.incarnation && \
	!(lastOf[ME.position + 1] <= ME.sealed && SAME_HASH(hashOf[ME.position + 1], UP_TO(lastOf[ME.position + 1], ME.chain)))))
/* Once a push in flight is answered or given up. */
#define CAN_SEAL(c) (ME.doubt == NO_DOUBT && ME.pushFirst == 0 && ME.offered >= ME.sealed)
#define CAN_PUSH(c) (ME.doubt == NO_DOUBT && ME.pushFirst == 0 && ME.offered < ME.sealed)
#define CAN_FAIL (mishaps < MISHAPS)

inline stop(c) {
	abandon(c); ME.doubt = NO_DOUBT; ME.until = 0
}

inline start(c) {
	findHead(ME.incarnation, ME.position);
	ME.offered = headSequence;
	headSequence = 0; headHash = 0;
#ifndef FAULT_DOUBT_FORGOTTEN
	if
	:: ME.spoiled > 0 -> ME.doubt = ASKING
	:: else
	fi;
#endif
	ME.isRunning = true
}

inline copyDisk() {
	copies[1].incarnation = copies[0].incarnation; copies[1].count = copies[0].count; copies[1].written = copies[0].written;
	copies[1].pending = copies[0].pending; copies[1].sealed = copies[0].sealed; copies[1].chain = copies[0].chain;
	copies[1].position = copies[0].position; copies[1].spoiled = copies[0].spoiled
}

/* Whatever only the replaced folder knows is gone with it. */
inline rollBack() {
	stop(0);
	copies[0].isRunning = false;
	for (each : 1 .. writes) {
		gone = gone | BIT(each)
	}
	for (each : 0 .. DOTS - 1) {
		gone = gone & ~BIT(names[each])
	}
	for (each : 1 .. copies[1].count) {
		gone = gone & ~(IS_PENDING(each, copies[1].pending) -> BIT(WRITE_AT(each, copies[1].written)) : 0)
	}
	start(1)
}

proctype server(byte c) {
end:
	do
	:: d_step { ME.isRunning && writes < WRITES && ME.count < SEQUENCES -> write(c, 0) }
#if PATHS > 1
	:: d_step { ME.isRunning && writes < WRITES && ME.count < SEQUENCES -> write(c, 1) }
#endif
	/* Up to any of the operations that wait. */
	:: d_step { ME.isRunning && CAN_SEAL(c) && ME.sealed < ME.count -> seal(c, ME.sealed + 1) }
	:: d_step { ME.isRunning && CAN_SEAL(c) && ME.sealed + 1 < ME.count -> seal(c, ME.sealed + 2) }
	:: d_step { ME.isRunning && CAN_PUSH(c) -> ME.pushFirst = ME.offered + 1 }
	:: d_step { ME.isRunning && ME.pushFirst > 0 -> accept(ME.incarnation, ME.pushFirst, ME.sealed, ME.chain); settle(c) }
	:: d_step { ME.isRunning && CAN_PULL(c) -> pull(c) }
	:: d_step { ME.isRunning && ME.doubt == ASKING -> investigate(c) }
	:: d_step { ME.isRunning && ME.doubt == REISSUING -> reissue(c) }
	/* No answer comes, and the request arrives later. */
	:: d_step { ME.isRunning && ME.pushFirst > 0 && CAN_FAIL && lateFirst == 0 -> mishaps++; abandon(c) }
	:: d_step { ME.isRunning && CAN_FAIL -> mishaps++; stop(c); start(c) }
	od
}

active proctype world() {
	atomic { copies[0].isRunning = true; run server(0); run server(1) }
end:
	do
	:: d_step { !isCopied -> isCopied = true; copyDisk() }
	:: d_step { isCopied && !isDecided -> isDecided = true; start(1) }
	:: d_step { isCopied && !isDecided -> isDecided = true; rollBack() }
	:: d_step { lateFirst > 0 ->
		accept(lateIncarnation, lateFirst, lateLast, lateChain);
		lateIncarnation = 0; lateFirst = 0; lateLast = 0; lateChain = 0; reply = 0; headSequence = 0; headHash = 0 }
	od
}

/* When nothing more can happen, all that is not gone is in the log, and every copy knows it. */
active proctype quiet() {
	byte c;
	timeout;
	d_step {
		taken = 0;
		for (each : 0 .. DOTS - 1) {
			taken = taken | BIT(names[each])
		}
		for (each : 1 .. writes) {
			CLAIM(everything_arrives, IN(each, taken | gone))
		}
		for (c : 0 .. 1) {
			CLAIM(everything_arrives, !ME.isRunning ||
				(ME.pending == 0 && ME.position == length && ME.doubt == NO_DOUBT))
		}
		c = 0
	}
}

/* The exchange of a node with its pivot: no acknowledged write is lost, none is applied twice, and all arrive.
 *
 * One node writes; the pivot writes too, so that its log has foreign entries. Between them requests and answers get lost, come
 * late or twice, streams break and leave a page behind, and both crash: MISHAPS such events in all, in any order and at any
 * moment. One of the node's operations (`bad`, or none) is refused by the pivot. Follows NodeCore and PivotCore step by step;
 * what is one commit there is one step here. What is sealed together is free.
 *
 * A header is known by the ends of the deltas up to it (`ends`): without copied folders nothing else can differ. Copies are
 * reissue.pml's matter, and this model checks that a node without one never comes into doubt.
 */
#ifndef WRITES
#define WRITES 3
#endif
#ifndef FOREIGN
#define FOREIGN 1
#endif
#ifndef MISHAPS
#define MISHAPS 2
#endif
#define ENTRIES (WRITES + FOREIGN)
#define BIT(sequence) (1 << (sequence))
#define IN(sequence, set) (((set) >> (sequence)) & 1)
/* Of a set of sequences, those up to one. */
#define UP_TO(sequence, set) ((set) & (BIT((sequence) + 1) - 1))

/* The pivot's disk: the log by position, from 1. First 0: an operation of the pivot's own. */
byte length;
byte first[ENTRIES + 1], last[ENTRIES + 1], hash[ENTRIES + 1], epochOf[ENTRIES + 1];
/* Positions at which a commit ended: a page ends there. */
byte commitEnds;
byte head, headHash, epoch;
/* In its memory. */
bool isEpochOpen;
/* What would be left of the log after a crash. */
byte durable;

/* The node's disk. */
byte written, pending, deadLetters, ends, sealed;
byte position, applied, baseHead, baseHash, based, nodeEpoch;
/* In its memory. */
byte offered, expected, pushFirst, pushLast, pushBase;
#define IDLE 0
#define IN_FLIGHT 1
#define SEALING 2
#define PAUSED 3
byte push;

/* What clients were told. */
byte acknowledged;

/* The network: the push in flight, one that was given up and may still arrive, its answer; the stream's pages, and one that
 * was left over from a stream before. */
#define NONE 0
#define REQUEST 1
#define ANSWER 2
#define LOST 3
byte flight, flightEnds;
#define ACCEPTED 1
#define HEAD 2
byte verdict, answerHead, answerHash, answerPlace;
byte lateFirst, lateLast, lateEnds;
chan pages = [2] of { byte, byte };
byte streamed;
byte staleAfter, staleEnd;

byte bad, foreign, mishaps;

/* Used within one step only. */
hidden byte each, from, through;

/* What is claimed. A violated assertion shows the name of its claim, which is always 0, behind the condition. */
hidden byte nothing_is_lost, nothing_is_applied_twice, everything_arrives, no_false_alarm;
#define CLAIM(name, condition) assert((condition) || name)

/* --- The node --- */

/* What clients see holds each acknowledged operation once: in the base, over it, or as a dead letter that a person sees. */
inline checkView() {
	for (each : 1 .. acknowledged) {
		CLAIM(nothing_is_lost, IN(each, pending) || IN(each, based) || IN(each, deadLetters));
		CLAIM(nothing_is_applied_twice, IN(each, pending) + IN(each, based) + IN(each, deadLetters) <= 1);
	}
	each = 0
}

/* Sends what is sealed and not offered yet, or asks for what is not sealed. */
inline continuePush() {
	if
	:: push == IDLE && offered < sealed ->
		push = IN_FLIGHT; pushFirst = offered + 1; pushLast = sealed; pushBase = baseHead;
		assert(flight == NONE);
		flight = REQUEST; flightEnds = ends
	:: push == IDLE && offered >= sealed && sealed < written -> push = SEALING
	:: else
	fi
}

inline seal(upTo) {
	ends = ends | BIT(upTo); sealed = upTo
}

inline write() {
	written++;
	pending = pending | BIT(written);
	/* When nothing is on its way, what was written is sealed in the same commit. */
	if
	:: push == IDLE && sealed + 1 == written -> seal(written)
	:: else
	fi;
	acknowledged = written;
	continuePush();
	checkView()
}

inline settle() {
	push = IDLE;
	if
	:: verdict == ACCEPTED ->
		offered = pushLast; expected = answerPlace;
#ifdef FAULT_ANSWER_EMPTIES_OUTBOX
		pending = pending & ~UP_TO(pushLast, 255)
#endif
	:: verdict == HEAD && answerHead == baseHead && answerHash == baseHash ->
		/* It would refuse what extends its head. */
		CLAIM(no_false_alarm, pushFirst != answerHead + 1);
		offered = answerHead
	:: verdict == HEAD && answerHead > baseHead && answerHead <= sealed && IN(answerHead, ends) &&
		answerHash == UP_TO(answerHead, ends) ->
#ifndef FAULT_HEAD_UNHEEDED
		offered = answerHead;
#endif
		expected = answerPlace
#ifndef FAULT_OVERTAKEN_ANSWER
	/* It was answered before the receipts that are here by now. */
	:: verdict == HEAD && answerHead < baseHead && answerHead >= pushBase -> offered = baseHead
#endif
	:: else -> CLAIM(no_false_alarm, false) /* In doubt without a copy, or a pivot that lost something. */
	fi;
	verdict = 0; answerHead = 0; answerHash = 0; answerPlace = 0; flight = NONE; flightEnds = 0; pushFirst = 0; pushLast = 0; pushBase = 0;
	continuePush();
	checkView()
}

/* No answer will come. */
inline abandon() {
	verdict = 0; answerHead = 0; answerHash = 0; answerPlace = 0; flight = NONE; flightEnds = 0;
#ifdef FAULT_SILENCE_IS_CONSENT
	offered = pushLast;
#endif
	pushFirst = 0; pushLast = 0; pushBase = 0
}

inline applyEntry(at) {
	CLAIM(nothing_is_applied_twice, !IN(at, applied));
	applied = applied | BIT(at);
	if
	:: first[at] > 0 ->
		/* The receipt names the first delta of the chain, or the node is in doubt. */
		CLAIM(no_false_alarm, first[at] == baseHead + 1 && hash[at] == UP_TO(last[at], ends));
		for (each : first[at] .. last[at]) {
			if
			:: each != bad ->
				CLAIM(nothing_is_applied_twice, !IN(each, based));
				based = based | BIT(each)
			:: else
#ifndef FAULT_REFUSAL_UNSEEN
				-> deadLetters = deadLetters | (pending & BIT(each))
#endif
			fi;
			pending = pending & ~BIT(each)
		}
		baseHead = last[at]; baseHash = hash[at]
	:: else
	fi
}

/* A page and the cursor that it leads to are one commit. */
inline applyPage(after, end) {
	position = after;
	do
	:: position < end -> position++; applyEntry(position)
	:: else -> break
	od;
	if
	:: epochOf[position] != nodeEpoch ->
		/* A new life of the pivot: it may have lost what it answered for. */
		nodeEpoch = epochOf[position]; expected = 0; offered = 0
	:: else
	fi;
	if
	:: offered < baseHead -> offered = baseHead
	:: else
	fi;
	if
	:: expected > 0 && position >= expected -> expected = 0; offered = baseHead
	:: else
	fi;
	continuePush();
	checkView()
}

/* The stream begins again at the cursor. */
inline leaveStream() {
	do
	:: len(pages) > 0 -> pages ? from, through
	:: else -> break
	od;
	from = 0; through = 0;
	streamed = position
}

/* A page that does not begin at the cursor is left out; if it leads beyond, the stream begins again. */
inline receive(after, end) {
	if
#ifdef FAULT_PAGE_ANYWHERE
	:: true -> applyPage(after, end)
#else
	:: after == position -> applyPage(after, end)
#endif
#ifdef FAULT_LATE_PAGE_HIDES_NEXT
	:: after > position -> leaveStream()
#else
	:: after != position && end > position -> leaveStream()
#endif
	:: else
	fi
}

/* Starts again from disk. A request that is on its way may still arrive. */
inline restartNode() {
	if
	:: flight == REQUEST -> lateFirst = pushFirst; lateLast = pushLast; lateEnds = flightEnds
	:: else
	fi;
	abandon();
	push = IDLE; expected = 0; offered = baseHead;
	leaveStream();
	continuePush();
	checkView()
}

/* --- The pivot --- */

inline append(firstSequence, lastSequence, headerHash) {
	length++;
	first[length] = firstSequence; last[length] = lastSequence; hash[length] = headerHash;
	if
	:: !isEpochOpen -> isEpochOpen = true; epoch++
	:: else
	fi;
	epochOf[length] = epoch
}

inline commit() {
	commitEnds = commitEnds | BIT(length);
#ifndef FAULT_PUBLISH_BEFORE_COMMIT
	durable = length
#endif
}

#ifdef FAULT_NO_HEAD_CHECK
#define EXTENDS_HEAD(from, ofEnds) true
#else
#define EXTENDS_HEAD(from, ofEnds) (from == head + 1 && headHash == UP_TO(from - 1, ofEnds))
#endif

/* Delta by delta; what was accepted before one that does not extend the head stays accepted. */
inline accept(firstSequence, lastSequence, ofEnds) {
	from = firstSequence;
	do
	:: from <= lastSequence && length < ENTRIES && EXTENDS_HEAD(from, ofEnds) ->
		through = from;
		do
		:: !IN(through, ofEnds) -> through++
		:: else -> break
		od;
		CLAIM(nothing_is_applied_twice, from > head);
		append(from, through, UP_TO(through, ofEnds));
		head = through; headHash = UP_TO(through, ofEnds);
		from = through + 1
	:: else -> break
	od;
	if
	:: length > 0 -> commit()
	:: else
	fi
}

inline answer() {
	verdict = (from > pushLast -> ACCEPTED : HEAD);
	answerHead = head; answerHash = headHash; answerPlace = length;
	flight = ANSWER;
	from = 0; through = 0
}

inline restartPivot() {
	isEpochOpen = false;
#ifdef FAULT_PUBLISH_BEFORE_COMMIT
	length = durable;
	head = 0; headHash = 0; epoch = 0; commitEnds = UP_TO(length, commitEnds);
	for (each : 1 .. length) {
		if
		:: first[each] > 0 -> head = last[each]; headHash = hash[each]
		:: else
		fi;
		epoch = epochOf[each]
	}
#endif
	CLAIM(nothing_is_lost, position <= length);
	if
	:: flight == REQUEST || flight == ANSWER ->
		verdict = 0; answerHead = 0; answerHash = 0; answerPlace = 0; flight = LOST; flightEnds = 0
	:: else
	fi;
	leaveStream()
}

#define CAN_FAIL (mishaps < MISHAPS)

active proctype node() {
	if
	:: bad = 0
	:: bad = 2
	fi;
end:
	do
	:: d_step { written < WRITES -> write() }
#ifdef FAULT_ACKNOWLEDGE_BEFORE_COMMIT
	:: d_step { written < WRITES && CAN_FAIL -> mishaps++; acknowledged = written + 1; restartNode() }
#endif
	/* Up to any of the operations that wait, into one delta. */
	:: d_step { push == SEALING && sealed + 1 <= written -> push = IDLE; seal(sealed + 1); continuePush() }
	:: d_step { push == SEALING && sealed + 2 <= written -> push = IDLE; seal(sealed + 2); continuePush() }
	:: d_step { push == SEALING && sealed + 3 <= written -> push = IDLE; seal(sealed + 3); continuePush() }
	:: d_step { flight == ANSWER -> settle() }
	:: d_step { flight == LOST -> abandon(); push = PAUSED }
	:: d_step { push == PAUSED -> push = IDLE; continuePush() }
	:: atomic { pages ? [_, _] ->
		d_step { pages ? from, through; receive(from, through); from = 0; through = 0 } }
	:: d_step { staleEnd > 0 -> receive(staleAfter, staleEnd); staleAfter = 0; staleEnd = 0 }
	:: d_step { CAN_FAIL -> mishaps++; restartNode() }
#ifdef FAULT_CURSOR_APART
	/* A crash between two commits: the state of a page is on disk, its cursor is not. */
	:: d_step { pages ? [_, _] && CAN_FAIL ->
		mishaps++; pages ? from, through; answerPlace = position;
		if :: from == position -> applyPage(from, through); position = answerPlace :: else fi; answerPlace = 0; restartNode() }
#endif
#ifdef FAULT_SEALED_AFTER_SENDING
	/* A crash between sending a delta and storing it: what is sealed anew may be cut otherwise. */
	:: d_step { flight == REQUEST && CAN_FAIL ->
		mishaps++; ends = UP_TO(pushFirst - 1, ends); sealed = pushFirst - 1; flightEnds = flightEnds; restartNode() }
#endif
	od
}

active proctype pivot() {
end:
	do
	:: d_step { flight == REQUEST -> accept(pushFirst, pushLast, flightEnds); answer() }
	:: d_step { lateLast > 0 -> accept(lateFirst, lateLast, lateEnds); lateFirst = 0; lateLast = 0; lateEnds = 0; from = 0; through = 0 }
	:: d_step { foreign < FOREIGN -> foreign++; append(0, 0, 0); commit() }
#ifdef FAULT_PUBLISH_BEFORE_COMMIT
	:: d_step { durable < length -> durable = length }
#endif
	:: d_step { CAN_FAIL -> mishaps++; restartPivot() }
	/* A page ends where a commit ended: at the next one, or a later one. */
	:: d_step { nfull(pages) && streamed < length ->
		from = streamed + 1;
		do :: !IN(from, commitEnds) -> from++ :: else -> break od;
		pages ! streamed, from; streamed = from; from = 0 }
	:: d_step { nfull(pages) && streamed < length -> pages ! streamed, length; streamed = length }
	od
}

active proctype network() {
end:
	do
	:: d_step { (flight == REQUEST || flight == ANSWER) && CAN_FAIL ->
		mishaps++; flight = LOST; flightEnds = 0; verdict = 0; answerHead = 0; answerHash = 0; answerPlace = 0 }
	/* The node gives up waiting, and the request arrives later. */
	:: d_step { flight == REQUEST && CAN_FAIL ->
		mishaps++; lateFirst = pushFirst; lateLast = pushLast; lateEnds = flightEnds; flight = LOST; flightEnds = 0 }
	/* A request arrives twice. */
	:: d_step { flight == REQUEST && CAN_FAIL -> mishaps++; lateFirst = pushFirst; lateLast = pushLast; lateEnds = flightEnds }
	/* The stream breaks; a page of it may still be on its way. */
	:: d_step { CAN_FAIL && nempty(pages) -> mishaps++; pages ? staleAfter, staleEnd; leaveStream() }
	:: d_step { CAN_FAIL -> mishaps++; leaveStream() }
	od
}

/* When nothing more can happen, all is everywhere. */
active proctype quiet() {
	timeout;
	CLAIM(everything_arrives, written == WRITES && head == WRITES && baseHead == WRITES && position == length);
	CLAIM(everything_arrives, pending == 0 && (based | deadLetters) == UP_TO(WRITES, 254));
	CLAIM(everything_arrives, deadLetters == (bad > 0 -> BIT(bad) : 0))
}

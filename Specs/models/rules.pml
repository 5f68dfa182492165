/* The merge rules of Specs/tables. Every model includes this file, and run.sh holds it against Specs/tables.
 *
 * A dot is a number, replica * SEQUENCES + sequence - 1, and a set of dots a mask of bits. The including model defines
 * SEQUENCES: how many operations a replica can have at most.
 */
#define BIT(dot) (1 << (dot))
#define IN(dot, set) (((set) >> (dot)) & 1)
#define REPLICA(dot) ((dot) / SEQUENCES)
#define ALL_OF(replica) (((1 << SEQUENCES) - 1) << ((replica) * SEQUENCES))
/* What a replica wrote before: always observed, never listed (docs/decisions/0001). */
#define EARLIER(dot) ((BIT(dot) - 1) & ALL_OF(REPLICA(dot)))

#if defined(FAULT_REMOVE_TAKES_ALL)
#define TAKEN(dot, observed) 65535
#elif defined(FAULT_OWN_STAY)
#define TAKEN(dot, observed) (observed)
#else
#define TAKEN(dot, observed) ((observed) | EARLIER(dot))
#endif

#ifdef FAULT_REPLAY_APPLIED
#define COVERED(dot, vector) 0
#else
#define COVERED(dot, vector) IN(dot, vector)
#endif

/* A member: the observed dots go, a put's own dot comes. A covered dot changes nothing. */
#define PUT 1
#define REMOVE 2
#define LIVE_AFTER(live, kind, dot, observed) (((live) & ~TAKEN(dot, observed)) | ((kind) == PUT -> BIT(dot) : 0))
#define MEMBER_AFTER(live, vector, kind, dot, observed) \
	(COVERED(dot, vector) -> (live) : LIVE_AFTER(live, kind, dot, observed))

/* The causal rule: a dot extends its replica's head, and what it observes is covered. */
#ifdef FAULT_ANY_ORDER
#define EXTENDS(dot, vector, observed) ((EARLIER(dot) & ~(vector)) == 0)
#else
#define EXTENDS(dot, vector, observed) (((EARLIER(dot) | (observed)) & ~(vector)) == 0)
#endif

/* The join of two states: a dot that one side lacks and covers was taken there on purpose. */
#ifdef FAULT_JOIN_KEEPS_ALL
#define LIVE_JOINED(live, vector, otherLive, otherVector) ((live) | (otherLive))
#else
#define LIVE_JOINED(live, vector, otherLive, otherVector) \
	(((live) & (otherLive)) | ((live) & ~(otherVector)) | ((otherLive) & ~(vector)))
#endif

/* A register: the greatest write, deleted or not. A write is one number, and the numbers' order is (stamp, replica,
 * sequence): the dot counts by replica first. 0 is no write. The last bit tells a value from a deletion, and does not count. */
#define WRITE(stamp, dot, isValue) (((stamp) << 5) | ((dot) << 1) | (isValue))
#define STAMP(write) ((write) >> 5)
#define DOT(write) (((write) >> 1) & 15)
#define IS_VALUE(write) ((write) & 1)
#if defined(FAULT_NO_TIE_BREAK)
#define PRECEDES(write, other) (STAMP(write) <= STAMP(other))
#elif defined(FAULT_LAST_COMES_WINS)
#define PRECEDES(write, other) true
#else
#define PRECEDES(write, other) (((write) >> 1) < ((other) >> 1))
#endif
#ifdef FAULT_DELETION_FORGOTTEN
#define REGISTER_AFTER(shown, incoming) \
	(PRECEDES(shown, incoming) -> (IS_VALUE(incoming) -> (incoming) : 0) : (shown))
#else
#define REGISTER_AFTER(shown, incoming) (PRECEDES(shown, incoming) -> (incoming) : (shown))
#endif

/* The join of two registers: the greater write, but a side that has seen the other's write and shows another one has
 * overwritten it: the two lives of a log may have put different caps on one write. A dot on both sides keeps the smaller stamp. */
#define HAS_OVERWRITTEN(write, other, otherVector) ((write) != 0 && (other) != (write) && IN(DOT(write), otherVector))
#define GREATER(write, other) (PRECEDES(write, other) -> (other) : (write))
#ifdef FAULT_GREATER_WINS_JOIN
#define REGISTER_JOINED(shown, vector, other, otherVector) \
	((shown) != 0 && (other) != 0 && DOT(shown) == DOT(other) -> (PRECEDES(shown, other) -> (shown) : (other)) : GREATER(shown, other))
#else
#define REGISTER_JOINED(shown, vector, other, otherVector) \
	((shown) != 0 && (other) != 0 && DOT(shown) == DOT(other) -> (PRECEDES(shown, other) -> (shown) : (other)) : \
	(HAS_OVERWRITTEN(shown, other, otherVector) && !HAS_OVERWRITTEN(other, shown, vector) -> (other) : \
	(HAS_OVERWRITTEN(other, shown, vector) && !HAS_OVERWRITTEN(shown, other, otherVector) -> (shown) : GREATER(shown, other))))
#endif

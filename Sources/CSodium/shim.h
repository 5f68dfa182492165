#include <sodium.h>

/* BLAKE2b-256 of one byte and then `length` more. Here, because Swift does not import libsodium's aligned hash state. */
static inline void gimbal_hash_with_prefix(unsigned char output[32], unsigned char prefix,
                                           const unsigned char *bytes, unsigned long long length) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, &prefix, 1);
    crypto_generichash_update(&state, bytes, length);
    crypto_generichash_final(&state, output, 32);
}

/* The state of a BLAKE2b-256 that is fed piece by piece; made, fed, read once and freed. */
static inline void *gimbal_hash_begin(void) {
    crypto_generichash_state *state = (crypto_generichash_state *)sodium_malloc(crypto_generichash_statebytes());
    if (state) crypto_generichash_init(state, NULL, 0, 32);
    return state;
}
static inline void gimbal_hash_update(void *state, const unsigned char *bytes, unsigned long long length) {
    crypto_generichash_update((crypto_generichash_state *)state, bytes, length);
}
static inline void gimbal_hash_value(void *state, unsigned char output[32]) {
    crypto_generichash_final((crypto_generichash_state *)state, output, 32);
}

// Mbed TLS 3.6 configuration of firmware: a DTLS 1.2 client and the primitives of seal/, nothing
// else. Which primitives is in psa_crypto_config.h; each costs flash only if it is named there.
//
// Memory comes from one static arena (crypto_arena.cc). No clock: devices do not trust time, and
// certificate dates are the gateway's business. Plain C: see ports/host/mbedtls_config.h.
#ifndef SKEP_MBEDTLS_CONFIG_H
#define SKEP_MBEDTLS_CONFIG_H

// ---- platform: no operating system, no files, no stdio, no malloc
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
#define MBEDTLS_TIMING_C
#define MBEDTLS_TIMING_ALT

// ---- randomness: the board's source seeds CTR_DRBG (entropy_source.cc)
#define MBEDTLS_NO_PLATFORM_ENTROPY
#define MBEDTLS_ENTROPY_HARDWARE_ALT
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_ENTROPY_FORCE_SHA256
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_CTR_DRBG_USE_128_BIT_KEY

// ---- cryptography
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_USE_PSA_CRYPTO
#define MBEDTLS_PSA_CRYPTO_CONFIG
#define MBEDTLS_PSA_CRYPTO_CONFIG_FILE "skep_psa_crypto_config.h"
#define MBEDTLS_PSA_KEY_SLOT_COUNT 16
// All of P-256 by p256-m, which comes with Mbed TLS: a fifth of the code of the general curves,
// no big numbers, no memory from the arena. It signs with random nonces only (not RFC 6979), so a
// signature needs the board's entropy as every other secret does.
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
// Mbed TLS 3.6.7 derives this from its own ECDH and ECDSA only (config_adjust_ssl.h), and without
// it a client offers no curve: the gateway then has no cipher suite in common.
#define MBEDTLS_SSL_TLS1_2_SOME_ECC
// libcoap asks for these two by their own names.
#define MBEDTLS_MD_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_AES_ONLY_128_BIT_KEY_LENGTH
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT
#define MBEDTLS_SHA256_SMALLER

// ---- keys and certificates
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_REMOVE_INFO

// ---- DTLS 1.2, client only
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#define MBEDTLS_SSL_DTLS_HELLO_VERIFY
#define MBEDTLS_SSL_COOKIE_C  // libcoap frees one that it never made
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
// The device's name in the record header is the gateway's choice of 8 bytes (RFC 9146); it wants
// none for itself, as libcoap's clients do.
#define MBEDTLS_SSL_DTLS_CONNECTION_ID
#define MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT 0
#define MBEDTLS_SSL_CID_IN_LEN_MAX 8
#define MBEDTLS_SSL_CID_OUT_LEN_MAX 8
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_CIPHERSUITES MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8

// The largest incoming messages: the gateway's Certificate (1,024 B and lengths), and a CoAP
// block of 512 B with options. Outgoing: the device's Certificate.
#define MBEDTLS_SSL_IN_CONTENT_LEN 1408
#define MBEDTLS_SSL_OUT_CONTENT_LEN 1088
#define MBEDTLS_SSL_DTLS_MAX_BUFFERING 2048

#endif  // SKEP_MBEDTLS_CONFIG_H

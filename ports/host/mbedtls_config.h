// Mbed TLS 3.6 configuration of the host build: gateway, tools, tests and the host port.
//
// Only what Skep's protocols use is compiled in: P-256, AES-128, SHA-256, DTLS 1.2. A cipher
// that is absent cannot be negotiated and cannot be attacked. X25519 is the one extra: HPKE
// vectors of RFC 9180 exist for it.
//
// Mbed TLS includes this file through MBEDTLS_CONFIG_FILE, so it stays plain C.
#ifndef SKEP_MBEDTLS_CONFIG_H
#define SKEP_MBEDTLS_CONFIG_H

// ---- platform: a POSIX system with a clock, files and threads
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_FS_IO
#define MBEDTLS_PLATFORM_C
// Tests replace the allocator to count what a call allocates.
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_TIMING_C
#define MBEDTLS_NET_C
// skepd verifies and decrypts on worker threads.
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD
#define MBEDTLS_ERROR_C
#define MBEDTLS_DEBUG_C
#define MBEDTLS_VERSION_C

// ---- randomness: the operating system's generator seeds CTR_DRBG
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_ENTROPY_FORCE_SHA256
#define MBEDTLS_CTR_DRBG_C
// Deterministic ECDSA (RFC 6979) derives its nonce with HMAC_DRBG.
#define MBEDTLS_HMAC_DRBG_C

// ---- primitives
#define MBEDTLS_PSA_CRYPTO_C
// X.509 and DTLS draw on PSA too, so there is one implementation of each primitive in use.
#define MBEDTLS_USE_PSA_CRYPTO
// Each live DTLS session holds two keys: a fixed store (32 slots) would end at 16 devices.
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC
#define MBEDTLS_AES_C
#define MBEDTLS_AESNI_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_GCM_C
#define MBEDTLS_CCM_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_HKDF_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC

// ---- keys and certificates
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_HAVE_ECC_KEYS
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
#define MBEDTLS_X509_CSR_PARSE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_X509_CSR_WRITE_C

// ---- DTLS 1.2, both ends; renegotiation stays out (its DTLS code has a history of overflows)
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#define MBEDTLS_SSL_DTLS_HELLO_VERIFY
#define MBEDTLS_SSL_DTLS_CLIENT_PORT_REUSE
#define MBEDTLS_SSL_COOKIE_C
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_ENCRYPT_THEN_MAC
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
// The gateway compares the session's certificate with the key that signed an update.
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE

// Connection IDs (RFC 9146): 8 bytes are enough for any number of live sessions.
#define MBEDTLS_SSL_DTLS_CONNECTION_ID
#define MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT 0
#define MBEDTLS_SSL_CID_IN_LEN_MAX 8
#define MBEDTLS_SSL_CID_OUT_LEN_MAX 8

// Devices authenticate by certificate; the one-time enrolment token is a PSK.
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_PSK_MAX_LEN 32

// libcoap offers every suite that is compiled in. CCM-8 first: it is what RFC 7252 makes
// mandatory and what small devices have.
#define MBEDTLS_SSL_CIPHERSUITES                                                               \
  MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
      MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256

// The buffers are most of what a session costs (2 x 16 KB by default). The largest
// application record is a CoAP message with one 1,024 B block and its options, below 1,300 B;
// the largest handshake message is a Certificate with a P-256 chain of device, intermediate
// and root, below 2,048 B. A reassembled handshake message must fit the input buffer whole,
// hence twice that; outgoing ones are fragmented to the path's MTU anyway.
#define MBEDTLS_SSL_IN_CONTENT_LEN 4096
#define MBEDTLS_SSL_OUT_CONTENT_LEN 2048
// Fragments that arrive out of order wait here: one handshake flight.
#define MBEDTLS_SSL_DTLS_MAX_BUFFERING 8192

#endif  // SKEP_MBEDTLS_CONFIG_H

// libcoap 4.3.5 as a client on lwIP and Mbed TLS. Plain C. Users of its headers need the same
// choices: they get them from here too (-include, see CMakeLists.txt).
// NOLINTBEGIN(readability-identifier-naming): the names are theirs
#ifndef COAP_CONFIG_H_
#define COAP_CONFIG_H_

#include <lwip/def.h>
#include <lwip/opt.h>
#include <stdio.h>

#ifndef __cplusplus
// Handed through to debug functions that nobody calls. There is no standard output.
#undef stdout
#undef stderr
#define stdout ((void*)0)
#define stderr ((void*)0)
// picolibc's errno is thread-local, and here is no thread.
extern int skep_coap_errno;
#include <errno.h>
#undef errno
#define errno skep_coap_errno
#endif

// The table of sessions (there is one): from lwIP's memory for datagrams.
#include <lwip/mem.h>
#define uthash_malloc(size) mem_malloc(size)
#define uthash_free(pointer, size) mem_free(pointer)

#define WITH_LWIP 1
#define COAP_IPV4_SUPPORT 1
#define COAP_CLIENT_SUPPORT 1
#define COAP_WITH_LIBMBEDTLS 1
#define COAP_DISABLE_TCP 1
#define COAP_CONSTRAINED_STACK 1
#define COAP_MAX_LOGGING_LEVEL 0

// One block of 512 B, its options and the DTLS record around them.
#define COAP_DEFAULT_MTU 768
#define COAP_RXBUFFER_SIZE 1408

#define PACKAGE_NAME "libcoap"
#define PACKAGE_STRING "libcoap 4.3.5"
#define PACKAGE_URL "https://libcoap.net/"
#define PACKAGE_VERSION "4.3.5"
#define PACKAGE_BUGREPORT "libcoap-developers@lists.sourceforge.net"

// The largest element of each of these pools (lwippools.h). Options: a path segment or an ETag.
#define MEMP_LEN_COAPOPTLIST 24
// Tokens, and the tokens of observations.
#define MEMP_LEN_COAPSTRING 40

#define HAVE_NETDB_H 1  // ours
#define HAVE_STRNLEN 1
#define HAVE_LIMITS_H 1
#define HAVE_ERRNO_H 1
#define HAVE_SNPRINTF 1

#ifndef assert
#define assert(condition) ((void)0)
#endif

#endif  // COAP_CONFIG_H_
// NOLINTEND(readability-identifier-naming)

// Declarations for libcoap's resolver of names, which is compiled but never linked: an endpoint has
// an address (skep/transport_coap/coap_client.h). Nothing here is ever defined. Plain C.
#ifndef SKEP_NETDB_H
#define SKEP_NETDB_H

#include <stdint.h>

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10

struct sockaddr {
  uint16_t sa_family;
};

struct sockaddr_in {
  uint16_t sin_family;
  uint16_t sin_port;
  uint32_t sin_addr;
};

struct addrinfo {
  int ai_flags;
  int ai_family;
  int ai_socktype;
  int ai_protocol;
  unsigned ai_addrlen;
  struct sockaddr* ai_addr;
  struct addrinfo* ai_next;
};

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints,
                struct addrinfo** result);
void freeaddrinfo(struct addrinfo* list);
const char* gai_strerror(int error);

#endif  // SKEP_NETDB_H
